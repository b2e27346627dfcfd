//! The files of Julia's programs: bindings, logs, locks, manifests, built-in artifacts.
//!
//! Why: people arrive with years of bindings that OhMyArtifacts.jl and Pkg wrote, and go on using
//! both. Each format stands in a file of its own, after what the real programs do.
//! Guarantees: what comes from outside is checked and capped, and an error names file and line;
//! what is written can be read by Julia (TOML 1.0, its date-times), or is refused by name before
//! anything is written; other people's files are changed only by the functions of `space`, under the
//! locks the other program takes.
//! Must not know: the store, the index.

#[cfg(test)]
mod beside;
mod bindings;
mod builtin;
mod census;
mod collect;
mod depot;
mod document;
mod edit;
mod listed_sha1;
mod live;
mod liveness;
mod logs;
mod manifests;
mod pidfile;
mod place;
mod platform;
mod print;
mod project;
mod publish;
mod sha1;
mod slug;
mod space;
mod stored;
mod trash;
mod tree_sha1;
mod wall;

pub(crate) use bindings::SpaceBinding;
pub(crate) use builtin::{
    BuiltinEntry, Dialect, builtin_file_in, choose, dialect_of, entries_of, is_builtin_file_name,
};
pub(crate) use depot::{depot_of, depots, find_installed_artifact};
pub(crate) use document::Document;
pub(crate) use edit::{Bind, NewBinding};
pub(crate) use listed_sha1::{BlobSha1, ListedEntry, ListedNode, listed_tree_sha1};
pub(crate) use live::LiveSpace;
pub(crate) use liveness::Census;
pub(crate) use logs::{FileKey, OrphanLog, UsageLog};
pub(crate) use place::Placed;
pub(crate) use platform::Platform;
pub(crate) use print::print;
pub(crate) use project::project_beside;
pub(crate) use publish::{Content, Offer};
pub(crate) use sha1::GitTreeSha1;
pub(crate) use space::{ScratchSpace, SpaceFile, version_of};
pub(crate) use stored::{Stored, StoredEntry, StoredNode, id_at_end};
pub(crate) use trash::PutBack;
pub(crate) use tree_sha1::{TreeRule, git_tree_sha1};
pub(crate) use wall::Zone;
