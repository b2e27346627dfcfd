//! Divides what is stored among those who hold it.
//!
//! Why: "who uses how much" is one question, whether it is asked by owner, artifact, kind or age. Each
//! artifact belongs to one or more groups; everything stored is divided among the groups that reach it.
//! Guarantees: the shares and what nobody reaches add up to what is stored, to the byte; one pass over
//! objects and edges, in memory that grows with what is bound.
//! Must not know: what the groups mean.

use std::collections::HashMap;

use crate::error::Result;
use crate::index::{ReadTx, StoredObject};

/// A place in the list of groups. The first ones get what does not divide evenly.
pub(super) type Group = usize;

/// What one group reaches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::cache) struct Share {
    pub(super) files: u64,
    pub(super) exclusive: u64,
    pub(super) shared: u64,
    pub(super) fair: u64,
}

impl Share {
    pub(in crate::cache) fn total(&self) -> u64 {
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

/// Which groups an artifact belongs to.
#[derive(Debug, Default)]
pub(super) struct Holders {
    /// Where in `groups` those of an artifact stand.
    places: HashMap<i64, (usize, usize)>,
    groups: Vec<Group>,
}

impl Holders {
    /// Takes pairs of an artifact and a group, in any order and as often as they come.
    pub(super) fn new(pairs: Vec<(i64, Group)>) -> Self {
        let mut pairs = pairs;
        pairs.sort_unstable();
        pairs.dedup();
        let mut places = HashMap::with_capacity(pairs.len());
        for (at, (object, _)) in pairs.iter().enumerate() {
            places.entry(*object).or_insert((at, at)).1 = at + 1;
        }
        Self { places, groups: pairs.into_iter().map(|(_, group)| group).collect() }
    }

    /// Returns the groups of an artifact; none if nobody has bound it.
    pub(super) fn of(&self, object: i64) -> &[Group] {
        self.places.get(&object).map_or(&[], |(from, to)| &self.groups[*from..*to])
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
    each_held(tx, holders, |object, holding| division.add(object, holding))?;
    Ok(division)
}

/// Tells `each` of everything stored, with the groups that reach it, each once and in their order.
pub(super) fn each_held(
    tx: &ReadTx<'_>,
    holders: &Holders,
    mut each: impl FnMut(StoredObject, &[Group]),
) -> Result<()> {
    let mut several = Vec::new();
    tx.each_stored(|object, trees| {
        let direct = holders.of(object.id);
        // Most things are in one tree, or in none.
        let holding = match (direct, trees) {
            (direct, []) => direct,
            ([], [tree]) => holders.of(*tree),
            (direct, trees) => {
                several.clear();
                several.extend_from_slice(direct);
                for tree in trees {
                    several.extend_from_slice(holders.of(*tree));
                }
                several.sort_unstable();
                several.dedup();
                &several
            }
        };
        each(object, holding);
    })
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
