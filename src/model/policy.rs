//! What clean-up is asked to do: rules, what they look at, and what they limit.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::error::{Error, Result};
use crate::model::object::choice;
use crate::model::{OwnerId, OwnerPattern};
use crate::size::{format_size, parse_size};
use crate::time::{format_duration, parse_duration};

/// How an artifact can be had again, judged by where it came from. The order is the order in which
/// rules about size take things.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// It was downloaded, and its address is known.
    Refetchable,
    /// A command, or a program's own code, made it.
    Rebuildable,
    /// Somebody put it in: nobody knows how to get it back. Rules about size never take it.
    Irreplaceable,
}

choice!(Class, "class", Refetchable => "refetchable", Rebuildable => "rebuildable",
    Irreplaceable => "irreplaceable");

/// Room on a disk: bytes, or a part of all there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// So many bytes.
    Bytes(u64),
    /// So many hundredths of the filesystem, 0 to 100.
    Percent(u8),
}

impl Room {
    /// Returns the bytes, of a filesystem that has `total`.
    #[must_use]
    pub fn of(self, total: u64) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Percent(percent) => total / 100 * u64::from(percent) + total % 100 * u64::from(percent) / 100,
        }
    }
}

impl FromStr for Room {
    type Err = Error;

    /// Parses a size such as `10GiB`, or a whole percentage such as `15%`.
    fn from_str(text: &str) -> Result<Self> {
        let bad = |reason: &str| Error::invalid("size or percentage", text, reason);
        match text.strip_suffix('%') {
            Some(number) => match number.parse() {
                Ok(percent) if percent <= 100 => Ok(Self::Percent(percent)),
                _ => Err(bad("a percentage is a whole number from 0 to 100")),
            },
            None => parse_size(text).map(Self::Bytes).map_err(|error| bad(&error.to_string())),
        }
    }
}

impl fmt::Display for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => f.pad(&format_size(*bytes)),
            Self::Percent(percent) => f.pad(&format!("{percent}%")),
        }
    }
}

/// What clean-up may take: whose, of which class, and when. What a rule does not say it does not change.
///
/// Of several rules that say how old or how long unused something must be, the first that is about it
/// counts; every limit of size holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GcRule {
    /// Whose artifacts it is about; none: everybody's.
    pub owner: Option<OwnerPattern>,
    /// Which class it is about; none: every class.
    pub class: Option<Class>,
    /// An artifact that nothing keeps goes after so long.
    pub dead_for: Option<Duration>,
    /// An artifact that nobody has looked up for so long goes, though it is bound.
    pub unused_for: Option<Duration>,
    /// What these owners hold, or without any the whole store, may take so many bytes.
    pub max_size: Option<u64>,
    /// So much of the filesystem is to be free.
    pub min_free: Option<Room>,
    /// `unused_for`, `max_size` and `min_free` take nothing that was bound, used or let go more recently.
    pub min_age: Option<Duration>,
}

impl GcRule {
    /// Tells whether the rule is about everything.
    #[must_use]
    pub fn is_about_all(&self) -> bool {
        self.owner.is_none() && self.class.is_none()
    }

    /// Tells whether the rule is about an owner's artifacts of a class. What was never anybody's only rules
    /// without an owner are about.
    #[must_use]
    pub fn is_about(&self, owner: Option<&OwnerId>, class: Class) -> bool {
        let meant = |pattern: &OwnerPattern| owner.is_some_and(|owner| pattern.matches(owner));
        self.owner.as_ref().is_none_or(meant) && self.class.is_none_or(|wanted| wanted == class)
    }
}

impl GcRule {
    /// The keys a rule may have, in the order in which it is written.
    pub const KEYS: [&'static str; 7] = ["owner", "class", "dead_for", "unused_for", "max_size", "min_free", "min_age"];

    /// Returns what the rule says, key by key, as [`GcRule::set`] reads it.
    #[must_use]
    pub fn fields(&self) -> Vec<(&'static str, String)> {
        let values = [
            self.owner.as_ref().map(ToString::to_string),
            self.class.map(|class| class.to_string()),
            self.dead_for.map(format_duration),
            self.unused_for.map(format_duration),
            self.max_size.map(format_size),
            self.min_free.map(|room| room.to_string()),
            self.min_age.map(format_duration),
        ];
        Self::KEYS.into_iter().zip(values).filter_map(|(key, value)| Some((key, value?))).collect()
    }

    /// Sets one key to a value as it is written.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an unknown key, naming the known ones, and for a value that is not one.
    pub fn set(&mut self, key: &str, value: &str) -> Result<()> {
        let span = || parse_duration(value).map_err(|error| Error::invalid("duration", value, error.to_string()));
        match key {
            "owner" => self.owner = Some(value.parse()?),
            "class" => self.class = Some(value.parse()?),
            "dead_for" => self.dead_for = Some(span()?),
            "unused_for" => self.unused_for = Some(span()?),
            "max_size" => {
                let size = parse_size(value).map_err(|error| Error::invalid("size", value, error.to_string()))?;
                self.max_size = Some(size);
            }
            "min_free" => self.min_free = Some(value.parse()?),
            "min_age" => self.min_age = Some(span()?),
            _ => {
                let known = format!("a rule knows {}", Self::KEYS.map(|key| format!("`{key}`")).join(", "));
                return Err(Error::invalid("key of a rule", key, known));
            }
        }
        Ok(())
    }

    /// Checks that the rule does something.
    ///
    /// # Errors
    /// [`Error::Invalid`] if it says only whom it is about.
    pub fn check(&self) -> Result<()> {
        let acts = self.dead_for.is_some() || self.unused_for.is_some();
        if acts || self.max_size.is_some() || self.min_free.is_some() {
            return Ok(());
        }
        let reason = "it needs at least one of `dead_for`, `unused_for`, `max_size` and `min_free`";
        Err(Error::invalid("rule", &self.to_string(), reason))
    }
}

/// As it would be written in one line: `owner=model-* unused_for=30d`.
impl fmt::Display for GcRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> = self.fields().into_iter().map(|(key, value)| format!("{key}={value}")).collect();
        f.pad(&parts.join(" "))
    }
}

impl FromStr for GcRule {
    type Err = Error;

    /// Parses one line of `KEY=VALUE` pairs with spaces between, such as `owner=model-* unused_for=30d`.
    fn from_str(text: &str) -> Result<Self> {
        let mut rule = Self::default();
        for pair in text.split_whitespace() {
            let (key, value) = pair
                .split_once('=')
                .ok_or_else(|| Error::invalid("rule", text, format!("`{pair}` is not a KEY=VALUE pair")))?;
            if rule.fields().iter().any(|(known, _)| *known == key) {
                return Err(Error::invalid("rule", text, format!("it has `{key}` twice")));
            }
            rule.set(key, value)?;
        }
        rule.check().map(|()| rule)
    }
}

impl Serialize for GcRule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What clean-up may take, all of it together. What no rule is about goes by the defaults.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct GcPolicy {
    pub(crate) collect_delay: Duration,
    pub(crate) owner_grace: Duration,
    pub(crate) min_age: Duration,
    pub(crate) rules: Vec<GcRule>,
    pub(crate) only: Option<OwnerId>,
    pub(crate) trash: Option<Duration>,
}

impl Default for GcPolicy {
    /// Orphans go after seven days, what owners that are gone have bound after seven days more; nothing
    /// that is bound goes while its owner is there. Without trash.
    fn default() -> Self {
        Self {
            collect_delay: Self::COLLECT_DELAY,
            owner_grace: Self::OWNER_GRACE,
            min_age: Self::MIN_AGE,
            rules: Vec::new(),
            only: None,
            trash: None,
        }
    }
}

impl GcPolicy {
    /// How long an artifact stays after the last thing that kept it let go, unless told otherwise.
    pub const COLLECT_DELAY: Duration = Duration::from_secs(7 * 24 * 60 * 60);
    /// How long the bindings of an owner count on after it was first seen to be gone, unless told otherwise.
    pub const OWNER_GRACE: Duration = Duration::from_secs(7 * 24 * 60 * 60);
    /// How young rules about idleness and size leave alone, unless told otherwise.
    pub const MIN_AGE: Duration = Duration::from_secs(60 * 60);

    /// How long an artifact stays after the last thing that kept it let go.
    pub fn collect_delay(mut self, delay: Duration) -> Self {
        self.collect_delay = delay;
        self
    }

    /// How long the bindings of an owner count on after it was first seen to be gone.
    pub fn owner_grace(mut self, grace: Duration) -> Self {
        self.owner_grace = grace;
        self
    }

    /// Rules about idleness and size that do not say otherwise leave alone what was bound, used or let go
    /// more recently.
    pub fn min_age(mut self, age: Duration) -> Self {
        self.min_age = age;
        self
    }

    /// Adds a rule. Of rules about age the first that is about a thing counts, so the order matters.
    pub fn rule(mut self, rule: GcRule) -> Self {
        self.rules.push(rule);
        self
    }

    /// Puts a rule before all others, so that it is the first that counts.
    pub fn first_rule(mut self, rule: GcRule) -> Self {
        self.rules.insert(0, rule);
        self
    }

    /// Takes nothing but what one owner has, or let go last.
    pub fn only(mut self, owner: OwnerId) -> Self {
        self.only = Some(owner);
        self
    }

    /// Keeps what is removed for so long, so that it can be brought back; no time: it is gone at once.
    pub fn trash(mut self, keep: Option<Duration>) -> Self {
        self.trash = keep.filter(|keep| !keep.is_zero());
        self
    }

    /// Returns how long what nothing keeps stays, and the rule that says so, if it is not the default.
    pub(crate) fn dead_for(&self, owner: Option<&OwnerId>, class: Class) -> (Duration, Option<&GcRule>) {
        let rule = self.rules.iter().find(|rule| rule.dead_for.is_some() && rule.is_about(owner, class));
        (rule.and_then(|rule| rule.dead_for).unwrap_or(self.collect_delay), rule)
    }

    /// Returns the one delay that is for everything; none if it differs by owner or class.
    pub(crate) fn common_delay(&self) -> Option<Duration> {
        if self.only.is_some() {
            return None;
        }
        match self.rules.iter().find(|rule| rule.dead_for.is_some()) {
            None => Some(self.collect_delay),
            Some(rule) => rule.dead_for.filter(|_| rule.is_about_all()),
        }
    }

    /// Returns the rule that says how long an artifact of an owner may go unused, if there is one.
    pub(crate) fn unused_for(&self, owner: &OwnerId, class: Class) -> Option<&GcRule> {
        self.rules.iter().find(|rule| rule.unused_for.is_some() && rule.is_about(Some(owner), class))
    }

    /// Returns how young what a rule takes must not be.
    pub(crate) fn min_age_of(&self, rule: &GcRule) -> Duration {
        rule.min_age.unwrap_or(self.min_age)
    }

    /// Tells whether an owner is among those whose things may go.
    pub(crate) fn is_open_to(&self, owner: Option<&OwnerId>) -> bool {
        self.only.as_ref().is_none_or(|only| owner == Some(only))
    }

    /// Returns what of the policy is for other programs' spaces: the common delay, no rules.
    pub(crate) fn plain(&self) -> Self {
        let (collect_delay, _) = self.dead_for(None, Class::Irreplaceable);
        Self { collect_delay, rules: Vec::new(), only: None, trash: None, ..self.clone() }
    }

    /// As written: the delay that takes what no rule is about.
    pub(crate) fn default_rule(&self) -> String {
        format!("dead_for={}", format_duration(self.collect_delay))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_written_as_it_is_read() {
        let text = "owner=model-* class=refetchable dead_for=12h unused_for=30d max_size=10GiB min_free=10% min_age=2d";
        let rule: GcRule = text.parse().unwrap();
        assert_eq!(rule.to_string(), text);
        assert_eq!(GcRule::from_str(&rule.to_string()).unwrap(), rule);
        for bad in ["", "owner=a", "min_age=1d", "dead_for", "dead_for=1", "older=3d", "dead_for=1d dead_for=2d"] {
            assert!(GcRule::from_str(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_pattern_without_a_version_means_every_version() {
        let owner: OwnerId = "model-zoo@1.2".parse().unwrap();
        let matches = |pattern: &str| pattern.parse::<OwnerPattern>().unwrap().matches(&owner);
        assert!(matches("model-*") && matches("model-zoo") && matches("model-zoo@1.*") && matches("model-zo?"));
        assert!(!matches("model") && !matches("model-zoo@2*"));
        assert!("a[".parse::<OwnerPattern>().is_err());
    }

    #[test]
    fn room_is_bytes_or_a_part_of_all() {
        assert_eq!("15%".parse::<Room>().unwrap().of(200), 30);
        assert_eq!("100%".parse::<Room>().unwrap().of(u64::MAX), u64::MAX);
        assert_eq!("1KiB".parse::<Room>().unwrap().of(0), 1_024);
        assert!("101%".parse::<Room>().is_err() && "-1%".parse::<Room>().is_err() && "1.5%".parse::<Room>().is_err());
    }
}
