//! The Julia world beside this store: import, export, realise, follow, keep in step.
//!
//! Why: people bring years of bindings, and go on using both programs.
//! Guarantees: nothing is believed by its name; one bad file or entry never stops the rest; the
//! source of an import is never written to; the same again changes nothing.
//! Must not know: the command line.

mod archive;
mod export;
mod import;
mod realise;
mod sync;
mod tree_check;

pub use archive::Archived;
pub use export::{ExportOptions, ExportReport, ExportedFile, ExportedText};
pub use import::{ImportOptions, ImportReport, ImportRow, ImportStatus, PlatformChoice};
pub use realise::Declared;
pub use sync::{SyncAction, SyncOptions, SyncRow};

use std::path::PathBuf;

/// Returns the depots of Julia: those named, else those of `JULIA_DEPOT_PATH`, else `~/.julia`.
#[must_use]
pub fn julia_depots(named: &[PathBuf]) -> Vec<PathBuf> {
    crate::julia::depots(named, std::env::var_os("JULIA_DEPOT_PATH").as_deref(), std::env::home_dir().as_deref())
}
