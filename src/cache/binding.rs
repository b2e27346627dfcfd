//! A binding as users of the library see it.

use std::path::PathBuf;

use serde::Serialize;

use crate::error::Result;
use crate::index::{BINDING_KEYS, BindingRow};
use crate::model::{Artifact, FilterKey, Metadata, OwnerId};
use crate::text::printable_path;
use crate::time::Timestamp;

/// A name that an owner gave to an artifact.
#[derive(Debug, Clone, PartialEq)]
pub struct Binding {
    /// Who gave it.
    pub owner: OwnerId,
    /// The name.
    pub name: String,
    /// What it stands for.
    pub artifact: Artifact,
    /// What the owner noted beside it.
    pub meta: Option<Metadata>,
    /// When it was bound.
    pub bound_at: Timestamp,
    /// When it was last looked up, give or take a few minutes.
    pub last_used_at: Option<Timestamp>,
    /// The attached space it is bound in; none: this store.
    pub space: Option<PathBuf>,
    /// Who bound it on behalf of the owner, as `KEY` or `KEY@VERSION`; none: the owner itself.
    pub bound_by: Option<String>,
}

impl Binding {
    /// Returns what bindings can be filtered by. What was never looked up counts as used when it was bound.
    #[must_use]
    pub const fn filter_keys() -> &'static [FilterKey] {
        &BINDING_KEYS
    }
}

impl From<BindingRow> for Binding {
    fn from(row: BindingRow) -> Self {
        Self {
            owner: row.owner,
            name: row.name,
            artifact: row.artifact,
            meta: row.meta,
            bound_at: row.bound_at,
            last_used_at: row.last_used_at,
            space: None,
            bound_by: row.bound_by,
        }
    }
}

impl Serialize for Binding {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct as _;
        let more = usize::from(self.space.is_some()) + usize::from(self.bound_by.is_some());
        let mut row = serializer.serialize_struct("Binding", 9 + more)?;
        row.serialize_field("owner", self.owner.key())?;
        row.serialize_field("version", &self.owner.version())?;
        row.serialize_field("name", &self.name)?;
        row.serialize_field("hash", &self.artifact.hash)?;
        row.serialize_field("kind", &self.artifact.kind)?;
        row.serialize_field("size", &self.artifact.size)?;
        row.serialize_field("bound_at", &self.bound_at)?;
        row.serialize_field("last_used_at", &self.last_used_at)?;
        row.serialize_field("meta", &self.meta.as_ref().map(Metadata::to_plain_json))?;
        match &self.space {
            Some(space) => row.serialize_field("space", &printable_path(space))?,
            None => row.skip_field("space")?,
        }
        match &self.bound_by {
            Some(by) => row.serialize_field("bound_by", by)?,
            None => row.skip_field("bound_by")?,
        }
        row.end()
    }
}
