//! A Julia depot: where Pkg keeps packages, environments, artifacts and its logs.
//!
//! Why: whether a package is installed, and whether an artifact is there already, is written in
//! folders whose places Julia fixes.
//! Guarantees: nothing is created; a depot that is listed is returned, whether it is there or not,
//! so that its absence can be noticed.
//! Must not know: what follows from what lies there.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// The user's depot, where nothing else is said.
const DEFAULT: &str = "~/.julia";

/// Returns the depots, first one first, each once.
///
/// `explicit` wins if it names any; else `variable`, the value of `JULIA_DEPOT_PATH`, if it is set;
/// else the default. A `~` that cannot be expanded, because there is no home, stays.
pub(crate) fn depots(explicit: &[PathBuf], variable: Option<&OsStr>, home: Option<&Path>) -> Vec<PathBuf> {
    let mut depots: Vec<PathBuf> = Vec::new();
    let mut add = |depot: PathBuf| {
        if !depots.contains(&depot) {
            depots.push(depot);
        }
    };
    let default = || expanded(Path::new(DEFAULT), home);
    if !explicit.is_empty() {
        for depot in explicit {
            add(expanded(depot, home));
        }
        return depots;
    }
    let Some(variable) = variable else { return vec![default()] };
    for (index, entry) in variable.as_bytes().split(|byte| *byte == b':').enumerate() {
        let depot = Path::new(OsStr::from_bytes(entry));
        if !entry.is_empty() {
            add(expanded(depot, home));
        } else if index == 0 || default().is_dir() {
            // Elsewhere Julia up to 1.10 reads an empty entry so, later versions do not: looking
            // there if there is something to see can only find more.
            add(default());
        }
    }
    depots
}

/// Replaces a leading `~` by the home; `~user` is left, as Julia refuses it.
fn expanded(depot: &Path, home: Option<&Path>) -> PathBuf {
    match (depot.strip_prefix("~"), home) {
        // Joining nothing would add a slash to the end.
        (Ok(rest), Some(home)) if rest.as_os_str().is_empty() => home.to_owned(),
        (Ok(rest), Some(home)) => home.join(rest),
        _ => depot.to_owned(),
    }
}

/// Returns the folder of an installed artifact, in the first depot that has it. What it holds was
/// not looked at.
pub(crate) fn find_installed_artifact(depots: &[PathBuf], tree_sha1_hex: &str) -> Option<PathBuf> {
    if tree_sha1_hex.len() != 40 || !tree_sha1_hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let name = tree_sha1_hex.to_ascii_lowercase();
    depots.iter().map(|depot| Depot::new(depot).artifacts().join(&name)).find(|folder| folder.is_dir())
}

/// One depot.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Depot<'a> {
    root: &'a Path,
}

impl<'a> Depot<'a> {
    pub(crate) const fn new(root: &'a Path) -> Self {
        Self { root }
    }

    pub(crate) const fn root(self) -> &'a Path {
        self.root
    }

    /// Returns the log of manifests that were used: `[["<path>"]]` with `time`.
    pub(crate) fn manifest_log(self) -> PathBuf {
        self.root.join("logs/manifest_usage.toml")
    }

    /// Returns the log of scratch spaces that were used: `[["<path>"]]` with `parent_projects`.
    pub(crate) fn scratch_log(self) -> PathBuf {
        self.root.join("logs/scratch_usage.toml")
    }

    /// Returns the folder of shared environments, a folder each.
    pub(crate) fn environments(self) -> PathBuf {
        self.root.join("environments")
    }

    /// Returns the folder of installed packages: `<Name>/<slug>` below it.
    pub(crate) fn packages(self) -> PathBuf {
        self.root.join("packages")
    }

    /// Returns the folder of installed artifacts, each in a folder named by its tree's SHA-1.
    pub(crate) fn artifacts(self) -> PathBuf {
        self.root.join("artifacts")
    }
}

/// Returns the depot a package's file lies in: the folder above `packages/`.
pub(crate) fn depot_of(path: &Path) -> Option<PathBuf> {
    let packages = path.ancestors().find(|above| above.file_name().is_some_and(|name| name == "packages"))?;
    packages.parent().map(Path::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: &str = "/home/u";

    fn of_variable(value: &str) -> Vec<PathBuf> {
        depots(&[], Some(OsStr::new(value)), Some(Path::new(HOME)))
    }

    #[test]
    fn the_variable_is_read_as_julia_reads_it() {
        let cases: [(&str, &[&str]); 8] = [
            ("/a", &["/a"]),
            ("/a:/b", &["/a", "/b"]),
            ("/a:/b:/a", &["/a", "/b"]),
            ("~/d:~", &["/home/u/d", "/home/u"]),
            ("~other/d", &["~other/d"]),
            (":/a", &["/home/u/.julia", "/a"]),
            ("", &["/home/u/.julia"]),
            ("/a::/b:", &["/a", "/b"]),
        ];
        for (value, expected) in cases {
            assert_eq!(of_variable(value), expected.iter().map(PathBuf::from).collect::<Vec<_>>(), "{value}");
        }
    }

    #[test]
    fn an_empty_entry_elsewhere_means_the_default_if_that_is_there() {
        let home = tempfile::tempdir().expect("a folder");
        let read = || depots(&[], Some(OsStr::new("/a:")), Some(home.path()));
        assert_eq!(read(), [PathBuf::from("/a")]);
        make_dir(&home.path().join(".julia"));
        assert_eq!(read(), [PathBuf::from("/a"), home.path().join(".julia")]);
    }

    #[test]
    fn what_is_named_wins_and_nothing_named_is_the_default() {
        let named = [PathBuf::from("/x"), PathBuf::from("~/y")];
        let found = depots(&named, Some(OsStr::new("/a")), Some(Path::new(HOME)));
        assert_eq!(found, [PathBuf::from("/x"), PathBuf::from("/home/u/y")]);
        assert_eq!(depots(&[], None, Some(Path::new(HOME))), [PathBuf::from("/home/u/.julia")]);
        assert_eq!(depots(&[], None, None), [PathBuf::from("~/.julia")]);
    }

    #[test]
    fn the_first_depot_that_has_an_artifact_wins() {
        let [first, second] = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
        let both = [first.path().to_owned(), second.path().to_owned()];
        let tree = "46e44e869b4d90b96bd8ed1fdcf32244fddfb6cc";
        assert_eq!(find_installed_artifact(&both, tree), None);
        for depot in [second.path(), first.path()] {
            let folder = depot.join("artifacts").join(tree);
            make_dir(&folder);
            assert_eq!(find_installed_artifact(&both, &tree.to_uppercase()), Some(folder));
        }
        make_dir(&first.path().join("artifacts/x"));
        for wrong in ["", "x", "../artifacts", &tree[1..]] {
            assert_eq!(find_installed_artifact(&both, wrong), None, "{wrong}");
        }
    }

    #[expect(clippy::disallowed_methods, reason = "a fixture")]
    fn make_dir(path: &Path) {
        std::fs::create_dir_all(path).expect("made");
    }
}
