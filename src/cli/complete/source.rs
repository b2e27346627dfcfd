//! Where candidates come from: the index, and words that an option knows.

use std::ffi::OsStr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use clap::{Arg, Command};
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};
use ohmyartifacts::{Cache, CacheOptions, OwnerId};

use crate::cli::complete::line::Line;
use crate::cli::context::default_store;
use crate::cli::render::{count, facts};

/// More names than this nobody reads.
const MOST: usize = 200;
const MOST_HASHES: usize = 50;
/// With fewer digits than this a hash is anything.
const LEAST_DIGITS: usize = 2;

/// Words that arguments know which are parsed by the library, by what help calls the argument.
const WORDS: [(&str, &[&str]); 5] = [
    ("MODE", &["auto", "reflink", "hardlink", "symlink", "copy"]),
    ("STYLE", &["absolute", "relative", "hardlink"]),
    ("LEVEL", &["full", "batch", "none"]),
    ("POLICY", &["error", "keep", "skip"]),
    ("CLASS", &["refetchable", "rebuildable", "irreplaceable"]),
];

/// Gives every argument the candidates that fit what help calls it: so a new verb has them too.
pub(super) fn informed(command: Command, source: &Arc<Source>) -> Command {
    let verb = command.get_name().to_owned();
    let pages = pages(&command);
    let command = command.mut_args(|arg| informed_arg(arg, &verb, source));
    command.mut_subcommands(|inner| match inner.get_name() {
        "man" => inner.mut_arg("verb", |arg| arg.add(words(pages.clone()))),
        _ => informed(inner, source),
    })
}

/// What has a page in the manual, as the page is called: `gc`, `gc-undo`.
fn pages(command: &Command) -> Vec<String> {
    let mut pages = Vec::new();
    for verb in command.get_subcommands() {
        pages.push(verb.get_name().to_owned());
        pages.extend(verb.get_subcommands().map(|inner| format!("{}-{}", verb.get_name(), inner.get_name())));
    }
    pages
}

fn informed_arg(arg: Arg, verb: &str, source: &Arc<Source>) -> Arg {
    let shown = arg.get_value_names().and_then(<[_]>::first).map(ToString::to_string).unwrap_or_default();
    let ask = |ask: fn(&Source, &str) -> Option<Vec<CompletionCandidate>>| {
        let source = source.clone();
        let answer = move |typed: &OsStr| source.ask(ask, typed);
        ArgValueCompleter::new(answer)
    };
    match shown.as_str() {
        "KEY[@VERSION]" | "OWNER[@VERSION]" | "FROM" | "TO" => arg.add(ask(Source::owners)),
        "NAME" if verb == "fetch" => arg.add(ask(Source::declared)),
        "NAME" if verb == "hash" => arg.add(ask(Source::names)),
        "NAME" => arg.add(ask(Source::own_names)),
        "KEY" if ["get", "set", "unset"].contains(&verb) => arg.add(ask(Source::settings)),
        "REF" | "REF[:PATH]" | "REFERENCE" | "ID|REF" => arg.add(ask(Source::references)),
        shown => match WORDS.iter().find(|(name, _)| *name == shown) {
            Some((_, known)) => arg.add(words(known.iter().map(ToString::to_string).collect())),
            None => arg,
        },
    }
}

fn words(words: Vec<String>) -> ArgValueCompleter {
    ArgValueCompleter::new(move |typed: &OsStr| {
        let fitting = words.iter().filter(|word| typed.to_str().is_some_and(|typed| word.starts_with(typed)));
        fitting.map(CompletionCandidate::new).collect::<Vec<_>>()
    })
}

/// The store that the line means, opened when first needed.
pub(super) struct Source {
    line: Line,
    cache: OnceLock<Option<Cache>>,
}

impl Source {
    pub(super) fn new(line: Line) -> Self {
        Self { line, cache: OnceLock::new() }
    }

    /// What cannot be known now is not offered: whoever types wants no errors.
    fn ask(
        &self,
        ask: impl Fn(&Self, &str) -> Option<Vec<CompletionCandidate>>,
        typed: &OsStr,
    ) -> Vec<CompletionCandidate> {
        let typed = typed.to_str().filter(|_| !self.line.is_over);
        typed.and_then(|typed| ask(self, typed)).unwrap_or_default()
    }

    fn cache(&self) -> Option<&Cache> {
        let open = || {
            let store = self.line.store.clone().or_else(|| default_store().ok())?;
            let options = CacheOptions::new(&store).create(false).read_only(true).wait(Some(Duration::ZERO));
            if store.is_dir() { Cache::open(options).ok() } else { None }
        };
        self.cache.get_or_init(open).as_ref()
    }

    fn owners(&self, typed: &str) -> Option<Vec<CompletionCandidate>> {
        let known = self.cache()?.owners_like(typed, MOST).ok()?;
        let candidates = known.into_iter().map(|known| {
            let names = count(known.bindings, "name");
            let help = known.title.map_or(names.clone(), |title| format!("{title}, {names}"));
            candidate(known.owner.to_string(), help)
        });
        Some(candidates.filter(is_no_option).collect())
    }

    fn declared(&self, typed: &str) -> Option<Vec<CompletionCandidate>> {
        let declared = self.cache()?.declared(Some(self.line.owner.as_ref()?)).ok()?;
        let fitting = declared.into_iter().filter(|declared| declared.name.starts_with(typed));
        let candidates = fitting.map(|declared| candidate(declared.name, "declared".to_owned()));
        Some(candidates.filter(is_no_option).take(MOST).collect())
    }

    fn settings(&self, typed: &str) -> Option<Vec<CompletionCandidate>> {
        let mut settings = self.cache()?.config().ok()?.settings();
        settings.retain(|setting| setting.key.starts_with(typed));
        // Of a list each element is a setting, but all are set at once.
        let whole = |key: &str| key.split('[').next().unwrap_or_default().to_owned();
        let mut found: Vec<_> =
            settings.into_iter().map(|setting| candidate(whole(&setting.key), setting.value)).collect();
        found.dedup_by(|a, b| a.get_value() == b.get_value());
        Some(found)
    }

    /// Names where only one owner's can be meant.
    fn own_names(&self, typed: &str) -> Option<Vec<CompletionCandidate>> {
        let owner = self.line.other.as_ref().or(self.line.owner.as_ref())?;
        let mut found = self.names_of(owner, "", typed)?;
        found.retain(is_no_option);
        Some(found)
    }

    /// Names of the owner that is given, and `OWNER:NAME`.
    fn names(&self, typed: &str) -> Option<Vec<CompletionCandidate>> {
        let mut found = match &self.line.owner {
            Some(owner) => self.names_of(owner, "", typed)?,
            None => Vec::new(),
        };
        found.retain(is_no_option);
        if found.is_empty() || !typed.is_empty() {
            found.extend(self.names_elsewhere(typed)?);
        }
        Some(found)
    }

    fn references(&self, typed: &str) -> Option<Vec<CompletionCandidate>> {
        let mut found = self.names(typed)?;
        found.extend(self.hashes(typed)?);
        Some(found)
    }

    fn names_of(&self, owner: &OwnerId, before: &str, typed: &str) -> Option<Vec<CompletionCandidate>> {
        let names = self.cache()?.names_like(owner, typed, MOST).ok()?;
        // The empty name is one, but looks like nothing.
        let names = names.into_iter().filter(|hint| !hint.name.is_empty());
        Some(names.map(|hint| candidate(format!("{before}{}", hint.name), facts(&hint.artifact))).collect())
    }

    /// Owners that may be meant, or the names of the one that is. Owners and names may both hold colons.
    fn names_elsewhere(&self, typed: &str) -> Option<Vec<CompletionCandidate>> {
        let mut found = Vec::new();
        for (colon, _) in typed.match_indices(':') {
            if let Ok(owner) = typed[..colon].parse() {
                found.extend(self.names_of(&owner, &typed[..=colon], &typed[colon + 1..])?);
            }
        }
        let mut owners = self.cache()?.owners_like(typed, MOST).ok()?;
        owners.retain(|known| known.bindings > 0);
        if let [only] = owners.as_slice() {
            found.extend(self.names_of(&only.owner, &format!("{}:", only.owner), "")?);
        } else {
            let names = |bindings| count(bindings, "name");
            found.extend(owners.iter().map(|known| candidate(format!("{}:", known.owner), names(known.bindings))));
        }
        found.retain(is_no_option);
        Some(found)
    }

    fn hashes(&self, typed: &str) -> Option<Vec<CompletionCandidate>> {
        if typed.len() < LEAST_DIGITS {
            return Some(Vec::new());
        }
        let mut found = self.cache()?.hashes_like(typed, MOST_HASHES).ok()?;
        found.dedup_by_key(|artifact| artifact.hash);
        Some(found.iter().map(|artifact| candidate(artifact.hash.to_string(), facts(artifact))).collect())
    }
}

fn candidate(value: String, help: String) -> CompletionCandidate {
    CompletionCandidate::new(value).help(Some(help.into()))
}

/// What begins with a dash would be taken for an option.
fn is_no_option(candidate: &CompletionCandidate) -> bool {
    !candidate.get_value().as_encoded_bytes().starts_with(b"-")
}
