//! `my_artifact_usage.toml`: `["<cache path>"."<toml path>"]  name = time of the bind`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use toml::{Table, Value};

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::julia::document::Document;
use crate::julia::logs::{Complaints, artifact_of, log_key, table_at};
use crate::julia::space::{ScratchSpace, version_of};
use crate::julia::wall::{Zone, from_julia, to_julia};
use crate::time::Timestamp;

/// A bindings file of a space, wherever the space lies: `<uuid>/Artifacts[_v<version>].toml`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FileKey {
    /// The package's UUID: the name of its folder, not checked further.
    pub(crate) uuid: String,
    /// The version in the file's name.
    pub(crate) version: Option<String>,
}

/// Who bound what when, as far as Julia knows.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct UsageLog {
    uses: BTreeMap<Digest, Uses>,
    /// Topmost entries that are none of this log, as they were read.
    foreign: Table,
}

/// What uses one artifact.
#[derive(Debug, Clone, Default, PartialEq)]
struct Uses {
    files: BTreeMap<FileKey, Names>,
    /// What is said of other files, under their paths, as it was read.
    elsewhere: Table,
}

/// The names one file binds to one artifact.
#[derive(Debug, Clone, Default, PartialEq)]
struct Names {
    times: BTreeMap<String, Timestamp>,
    /// What is no time, as it was read.
    odd: Table,
}

impl FileKey {
    /// Returns where the file lies in a space.
    pub(crate) fn path(&self, space: &ScratchSpace) -> PathBuf {
        space.bindings_file(&self.uuid, self.version.as_deref())
    }

    /// Returns which bindings file of a space a path means.
    pub(crate) fn of(path: &std::path::Path) -> Option<Self> {
        Self::of_path(path.to_str()?).map(|(_, key)| key)
    }

    /// Takes the path of a bindings file apart: the root of its space, and which file it is.
    fn of_path(path: &str) -> Option<(&str, Self)> {
        let (rest, name) = path.rsplit_once('/')?;
        let (root, uuid) = rest.rsplit_once('/')?;
        // The folders in which OhMyArtifacts.jl itself looks: `*-*-*-*-*`.
        let is_package = uuid.bytes().filter(|byte| *byte == b'-').count() >= 4;
        let version = version_of(name).filter(|_| is_package)?;
        Some((root, Self { uuid: uuid.to_owned(), version }))
    }
}

impl UsageLog {
    /// Reads the log of a space; an empty one if there is none. The complaints say what was skipped.
    ///
    /// # Errors
    /// The file cannot be read, or as a whole is no TOML.
    pub(crate) fn read(space: &ScratchSpace, zone: Zone) -> Result<(Self, Vec<Error>)> {
        let document = Document::read_log(&space.usage_log())?;
        Ok(document.map(|document| Self::parse(&document, space, zone)).unwrap_or_default())
    }

    /// Takes what a log of this space says, also if the space was moved since. The complaints say
    /// what was skipped.
    ///
    /// An artifact is known by the end of its path alone. If a moved space has it under two paths,
    /// the uses come together, and of two times for one name the later counts.
    pub(crate) fn parse(document: &Document, space: &ScratchSpace, zone: Zone) -> (Self, Vec<Error>) {
        let mut log = Self::default();
        let mut complaints = Complaints::new(document);
        for (key, value) in document.table() {
            let artifact = artifact_of(key);
            if let (Some((root, id)), Value::Table(files)) = (artifact, value) {
                let roots = [Some(root), space.root().to_str().map(|root| root.trim_end_matches('/'))];
                log.uses.entry(id).or_default().take(key, files, &roots, zone, &mut complaints);
            } else {
                let problem = if artifact.is_some() { "is not a table" } else { "is not the path of an artifact" };
                complaints.skip(key, key, problem);
                log.foreign.insert(key.clone(), value.clone());
            }
        }
        (log, complaints.finish())
    }

    /// Returns every use inside the space: artifact, bindings file, name, time of the bind.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (Digest, &FileKey, &str, Timestamp)> {
        self.uses.iter().flat_map(|(id, uses)| uses.entries().map(|(file, name, at)| (*id, file, name, at)))
    }

    /// Returns the artifacts the log names, used or not.
    pub(crate) fn ids(&self) -> impl Iterator<Item = Digest> {
        self.uses.keys().copied()
    }

    #[cfg(test)]
    /// Tells whether the log names an artifact.
    pub(crate) fn knows(&self, id: Digest) -> bool {
        self.uses.contains_key(&id)
    }

    /// Returns the artifacts that bindings files outside of the space use, with those files' paths
    /// as they are spelt: OhMyArtifacts.jl binds in any file it is told to.
    pub(crate) fn elsewhere(&self) -> impl Iterator<Item = (Digest, &str)> {
        self.uses.iter().flat_map(|(id, uses)| uses.elsewhere.keys().map(|path| (*id, path.as_str())))
    }

    /// Notes that a package bound an artifact; an earlier time for the same name goes.
    pub(crate) fn note(&mut self, id: Digest, uuid: &str, version: Option<&str>, name: &str, at: Timestamp) {
        let file = FileKey { uuid: uuid.to_owned(), version: version.map(str::to_owned) };
        let names = self.uses.entry(id).or_default().files.entry(file).or_default();
        names.odd.remove(name);
        names.times.insert(name.to_owned(), at);
    }

    /// Forgets an artifact with all that uses it; tells whether it was known.
    pub(crate) fn forget_id(&mut self, id: Digest) -> bool {
        self.uses.remove(&id).is_some()
    }

    #[cfg(test)]
    /// Forgets one use, and the artifact if this was the last; tells whether it was known.
    pub(crate) fn forget(&mut self, id: Digest, file: &FileKey, name: &str) -> bool {
        let Some(uses) = self.uses.get_mut(&id) else { return false };
        let Some(names) = uses.files.get_mut(file) else { return false };
        let known = names.times.remove(name).is_some() | names.odd.remove(name).is_some();
        if names.times.is_empty() && names.odd.is_empty() {
            uses.files.remove(file);
        }
        if uses.files.is_empty() && uses.elsewhere.is_empty() {
            self.uses.remove(&id);
        }
        known
    }

    /// Returns the log as it is to be written for a space, with everything that was skipped.
    ///
    /// # Errors
    /// [`Error::Unwritable`] if the space's path or a time is none that Julia reads. What was skipped
    /// is judged by whoever prints the table.
    pub(crate) fn to_toml(&self, space: &ScratchSpace, zone: Zone) -> Result<Table> {
        let mut log = self.foreign.clone();
        for (id, uses) in &self.uses {
            let artifact = table_at(&mut log, log_key(&space.artifact(*id))?);
            artifact.extend(uses.elsewhere.clone());
            for (file, names) in &uses.files {
                let table = table_at(artifact, log_key(&file.path(space))?);
                table.extend(names.odd.clone());
                for (name, at) in &names.times {
                    let refuse = |reason| Error::Unwritable { key: name.clone(), reason: format!("it {reason}") };
                    table.insert(name.clone(), to_julia(*at, zone).map_err(refuse)?.into());
                }
            }
        }
        Ok(log)
    }
}

impl Uses {
    fn entries(&self) -> impl Iterator<Item = (&FileKey, &str, Timestamp)> {
        self.files.iter().flat_map(|(file, names)| names.times.iter().map(move |(name, at)| (file, name.as_str(), *at)))
    }

    /// Takes what stands under one spelling of the artifact's path; there may be another.
    fn take<'a>(
        &mut self,
        key: &'a str,
        files: &Table,
        roots: &[Option<&str>],
        zone: Zone,
        complaints: &mut Complaints<'a>,
    ) {
        for (path, names) in files {
            match (FileKey::of_path(path), names) {
                (Some((root, file)), Value::Table(names)) if roots.contains(&Some(root)) => {
                    self.files.entry(file).or_default().take(key, names, zone, complaints);
                }
                (_, Value::Table(names)) => table_at(&mut self.elsewhere, path.clone()).extend(names.clone()),
                (_, other) => {
                    complaints.skip(key, path, "is not a table");
                    self.elsewhere.entry(path.clone()).or_insert_with(|| other.clone());
                }
            }
        }
    }
}

impl Names {
    fn take<'a>(&mut self, key: &'a str, names: &Table, zone: Zone, complaints: &mut Complaints<'a>) {
        for (name, value) in names {
            let time = value.as_datetime().ok_or("is no time".to_owned());
            match time.and_then(|time| from_julia(time, zone)) {
                Ok(at) => {
                    let known = self.times.entry(name.clone()).or_insert(at);
                    *known = at.max(*known);
                }
                Err(problem) => {
                    complaints.skip(key, name, &problem);
                    self.odd.insert(name.clone(), value.clone());
                }
            }
        }
    }
}
