//! Carries out a plan: files first, then directories, then names, one transaction a file of bindings.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::cache::Cache;
use crate::cache::bind::Link;
use crate::cache::claim::Claim;
use crate::cache::enter::Held;
use crate::cache::ingest::Origin as Whence;
use crate::compat::import::plan::{Action, Plan, PlannedFile};
use crate::compat::import::survey::{Finding, Survey};
use crate::compat::import::{ImportReport, ImportStatus};
use crate::digest::Digest;
use crate::error::{Error, Result, error_line};
use crate::event::Event;
use crate::fs::{lstat, same_filesystem};
use crate::index::WriteTx;
use crate::model::{Blob, Manifest, Node, ObjectKind, OwnerId};
use crate::store::{Intake, Origin, Staged, StagedBlob, Stager};
use crate::text::printable_path;

/// So many leases are released in one transaction.
const BATCH: usize = 1_000;

/// Carries out a plan and says what became of every name.
pub(super) fn apply(cache: &Cache, mut plan: Plan) -> Result<ImportReport> {
    let mut leases = Leases::default();
    let outcome = carry_out(cache, &mut plan, &mut leases);
    // Bound or not: what was held for this import is held no longer.
    let released = leases.release(cache);
    let new_bytes = outcome?;
    released?;
    Ok(ImportReport { rows: plan.into_rows(), new_bytes })
}

/// What is held until it is bound, and since when it is in use by nobody where it comes from.
#[derive(Debug, Default)]
struct Leases(Vec<(i64, i64, Option<crate::time::Timestamp>)>);

fn carry_out(cache: &Cache, plan: &mut Plan, leases: &mut Leases) -> Result<u64> {
    let orphans: HashMap<Digest, _> = plan.orphans.iter().map(|orphan| (orphan.id, orphan.since)).collect();
    let bound = plan.files.iter().flat_map(|file| &file.rows).filter_map(|planned| planned.action.as_ref()?.artifact);
    let wanted: HashSet<Digest> = bound.chain(orphans.keys().copied()).collect();
    let mut new_bytes = 0;
    for (source, survey) in &plan.surveys {
        let bringing = Bringing { cache, source, survey, wanted: &wanted };
        new_bytes += bringing.bring(&mut |object, lease, id| {
            leases.0.push((lease, object, orphans.get(&id).copied().flatten()));
        })?;
    }
    plan.files.iter_mut().try_for_each(|file| bind(cache, file))?;
    Ok(new_bytes)
}

/// Brings what one source stores into the store.
struct Bringing<'a> {
    cache: &'a Cache,
    source: &'a Path,
    survey: &'a Survey,
    /// What a name will be bound to, and what comes over as an orphan. Nothing else is brought.
    wanted: &'a HashSet<Digest>,
}

impl Bringing<'_> {
    /// Tells `hold` of each object, the lease that holds it, and its id.
    fn bring(&self, hold: &mut dyn FnMut(i64, i64, Digest)) -> Result<u64> {
        let needed = self.needed();
        if needed.is_empty() && !self.findings().any(|finding| matches!(finding, Finding::Tree(_))) {
            return Ok(0);
        }
        let cache = self.cache;
        let session = cache.session()?;
        let dir = session.stage_dir()?;
        let stager = cache.stager(&dir, Intake::Share);
        let mut staged = Vec::with_capacity(needed.len());
        let mut lost = BTreeSet::new();
        for (blob, file) in needed {
            match self.settle(&stager, file) {
                Ok(file) => staged.push(file),
                Err(error @ (Error::Interrupted | Error::Database { .. })) => return Err(error),
                // It changed after it was looked at. What needs it does not come, the rest does.
                Err(error) => {
                    cache.waiting.observer.on(&Event::Warning { message: &error_line(&error) });
                    lost.insert(blob);
                }
            }
        }
        let (held, mut new_bytes) = cache.enter_files(staged, &stager)?;
        for Held { object, lease, blob } in held {
            hold(object, lease, blob.digest);
        }
        let claim = Claim::Hold { session: session.name() };
        for finding in self.findings() {
            let Finding::Tree(manifest) = finding else { continue };
            let blobs = blobs_of(manifest);
            if blobs.iter().any(|file| lost.contains(&file.blob)) {
                continue;
            }
            let location = printable_path(self.source);
            let origin = Whence::new("path", &location);
            let manifest = Some(manifest.clone());
            let entered = cache.enter(Staged { blobs, manifest }, &stager, &claim, origin)?;
            new_bytes += entered.new_bytes;
            let object = cache.read(|tx| tx.find_form(entered.artifact.hash, ObjectKind::Tree))?;
            if let (Some(object), Some(lease)) = (object, entered.lease) {
                hold(object.id, lease, entered.artifact.hash);
            }
        }
        Ok(new_bytes)
    }

    fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.survey.findings.iter().filter(|(id, _)| self.wanted.contains(*id)).map(|(_, finding)| finding)
    }

    /// The sound files that are artifacts themselves or that a sound directory needs.
    fn needed(&self) -> BTreeMap<Blob, &StagedBlob> {
        let mut needed = BTreeMap::new();
        for finding in self.findings() {
            match finding {
                Finding::File(file) => drop(needed.insert(file.blob, file)),
                Finding::Tree(manifest) => {
                    let blobs = manifest.entries.iter().filter_map(|entry| entry.node.blob());
                    needed.extend(blobs.filter_map(|blob| Some((blob, self.survey.files.get(&blob)?))));
                }
                _ => {}
            }
        }
        needed
    }

    /// A file that is as read-only as ours are can be shared; of another the bytes are copied, and
    /// must be the same that were looked at.
    fn settle(&self, stager: &Stager<'_>, staged: &StagedBlob) -> Result<StagedBlob> {
        let Origin::InPlace(_) = staged.origin else { return Ok(staged.clone()) };
        let found = lstat(&staged.source)?;
        let read_only = found.is_some_and(|found| found.permissions().mode() & 0o7222 == 0);
        if read_only && same_filesystem(&staged.source, self.cache.root())? {
            return Ok(staged.clone());
        }
        stager.again(staged)
    }
}

/// The files of a directory, all of which are in the store by now.
fn blobs_of(manifest: &Manifest) -> Vec<StagedBlob> {
    let mut blobs: Vec<StagedBlob> = manifest
        .entries
        .iter()
        .filter_map(|entry| match entry.node {
            Node::File { hash, executable, size } => {
                let blob = Blob { digest: hash, executable };
                Some(StagedBlob { blob, size, origin: Origin::Stored, source: entry.path.clone() })
            }
            _ => None,
        })
        .collect();
    blobs.sort_unstable_by_key(|blob| blob.blob);
    blobs.dedup_by_key(|blob| blob.blob);
    blobs
}

/// Binds the names of one file, all in one transaction. A name that was taken meanwhile is said.
fn bind(cache: &Cache, file: &mut PlannedFile) -> Result<()> {
    let Some(owner) = file.owner.clone() else { return Ok(()) };
    if file.rows.iter().all(|planned| planned.action.is_none()) {
        return Ok(());
    }
    let depot = file.depot.as_deref().and_then(probe_target);
    let taken = cache.write(|tx| {
        let owner_id = tx.ensure_owner(&owner)?;
        if let Some(depot) = &depot {
            tx.set_depot(owner_id, depot)?;
        }
        let mut taken = Vec::new();
        for (index, planned) in file.rows.iter().enumerate() {
            let Some(action) = &planned.action else { continue };
            match bind_one(cache, tx, &owner, owner_id, action) {
                Err(error @ Error::BindingExists { .. }) => {
                    taken.push((index, ImportStatus::Conflict, error.to_string()));
                }
                Err(Error::NoSuchObject { .. }) => {
                    let detail = "it changed or went while it was imported".to_owned();
                    taken.push((index, ImportStatus::Corrupt, detail));
                }
                other => other?,
            }
        }
        Ok(taken)
    })?;
    for (index, status, detail) in taken {
        file.rows[index].row.status = status;
        file.rows[index].row.detail = Some(detail);
    }
    Ok(())
}

/// Returns the depot in which to look for the owner from now on, spelt in the one way that stays true
/// wherever the program is called from. One that is no text cannot be written down.
fn probe_target(depot: &Path) -> Option<String> {
    std::fs::canonicalize(depot).ok()?.to_str().map(str::to_owned)
}

fn bind_one(cache: &Cache, tx: &WriteTx<'_>, owner: &OwnerId, owner_id: i64, action: &Action) -> Result<()> {
    let Action { name, artifact, options, declare } = action;
    if let Some(id) = *artifact {
        let object = tx.find_object(id)?.ok_or(Error::NoSuchObject { hash: id })?;
        let artifact = object.artifact();
        cache.link(tx, &Link { owner, name, object: object.id, artifact: &artifact, options })?;
    }
    match declare {
        Some(declare) => tx.put_declaration(owner_id, name, declare.row()),
        None => Ok(()),
    }
}

impl Leases {
    fn release(self, cache: &Cache) -> Result<()> {
        self.0.chunks(BATCH).try_for_each(|batch| {
            cache.write(|tx| {
                for (lease, object, orphaned_at) in batch {
                    tx.release_lease(*lease)?;
                    tx.mark_if_orphan_since(*object, orphaned_at.unwrap_or(tx.now()))?;
                }
                Ok(())
            })
        })
    }
}
