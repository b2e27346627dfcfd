//! Takes the bytes of an answer.

use std::io::Read;
use std::time::{Duration, Instant};

use flate2::read::MultiGzDecoder;
use ureq::Body;
use ureq::http::Response;

use crate::event::{Event, Observer, Phase};
use crate::fetch::bring::{Arrival, Order};
use crate::fetch::partial::Partial;
use crate::fetch::trouble::Trouble;
use crate::fetch::web::answer::Answer;
use crate::fetch::web::follow;

/// Bytes are hashed and written in pieces of this size.
const CHUNK: usize = 512 * 1024;
/// After so long a piece that is not full is kept too.
const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// What comes more slowly, in bytes a second, is stalled: a few bytes now and then could go on for ever.
const SLOWEST: u64 = 128;

/// Adds a part to what is here.
pub(super) fn go_on(
    answer: &Answer,
    response: Response<Body>,
    order: &Order<'_>,
    partial: &mut Partial<'_>,
) -> Result<Arrival, Trouble> {
    let had = partial.length();
    let total = answer.total().or(partial.note().total);
    order.admit(total, had)?;
    order.announce(total, had);
    let body = response.into_body().into_reader();
    Transfer { answer, order, partial, total }.run(body)?;
    Ok(Arrival::Whole { fresh: false })
}

/// Begins with the first byte.
pub(super) fn anew(
    answer: &Answer,
    response: Response<Body>,
    order: &Order<'_>,
    partial: &mut Partial<'_>,
) -> Result<Arrival, Trouble> {
    let total = answer.total();
    order.admit(total, 0)?;
    order.announce(total, 0);
    partial.restart(answer.validators.clone(), total, answer.packed)?;
    let body = response.into_body().into_reader();
    let transfer = Transfer { answer, order, partial, total };
    if answer.packed {
        transfer.run(MultiGzDecoder::new(body))?;
    } else {
        transfer.run(body)?;
    }
    Ok(Arrival::Whole { fresh: true })
}

struct Transfer<'a, 'o, 'p> {
    answer: &'a Answer,
    order: &'a Order<'o>,
    partial: &'a mut Partial<'p>,
    total: Option<u64>,
}

impl Transfer<'_, '_, '_> {
    /// Hashes and writes one piece while the next one comes.
    fn run(self, body: impl Read + Send) -> Result<(), Trouble> {
        let location = self.order.address.kept();
        let mut stream = Inflow::new(body, self.order);
        let (mut current, mut next) = (vec![0; CHUNK], vec![0; CHUNK]);
        let mut piece = stream.fill(&mut current);
        loop {
            let Piece { filled, end } = piece;
            self.order.check_most(self.partial.length() + filled as u64)?;
            match end {
                None => {}
                Some(end) => {
                    self.partial.append(&current[..filled])?;
                    end.map_err(|error| self.broken(error, location))?;
                    return self.check_length(location);
                }
            }
            let partial = &mut *self.partial;
            let (appended, following) = rayon::join(|| partial.append(&current[..filled]), || stream.fill(&mut next));
            appended?;
            piece = following;
            std::mem::swap(&mut current, &mut next);
        }
    }

    fn broken(&self, error: std::io::Error, location: &str) -> Trouble {
        let came = self.partial.length();
        // ureq hands its own errors through as the system's.
        match follow::trouble(ureq::Error::from(error), location) {
            Trouble::Passing { error: crate::error::Error::Download { reason, .. }, .. } => {
                Trouble::passing(location, format!("{reason} after {came} bytes"))
            }
            // A body that breaks off is cut, whatever the protocol calls it.
            Trouble::Final(crate::error::Error::Download { reason, .. }) => Trouble::passing(location, reason),
            other => other,
        }
    }

    fn check_length(&self, location: &str) -> Result<(), Trouble> {
        let came = self.partial.length();
        match self.total {
            Some(total) if total != came && !self.answer.packed => {
                Err(Trouble::passing(location, format!("{came} bytes came, and {total} were announced")))
            }
            _ => Ok(()),
        }
    }
}

/// What came in one go, and how the bytes ended if they did.
struct Piece {
    filled: usize,
    end: Option<std::io::Result<()>>,
}

/// Bytes on their way in, watched so that they come at all.
struct Inflow<'a, R> {
    body: R,
    observer: &'a dyn Observer,
    stall: Duration,
    since: Instant,
    bytes: u64,
}

impl<'a, R: Read> Inflow<'a, R> {
    fn new(body: R, order: &Order<'a>) -> Self {
        Self { body, observer: order.observer, stall: order.errand.stall, since: Instant::now(), bytes: 0 }
    }

    /// Reads until the buffer is full, the bytes end in one way or the other, or have come for a while: what has
    /// come must not wait long to be kept.
    fn fill(&mut self, buffer: &mut [u8]) -> Piece {
        let begun = Instant::now();
        let mut filled = 0;
        while filled < buffer.len() && (filled == 0 || begun.elapsed() < LONGEST_WAIT) {
            let end = match self.body.read(&mut buffer[filled..]) {
                Ok(0) => Some(Ok(())),
                Ok(count) => {
                    filled += count;
                    self.note(count as u64).err().map(Err)
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => None,
                Err(error) => Some(Err(error)),
            };
            if end.is_some() {
                return Piece { filled, end };
            }
        }
        Piece { filled, end: None }
    }

    fn note(&mut self, bytes: u64) -> std::io::Result<()> {
        self.observer.on(&Event::Advance { phase: Phase::Download, files: 0, bytes });
        self.bytes += bytes;
        if self.since.elapsed() < self.stall {
            return Ok(());
        }
        if self.bytes < SLOWEST.saturating_mul(self.stall.as_secs().max(1)) {
            return Err(std::io::ErrorKind::TimedOut.into());
        }
        (self.since, self.bytes) = (Instant::now(), 0);
        Ok(())
    }
}
