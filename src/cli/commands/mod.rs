//! One file a verb: words in, one call of the library, output.

pub(super) mod add;
pub(super) mod attach;
pub(super) mod bind;
pub(super) mod completions;
pub(super) mod config;
pub(super) mod create;
pub(super) mod diff;
pub(super) mod dup;
pub(super) mod export;
pub(super) mod fetch;
pub(super) mod find;
pub(super) mod gc;
pub(super) mod get;
pub(super) mod history;
pub(super) mod import;
pub(super) mod init;
pub(super) mod lease;
pub(super) mod ls;
pub(super) mod man;
pub(super) mod owner;
pub(super) mod pin;
pub(super) mod report;
pub(super) mod schema;
pub(super) mod search;
pub(super) mod show;
pub(super) mod sql;
pub(super) mod stats;
pub(super) mod sync;
pub(super) mod unbind;
pub(super) mod usage;
pub(super) mod verify;
pub(super) mod what_if;
pub(super) mod why;

mod put_in;
mod run_command;
