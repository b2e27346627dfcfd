//! How a store is to be run: the built-in defaults, what a user wants, what the store wants.
//!
//! Why: clean-up that runs by itself must do what somebody wrote down, and say where it is written.
//! Guarantees: a file that is not understood to the last key is refused as a whole, by file and line;
//! an edit keeps comments and order, and a reader sees the file before it or after it.
//! Must not know: stores, rows, where a home is.

mod edit;
mod key;
mod read;

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use crate::error::{Error, Result};
use crate::model::{GcPolicy, GcRule};
use crate::text::serialize_optional_path;

pub(crate) use edit::{Change, change};
use key::{Key, RULES, Span};
pub(crate) use read::{Layer, Place};

/// A file that configures, the one that counts more first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfigFile {
    /// `config.toml` in the store: for everybody who uses it.
    Store,
    /// The user's own, for every store; see [`CacheOptions::user_config`](crate::CacheOptions::user_config).
    User,
}

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// Nobody set it: it is built in.
    Default,
    /// The store's file.
    Store,
    /// The user's file.
    User,
}

impl From<ConfigFile> for Origin {
    fn from(file: ConfigFile) -> Self {
        match file {
            ConfigFile::Store => Self::Store,
            ConfigFile::User => Self::User,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Default => "default",
            Self::Store => "store",
            Self::User => "user",
        })
    }
}

/// One value that counts, and why it does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// The key, such as `gc.auto`; a rule's is `gc.rules[0]` and so on, in the order in which they count.
    pub key: String,
    /// The value as it was written; a rule in one line.
    pub value: String,
    /// Where it comes from.
    pub origin: Origin,
    /// The file it stands in; none for a default.
    #[serde(serialize_with = "serialize_optional_path")]
    pub file: Option<PathBuf>,
}

/// What counts: the store's file before the user's before the defaults, key by key. Of rules the
/// store's come first, then the user's.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// Those that count more first.
    layers: Vec<Layer>,
}

impl Config {
    /// Every key there is.
    pub const KEYS: [&'static str; 7] = [
        Key::Auto.name(),
        Key::CollectDelay.name(),
        Key::OwnerGrace.name(),
        Key::MinAge.name(),
        Key::Trash.name(),
        RULES,
        Key::LeaseDuration.name(),
    ];

    /// Puts files together; those that count more come first.
    pub(crate) fn of(layers: Vec<Layer>) -> Self {
        Self { layers }
    }

    /// Returns what clean-up is to do.
    pub fn gc_policy(&self) -> GcPolicy {
        let policy = GcPolicy::default()
            .collect_delay(self.duration(Key::CollectDelay))
            .owner_grace(self.duration(Key::OwnerGrace))
            .min_age(self.duration(Key::MinAge))
            .trash(self.span(Key::Trash).duration);
        self.rules().fold(policy, |policy, (rule, _)| policy.rule(rule.clone()))
    }

    /// Returns after how long clean-up runs by itself; none: never.
    #[must_use]
    pub fn auto_gc(&self) -> Option<Duration> {
        self.span(Key::Auto).duration
    }

    /// Returns how long a lease lasts.
    #[must_use]
    pub fn lease_duration(&self) -> Duration {
        self.duration(Key::LeaseDuration)
    }

    /// Returns every value that counts, with where it comes from.
    #[must_use]
    pub fn settings(&self) -> Vec<Setting> {
        let of_gc = Key::ALL.into_iter().filter(|key| *key != Key::LeaseDuration);
        let mut settings: Vec<Setting> = of_gc.map(|key| self.setting(key)).collect();
        settings.extend(
            self.rules()
                .enumerate()
                .map(|(number, (rule, layer))| setting(format!("{RULES}[{number}]"), rule.to_string(), Some(layer))),
        );
        settings.push(self.setting(Key::LeaseDuration));
        settings
    }

    /// Returns what counts under a key: one value, or the rules in their order; of `gc.rules[1]` that one
    /// rule.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an unknown key, naming the known ones.
    pub fn get(&self, key: &str) -> Result<Vec<Setting>> {
        let is_it = |setting: &Setting| match setting.key.strip_prefix(key) {
            Some(rest) => rest.is_empty() || (key == RULES && rest.starts_with('[')),
            None => false,
        };
        let found: Vec<Setting> = self.settings().into_iter().filter(is_it).collect();
        if found.is_empty() && key != RULES { Err(unknown(key)) } else { Ok(found) }
    }

    /// Tells whether a key may be set to these values, changing nothing.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an unknown key or a wrong value.
    pub fn check(key: &str, values: &[&str]) -> Result<()> {
        Change::set(key, values).map(drop)
    }

    fn setting(&self, key: Key) -> Setting {
        let layer = self.layer_of(key);
        setting(key.name().to_owned(), self.span(key).text, layer)
    }

    fn layer_of(&self, key: Key) -> Option<&Layer> {
        self.layers.iter().find(|layer| layer.spans.contains_key(&key))
    }

    fn span(&self, key: Key) -> Span {
        self.layer_of(key).and_then(|layer| layer.spans.get(&key)).cloned().unwrap_or_else(|| key.default_span())
    }

    /// Of a key that is never `never`.
    fn duration(&self, key: Key) -> Duration {
        self.span(key).duration.unwrap_or(Duration::MAX)
    }

    fn rules(&self) -> impl Iterator<Item = (&GcRule, &Layer)> {
        self.layers.iter().flat_map(|layer| layer.rules.iter().map(move |rule| (rule, layer)))
    }
}

fn setting(key: String, value: String, layer: Option<&Layer>) -> Setting {
    let origin = layer.map_or(Origin::Default, |layer| layer.place.file.into());
    Setting { key, value, origin, file: layer.map(|layer| layer.place.path.clone()) }
}

fn unknown(key: &str) -> Error {
    Error::invalid("key of the configuration", key, known())
}

fn known() -> String {
    format!("the keys are {}", Config::KEYS.map(|key| format!("`{key}`")).join(", "))
}

/// Says what is wrong with a line of a file.
fn complaint(path: &Path, line: usize, reason: impl Into<String>) -> Error {
    Error::Config { path: path.to_owned(), line, reason: reason.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_set_is_the_default_policy() {
        let config = Config::default();
        assert_eq!(config.gc_policy(), GcPolicy::default());
        assert_eq!(config.auto_gc(), Some(Duration::from_secs(7 * 86_400)));
        assert!(config.settings().iter().all(|setting| setting.origin == Origin::Default && setting.file.is_none()));
    }

    #[test]
    fn every_key_can_be_asked_for() {
        for key in Config::KEYS {
            assert!(Config::default().get(key).is_ok(), "{key}");
        }
        assert!(Config::default().get("gc").is_err() && Config::default().get("gc.rules[0]").is_err());
    }
}
