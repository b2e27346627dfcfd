//! Gives a live scratch space artifacts and names for them, in one step.
//!
//! Why: Julia knows no lease, so its gc may take what was put in before it is bound.
//! Guarantees: when this returns, what was bound is there: a gc that ran before the bind was logged
//! is over by then, and what it took is put in again; one that runs later sees the log.
//! Must not know: where the artifacts come from.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::julia::edit::{Bind, NewBinding};
use crate::julia::live::LiveSpace;
use crate::julia::{Placed, SpaceFile};
use crate::model::{Blob, Entry};
use crate::time::Timestamp;

/// How often an artifact is put in that a gc takes away before it is bound.
const MOST_TRIES: usize = 20;

/// An artifact and the name it is to have. Its kind is the one of its content.
#[derive(Debug, Clone)]
pub(crate) struct Offer<'a> {
    pub(crate) binding: NewBinding<'a>,
    pub(crate) content: Content<'a>,
}

/// What an artifact holds.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Content<'a> {
    /// The bytes of one file, executable or not.
    File {
        /// Whether its owner may execute it.
        executable: bool,
    },
    /// A directory with these entries, parents before children.
    Directory(&'a [Entry]),
}

impl LiveSpace {
    /// Puts artifacts in and binds them to names of one package; returns what became of each name.
    /// `source` says where a file's bytes lie.
    ///
    /// # Errors
    /// As of [`LiveSpace::place_blob`], [`LiveSpace::place_tree`] and [`LiveSpace::bind`].
    pub(crate) fn publish(
        &self,
        file: &SpaceFile,
        offers: &[Offer<'_>],
        source: &dyn Fn(Blob) -> PathBuf,
        now: Timestamp,
    ) -> Result<Vec<Bind>> {
        let bindings: Vec<NewBinding<'_>> = offers.iter().map(|offer| offer.binding.clone()).collect();
        // What is refused is refused before anything is put in.
        if let Some(taken) = self.all_taken(file, &bindings, now)? {
            return Ok(taken);
        }
        let mut tries = MOST_TRIES;
        let outcomes = loop {
            if self.place_all(offers, source, now)? {
                self.disk.flush_filesystem(self.space.root())?;
            }
            tries -= 1;
            match self.bind(file, &bindings, now) {
                Err(Error::NoSuchObject { .. }) if tries > 0 => {}
                other => break other?,
            }
        };
        self.place_all(offers, source, now)?;
        Ok(outcomes)
    }

    /// Puts artifacts in; tells whether any is new.
    fn place_all(&self, offers: &[Offer<'_>], source: &dyn Fn(Blob) -> PathBuf, now: Timestamp) -> Result<bool> {
        let mut any = false;
        for offer in offers {
            any |= self.place(offer, source, now)? == Placed::New;
        }
        Ok(any)
    }

    fn place(&self, offer: &Offer<'_>, source: &dyn Fn(Blob) -> PathBuf, now: Timestamp) -> Result<Placed> {
        let digest = offer.binding.id;
        match offer.content {
            Content::Directory(entries) => self.place_tree(digest, entries, source, now),
            Content::File { executable } => {
                let blob = Blob { digest, executable };
                let source: &Path = &source(blob);
                self.place_blob(blob, source, now)
            }
        }
    }
}
