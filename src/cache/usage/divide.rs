//! Divides what is stored among those who hold it.
//!
//! Why: "who uses how much" is one question, whether it is asked by owner, artifact, kind or age. Each
//! artifact belongs to one or more groups; everything stored is divided among the groups that reach it.
//! Guarantees: the shares and what nobody reaches add up to what is stored, to the byte; one pass over
//! objects and edges, in memory that grows with what is bound.
//! Must not know: what the groups mean.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::error::Result;
use crate::index::{ReadTx, StoredObject};

/// A place in the list of groups. The first ones get what does not divide evenly.
pub(super) type Group = usize;

/// What one group reaches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Share {
    pub(super) files: u64,
    pub(super) exclusive: u64,
    pub(super) shared: u64,
    pub(super) fair: u64,
}

impl Share {
    pub(super) fn total(&self) -> u64 {
        self.exclusive + self.shared
    }

    /// Adds an object that `holders` groups reach, of which this is the `place`-th.
    pub(super) fn add(&mut self, object: StoredObject, place: u64, holders: u64) {
        let bytes = object.own_bytes;
        self.files += u64::from(object.kind.is_file());
        if holders == 1 {
            self.exclusive += bytes;
        } else {
            self.shared += bytes;
        }
        // What does not divide evenly goes to the first ones, a byte each.
        self.fair += bytes / holders + u64::from(place < bytes % holders);
    }
}

/// Which groups an artifact belongs to. It is asked once an edge, so it is kept small.
#[derive(Debug, Default)]
pub(super) struct Holders {
    /// Where in `groups` those of an artifact stand.
    places: HashMap<i64, (u32, u32), BuildHasherDefault<RowHasher>>,
    groups: Vec<Group>,
}

/// Spreads ids of rows, which nobody chooses, by one multiplication.
#[derive(Debug, Default)]
struct RowHasher(u64);

impl Hasher for RowHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_i64(i64::from(*byte));
        }
    }

    fn write_i64(&mut self, id: i64) {
        let spread = (self.0 ^ id.cast_unsigned()).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 = spread ^ (spread >> 32);
    }
}

impl Holders {
    /// Takes pairs of an artifact and a group, in any order and as often as they come.
    pub(super) fn new(pairs: Vec<(i64, Group)>) -> Self {
        let mut pairs = pairs;
        pairs.sort_unstable();
        pairs.dedup();
        let mut places = HashMap::default();
        for ((object, _), at) in pairs.iter().zip(0u32..) {
            places.entry(*object).or_insert((at, at)).1 = at + 1;
        }
        Self { places, groups: pairs.into_iter().map(|(_, group)| group).collect() }
    }

    /// Returns the groups of an artifact; none if nobody has bound it.
    pub(super) fn of(&self, object: i64) -> &[Group] {
        self.places.get(&object).map_or(&[], |(from, to)| &self.groups[*from as usize..*to as usize])
    }
}

/// What everything stored comes to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Division {
    /// A share for each group.
    pub(super) shares: Vec<Share>,
    pub(super) stored_bytes: u64,
    /// Of this, what no group reaches.
    pub(super) unreached_bytes: u64,
}

/// Divides everything stored among `groups` groups.
pub(super) fn divide(tx: &ReadTx<'_>, holders: &Holders, groups: usize) -> Result<Division> {
    let mut division = Division { shares: vec![Share::default(); groups], ..Division::default() };
    let mut held = Held::new(holders, groups);
    tx.each_stored(|object, trees| division.add(object, held.holding(object.id, trees)))?;
    Ok(division)
}

/// Finds the groups that reach an object, one object after the other.
pub(super) struct Held<'h> {
    holders: &'h Holders,
    /// The number of the last object that a group was found to reach.
    seen: Vec<u32>,
    number: u32,
    several: Vec<Group>,
}

impl<'h> Held<'h> {
    pub(super) fn new(holders: &'h Holders, groups: usize) -> Self {
        Self { holders, seen: vec![0; groups], number: 0, several: Vec::new() }
    }

    /// Returns the groups that reach an object which these trees need, each once and in their order.
    pub(super) fn holding(&mut self, object: i64, trees: &[i64]) -> &[Group] {
        let holders = self.holders;
        // Most things are in one tree, or in none.
        match (holders.of(object), trees) {
            (direct, []) => direct,
            ([], [tree]) => holders.of(*tree),
            (direct, trees) => {
                self.begin();
                self.note(direct);
                for tree in trees {
                    self.note(holders.of(*tree));
                }
                self.several.sort_unstable();
                &self.several
            }
        }
    }

    fn begin(&mut self) {
        self.several.clear();
        self.number = self.number.checked_add(1).unwrap_or_else(|| {
            self.seen.fill(0);
            1
        });
    }

    /// A common file is in thousands of trees of few groups: only the groups need be sorted.
    fn note(&mut self, groups: &[Group]) {
        for group in groups {
            if std::mem::replace(&mut self.seen[*group], self.number) != self.number {
                self.several.push(*group);
            }
        }
    }
}

impl Division {
    fn add(&mut self, object: StoredObject, holding: &[Group]) {
        self.stored_bytes += object.own_bytes;
        if holding.is_empty() {
            self.unreached_bytes += object.own_bytes;
        }
        for (place, group) in (0u64..).zip(holding) {
            self.shares[*group].add(object, place, holding.len() as u64);
        }
    }
}
