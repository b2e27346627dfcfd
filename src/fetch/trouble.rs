//! What goes wrong on the way: for good, or perhaps not the next time.

use std::time::Duration;

use crate::error::Error;

/// Why an attempt did not bring the bytes.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// Asking again would not help.
    Final(Error),
    /// Asking again may help, after the time the server wants if it said so.
    Passing { error: Error, after: Option<Duration> },
}

impl Trouble {
    /// A failed transfer that may succeed the next time.
    pub(crate) fn passing(location: &str, reason: impl Into<String>) -> Self {
        Self::Passing { error: failed(location, reason), after: None }
    }

    /// A failed transfer that will fail again.
    pub(crate) fn lasting(location: &str, reason: impl Into<String>) -> Self {
        Self::Final(failed(location, reason))
    }
}

impl From<Error> for Trouble {
    /// An error of this machine: its disk does not get better by asking a server again.
    fn from(error: Error) -> Self {
        Self::Final(error)
    }
}

/// Names the address, which shows nothing secret, and what happened.
pub(crate) fn failed(location: &str, reason: impl Into<String>) -> Error {
    Error::Download { location: location.to_owned(), reason: reason.into() }
}
