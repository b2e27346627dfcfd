//! Standard output: data, as lines or as one JSON document.

use std::cell::RefCell;
use std::io::{BufWriter, Stdout, Write};

use serde::Serialize;

use crate::cli::failure::Failure;

/// Collects what a command has to say and writes it to standard output.
pub(super) struct Printer {
    pub(super) json: bool,
    out: RefCell<BufWriter<Stdout>>,
}

impl Printer {
    pub(super) fn new(json: bool) -> Self {
        Self { json, out: RefCell::new(BufWriter::new(std::io::stdout())) }
    }

    /// Writes one line.
    pub(super) fn line(&self, line: &str) -> Result<(), Failure> {
        self.bytes(line.as_bytes())?;
        self.bytes(b"\n")
    }

    /// Writes bytes as they are: a path must reach a script unchanged.
    pub(super) fn bytes(&self, bytes: &[u8]) -> Result<(), Failure> {
        self.out.borrow_mut().write_all(bytes).map_err(|error| Failure::output(&error))
    }

    /// Writes the one JSON document.
    pub(super) fn document(&self, document: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(document)
            .map_err(|error| Failure::failed(&format!("could not write JSON: {error}")))?;
        self.line(&text)
    }

    pub(super) fn flush(&self) -> Result<(), Failure> {
        self.out.borrow_mut().flush().map_err(|error| Failure::output(&error))
    }
}
