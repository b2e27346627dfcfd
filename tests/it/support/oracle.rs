//! A store in a few maps: what the real one must hold after the same story.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ohmyartifacts::{Digest, ObjectKind, Timestamp};

use super::DAY;

/// An object's name and form.
pub(crate) type Key = (Digest, ObjectKind);
/// An owner and one of its names.
pub(crate) type Name = (&'static str, &'static str);

#[derive(Debug, Clone, Default)]
pub(crate) struct Object {
    /// What it takes on disk itself; a tree takes nothing.
    pub(crate) bytes: u64,
    /// Its files' bytes, each entry counted.
    pub(crate) size: u64,
    /// The blobs of a tree.
    pub(crate) members: BTreeSet<Key>,
    pub(crate) orphaned_at: Option<Timestamp>,
}

#[derive(Debug, Clone)]
pub(crate) struct Lease {
    serial: u64,
    object: Key,
    until: Timestamp,
}

/// Who reaches how much.
#[derive(Debug, Default, PartialEq, Eq, Clone, Copy)]
pub(crate) struct Share {
    pub(crate) exclusive: u64,
    pub(crate) shared: u64,
    pub(crate) logical: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Oracle {
    pub(crate) objects: BTreeMap<Key, Object>,
    pub(crate) bindings: BTreeMap<Name, Key>,
    pub(crate) pins: BTreeMap<Key, Option<Timestamp>>,
    leases: Vec<Lease>,
    serial: u64,
}

impl Oracle {
    /// A file was put in: nobody's lack of interest counts any more.
    pub(crate) fn admit_file(&mut self, key: Key, bytes: u64) {
        let object = self.objects.entry(key).or_default();
        (object.bytes, object.size, object.orphaned_at) = (bytes, bytes, None);
    }

    /// A tree was put in, and its files with it.
    pub(crate) fn admit_tree(&mut self, key: Key, files: &[(Key, u64)]) {
        for (blob, bytes) in files {
            self.admit_file(*blob, *bytes);
        }
        let members = files.iter().map(|(blob, _)| *blob).collect();
        let size = files.iter().map(|(_, bytes)| bytes).sum();
        self.objects.insert(key, Object { bytes: 0, size, members, orphaned_at: None });
    }

    pub(crate) fn lease(&mut self, object: Key, now: Timestamp) -> u64 {
        self.serial += 1;
        self.leases.push(Lease { serial: self.serial, object, until: now.plus(DAY) });
        self.serial
    }

    /// Uses up one lease: the one named, or else the object's oldest.
    pub(crate) fn use_lease(&mut self, object: Key, own: Option<u64>) {
        let chosen = self.leases.iter().position(|lease| match own {
            Some(serial) => lease.serial == serial,
            None => lease.object == object,
        });
        if let Some(chosen) = chosen {
            self.leases.remove(chosen);
        }
    }

    pub(crate) fn bind(&mut self, name: Name, object: Key, now: Timestamp) {
        let before = self.bindings.insert(name, object);
        self.reach(object);
        if let Some(before) = before.filter(|before| *before != object) {
            self.mark(before, now);
        }
    }

    pub(crate) fn unbind(&mut self, name: Name, now: Timestamp) -> Option<Key> {
        let object = self.bindings.remove(&name)?;
        self.mark(object, now);
        Some(object)
    }

    pub(crate) fn pin(&mut self, object: Key, until: Option<Timestamp>) {
        self.pins.insert(object, until);
        self.reach(object);
    }

    pub(crate) fn unpin(&mut self, object: Key, now: Timestamp) {
        if self.pins.remove(&object).is_some() {
            self.mark(object, now);
        }
    }

    /// Removes what may go; returns how many objects and bytes that were.
    pub(crate) fn gc(&mut self, now: Timestamp, delay: Duration) -> (u64, u64) {
        self.notice_what_time_let_go(now);
        let cutoff = now.minus(delay);
        let old = |object: &Object| object.orphaned_at.is_some_and(|since| since <= cutoff);
        let free = |key: &Key| !self.held(*key);
        let trees: BTreeSet<Key> = self
            .objects
            .iter()
            .filter(|(key, object)| key.1 == ObjectKind::Tree && old(object) && free(key))
            .map(|(key, _)| *key)
            .collect();
        let blobs: Vec<Key> = self
            .objects
            .iter()
            .filter(|(key, object)| {
                key.1 != ObjectKind::Tree && free(key) && (object.orphaned_at.is_none() || old(object))
            })
            .filter(|(key, _)| self.trees_with(**key).all(|(tree, _)| trees.contains(tree)))
            .map(|(key, _)| *key)
            .collect();
        let gone: Vec<Object> = trees.into_iter().chain(blobs).filter_map(|key| self.objects.remove(&key)).collect();
        (gone.len() as u64, gone.iter().map(|object| object.bytes).sum())
    }

    pub(crate) fn stored_bytes(&self) -> u64 {
        self.objects.values().map(|object| object.bytes).sum()
    }

    /// Returns what each owner reaches, and the bytes nobody does.
    pub(crate) fn shares(&self) -> (BTreeMap<&'static str, Share>, u64) {
        let mut reach: BTreeMap<Key, BTreeSet<&str>> = BTreeMap::new();
        let mut shares: BTreeMap<&str, Share> = BTreeMap::new();
        for ((owner, _), key) in &self.bindings {
            let object = &self.objects[key];
            shares.entry(owner).or_default().logical += object.size;
            for reached in object.members.iter().chain([key]) {
                reach.entry(*reached).or_default().insert(owner);
            }
        }
        for (key, owners) in &reach {
            for owner in owners {
                let share = shares.entry(owner).or_default();
                let part = if owners.len() == 1 { &mut share.exclusive } else { &mut share.shared };
                *part += self.objects[key].bytes;
            }
        }
        let lost = self.objects.iter().filter(|(key, _)| !reach.contains_key(key));
        (shares, lost.map(|(_, object)| object.bytes).sum())
    }

    fn notice_what_time_let_go(&mut self, now: Timestamp) {
        let mut released: Vec<Key> = Vec::new();
        self.leases.retain(|lease| {
            let holds = lease.until > now;
            released.extend((!holds).then_some(lease.object));
            holds
        });
        self.pins.retain(|key, until| {
            let holds = until.is_none_or(|until| until > now);
            released.extend((!holds).then_some(*key));
            holds
        });
        // Trees first: what only they hold is nobody's along with them.
        released.sort_by_key(|key| key.1 != ObjectKind::Tree);
        for key in released {
            self.mark(key, now);
        }
    }

    fn held(&self, key: Key) -> bool {
        self.bindings.values().any(|bound| *bound == key)
            || self.leases.iter().any(|lease| lease.object == key)
            || self.pins.contains_key(&key)
    }

    fn trees_with(&self, blob: Key) -> impl Iterator<Item = (&Key, &Object)> {
        self.objects.iter().filter(move |(_, tree)| tree.members.contains(&blob))
    }

    /// Something keeps an object from now on, and with a tree its files.
    fn reach(&mut self, key: Key) {
        let members = self.objects[&key].members.clone();
        for reached in members.into_iter().chain([key]) {
            self.objects.get_mut(&reached).expect("a tree's files are there").orphaned_at = None;
        }
    }

    fn mark(&mut self, key: Key, now: Timestamp) {
        let lost = !self.held(key) && self.trees_with(key).all(|(_, tree)| tree.orphaned_at.is_some());
        let object = self.objects.get_mut(&key).expect("it was held");
        if lost && object.orphaned_at.is_none() {
            object.orphaned_at = Some(now);
        }
    }
}
