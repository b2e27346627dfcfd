//! Runs a command and protects what it uses for as long as it runs.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, ExitStatus};

use ohmyartifacts::{Cache, Job, holder_of};

use crate::cli::args::LeaseRun;
use crate::cli::commands::run_command::command_line;
use crate::cli::context::{Attending, Context};
use crate::cli::failure::Failure;
use crate::cli::{Exit, Outcome};

/// A command line is cut to so many characters where people read whose lease it is.
const LONGEST_TITLE: usize = 40;

pub(super) fn run(context: &Context, args: LeaseRun) -> Outcome {
    let holder = holder_of(&title(&args.command));
    let cache = context.open_for(holder.clone())?;
    let job = cache.begin_job()?;
    hold(context, &cache, &job, &args)?;
    let status = attend(&args.command, job.session(), &holder)?;
    Ok(Exit::Command(code(status)))
}

fn hold(context: &Context, cache: &Cache, job: &Job<'_>, args: &LeaseRun) -> Result<(), Failure> {
    for reference in &args.references {
        let artifact = context.find(cache, reference)?.artifact;
        job.hold(&artifact, "named by the job")?;
    }
    if args.all {
        job.hold_all_of(context.need_owner()?, "bound by the job's owner")?;
    }
    Ok(())
}

/// Runs the command with our own input and output, and waits for it whatever happens.
fn attend(command: &[OsString], session: &str, holder: &str) -> Result<ExitStatus, Failure> {
    let line = command_line(command);
    let mut child = Command::new(&command[0])
        .args(&command[1..])
        .env("OMA_LEASE", session)
        .env("OMA_LEASE_HOLDER", holder)
        .spawn()
        .map_err(|error| {
            // As a shell does: 127 if there is no such command, 126 if it cannot be run.
            let code = if error.kind() == ErrorKind::NotFound { 127 } else { 126 };
            Failure::unstartable(&format!("`{line}` could not be started"), code).cause(&error.to_string())
        })?;
    let _attending = Attending::begin(&child);
    child.wait().map_err(|error| Failure::io(&format!("could not wait for `{line}`"), &error))
}

/// What a shell would end with: the command's code, or 128 and the number of the signal that ended it.
fn code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}

fn title(command: &[OsString]) -> String {
    let line = command_line(command);
    if line.chars().count() <= LONGEST_TITLE {
        return line;
    }
    line.chars().take(LONGEST_TITLE - 1).chain(['…']).collect()
}
