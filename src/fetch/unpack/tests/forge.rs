//! Archives made by hand, header by header, whether or not any program would make them.

/// The twelve bytes of a size.
pub(super) fn octal(size: u64) -> [u8; 12] {
    format!("{size:011o}\0").into_bytes().try_into().expect("a size that fits")
}

/// An archive in the making.
#[derive(Clone, Default)]
pub(super) struct Forge(Vec<u8>);

impl Forge {
    pub(super) fn file(self, name: &str, content: &[u8]) -> Self {
        self.entry(b'0', name, "", content)
    }

    pub(super) fn directory(self, name: &str) -> Self {
        self.entry(b'5', name, "", b"")
    }

    pub(super) fn symlink(self, name: &str, target: &str) -> Self {
        self.entry(b'2', name, target, b"")
    }

    pub(super) fn hard_link(self, name: &str, target: &str) -> Self {
        self.entry(b'1', name, target, b"")
    }

    pub(super) fn pax(self, records: &[(&str, &str)]) -> Self {
        let lines: String = records.iter().map(|(key, value)| pax_line(key, value)).collect();
        self.entry(b'x', "PaxHeader", "", lines.as_bytes())
    }

    pub(super) fn entry(self, kind: u8, name: &str, link: &str, data: &[u8]) -> Self {
        self.header(kind, name.as_bytes(), link.as_bytes(), octal(data.len() as u64)).data(data)
    }

    pub(super) fn header(self, kind: u8, name: &[u8], link: &[u8], size: [u8; 12]) -> Self {
        self.changed_header(kind, name, link, size, |_| ())
    }

    /// A header whose checksum is right after `change`.
    pub(super) fn changed_header(
        mut self,
        kind: u8,
        name: &[u8],
        link: &[u8],
        size: [u8; 12],
        change: impl Fn(&mut [u8; 512]),
    ) -> Self {
        let mut block = [0; 512];
        block[..name.len()].copy_from_slice(name);
        block[100..108].copy_from_slice(b"0000644\0");
        block[108..116].copy_from_slice(b"0000000\0");
        block[116..124].copy_from_slice(b"0000000\0");
        block[124..136].copy_from_slice(&size);
        block[136..148].copy_from_slice(b"00000000000\0");
        block[156] = kind;
        block[157..157 + link.len()].copy_from_slice(link);
        block[257..265].copy_from_slice(b"ustar  \0");
        change(&mut block);
        seal(&mut block);
        self.0.extend_from_slice(&block);
        self
    }

    pub(super) fn data(mut self, data: &[u8]) -> Self {
        self.0.extend_from_slice(data);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    /// The archive as it is, without an end.
    pub(super) fn open_end(self) -> Vec<u8> {
        self.0
    }

    /// The archive with its two blocks of zeros.
    pub(super) fn done(mut self) -> Vec<u8> {
        self.0.extend_from_slice(&[0; 1024]);
        self.0
    }
}

/// Writes the checksum of a header.
pub(super) fn seal(block: &mut [u8; 512]) {
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

fn pax_line(key: &str, value: &str) -> String {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length += 1;
    }
    format!("{length} {key}={value}\n")
}
