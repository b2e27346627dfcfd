//! Text from outside, made fit for one line of a terminal.
//!
//! Why: file names, binding names and owner keys may hold anything, and must neither move the
//! cursor, reverse the reading order nor break a line.
//! Guarantees: the result has no control character, no invisible or bidirectional formatting
//! character and no line end; distinct inputs give distinct outputs (a backslash is escaped too).
//! Must not know: who prints it.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use serde::Serializer;

/// Returns `bytes` as one printable line: what is not printable UTF-8 becomes an escape
/// (`\n`, `\x1b`, `\u{202e}`, `\xff`).
///
/// ```
/// assert_eq!(ohmyartifacts::printable(b"a\n\x1b[31m\xff"), r"a\n\x1b[31m\xff");
/// ```
#[must_use]
pub fn printable(bytes: &[u8]) -> String {
    let mut line = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        chunk.valid().chars().for_each(|c| push_char(&mut line, c));
        for byte in chunk.invalid() {
            push(&mut line, format_args!("\\x{byte:02x}"));
        }
    }
    line
}

/// Returns a word as a shell takes it: as it is, or quoted.
///
/// ```
/// assert_eq!(ohmyartifacts::shell_word("plain"), "plain");
/// assert_eq!(ohmyartifacts::shell_word("two words"), "'two words'");
/// ```
#[must_use]
pub fn shell_word(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./@:+,%=".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    if word.chars().any(char::is_control) {
        let inner = printable(word.as_bytes()).replace('\'', "\\'");
        return format!("$'{inner}'");
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// Returns a path as one printable line, see [`printable`].
#[must_use]
pub fn printable_path(path: &Path) -> String {
    printable(path.as_os_str().as_bytes())
}

/// Returns an operating system string as one printable line, see [`printable`].
#[must_use]
pub fn printable_os(text: &OsStr) -> String {
    printable(text.as_bytes())
}

/// Returns a path for JSON, which holds any text: as it is if it is UTF-8, else as one printable line.
pub(crate) fn path_text(path: &Path) -> String {
    path.to_str().map_or_else(|| printable_path(path), str::to_owned)
}

/// As [`serialize_path`], for a path that may be absent.
#[expect(clippy::ref_option, reason = "serde hands it over so")]
pub(crate) fn serialize_optional_path<S: Serializer>(
    path: &Option<std::path::PathBuf>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match path {
        Some(path) => serialize_path(path, serializer),
        None => serializer.serialize_none(),
    }
}

/// Writes a path into JSON: as it is if it is UTF-8, else as one printable line.
pub(crate) fn serialize_path<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    match path.to_str() {
        Some(text) => serializer.serialize_str(text),
        None => serializer.serialize_str(&printable_path(path)),
    }
}

fn push_char(line: &mut String, c: char) {
    match c {
        '\\' => line.push_str("\\\\"),
        '\n' => line.push_str("\\n"),
        '\r' => line.push_str("\\r"),
        '\t' => line.push_str("\\t"),
        c if c.is_ascii_control() => push(line, format_args!("\\x{:02x}", c as u32)),
        c if c.is_control() || is_invisible(c) => push(line, format_args!("\\u{{{:x}}}", c as u32)),
        c => line.push(c),
    }
}

/// Characters that change how a line reads without being seen: bidirectional marks (Unicode
/// Annex 9), zero-width and tag characters, line and paragraph separators.
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{00ad}'
            | '\u{061c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

fn push(line: &mut String, arguments: std::fmt::Arguments<'_>) {
    line.write_fmt(arguments).expect("writing to a string cannot fail");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_disturb_a_terminal_is_escaped() {
        assert_eq!(printable("naïve 日本語".as_bytes()), "naïve 日本語");
        assert_eq!(printable("\u{202e}gpj.exe".as_bytes()), "\\u{202e}gpj.exe");
        assert_eq!(printable(b"\0\x07\x7f\xc3("), "\\x00\\x07\\x7f\\xc3(");
        assert_eq!(printable("\u{9b}31m".as_bytes()), "\\u{9b}31m");
    }

    #[test]
    fn an_escape_cannot_be_forged() {
        assert_ne!(printable(b"\\n"), printable(b"\n"));
    }
}
