//! Brings the bytes behind an address into a partial file, hashing them on the way.
//!
//! Guarantees: what is hashed is what was written; every wait ends; what fails for a while is tried again,
//! going on where it stopped; no more bytes are taken than there is room for, or than were allowed.

use std::fmt;
use std::time::{Duration, Instant};

use crate::digest::{Digest, Sha256Sum};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Event, Interrupt, Observer, Phase};
use crate::fetch::address::{Address, Place};
use crate::fetch::local;
use crate::fetch::partial::Partial;
use crate::fetch::trouble::{Trouble, failed};
use crate::fetch::validators::Validators;
use crate::model::{DownloadRecord, Making};
use crate::time::Timestamp;

/// So many new bytes are progress: whoever sends them may fail as often as before.
const PROGRESS: u64 = 1024 * 1024;
/// The longest pause between two attempts, also if the server asks for more.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// A person who stops the program does not wait longer than this.
const NAP: Duration = Duration::from_millis(50);

/// How a transfer is to be done, whatever the address.
#[derive(Clone)]
pub(crate) struct Errand {
    /// How often a transfer that made no progress is tried again.
    pub(crate) retries: u32,
    /// The first pause before that; each further one is twice as long.
    pub(crate) backoff: Duration,
    /// A transfer on which so long (nearly) nothing comes has failed.
    pub(crate) stall: Duration,
    /// More bytes are refused.
    pub(crate) most: Option<u64>,
    /// Sent along to the address itself, and to no other host.
    pub(crate) headers: Vec<(String, String)>,
}

impl Default for Errand {
    fn default() -> Self {
        Self {
            retries: 5,
            backoff: Duration::from_millis(500),
            stall: Duration::from_secs(60),
            most: None,
            headers: Vec::new(),
        }
    }
}

impl Errand {
    /// Gives a place less patience, because there are others.
    pub(crate) fn among_others(&self) -> Self {
        Self { retries: self.retries.min(1), ..self.clone() }
    }
}

impl fmt::Debug for Errand {
    /// Headers are left out: they may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Errand").field("retries", &self.retries).field("stall", &self.stall).finish_non_exhaustive()
    }
}

/// One transfer.
pub(crate) struct Order<'a> {
    pub(crate) address: &'a Address,
    pub(crate) errand: &'a Errand,
    /// The version that is here already; of another one only is anything wanted.
    pub(crate) known: Option<&'a Validators>,
    /// Refuses bytes that there is no room for.
    pub(crate) room: &'a dyn Fn(u64) -> Result<()>,
    pub(crate) observer: &'a dyn Observer,
    pub(crate) interrupt: &'a Interrupt,
}

/// What became of an order.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The version that is known is still the newest.
    Unchanged,
    /// All bytes are in the partial file.
    Brought(Brought),
}

/// Bytes that arrived.
#[derive(Debug, Clone)]
pub(crate) struct Brought {
    pub(crate) bytes: u64,
    pub(crate) sha256: Sha256Sum,
    /// Their name as an object, unless nobody had said how many there are before the first came.
    pub(crate) digest: Option<Digest>,
    pub(crate) validators: Validators,
    /// How many bytes were here from an earlier attempt.
    pub(crate) resumed: u64,
    pub(crate) took: Duration,
}

impl Brought {
    /// Returns what is to be remembered of the transfer.
    pub(crate) fn record(&self, making: Making, places: Vec<String>) -> DownloadRecord {
        DownloadRecord {
            sha256: self.sha256,
            bytes: self.bytes,
            unpacked: making.unpacking,
            executable: making.executable,
            links: making.links,
            etag: self.validators.etag.clone(),
            last_modified: self.validators.last_modified.clone(),
            took_ms: u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX),
            places,
            // The index notes its own time.
            checked_at: Timestamp::from_millis(0),
        }
    }
}

/// Brings what the order asks for.
///
/// # Errors
/// [`Error::Download`] for what the other side does or says, `NoRoom`, `Io`, `Interrupted`. What came so far
/// stays for the next attempt, unless the disk is full.
pub(crate) fn bring(order: &Order<'_>, partial: &mut Partial<'_>) -> Result<Outcome> {
    let started = Instant::now();
    let resumed = partial.resume_at().unwrap_or_default();
    order.observer.on(&Event::Begin { phase: Phase::Download, files: None });
    let outcome = persist(order, partial);
    order.observer.on(&Event::End { phase: Phase::Download });
    match outcome {
        Ok(Arrival::Unchanged) => Ok(Outcome::Unchanged),
        Ok(Arrival::Whole { fresh }) => {
            let sums = partial.sums();
            let bytes = sums.length();
            let (sha256, digest) = sums.finish();
            let validators = partial.note().validators.clone();
            let resumed = if fresh { 0 } else { resumed };
            Ok(Outcome::Brought(Brought { bytes, sha256, digest, validators, resumed, took: started.elapsed() }))
        }
        Err(error) => {
            // What there is no room for yet may go on when there is.
            if error.kind() == ErrorKind::OutOfSpace && !matches!(error, Error::NoRoom { .. }) {
                // The first error says more than a second one, about the clearing up, could.
                drop(partial.discard());
            }
            Err(error)
        }
    }
}

/// How an attempt ended well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrival {
    Unchanged,
    /// `fresh` if nothing of an earlier attempt could be used.
    Whole {
        fresh: bool,
    },
}

/// Tries until it works, or does not get better.
fn persist(order: &Order<'_>, partial: &mut Partial<'_>) -> Result<Arrival> {
    let mut failures = 0;
    let mut fresh = false;
    loop {
        order.interrupt.check()?;
        let before = partial.length();
        let attempt = attempt(order, partial);
        fresh |= partial.length() < before || before == 0;
        let (error, after) = match attempt {
            Ok(Arrival::Whole { fresh: anew }) => return Ok(Arrival::Whole { fresh: fresh || anew }),
            Ok(unchanged) => return Ok(unchanged),
            // A connection that was cut because somebody pressed Ctrl-C is no trouble of the server's.
            Err(_) if order.interrupt.requested() => return Err(Error::Interrupted),
            Err(Trouble::Final(error)) => return Err(error),
            Err(Trouble::Passing { error, after }) => (error, after),
        };
        if partial.length() >= before.saturating_add(PROGRESS) {
            failures = 0;
        }
        if failures == order.errand.retries {
            return Err(error);
        }
        failures += 1;
        let pause = pause(order.errand, failures, after);
        tell(order, &error, failures, pause);
        sleep(pause, order.interrupt)?;
    }
}

#[cfg(feature = "http")]
fn attempt(order: &Order<'_>, partial: &mut Partial<'_>) -> Result<Arrival, Trouble> {
    match order.address.place() {
        Place::File(path) => local::copy(path, order, partial).map_err(Trouble::Final),
        Place::Web(url) => super::web::get(url, order, partial),
    }
}

#[cfg(not(feature = "http"))]
fn attempt(order: &Order<'_>, partial: &mut Partial<'_>) -> Result<Arrival, Trouble> {
    match order.address.place() {
        Place::File(path) => local::copy(path, order, partial).map_err(Trouble::Final),
        Place::Web(_) => Err(Trouble::lasting(order.address.kept(), "this program was built without HTTP")),
    }
}

/// What the server asks for, else twice as long each time, and never twice the same: many programs that were
/// cut off together must not come back together.
fn pause(errand: &Errand, failures: u32, after: Option<Duration>) -> Duration {
    let own = errand.backoff.saturating_mul(1 << (failures - 1).min(10));
    let jitter = f64::from(getrandom::u32().unwrap_or_default()) / f64::from(u32::MAX);
    after.unwrap_or_else(|| own.mul_f64(0.75 + jitter / 2.0)).min(LONGEST_PAUSE)
}

fn tell(order: &Order<'_>, error: &Error, failures: u32, pause: Duration) {
    let seconds = pause.as_secs_f64();
    let message = format!("{error}; trying again in {seconds:.1} s ({failures} of {})", order.errand.retries);
    order.observer.on(&Event::Warning { message: &message });
}

fn sleep(pause: Duration, interrupt: &Interrupt) -> Result<()> {
    let until = Instant::now() + pause;
    loop {
        interrupt.check()?;
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        std::thread::sleep(left.min(NAP));
    }
}

impl Order<'_> {
    /// Judges a length before its bytes come.
    pub(crate) fn admit(&self, total: Option<u64>, had: u64) -> Result<()> {
        let Some(total) = total else { return Ok(()) };
        self.check_most(total)?;
        (self.room)(total.saturating_sub(had))
    }

    /// Refuses what is larger than was allowed.
    pub(crate) fn check_most(&self, bytes: u64) -> Result<()> {
        match self.errand.most {
            Some(most) if bytes > most => {
                let reason = format!("it has {bytes} bytes or more, and {most} are allowed");
                Err(failed(self.address.kept(), reason))
            }
            _ => Ok(()),
        }
    }

    /// Tells how much there is, and how much of it is here.
    pub(crate) fn announce(&self, total: Option<u64>, had: u64) {
        self.observer.on(&Event::Size { phase: Phase::Download, bytes: total, had });
    }

    /// Notes bytes that came.
    pub(crate) fn advance(&self, bytes: u64) {
        self.observer.on(&Event::Advance { phase: Phase::Download, files: 0, bytes });
    }
}

/// Opens the partial file of an address and brings what the order asks for.
#[cfg(test)]
pub(crate) fn bring_to(order: &Order<'_>, disk: &crate::fs::Disk, path: &std::path::Path) -> Result<Outcome> {
    let mut partial = Partial::open(disk, path, false, order.interrupt)?;
    bring(order, &mut partial)
}
