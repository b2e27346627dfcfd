//! Where things lie in a scratch space of OhMyArtifacts.jl.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::digest::Digest;
use crate::error::{Error, PathContext as _, Result};
use crate::fs::lstat;

/// OhMyArtifacts.jl's own UUID, under which a depot keeps its scratch spaces.
const PACKAGE: &str = "cf8be1f4-309d-442e-839d-29d2a0af6cb7";
/// The only version of the layout there has been.
const LAYOUT: &str = "0.3";

/// A scratch space, spelt as Julia spells it: links in its path are not resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ScratchSpace {
    root: PathBuf,
}

/// A bindings file of a scratch space: whose it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SpaceFile {
    /// The package's UUID: the name of its folder.
    pub(crate) uuid: String,
    /// The version in the file's name.
    pub(crate) version: Option<String>,
    pub(crate) path: PathBuf,
}

impl ScratchSpace {
    pub(crate) fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// Returns the space of a depot, whether it is there or not.
    pub(crate) fn of_depot(depot: &Path) -> Self {
        Self { root: depot.join("scratchspaces").join(PACKAGE).join(LAYOUT) }
    }

    /// Returns the depot the space lies in, if it lies where a depot has it.
    pub(crate) fn depot(&self) -> Option<PathBuf> {
        let depot = self.root.ancestors().nth(3)?;
        (Self::of_depot(depot).root == self.root).then(|| depot.to_owned())
    }

    /// Tells whether a folder looks like a space: it has artifacts, or packages with bindings.
    pub(crate) fn is_one(root: &Path) -> Result<bool> {
        let space = Self::new(root);
        let has = |path: PathBuf| Ok(lstat(&path)?.is_some_and(|found| found.is_dir()));
        Ok(has(space.artifacts())? && (has(space.logs())? || !space.files()?.is_empty()))
    }

    /// Fails if there is nothing at the place of the space: its disk may not be mounted.
    pub(crate) fn require(&self) -> Result<()> {
        match lstat(&self.artifacts())? {
            Some(_) => Ok(()),
            None => Err(Error::NoSuchPath { path: self.root.clone() }),
        }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn artifacts(&self) -> PathBuf {
        self.root.join("artifacts")
    }

    /// Returns where a file or directory of this id lies.
    pub(crate) fn artifact(&self, id: Digest) -> PathBuf {
        let id = id.to_string();
        self.artifacts().join(&id[..2]).join(id)
    }

    /// Returns the ids of the files that a stored directory links to.
    pub(crate) fn blobs_of(&self, id: Digest) -> Result<BTreeSet<Digest>> {
        linked_from(&self.artifact(id))
    }

    pub(crate) fn logs(&self) -> PathBuf {
        self.root.join("logs")
    }

    /// Returns the log of who bound what when.
    pub(crate) fn usage_log(&self) -> PathBuf {
        self.logs().join("my_artifact_usage.toml")
    }

    /// Returns the log of what was found unused when.
    pub(crate) fn orphan_log(&self) -> PathBuf {
        self.logs().join("my_artifact_orphanages.toml")
    }

    /// Returns where a package keeps its bindings.
    pub(crate) fn bindings_file(&self, uuid: &str, version: Option<&str>) -> PathBuf {
        let name = match version {
            Some(version) => format!("Artifacts_v{version}.toml"),
            None => "Artifacts.toml".to_owned(),
        };
        self.root.join(uuid).join(name)
    }

    /// Returns the folders that artifacts lie in, by the first two digits of their ids.
    pub(crate) fn shelves(&self) -> Result<Vec<PathBuf>> {
        let artifacts = self.artifacts();
        let is_shelf = |name: &String| name.len() == 2 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
        let shelves = names(&artifacts)?.into_iter().filter(is_shelf).map(|name| artifacts.join(name));
        Ok(shelves.filter(|path| path.is_dir()).collect())
    }

    /// Returns the ids in one of these folders. What else lies there does not count.
    pub(crate) fn ids_on(shelf: &Path) -> Result<Vec<Digest>> {
        let names = names(shelf)?;
        Ok(names.iter().filter_map(|name| crate::julia::id_at_end(&shelf.join(name))).collect())
    }

    /// Returns all bindings files, sorted: `<uuid>/Artifacts.toml` and `<uuid>/Artifacts_v<version>.toml`.
    pub(crate) fn files(&self) -> Result<Vec<SpaceFile>> {
        let mut files = Vec::new();
        for folder in names(&self.root)? {
            if folder.bytes().filter(|byte| *byte == b'-').count() < 4 {
                continue;
            }
            let path = self.root.join(&folder);
            if !std::fs::metadata(&path).is_ok_and(|found| found.is_dir()) {
                continue;
            }
            for name in names(&path)? {
                if let Some(version) = version_of(&name) {
                    files.push(SpaceFile { uuid: folder.clone(), version, path: path.join(name) });
                }
            }
        }
        files.sort_unstable();
        Ok(files)
    }
}

/// Returns the id in the last component of a path, as logs and stored links have it: the space may
/// have been elsewhere when they were written.
pub(crate) fn id_in(path: &Path) -> Option<Digest> {
    path.file_name()?.to_str()?.parse().ok()
}

/// Returns the ids of the files that a stored directory links to, wherever it lies.
pub(crate) fn linked_from(directory: &Path) -> Result<BTreeSet<Digest>> {
    let mut ids = BTreeSet::new();
    for entry in walkdir::WalkDir::new(directory) {
        let entry = entry.map_err(|error| {
            let path = error.path().unwrap_or(directory).to_owned();
            Error::io("list", &path, error.into_io_error().unwrap_or_else(|| std::io::ErrorKind::Other.into()))
        })?;
        if entry.path_is_symlink() {
            let target = std::fs::read_link(entry.path()).at("read the link", entry.path())?;
            ids.extend(id_in(&target).filter(|_| target.is_absolute()));
        }
    }
    Ok(ids)
}

/// Returns the version in a bindings file's name; none if this is no such name.
#[expect(clippy::option_option, reason = "a name without a version differs from no name")]
pub(crate) fn version_of(file_name: &str) -> Option<Option<String>> {
    let stem = file_name.strip_suffix(".toml")?.strip_prefix("Artifacts")?;
    match stem.strip_prefix("_v") {
        Some(version) if !version.is_empty() => Some(Some(version.to_owned())),
        None if stem.is_empty() => Some(None),
        _ => None,
    }
}

/// Returns the names in a folder that are text; nothing if it is not there.
fn names(folder: &Path) -> Result<Vec<String>> {
    if lstat(folder)?.is_none() {
        return Ok(Vec::new());
    }
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).at("list", folder)? {
        names.extend(entry.at("list", folder)?.file_name().into_string().ok());
    }
    Ok(names)
}
