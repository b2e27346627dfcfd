//! `my_artifact_orphanages.toml`: `"<cache path>" = time it was first found unused`.

use std::collections::BTreeMap;

use toml::Table;

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::julia::document::Document;
use crate::julia::logs::{Complaints, artifact_of, log_key};
use crate::julia::space::ScratchSpace;
use crate::julia::wall::{Zone, from_julia, to_julia};
use crate::time::Timestamp;

/// What was found unused when, as far as Julia knows.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct OrphanLog {
    times: BTreeMap<Digest, Timestamp>,
    /// Entries that are none of this log, as they were read.
    foreign: Table,
}

impl OrphanLog {
    /// Reads the log of a space; an empty one if there is none. The complaints say what was skipped.
    ///
    /// # Errors
    /// The file cannot be read, or as a whole is no TOML.
    pub(crate) fn read(space: &ScratchSpace, zone: Zone) -> Result<(Self, Vec<Error>)> {
        let document = Document::read_log(&space.orphan_log())?;
        Ok(document.map(|document| Self::parse(&document, zone)).unwrap_or_default())
    }

    /// Takes what a log says, wherever its space lay. The complaints say what was skipped.
    ///
    /// If a moved space has an artifact under two paths, the later time counts: the earlier may be
    /// from before the move, and collecting too late does no harm.
    pub(crate) fn parse(document: &Document, zone: Zone) -> (Self, Vec<Error>) {
        let mut log = Self::default();
        let mut complaints = Complaints::new(document);
        for (key, value) in document.table() {
            let id = artifact_of(key).map(|(_, id)| id).ok_or("is not the path of an artifact".to_owned());
            let time = id.and_then(|id| {
                let time = value.as_datetime().ok_or("has no time".to_owned())?;
                from_julia(time, zone).map(|at| (id, at))
            });
            match time {
                Ok((id, at)) => {
                    let known = log.times.entry(id).or_insert(at);
                    *known = at.max(*known);
                }
                Err(problem) => {
                    complaints.skip(key, key, &problem);
                    log.foreign.insert(key.clone(), value.clone());
                }
            }
        }
        (log, complaints.finish())
    }

    /// Returns every orphan with the time it was first found unused.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (Digest, Timestamp)> {
        self.times.iter().map(|(id, at)| (*id, *at))
    }

    /// Returns since when an artifact is known to be unused.
    pub(crate) fn since(&self, id: Digest) -> Option<Timestamp> {
        self.times.get(&id).copied()
    }

    /// Notes that an artifact was found unused; a time that stands there already stays.
    pub(crate) fn note(&mut self, id: Digest, at: Timestamp) {
        self.times.entry(id).or_insert(at);
    }

    /// Forgets an artifact; tells whether it was known.
    pub(crate) fn forget(&mut self, id: Digest) -> bool {
        self.times.remove(&id).is_some()
    }

    /// Returns the log as it is to be written for a space, with everything that was skipped.
    ///
    /// # Errors
    /// [`Error::Unwritable`] if the space's path or a time is none that Julia reads. What was skipped
    /// is judged by whoever prints the table.
    pub(crate) fn to_toml(&self, space: &ScratchSpace, zone: Zone) -> Result<Table> {
        let mut log = self.foreign.clone();
        for (id, at) in &self.times {
            let key = log_key(&space.artifact(*id))?;
            let time = to_julia(*at, zone)
                .map_err(|reason| Error::Unwritable { key: key.clone(), reason: format!("it {reason}") })?;
            log.insert(key, time.into());
        }
        Ok(log)
    }
}
