//! Zip archives made by hand, entry by entry, whether or not any program would make them.

/// What both headers of an entry say, and what the local one says instead.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) name: Vec<u8>,
    pub(super) local_name: Option<Vec<u8>>,
    /// As it stands in the archive.
    pub(super) data: Vec<u8>,
    pub(super) size: u64,
    pub(super) local_size: Option<u64>,
    pub(super) sum: u32,
    pub(super) method: u16,
    pub(super) flags: u16,
    /// 0 for DOS, 3 for unix.
    pub(super) system: u8,
    pub(super) mode: u32,
    /// Has no header and data of its own, but those of the entry before it.
    pub(super) shares: bool,
}

impl Entry {
    /// A stored file, as unix programs write it.
    pub(super) fn new(name: impl AsRef<[u8]>, content: &[u8]) -> Self {
        Self {
            name: name.as_ref().to_vec(),
            local_name: None,
            data: content.to_vec(),
            size: content.len() as u64,
            local_size: None,
            sum: sum_of(content),
            method: 0,
            flags: 0,
            system: 3,
            mode: 0o100_644,
            shares: false,
        }
    }

    fn common(&self, size: u64) -> Vec<u8> {
        let short = |number: u64| u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes();
        let mut fields = [20_u16, self.flags, self.method, 0, 33].map(u16::to_le_bytes).concat();
        fields.extend_from_slice(&self.sum.to_le_bytes());
        fields.extend_from_slice(&short(self.data.len() as u64));
        fields.extend_from_slice(&short(size));
        fields
    }

    fn local(&self) -> Vec<u8> {
        let name = self.local_name.as_ref().unwrap_or(&self.name);
        let mut header = b"PK\x03\x04".to_vec();
        header.extend_from_slice(&self.common(self.local_size.unwrap_or(self.size)));
        header.extend_from_slice(&[length(name), [0, 0]].concat());
        [header, name.clone(), self.data.clone()].concat()
    }

    fn central(&self, offset: usize) -> Vec<u8> {
        let mut header = b"PK\x01\x02".to_vec();
        header.extend_from_slice(&[20, self.system]);
        header.extend_from_slice(&self.common(self.size));
        header.extend_from_slice(&length(&self.name));
        // No extra field, no comment, the first disk, no internal attributes.
        header.extend_from_slice(&[0; 8]);
        header.extend_from_slice(&(self.mode << 16).to_le_bytes());
        header.extend_from_slice(&u32::try_from(offset).expect("a small archive").to_le_bytes());
        [header, self.name.clone()].concat()
    }
}

/// Puts an archive together.
pub(super) fn zip(entries: &[Entry]) -> Vec<u8> {
    let mut archive = Vec::new();
    let mut directory = Vec::new();
    let mut offset = 0;
    for entry in entries {
        if !entry.shares {
            offset = archive.len();
            archive.extend_from_slice(&entry.local());
        }
        directory.extend_from_slice(&entry.central(offset));
    }
    let start = archive.len();
    archive.extend_from_slice(&directory);
    archive.extend_from_slice(&end(entries.len(), directory.len(), start));
    archive
}

/// The record at the end: how many entries, how long the directory of them is, where it begins.
pub(super) fn end(count: usize, length: usize, start: usize) -> Vec<u8> {
    let count = u16::try_from(count).expect("few entries").to_le_bytes();
    let [length, start] = [length, start].map(|number| u32::try_from(number).expect("a small archive").to_le_bytes());
    [b"PK\x05\x06\0\0\0\0".as_slice(), &count, &count, &length, &start, &[0, 0]].concat()
}

/// The CRC-32 that zip uses.
pub(super) fn sum_of(content: &[u8]) -> u32 {
    let mut sum = flate2::Crc::new();
    sum.update(content);
    sum.sum()
}

fn length(name: &[u8]) -> [u8; 2] {
    u16::try_from(name.len()).expect("a name that fits").to_le_bytes()
}
