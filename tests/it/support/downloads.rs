//! What the tests of downloads have in common.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

use ohmyartifacts::{Cache, Download, Ingested, Result, TransferOptions};
use sha2::Digest as _;

use super::{leftovers, shelves};

/// Bytes of which no part is like another, so that a wrong join shows.
pub(crate) fn content(length: usize) -> Vec<u8> {
    let words = (0_u32..).map(|number| number.wrapping_mul(2_654_435_761).rotate_left(7));
    words.flat_map(u32::to_le_bytes).take(length).collect()
}

/// The plain SHA-256, as text.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    sha2::Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("memory");
        text
    })
}

/// Tries twice again, at once.
pub(crate) fn hasty() -> TransferOptions {
    TransferOptions::new().retries(2).backoff(Duration::from_millis(1))
}

/// Gives a server that hangs up soon, too: for those that do, since a busy machine may be as slow.
pub(crate) fn impatient() -> TransferOptions {
    hasty().timeout(Duration::from_millis(700))
}

/// Downloads to `o:NAME` in haste.
pub(crate) fn bring(cache: &Cache, name: &str, url: &str) -> Result<Ingested> {
    bring_as(cache, name, &Download::from(url).transfer(hasty()))
}

pub(crate) fn bring_as(cache: &Cache, name: &str, what: &Download) -> Result<Ingested> {
    cache.owner("o")?.download(name, what, &ohmyartifacts::BindOptions::new())
}

/// Fails the test unless these bytes came.
pub(crate) fn assert_brought(outcome: Result<Ingested>, content: &[u8]) {
    let brought = outcome.unwrap_or_else(|error| panic!("{error:?}"));
    assert!(fs::read(&brought.path).expect("a stored file") == content, "other bytes came");
}

/// Fails the test if anything of a download can be seen; what waits for a next attempt is returned.
pub(crate) fn only_partials(cache: &Cache, root: &Path) -> Vec<String> {
    assert_eq!(cache.bindings(None).expect("a list"), [], "something was bound");
    assert_eq!(shelves(root), Vec::<String>::new(), "something was stored");
    let left = leftovers(root);
    let (partials, others): (Vec<String>, Vec<String>) =
        left.into_iter().partition(|name| name.starts_with("tmp/partial/"));
    let sessions: Vec<&String> = others.iter().filter(|name| name.matches('/').count() > 1).collect();
    assert!(sessions.is_empty(), "{sessions:?}");
    partials.into_iter().filter(|name| Path::new(name).extension().is_some_and(|found| found == "part")).collect()
}
