//! Reads bindings files, and what the logs of a scratch space say about times.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::time::Duration;

use crate::compat::import::locate::{InputFile, InputSpace};
use crate::compat::import::{ImportRow, ImportStatus};
use crate::digest::Digest;
use crate::error::{Error, Result, error_line};
use crate::julia::{Document, FileKey, OrphanLog, SpaceBinding, UsageLog, Zone};
use crate::model::OwnerId;
use crate::text::printable_path;
use crate::time::Timestamp;

/// A file read, name by name.
pub(super) struct ReadFile {
    pub(super) input: InputFile,
    pub(super) document: Document,
}

/// What a space says about times.
#[derive(Default)]
pub(super) struct Times {
    bound: BTreeMap<(Digest, FileKey, String), Timestamp>,
    pub(super) orphaned: HashMap<Digest, Timestamp>,
    named_files: BTreeMap<FileKey, usize>,
}

impl InputFile {
    /// Reads a file. Julia's programs write in place, so what looks torn is read again a little later.
    pub(super) fn read(&self, times: Option<&Times>) -> Result<Option<Document>, Box<ImportRow>> {
        const PAUSES: [u64; 4] = [5, 20, 50, 100];
        let named = self.file_key().zip(times).and_then(|(key, times)| times.named_files.get(&key)).copied();
        let mut outcome = Document::read(&self.path);
        // Outside of a scratch space nobody writes while others read.
        let pauses = if self.space.is_some() { &PAUSES[..] } else { &[] };
        for pause in pauses.iter().copied() {
            let torn = match &outcome {
                Ok(Some(document)) => document.is_cut() || (document.table().is_empty() && named.is_some()),
                Ok(None) => false,
                Err(_) => true,
            };
            if !torn {
                break;
            }
            std::thread::sleep(Duration::from_millis(pause));
            outcome = Document::read(&self.path);
        }
        match (outcome, named) {
            (Ok(Some(document)), Some(names)) if document.table().is_empty() => {
                let detail = format!(
                    "`{}` is empty, though the usage log knows {names} names of it: was its writing interrupted?",
                    printable_path(document.path())
                );
                Err(Box::new(ImportRow::of_file(self.owner.as_ref(), detail)))
            }
            (Ok(document), _) => Ok(document),
            (Err(error), _) => Err(Box::new(ImportRow::of_file(self.owner.as_ref(), naming(&self.path, &error)))),
        }
    }
}

impl ImportRow {
    /// Says that a file as a whole did not come over.
    fn of_file(owner: Option<&OwnerId>, detail: String) -> Self {
        Self { name: None, ..Self::of_name(owner, "", ImportStatus::Corrupt, None, Some(detail)) }
    }

    /// Says what becomes of a name.
    pub(super) fn of_name(
        owner: Option<&OwnerId>,
        name: &str,
        status: ImportStatus,
        hash: Option<Digest>,
        detail: Option<String>,
    ) -> Self {
        Self {
            owner: owner.map(|owner| owner.key().to_owned()),
            version: owner.and_then(OwnerId::version).map(str::to_owned),
            name: Some(name.to_owned()),
            hash,
            status,
            detail,
        }
    }
}

impl InputFile {
    fn file_key(&self) -> Option<FileKey> {
        self.space?;
        let owner = self.owner.as_ref()?;
        Some(FileKey { uuid: owner.key().to_owned(), version: owner.version().map(str::to_owned) })
    }
}

impl Times {
    /// Reads the logs of a space. They only tell times, so what is wrong with them costs no binding.
    pub(super) fn read(space: &InputSpace) -> (Self, impl Iterator<Item = ImportRow>) {
        let mut times = Self::default();
        let mut problems = Vec::new();
        match UsageLog::read(&space.space, Zone::Local) {
            Ok((log, complaints)) => {
                for (id, file, name, at) in log.entries() {
                    times.bound.insert((id, file.clone(), name.to_owned()), at);
                    *times.named_files.entry(file.clone()).or_default() += 1;
                }
                problems.extend(complaints);
            }
            Err(error) => problems.push(error),
        }
        match OrphanLog::read(&space.space, Zone::Local) {
            Ok((log, complaints)) => {
                times.orphaned.extend(log.entries());
                problems.extend(complaints);
            }
            Err(error) => problems.push(error),
        }
        let rows = problems.into_iter().filter(|_| space.whole);
        (times, rows.map(|error| ImportRow::of_file(None, error_line(&error))))
    }

    pub(super) fn bound_at(&self, input: &InputFile, name: &str, id: Digest) -> Option<Timestamp> {
        self.bound.get(&(id, input.file_key()?, name.to_owned())).copied()
    }
}

/// A link to something that cannot be read is said under the name that was looked for.
fn naming(path: &Path, error: &Error) -> String {
    let (line, path) = (error_line(error), printable_path(path));
    if line.contains(&path) { line } else { format!("`{path}`: {line}") }
}

/// Returns what the files of a space bind.
pub(super) fn bound_ids(read: &[ReadFile], space: usize) -> BTreeSet<Digest> {
    let files = read.iter().filter(|file| file.input.space == Some(space));
    let values = files.flat_map(|file| file.document.table().values());
    values.filter_map(|value| Some(SpaceBinding::read(value).ok()?.id)).collect()
}

/// Returns what of a space is to be looked at.
pub(super) fn wanted(space: &InputSpace, read: &[ReadFile], index: usize) -> Result<BTreeSet<Digest>> {
    let mut wanted = bound_ids(read, index);
    if space.whole {
        wanted.extend(space.space.ids()?);
    }
    Ok(wanted)
}
