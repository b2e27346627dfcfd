//! What a person sees while long work goes on: a bar after a quarter of a second.

use std::io::IsTerminal as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
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
    /// Asked once: work with many files tells of each, on every thread.
    draws: bool,
    started: Instant,
    current: Mutex<Option<Current>>,
}

/// The work that goes on.
struct Current {
    phase: Phase,
    bar: ProgressBar,
    visible: bool,
}

impl Progress {
    pub(super) fn new(quiet: bool, verbose: bool) -> Self {
        let draws = !quiet && std::io::stderr().is_terminal();
        Self { quiet, verbose, draws, started: Instant::now(), current: Mutex::new(None) }
    }

    /// Writes a sentence above the bar.
    pub(super) fn say(&self, sentence: &str) {
        if let Some(Current { bar, .. }) = &*self.current() {
            bar.suspend(|| tell!("{sentence}"));
        } else {
            tell!("{sentence}");
        }
    }

    /// Takes the bar away.
    pub(super) fn clear(&self) {
        if let Some(Current { bar, .. }) = self.current().take() {
            bar.finish_and_clear();
        }
    }

    fn begin(&self, phase: Phase, files: Option<u64>) {
        if !self.draws || files == Some(0) {
            return;
        }
        let bar = ProgressBar::with_draw_target(files, ProgressDrawTarget::hidden());
        bar.set_style(if is_of_bytes(phase) { style_of_bytes(false) } else { style(files.is_some()) });
        bar.set_prefix(verb(phase));
        self.clear();
        *self.current() = Some(Current { phase, bar, visible: false });
    }

    /// Learns how much there is. What was here already must not count as fast.
    fn measure(&self, phase: Phase, bytes: Option<u64>, had: u64) {
        let current = self.current();
        let Some(Current { bar, .. }) = current.as_ref().filter(|current| current.phase == phase) else { return };
        if let Some(bytes) = bytes {
            bar.set_length(bytes);
        }
        bar.set_style(style_of_bytes(bytes.is_some()));
        bar.set_position(had);
        bar.reset_eta();
    }

    fn advance(&self, phase: Phase, files: u64, bytes: u64) {
        if !self.draws {
            return;
        }
        let mut current = self.current();
        let Some(current) = current.as_mut().filter(|current| current.phase == phase) else { return };
        current.bar.inc(if is_of_bytes(phase) { bytes } else { files });
        if !current.visible && self.started.elapsed() > DELAY {
            current.bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(FRAMES_A_SECOND));
            current.visible = true;
        }
    }

    fn current(&self) -> MutexGuard<'_, Option<Current>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
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
    matches!(phase, Phase::Download | Phase::Unpack)
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
