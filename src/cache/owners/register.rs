//! Registers owners: what they are called, how it is known whether they exist, what they may hold.

use std::path::{Path, PathBuf};

use crate::cache::Cache;
use crate::cache::attached::is_package;
use crate::cache::liveness::{current_user, mount_of};
use crate::error::{Error, PathContext as _, Result};
use crate::index::{ProbeKind, ProbeRow, WriteTx};
use crate::model::OwnerId;
use crate::time::Timestamp;

/// The longest title, in bytes.
const LONGEST_TITLE: usize = 1_024;
/// The longest command line, in bytes.
const LONGEST_COMMAND: usize = 65_536;

/// What is to be known of an owner. What is not said stays as it is.
///
/// ```
/// use ohmyartifacts::OwnerSpec;
///
/// let spec = OwnerSpec::new().title("Flower models").root("/home/me/flowers").hard_budget(Some(10 << 30));
/// ```
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct OwnerSpec {
    title: Option<String>,
    roots: Vec<PathBuf>,
    depot: Option<PathBuf>,
    commands: Vec<String>,
    expires_at: Change<Timestamp>,
    soft_budget: Change<u64>,
    hard_budget: Change<u64>,
    clear: bool,
}

/// What becomes of something that may be there or not.
#[derive(Debug, Clone, Copy, Default)]
enum Change<T> {
    #[default]
    Keep,
    Set(Option<T>),
}

impl OwnerSpec {
    /// Nothing but that it exists.
    pub fn new() -> Self {
        Self::default()
    }

    /// What it is called, for people; empty: nothing.
    pub fn title(mut self, title: &str) -> Self {
        self.title = Some(title.to_owned());
        self
    }

    /// A path that exists as long as the owner does; one more.
    pub fn root(mut self, path: impl AsRef<Path>) -> Self {
        self.roots.push(path.as_ref().to_owned());
        self
    }

    /// The depot of Julia in which to look for the package that it is.
    pub fn julia_depot(mut self, depot: impl AsRef<Path>) -> Self {
        self.depot = Some(depot.as_ref().to_owned());
        self
    }

    /// A command line that succeeds as long as the owner exists; one more. It is run by `sh`, in `/`, for
    /// the present user only, and for ten seconds at most. Exit codes 126, 127 and above 128 leave it open.
    pub fn command(mut self, line: &str) -> Self {
        self.commands.push(line.to_owned());
        self
    }

    /// The end of its life, whatever else says that it exists; none: it has no end.
    pub fn expires_at(mut self, end: Option<Timestamp>) -> Self {
        self.expires_at = Change::Set(end);
        self
    }

    /// How many bytes its bindings may reach before it is warned, and goes first; none: any number.
    pub fn soft_budget(mut self, bytes: Option<u64>) -> Self {
        self.soft_budget = Change::Set(bytes);
        self
    }

    /// How many bytes its bindings may reach at all; none: any number.
    pub fn hard_budget(mut self, bytes: Option<u64>) -> Self {
        self.hard_budget = Change::Set(bytes);
        self
    }

    /// Forgets first how it was known whether it exists, the end of its life included.
    pub fn clear(mut self, clear: bool) -> Self {
        self.clear = clear;
        self
    }

    fn check(&self, now: Timestamp) -> Result<()> {
        if let Some(title) = &self.title {
            check_text("title", title, LONGEST_TITLE)?;
        }
        for line in &self.commands {
            check_text("command", line, LONGEST_COMMAND)?;
            if line.trim().is_empty() {
                return Err(Error::invalid("command", line, "it is empty"));
            }
        }
        match self.expires_at {
            Change::Set(Some(end)) if end <= now => Err(Error::invalid("end", &end.to_string(), "it is over already")),
            _ => Ok(()),
        }
    }
}

fn check_text(what: &'static str, text: &str, longest: usize) -> Result<()> {
    if text.contains('\0') {
        return Err(Error::invalid(what, text, "it holds a NUL"));
    }
    if text.len() > longest {
        let start: String = text.chars().take(64).collect();
        return Err(Error::invalid(what, &format!("{start}…"), format!("it is longer than {longest} bytes")));
    }
    Ok(())
}

impl Cache {
    /// Makes an owner known, or says more of one that is. Who registers an owner says that it is there: what
    /// was noted of its absence is forgotten.
    ///
    /// # Errors
    /// [`Error::NoSuchPath`] if a root or depot does not exist; [`Error::Invalid`] if its end does not lie
    /// ahead, if it is no package but is to be looked for in a depot, or if a text cannot be kept.
    pub fn register_owner(&self, owner: &OwnerId, spec: &OwnerSpec) -> Result<()> {
        spec.check(self.now())?;
        let depot = spec.depot.as_deref().map(|depot| depot_of(owner, depot)).transpose()?;
        let mut probes = spec.roots.iter().map(|root| path_probe(root)).collect::<Result<Vec<_>>>()?;
        probes.extend(spec.commands.iter().map(|line| command_probe(line)));
        self.write(|tx| write_down(tx, owner, spec, depot.as_deref(), &probes))
    }
}

fn write_down(
    tx: &WriteTx<'_>,
    owner: &OwnerId,
    spec: &OwnerSpec,
    depot: Option<&str>,
    probes: &[ProbeRow],
) -> Result<()> {
    let id = tx.ensure_owner(owner)?;
    if spec.clear {
        tx.clear_probes(id)?;
        tx.set_expiry(id, None)?;
    }
    if let Some(depot) = depot {
        tx.set_depot(id, depot)?;
    }
    probes.iter().try_for_each(|probe| tx.add_probe(id, probe))?;
    if let Change::Set(end) = spec.expires_at {
        tx.set_expiry(id, end)?;
    }
    if let Some(title) = &spec.title {
        tx.set_title(id, Some(title.as_str()).filter(|title| !title.is_empty()))?;
    }
    if let Change::Set(bytes) = spec.soft_budget {
        tx.set_soft_budget(id, bytes)?;
    }
    if let Change::Set(bytes) = spec.hard_budget {
        tx.set_hard_budget(id, bytes)?;
    }
    tx.set_back(id)
}

fn path_probe(root: &Path) -> Result<ProbeRow> {
    let path = existing(root)?;
    let mount = mount_of(&path).at("look at", &path)?;
    let mount = mount.as_deref().map(|mount| text_of("root", mount)).transpose()?;
    Ok(ProbeRow { kind: ProbeKind::Path, target: text_of("root", &path)?, mount, user: None })
}

fn command_probe(line: &str) -> ProbeRow {
    ProbeRow { kind: ProbeKind::Command, target: line.to_owned(), mount: None, user: Some(current_user()) }
}

/// Returns a depot spelt in the one way that stays true wherever the program is called from.
fn depot_of(owner: &OwnerId, depot: &Path) -> Result<String> {
    if !is_package(owner) {
        let reason = "a package of Julia has a UUID in lower case for its key";
        return Err(Error::invalid("package", owner.key(), reason));
    }
    let path = existing(depot)?;
    if !path.is_dir() {
        return Err(Error::invalid("depot", &depot.to_string_lossy(), "it is not a directory"));
    }
    text_of("depot", &std::fs::canonicalize(&path).at("resolve", &path)?)
}

fn existing(path: &Path) -> Result<PathBuf> {
    let path = std::path::absolute(path).at("resolve", path)?;
    match std::fs::metadata(&path) {
        Ok(_) => Ok(path),
        Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
            Err(Error::NoSuchPath { path })
        }
        Err(error) => Err(Error::io("look at", &path, error)),
    }
}

/// The index holds text.
fn text_of(what: &'static str, path: &Path) -> Result<String> {
    path.to_str().map(str::to_owned).ok_or_else(|| Error::invalid(what, &path.to_string_lossy(), "it is not UTF-8"))
}
