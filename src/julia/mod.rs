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
mod census;
mod collect;
mod document;
mod edit;
mod live;
mod logs;
mod pidfile;
mod place;
mod print;
mod publish;
mod space;
mod trash;
mod wall;

pub(crate) use collect::{Collected, Spared};
pub(crate) use document::Document;
pub(crate) use edit::{Bind, Held, NewBinding};
pub(crate) use live::LiveSpace;
pub(crate) use logs::{FileKey, OrphanLog, UsageLog};
pub(crate) use place::Placed;
pub(crate) use print::print;
pub(crate) use publish::{Content, Offer};
pub(crate) use space::{ScratchSpace, SpaceFile};
pub(crate) use trash::{Emptied, PutBack};
pub(crate) use wall::{Zone, from_julia, to_julia};
