//! A `Manifest.toml`: the packages of an environment.
//!
//! Why: what stands in a manifest is in use; nothing else in a depot says so.
//! Guarantees: format 1 and every format 2.x are read; a manifest that cannot be understood whole is
//! an error, never a shorter list, because what is missing here counts as uninstalled.
//! Must not know: depots, owners.

use std::path::Path;

use crate::error::Result;
use crate::julia::Document;
use crate::julia::slug::Uuid;
use crate::text::printable;

/// The newest major number of the format that is understood.
const NEWEST_FORMAT: &str = "2";

/// A package as a manifest has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ManifestEntry {
    pub(crate) uuid: Uuid,
    pub(crate) name: String,
    /// None for parts of Julia itself in older formats.
    pub(crate) version: Option<String>,
    /// The SHA-1 of the package's tree, 40 hex digits as written; none for what Pkg did not install.
    pub(crate) tree_sha1: Option<String>,
    /// Where a package under development lies, relative to the manifest.
    pub(crate) path: Option<String>,
    /// The repository of a package that is in no registry.
    pub(crate) repo_url: Option<String>,
}

/// Tells whether Julia takes a file of this name for a manifest: `Manifest.toml`,
/// `JuliaManifest.toml`, or either with a version, as in `Manifest-v1.11.toml`.
pub(crate) fn is_manifest_name(name: &str) -> bool {
    let stem = name.strip_prefix("Julia").unwrap_or(name);
    let Some(rest) = stem.strip_prefix("Manifest").and_then(|rest| rest.strip_suffix(".toml")) else { return false };
    let version = rest.strip_prefix("-v");
    rest.is_empty()
        || version.is_some_and(|version| {
            version.split('.').all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
        })
}

/// Reads a manifest; none if there is no such file.
pub(crate) fn read_manifest(path: &Path) -> Result<Option<Vec<ManifestEntry>>> {
    let Some(document) = Document::read(path)? else { return Ok(None) };
    // Pkg writes a line of comment at least; a file of no bytes is what a crash leaves.
    if document.table().is_empty() && std::fs::metadata(path).is_ok_and(|found| found.len() == 0) {
        return Err(document.complaint("", "it is empty"));
    }
    entries(&document).map(Some)
}

/// Returns the packages of a manifest.
pub(crate) fn entries(document: &Document) -> Result<Vec<ManifestEntry>> {
    let mut entries = Vec::new();
    match packages(document)? {
        Packages::Top => {
            for (name, value) in document.table() {
                push_all(document, name, name, value, &mut entries)?;
            }
        }
        Packages::Deps(table) => {
            for (name, value) in table {
                push_all(document, "deps", name, value, &mut entries)?;
            }
        }
        Packages::None => {}
    }
    Ok(entries)
}

/// Where the packages stand in a manifest.
enum Packages<'a> {
    /// At the top: format 1.
    Top,
    /// Under `deps`: format 2.
    Deps(&'a toml::Table),
    /// There are none.
    None,
}

fn packages(document: &Document) -> Result<Packages<'_>> {
    const FORMAT: &str = "manifest_format";
    let format = match document.table().get(FORMAT) {
        // A package may have this name in format 1.
        None | Some(toml::Value::Array(_)) => return Ok(Packages::Top),
        Some(toml::Value::String(format)) => format,
        Some(_) => return Err(document.complaint(FORMAT, "the format is not a text")),
    };
    if format.split('.').next() != Some(NEWEST_FORMAT) {
        return Err(document.complaint(FORMAT, format!("format `{}` is not known", printable(format.as_bytes()))));
    }
    match document.table().get("deps") {
        None => Ok(Packages::None),
        Some(toml::Value::Table(table)) => Ok(Packages::Deps(table)),
        // The way an empty list was written by some versions of Pkg.
        Some(toml::Value::Array(list)) if list.is_empty() => Ok(Packages::None),
        Some(_) => Err(document.complaint("deps", "the packages are not tables")),
    }
}

/// Adds the packages of one name, of which there may be several.
fn push_all(
    document: &Document,
    key: &str,
    name: &str,
    value: &toml::Value,
    entries: &mut Vec<ManifestEntry>,
) -> Result<()> {
    let shown = printable(name.as_bytes());
    let complain = |reason: &str| document.complaint(key, format!("`{shown}` {reason}"));
    let tables = value.as_array().ok_or_else(|| complain("is not a list of tables"))?;
    for table in tables {
        let table = table.as_table().ok_or_else(|| complain("is not a list of tables"))?;
        entries.push(entry(name, table).map_err(|reason| complain(&reason))?);
    }
    Ok(())
}

fn entry(name: &str, table: &toml::Table) -> Result<ManifestEntry, String> {
    let text = |key: &str| match table.get(key) {
        None => Ok(None),
        Some(toml::Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(format!("has a `{key}` that is not a text")),
    };
    let uuid = text("uuid")?.ok_or("has no uuid")?;
    Ok(ManifestEntry {
        uuid: uuid.parse().map_err(|error| format!("has a wrong uuid: {error}"))?,
        name: name.to_owned(),
        version: text("version")?,
        tree_sha1: text("git-tree-sha1")?,
        path: text("path")?,
        repo_url: text("repo-url")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Vec<ManifestEntry>> {
        entries(&Document::parse(Path::new("Manifest.toml"), text)?)
    }

    fn entry_of(name: &str, uuid: &str) -> ManifestEntry {
        let uuid = uuid.parse().expect("a UUID");
        ManifestEntry { uuid, name: name.to_owned(), version: None, tree_sha1: None, path: None, repo_url: None }
    }

    const ALPHA: &str = "aaaaaaaa-1111-4111-8111-111111111111";
    const BETA: &str = "bbbbbbbb-2222-4222-8222-222222222222";
    const TREE: &str = "46e44e869b4d90b96bd8ed1fdcf32244fddfb6cc";

    #[test]
    fn format_1_has_packages_at_the_top() {
        let text = format!(
            "# machine-generated\n\n[[Alpha]]\ndeps = [\"Beta\"]\ngit-tree-sha1 = \"{TREE}\"\nuuid = \"{ALPHA}\"\n\
             version = \"1.2.3\"\n\n[[Alpha]]\nuuid = \"{BETA}\"\n[[manifest_format]]\nuuid = \"{BETA}\"\n"
        );
        let mut alpha = entry_of("Alpha", ALPHA);
        alpha.version = Some("1.2.3".to_owned());
        alpha.tree_sha1 = Some(TREE.to_owned());
        let expected = [alpha, entry_of("Alpha", BETA), entry_of("manifest_format", BETA)];
        assert_eq!(parsed(&text).expect("read"), expected);
    }

    #[test]
    fn format_2_has_packages_under_deps() {
        for format in ["2.0", "2.0.0", "2.1", "2.99"] {
            let text = format!(
                "julia_version = \"1.12.0\"\nmanifest_format = \"{format}\"\nproject_hash = \"00\"\n\n\
                 [[deps.Alpha]]\npath = \"../Alpha\"\nuuid = \"{ALPHA}\"\n\
                 [[deps.Beta]]\nrepo-url = \"https://x.test/B.git\"\nuuid = \"{BETA}\"\nregistries = [\"General\"]\n\
                 \n    [deps.Beta.deps]\n    Alpha = \"{ALPHA}\"\n\n[registries.General]\nuuid = \"{BETA}\"\n"
            );
            let mut alpha = entry_of("Alpha", ALPHA);
            alpha.path = Some("../Alpha".to_owned());
            let mut beta = entry_of("Beta", BETA);
            beta.repo_url = Some("https://x.test/B.git".to_owned());
            assert_eq!(parsed(&text).expect(format), [alpha, beta]);
        }
    }

    #[test]
    fn an_environment_may_have_no_packages() {
        for text in ["# machine-generated\n", "manifest_format = \"2.0\"\n[deps]\n", "manifest_format = \"2.0\"\n"] {
            assert_eq!(parsed(text).expect(text), []);
        }
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        let broken = [
            ("manifest_format = \"3.0\"\n", "line 1: format `3.0` is not known"),
            ("manifest_format = \"20.0\"\n", "line 1: format `20.0` is not known"),
            ("manifest_format = 2\n", "line 1: the format is not a text"),
            ("manifest_format = \"2.0\"\ndeps = 1\n", "line 2: the packages are not tables"),
            ("manifest_format = \"2.0\"\n[deps.A]\nuuid = \"\"\n", "line 2: `A` is not a list of tables"),
            ("\n[[A]]\nversion = \"1\"\n", "line 2: `A` has no uuid"),
            ("\n[[A]]\nuuid = 1\n", "line 2: `A` has a `uuid` that is not a text"),
            ("[[A]]\nuuid = \"1\"\n", "line 1: `A` has a wrong uuid: a UUID has 8-4-4-4-12 hex digits"),
            ("A = [1]\n", "line 1: `A` is not a list of tables"),
            ("x = 1\n", "line 1: `x` is not a list of tables"),
        ];
        for (text, expected) in broken {
            let error = parsed(text).expect_err(text).to_string();
            assert!(error.ends_with(expected), "{error}");
        }
    }

    #[test]
    fn an_emptied_file_is_an_error() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let error = read_manifest(file.path()).expect_err("empty").to_string();
        assert!(error.ends_with("it is empty"), "{error}");
        assert_eq!(read_manifest(&file.path().join("x")).expect("absent"), None);
    }

    #[test]
    fn names_of_manifests() {
        for yes in ["Manifest.toml", "JuliaManifest.toml", "Manifest-v1.11.toml", "JuliaManifest-v1.10.4.toml"] {
            assert!(is_manifest_name(yes), "{yes}");
        }
        for no in ["manifest.toml", "Manifest.toml.bak", "WebManifest.toml", "Manifest-v.toml", "Manifest-v1..2.toml"] {
            assert!(!is_manifest_name(no), "{no}");
        }
    }
}
