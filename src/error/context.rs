//! Gives errors of the system their path, and an error with its causes its line.

use std::io;
use std::path::Path;

use crate::error::{Error, Result};

/// Gives a system error its path.
pub(crate) trait PathContext<T> {
    /// Says what was attempted on which path; `action` fits after "could not".
    fn at(self, action: &'static str, path: &Path) -> Result<T>;
}

impl<T> PathContext<T> for io::Result<T> {
    fn at(self, action: &'static str, path: &Path) -> Result<T> {
        self.map_err(|source| Error::io(action, path, source))
    }
}

impl<T> PathContext<T> for rustix::io::Result<T> {
    fn at(self, action: &'static str, path: &Path) -> Result<T> {
        self.map_err(|errno| Error::io(action, path, errno.into()))
    }
}

/// Returns an error with its causes, as one line.
pub(crate) fn error_line(error: &Error) -> String {
    let mut line = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        line = format!("{line}: {error}");
        cause = error.source();
    }
    line
}
