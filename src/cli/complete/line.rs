//! What the words before the one being typed say: which store, whose names.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use ohmyartifacts::OwnerId;

/// The part of a line that says what is meant. It is not finished, so that it cannot be parsed as a whole.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) store: Option<PathBuf>,
    pub(super) owner: Option<OwnerId>,
    /// Whose names are meant where a name is bound or handed over: `--for`, and FROM of `owner delegate`.
    pub(super) other: Option<OwnerId>,
    /// Whether what is being typed is part of another program's command line.
    pub(super) is_over: bool,
}

impl Line {
    /// Reads the words, the program's name first; what they leave open the environment says.
    pub(super) fn read(words: &[OsString]) -> Self {
        let mut line = Self::of(words);
        let said = |variable: &str| std::env::var_os(variable).filter(|value| !value.is_empty());
        line.store = line.store.or_else(|| said("OMA_STORE").map(PathBuf::from));
        line.owner = line.owner.or_else(|| owner(&said("OMA_OWNER")?));
        line
    }

    fn of(words: &[OsString]) -> Self {
        let mut line = Self::default();
        let mut words = words.iter().skip(1);
        while let Some(word) = words.next() {
            let mut value_of = |long: &str, short: Option<&str>| value(word, long, short, &mut words);
            if word == "--" {
                line.is_over = true;
                break;
            } else if let Some(value) = value_of("--store", None) {
                line.store = Some(value.into());
            } else if let Some(value) = value_of("--owner", Some("-o")) {
                line.owner = owner(&value);
            } else if let Some(value) = value_of("--for", None) {
                line.other = owner(&value);
            } else if word == "delegate" {
                line.other = words.next().and_then(|word| owner(word));
            }
        }
        line
    }
}

/// Returns the value of an option: the rest of its word, or the next word.
fn value<'a>(
    word: &OsStr,
    long: &str,
    short: Option<&str>,
    rest: &mut impl Iterator<Item = &'a OsString>,
) -> Option<OsString> {
    if word == long || short.is_some_and(|short| word == short) {
        return rest.next().cloned();
    }
    let bytes = word.as_bytes();
    let after_long = bytes.strip_prefix(long.as_bytes()).and_then(|rest| rest.strip_prefix(b"="));
    let after_short = || {
        let rest = bytes.strip_prefix(short?.as_bytes())?;
        Some(rest.strip_prefix(b"=").unwrap_or(rest))
    };
    after_long.or_else(after_short).map(|value| OsStr::from_bytes(value).to_owned())
}

fn owner(text: &OsStr) -> Option<OwnerId> {
    text.to_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_an_option_counts_and_the_last_one_wins() {
        for words in
            ["--store /s -o a@1", "--store=/s --owner=a@1", "--store /x --store /s -ob -oa@1", "--store=/s -o=a@1"]
        {
            let words: Vec<OsString> = format!("oma {words} path").split(' ').map(OsString::from).collect();
            let line = Line { store: Some("/s".into()), owner: "a@1".parse().ok(), ..Line::default() };
            assert_eq!(Line::of(&words), line, "{words:?}");
        }
        for words in ["oma -o a owner delegate b c", "oma bind x y --owner=a --for b", "oma bind --for=b -oa"] {
            let words: Vec<OsString> = words.split(' ').map(OsString::from).collect();
            let line = Line { owner: "a".parse().ok(), other: "b".parse().ok(), ..Line::default() };
            assert_eq!(Line::of(&words), line, "{words:?}");
        }
        let over: Vec<OsString> = ["oma", "get", "x", "--", "-o", "a"].map(OsString::from).into();
        assert_eq!(Line::of(&over), Line { is_over: true, ..Line::default() });
    }
}
