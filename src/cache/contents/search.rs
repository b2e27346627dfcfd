//! Finds the artifacts that hold a file of a name.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::Serialize;

use crate::cache::Cache;
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::index::{BindingRow, ReadTx};
use crate::model::{Artifact, GlobMatcher, OwnerId, matcher};
use crate::text::path_text;

/// Names of files: `*` stands for any text, `?` for one character, `{a,b}` for either. Without a slash it is
/// about the last part of a path, else about all of it.
#[derive(Debug, Clone)]
pub struct FilePattern {
    matcher: GlobMatcher,
    is_about_paths: bool,
}

impl FilePattern {
    /// Tells whether a path in an artifact is meant.
    #[must_use]
    pub fn matches(&self, path: &Path) -> bool {
        if self.is_about_paths {
            return self.matcher.is_match(path);
        }
        path.file_name().is_some_and(|name| self.matcher.is_match(Path::new(name)))
    }
}

impl FromStr for FilePattern {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let bad = |reason: String| Error::invalid("pattern of files", text, reason);
        if text.is_empty() {
            return Err(bad("it is empty".to_owned()));
        }
        Ok(Self { matcher: matcher(text).map_err(bad)?, is_about_paths: text.contains('/') })
    }
}

/// A file in an artifact, or an artifact that is one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileHit {
    /// The artifact.
    pub artifact: Digest,
    /// What it is bound to, as `OWNER:NAME`.
    pub names: Vec<String>,
    /// Where the file lies in it; none if the artifact is the file, found by a name it is bound to.
    pub path: Option<String>,
    /// `file` or `link`.
    pub kind: &'static str,
    /// The file's length in bytes.
    pub size: Option<u64>,
    /// The file's hash.
    pub hash: Option<Digest>,
    /// The link's target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}

impl Cache {
    /// Finds files by name in everything stored, or in what one owner has bound; by artifact and path.
    ///
    /// # Errors
    /// What the index says.
    pub fn find_files(&self, pattern: &FilePattern, owner: Option<&OwnerId>) -> Result<Vec<FileHit>> {
        self.read(|tx| {
            let bound = tx.bindings_of(None)?;
            let owned = owner.map(|owner| owned(&bound, owner));
            let mut search = Search { tx, artifacts: HashMap::new(), names: names(&bound), hits: Vec::new() };
            for found in matching(tx, pattern, owned.as_ref())? {
                search.add(found)?;
            }
            let files = bound.iter().filter(|row| row.artifact.kind.is_file());
            let files = files.filter(|row| owned.as_ref().is_none_or(|owned| owned.contains(&row.object_id)));
            search.add_named(files.filter(|row| pattern.matches(Path::new(&row.name))));
            let mut hits = search.hits;
            hits.sort_by(|a, b| (&a.names, a.artifact, &a.path).cmp(&(&b.names, b.artifact, &b.path)));
            Ok(hits)
        })
    }
}

fn owned(bound: &[BindingRow], owner: &OwnerId) -> HashSet<i64> {
    bound.iter().filter(|row| row.owner == *owner).map(|row| row.object_id).collect()
}

fn names(bound: &[BindingRow]) -> HashMap<i64, Vec<String>> {
    let mut names: HashMap<i64, Vec<String>> = HashMap::new();
    for row in bound {
        names.entry(row.object_id).or_default().push(format!("{}:{}", row.owner, row.name));
    }
    names
}

/// A path that matches.
struct Matching {
    tree: i64,
    path: PathBuf,
    blob: Option<i64>,
    target: Option<PathBuf>,
}

fn matching(tx: &ReadTx<'_>, pattern: &FilePattern, owned: Option<&HashSet<i64>>) -> Result<Vec<Matching>> {
    let mut found = Vec::new();
    tx.each_path(None, |entry| {
        if pattern.matches(entry.path) && owned.is_none_or(|owned| owned.contains(&entry.tree)) {
            found.push(Matching {
                tree: entry.tree,
                path: entry.path.to_owned(),
                blob: entry.blob,
                target: entry.target.map(Path::to_owned),
            });
        }
    })?;
    Ok(found)
}

struct Search<'a> {
    tx: &'a ReadTx<'a>,
    artifacts: HashMap<i64, Option<Artifact>>,
    names: HashMap<i64, Vec<String>>,
    hits: Vec<FileHit>,
}

impl Search<'_> {
    /// What is being brought in or on its way out is not told.
    fn add(&mut self, found: Matching) -> Result<()> {
        let Some(tree) = self.artifact(found.tree)? else { return Ok(()) };
        let file = match found.blob {
            Some(blob) => self.artifact(blob)?,
            None => None,
        };
        self.hits.push(FileHit {
            artifact: tree.hash,
            names: self.names.get(&found.tree).cloned().unwrap_or_default(),
            path: Some(path_text(&found.path)),
            kind: if found.target.is_some() { "link" } else { "file" },
            size: file.as_ref().map(|file| file.size),
            hash: file.map(|file| file.hash),
            target: found.target.as_deref().map(path_text),
        });
        Ok(())
    }

    /// A file is called what it is bound to. One that several names fit is one hit.
    fn add_named<'b>(&mut self, bound: impl Iterator<Item = &'b BindingRow>) {
        let mut seen = HashSet::new();
        for row in bound.filter(|row| seen.insert(row.object_id)) {
            self.hits.push(FileHit {
                artifact: row.artifact.hash,
                names: self.names.get(&row.object_id).cloned().unwrap_or_default(),
                path: None,
                kind: "file",
                size: Some(row.artifact.size),
                hash: Some(row.artifact.hash),
                target: None,
            });
        }
    }

    fn artifact(&mut self, id: i64) -> Result<Option<Artifact>> {
        if let Some(known) = self.artifacts.get(&id) {
            return Ok(known.clone());
        }
        let found = self.tx.whole(id)?;
        self.artifacts.insert(id, found.clone());
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt as _;

    use super::*;

    #[test]
    fn a_slash_makes_it_about_the_whole_path() {
        let matches = |pattern: &str, path: &[u8]| {
            let path = Path::new(std::ffi::OsStr::from_bytes(path));
            pattern.parse::<FilePattern>().expect("a pattern").matches(path)
        };
        assert!(matches("*.csv", b"deep/down/a.csv") && !matches("*.csv", b"a.csv/b"));
        assert!(matches("deep/*/a.csv", b"deep/down/a.csv") && !matches("down/a.csv", b"deep/down/a.csv"));
        assert!(matches("a?b", b"a\xffb") && matches("{x,y}.bin", b"y.bin"));
        assert!("".parse::<FilePattern>().is_err() && "[".parse::<FilePattern>().is_err());
    }
}
