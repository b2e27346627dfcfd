//! Lists what is to be put in, before a byte is read.

use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use crate::error::{Error, PathContext as _, Result};
use crate::event::{Event, Observer, Phase};
use crate::fs::special_file;
use crate::model::LinkPolicy;
use crate::store::links::Links;
use crate::store::seen::{Seen, SeenEntry};

/// Limits of what a path may be (`PATH_MAX`, and a depth no real tree reaches).
const LONGEST_PATH: usize = 4_096;
const DEEPEST: usize = 255;

/// A source, listed: one file, or a directory with everything below it.
#[derive(Debug)]
pub(crate) enum Scanned {
    File(PathBuf),
    Directory { root: PathBuf, entries: Vec<SeenEntry> },
}

/// Lists `source`, which must not be a link itself. `.git` is left out at every level.
pub(crate) fn scan(source: &Path, policy: LinkPolicy, observer: &dyn Observer) -> Result<Scanned> {
    let found = std::fs::symlink_metadata(source).at("read", source)?;
    if let Some(what) = special_file(found.file_type()) {
        return Err(Error::Unsupported { path: source.to_owned(), what });
    }
    if found.is_file() {
        return Ok(Scanned::File(source.to_owned()));
    }
    observer.on(&Event::Begin { phase: Phase::Scan, files: None });
    let mut entries = walk(source, observer)?;
    Links::new(source, &entries)?.settle(&mut entries, policy, observer)?;
    observer.on(&Event::End { phase: Phase::Scan });
    Ok(Scanned::Directory { root: source.to_owned(), entries })
}

fn walk(root: &Path, observer: &dyn Observer) -> Result<Vec<SeenEntry>> {
    let listing = WalkDir::new(root).min_depth(1).into_iter().filter_entry(|entry| !skip(entry, observer));
    listing.map(|entry| see(root, entry.map_err(|error| walk_error(root, error))?, observer)).collect()
}

fn skip(entry: &DirEntry, observer: &dyn Observer) -> bool {
    let skipped = entry.depth() > 0 && entry.file_name() == ".git";
    if skipped {
        observer.on(&Event::Skipped { path: entry.path(), reason: "git's own data is not stored" });
    }
    skipped
}

fn see(root: &Path, entry: DirEntry, observer: &dyn Observer) -> Result<SeenEntry> {
    let path = entry.path().strip_prefix(root).expect("a walk stays below its root").to_owned();
    if entry.depth() > DEEPEST || path.as_os_str().len() > LONGEST_PATH {
        let reason = format!("it is deeper than {DEEPEST} directories or longer than {LONGEST_PATH} bytes");
        return Err(Error::invalid("path", &path.to_string_lossy(), reason));
    }
    let kind = entry.file_type();
    let seen = if kind.is_file() {
        observer.on(&Event::Advance { phase: Phase::Scan, files: 1, bytes: 0 });
        Seen::File
    } else if kind.is_dir() {
        Seen::Directory
    } else if kind.is_symlink() {
        Seen::Link(std::fs::read_link(entry.path()).at("read the link", entry.path())?)
    } else {
        let what = special_file(kind).unwrap_or("special file");
        return Err(Error::Unsupported { path: entry.into_path(), what });
    };
    Ok(SeenEntry { path, seen })
}

fn walk_error(root: &Path, error: walkdir::Error) -> Error {
    let path = error.path().unwrap_or(root).to_owned();
    let source = error.into_io_error().unwrap_or_else(|| std::io::Error::other("the directory tree has a loop"));
    Error::io("list", &path, source)
}
