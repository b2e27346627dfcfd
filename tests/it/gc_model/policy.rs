//! Random policies, and what their rules are about, told in a few lines of its own.

use std::fmt;
use std::time::Duration;

use ohmyartifacts::{Class, GcPolicy, GcRule, OwnerId, Room};
use proptest::prelude::*;

use super::story::OWNERS;
use super::world::Owner;

const PATTERNS: [&str; 7] = ["p", "p@1", "p*", "q", "?@2", "*", "nobody"];
/// In hours.
const SPANS: [u64; 7] = [0, 1, 2, 24, 48, 240, 2_000];

/// A policy by its parts: the program's own hides them.
#[derive(Clone)]
pub(crate) struct Policy {
    pub(crate) rules: Vec<GcRule>,
    pub(crate) collect_delay: Duration,
    pub(crate) min_age: Duration,
    pub(crate) only: Option<&'static str>,
    pub(crate) trash: bool,
}

/// As it would be written: a pattern shows its whole machine otherwise.
impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rules: Vec<String> = self.rules.iter().map(ToString::to_string).collect();
        let Self { collect_delay, min_age, only, trash, .. } = self;
        write!(f, "{rules:?}, delay {collect_delay:?}, min age {min_age:?}, only {only:?}, trash {trash}")
    }
}

fn span() -> impl Strategy<Value = Duration> {
    prop::sample::select(&SPANS[..]).prop_map(|hours| Duration::from_secs(hours * 60 * 60))
}

/// A rule says at least one thing.
fn rule() -> impl Strategy<Value = GcRule> {
    let class = prop::sample::select(vec![Class::Refetchable, Class::Rebuildable, Class::Irreplaceable]);
    let size = prop_oneof![1 => Just(0_u64), 3 => 0..1_500_u64];
    let room = prop_oneof![(1_000..3_000_u64).prop_map(Room::Bytes), (8..30_u8).prop_map(Room::Percent)];
    let about = (prop::option::weighted(0.4, prop::sample::select(&PATTERNS[..])), prop::option::weighted(0.2, class));
    let ages = (prop::option::weighted(0.3, span()), prop::option::weighted(0.3, span()));
    let sizes = (prop::option::weighted(0.4, size), prop::option::weighted(0.2, room));
    (about, ages, sizes, prop::option::weighted(0.5, span())).prop_map(
        |(about, ages, (max_size, min_free), min_age)| {
            let says_nothing = ages == (None, None) && max_size.is_none() && min_free.is_none();
            GcRule {
                owner: about.0.map(|pattern| pattern.parse().unwrap()),
                class: about.1,
                dead_for: ages.0,
                unused_for: ages.1,
                max_size: if says_nothing { Some(100) } else { max_size },
                min_free,
                min_age,
            }
        },
    )
}

pub(crate) fn policy() -> impl Strategy<Value = Policy> {
    let delay = prop_oneof![1 => Just(GcPolicy::COLLECT_DELAY), 2 => span()];
    let min_age = prop_oneof![1 => Just(GcPolicy::MIN_AGE), 1 => span()];
    let only = prop::option::weighted(0.2, prop::sample::select(&OWNERS[..]));
    (prop::collection::vec(rule(), 0..5), delay, min_age, only, prop::bool::weighted(0.35))
        .prop_map(|(rules, collect_delay, min_age, only, trash)| Policy { rules, collect_delay, min_age, only, trash })
}

/// Matches `*` and `?`.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, rest) => rest.is_none(),
        (Some((b'*', after)), rest) => glob(after, text) || rest.is_some_and(|(_, rest)| glob(pattern, rest)),
        (Some((wanted, after)), Some((found, rest))) => (*wanted == b'?' || wanted == found) && glob(after, rest),
        (Some(_), None) => false,
    }
}

pub(crate) fn is_about(rule: &GcRule, owner: Option<&Owner>, class: Class) -> bool {
    let meant = |(key, version): &Owner, pattern: &str| match (pattern.contains('@'), version.as_str()) {
        (true, "") | (false, _) => glob(pattern.as_bytes(), key.as_bytes()),
        (true, version) => glob(pattern.as_bytes(), format!("{key}@{version}").as_bytes()),
    };
    let owner_fits = match (&rule.owner, owner) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(pattern), Some(owner)) => meant(owner, pattern.as_str()),
    };
    owner_fits && rule.class.is_none_or(|wanted| wanted == class)
}

impl Policy {
    pub(crate) fn is_open_to(&self, owner: Option<&Owner>) -> bool {
        self.only.is_none_or(|only| {
            let (key, version) = only.split_once('@').unwrap_or((only, ""));
            owner.is_some_and(|(its, versions)| (its.as_str(), versions.as_str()) == (key, version))
        })
    }

    /// The first rule that is about it counts.
    pub(crate) fn dead_for(&self, owner: Option<&Owner>, class: Class) -> i64 {
        let mut rules = self.rules.iter().filter(|rule| is_about(rule, owner, class));
        millis(rules.find_map(|rule| rule.dead_for).unwrap_or(self.collect_delay))
    }

    pub(crate) fn min_age_of(&self, rule: &GcRule) -> i64 {
        millis(rule.min_age.unwrap_or(self.min_age))
    }

    /// How long a name must not have been used.
    pub(crate) fn idle_after(&self, owner: &Owner, class: Class) -> Option<i64> {
        let mut rules = self.rules.iter().filter(|rule| is_about(rule, Some(owner), class));
        let rule = rules.find(|rule| rule.unused_for.is_some())?;
        Some(millis(rule.unused_for?).max(self.min_age_of(rule)))
    }

    /// As the program wants it.
    pub(crate) fn build(&self) -> GcPolicy {
        let policy = GcPolicy::default().collect_delay(self.collect_delay).min_age(self.min_age);
        let policy = self.rules.iter().cloned().fold(policy, GcPolicy::rule);
        let policy = policy.trash(self.trash.then_some(Duration::from_secs(24 * 60 * 60)));
        match self.only {
            Some(only) => policy.only(only.parse::<OwnerId>().unwrap()),
            None => policy,
        }
    }
}

pub(crate) fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap()
}
