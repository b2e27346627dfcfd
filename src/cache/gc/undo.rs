//! Brings back what a run of gc keeps in the trash: files, rows, and the names they had.

use serde::Serialize;
use serde_json::Value;

use crate::cache::Cache;
use crate::cache::bind::{BindOptions, Link};
use crate::cache::gc::remove::close_run;
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::index::{Happening, Parted, RunRow, State, Trashed, What, WriteTx};
use crate::model::{Artifact, BindingName, Metadata, ObjectKind};
use crate::time::Timestamp;

/// So many files come back in one transaction.
const BATCH: usize = 1_000;

/// What an undo brought back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UndoReport {
    /// The run that was undone.
    pub run: i64,
    /// The artifacts that are back, directories last.
    pub restored: Vec<UndoneObject>,
    /// How many objects are back: those artifacts and the files only they had.
    pub restored_objects: u64,
    /// Bytes that are back.
    pub restored_bytes: u64,
    /// What became of the names they had.
    pub bindings: Vec<UndoneBinding>,
    /// What could not be brought back, because its files are not there.
    pub missing: Vec<UndoneObject>,
}

/// An artifact that came back, or did not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UndoneObject {
    /// Its name.
    pub hash: Digest,
    /// File or directory.
    pub kind: ObjectKind,
    /// Bytes of its files, each entry counted.
    pub size: u64,
}

/// A name that an artifact had when it went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UndoneBinding {
    /// Who had it.
    pub owner: String,
    /// The owner's version.
    pub version: Option<String>,
    /// The name.
    pub name: String,
    /// What it stood for.
    pub hash: Digest,
    /// `restored`, `taken` if the name stands for something else by now, or `failed`.
    pub status: &'static str,
    /// Why it failed.
    pub detail: Option<String>,
}

impl Cache {
    /// Brings back what a run of gc took and its trash still has; without a number, the last such run.
    /// Names come back where they are free. What nothing names then is an orphan since now.
    ///
    /// # Errors
    /// [`Error::CannotUndo`] if there is no such run or its trash was emptied, and what the index says.
    pub fn gc_undo(&self, run: Option<i64>) -> Result<UndoReport> {
        let run = self.read(|tx| match run {
            Some(id) => tx.find_run(id)?.ok_or_else(|| no_such_run(id)),
            None => tx.latest_undoable_run()?.ok_or_else(nothing_to_undo),
        })?;
        check(&run)?;
        self.session()?;
        let mut report = UndoReport {
            run: run.id,
            restored: Vec::new(),
            restored_objects: 0,
            restored_bytes: 0,
            bindings: Vec::new(),
            missing: Vec::new(),
        };
        self.bring_objects_back(&run, &mut report)?;
        for parted in self.read(|tx| tx.parted_with(run.id))? {
            report.bindings.extend(self.bring_name_back(&run, &parted)?);
        }
        // What may go better another time must not close the run.
        if report.bindings.iter().all(|binding| binding.status != "failed") {
            self.close_undone(&run)?;
        }
        Ok(report)
    }

    fn bring_objects_back(&self, run: &RunRow, report: &mut UndoReport) -> Result<()> {
        self.write(|tx| tx.begin_undo())?;
        loop {
            self.waiting.interrupt.check()?;
            let batch = self.write(|tx| {
                let rows = tx.trashed_of(run.id, BATCH)?;
                let whole = rows.into_iter().map(|row| Ok((self.bring_one_back(tx, run, &row)?, row)));
                whole.collect::<Result<Vec<(bool, Trashed)>>>()
            })?;
            if batch.is_empty() {
                return Ok(());
            }
            for (is_back, row) in batch {
                note(report, self.read(|tx| tx.is_item(run.id, &row.artifact))?, is_back, &row.artifact);
            }
        }
    }

    /// Brings one object back; false if that cannot be.
    fn bring_one_back(&self, tx: &WriteTx<'_>, run: &RunRow, row: &Trashed) -> Result<bool> {
        let Artifact { hash, kind, .. } = row.artifact;
        let whole = kind.is_file() || !tx.lacks_files(row.id)?;
        if !whole || !self.store.bring_back(tx.token(), row.run, kind, hash)? {
            tx.set_failed(row.id)?;
            return Ok(false);
        }
        tx.restore(row.id)?;
        if tx.is_item(run.id, &row.artifact)? {
            tx.record(Happening { run: Some(run.id), ..Happening::new(What::Restore, hash, kind) })?;
        }
        Ok(true)
    }

    /// Binds a name again if it is free; none if what it stood for is not back.
    fn bring_name_back(&self, run: &RunRow, parted: &Parted) -> Result<Option<UndoneBinding>> {
        let name = BindingName::new(&parted.name)?;
        let outcome = self.write(|tx| {
            let live = tx.find_form(parted.hash, parted.kind)?.filter(|row| row.state == State::Live);
            let Some(object) = live else { return Ok(None) };
            let owner = tx.ensure_owner(&parted.owner)?;
            if let Some(bound) = tx.find_binding(owner, &name)? {
                let same = bound.object_id == object.id;
                return Ok(Some(if same { "restored" } else { "taken" }));
            }
            let options = options(run, parted, tx.now())?;
            let artifact = object.artifact();
            let link =
                Link { owner: &parted.owner, name: &name, object: object.id, artifact: &artifact, options: &options };
            self.link(tx, &link)?;
            tx.forget_gone(owner)?;
            Ok(Some("restored"))
        });
        let (status, detail) = match outcome {
            Ok(None) => return Ok(None),
            Ok(Some(status)) => (status, None),
            Err(error @ (Error::OverBudget { .. } | Error::BindingExists { .. })) => {
                ("failed", Some(error.to_string()))
            }
            // What may go better another time must not close the run.
            Err(error) => return Err(error),
        };
        Ok(Some(UndoneBinding {
            owner: parted.owner.key().to_owned(),
            version: parted.owner.version().map(str::to_owned),
            name: parted.name.clone(),
            hash: parted.hash,
            status,
            detail,
        }))
    }

    /// A run of which all is back is undone; of one that lacks something the rest is kept as long as it was.
    fn close_undone(&self, run: &RunRow) -> Result<()> {
        if self.read(|tx| tx.trashed_count(run.id))? > 0 {
            return Ok(());
        }
        self.write(|tx| tx.set_undone(run.id))?;
        close_run(self, run.id)
    }
}

fn note(report: &mut UndoReport, is_item: bool, is_back: bool, artifact: &Artifact) {
    let object = UndoneObject { hash: artifact.hash, kind: artifact.kind, size: artifact.size };
    match (is_back, is_item) {
        (false, _) => report.missing.push(object),
        (true, true) => report.restored.push(object),
        (true, false) => {}
    }
    if is_back {
        report.restored_objects += 1;
        report.restored_bytes += if artifact.kind.is_file() { artifact.size } else { 0 };
    }
}

/// A binding as it was, but used just now: no rule is to take it again at once.
fn options(run: &RunRow, parted: &Parted, now: Timestamp) -> Result<BindOptions> {
    let was: Value = parted.was.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let stored = |key: &str| was.get(key).and_then(Value::as_str).map(Metadata::from_stored).transpose();
    Ok(BindOptions {
        meta: stored("meta")?,
        extra: stored("extra")?,
        bound_at: was.get("bound_at").and_then(Value::as_i64).map(Timestamp::from_millis),
        bound_by: was.get("bound_by").and_then(Value::as_str).map(str::parse).transpose()?,
        last_used_at: Some(now),
        restored_from: Some(run.id),
        ..BindOptions::new()
    })
}

fn check(run: &RunRow) -> Result<()> {
    let id = run.id;
    let reason = match (run.keep_until, run.undone_at, run.emptied_at) {
        (None, _, _) => format!("run {id} kept no trash: what it took is gone"),
        (_, Some(at), _) => format!("run {id} was undone already, at {at}"),
        (_, _, Some(at)) => format!("the trash of run {id} was emptied at {at}"),
        _ => return Ok(()),
    };
    Err(Error::CannotUndo { reason })
}

fn no_such_run(id: i64) -> Error {
    Error::CannotUndo { reason: format!("no run of gc has the number {id}") }
}

fn nothing_to_undo() -> Error {
    Error::CannotUndo { reason: "no run of gc has anything in the trash".to_owned() }
}
