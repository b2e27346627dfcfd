//! Who uses how much, shared bytes told apart, adding up to the byte.
//!
//! `divide` gives everything stored to those who reach it; `owners` and `groups` say who they are;
//! `growth` remembers what it was; `picture` is all of it at once.

mod divide;
mod groups;
mod growth;
mod owners;
pub(super) mod picture;

use std::path::PathBuf;

use serde::Serialize;

use crate::cache::Cache;
use crate::error::Result;
use crate::model::OwnerId;
use crate::time::Timestamp;

pub use groups::{GroupUsage, GroupedUsage, UsageBy, UsageGroup};
pub use growth::{GoneOwner, UsageSample, UsageSince};
pub(super) use owners::{usage_of, usage_of_one};

/// What one owner's bindings take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OwnerUsage {
    /// The owner's key.
    pub owner: String,
    /// Its version, if it has one.
    pub version: Option<String>,
    /// How many names it has bound.
    pub bindings: u64,
    /// How many artifacts those names stand for.
    pub artifacts: u64,
    /// How many stored files they reach, each once.
    pub files: u64,
    /// Bytes of everything they reach, each once.
    pub total_bytes: u64,
    /// Of these, what no other owner reaches: what would come free without this owner.
    pub exclusive_bytes: u64,
    /// Of these, what other owners reach too.
    pub shared_bytes: u64,
    /// Shared bytes divided by the number of owners, plus the exclusive ones.
    pub fair_bytes: u64,
    /// When it last bound something.
    pub last_seen_at: Timestamp,
    /// What it held when the sample was taken that growth is told from; none if nobody asked, or it held
    /// nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub was: Option<UsageSample>,
    /// By how many bytes its total has grown since then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grown_bytes: Option<i64>,
    /// The attached space it holds this in; none: this store.
    #[serde(serialize_with = "crate::text::serialize_optional_path", skip_serializing_if = "Option::is_none")]
    pub space: Option<PathBuf>,
}

/// What the store takes, and on whose account.
///
/// `stored_bytes` = the owners' `fair_bytes` + `orphan_bytes`, to the byte.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// Bytes of all stored files, each once.
    pub stored_bytes: u64,
    /// Bytes the bindings would take without sharing.
    pub logical_bytes: u64,
    /// Bytes that no owner's binding reaches.
    pub orphan_bytes: u64,
    /// What it was at an earlier time, if somebody asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<UsageSince>,
    /// The owners, by key and version.
    pub owners: Vec<OwnerUsage>,
}

impl Cache {
    /// Counts what each owner holds, in attached spaces too.
    ///
    /// # Errors
    /// What the index says.
    pub fn usage(&self) -> Result<Usage> {
        let mut usage = self.read(|tx| usage_of(tx, false))?;
        self.add_attached(&mut usage, None)?;
        Ok(usage)
    }

    /// Counts what one owner holds, in attached spaces too. The work grows with what it holds. It has no
    /// row if it is not known.
    ///
    /// # Errors
    /// What the index says.
    pub fn usage_of(&self, owner: &OwnerId) -> Result<Usage> {
        let mut usage = self.read(|tx| usage_of_one(tx, owner))?;
        self.add_attached(&mut usage, Some(owner))?;
        Ok(usage)
    }

    /// Counts what owners hold in this store, the versions of a key taken together. The rows have no
    /// version; what only versions of one key share is theirs alone.
    ///
    /// # Errors
    /// What the index says.
    pub fn usage_by_key(&self) -> Result<Usage> {
        self.read(|tx| usage_of(tx, true))
    }
}
