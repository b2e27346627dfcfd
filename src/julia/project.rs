//! A `Project.toml`: which package a folder is.
//!
//! Why: a manifest's own project stands in no manifest, an installed folder does not say its UUID by
//! its name, and the bindings beside a project belong to it.
//! Guarantees: none of it is guessed; a file that says something else than Julia expects is an error
//! that names the key.
//! Must not know: which packages are alive.

use std::path::{Path, PathBuf};

use crate::error::Result;
use crate::julia::Document;
use crate::julia::slug::Uuid;

/// The names of a project's file; the first wins beside the second, as in `Base.project_names`.
const FILE_NAMES: [&str; 2] = ["JuliaProject.toml", "Project.toml"];

/// What a project says about itself. An environment that is no package says nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Project {
    /// The file.
    pub(crate) path: PathBuf,
    pub(crate) uuid: Option<Uuid>,
    pub(crate) name: Option<String>,
    pub(crate) version: Option<String>,
    /// The folders of a workspace's other projects, which share its manifest (Julia 1.12).
    pub(crate) members: Vec<PathBuf>,
}

/// Returns the project whose file lies in the same folder as `path`; none if there is none.
pub(crate) fn project_beside(path: &Path) -> Result<Option<Project>> {
    // The folder of `Manifest.toml`, spelt without one, is the current one.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    project_in(folder.unwrap_or(Path::new(".")))
}

/// Returns the project whose file lies in a folder; none if there is none.
pub(crate) fn project_in(folder: &Path) -> Result<Option<Project>> {
    for name in FILE_NAMES {
        if let Some(project) = project_at(&folder.join(name))? {
            return Ok(Some(project));
        }
    }
    Ok(None)
}

/// Reads a project's file; none if it is not there.
pub(crate) fn project_at(path: &Path) -> Result<Option<Project>> {
    let Some(document) = Document::read(path)? else { return Ok(None) };
    let uuid = text(&document, "uuid")?;
    let uuid = uuid.map(|text| text.parse().map_err(|error| complain(&document, "uuid", error))).transpose()?;
    Ok(Some(Project {
        path: path.to_owned(),
        uuid,
        name: text(&document, "name")?,
        version: text(&document, "version")?,
        members: members(&document, path)?,
    }))
}

fn text(document: &Document, key: &str) -> Result<Option<String>> {
    match document.table().get(key) {
        None => Ok(None),
        Some(toml::Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(complain(document, key, "it is not a text")),
    }
}

fn members(document: &Document, path: &Path) -> Result<Vec<PathBuf>> {
    let Some(projects) = document.table().get("workspace").and_then(|workspace| workspace.get("projects")) else {
        return Ok(Vec::new());
    };
    let folders = projects.as_array().and_then(|projects| projects.iter().map(toml::Value::as_str).collect());
    let folders: Vec<&str> = folders.ok_or_else(|| complain(document, "workspace", "its projects are not texts"))?;
    let folder = path.parent().unwrap_or(Path::new(""));
    Ok(folders.into_iter().map(|member| folder.join(member)).collect())
}

fn complain(document: &Document, key: &str, reason: impl std::fmt::Display) -> crate::error::Error {
    document.complaint(key, format!("`{key}`: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder_with(name: &str, content: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        write(folder.path(), name, content);
        folder
    }

    #[expect(clippy::disallowed_methods, reason = "a fixture")]
    fn write(folder: &Path, name: &str, content: &str) {
        std::fs::write(folder.join(name), content).expect("written");
    }

    const ALPHA: &str =
        "name = \"FixAlpha\"\nuuid = \"AAAAAAAA-1111-4111-8111-111111111111\"\nversion = \"1.2.3\"\n[deps]\n";

    #[test]
    fn a_package_names_itself() {
        let folder = folder_with("Project.toml", ALPHA);
        let project = project_beside(&folder.path().join("Artifacts.toml")).expect("read").expect("there");
        assert_eq!(project.uuid.map(|uuid| uuid.to_string()).as_deref(), Some("aaaaaaaa-1111-4111-8111-111111111111"));
        assert_eq!((project.name.as_deref(), project.version.as_deref()), (Some("FixAlpha"), Some("1.2.3")));
        assert_eq!(project.path, folder.path().join("Project.toml"));
    }

    #[test]
    fn julia_project_wins() {
        let folder = folder_with("Project.toml", ALPHA);
        write(folder.path(), "JuliaProject.toml", "name = \"FixBeta\"\n");
        let project = project_in(folder.path()).expect("read").expect("there");
        assert_eq!((project.name.as_deref(), project.uuid), (Some("FixBeta"), None));
    }

    #[test]
    fn no_project_is_no_error_and_a_broken_one_is() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(project_in(folder.path()).expect("read"), None);
        let broken = [
            ("name = \"A\"\nuuid = \"1\"\n", "line 2: `uuid`: a UUID has 8-4-4-4-12 hex digits"),
            ("name = 1\n", "line 1: `name`: it is not a text"),
            ("\nversion = [1]\n", "line 2: `version`: it is not a text"),
            ("[workspace]\nprojects = [1]\n", "line 1: `workspace`: its projects are not texts"),
        ];
        for (content, expected) in broken {
            write(folder.path(), "Project.toml", content);
            let error = project_in(folder.path()).expect_err(content).to_string();
            assert!(error.ends_with(expected), "{error}");
        }
    }

    #[test]
    fn a_workspace_names_its_members() {
        let folder = folder_with("Project.toml", "[workspace]\nprojects = [\"docs\", \"lib/B\"]\n");
        let project = project_in(folder.path()).expect("read").expect("there");
        assert_eq!(project.members, [folder.path().join("docs"), folder.path().join("lib/B")]);
    }
}
