//! Whether a command says that an owner exists.
//!
//! Why: some owners are no path and no package: a branch, a job, a row in somebody's database.
//! Guarantees: it runs only as the user who registered it, in a process group of its own, in `/`,
//! with nothing to read and nobody to talk to, and not longer than it may; what it leaves unsaid is
//! unknown, never gone.
//! Must not know: owners.

use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, geteuid, kill_process_group};

use crate::event::Interrupt;
use crate::model::{Liveness, Verdict};
use crate::text::printable;

/// How often it is asked whether it has ended.
const TICK: Duration = Duration::from_millis(10);
/// What a shell says of a command that it cannot run.
const CANNOT_RUN: [i32; 2] = [126, 127];
/// To this a shell adds the number of the signal that ended a command.
const SIGNALLED: i32 = 128;

/// How a command ended.
enum End {
    Status(ExitStatus),
    TooLong,
    Interrupted,
}

/// Returns the user that commands are registered for, and run as.
pub(crate) fn current_user() -> u32 {
    geteuid().as_raw()
}

/// Runs a command line of a user's.
pub(super) fn look(line: &str, user: Option<u32>, limit: Duration, interrupt: &Interrupt) -> Verdict {
    let shown = format!("`{}`", printable(line.as_bytes()));
    let unknown = |why: String| Verdict::new(Liveness::Unknown, format!("{shown} {why}"));
    if user != Some(current_user()) {
        let whose = user.map_or_else(|| "nobody knows whom".to_owned(), |user| format!("user {user}"));
        return unknown(format!("is run for {whose} only"));
    }
    match run(line, limit, interrupt) {
        Err(error) => unknown(format!("cannot be started: {error}")),
        Ok(End::TooLong) => unknown(format!("took longer than {} s", limit.as_secs_f32())),
        Ok(End::Interrupted) => unknown("was interrupted".to_owned()),
        Ok(End::Status(status)) => match meaning(status) {
            Liveness::Unknown => unknown(format!("cannot tell: it ended with {}", ending(status))),
            Liveness::Alive => Verdict::new(Liveness::Alive, format!("{shown} succeeds")),
            Liveness::Gone => Verdict::new(Liveness::Gone, format!("{shown} fails with {}", ending(status))),
        },
    }
}

fn meaning(status: ExitStatus) -> Liveness {
    match status.code() {
        Some(0) => Liveness::Alive,
        Some(code) if CANNOT_RUN.contains(&code) => Liveness::Unknown,
        Some(code) if (SIGNALLED + 1..=SIGNALLED + 64).contains(&code) => Liveness::Unknown,
        Some(_) => Liveness::Gone,
        None => Liveness::Unknown,
    }
}

/// Says how a command ended, after "with".
fn ending(status: ExitStatus) -> String {
    status.code().map_or_else(|| status.to_string(), |code| format!("exit code {code}"))
}

fn run(line: &str, limit: Duration, interrupt: &Interrupt) -> std::io::Result<End> {
    let mut child = Command::new("sh")
        .args(["-c", line])
        .current_dir("/")
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let end = watch(&mut child, limit, interrupt);
    if !matches!(end, Ok(End::Status(_))) {
        kill(&mut child);
    }
    end
}

fn watch(child: &mut Child, limit: Duration, interrupt: &Interrupt) -> std::io::Result<End> {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(End::Status(status));
        }
        if interrupt.requested() {
            return Ok(End::Interrupted);
        }
        if begun.elapsed() >= limit {
            return Ok(End::TooLong);
        }
        std::thread::sleep(TICK);
    }
}

/// Ends a command and what it started. What has ended by itself cannot be killed, which is as good.
fn kill(child: &mut Child) {
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    if let Some(group) = group {
        let _ = kill_process_group(group, Signal::KILL);
    }
    let _ = child.kill();
    let _ = child.wait();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn liveness(line: &str) -> Liveness {
        look(line, Some(current_user()), Duration::from_secs(10), &Interrupt::default()).liveness
    }

    #[test]
    fn only_a_clear_no_means_gone() {
        assert_eq!(liveness("true"), Liveness::Alive);
        for gone in ["false", "exit 2", "exit 125", "exit 255"] {
            assert_eq!(liveness(gone), Liveness::Gone, "{gone}");
        }
        for unknown in ["exit 126", "exit 127", "no-such-command-anywhere", "kill -9 $$", "sh -c 'kill -9 $$'; exit $?"]
        {
            assert_eq!(liveness(unknown), Liveness::Unknown, "{unknown}");
        }
        assert_eq!(liveness("a\0b"), Liveness::Unknown, "it cannot be started");
    }

    #[test]
    fn it_has_nothing_to_read_and_runs_where_everybody_runs_it() {
        assert_eq!(liveness("test -z \"$(cat)\""), Liveness::Alive);
        assert_eq!(liveness("test \"$(pwd)\" = /"), Liveness::Alive);
    }

    #[test]
    fn it_runs_for_its_user_only() {
        for other in [None, Some(current_user() + 1)] {
            let verdict = look("false", other, Duration::from_secs(10), &Interrupt::default());
            assert_eq!(verdict.liveness, Liveness::Unknown, "{}", verdict.evidence);
        }
    }

    #[test]
    fn whoever_is_interrupted_knows_nothing() {
        let interrupt = Interrupt::default();
        interrupt.request();
        assert_eq!(
            look("sleep 60", Some(current_user()), Duration::from_secs(10), &interrupt).liveness,
            Liveness::Unknown
        );
    }
}
