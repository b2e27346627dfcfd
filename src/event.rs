//! What an operation says while it works, and how it is told to stop.
//!
//! Why: long work must show progress and be cancellable, yet a library must never print.
//! Guarantees: events are plain data; an observer cannot change the outcome; a request to stop is
//! honoured between two files, and then nothing is left half done.
//! Must not know: terminals.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::error::{Error, Result};

/// What an operation is doing now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Phase {
    /// Bringing bytes from elsewhere.
    Download,
    /// Unpacking an archive.
    Unpack,
    /// Listing what is to be put in.
    Scan,
    /// Reading, hashing and copying files.
    Hash,
    /// Making files durable and entering them.
    Store,
    /// Laying out a directory of links.
    Link,
    /// Laying out files outside the store.
    Checkout,
    /// Checking stored objects.
    Verify,
    /// Writing artifacts into a file.
    Pack,
    /// Bringing files over from another store.
    Copy,
    /// Deleting collected files.
    Remove,
}

/// Something worth telling while an operation runs.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A phase begins.
    Begin {
        /// What begins.
        phase: Phase,
        /// How many files there are, if known.
        files: Option<u64>,
    },
    /// It became known how many bytes a phase will go through, once or several times.
    Size {
        /// What goes on.
        phase: Phase,
        /// All bytes, if anybody says how many there are.
        bytes: Option<u64>,
        /// How many of them were there already.
        had: u64,
    },
    /// So much more is done in this phase.
    Advance {
        /// What goes on.
        phase: Phase,
        /// Files since the last event.
        files: u64,
        /// Bytes since the last event.
        bytes: u64,
    },
    /// A phase is over.
    End {
        /// What is over.
        phase: Phase,
    },
    /// Something of the source is left out on purpose.
    Skipped {
        /// Where it lies.
        path: &'a Path,
        /// Why it is left out.
        reason: &'a str,
    },
    /// Another process holds what is needed.
    Waiting {
        /// What is held.
        what: &'a str,
        /// How long this process has waited.
        waited: Duration,
    },
    /// Something that does not stop the operation, but should be known.
    Warning {
        /// The sentence to show.
        message: &'a str,
    },
}

/// Is told what happens. Called from several threads.
pub trait Observer: Send + Sync {
    /// Takes note of an event; must return soon.
    fn on(&self, event: &Event<'_>);
}

/// An observer that looks away.
impl Observer for () {
    fn on(&self, _: &Event<'_>) {}
}

/// A request to stop that can be made from anywhere, such as a signal handler.
///
/// ```
/// let interrupt = ohmyartifacts::Interrupt::default();
/// let elsewhere = interrupt.clone();
/// elsewhere.request();
/// assert!(interrupt.requested());
/// ```
#[derive(Debug, Clone, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Asks to stop.
    pub fn request(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Tells whether somebody asked to stop.
    #[must_use]
    pub fn requested(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Turns a request into an error.
    pub(crate) fn check(&self) -> Result<()> {
        if self.requested() { Err(Error::Interrupted) } else { Ok(()) }
    }
}
