//! Enters staged files into the store: files first, then rows, in short transactions.
//!
//! A tree comes in as a partial row under a lease of this session. Its blobs are entered in batches,
//! each protected by an edge from that row; then its directory is laid out and renamed into place,
//! and the row becomes live together with the claim. If the process dies in between, the lease dies
//! with it and the next gc takes the partial tree like any other garbage.

use std::path::{Path, PathBuf};

use crate::cache::Cache;
use crate::cache::claim::{Claim, Claimed};
use crate::cache::ingest::{Ingested, Origin};
use crate::error::{Error, Result};
use crate::event::{Event, Phase};
use crate::index::{Admission, WriteTx};
use crate::model::{Artifact, Blob, Entry, IdRule, Manifest, Node, ObjectKind};
use crate::store::{Intake, Origin as Bytes, Placed, Staged, StagedBlob, Stager, staged_path};

/// So many files enter in one transaction.
const BATCH: usize = 1_000;
/// So many paths are written down in one transaction.
const ENTRY_BATCH: usize = 10_000;
/// How often content that vanishes again and again is brought anew.
const ROUNDS: usize = 8;

/// How much the store grew.
#[derive(Debug, Clone, Copy, Default)]
struct Growth {
    files: u64,
    bytes: u64,
}

impl Cache {
    pub(crate) fn enter(
        &self,
        staged: Staged,
        stager: &Stager<'_>,
        claim: &Claim<'_>,
        origin: Origin<'_>,
    ) -> Result<Ingested> {
        let entering = Entering { cache: self, stager, claim, origin };
        let Staged { blobs, manifest } = staged;
        self.refuse_too_much(claim, &blobs)?;
        entering.flush(&blobs)?;
        self.waiting.observer.on(&Event::Begin { phase: Phase::Store, files: Some(blobs.len() as u64) });
        let outcome = match manifest {
            Some(manifest) => entering.tree(&manifest, blobs),
            None => entering.file(blobs),
        };
        self.waiting.observer.on(&Event::End { phase: Phase::Store });
        if outcome.is_err() {
            // A transaction that was rolled back may have left files without rows.
            self.session()?.leave_behind();
        }
        outcome
    }
}

/// A file that was entered on its own, and the lease that protects it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Held {
    pub(crate) object: i64,
    pub(crate) lease: i64,
    pub(crate) blob: Blob,
}

impl Cache {
    /// Enters files that several artifacts will share, or that are artifacts themselves. Each is held by
    /// a lease of this session, which the caller releases when something else keeps it.
    pub(crate) fn enter_files(&self, blobs: Vec<StagedBlob>, stager: &Stager<'_>) -> Result<(Vec<Held>, u64)> {
        let session = self.session()?;
        let claim = Claim::Hold { session: session.name() };
        let entering = Entering { cache: self, stager, claim: &claim, origin: Origin::new("path", "") };
        entering.flush(&blobs)?;
        let mut held = Vec::with_capacity(blobs.len());
        let growth = entering.enter_blobs(blobs, &mut |tx, entered| {
            for (object, blob) in entered {
                let lease = tx.lease_for_session(*object, session.name(), "being imported")?;
                held.push(Held { object: *object, lease, blob: *blob });
            }
            Ok(())
        });
        if growth.is_err() {
            session.leave_behind();
        }
        Ok((held, growth?.bytes))
    }
}

/// Protects blobs in the transaction that enters them.
type Protect<'p> = dyn FnMut(&WriteTx<'_>, &[(i64, Blob)]) -> Result<()> + 'p;

struct Entering<'a> {
    cache: &'a Cache,
    stager: &'a Stager<'a>,
    claim: &'a Claim<'a>,
    origin: Origin<'a>,
}

impl Entering<'_> {
    /// Makes staged bytes durable before any rename makes them visible.
    fn flush(&self, blobs: &[StagedBlob]) -> Result<()> {
        let mut paths: Vec<PathBuf> = blobs.iter().filter_map(|blob| self.path_of(blob)).collect();
        if !paths.is_empty() {
            paths.push(self.stager.dir.path().to_owned());
        }
        self.cache.store.flush(&paths)
    }

    fn path_of(&self, blob: &StagedBlob) -> Option<PathBuf> {
        match &blob.origin {
            Bytes::Stored => None,
            Bytes::InPlace(_) => Some(blob.source.clone()),
            Bytes::Staged | Bytes::Linked => Some(staged_path(self.stager.dir, blob.blob)),
        }
    }

    fn file(&self, mut blobs: Vec<StagedBlob>) -> Result<Ingested> {
        for _ in 0..ROUNDS {
            let blob = blobs.first().ok_or_else(|| Error::Internal("no file was staged".to_owned()))?;
            let entered = self.cache.write(|tx| {
                let mut growth = Growth::default();
                let Some(id) = self.admit(tx, blob, &mut growth)? else { return Ok(None) };
                self.cache.store.flush(&self.shelves(std::slice::from_ref(blob)))?;
                let artifact = Artifact { hash: blob.blob.digest, kind: blob.blob.kind(), size: blob.size, files: 1 };
                let claimed = self.claim(tx, id, &artifact)?;
                Ok(Some((artifact, claimed, growth)))
            })?;
            match entered {
                Some((artifact, claimed, growth)) => return Ok(self.ingested(artifact, claimed, growth)),
                None => blobs = self.bring_again(&blobs)?,
            }
        }
        Err(self.vanishing())
    }

    fn tree(&self, manifest: &Manifest, blobs: Vec<StagedBlob>) -> Result<Ingested> {
        let artifact =
            Artifact { hash: manifest.hash, kind: ObjectKind::Tree, size: manifest.size, files: manifest.files };
        if let Some(ingested) = self.known_tree(manifest, &artifact, &blobs)? {
            return Ok(ingested);
        }
        let session = self.cache.session()?;
        let (tree, lease) = self.cache.write(|tx| {
            let tree = tx.admit_tree(artifact.hash, artifact.size, artifact.files)?;
            Ok((tree, tx.lease_for_session(tree.id, session.name(), "being put in")?))
        })?;
        let outcome = self.fill_tree(tree, lease, manifest, blobs, &artifact);
        if outcome.is_err() {
            // Without its lease the partial tree is garbage that the next gc takes.
            let _ = self.cache.write(|tx| tx.release_lease(lease));
        }
        outcome
    }

    /// The same content again: nothing to enter, one transaction.
    fn known_tree(&self, manifest: &Manifest, artifact: &Artifact, blobs: &[StagedBlob]) -> Result<Option<Ingested>> {
        if blobs.iter().any(|blob| blob.origin != Bytes::Stored) {
            return Ok(None);
        }
        let claimed = self.cache.write(|tx| {
            let known = tx.known(artifact.hash, artifact.kind)?.filter(|known| known.was_live());
            let known = known.filter(|known| !surpasses(manifest, *known));
            match known {
                Some(known) if self.cache.store.holds(artifact.kind, artifact.hash, artifact.size)? => {
                    tx.clear_orphan(known.id)?;
                    self.claim(tx, known.id, artifact).map(Some)
                }
                _ => Ok(None),
            }
        })?;
        Ok(claimed.map(|claimed| self.ingested(artifact.clone(), claimed, Growth::default())))
    }

    fn fill_tree(
        &self,
        admitted: Admission,
        lease: i64,
        manifest: &Manifest,
        blobs: Vec<StagedBlob>,
        artifact: &Artifact,
    ) -> Result<Ingested> {
        let tree = admitted.id;
        let growth = self.enter_blobs(blobs, &mut |tx, entered| {
            let ids: Vec<i64> = entered.iter().map(|(id, _)| *id).collect();
            tx.add_members(tree, &ids)
        })?;
        // What is live stays as it is until the last step.
        let takes_over = surpasses(manifest, admitted);
        if !takes_over {
            self.write_down_leaves(tree, manifest)?;
        }
        let top = self.stager.dir.path().join("tree");
        let shadow = self.cache.store.lay_out(manifest, &top, self.stager.observer)?;
        let claimed = self.cache.write(|tx| {
            let known = tx.known(artifact.hash, artifact.kind)?;
            let live = known.is_some_and(|known| known.was_live() && !surpasses(manifest, known));
            if self.cache.store.place_tree(tx.token(), &shadow.path, artifact.hash, live)? == Placed::New {
                if takes_over {
                    tx.replace_entries(tree, &manifest.entries)?;
                } else {
                    tx.drop_directories(tree)?;
                    tx.add_entries(tree, manifest.entries.iter().filter(|entry| entry.node == Node::Directory))?;
                }
                tx.set_size(tree, artifact.size, artifact.files)?;
                tx.set_rule(tree, &manifest.rule)?;
                tx.complete_tree(tree, shadow.own_bytes)?;
                let shelf = self.cache.store.layout.object(artifact.kind, artifact.hash);
                self.cache.store.flush(&parents([shelf.as_path()]))?;
            }
            tx.release_lease(lease)?;
            self.claim(tx, tree, artifact)
        })?;
        let growth = Growth { bytes: growth.bytes + shadow.own_bytes, ..growth };
        Ok(self.ingested(artifact.clone(), claimed, growth))
    }

    fn write_down_leaves(&self, tree: i64, manifest: &Manifest) -> Result<()> {
        let leaves: Vec<&Entry> = manifest.entries.iter().filter(|entry| entry.node != Node::Directory).collect();
        leaves.chunks(ENTRY_BATCH).try_for_each(|batch| {
            self.cache.waiting.interrupt.check()?;
            self.cache.write(|tx| tx.add_entries(tree, batch.iter().copied()))
        })
    }

    /// Enters blobs in batches; what was collected meanwhile is brought again.
    fn enter_blobs(&self, blobs: Vec<StagedBlob>, protect: &mut Protect<'_>) -> Result<Growth> {
        let mut growth = Growth::default();
        let mut pending = blobs;
        for _ in 0..ROUNDS {
            let mut missing = Vec::new();
            for batch in pending.chunks(BATCH) {
                self.cache.waiting.interrupt.check()?;
                missing.extend(self.enter_batch(batch, &mut growth, protect)?);
            }
            if missing.is_empty() {
                return Ok(growth);
            }
            pending = self.bring_again(&missing)?;
        }
        Err(self.vanishing())
    }

    fn enter_batch(
        &self,
        batch: &[StagedBlob],
        growth: &mut Growth,
        protect: &mut Protect<'_>,
    ) -> Result<Vec<StagedBlob>> {
        let (missing, grown) = self.cache.write(|tx| {
            let mut grown = *growth;
            let mut entered = Vec::with_capacity(batch.len());
            let mut missing = Vec::new();
            for blob in batch {
                match self.admit(tx, blob, &mut grown)? {
                    Some(id) => entered.push((id, blob.blob)),
                    None => missing.push(blob.clone()),
                }
            }
            self.cache.store.flush(&self.shelves(batch))?;
            protect(tx, &entered)?;
            Ok((missing, grown))
        })?;
        *growth = grown;
        let files = batch.len() as u64;
        self.stager.observer.on(&Event::Advance { phase: Phase::Store, files, bytes: 0 });
        Ok(missing)
    }

    /// Enters one blob's file and row; none if its bytes are not there any more.
    fn admit(&self, tx: &WriteTx<'_>, blob: &StagedBlob, growth: &mut Growth) -> Result<Option<i64>> {
        let name = (blob.blob.digest, blob.blob.kind());
        let known = tx.known(name.0, name.1)?;
        let Stager { store, dir, intake, .. } = *self.stager;
        let trashed = known.and_then(|known| known.trash_run);
        let placed = match trashed {
            // Directories in the trash may share its inode, and would be a copy once they come back.
            Some(run) if store.holds_in_trash(run, name.1, name.0, blob.size)? => {
                store.bring_back(tx.token(), run, name.1, name.0)?;
                Placed::New
            }
            _ => store.place_blob(tx.token(), blob, dir, intake, known.is_some())?,
        };
        if placed == Placed::Missing {
            return Ok(None);
        }
        let id = tx.admit_blob(known, name, blob.size)?;
        if placed == Placed::New {
            growth.files += 1;
            growth.bytes += blob.size;
            let shared = intake == Intake::Share && matches!(blob.origin, Bytes::InPlace(_));
            if shared || blob.origin == Bytes::Linked {
                tx.set_linked(id)?;
            }
        }
        Ok(Some(id))
    }

    fn bring_again(&self, missing: &[StagedBlob]) -> Result<Vec<StagedBlob>> {
        let brought = missing.iter().map(|blob| self.stager.again(blob)).collect::<Result<Vec<_>>>()?;
        self.flush(&brought)?;
        Ok(brought)
    }

    /// The folders whose lists of names a batch changed.
    fn shelves(&self, batch: &[StagedBlob]) -> Vec<PathBuf> {
        let moved = batch.iter().filter(|blob| blob.origin != Bytes::Stored);
        let paths: Vec<PathBuf> = moved.map(|blob| self.cache.store.layout.blob(blob.blob)).collect();
        parents(paths.iter().map(PathBuf::as_path))
    }

    fn claim(&self, tx: &WriteTx<'_>, object: i64, artifact: &Artifact) -> Result<Claimed> {
        self.cache.note_and_claim(tx, self.claim, object, artifact, self.origin)
    }

    fn ingested(&self, artifact: Artifact, claimed: Claimed, growth: Growth) -> Ingested {
        Ingested {
            path: self.cache.store.layout.object(artifact.kind, artifact.hash),
            artifact,
            new_files: growth.files,
            new_bytes: growth.bytes,
            lease_expires_at: claimed.expires_at,
            binding: claimed.binding,
            lease: claimed.lease,
        }
    }

    fn vanishing(&self) -> Error {
        let what = format!("the content of {} again and again", self.origin.location);
        Error::Busy { what, waited: std::time::Duration::ZERO }
    }
}

/// Tells whether a tree whose name is proven by its content comes to take the place of one whose name
/// was only taken over: nothing of it may be lost because the other was here first.
fn surpasses(manifest: &Manifest, known: Admission) -> bool {
    known.was_live() && known.doubtful && !matches!(manifest.rule, IdRule::Recorded { .. })
}

/// Returns the folders the paths lie in, each once.
fn parents<'p>(paths: impl IntoIterator<Item = &'p Path>) -> Vec<PathBuf> {
    let mut parents: Vec<PathBuf> = paths.into_iter().filter_map(Path::parent).map(Path::to_owned).collect();
    parents.sort_unstable();
    parents.dedup();
    parents
}
