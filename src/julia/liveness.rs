//! Whether a Julia package is still there.
//!
//! Why: Pkg never removes what a package keeps in OhMyArtifacts, so an uninstalled package would
//! keep its artifacts for ever; and a package wrongly thought gone would lose them.
//! Guarantees: *gone* is said only if everything that could speak for the package was read and
//! nothing did; whatever could not be read is a doubt, and a doubt never collects. The work is
//! capped; reaching a cap is a doubt too.
//! Must not know: owners, bindings, grace periods.

mod census;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::julia::slug::Uuid;
use crate::model::{Liveness, Verdict};
use crate::text::{printable, printable_path};

/// Longer texts from outside are cut in evidence, which is one clause.
const LONGEST_SHOWN: usize = 300;
/// As many doubts as are kept; more are counted.
const DOUBTS_KEPT: usize = 16;

/// Everything in some depots that speaks for a package, read once.
#[derive(Debug, Default)]
pub(crate) struct Census {
    depots: usize,
    roots: usize,
    manifests: usize,
    alive: HashMap<Uuid, Proof>,
    installed: HashMap<Uuid, PathBuf>,
    names: HashMap<Uuid, String>,
    doubts: Vec<String>,
    more_doubts: usize,
}

/// What proves that a package is there.
#[derive(Debug)]
enum Proof {
    /// A manifest names it: `<file> has <package>`.
    Manifest(PathBuf, String),
    /// It is itself being worked on: `<file> is <package>`.
    Project(PathBuf, String),
}

impl Census {
    /// Reads all depots, and the folders and manifests the user registered. Never fails: what cannot
    /// be read becomes a doubt.
    pub(crate) fn take(depots: &[PathBuf], roots: &[PathBuf]) -> Self {
        census::take(depots, roots, census::CAPS)
    }

    /// Tells whether the package of this UUID is there, and which file says so.
    pub(crate) fn verdict(&self, uuid: &str) -> Verdict {
        let Ok(uuid) = uuid.parse::<Uuid>() else {
            return Verdict::new(Liveness::Unknown, format!("`{}` is not the UUID of a package", shown(uuid)));
        };
        if uuid.is_zero() {
            return Verdict::new(Liveness::Alive, "it stands for code outside of any package");
        }
        if let Some(proof) = self.alive.get(&uuid) {
            return Verdict::new(Liveness::Alive, proof.evidence());
        }
        if let Some(folder) = self.installed.get(&uuid) {
            let evidence = format!("installed at `{}`, but in no manifest", shown_path(folder));
            return Verdict::new(Liveness::Unknown, evidence);
        }
        match self.doubts.first() {
            Some(doubt) => Verdict::new(Liveness::Unknown, self.with_others(doubt)),
            None => Verdict::new(Liveness::Gone, self.absence()),
        }
    }

    /// Returns what the package of this UUID is called, if some manifest or project says so. For people.
    pub(crate) fn name_of(&self, uuid: &str) -> Option<&str> {
        self.names.get(&uuid.parse::<Uuid>().ok()?).map(String::as_str)
    }

    #[cfg(test)]
    /// Returns what could not be read, as clauses; the first sixteen of them.
    pub(crate) fn doubts(&self) -> &[String] {
        &self.doubts
    }

    fn doubt(&mut self, clause: String) {
        if self.doubts.len() < DOUBTS_KEPT {
            self.doubts.push(clause);
        } else {
            self.more_doubts += 1;
        }
    }

    fn with_others(&self, doubt: &str) -> String {
        match self.doubts.len() + self.more_doubts - 1 {
            0 => doubt.to_owned(),
            others => format!("{doubt} (and {others} more like it)"),
        }
    }

    fn absence(&self) -> String {
        let mut searched = counted(self.depots, "depot");
        if self.roots > 0 {
            searched = format!("{searched} and {}", counted(self.roots, "registered root"));
        }
        match self.manifests {
            0 => format!("there is no manifest in {searched}"),
            1 => format!("the one manifest in {searched} does not have it"),
            manifests => format!("none of {manifests} manifests in {searched} has it"),
        }
    }
}

impl Proof {
    fn evidence(&self) -> String {
        match self {
            Self::Manifest(file, package) => format!("`{}` has {package}", shown_path(file)),
            Self::Project(file, package) => format!("`{}` is {package}", shown_path(file)),
        }
    }
}

/// Names a package: `FixAlpha 1.2.3`.
fn package(name: Option<&str>, version: Option<&str>) -> String {
    let name = shown(name.unwrap_or("the package"));
    match version {
        Some(version) => format!("{name} {}", shown(version)),
        None => name,
    }
}

/// Says that a file could not be read, and why.
fn unreadable(path: &Path, error: &Error) -> String {
    let cause = match error {
        Error::Toml { line, reason, .. } => format!("line {line}: {reason}"),
        Error::Io { source, .. } => source.to_string(),
        Error::Unsupported { what, .. } => format!("it is a {what}"),
        other => other.to_string(),
    };
    format!("`{}` cannot be read: {}", shown_path(path), shown(&cause))
}

fn counted(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

fn shown(text: &str) -> String {
    cut(printable(text.as_bytes()))
}

fn shown_path(path: &Path) -> String {
    cut(printable_path(path))
}

fn cut(text: String) -> String {
    match text.char_indices().nth(LONGEST_SHOWN) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}
