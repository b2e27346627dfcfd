//! Commands as a benchmark writes them down.

use std::path::Path;
use std::process::Command;

use crate::support::succeed;

/// This program.
pub(crate) fn oma(arguments: &[&str]) -> Command {
    command(env!("CARGO_BIN_EXE_oma"), arguments)
}

pub(crate) fn command(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments);
    command
}

/// Removes whatever is there.
pub(crate) fn clear(path: &Path) {
    // Stored directories are read-only; only root empties them without asking.
    if path.exists() {
        succeed(command("chmod", &["-R", "u+w", &text(path)]));
    }
    succeed(command("rm", &["-rf", &text(path)]));
}

pub(crate) fn text(path: &Path) -> String {
    path.to_str().expect("working folders are plain text").to_owned()
}
