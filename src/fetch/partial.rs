//! The bytes of a download that is not whole yet, kept so that the next attempt can go on.
//!
//! Beside the bytes lies a note: which version of the file they are of. The note is written after the file
//! was emptied and before the first byte comes, so a note never speaks of another version's bytes.
//! After a power cut nobody knows which of the bytes reached the disk; then they count only if a hash will
//! be held against the whole.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Error, PathContext as _, Result};
use crate::event::Interrupt;
use crate::fetch::sums::Sums;
use crate::fetch::validators::Validators;
use crate::fs::{Disk, lstat, open_source};

/// A longer note is not ours.
const LONGEST_NOTE: u64 = 16 * 1024;
const CHUNK: usize = 1024 * 1024;

/// What the bytes are of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Note {
    pub(crate) validators: Validators,
    /// How many bytes the whole has, if the server said so.
    pub(crate) total: Option<u64>,
    /// Whether they were packed for the way: then no part of them can be asked for.
    pub(crate) packed: bool,
    /// Which run of the system wrote them.
    boot: Option<String>,
}

/// A download in progress. Who uses it holds the lock of its address.
pub(crate) struct Partial<'a> {
    disk: &'a Disk,
    path: PathBuf,
    /// Whether a hash will be held against the whole, so that doubtful bytes may be kept.
    checked: bool,
    note: Note,
    sums: Sums,
    file: Option<File>,
}

impl<'a> Partial<'a> {
    /// Takes up what lies at `path`, whose folder is there.
    pub(crate) fn open(disk: &'a Disk, path: &Path, checked: bool, interrupt: &Interrupt) -> Result<Self> {
        let mut partial =
            Self { disk, path: path.to_owned(), checked, note: Note::default(), sums: Sums::new(None), file: None };
        if let Some(note) = partial.read_note() {
            partial.sums = partial.hash_again(&note, interrupt)?;
            partial.note = note;
        }
        Ok(partial)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// How many bytes are there.
    pub(crate) fn length(&self) -> u64 {
        self.sums.length()
    }

    pub(crate) fn note(&self) -> &Note {
        &self.note
    }

    /// Returns where the server may go on, if the bytes there can be joined with what it would send.
    pub(crate) fn resume_at(&self) -> Option<u64> {
        let joins = self.note.validators.for_range().is_some() || self.checked;
        let fits = self.note.total.is_none_or(|total| self.length() <= total);
        (self.length() > 0 && joins && fits && !self.note.packed).then(|| self.length())
    }

    /// Tells whether nothing is missing.
    pub(crate) fn is_whole(&self) -> bool {
        self.length() > 0 && self.note.total == Some(self.length())
    }

    /// Starts anew, with another version of the bytes.
    pub(crate) fn restart(&mut self, validators: Validators, total: Option<u64>, packed: bool) -> Result<()> {
        self.discard()?;
        self.file = Some(self.disk.create_file(&self.path, 0o600)?);
        self.note = Note { validators, total, packed, boot: boot() };
        self.sums = Sums::new(total);
        self.write_note()
    }

    /// Adds the next bytes.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<()> {
        if self.file.is_none() {
            self.file = Some(self.disk.open_end(&self.path)?);
        }
        let file = self.file.as_mut().expect("it was just opened");
        self.disk.fault_point(&self.path)?;
        self.sums.update(bytes, || file.write_all(bytes)).at("write", &self.path)
    }

    /// Throws the bytes away.
    pub(crate) fn discard(&mut self) -> Result<()> {
        self.file = None;
        self.note = Note::default();
        self.sums = Sums::new(None);
        for path in [&self.path, &self.note_path()] {
            if lstat(path)?.is_some() {
                self.disk.remove_file(path)?;
            }
        }
        Ok(())
    }

    /// Returns the hashes of all there is.
    pub(crate) fn sums(&self) -> Sums {
        self.sums.clone()
    }

    fn note_path(&self) -> PathBuf {
        self.path.with_extension("json")
    }

    fn write_note(&self) -> Result<()> {
        let path = self.note_path();
        let text = serde_json::to_vec(&self.note)
            .map_err(|error| Error::Internal(format!("a download cannot be written down: {error}")))?;
        self.disk.write_new(&path, &text, 0o600)
    }

    /// Reads what the bytes are of; what cannot be read, or cannot be trusted, is as good as nothing.
    fn read_note(&self) -> Option<Note> {
        let (file, found) = open_source(&self.note_path()).ok()?;
        if found.len() > LONGEST_NOTE {
            return None;
        }
        let mut text = String::new();
        file.take(LONGEST_NOTE).read_to_string(&mut text).ok()?;
        let note: Note = serde_json::from_str(&text).ok()?;
        // Read again from a file, it is as foreign as from a server.
        let Validators { etag, last_modified } = &note.validators;
        let validators = Validators::new(etag.as_deref(), last_modified.as_deref());
        let same_run = note.boot.is_some() && note.boot == boot();
        (same_run || self.checked).then_some(Note { validators, ..note })
    }

    /// The hashes so far died with the process that made them.
    fn hash_again(&self, note: &Note, interrupt: &Interrupt) -> Result<Sums> {
        let nothing = Sums::new(note.total);
        let Ok((mut file, _)) = open_source(&self.path) else { return Ok(nothing) };
        let mut sums = nothing;
        let mut current = vec![0; CHUNK];
        let mut next = vec![0; CHUNK];
        let mut filled = file.read(&mut current).at("read", &self.path)?;
        while filled > 0 {
            interrupt.check()?;
            filled = sums.update(&current[..filled], || file.read(&mut next)).at("read", &self.path)?;
            std::mem::swap(&mut current, &mut next);
        }
        Ok(sums)
    }
}

/// Names this run of the system (`proc(5)`); none where nobody says so.
fn boot() -> Option<String> {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(text.trim().to_owned())
}
