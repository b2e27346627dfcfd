//! Why something is kept: all that holds an artifact, or that it is nobody's, or gone.
//!
//! Changes nothing, not even the time of last use.

mod asking;
mod spaces;

use std::path::PathBuf;

use serde::Serialize;

use crate::cache::Cache;
use crate::cache::attached::Mirror;
use crate::cache::find::{Reference, lookup};
use crate::cache::inside::{Inside, lookup_inside};
use crate::cache::liveness::OwnerSight;
use crate::cache::why::asking::Asking;
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::index::{Lease, Pin, ReadTx};
use crate::model::{Artifact, GcPolicy};
use crate::text::path_text;
use crate::time::Timestamp;

/// What keeps an artifact.
#[derive(Debug, Clone, Serialize)]
pub struct Why {
    /// The hash asked for.
    pub hash: Digest,
    /// `live` if something keeps it, `orphan` if nothing does, `absent` if the store does not hold it.
    pub state: &'static str,
    /// Everything that has a hold on it. A binding whose owner is gone stands here until it goes.
    pub kept_by: Vec<Keeper>,
    /// Since when nothing keeps it.
    pub orphaned_at: Option<Timestamp>,
    /// When gc may take it.
    pub collect_after: Option<Timestamp>,
    /// The rule by which it goes then, as it is written; or which undo it is kept for until then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The names it has or had, latest first.
    pub last_names: Vec<String>,
    /// Who let it go last, if nothing keeps it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub let_go: Option<LetGo>,
    /// Which run of gc took it, if it is absent and one did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collected: Option<WhereItWent>,
    /// Where in a directory it lies, if that was the question.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub within: Option<Within>,
    /// The artifact; none if it is absent.
    #[serde(skip)]
    pub artifact: Option<Artifact>,
}

/// How something lost the last name that kept it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LetGo {
    /// When.
    pub at: Timestamp,
    /// How: `unbind`, `rebind` (the name was given to something else), `lapse` (the owner was gone), `evict`
    /// (a rule of clean-up), `remove` (the owner was removed) or `delegate`.
    pub event: String,
    /// Whose name it was.
    pub owner: String,
    /// The owner's version.
    pub version: Option<String>,
    /// The name.
    pub name: String,
}

/// What became of an artifact that is not here any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WhereItWent {
    /// The run of gc that took it.
    pub run: i64,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
    /// The rule that took it, as it was written.
    pub rule: Option<String>,
    /// Until when `gc undo` can bring it back; none if it cannot.
    pub kept_until: Option<Timestamp>,
}

/// Where in a directory something lies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Within {
    /// The directory.
    pub hash: Digest,
    /// The path in it.
    pub path: String,
    /// Whether a file lies there. If not, the answer is about the directory as a whole: links and directories
    /// are kept with it.
    pub is_file: bool,
}

/// Something that has a hold on an artifact.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Keeper {
    /// A name somebody gave it.
    Binding(BindingKeeper),
    /// A lease. One that ran out holds until gc notes that.
    Lease(Lease),
    /// A pin. One that ran out holds until gc notes that.
    Pin(Pin),
    /// A directory that needs this file.
    Tree(TreeKeeper),
}

/// A binding that has a hold on an artifact.
#[derive(Debug, Clone, Serialize)]
pub struct BindingKeeper {
    /// Who gave the name.
    pub owner: String,
    /// The owner's version.
    pub version: Option<String>,
    /// The name.
    pub name: String,
    /// When it was bound.
    pub bound_at: Timestamp,
    /// The attached space it is bound in; none: this store.
    #[serde(serialize_with = "crate::text::serialize_optional_path", skip_serializing_if = "Option::is_none")]
    pub space: Option<PathBuf>,
    /// Who bound it on behalf of the owner, as `KEY` or `KEY@VERSION`; none: the owner itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bound_by: Option<String>,
    /// What is known of the owner, if it can be looked for.
    #[serde(flatten)]
    pub sight: Option<OwnerSight>,
}

/// A directory that needs a file.
#[derive(Debug, Clone, Serialize)]
pub struct TreeKeeper {
    /// The directory.
    pub hash: Digest,
    /// Where the file lies in it; a path that is not UTF-8 as one printable line.
    pub paths: Vec<String>,
    /// What keeps the directory.
    pub kept_by: Vec<Keeper>,
}

impl Cache {
    /// Tells what keeps an artifact, and when gc of this policy may take it if nothing does. A full hash
    /// that the store does not hold is an answer, not an error. `REF/PATH` asks about a file in a directory.
    ///
    /// # Errors
    /// [`Error::UnknownReference`], [`Error::NoSuchBinding`] or [`Error::AmbiguousPrefix`] if it is not
    /// clear what is meant.
    pub fn why(&self, reference: Reference<'_>, policy: &GcPolicy) -> Result<Why> {
        let here = self.why_here(reference, policy);
        let mirrors = self.mirrors()?;
        if let Err(Error::UnknownReference { .. } | Error::NoSuchBinding { .. }) = &here {
            for mirror in &mirrors {
                if let Some(hash) = mirror.hash_of(reference)? {
                    return self.why_anywhere(hash, policy, &mirrors);
                }
            }
        }
        self.with_spaces(here?, policy, &mirrors)
    }

    fn why_here(&self, reference: Reference<'_>, policy: &GcPolicy) -> Result<Why> {
        let sightings = self.look_for_owners()?;
        self.read(|tx| {
            let now = tx.store_time(self.now())?;
            match lookup(tx, reference) {
                Ok((object, _)) => Asking::new(tx, &sightings, now, policy)?.why(&object, policy),
                Err(Error::NoSuchObject { hash }) => absent(tx, hash, now),
                Err(error @ (Error::UnknownReference { .. } | Error::NoSuchBinding { .. })) => {
                    let inside = lookup_inside(tx, reference)?.ok_or(error)?;
                    why_inside(&Asking::new(tx, &sightings, now, policy)?, inside, policy)
                }
                Err(other) => Err(other),
            }
        })
    }

    fn why_anywhere(&self, hash: Digest, policy: &GcPolicy, mirrors: &[Mirror]) -> Result<Why> {
        let text = hash.to_string();
        self.with_spaces(self.why_here(Reference::new(&text, None), policy)?, policy, mirrors)
    }
}

fn why_inside(asking: &Asking<'_>, inside: Inside, policy: &GcPolicy) -> Result<Why> {
    let within = Within { hash: inside.tree.hash, path: path_text(&inside.path), is_file: inside.file.is_some() };
    let why = asking.why(inside.file.as_ref().unwrap_or(&inside.tree), policy)?;
    Ok(Why { within: Some(within), ..why })
}

fn absent(tx: &ReadTx<'_>, hash: Digest, now: Timestamp) -> Result<Why> {
    let last = tx.collections_of(hash, now)?.pop();
    Ok(Why {
        let_go: None,
        collected: last.map(|last| WhereItWent {
            run: last.run,
            at: last.at,
            reason: last.reason,
            rule: last.rule,
            kept_until: last.kept_until,
        }),
        within: None,
        hash,
        state: "absent",
        kept_by: Vec::new(),
        orphaned_at: None,
        collect_after: None,
        rule: None,
        last_names: tx.names_of_hash(hash)?,
        artifact: None,
    })
}
