//! Rules about size, by the words of their documentation: one artifact after the other, all counted anew
//! after each.

use std::collections::BTreeSet;

use ohmyartifacts::{Class, GcHeldBack, GcLimit, GcRule};

use super::judge::{Guard, Judge};
use super::policy::is_about;
use super::story::{FREE, TOTAL};

/// What a rule about size comes to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Limit {
    pub(crate) bytes: u64,
    pub(crate) before: u64,
    pub(crate) after: u64,
    pub(crate) reached: bool,
    pub(crate) held_back: GcHeldBack,
}

impl Limit {
    /// What the program says. A limit that is reached needs no reasons.
    pub(crate) fn of(limit: &GcLimit) -> Self {
        Self {
            bytes: limit.limit_bytes,
            before: limit.before_bytes,
            after: limit.after_bytes,
            reached: limit.reached,
            held_back: if limit.reached { GcHeldBack::default() } else { limit.held_back },
        }
    }
}

#[derive(Clone, Copy)]
enum Measure {
    /// What lies on the shelves.
    Shelves,
    /// What the names reach that the rule is about.
    Names,
    /// What is free on the disk.
    Free,
}

/// One thing that may go.
#[derive(Debug, Clone)]
struct Candidate {
    object: i64,
    is_orphan: bool,
    class: Class,
    since: i64,
}

struct Ruling<'j, 'a> {
    judge: &'j mut Judge<'a>,
    rule: &'j GcRule,
    measure: Measure,
    limit: u64,
}

impl Judge<'_> {
    /// Decides what goes for the sake of room.
    pub(crate) fn make_room(&mut self) -> Vec<Limit> {
        let is_about_all = |rule: &&GcRule| rule.owner.is_none() && rule.class.is_none();
        let sizes = || self.policy.rules.iter().filter(|rule| rule.max_size.is_some());
        let mut order: Vec<(&GcRule, Measure)> = Vec::new();
        order.extend(sizes().filter(|rule| !is_about_all(rule)).map(|rule| (rule, Measure::Names)));
        order.extend(sizes().filter(is_about_all).map(|rule| (rule, Measure::Shelves)));
        let room = self.policy.rules.iter().filter(|rule| rule.min_free.is_some());
        order.extend(room.map(|rule| (rule, Measure::Free)));
        order.into_iter().map(|(rule, measure)| self.obey(rule, measure)).collect()
    }

    fn obey(&mut self, rule: &GcRule, measure: Measure) -> Limit {
        let limit = match measure {
            Measure::Free => rule.min_free.unwrap().of(TOTAL),
            _ => rule.max_size.unwrap(),
        };
        let mut ruling = Ruling { judge: self, rule, measure, limit };
        if matches!(measure, Measure::Free) {
            ruling.give_up_trash();
        }
        let before = ruling.level();
        let held_back = ruling.take();
        let held_back = if ruling.holds() { GcHeldBack::default() } else { held_back };
        Limit { bytes: limit, before, after: ruling.level(), reached: ruling.holds(), held_back }
    }
}

impl Ruling<'_, '_> {
    fn level(&self) -> u64 {
        let (judge, world) = (&*self.judge, self.judge.world);
        match self.measure {
            Measure::Shelves => {
                let on_shelves = world.objects.iter().filter(|(_, object)| object.trash.is_none());
                world.bytes(on_shelves.map(|(id, _)| id).filter(|id| !judge.gone.contains(id)))
            }
            Measure::Names => {
                let bound =
                    world.bindings.iter().filter(|(id, _)| self.is_about_name(**id) && !judge.let_go.contains(id));
                let reached: BTreeSet<i64> = bound.flat_map(|(_, binding)| world.reach(binding.object)).collect();
                world.bytes(&reached)
            }
            Measure::Free => {
                let freed = if judge.trash { 0 } else { world.bytes(&judge.gone) };
                FREE + freed + world.bytes(&judge.purged)
            }
        }
    }

    fn holds(&self) -> bool {
        match self.measure {
            Measure::Free => self.level() >= self.limit,
            _ => self.level() <= self.limit,
        }
    }

    /// Where the disk is too full nothing is kept in the trash, and what lies there goes, the oldest first.
    fn give_up_trash(&mut self) {
        if !self.holds() {
            self.judge.trash = false;
        }
        for run in self.judge.world.runs.keys() {
            if !self.holds() && !self.judge.purged_runs.contains(run) {
                self.judge.purge(&[*run]);
                self.judge.fall(false);
            }
        }
    }

    fn is_about_name(&self, binding: i64) -> bool {
        let binding = &self.judge.world.bindings[&binding];
        let class = self.judge.world.objects[&binding.object].class;
        self.judge.policy.is_open_to(Some(&binding.owner)) && is_about(self.rule, Some(&binding.owner), class)
    }

    /// The names of an artifact that the rule is about.
    fn names(&self, object: i64) -> Vec<i64> {
        self.judge.names(object).filter(|id| self.is_about_name(*id)).collect()
    }

    fn candidates(&self) -> Vec<Candidate> {
        let judge = &*self.judge;
        let mut candidates = Vec::new();
        // What lies in the trash is nobody's to take any more.
        let here = judge.world.objects.iter().filter(|(id, object)| !judge.gone.contains(id) && object.trash.is_none());
        for (id, object) in here {
            let owner = object.last_owner.as_ref();
            let used = self.names(*id).into_iter().map(|name| judge.world.bindings[&name].used_at).max();
            let waits = || object.orphaned_at.filter(|_| !matches!(self.measure, Measure::Names));
            let ours = judge.policy.is_open_to(owner) && is_about(self.rule, owner, object.class);
            let Some(since) = used.or_else(|| waits().filter(|_| ours)) else { continue };
            candidates.push(Candidate { object: *id, is_orphan: used.is_none(), class: object.class, since });
        }
        candidates.sort_by_key(|candidate| (candidate.class, candidate.since, candidate.object));
        candidates
    }

    fn take(&mut self) -> GcHeldBack {
        let mut held = GcHeldBack::default();
        if self.holds() {
            return held;
        }
        let mut open = self.candidates();
        open.retain(|candidate| self.may_go(candidate, &mut held));
        self.take_while(&mut open, |_, candidate| candidate.is_orphan);
        self.take_while(&mut open, |ruling, candidate| !candidate.is_orphan && ruling.is_over_budget(candidate));
        self.take_while(&mut open, |_, candidate| !candidate.is_orphan);
        // A file goes only after the directories that need it, orphans first as before.
        open.sort_by_key(|candidate| !candidate.is_orphan);
        let mut before = usize::MAX;
        while open.len() < before {
            before = open.len();
            self.take_while(&mut open, |_, _| true);
        }
        held.shared = open.len() as u64;
        held
    }

    fn take_while(&mut self, open: &mut Vec<Candidate>, wanted: impl Fn(&Self, &Candidate) -> bool) {
        open.retain(|candidate| self.holds() || !wanted(self, candidate) || !self.take_one(candidate));
    }

    fn may_go(&self, candidate: &Candidate, held: &mut GcHeldBack) -> bool {
        let young = self.judge.world.now - self.judge.policy.min_age_of(self.rule);
        let count = match self.judge.guard(candidate.object) {
            _ if candidate.class == Class::Irreplaceable => &mut held.irreplaceable,
            _ if candidate.since > young => &mut held.young,
            Some(Guard::Pin) => &mut held.pinned,
            Some(Guard::Lease) => &mut held.leased,
            None => return true,
        };
        *count += 1;
        false
    }

    /// Whether an owner that has it bound holds more than its soft budget.
    fn is_over_budget(&self, candidate: &Candidate) -> bool {
        let (judge, world) = (&*self.judge, self.judge.world);
        self.names(candidate.object).iter().any(|name| {
            let owner = &world.bindings[name].owner;
            let theirs = world.bindings.iter().filter(|(id, b)| b.owner == *owner && !judge.let_go.contains(id));
            let reached: BTreeSet<i64> = theirs.flat_map(|(_, binding)| world.reach(binding.object)).collect();
            world.budgets.get(owner).is_some_and(|soft| world.bytes(&reached) > *soft)
        })
    }

    /// Lets go the names the rule is about, and takes what nothing holds then. False: it stays, all of it.
    fn take_one(&mut self, candidate: &Candidate) -> bool {
        let names = self.names(candidate.object);
        let (let_go, due) = (self.judge.let_go.clone(), self.judge.due.clone());
        self.judge.let_go.extend(names);
        self.judge.due.extend(candidate.is_orphan.then_some(candidate.object));
        self.judge.fall(true);
        self.judge.fall(false);
        let taken = self.judge.gone.contains(&candidate.object) || matches!(self.measure, Measure::Names);
        if !taken {
            (self.judge.let_go, self.judge.due) = (let_go, due);
        }
        taken
    }
}
