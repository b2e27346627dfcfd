//! Takes the bytes of an answer.

use std::io::Read;
use std::time::Instant;

use flate2::read::MultiGzDecoder;
use ureq::Body;
use ureq::http::Response;

use crate::fetch::bring::{Arrival, Order};
use crate::fetch::partial::Partial;
use crate::fetch::trouble::Trouble;
use crate::fetch::web::answer::Answer;
use crate::fetch::web::follow;

/// Bytes are hashed and written in pieces of this size.
const CHUNK: usize = 512 * 1024;
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
    fn run(self, mut body: impl Read) -> Result<(), Trouble> {
        let location = self.order.address.kept();
        let mut buffer = vec![0; CHUNK];
        let mut pace = Pace::new(self.order);
        loop {
            let (filled, ended) = fill(&mut body, &mut buffer, &mut pace);
            self.order.check_most(self.partial.length() + filled as u64)?;
            self.partial.append(&buffer[..filled])?;
            match ended {
                None => {}
                Some(Ok(())) => break,
                Some(Err(error)) => return Err(self.broken(error, location)),
            }
        }
        self.check_length(location)
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

/// Reads until the buffer is full or the bytes end, in one way or the other.
fn fill(body: &mut impl Read, buffer: &mut [u8], pace: &mut Pace<'_, '_>) -> (usize, Option<std::io::Result<()>>) {
    let mut filled = 0;
    while filled < buffer.len() {
        match body.read(&mut buffer[filled..]) {
            Ok(0) => return (filled, Some(Ok(()))),
            Ok(count) => {
                filled += count;
                if let Err(error) = pace.note(count as u64) {
                    return (filled, Some(Err(error)));
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return (filled, Some(Err(error))),
        }
    }
    (filled, None)
}

/// Watches that bytes come at all.
struct Pace<'a, 'o> {
    order: &'a Order<'o>,
    since: Instant,
    bytes: u64,
}

impl<'a, 'o> Pace<'a, 'o> {
    fn new(order: &'a Order<'o>) -> Self {
        Self { order, since: Instant::now(), bytes: 0 }
    }

    fn note(&mut self, bytes: u64) -> std::io::Result<()> {
        self.order.advance(bytes);
        self.bytes += bytes;
        let stall = self.order.errand.stall;
        if self.since.elapsed() < stall {
            return Ok(());
        }
        if self.bytes < SLOWEST.saturating_mul(stall.as_secs().max(1)) {
            return Err(std::io::ErrorKind::TimedOut.into());
        }
        *self = Self::new(self.order);
        Ok(())
    }
}
