//! Plans the names of Julia's built-in `Artifacts.toml`: chosen by platform, found in a depot and
//! checked by git's SHA-1, or declared.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml::Value;

use crate::cache::BindOptions;
use crate::compat::import::locate::InputFile;
use crate::compat::import::plan::{Action, PlannedRow, Planner};
use crate::compat::import::survey::{Finding, Survey, survey_folder};
use crate::compat::import::{ImportRow, ImportStatus, PlatformChoice};
use crate::compat::tree_check::check_tree_sha1;
use crate::digest::Digest;
use crate::error::{Error, Result, error_line};
use crate::event::Event;
use crate::julia::{BuiltinEntry, Document, Platform, choose, entries_of, find_installed_artifact};
use crate::model::{BindingName, Declaration, DownloadSource, Metadata, OwnerId};

/// A declaration to be written down.
#[derive(Debug)]
pub(super) struct Declare(Declaration);

impl Declare {
    pub(super) fn row(&self) -> &Declaration {
        &self.0
    }
}

/// An entry that serves the platform asked for, and what it is to be called.
struct Chosen {
    name: String,
    entry: BuiltinEntry,
}

/// What lies where an artifact should be installed.
enum Installed {
    Nowhere,
    Sound(Digest),
    Broken(String),
}

/// What becomes of a name: its status, its hash, why, and the artifact to bind.
type Judgement = (ImportStatus, Option<Digest>, Option<String>, Option<Digest>);

/// Plans the built-in artifacts of all files of an import.
pub(super) struct BuiltinPlanner<'p> {
    planner: &'p Planner<'p>,
    survey: Survey,
    folders: BTreeMap<PathBuf, Result<Digest, String>>,
}

impl<'p> BuiltinPlanner<'p> {
    pub(super) fn new(planner: &'p Planner<'p>) -> Self {
        Self { planner, survey: Survey::default(), folders: BTreeMap::new() }
    }

    /// Returns what was found installed.
    pub(super) fn into_survey(self) -> Survey {
        self.survey
    }

    /// Plans one name of a file: a row for each entry that is chosen, and for each that makes no sense.
    pub(super) fn plan(
        &mut self,
        owner: &OwnerId,
        input: &InputFile,
        document: &Document,
        (name, value): (&str, &Value),
    ) -> Result<Vec<PlannedRow>> {
        let row = |name: &str, status, hash, detail| ImportRow {
            owner: Some(owner.key().to_owned()),
            version: owner.version().map(str::to_owned),
            name: Some(name.to_owned()),
            hash,
            status,
            detail,
        };
        let entries = entries_of(value);
        let broken = entries.iter().filter_map(|entry| entry.as_ref().err());
        let mut rows: Vec<PlannedRow> = broken
            .map(|reason| {
                let detail = document.complaint(name, reason.as_str()).to_string();
                PlannedRow { row: row(name, ImportStatus::Corrupt, None, Some(detail)), action: None }
            })
            .collect();
        let chosen = self.choose(name, entries)?;
        if chosen.is_empty() && rows.is_empty() {
            let reason = format!("nothing under `{name}` serves the platform");
            self.planner.observer.on(&Event::Skipped { path: document.path(), reason: &reason });
        }
        for Chosen { name: bound_name, entry } in chosen {
            let Ok(binding_name) = BindingName::new(&bound_name) else { continue };
            let declaration = declaration(name, &entry, value);
            let installed = self.installed(input, &entry)?;
            let (status, hash, detail, bind) = self.judge(owner, &binding_name, &declaration, installed)?;
            let detail = detail.or_else(|| entry.oddities.first().cloned());
            let action =
                (bind.is_some() || matches!(status, ImportStatus::Declared | ImportStatus::Corrupt)).then(|| {
                    let meta = (!entry.unknown.is_empty()).then(|| Metadata::new(Value::Table(entry.unknown.clone())));
                    let options = BindOptions { force: self.planner.options.force, meta, ..BindOptions::default() };
                    Action { name: binding_name, artifact: bind, options, declare: Some(Declare(declaration)) }
                });
            rows.push(PlannedRow { row: row(&bound_name, status, hash, detail), action });
        }
        Ok(rows)
    }

    fn choose(&self, name: &str, entries: Vec<Result<BuiltinEntry, String>>) -> Result<Vec<Chosen>> {
        let host = match &self.planner.options.platform {
            PlatformChoice::Host => Platform::host(),
            PlatformChoice::Triplet(triplet) => triplet.parse()?,
            PlatformChoice::All => return Ok(all(name, entries)),
        };
        let at = choose(&entries, &host);
        let chosen = at.and_then(|at| entries.into_iter().nth(at)).and_then(Result::ok);
        Ok(chosen.map(|entry| Chosen { name: name.to_owned(), entry }).into_iter().collect())
    }

    /// Looks for an artifact in the depots; what is there must hash to its name.
    fn installed(&mut self, input: &InputFile, entry: &BuiltinEntry) -> Result<Installed> {
        let depots: Vec<PathBuf> = input.depot.iter().chain(&self.planner.options.depots).cloned().collect();
        let sha1 = entry.tree_sha1.to_string();
        let Some(folder) = find_installed_artifact(&depots, &sha1) else { return Ok(Installed::Nowhere) };
        if !self.folders.contains_key(&folder) {
            let looked = self.look(&folder, entry)?;
            self.folders.insert(folder.clone(), looked);
        }
        Ok(match &self.folders[&folder] {
            Ok(hash) => Installed::Sound(*hash),
            Err(reason) => Installed::Broken(reason.clone()),
        })
    }

    fn look(&mut self, folder: &Path, entry: &BuiltinEntry) -> Result<Result<Digest, String>> {
        let Planner { observer, interrupt, .. } = *self.planner;
        let outcome = check_tree_sha1(folder, entry.tree_sha1, interrupt)
            .and_then(|()| survey_folder(folder, observer, interrupt));
        match outcome {
            Ok((manifest, files)) => {
                let hash = manifest.hash;
                if self.planner.known.artifact(hash)?.is_none() {
                    self.survey.files.extend(files.into_iter().map(|file| (file.blob, file)));
                    self.survey.findings.insert(hash, Finding::Tree(manifest));
                }
                Ok(Ok(hash))
            }
            Err(Error::Interrupted) => Err(Error::Interrupted),
            Err(error) => Ok(Err(error_line(&error))),
        }
    }

    /// Compares with what the store knows of the name; returns the artifact to bind, if any.
    fn judge(
        &self,
        owner: &OwnerId,
        name: &BindingName,
        declaration: &Declaration,
        installed: Installed,
    ) -> Result<Judgement> {
        let known = self.planner.known.declaration(owner, name)?;
        let same = known.as_ref().is_some_and(|known| known.declaration == *declaration);
        let bound = self.planner.known.binding(owner, name)?;
        let force = self.planner.options.force;
        if let Some(bound) = bound {
            let hash = Some(bound.artifact.hash);
            if same {
                return Ok((ImportStatus::Unchanged, hash, None, None));
            }
            let same_tree = known.is_some_and(|known| known.declaration.tree_sha1 == declaration.tree_sha1);
            if !same_tree && !force {
                let detail = format!("the name is bound here to {}", bound.artifact.hash.short());
                return Ok((ImportStatus::Conflict, None, Some(detail), None));
            }
            if same_tree {
                return Ok((ImportStatus::Declared, hash, Some("it is declared anew".to_owned()), None));
            }
        }
        Ok(match installed {
            Installed::Sound(hash) => (ImportStatus::Imported, Some(hash), None, Some(hash)),
            Installed::Broken(reason) => {
                let detail = format!("what is installed is not it, so it is only declared: {reason}");
                (ImportStatus::Corrupt, None, Some(detail), None)
            }
            Installed::Nowhere if same => (ImportStatus::Unchanged, None, None, None),
            Installed::Nowhere => {
                let nowhere = declaration.downloads.is_empty();
                let detail = nowhere.then(|| "it names no place to get it from".to_owned());
                (ImportStatus::Declared, None, detail, None)
            }
        })
    }
}

/// Every entry under a name of its own. One that is alone keeps the file's name.
fn all(name: &str, entries: Vec<Result<BuiltinEntry, String>>) -> Vec<Chosen> {
    let entries: Vec<BuiltinEntry> = entries.into_iter().flatten().collect();
    let mut taken: BTreeMap<String, usize> = BTreeMap::new();
    let alone = entries.len() == 1;
    let named = entries.into_iter().map(|entry| {
        let base = match &entry.platform {
            Some(platform) if !alone => format!("{name}@{platform}"),
            _ => name.to_owned(),
        };
        let count = taken.entry(base.clone()).or_default();
        *count += 1;
        let name = if *count == 1 { base } else { format!("{base}#{count}") };
        Chosen { name, entry }
    });
    named.collect()
}

fn declaration(name: &str, entry: &BuiltinEntry, whole: &Value) -> Declaration {
    let downloads = entry.downloads.iter().map(|download| DownloadSource {
        url: download.url.clone(),
        sha256: download.sha256.clone(),
        size: download.size,
    });
    Declaration {
        artifact: name.to_owned(),
        platform: entry.platform.as_ref().map(ToString::to_string),
        tree_sha1: entry.tree_sha1.to_string(),
        lazy: entry.lazy,
        downloads: downloads.collect(),
        whole: whole.clone(),
    }
}
