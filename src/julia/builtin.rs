//! Julia's built-in `Artifacts.toml`, as data: which trees a name may stand for, and where they are.
//!
//! Why: packages declare in it what they need, long before anything is downloaded; the same file name
//! holds the bindings of OhMyArtifacts.jl, and one file may hold both.
//! Guarantees: whatever a file holds, each name gets an answer of its own; nothing of an entry is lost
//! ([`BuiltinEntry::to_table`]); the choice is the one Julia makes. The format is what
//! `stdlib/Artifacts/src/Artifacts.jl` and `Pkg/src/Artifacts.jl` read.
//! Must not know: depots, downloads, what is done with an entry.

#[cfg(test)]
mod golden;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use crate::error::Result;
use crate::fs::lstat;
use crate::julia::platform::{Platform, best};
use crate::julia::sha1::GitTreeSha1;
use crate::text::printable;

/// The file's names; where both lie in one folder, Julia reads the first only.
const FILE_NAMES: [&str; 2] = ["JuliaArtifacts.toml", "Artifacts.toml"];
const TREE: &str = "git-tree-sha1";
const DOWNLOAD: &str = "download";
const LAZY: &str = "lazy";

/// Whose format a name's value has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// A binding of OhMyArtifacts.jl: a table with `sha256`.
    Binding,
    /// An artifact of Julia's package manager: one or several tables with `git-tree-sha1`.
    Builtin,
}

/// A tree that a name may stand for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct BuiltinEntry {
    /// What the unpacked tree must hash to.
    pub(crate) tree_sha1: GitTreeSha1,
    /// What it was built for, normalised; none: it serves every platform.
    pub(crate) platform: Option<Platform>,
    /// The platform's tags as the file spells them, which may be other than the normalised ones.
    pub(crate) spelt: BTreeMap<String, String>,
    /// Julia downloads it when it is first used, not when the package is installed.
    pub(crate) lazy: bool,
    /// Where to get it, in the order to try; none: it is made on the spot.
    pub(crate) downloads: Vec<Download>,
    /// What no reader understands, to the letter; what is odd about a `download` stands here too.
    pub(crate) unknown: Table,
    /// What is wrong with the entry without making it useless, a sentence each.
    pub(crate) oddities: Vec<String>,
}

/// A place to get an archive from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Download {
    pub(crate) url: String,
    /// The plain SHA-256 of the archive's bytes, 64 hex digits in lower case.
    pub(crate) sha256: Option<String>,
    /// The archive's length in bytes.
    pub(crate) size: Option<u64>,
    /// Keys nobody understands, to the letter.
    pub(crate) unknown: Table,
}

/// Tells whose format a name's value has, or why it is nobody's.
pub(crate) fn dialect_of(value: &Value) -> Result<Dialect, String> {
    match value {
        Value::Table(table) if table.contains_key("sha256") => Ok(Dialect::Binding),
        Value::Table(table) if table.contains_key(TREE) => Ok(Dialect::Builtin),
        Value::Table(table) => Err(neither(table)),
        Value::Array(entries) if entries.iter().any(|entry| entry.get(TREE).is_some()) => Ok(Dialect::Builtin),
        Value::Array(_) => Err(format!("no entry has `{TREE}`")),
        other => Err(format!("it is a {}, not a table or an array of tables", other.type_str())),
    }
}

fn neither(table: &Table) -> String {
    let deeper = table.iter().find(|(_, inner)| [TREE, "sha256"].iter().any(|mark| inner.get(mark).is_some()));
    let hint = deeper.map(|(key, _)| {
        let key = printable(key.as_bytes());
        format!("; below it, `{key}` has one: a name with dots needs quotes")
    });
    format!("it has neither `sha256` nor `{TREE}`{}", hint.unwrap_or_default())
}

/// Returns what a name of the built-in dialect stands for: one entry of a table, one for each element
/// of an array. An element that cannot be used is the reason why, and does not stop the others.
pub(crate) fn entries_of(value: &Value) -> Vec<Result<BuiltinEntry, String>> {
    match value {
        Value::Array(entries) => entries.iter().map(|entry| read_entry(entry, true)).collect(),
        other => vec![read_entry(other, false)],
    }
}

/// Returns the position of the entry that Julia would take on `host`; none if none fits.
pub(crate) fn choose(entries: &[Result<BuiltinEntry, String>], host: &Platform) -> Option<usize> {
    let usable = || entries.iter().enumerate().filter_map(|(at, entry)| entry.as_ref().ok().map(|entry| (at, entry)));
    let special = usable().filter_map(|(at, entry)| entry.platform.as_ref().map(|platform| (at, platform)));
    best(special, host).or_else(|| usable().find(|(_, entry)| entry.platform.is_none()).map(|(at, _)| at))
}

fn read_entry(value: &Value, in_array: bool) -> Result<BuiltinEntry, String> {
    let table = value.as_table().ok_or_else(|| format!("it is a {}, not a table", value.type_str()))?;
    let mut entry = BuiltinEntry {
        tree_sha1: read_tree(table)?,
        platform: None,
        spelt: BTreeMap::new(),
        lazy: false,
        downloads: Vec::new(),
        unknown: Table::new(),
        oddities: Vec::new(),
    };
    for (key, value) in table {
        entry.read_key(key, value, in_array);
    }
    if in_array {
        entry.platform = Some(platform_of(&entry.spelt)?);
    }
    Ok(entry)
}

fn read_tree(table: &Table) -> Result<GitTreeSha1, String> {
    match table.get(TREE) {
        None => Err(format!("it has no `{TREE}`")),
        Some(Value::String(text)) => text.parse().map_err(|error: crate::error::Error| error.to_string()),
        Some(other) => Err(format!("its `{TREE}` is a {}, not a string", other.type_str())),
    }
}

/// Every string is a tag of the platform, as for Julia.
fn platform_of(spelt: &BTreeMap<String, String>) -> Result<Platform, String> {
    let required =
        |tag| spelt.get(tag).ok_or_else(|| format!("it is one of several and has no `{tag}` to choose it by"));
    let (os, arch) = (required("os")?, required("arch")?);
    let others = spelt.iter().filter(|(tag, _)| !matches!(tag.as_str(), "os" | "arch"));
    Platform::new(arch, os, others.map(|(tag, value)| (tag.as_str(), value.as_str())))
}

impl BuiltinEntry {
    fn read_key(&mut self, key: &str, value: &Value, in_array: bool) {
        match (key, value) {
            (TREE, _) => {}
            (LAZY, Value::Boolean(lazy)) => self.lazy = *lazy,
            (DOWNLOAD, Value::Array(downloads)) => self.read_downloads(downloads),
            (DOWNLOAD, Value::Table(_)) => self.read_downloads(std::slice::from_ref(value)),
            (_, Value::String(tag)) if in_array && key != DOWNLOAD => {
                self.spelt.insert(key.to_owned(), tag.clone());
            }
            _ => {
                if matches!(key, LAZY | DOWNLOAD) {
                    self.oddities.push(format!("its `{key}` is a {}", value.type_str()));
                }
                self.unknown.insert(key.to_owned(), value.clone());
            }
        }
    }

    fn read_downloads(&mut self, downloads: &[Value]) {
        let mut refused = Vec::new();
        for (at, value) in downloads.iter().enumerate() {
            match Download::read(value) {
                Ok(download) => self.downloads.push(download),
                Err(reason) => {
                    self.oddities.push(format!("its download {} is left out: {reason}", at + 1));
                    refused.push(value.clone());
                }
            }
        }
        if !refused.is_empty() {
            self.unknown.insert(DOWNLOAD.to_owned(), Value::Array(refused));
        }
    }

    #[cfg(test)]
    /// Returns the entry as a table of the same format, with everything it was read from, but for a
    /// `lazy = false`, which says nothing, and for the order of downloads that were left out.
    pub(crate) fn to_table(&self) -> Table {
        let mut table = self.unknown.clone();
        table.insert(TREE.to_owned(), Value::String(self.tree_sha1.to_string()));
        table.extend(self.spelt.iter().map(|(tag, value)| (tag.clone(), Value::String(value.clone()))));
        if self.lazy {
            table.insert(LAZY.to_owned(), Value::Boolean(true));
        }
        if !self.downloads.is_empty() {
            let mut downloads: Vec<Value> = self.downloads.iter().map(Download::to_value).collect();
            if let Some(Value::Array(refused)) = self.unknown.get(DOWNLOAD) {
                downloads.extend(refused.iter().cloned());
            }
            table.insert(DOWNLOAD.to_owned(), Value::Array(downloads));
        }
        table
    }
}

impl Download {
    fn read(value: &Value) -> Result<Self, String> {
        let table = value.as_table().ok_or_else(|| format!("it is a {}, not a table", value.type_str()))?;
        let mut unknown = table.clone();
        let url = match unknown.remove("url") {
            Some(Value::String(url)) if !url.is_empty() => url,
            _ => return Err("it has no `url`".to_owned()),
        };
        let sha256 = unknown.remove("sha256").map(archive_sha256).transpose()?;
        let size = unknown.get("size").and_then(Value::as_integer).and_then(|size| u64::try_from(size).ok());
        if size.is_some() {
            unknown.remove("size");
        }
        Ok(Self { url, sha256, size, unknown })
    }

    #[cfg(test)]
    fn to_value(&self) -> Value {
        let mut table = self.unknown.clone();
        table.insert("url".to_owned(), Value::String(self.url.clone()));
        if let Some(sha256) = &self.sha256 {
            table.insert("sha256".to_owned(), Value::String(sha256.clone()));
        }
        if let Some(size) = self.size.and_then(|size| i64::try_from(size).ok()) {
            table.insert("size".to_owned(), Value::Integer(size));
        }
        Value::Table(table)
    }
}

/// A check that cannot be made is no reason to do without: such a download is not used.
fn archive_sha256(value: Value) -> Result<String, String> {
    match value {
        Value::String(hex) if hex.len() == 64 && hex.bytes().all(|digit| digit.is_ascii_hexdigit()) => {
            Ok(hex.to_ascii_lowercase())
        }
        Value::String(text) => Err(format!("its sha256 `{}` is not 64 hex digits", printable(text.as_bytes()))),
        other => Err(format!("its sha256 is a {}, not a string", other.type_str())),
    }
}

/// Tells whether Julia looks for built-in artifacts in a file of this name.
pub(crate) fn is_builtin_file_name(name: &str) -> bool {
    FILE_NAMES.contains(&name)
}

/// Returns the file that Julia reads in a folder; none if there is none.
pub(crate) fn builtin_file_in(folder: &Path) -> Result<Option<PathBuf>> {
    for name in FILE_NAMES {
        let path = folder.join(name);
        if lstat(&path)?.is_some() && std::fs::metadata(&path).is_ok_and(|found| found.is_file()) {
            return Ok(Some(path));
        }
    }
    Ok(None)
}
