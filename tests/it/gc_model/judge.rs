//! What clean-up must take from a store of a few maps, found by looking at everything every time.

use std::collections::BTreeSet;

use super::policy::Policy;
use super::world::{Owner, World};

/// What protects an artifact, whatever is bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Guard {
    Pin,
    Lease,
}

/// What a clean-up comes to.
pub(crate) struct Judge<'a> {
    pub(crate) world: &'a World,
    pub(crate) policy: &'a Policy,
    /// Orphans whose time is over.
    pub(crate) due: BTreeSet<i64>,
    /// What leases and pins that ran out hold no longer.
    released: BTreeSet<i64>,
    /// Bindings that stop counting.
    pub(crate) let_go: BTreeSet<i64>,
    /// Objects that leave the shelves.
    pub(crate) gone: BTreeSet<i64>,
    /// Runs whose trash goes, and what of it goes.
    pub(crate) purged_runs: BTreeSet<i64>,
    pub(crate) purged: BTreeSet<i64>,
    /// Whether what goes is kept in the trash.
    pub(crate) trash: bool,
}

impl<'a> Judge<'a> {
    /// Decides all that is a matter of age.
    pub(crate) fn of_ages(world: &'a World, policy: &'a Policy) -> Self {
        let empty = BTreeSet::new;
        let (due, released, let_go, gone) = (empty(), empty(), empty(), empty());
        let (purged_runs, purged, trash) = (empty(), empty(), policy.trash);
        let mut judge = Self { world, policy, due, released, let_go, gone, purged_runs, purged, trash };
        judge.note_what_is_due();
        let idle = judge.idle();
        judge.let_idle_go(&idle, true);
        judge.fall(true);
        let over: Vec<i64> = world.runs.iter().filter(|(_, until)| **until <= world.now).map(|(run, _)| *run).collect();
        judge.purge(&over);
        judge.let_idle_go(&idle, false);
        judge.fall(false);
        judge
    }

    fn note_what_is_due(&mut self) {
        let world = self.world;
        for (id, object) in world.objects.iter().filter(|(_, object)| object.trash.is_none()) {
            let owner = object.last_owner.as_ref();
            if !self.policy.is_open_to(owner) {
                continue;
            }
            let delay = self.policy.dead_for(owner, object.class);
            if object.orphaned_at.is_some_and(|since| since + delay <= world.now) {
                self.due.insert(*id);
            }
            // The delay of what has just lost its last hold begins now.
            if delay == 0 {
                self.released.insert(*id);
            }
        }
    }

    /// Bindings that nobody has used for long.
    fn idle(&self) -> BTreeSet<i64> {
        let is_idle = |owner: &Owner, object: i64, used_at: i64| {
            let after = self.policy.idle_after(owner, self.world.objects[&object].class);
            self.policy.is_open_to(Some(owner)) && after.is_some_and(|after| used_at <= self.world.now - after)
        };
        let bindings = self.world.bindings.iter();
        bindings.filter(|(_, b)| is_idle(&b.owner, b.object, b.used_at)).map(|(id, _)| *id).collect()
    }

    /// An artifact goes idle only with all its names.
    fn let_idle_go(&mut self, idle: &BTreeSet<i64>, trees: bool) {
        for object in self.world.objects.keys().filter(|id| self.world.objects[id].is_tree() == trees) {
            let names: BTreeSet<i64> = self.names(*object).collect();
            if names.is_subset(idle) && self.guard(*object).is_none() && !self.is_in_a_tree(*object) {
                self.let_go.extend(names);
            }
        }
    }

    /// The bindings of an object that count.
    pub(crate) fn names(&self, object: i64) -> impl Iterator<Item = i64> {
        let names = self.world.bindings.iter().filter(move |(_, binding)| binding.object == object);
        names.map(|(id, _)| *id).filter(|id| !self.let_go.contains(id))
    }

    pub(crate) fn guard(&self, object: i64) -> Option<Guard> {
        let holds =
            |until: Option<i64>| until.is_none_or(|until| until > self.world.now) || !self.released.contains(&object);
        let leased = self.world.leases.iter().any(|(held, until)| *held == object && holds(Some(*until)));
        match self.world.pins.get(&object) {
            Some(until) if holds(*until) => Some(Guard::Pin),
            _ => leased.then_some(Guard::Lease),
        }
    }

    /// Whether a directory that stays, on the shelves or in the trash, needs a file.
    pub(crate) fn is_in_a_tree(&self, file: i64) -> bool {
        let mut trees = self.world.objects.iter().filter(|(_, tree)| tree.members.contains(&file));
        trees.any(|(id, _)| !self.gone.contains(id) && !self.purged.contains(id))
    }

    fn may_fall(&self, id: i64) -> bool {
        let object = &self.world.objects[&id];
        object.trash.is_none()
            && (object.orphaned_at.is_none() || self.due.contains(&id))
            && self.names(id).next().is_none()
            && self.guard(id).is_none()
            && !self.is_in_a_tree(id)
    }

    /// Everything goes that nothing holds.
    pub(crate) fn fall(&mut self, trees: bool) {
        let kind = self.world.objects.iter().filter(|(_, object)| object.is_tree() == trees);
        let falling: Vec<i64> = kind.map(|(id, _)| *id).filter(|id| self.may_fall(*id)).collect();
        self.gone.extend(falling);
    }

    /// What runs keep in the trash goes for good, but for files that something else needs.
    pub(crate) fn purge(&mut self, runs: &[i64]) {
        self.purged_runs.extend(runs);
        for trees in [true, false] {
            let world = self.world;
            for (id, object) in world.objects.iter().filter(|(_, object)| object.is_tree() == trees) {
                if object.trash.is_some_and(|run| self.purged_runs.contains(&run)) && !self.is_in_a_tree(*id) {
                    self.purged.insert(*id);
                }
            }
        }
    }

    /// Objects that the report names: directories, and files that were somebody's or went alone.
    pub(crate) fn artifacts(&self) -> BTreeSet<i64> {
        let mine = |id: &i64| self.world.bindings.values().any(|binding| binding.object == *id);
        let with_a_tree = |id: &i64| self.gone.iter().any(|tree| self.world.objects[tree].members.contains(id));
        let is_artifact = |id: &i64| {
            let object = &self.world.objects[id];
            object.is_tree() || object.orphaned_at.is_some() || mine(id) || !with_a_tree(id)
        };
        self.gone.iter().copied().filter(is_artifact).collect()
    }
}
