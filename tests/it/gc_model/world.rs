//! A store as plain maps: what its rows say, read without any of the program's queries.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use ohmyartifacts::{Class, Digest, ObjectKind};
use rusqlite::{Connection, Row};

/// An object's name and form.
pub(crate) type Key = (Digest, ObjectKind);
/// An owner's key and version; without a version it is empty.
pub(crate) type Owner = (String, String);

#[derive(Debug, Clone)]
pub(crate) struct Object {
    pub(crate) key: Key,
    pub(crate) bytes: u64,
    pub(crate) created_at: i64,
    pub(crate) orphaned_at: Option<i64>,
    pub(crate) class: Class,
    /// Who had a name for it last.
    pub(crate) last_owner: Option<Owner>,
    pub(crate) members: BTreeSet<i64>,
    /// The run that keeps it in the trash; none: it lies on the shelves.
    pub(crate) trash: Option<i64>,
}

impl Object {
    pub(crate) fn is_tree(&self) -> bool {
        self.key.1 == ObjectKind::Tree
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Binding {
    pub(crate) owner: Owner,
    pub(crate) name: String,
    pub(crate) object: i64,
    /// When it was bound or used last, or its artifact brought in.
    pub(crate) used_at: i64,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct World {
    pub(crate) now: i64,
    pub(crate) objects: BTreeMap<i64, Object>,
    pub(crate) bindings: BTreeMap<i64, Binding>,
    /// The ends of pins; none: for good.
    pub(crate) pins: BTreeMap<i64, Option<i64>>,
    pub(crate) leases: Vec<(i64, i64)>,
    pub(crate) budgets: BTreeMap<Owner, u64>,
    /// Until when each run keeps its trash.
    pub(crate) runs: BTreeMap<i64, i64>,
}

impl World {
    pub(crate) fn read(root: &Path, now: i64) -> Self {
        let index = Connection::open(root.join("index.sqlite")).unwrap();
        let mut world = Self { now, ..Self::default() };
        world.read_objects(&index);
        for (object, until) in rows(&index, "SELECT object_id, until FROM pins", |row| (get(row, 0), get(row, 1))) {
            world.pins.insert(object, until);
        }
        world.leases = rows(&index, "SELECT object_id, expires_at FROM leases", |row| (get(row, 0), get(row, 1)));
        let runs = "SELECT id, keep_until FROM gc_runs WHERE keep_until IS NOT NULL AND emptied_at IS NULL";
        world.runs = rows(&index, runs, |row| (get(row, 0), get(row, 1))).into_iter().collect();
        let budgets = "SELECT key, version, soft_budget FROM owners WHERE soft_budget IS NOT NULL";
        world.budgets = rows(&index, budgets, |row| ((get(row, 0), get(row, 1)), get(row, 2))).into_iter().collect();
        world.read_bindings(&index);
        world
    }

    fn read_objects(&mut self, index: &Connection) {
        let sql =
            "SELECT id, lower(hex(hash)), kind, own_bytes, created_at, orphaned_at, trash_run, state FROM objects";
        for (id, object) in rows(index, sql, |row| (get::<i64>(row, 0), object(row))) {
            self.objects.insert(id, object);
        }
        for (tree, file) in rows(index, "SELECT tree_id, blob_id FROM members", |row| (get::<i64>(row, 0), get(row, 1)))
        {
            self.objects.get_mut(&tree).unwrap().members.insert(file);
        }
        let sources = "SELECT object_id, kind FROM sources";
        for (id, kind) in rows(index, sources, |row| (get::<i64>(row, 0), get::<String>(row, 1))) {
            let class = match kind.as_str() {
                "url" => Class::Refetchable,
                "command" | "archive" => Class::Rebuildable,
                _ => Class::Irreplaceable,
            };
            let object = self.objects.get_mut(&id).unwrap();
            object.class = object.class.min(class);
        }
        let events = "SELECT lower(hex(hash)), kind, owner, version FROM events WHERE owner IS NOT NULL ORDER BY id";
        let named = |row: &Row<'_>| (key(row, 0), (get(row, 2), get::<Option<String>>(row, 3).unwrap_or_default()));
        let last: BTreeMap<Key, Owner> = rows(index, events, named).into_iter().collect();
        for object in self.objects.values_mut() {
            object.last_owner = last.get(&object.key).cloned();
        }
    }

    fn read_bindings(&mut self, index: &Connection) {
        let owners = "SELECT id, key, version FROM owners";
        let owners: BTreeMap<i64, Owner> =
            rows(index, owners, |row| (get(row, 0), (get(row, 1), get(row, 2)))).into_iter().collect();
        let sql = "SELECT id, owner_id, name, object_id, bound_at, last_used_at FROM bindings";
        for (id, owner, name, object, bound_at, used_at) in rows(index, sql, |row| {
            (get(row, 0), get::<i64>(row, 1), get(row, 2), get(row, 3), get::<i64>(row, 4), get::<Option<i64>>(row, 5))
        }) {
            let used_at = bound_at.max(used_at.unwrap_or(bound_at)).max(self.objects[&object].created_at);
            self.bindings.insert(id, Binding { owner: owners[&owner].clone(), name, object, used_at });
        }
    }

    /// What lies on the shelves, as the tests list them.
    pub(crate) fn shelves(&self, without: &BTreeSet<i64>) -> Vec<String> {
        let shelf = |kind| if kind == ObjectKind::Executable { "executables" } else { "artifacts" };
        let stays = self.objects.iter().filter(|(id, object)| object.trash.is_none() && !without.contains(id));
        let mut shelves: Vec<String> =
            stays.map(|(_, object)| format!("{}/{}", shelf(object.key.1), object.key.0)).collect();
        shelves.sort();
        shelves
    }

    /// An object and the files it needs.
    pub(crate) fn reach(&self, object: i64) -> impl Iterator<Item = i64> {
        self.objects[&object].members.iter().copied().chain([object])
    }

    pub(crate) fn bytes<'a>(&self, objects: impl IntoIterator<Item = &'a i64>) -> u64 {
        objects.into_iter().map(|id| self.objects[id].bytes).sum()
    }
}

fn object(row: &Row<'_>) -> Object {
    let (run, state): (Option<i64>, i64) = (get(row, 6), get(row, 7));
    assert_eq!(state, if run.is_some() { 2 } else { 0 }, "nothing is half done between two operations");
    Object {
        key: key(row, 1),
        bytes: get(row, 3),
        created_at: get(row, 4),
        orphaned_at: get(row, 5),
        class: Class::Irreplaceable,
        last_owner: None,
        members: BTreeSet::new(),
        trash: run,
    }
}

fn key(row: &Row<'_>, column: usize) -> Key {
    let kind = match get(row, column + 1) {
        0 => ObjectKind::Blob,
        1 => ObjectKind::Executable,
        _ => ObjectKind::Tree,
    };
    (get::<String>(row, column).parse().unwrap(), kind)
}

fn get<T: rusqlite::types::FromSql>(row: &Row<'_>, column: usize) -> T {
    row.get(column).unwrap()
}

fn rows<T>(index: &Connection, sql: &str, read: impl Fn(&Row<'_>) -> T) -> Vec<T> {
    let mut statement = index.prepare(sql).unwrap();
    statement.query_map([], |row| Ok(read(row))).unwrap().map(Result::unwrap).collect()
}
