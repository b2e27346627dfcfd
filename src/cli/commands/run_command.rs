//! Runs the command that makes an artifact.

use std::ffi::OsString;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ohmyartifacts::{Keep, printable_os};

use crate::cli::failure::{CommandError, quoted};

/// Runs the command in `workdir`. Its output goes to standard error: ours carries data only.
pub(super) fn run_in(workdir: &Path, command: &[OsString], result: Option<PathBuf>) -> Result<Keep, CommandError> {
    let line = command_line(command);
    let start = |error| CommandError::Start(line.clone(), error);
    let output = std::io::stderr().as_fd().try_clone_to_owned().map_err(start)?;
    let status = Command::new(&command[0])
        .args(&command[1..])
        .current_dir(workdir)
        .env("OMA_WORKDIR", workdir)
        .stdout(Stdio::from(output))
        .status()
        .map_err(start)?;
    if status.success() { Ok(Keep::from(result)) } else { Err(CommandError::Status(line, status)) }
}

/// Returns the command as a person could type it again.
pub(super) fn command_line(command: &[OsString]) -> String {
    let words: Vec<String> =
        command.iter().map(|word| word.to_str().map_or_else(|| printable_os(word), quoted)).collect();
    words.join(" ")
}
