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

mod basics;
mod crash;
mod git_oracle;
mod golden;
mod hostile;
mod hostile_links;
mod lapsed;
mod layers;
mod model;
mod protection;
mod races;
