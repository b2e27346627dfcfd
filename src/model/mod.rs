//! The nouns of the store, as plain data.
//!
//! Why: files, rows and the command line speak of the same things and must mean the same.
//! Guarantees: a value that exists is valid; names are checked where they enter.
//! Must not know: disks, databases, terminals.

mod answer;
mod declaration;
mod liveness;
mod manifest;
mod metadata;
mod names;
mod object;
mod policy;
mod token;

pub use answer::{SqlPart, SqlValue};
pub use declaration::{Declaration, DownloadSource};
pub use liveness::{Liveness, Verdict};
pub use manifest::{Entry, Manifest, Node};
pub use metadata::Metadata;
pub use names::{BindingName, OwnerId};
pub use object::{Artifact, Durability, LinkPolicy, LinkStyle, ObjectKind};
pub use policy::{Class, GcPolicy, GcRule, OwnerPattern, Room};

pub(crate) use manifest::{Blob, IdRule, depth};
pub(crate) use token::WriteToken;
