//! Binds and unbinds names.

use crate::cache::attached::note_agreed;
use crate::cache::budget::{Allowance, refuse_to_publish};
use crate::cache::{Binding, Cache, Ingested};
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::index::{BindingNote, BindingRow, Happening, ObjectRow, ReadTx, What, WriteTx};
use crate::model::{Artifact, BindingName, Metadata, ObjectKind, OwnerId};
use crate::store::Record;
use crate::time::Timestamp;

/// How to bind.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct BindOptions {
    pub(crate) force: bool,
    pub(crate) meta: Option<Metadata>,
    /// For what is taken over from another program: when it was bound there.
    pub(crate) bound_at: Option<Timestamp>,
    /// Keys another program keeps beside the binding.
    pub(crate) extra: Option<Metadata>,
    /// Who binds on behalf of the owner.
    pub(crate) bound_by: Option<OwnerId>,
    /// For what comes back from the trash: when it was last used, and which run had taken it.
    pub(crate) last_used_at: Option<Timestamp>,
    pub(crate) restored_from: Option<i64>,
}

impl BindOptions {
    /// Without force: a taken name is an error, even if it stands for the same artifact.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the name from what it stood for; the old metadata goes with it.
    pub fn force(mut self, force: bool) -> Self {
        self.force = force;
        self
    }

    /// Notes something beside the binding.
    pub fn meta(mut self, meta: Metadata) -> Self {
        self.meta = Some(meta);
        self
    }

    /// Says who binds it, if that is not the owner itself: the artifact goes when the owner goes.
    pub fn bound_by(mut self, by: OwnerId) -> Self {
        self.bound_by = Some(by);
        self
    }
}

/// What is to be bound: an artifact just put in, or one known by its hash.
#[derive(Debug, Clone, Copy)]
pub struct ArtifactRef {
    hash: Digest,
    kind: Option<ObjectKind>,
    lease: Option<i64>,
}

impl From<Digest> for ArtifactRef {
    fn from(hash: Digest) -> Self {
        Self { hash, kind: None, lease: None }
    }
}

impl From<&Artifact> for ArtifactRef {
    fn from(artifact: &Artifact) -> Self {
        Self { hash: artifact.hash, kind: Some(artifact.kind), lease: None }
    }
}

impl From<&Ingested> for ArtifactRef {
    fn from(ingested: &Ingested) -> Self {
        Self { lease: ingested.lease, ..Self::from(&ingested.artifact) }
    }
}

/// A binding about to be made.
pub(crate) struct Link<'a> {
    pub(crate) owner: &'a OwnerId,
    pub(crate) name: &'a BindingName,
    pub(crate) object: i64,
    pub(crate) artifact: &'a Artifact,
    pub(crate) options: &'a BindOptions,
}

impl Cache {
    pub(crate) fn find_binding(&self, owner: &OwnerId, name: &BindingName) -> Result<Option<BindingRow>> {
        self.read(|tx| match tx.find_owner(owner)? {
            Some(owner) => tx.find_binding(owner, name),
            None => Ok(None),
        })
    }

    pub(super) fn bind(
        &self,
        owner: &OwnerId,
        name: &BindingName,
        what: ArtifactRef,
        options: &BindOptions,
    ) -> Result<Binding> {
        if self.goes_elsewhere(owner)? {
            self.read(|tx| refuse_to_publish(tx, owner, name, self.live_object(tx, what)?.id))?;
        }
        let spaces = self.publish_binding(owner, name, what, options)?;
        self.write(|tx| {
            let object = self.live_object(tx, what)?;
            match what.lease {
                Some(lease) => tx.release_lease(lease)?,
                None => tx.release_oldest_lease(object.id)?,
            }
            let artifact = object.artifact();
            let binding = self.link(tx, &Link { owner, name, object: object.id, artifact: &artifact, options })?;
            let agreed = (artifact.hash, options.meta.as_ref(), binding.bound_at);
            note_agreed(tx, &spaces, owner, name, agreed)?;
            Ok(binding)
        })
    }

    /// Returns the row of an artifact whose file is there too.
    pub(crate) fn live_object(&self, tx: &ReadTx<'_>, what: ArtifactRef) -> Result<ObjectRow> {
        let found = match what.kind {
            Some(kind) => tx.find_form(what.hash, kind)?.filter(|row| row.state == crate::index::State::Live),
            None => tx.find_object(what.hash)?,
        };
        let object = found.ok_or(Error::NoSuchObject { hash: what.hash })?;
        if self.store.holds(object.kind, object.hash, object.size)? {
            return Ok(object);
        }
        let path = self.store.layout.object(object.kind, object.hash);
        Err(Error::Damaged { hash: object.hash, path, detail: "its file is gone".to_owned() })
    }

    /// Makes a binding in a running transaction; the object must be live.
    pub(crate) fn link(&self, tx: &WriteTx<'_>, link: &Link<'_>) -> Result<Binding> {
        let Link { owner, name, object, artifact, options } = *link;
        let owner_id = tx.ensure_owner(owner)?;
        let before = tx.find_binding(owner_id, name)?;
        if let Some(taken) = before.as_ref().filter(|_| !options.force) {
            return Err(Error::BindingExists {
                owner: owner.to_string(),
                name: name.to_string(),
                existing: taken.artifact.hash,
            });
        }
        let meta = options.meta.as_ref().map(Metadata::to_stored);
        let extra = options.extra.as_ref().map(Metadata::to_stored);
        let bound_at = options.bound_at.unwrap_or(tx.now());
        let by = options.bound_by.as_ref().filter(|by| *by != owner).map(ToString::to_string);
        let note_beside = BindingNote {
            object,
            meta: meta.as_deref(),
            extra: extra.as_deref(),
            bound_at,
            last_used_at: options.last_used_at,
            bound_by: by.as_deref(),
        };
        let allowance = Allowance::of(tx, owner_id, owner)?;
        tx.put_binding(owner_id, name, note_beside)?;
        if let Some(allowance) = allowance {
            allowance.check(tx)?;
        }
        tx.clear_orphan(object)?;
        if let Some(before) = before.as_ref().filter(|before| before.object_id != object) {
            Parting::of(What::Rebind).note(tx, before)?;
            tx.mark_if_orphan(before.object_id)?;
        }
        let what = if options.restored_from.is_some() { What::Restore } else { What::Bind };
        tx.record(Happening {
            detail: by.as_deref(),
            run: options.restored_from,
            ..Happening::to_name(what, artifact, owner, name.as_str())
        })?;
        let record = Record {
            seq: tx.next_seq()?,
            at: bound_at,
            owner: owner.key(),
            version: owner.version(),
            name: name.as_str(),
            hash: Some(artifact.hash),
            kind: Some(artifact.kind.form()),
            meta: meta.as_deref(),
        };
        self.store.append_journal(tx.token(), &[record])?;
        Ok(Binding {
            owner: owner.clone(),
            name: name.to_string(),
            artifact: artifact.clone(),
            meta: options.meta.clone(),
            bound_at,
            last_used_at: None,
            space: None,
            bound_by: by,
        })
    }

    /// Lets names go, and what is declared under them; returns what they stood for. A name that was not
    /// bound is no error.
    pub(super) fn unbind(&self, owner: &OwnerId, names: &[BindingName]) -> Result<Vec<Binding>> {
        let spaces = self.retract_bindings(owner, names)?;
        let nothing = self
            .read(|tx| Ok(bound_names(tx, owner, names)?.is_empty() && declared_names(tx, owner, names)?.is_empty()))?;
        if nothing {
            return Ok(Vec::new());
        }
        self.with_reserve(|| {
            self.write(|tx| {
                for (space, name) in spaces.iter().flat_map(|space| names.iter().map(move |name| (space, name))) {
                    tx.drop_space_binding(space.id, owner, name.as_str())?;
                }
                self.let_go(tx, owner, names)
            })
        })
    }

    pub(crate) fn let_go(&self, tx: &WriteTx<'_>, owner: &OwnerId, names: &[BindingName]) -> Result<Vec<Binding>> {
        let bound = bound_names(tx, owner, names)?;
        for binding in &bound {
            self.drop_binding(tx, binding, Parting::of(What::Unbind))?;
        }
        for (owner, name) in declared_names(tx, owner, names)? {
            tx.drop_declaration(owner, name)?;
        }
        Ok(bound.into_iter().map(Binding::from).collect())
    }

    /// Removes a binding and writes down why.
    pub(super) fn drop_binding(&self, tx: &WriteTx<'_>, binding: &BindingRow, why: Parting<'_>) -> Result<()> {
        tx.delete_binding(binding.id)?;
        if matches!(why.what, What::Unbind | What::Remove) {
            // Its time begins now, whatever was noted while an owner was thought to be gone.
            tx.clear_orphan(binding.object_id)?;
        }
        tx.mark_if_orphan(binding.object_id)?;
        why.note(tx, binding)?;
        self.store.append_journal(tx.token(), &[unbound(tx, binding)?])
    }
}

/// The journal's record that a binding is no more.
pub(super) fn unbound<'b>(tx: &WriteTx<'_>, binding: &'b BindingRow) -> Result<Record<'b>> {
    Ok(Record {
        seq: tx.next_seq()?,
        at: tx.now(),
        owner: binding.owner.key(),
        version: binding.owner.version(),
        name: &binding.name,
        hash: None,
        kind: None,
        meta: None,
    })
}

fn bound_names(tx: &ReadTx<'_>, owner: &OwnerId, names: &[BindingName]) -> Result<Vec<BindingRow>> {
    let Some(owner) = tx.find_owner(owner)? else { return Ok(Vec::new()) };
    let mut bound: Vec<BindingRow> = Vec::new();
    for name in names {
        let binding = tx.find_binding(owner, name)?;
        bound.extend(binding.filter(|binding| bound.iter().all(|known| known.id != binding.id)));
    }
    Ok(bound)
}

/// Returns the names under which something is declared, with the owner's row.
fn declared_names<'n>(
    tx: &ReadTx<'_>,
    owner: &OwnerId,
    names: &'n [BindingName],
) -> Result<Vec<(i64, &'n BindingName)>> {
    let Some(owner) = tx.find_owner(owner)? else { return Ok(Vec::new()) };
    let mut declared = Vec::new();
    for name in names {
        declared.extend(tx.find_declaration(owner, name)?.map(|_| (owner, name)));
    }
    Ok(declared)
}

/// Why a binding goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parting<'a> {
    pub(super) what: What,
    /// The run of gc that lets it go.
    pub(super) run: Option<i64>,
    /// By which rule, or to whom.
    pub(super) detail: Option<&'a str>,
}

impl Parting<'_> {
    pub(super) const fn of(what: What) -> Self {
        Self { what, run: None, detail: None }
    }

    /// Writes down what happened to a binding, and what it was.
    pub(super) fn note(self, tx: &WriteTx<'_>, binding: &BindingRow) -> Result<()> {
        let was = serde_json::json!({
            "meta": binding.meta.as_ref().map(Metadata::to_stored),
            "extra": binding.extra.as_ref().map(Metadata::to_stored),
            "bound_at": binding.bound_at.as_millis(),
            "bound_by": binding.bound_by,
        });
        tx.record(Happening {
            run: self.run,
            detail: self.detail,
            was: Some(&was.to_string()),
            ..Happening::to_name(self.what, &binding.artifact, &binding.owner, &binding.name)
        })
    }
}
