//! Gathers what is to leave, and keeps it until it has left.

use std::collections::BTreeMap;

use crate::cache::Cache;
use crate::cache::find::{Reference, lookup};
use crate::cache::travel::{Parcel, TravelName, TravelSource};
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::index::{BindingRow, Holder, ObjectRow, ReadTx};
use crate::model::{BindingName, ObjectKind, OwnerId};

/// What somebody wants to send.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Wanted<'a> {
    /// An artifact; by a name, that name travels too.
    One(Reference<'a>),
    /// Everything that an owner binds, with its names.
    AllOf(&'a OwnerId),
}

/// What is about to leave. It is protected from gc as long as this lives.
#[derive(Debug)]
#[must_use = "what leaves is protected only as long as this lives"]
pub(crate) struct Departure<'c> {
    cache: &'c Cache,
    /// Sorted by hash, a file's plain form before its executable one.
    pub(crate) parcels: Vec<Parcel>,
    leases: Vec<i64>,
}

impl Drop for Departure<'_> {
    fn drop(&mut self) {
        if self.leases.is_empty() {
            return;
        }
        // What cannot be released now ends with the session.
        let _ = self.cache.write(|tx| {
            for lease in &self.leases {
                let object = tx.end_lease(*lease)?;
                object.map_or(Ok(()), |object| tx.mark_if_orphan(object))?;
            }
            Ok(())
        });
    }
}

/// Artifacts that were found, and the names that go with each.
type Gathered = BTreeMap<(Digest, ObjectKind), (ObjectRow, Vec<BindingRow>)>;

impl Cache {
    /// Gathers artifacts and what travels with them, in one state of the rows. Sending is not using: no
    /// binding counts as used by it.
    ///
    /// # Errors
    /// As [`Cache::find`]; [`Error::NoSuchOwner`] for one that binds nothing; [`Error::Damaged`] if the file of
    /// an artifact is gone.
    pub(crate) fn depart(&self, wanted: &[Wanted<'_>]) -> Result<Departure<'_>> {
        if self.is_read_only() {
            // Who may not write may not lease either: a gc beside this is seen as a missing file.
            let parcels =
                self.read(|tx| self.gather(tx, wanted)?.into_values().map(|(o, n)| parcel(tx, o, n)).collect());
            return Ok(Departure { cache: self, parcels: parcels?, leases: Vec::new() });
        }
        // What is not there is said before anything is begun, as where there is no store yet.
        self.read(|tx| self.gather(tx, wanted))?;
        let session = self.session()?;
        let holder = Holder { session: session.name(), text: &self.holder };
        let mut leases = Vec::new();
        let parcels = self.write(|tx| {
            let mut parcels = Vec::new();
            for (object, names) in self.gather(tx, wanted)?.into_values() {
                tx.clear_orphan(object.id)?;
                leases.push(tx.lease_for(object.id, holder, "being sent")?);
                parcels.push(parcel(tx, object, names)?);
            }
            Ok(parcels)
        })?;
        Ok(Departure { cache: self, parcels, leases })
    }

    fn gather(&self, tx: &ReadTx<'_>, wanted: &[Wanted<'_>]) -> Result<Gathered> {
        let mut gathered = Gathered::new();
        for wanted in wanted {
            match wanted {
                Wanted::One(reference) => {
                    let (object, binding) = lookup(tx, *reference)?;
                    self.add(tx, &mut gathered, object, binding)?;
                }
                Wanted::AllOf(owner) => {
                    let bindings = tx.bindings_of(Some(owner))?;
                    if bindings.is_empty() {
                        return Err(Error::NoSuchOwner { owner: owner.to_string() });
                    }
                    for binding in bindings {
                        let object = self.live_object(tx, (&binding.artifact).into())?;
                        self.add(tx, &mut gathered, object, Some(binding))?;
                    }
                }
            }
        }
        for (_, names) in gathered.values_mut() {
            names.sort_by(|a, b| (&a.owner, &a.name).cmp(&(&b.owner, &b.name)));
            names.dedup_by_key(|name| name.id);
        }
        Ok(gathered)
    }

    fn add(
        &self,
        tx: &ReadTx<'_>,
        gathered: &mut Gathered,
        object: ObjectRow,
        binding: Option<BindingRow>,
    ) -> Result<()> {
        let object = self.live_object(tx, (&object.artifact()).into())?;
        gathered.entry((object.hash, object.kind)).or_insert_with(|| (object, Vec::new())).1.extend(binding);
        Ok(())
    }
}

fn parcel(tx: &ReadTx<'_>, object: ObjectRow, names: Vec<BindingRow>) -> Result<Parcel> {
    let entries = if object.kind == ObjectKind::Tree { tx.entries(object.id)? } else { Vec::new() };
    let mut sources: Vec<TravelSource> = tx.sources_of(object.id)?.into_iter().filter_map(TravelSource::of).collect();
    sources.sort_by(|a, b| (&a.kind, &a.location).cmp(&(&b.kind, &b.location)));
    let names = names.into_iter().map(travel_name).collect::<Result<_>>()?;
    Ok(Parcel { artifact: object.artifact(), rule: object.rule, entries, sources, names })
}

fn travel_name(row: BindingRow) -> Result<TravelName> {
    let BindingRow { owner, name, meta, extra, bound_by, .. } = row;
    let bound_by = bound_by.map(|by| by.parse()).transpose()?;
    Ok(TravelName { owner, name: BindingName::new(&name)?, meta, extra, bound_by })
}
