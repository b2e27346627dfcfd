//! The Julia world beside this store: import, export, realise, follow, keep in step.
//!
//! Why: people bring years of bindings, and go on using both programs.
//! Guarantees: nothing is believed by its name; one bad file or entry never stops the rest; the
//! source of an import is never written to; the same again changes nothing.
//! Must not know: the command line.

mod import;

pub use import::{ImportOptions, ImportReport, ImportRow, ImportStatus};
