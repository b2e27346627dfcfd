//! Times whole commands in turn and compares their medians.
//!
//! Machines are shared and noisy, so nothing here is a bare time: every command of a table runs once
//! a round, round after round, and each figure stands beside one measured in the same rounds.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A command to time, and what must be done before each run of it.
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    pub(crate) prepare: Box<dyn Fn()>,
    pub(crate) run: Box<dyn Fn() -> Command>,
}

/// What one contender took.
pub(crate) struct Timing {
    pub(crate) name: &'static str,
    pub(crate) median: Duration,
}

/// Runs all contenders once a round and returns their medians.
pub(crate) fn in_turn(rounds: usize, contenders: &[Contender]) -> Vec<Timing> {
    let mut times: Vec<Vec<Duration>> = vec![Vec::new(); contenders.len()];
    for round in 0..=rounds {
        for (contender, times) in contenders.iter().zip(&mut times) {
            (contender.prepare)();
            let started = Instant::now();
            succeed((contender.run)());
            // The first round warms the caches.
            if round > 0 {
                times.push(started.elapsed());
            }
        }
    }
    contenders
        .iter()
        .zip(times)
        .map(|(contender, mut times)| {
            times.sort_unstable();
            Timing { name: contender.name, median: times[times.len() / 2] }
        })
        .collect()
}

/// Runs a command that must work.
pub(crate) fn succeed(mut command: Command) {
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    assert!(status.as_ref().is_ok_and(std::process::ExitStatus::success), "{command:?}: {status:?}");
}
