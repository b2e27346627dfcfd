//! All integration tests in one program, module by module.
//!
//! Library behaviour is tested through the public API on a real temporary directory with a fixed
//! clock; the oracles are git, data made by the original program, and independent counts.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::items_after_statements,
    clippy::print_stderr,
    clippy::trivially_copy_pass_by_ref,
    clippy::unchecked_time_subtraction,
    reason = "tests make and break files as they like, and say what they skip"
)]

mod support;

#[cfg(feature = "cli")]
mod archive;
mod basics;
#[cfg(feature = "cli")]
mod checkout;
#[cfg(feature = "cli")]
mod cli_contract;
#[cfg(feature = "cli")]
mod cli_exit_codes;
#[cfg(feature = "cli")]
mod cli_gc;
#[cfg(feature = "cli")]
mod cli_text;
#[cfg(feature = "cli")]
mod cli_text_lists;
#[cfg(feature = "cli")]
mod completions;
#[cfg(feature = "cli")]
mod config;
mod copy;
mod count;
mod crash;
#[cfg(all(feature = "cli", feature = "failpoints"))]
mod crash_gc;
#[cfg(all(feature = "cli", feature = "failpoints"))]
mod crash_init;
#[cfg(all(feature = "cli", feature = "failpoints"))]
mod crash_kill;
#[cfg(feature = "failpoints")]
mod damage;
#[cfg(all(feature = "cli", feature = "failpoints", feature = "http"))]
mod download_crash;
#[cfg(all(feature = "cli", feature = "http"))]
mod download_hostile;
#[cfg(all(feature = "cli", feature = "http"))]
mod download_http;
#[cfg(all(feature = "cli", feature = "http"))]
mod download_many;
#[cfg(all(feature = "cli", feature = "http"))]
mod download_proxy;
#[cfg(feature = "http")]
mod download_random;
#[cfg(all(feature = "cli", feature = "http"))]
mod download_refresh;
#[cfg(all(feature = "cli", feature = "http"))]
mod download_resume;
#[cfg(all(feature = "cli", feature = "http"))]
mod download_room;
#[cfg(all(feature = "cli", feature = "http"))]
mod download_tls;
#[cfg(feature = "cli")]
mod gc_auto;
#[cfg(feature = "failpoints")]
mod gc_model;
#[cfg(feature = "failpoints")]
mod gc_rules;
#[cfg(feature = "failpoints")]
mod gc_trash;
#[cfg(feature = "cli")]
mod get_many;
mod git_oracle;
mod golden;
#[cfg(feature = "cli")]
mod history;
mod hostile;
#[cfg(feature = "cli")]
mod hostile_archives;
mod hostile_links;
#[cfg(feature = "http")]
mod http_server;
#[cfg(all(feature = "cli", feature = "failpoints"))]
mod julia_attach;
#[cfg(all(feature = "cli", feature = "failpoints"))]
mod julia_attach_write;
#[cfg(feature = "cli")]
mod julia_export;
#[cfg(all(feature = "cli", feature = "failpoints"))]
mod julia_failures;
#[cfg(feature = "cli")]
mod julia_fetch;
#[cfg(feature = "cli")]
mod julia_import;
#[cfg(all(feature = "cli", feature = "failpoints"))]
mod julia_import_again;
#[cfg(feature = "cli")]
mod julia_import_builtin;
#[cfg(feature = "cli")]
mod julia_import_damage;
#[cfg(feature = "cli")]
mod julia_liveness;
#[cfg(feature = "failpoints")]
mod julia_space;
#[cfg(all(feature = "cli", feature = "failpoints"))]
mod julia_sync;
mod lapsed;
mod large;
mod layers;
#[cfg(feature = "cli")]
mod leases;
#[cfg(feature = "cli")]
mod man;
mod migration;
mod model;
#[cfg(feature = "cli")]
mod non_root;
mod owners;
#[cfg(all(feature = "cli", feature = "failpoints"))]
mod owners_attached;
mod owners_budget;
#[cfg(feature = "cli")]
mod owners_cli;
#[cfg(feature = "cli")]
mod owners_users;
mod pack;
mod protection;

#[cfg(feature = "cli")]
mod questions;
mod races;
mod relocate;
#[cfg(feature = "cli")]
mod report;
#[cfg(feature = "cli")]
mod sql;
mod sql_random;
#[cfg(feature = "cli")]
mod sql_views;
#[cfg(feature = "cli")]
mod why;
