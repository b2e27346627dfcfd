//! What happens by itself after a command that writes: clean-up, and a note of who uses how much. Silent
//! unless something went, and never an error.

use std::time::Duration;

use ohmyartifacts::{Cache, GcReport};

use crate::cli::context::Context;
use crate::cli::render::{count, exact_size};

/// About so long it may take; the next command goes on with what is left.
const AT_MOST: Duration = Duration::from_millis(500);

pub(super) fn run(context: &Context) {
    let Some(cache) = context.open_quietly() else { return };
    clean_up(context, &cache);
    // Growth is told from the notes there are.
    let _ = cache.sample_usage_daily();
}

fn clean_up(context: &Context, cache: &Cache) {
    let config = match cache.config() {
        Ok(config) => config,
        Err(error) => return context.say(&format!("nothing is cleaned up by itself: {error}")),
    };
    let Some(interval) = config.auto_gc() else { return };
    // Whatever goes wrong here goes wrong again in `oma gc`, where somebody asked.
    if let Ok(Some(report)) = cache.auto_gc(&config.gc_policy(), interval, AT_MOST) {
        tell_of(context, &report);
    }
}

fn tell_of(context: &Context, report: &GcReport) {
    if report.deleted_artifacts + report.purged_bytes + report.unbound.len() as u64 == 0 {
        return;
    }
    let number = count(report.deleted_artifacts, "artifact");
    let undo = report.run.map(|run| format!("; `oma gc undo {run}` brings them back")).unwrap_or_default();
    let bytes = exact_size(report.freed_bytes + report.trashed_bytes);
    context.say(&format!("automatic gc: {number} deleted ({bytes}){undo}; `oma history` tells which"));
}
