//! The nouns of the store, as plain data.
//!
//! Why: files, rows and the command line speak of the same things and must mean the same.
//! Guarantees: a value that exists is valid; names are checked where they enter.
//! Must not know: disks, databases, terminals.

mod age;
mod answer;
mod declaration;
mod download;
mod filter;
mod liveness;
mod manifest;
mod metadata;
mod names;
mod object;
mod pattern;
mod policy;
mod token;

pub use age::AgeBand;
pub use answer::{SqlPart, SqlValue};
pub use declaration::{Declaration, DownloadSource};
pub(crate) use download::Making;
pub use download::{DownloadRecord, Unpacking};
pub use filter::{Column, Filter, FilterKey, FilterKind};
pub use liveness::{Liveness, Verdict};
pub use manifest::{Entry, Manifest, Node};
pub use metadata::Metadata;
pub use names::{BindingName, OwnerId};
pub use object::{Artifact, CheckoutMode, Durability, LinkPolicy, LinkStyle, ObjectKind};
pub(crate) use pattern::{GlobMatcher, matcher};
pub use pattern::{NamePattern, OwnerPattern};
pub use policy::{Class, GcPolicy, GcRule, Room};

pub(crate) use manifest::{Blob, IdRule, depth};
pub(crate) use token::WriteToken;
