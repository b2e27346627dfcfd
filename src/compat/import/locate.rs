//! Finds out what a path that somebody named is, and which bindings files belong to it.

use std::path::{Path, PathBuf};

use crate::compat::import::ImportOptions;
use crate::error::{Error, PathContext as _, Result};
use crate::julia::{ScratchSpace, builtin_file_in, depot_of, is_builtin_file_name, project_beside, version_of};
use crate::model::OwnerId;

/// A file with bindings, and whose they are.
#[derive(Debug)]
pub(super) struct InputFile {
    pub(super) path: PathBuf,
    /// None if nobody can be found: what the file binds cannot come over.
    pub(super) owner: Option<OwnerId>,
    /// The scratch space it lies in.
    pub(super) space: Option<usize>,
    /// The depot it lies in, where its package and its artifacts may be.
    pub(super) depot: Option<PathBuf>,
}

/// A scratch space to import from.
#[derive(Debug)]
pub(super) struct InputSpace {
    pub(super) space: ScratchSpace,
    /// Whether what nobody binds is imported too.
    pub(super) whole: bool,
}

/// Everything the named paths hold.
#[derive(Debug, Default)]
pub(super) struct Input {
    pub(super) files: Vec<InputFile>,
    pub(super) spaces: Vec<InputSpace>,
}

/// Looks at each path.
pub(super) fn locate(paths: &[PathBuf], options: &ImportOptions) -> Result<Input> {
    let mut input = Input::default();
    for path in paths {
        let found = match std::fs::metadata(path) {
            Ok(found) => found,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(Error::NoSuchPath { path: path.clone() });
            }
            Err(error) => return Err(Error::io("read", path, error)),
        };
        let path = std::path::absolute(path).at("resolve", path)?;
        if found.is_dir() { input.add_folder(&path, options)? } else { input.add_file(&path, options)? }
    }
    Ok(input)
}

impl Input {
    fn add_folder(&mut self, folder: &Path, options: &ImportOptions) -> Result<()> {
        if ScratchSpace::is_one(folder)? {
            return self.add_space(folder, options);
        }
        let before = self.files.len() + self.spaces.len();
        let in_depot = ScratchSpace::of_depot(folder);
        if ScratchSpace::is_one(in_depot.root())? {
            self.add_space(in_depot.root(), options)?;
        }
        for package in package_folders(folder)? {
            self.add_package(&package, options)?;
        }
        self.add_package(folder, options)?;
        if self.files.len() + self.spaces.len() > before {
            return Ok(());
        }
        let reason = "it is no scratch space and no depot, and has no `Artifacts.toml`";
        Err(Error::invalid("source of an import", &folder.to_string_lossy(), reason))
    }

    fn add_space(&mut self, root: &Path, options: &ImportOptions) -> Result<()> {
        let space = ScratchSpace::new(root);
        let depot = space.depot();
        let index = self.spaces.len();
        for file in space.files()? {
            // A folder's or file's name that is no owner's is said when the file is read.
            let owner = OwnerId::new(&file.uuid, file.version.as_deref()).ok();
            self.files.push(InputFile { path: file.path, owner, space: Some(index), depot: depot.clone() });
        }
        // Where only some names are wanted, what nobody uses is not.
        self.spaces.push(InputSpace { space, whole: options.only.is_none() });
        Ok(())
    }

    /// Adds the files of a package: its built-in ones, or what OhMyArtifacts.jl keeps for it.
    fn add_package(&mut self, folder: &Path, options: &ImportOptions) -> Result<()> {
        let builtin = builtin_file_in(folder)?;
        let mut names: Vec<PathBuf> = builtin.into_iter().collect();
        for entry in std::fs::read_dir(folder).at("list", folder)? {
            let name = entry.at("list", folder)?.file_name();
            let versioned = name.to_str().and_then(version_of).is_some_and(|version| version.is_some());
            if versioned {
                names.push(folder.join(name));
            }
        }
        names.sort_unstable();
        names.iter().try_for_each(|path| self.add_file(path, options))
    }

    fn add_file(&mut self, path: &Path, options: &ImportOptions) -> Result<()> {
        let name = path.file_name().and_then(std::ffi::OsStr::to_str).unwrap_or_default();
        let version = version_of(name).flatten();
        if let Some(space) = space_around(path)? {
            let depot = space.depot();
            let owner = folder_name(path).and_then(|uuid| OwnerId::new(uuid, version.as_deref()).ok());
            let index = self.spaces.len();
            self.spaces.push(InputSpace { space, whole: false });
            self.files.push(InputFile { path: path.to_owned(), owner, space: Some(index), depot });
            return Ok(());
        }
        // A Project.toml that cannot be read says nothing of its package.
        let project = project_beside(path).ok().flatten();
        // Several versions of a package may be installed in one depot, each with artifacts of its own.
        let depot = depot_of(path);
        let installed = project.as_ref().filter(|_| depot.is_some()).and_then(|project| project.version.clone());
        let version = version.or(installed);
        let project = project.and_then(|project| project.uuid);
        let in_name = folder_name(path).filter(|name| !is_builtin_file_name(name) && looks_like_uuid(name));
        let key = project.map(|uuid| uuid.to_string()).or_else(|| in_name.map(str::to_owned));
        let owner = match key {
            Some(key) => OwnerId::new(&key, version.as_deref()).ok(),
            None => options.owner.clone(),
        };
        self.files.push(InputFile { path: path.to_owned(), owner, space: None, depot });
        Ok(())
    }
}

/// Returns the scratch space a bindings file lies in: `<space>/<uuid>/<file>`.
fn space_around(path: &Path) -> Result<Option<ScratchSpace>> {
    let Some(root) = path.parent().and_then(Path::parent) else { return Ok(None) };
    let in_package = folder_name(path).is_some_and(looks_like_uuid);
    Ok((in_package && ScratchSpace::is_one(root)?).then(|| ScratchSpace::new(root)))
}

fn folder_name(path: &Path) -> Option<&str> {
    path.parent()?.file_name()?.to_str()
}

fn looks_like_uuid(name: &str) -> bool {
    name.len() == 36 && name.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

/// Returns the folders `packages/<Name>/<slug>` of a depot.
fn package_folders(depot: &Path) -> Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for name in subfolders(&depot.join("packages"))? {
        folders.extend(subfolders(&name)?);
    }
    folders.sort_unstable();
    Ok(folders)
}

fn subfolders(folder: &Path) -> Result<Vec<PathBuf>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut folders = Vec::new();
    for entry in std::fs::read_dir(folder).at("list", folder)? {
        let path = entry.at("list", folder)?.path();
        if path.is_dir() {
            folders.push(path);
        }
    }
    Ok(folders)
}
