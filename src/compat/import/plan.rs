//! Decides what becomes of every name, before anything is written.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::Value;

use crate::cache::BindOptions;
use crate::compat::import::builtin::{BuiltinPlanner, Declare};
use crate::compat::import::known::Known;
use crate::compat::import::locate::{Input, InputFile, InputSpace};
use crate::compat::import::survey::{Finding, Survey, Surveyor, error_line};
use crate::compat::import::{ImportOptions, ImportReport, ImportRow, ImportStatus};
use crate::digest::Digest;
use crate::error::Result;
use crate::event::{Interrupt, Observer};
use crate::julia::{Dialect, Document, FileKey, OrphanLog, SpaceBinding, UsageLog, Zone, dialect_of};
use crate::model::{BindingName, Metadata, OwnerId};
use crate::text::printable_path;
use crate::time::Timestamp;

/// A name and what is to be done for it.
#[derive(Debug)]
pub(super) struct PlannedRow {
    pub(super) row: ImportRow,
    pub(super) action: Option<Action>,
}

/// What is to be done for a name.
#[derive(Debug)]
pub(super) struct Action {
    pub(super) name: BindingName,
    /// The artifact to bind; none if it is only declared.
    pub(super) artifact: Option<Digest>,
    pub(super) options: BindOptions,
    pub(super) declare: Option<Declare>,
}

/// The names of one file, bound together or not at all.
#[derive(Debug)]
pub(super) struct PlannedFile {
    pub(super) owner: Option<OwnerId>,
    pub(super) depot: Option<PathBuf>,
    pub(super) rows: Vec<PlannedRow>,
}

/// An artifact that nobody uses.
#[derive(Debug)]
pub(super) struct PlannedOrphan {
    pub(super) row: ImportRow,
    pub(super) id: Digest,
    pub(super) since: Option<Timestamp>,
}

/// What an import will do.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// What is stored where, source by source.
    pub(super) surveys: Vec<(PathBuf, Survey)>,
    pub(super) files: Vec<PlannedFile>,
    pub(super) orphans: Vec<PlannedOrphan>,
}

impl Plan {
    /// Returns what would become of every name.
    pub(super) fn preview(self) -> ImportReport {
        ImportReport { rows: self.into_rows(), new_bytes: 0 }
    }

    pub(super) fn into_rows(self) -> Vec<ImportRow> {
        let names = self.files.into_iter().flat_map(|file| file.rows).map(|planned| planned.row);
        names.chain(self.orphans.into_iter().map(|orphan| orphan.row)).collect()
    }
}

/// Makes a plan.
pub(super) struct Planner<'a> {
    pub(super) known: Known<'a>,
    pub(super) options: &'a ImportOptions,
    pub(super) observer: &'a dyn Observer,
    pub(super) interrupt: &'a Interrupt,
}

/// A file read, name by name.
struct ReadFile {
    input: InputFile,
    document: Document,
}

/// What a space says about times.
#[derive(Default)]
struct Times {
    bound: BTreeMap<(Digest, FileKey, String), Timestamp>,
    orphaned: HashMap<Digest, Timestamp>,
    named_files: BTreeMap<FileKey, usize>,
}

impl Planner<'_> {
    pub(super) fn plan(&self, input: Input) -> Result<Plan> {
        let Input { files, spaces } = input;
        let mut plan = Plan::default();
        let mut times = Vec::new();
        for space in &spaces {
            let (read, problems) = Times::read(space);
            times.push(read);
            plan.files.extend(problems.map(PlannedFile::problem));
        }
        let mut read = Vec::new();
        for input in files {
            let times = input.space.map(|index| &times[index]);
            match self.read(&input, times) {
                Ok(Some(document)) => read.push(ReadFile { input, document }),
                Ok(None) => {}
                Err(row) => plan.files.push(PlannedFile::problem(row)),
            }
        }
        for (index, space) in spaces.iter().enumerate() {
            let wanted = wanted(space, &read, index)?;
            let Self { known, observer, interrupt, .. } = *self;
            let survey = Surveyor { space: &space.space, known, observer, interrupt }.survey(&wanted)?;
            plan.surveys.push((space.space.root().to_owned(), survey));
        }
        let mut builtin = BuiltinPlanner::new(self);
        for file in &read {
            let planned = self.plan_file(file, &plan, &times, &mut builtin)?;
            plan.files.push(planned);
        }
        plan.surveys.push((PathBuf::new(), builtin.into_survey()));
        for (index, space) in spaces.iter().enumerate().filter(|(_, space)| space.whole) {
            let bound = bound_ids(&read, index);
            let orphans = self.orphans(&plan.surveys[index].1, space, &bound, &times[index])?;
            plan.orphans.extend(orphans);
        }
        Ok(plan)
    }

    /// Reads a file. Julia's programs write in place, so what looks torn is read again a little later.
    fn read(&self, input: &InputFile, times: Option<&Times>) -> Result<Option<Document>, ImportRow> {
        const PAUSES: [u64; 4] = [5, 20, 50, 100];
        let named = input.file_key().zip(times).and_then(|(key, times)| times.named_files.get(&key)).copied();
        let mut outcome = Document::read(&input.path);
        for pause in PAUSES {
            let torn = match &outcome {
                Ok(Some(document)) => document.table().is_empty() && named.is_some(),
                Ok(None) => false,
                Err(_) => true,
            };
            if !torn {
                break;
            }
            std::thread::sleep(Duration::from_millis(pause));
            outcome = Document::read(&input.path);
        }
        match (outcome, named) {
            (Ok(Some(document)), Some(names)) if document.table().is_empty() => {
                let detail = format!(
                    "`{}` is empty, though the usage log knows {names} names of it: was its writing interrupted?",
                    printable_path(document.path())
                );
                Err(ImportRow::of_file(input.owner.as_ref(), detail))
            }
            (Ok(document), _) => Ok(document),
            (Err(error), _) => Err(ImportRow::of_file(input.owner.as_ref(), error_line(&error))),
        }
    }

    fn plan_file(
        &self,
        file: &ReadFile,
        plan: &Plan,
        times: &[Times],
        builtin: &mut BuiltinPlanner<'_>,
    ) -> Result<PlannedFile> {
        let ReadFile { input, document } = file;
        let mut rows = Vec::new();
        for (name, value) in document.table() {
            self.interrupt.check()?;
            let row = |status, hash, detail: Option<String>| ImportRow {
                owner: input.owner.as_ref().map(|owner| owner.key().to_owned()),
                version: input.owner.as_ref().and_then(OwnerId::version).map(str::to_owned),
                name: Some(name.clone()),
                hash,
                status,
                detail,
            };
            let complaint = |reason: String| {
                let row = row(ImportStatus::Corrupt, None, Some(document.complaint(name, reason).to_string()));
                PlannedRow { row, action: None }
            };
            let Some(owner) = &input.owner else {
                let reason = "nobody is known to own it: no `Project.toml` beside the file, and no `--owner` given";
                rows.push(complaint(reason.to_owned()));
                continue;
            };
            let Some(force) = self.options.takes(owner, name) else { continue };
            let binding_name = match BindingName::new(name) {
                Ok(name) => name,
                Err(error) => {
                    rows.push(complaint(error.to_string()));
                    continue;
                }
            };
            match dialect_of(value) {
                Err(reason) => rows.push(complaint(reason)),
                Ok(Dialect::Builtin) => {
                    rows.extend(builtin.plan(owner, input, document, (name, value))?);
                }
                Ok(Dialect::Binding) => match SpaceBinding::read(value) {
                    Err(reason) => rows.push(complaint(reason)),
                    Ok(binding) => {
                        let at = input.space.and_then(|index| times[index].bound_at(input, name, binding.id));
                        let bound_at = at.or_else(|| modified(&input.path));
                        let found = self.find(input, plan, binding.id)?;
                        let name = (&binding_name, force);
                        rows.push(self.plan_binding(owner, name, binding, &found, bound_at, &row)?);
                    }
                },
            }
        }
        Ok(PlannedFile { owner: input.owner.clone(), depot: input.depot.clone(), rows })
    }

    /// Returns what an id stands for: in the file's own space, or in this store.
    fn find(&self, input: &InputFile, plan: &Plan, id: Digest) -> Result<Finding> {
        if let Some(index) = input.space {
            return Ok(plan.surveys[index].1.findings.get(&id).cloned().unwrap_or(Finding::Missing));
        }
        Ok(self.known.artifact(id)?.map_or(Finding::Missing, Finding::Ours))
    }

    fn plan_binding(
        &self,
        owner: &OwnerId,
        (name, force): (&BindingName, bool),
        binding: SpaceBinding,
        found: &Finding,
        bound_at: Option<Timestamp>,
        row: &dyn Fn(ImportStatus, Option<Digest>, Option<String>) -> ImportRow,
    ) -> Result<PlannedRow> {
        let SpaceBinding { id, is_dir, meta, extra } = binding;
        let meta = meta.map(Metadata::new);
        let done = |status, detail| PlannedRow { row: row(status, Some(id), detail), action: None };
        if let Some(taken) = self.known.binding(owner, name)? {
            if taken.artifact.hash == id && same(taken.meta.as_ref(), meta.as_ref()) {
                return Ok(done(ImportStatus::Unchanged, None));
            }
            if !force {
                let what = if taken.artifact.hash == id { "the same with other metadata" } else { "another artifact" };
                let detail = format!("the name is bound here to {what}, {}", taken.artifact.hash.short());
                return Ok(done(ImportStatus::Conflict, Some(detail)));
            }
        }
        let artifact = match (found, found.artifact()) {
            (Finding::Corrupt(reason), _) => return Ok(done(ImportStatus::Corrupt, Some(reason.clone()))),
            (_, None) => return Ok(done(ImportStatus::Missing, Some("its artifact is not there".to_owned()))),
            (_, Some(artifact)) => artifact,
        };
        let (status, detail) = match found.doubt() {
            Some(doubt) => (ImportStatus::Unverifiable, Some(doubt.to_owned())),
            None if is_dir.is_some_and(|is_dir| is_dir == artifact.kind.is_file()) => (
                ImportStatus::Imported,
                Some(format!("the file calls it something else, it is a {}", artifact.kind.as_str())),
            ),
            None => (ImportStatus::Imported, None),
        };
        let extra = (!extra.is_empty()).then(|| Metadata::new(Value::Table(extra)));
        let options = BindOptions { force, meta, bound_at, extra };
        let action = Action { name: name.clone(), artifact: Some(id), options, declare: None };
        Ok(PlannedRow { row: row(status, Some(id), detail), action: Some(action) })
    }

    /// What no binding reaches comes over as what it is: an orphan, as old as it is there.
    fn orphans(
        &self,
        survey: &Survey,
        space: &InputSpace,
        bound: &BTreeSet<Digest>,
        times: &Times,
    ) -> Result<Vec<PlannedOrphan>> {
        let in_trees = self.files_of_trees(survey)?;
        let unused = survey.findings.iter().filter(|(id, _)| !bound.contains(id) && !in_trees.contains(id));
        let orphans = unused.filter_map(|(&id, finding)| {
            let since = times.orphaned.get(&id).copied();
            let age = since.map_or("in use by nobody".to_owned(), |since| format!("in use by nobody since {since}"));
            let (status, detail) = match finding {
                Finding::Missing => return None,
                Finding::Ours(_) => (ImportStatus::Unchanged, age),
                Finding::Corrupt(reason) => {
                    let path = space.space.artifact(id);
                    (ImportStatus::Corrupt, format!("`{}`: {reason}", printable_path(&path)))
                }
                Finding::File(_) => (ImportStatus::Imported, age),
                Finding::Tree(_) => match finding.doubt() {
                    Some(doubt) => (ImportStatus::Unverifiable, format!("{age}; {doubt}")),
                    None => (ImportStatus::Imported, age),
                },
            };
            let row =
                ImportRow { owner: None, name: None, hash: Some(id), version: None, status, detail: Some(detail) };
            Some(PlannedOrphan { row, id, since })
        });
        Ok(orphans.collect())
    }

    fn files_of_trees(&self, survey: &Survey) -> Result<BTreeSet<Digest>> {
        let mut files = BTreeSet::new();
        for finding in survey.findings.values() {
            match finding {
                Finding::Tree(tree) => files.extend(tree.entries.iter().filter_map(|entry| entry.node.blob())),
                Finding::Ours(artifact) if !artifact.kind.is_file() => {
                    files.extend(self.known.files_of(artifact)?);
                }
                _ => {}
            }
        }
        Ok(files.into_iter().map(|blob| blob.digest).collect())
    }
}

impl PlannedFile {
    fn problem(row: ImportRow) -> Self {
        Self { owner: None, depot: None, rows: vec![PlannedRow { row, action: None }] }
    }
}

impl ImportRow {
    /// Says that a file as a whole did not come over.
    fn of_file(owner: Option<&OwnerId>, detail: String) -> Self {
        Self {
            owner: owner.map(|owner| owner.key().to_owned()),
            version: owner.and_then(OwnerId::version).map(str::to_owned),
            name: None,
            hash: None,
            status: ImportStatus::Corrupt,
            detail: Some(detail),
        }
    }
}

impl InputFile {
    fn file_key(&self) -> Option<FileKey> {
        self.space?;
        let owner = self.owner.as_ref()?;
        Some(FileKey { uuid: owner.key().to_owned(), version: owner.version().map(str::to_owned) })
    }
}

impl Times {
    /// Reads the logs of a space. They only tell times, so what is wrong with them costs no binding.
    fn read(space: &InputSpace) -> (Self, impl Iterator<Item = ImportRow>) {
        let mut times = Self::default();
        let mut problems = Vec::new();
        match UsageLog::read(&space.space, Zone::Local) {
            Ok((log, complaints)) => {
                for (id, file, name, at) in log.entries() {
                    times.bound.insert((id, file.clone(), name.to_owned()), at);
                    *times.named_files.entry(file.clone()).or_default() += 1;
                }
                problems.extend(complaints);
            }
            Err(error) => problems.push(error),
        }
        match OrphanLog::read(&space.space, Zone::Local) {
            Ok((log, complaints)) => {
                times.orphaned.extend(log.entries());
                problems.extend(complaints);
            }
            Err(error) => problems.push(error),
        }
        let rows = problems.into_iter().filter(|_| space.whole);
        (times, rows.map(|error| ImportRow::of_file(None, error_line(&error))))
    }

    fn bound_at(&self, input: &InputFile, name: &str, id: Digest) -> Option<Timestamp> {
        self.bound.get(&(id, input.file_key()?, name.to_owned())).copied()
    }
}

/// NaN differs from itself, so the stored forms are compared.
fn same(a: Option<&Metadata>, b: Option<&Metadata>) -> bool {
    a.map(Metadata::to_stored) == b.map(Metadata::to_stored)
}

/// Where no log says when a name was bound, its file was last written then or later.
fn modified(path: &Path) -> Option<Timestamp> {
    use std::os::unix::fs::MetadataExt as _;
    let found = std::fs::metadata(path).ok()?;
    Some(Timestamp::from_millis(found.mtime().saturating_mul(1_000).saturating_add(found.mtime_nsec() / 1_000_000)))
}

fn bound_ids(read: &[ReadFile], space: usize) -> BTreeSet<Digest> {
    let files = read.iter().filter(|file| file.input.space == Some(space));
    let values = files.flat_map(|file| file.document.table().values());
    values.filter_map(|value| Some(SpaceBinding::read(value).ok()?.id)).collect()
}

/// Returns what of a space is to be looked at.
fn wanted(space: &InputSpace, read: &[ReadFile], index: usize) -> Result<BTreeSet<Digest>> {
    let mut wanted = bound_ids(read, index);
    if space.whole {
        wanted.extend(space.space.ids()?);
    }
    Ok(wanted)
}
