//! Judges one name of a bindings file: what it stands for, and whether it can have that here.

use std::collections::HashMap;
use std::path::Path;

use toml::Value;

use crate::cache::BindOptions;
use crate::compat::import::builtin::BuiltinPlanner;
use crate::compat::import::locate::InputFile;
use crate::compat::import::plan::{Action, Plan, PlannedFile, PlannedRow, Planner};
use crate::compat::import::read::{ReadFile, Times};
use crate::compat::import::survey::Finding;
use crate::compat::import::{ImportRow, ImportStatus};
use crate::digest::Digest;
use crate::error::Result;
use crate::julia::{Dialect, SpaceBinding, dialect_of};
use crate::model::{BindingName, Metadata, OwnerId};
use crate::time::Timestamp;

impl Planner<'_> {
    /// Judges every name of a file.
    pub(super) fn plan_file(
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
            match self.plan_name(file, name, value, plan, times, builtin)? {
                Ok(planned) => rows.extend(planned),
                Err(reason) => {
                    let detail = document.complaint(name, reason).to_string();
                    let row = ImportRow::of_name(input.owner.as_ref(), name, ImportStatus::Corrupt, None, Some(detail));
                    rows.push(PlannedRow { row, action: None });
                }
            }
        }
        Ok(PlannedFile { owner: input.owner.clone(), depot: input.depot.clone(), rows })
    }

    /// Judges one name, or says what is wrong with its entry.
    fn plan_name(
        &self,
        ReadFile { input, document }: &ReadFile,
        name: &str,
        value: &Value,
        plan: &Plan,
        times: &[Times],
        builtin: &mut BuiltinPlanner<'_>,
    ) -> Result<Result<Vec<PlannedRow>, String>> {
        let Some(owner) = &input.owner else {
            let reason = "nobody is known to own it: no `Project.toml` beside the file, and no `--owner` given";
            return Ok(Err(reason.to_owned()));
        };
        let Some(force) = self.options.takes(owner, name) else { return Ok(Ok(Vec::new())) };
        let binding_name = match BindingName::new(name) {
            Ok(name) => name,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let binding = match dialect_of(value) {
            Err(reason) => return Ok(Err(reason)),
            Ok(Dialect::Builtin) => return builtin.plan(owner, input, document, (name, value)).map(Ok),
            Ok(Dialect::Binding) => match SpaceBinding::read(value) {
                Err(reason) => return Ok(Err(reason)),
                Ok(binding) => binding,
            },
        };
        let at = input.space.and_then(|index| times[index].bound_at(input, name, binding.id));
        let bound_at = at.or_else(|| modified(&input.path));
        let found = self.find(input, plan, binding.id)?;
        let planned = self.plan_binding(owner, (&binding_name, force), binding, &found, bound_at)?;
        Ok(Ok(vec![planned]))
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
    ) -> Result<PlannedRow> {
        let SpaceBinding { id, is_dir, meta, extra } = binding;
        let meta = meta.map(Metadata::new);
        let row = |status, detail| ImportRow::of_name(Some(owner), name.as_str(), status, Some(id), detail);
        let done = |status, detail| PlannedRow { row: row(status, detail), action: None };
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
        if is_dir == Some(false) && found.doubt().is_some() {
            let detail = "a directory lies where its file must be".to_owned();
            return Ok(done(ImportStatus::Corrupt, Some(detail)));
        }
        let (status, detail) = match found.doubt() {
            Some(doubt) => (ImportStatus::Unverifiable, Some(doubt.to_owned())),
            None if is_dir.is_some_and(|is_dir| is_dir == artifact.kind.is_file()) => (
                ImportStatus::Imported,
                Some(format!("the file calls it something else, it is a {}", artifact.kind.as_str())),
            ),
            None => (ImportStatus::Imported, None),
        };
        let extra = (!extra.is_empty()).then(|| Metadata::new(Value::Table(extra)));
        let options = BindOptions { force, meta, bound_at, extra, ..BindOptions::new() };
        let action = Action { name: name.clone(), artifact: Some(id), options, declare: None };
        Ok(PlannedRow { row: row(status, detail), action: Some(action) })
    }
}

/// Settles what several files of one import bind: the first has the name, as if it had come alone.
pub(super) fn first_has_the_name(files: &mut [PlannedFile]) {
    let mut taken: HashMap<(OwnerId, BindingName), (Digest, Option<Metadata>)> = HashMap::new();
    for PlannedFile { owner, rows, .. } in files {
        let Some(owner) = owner else { continue };
        for PlannedRow { row, action } in rows {
            let Some(Action { name, artifact: Some(id), options, .. }) = action else { continue };
            let key = (owner.clone(), name.clone());
            let Some((first, meta)) = taken.get(&key) else {
                taken.insert(key, (*id, options.meta.clone()));
                continue;
            };
            if first == id && same(meta.as_ref(), options.meta.as_ref()) {
                row.status = ImportStatus::Unchanged;
                row.detail = None;
            } else {
                row.status = ImportStatus::Conflict;
                row.detail = Some(format!("another file of this import binds the name to {}", first.short()));
            }
            *action = None;
        }
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
    Some(Timestamp::from_system(found.mtime(), found.mtime_nsec()))
}
