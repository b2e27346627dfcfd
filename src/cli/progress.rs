//! What a person sees while long work goes on: a bar after a quarter of a second.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anstyle::{AnsiColor, Style};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use ohmyartifacts::{Event, Observer, Phase, printable_path};

use crate::cli::render::count;

const DELAY: Duration = Duration::from_millis(250);
const FRAMES_A_SECOND: u8 = 20;
const WARNING: Style = AnsiColor::Yellow.on_default();

/// Draws on standard error, if that is a terminal.
pub(super) struct Progress {
    quiet: bool,
    verbose: bool,
    started: Instant,
    bar: Mutex<Option<(Phase, ProgressBar)>>,
}

impl Progress {
    pub(super) fn new(quiet: bool, verbose: bool) -> Self {
        Self { quiet, verbose, started: Instant::now(), bar: Mutex::new(None) }
    }

    /// Writes a sentence above the bar.
    pub(super) fn say(&self, sentence: &str) {
        let bar = self.bar.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, bar)) = &*bar {
            bar.suspend(|| tell!("{sentence}"));
        } else {
            tell!("{sentence}");
        }
    }

    /// Takes the bar away.
    pub(super) fn clear(&self) {
        if let Some((_, bar)) = self.bar.lock().unwrap_or_else(PoisonError::into_inner).take() {
            bar.finish_and_clear();
        }
    }

    fn begin(&self, phase: Phase, files: Option<u64>) {
        if self.quiet || files == Some(0) {
            return;
        }
        let bar = ProgressBar::with_draw_target(files, ProgressDrawTarget::hidden());
        bar.set_style(if is_of_bytes(phase) { style_of_bytes(false) } else { style(files.is_some()) });
        bar.set_prefix(verb(phase));
        self.clear();
        *self.bar.lock().unwrap_or_else(PoisonError::into_inner) = Some((phase, bar));
    }

    /// Learns how much there is. What was here already must not count as fast.
    fn measure(&self, phase: Phase, bytes: Option<u64>, had: u64) {
        let bar = self.bar.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((_, bar)) = bar.as_ref().filter(|(current, _)| *current == phase) else { return };
        if let Some(bytes) = bytes {
            bar.set_length(bytes);
        }
        bar.set_style(style_of_bytes(bytes.is_some()));
        bar.set_position(had);
        bar.reset_eta();
    }

    fn advance(&self, phase: Phase, files: u64, bytes: u64) {
        let bar = self.bar.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((_, bar)) = bar.as_ref().filter(|(current, _)| *current == phase) else { return };
        bar.inc(if is_of_bytes(phase) { bytes } else { files });
        if bar.is_hidden() && self.started.elapsed() > DELAY {
            bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(FRAMES_A_SECOND));
        }
    }
}

impl Observer for Progress {
    fn on(&self, event: &Event<'_>) {
        match *event {
            Event::Begin { phase, files } => self.begin(phase, files),
            Event::Size { phase, bytes, had } => self.measure(phase, bytes, had),
            Event::Advance { phase, files, bytes } => self.advance(phase, files, bytes),
            Event::End { .. } => self.clear(),
            Event::Waiting { what, waited } => {
                let waited = count(waited.as_secs(), "second");
                self.say(&format!("waiting for {what}, held by another process ({waited} so far)"));
            }
            Event::Skipped { path, reason } if self.verbose => {
                self.say(&format!("left out `{}`: {reason}", printable_path(path)));
            }
            Event::Warning { message } if !self.quiet => {
                self.say(&format!("{WARNING}warning:{WARNING:#} {message}"));
            }
            _ => {}
        }
    }
}

fn style(known: bool) -> ProgressStyle {
    let template = if known {
        "{prefix:<9} {bar:30} {human_pos}/{human_len} files, {eta} left"
    } else {
        "{prefix:<9} {human_pos} files"
    };
    ProgressStyle::with_template(template).expect("the template is valid").progress_chars("━╸─")
}

/// Tells whether a phase is measured by its bytes.
fn is_of_bytes(phase: Phase) -> bool {
    phase == Phase::Download
}

fn style_of_bytes(known: bool) -> ProgressStyle {
    let template = if known {
        "{prefix:<9} {bar:30} {binary_bytes}/{binary_total_bytes}, {binary_bytes_per_sec}, {eta} left"
    } else {
        "{prefix:<9} {binary_bytes}, {binary_bytes_per_sec}"
    };
    ProgressStyle::with_template(template).expect("the template is valid").progress_chars("━╸─")
}

fn verb(phase: Phase) -> &'static str {
    match phase {
        Phase::Download => "download",
        Phase::Unpack => "unpacking",
        Phase::Scan => "listing",
        Phase::Hash => "hashing",
        Phase::Store => "storing",
        Phase::Link => "linking",
        Phase::Checkout => "writing",
        Phase::Verify => "verifying",
        Phase::Pack => "packing",
        Phase::Copy => "copying",
        Phase::Remove => "removing",
        _ => "working",
    }
}
