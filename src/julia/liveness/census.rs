//! Reads what speaks for packages: logs, manifests, projects, installed folders.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Error, PathContext as _, Result};
use crate::fs::lstat;
use crate::julia::Document;
use crate::julia::depot::Depot;
use crate::julia::liveness::{Census, Proof, package, shown_path, unreadable};
use crate::julia::manifests::{ManifestEntry, is_manifest_name, read_manifest};
use crate::julia::project::{Project, project_at, project_in};
use crate::julia::slug::{Uuid, package_slugs};

/// How much is read before giving up.
#[derive(Debug, Clone, Copy)]
pub(super) struct Caps {
    /// Files and folders.
    pub(super) files: usize,
    /// Names in one folder.
    pub(super) names: usize,
    /// Bytes of all files.
    pub(super) bytes: u64,
}

/// More than any depot has.
pub(super) const CAPS: Caps = Caps { files: 200_000, names: 100_000, bytes: 2 * 1024 * 1024 * 1024 };

/// See [`Census::take`].
pub(super) fn take(depots: &[PathBuf], roots: &[PathBuf], caps: Caps) -> Census {
    let mut taker = Taker { census: Census::default(), seen: HashSet::new(), explained: HashSet::new(), left: caps };
    taker.census.depots = depots.len();
    taker.census.roots = roots.len();
    taker.read_logs(depots);
    for depot in depots {
        taker.read_environments(Depot::new(depot));
    }
    for root in roots {
        taker.read_root(&std::path::absolute(root).unwrap_or_else(|_| root.clone()));
    }
    // Last, because what the manifests explain need not be opened.
    for depot in depots {
        taker.read_packages(Depot::new(depot));
    }
    taker.census
}

struct Taker {
    census: Census,
    /// Manifests, projects and folders of projects that were read.
    seen: HashSet<PathBuf>,
    /// `<Name>/<slug>` of what the manifests have.
    explained: HashSet<PathBuf>,
    left: Caps,
}

impl Taker {
    /// Manifests and projects that Pkg and Scratch noted. Some depot must have a log, or we look in
    /// the wrong place.
    fn read_logs(&mut self, depots: &[PathBuf]) {
        let mut readable = 0;
        for depot in depots.iter().map(|depot| Depot::new(depot)) {
            if !depot.root().is_dir() {
                self.census.doubt(format!("the depot `{}` is not there", shown_path(depot.root())));
                continue;
            }
            if let Some(log) = self.read_with(&depot.manifest_log(), Document::read) {
                readable += 1;
                self.read_manifest_log(&log, &depot.manifest_log());
            }
            if let Some(log) = self.read_with(&depot.scratch_log(), Document::read) {
                self.read_scratch_log(&log);
            }
        }
        if readable == 0 {
            self.census.doubt(no_log(depots));
        }
    }

    fn read_manifest_log(&mut self, log: &Document, path: &Path) {
        if log.table().is_empty() {
            self.census.doubt(format!("`{}` names no manifest", shown_path(path)));
        }
        for manifest in log.table().keys().map(Path::new) {
            if manifest.is_absolute() {
                self.read_manifest(manifest);
            } else {
                let named = shown_path(manifest);
                self.census.doubt(format!("`{}` names `{named}`, which is not a full path", shown_path(path)));
            }
        }
    }

    fn read_scratch_log(&mut self, log: &Document) {
        let uses = log.table().values().filter_map(toml::Value::as_array).flatten();
        let parents = uses.filter_map(|used| used.get("parent_projects")?.as_array()).flatten();
        for project in parents.filter_map(toml::Value::as_str).map(Path::new) {
            if project.is_absolute() && self.seen.insert(project.to_owned()) {
                let read = self.read_with(project, project_at);
                self.note_project(read);
            }
        }
    }

    fn read_environments(&mut self, depot: Depot<'_>) {
        for environment in self.folders(&depot.environments()) {
            for file in self.names(&environment) {
                let name = file.file_name().unwrap_or_default().to_string_lossy();
                if name.contains("Manifest") && name.ends_with(".toml") {
                    self.read_manifest(&file);
                }
            }
        }
    }

    /// A root is a manifest, a project's file, or a folder of projects or with one.
    fn read_root(&mut self, root: &Path) {
        match std::fs::metadata(root) {
            Ok(found) if found.is_dir() => {
                self.read_folder_of_root(root);
                for folder in self.names(root).into_iter().filter(|path| path.is_dir()) {
                    self.read_folder_of_root(&folder);
                }
            }
            Ok(_) if root.file_name().is_some_and(|name| name.to_string_lossy().ends_with("Project.toml")) => {
                self.read_folder_of_root(root.parent().unwrap_or(root));
            }
            Ok(_) => self.read_manifest(root),
            Err(error) => self.census.doubt(unreadable(root, &Error::io("read", root, error))),
        }
    }

    fn read_folder_of_root(&mut self, folder: &Path) {
        self.read_project(folder);
        for file in self.names(folder) {
            if file.file_name().and_then(|name| name.to_str()).is_some_and(is_manifest_name) {
                self.read_manifest(&file);
            }
        }
    }

    /// Reads a manifest, and the project beside it; nothing if it is not there any more.
    fn read_manifest(&mut self, path: &Path) {
        if !self.seen.insert(path.to_owned()) {
            return;
        }
        let Some(entries) = self.read_with(path, read_manifest) else { return };
        self.census.manifests += 1;
        for entry in entries {
            self.note_entry(path, &entry);
        }
        if let Some(folder) = path.parent() {
            self.read_project(folder);
        }
    }

    fn note_entry(&mut self, manifest: &Path, entry: &ManifestEntry) {
        let proof = || Proof::Manifest(manifest.to_owned(), package(Some(&entry.name), entry.version.as_deref()));
        self.census.alive.entry(entry.uuid).or_insert_with(proof);
        self.note_name(entry.uuid, Some(&entry.name));
        let slugs = entry.tree_sha1.as_deref().and_then(|tree| package_slugs(entry.uuid, tree));
        self.explained.extend(slugs.into_iter().flatten().map(|slug| Path::new(&entry.name).join(slug)));
    }

    /// Reads the project of a folder, and of the workspace it heads.
    fn read_project(&mut self, folder: &Path) {
        let mut waiting = vec![folder.to_owned()];
        while let Some(folder) = waiting.pop() {
            // However its path is spelt, so that a workspace cannot lead in circles.
            let resolved = std::fs::canonicalize(&folder).unwrap_or_else(|_| folder.clone());
            if self.seen.insert(resolved) {
                let project = self.read_with(&folder, project_in);
                waiting.extend(self.note_project(project));
            }
        }
    }

    /// Returns the folders of the workspace the project heads.
    fn note_project(&mut self, project: Option<Project>) -> Vec<PathBuf> {
        let Some(project) = project else { return Vec::new() };
        if let Some(uuid) = project.uuid {
            self.note_name(uuid, project.name.as_deref());
            let known = package(project.name.as_deref(), project.version.as_deref());
            self.census.alive.entry(uuid).or_insert_with(|| Proof::Project(project.path, known));
        }
        project.members
    }

    fn read_packages(&mut self, depot: Depot<'_>) {
        for name in self.folders(&depot.packages()) {
            for folder in self.folders(&name) {
                let place = folder.strip_prefix(depot.packages()).unwrap_or(&folder);
                if !self.explained.contains(place) {
                    self.read_package(&folder);
                }
            }
        }
    }

    /// A folder that no manifest explains: its project says whose it is, or anybody's it may be.
    fn read_package(&mut self, folder: &Path) {
        let before = self.census.doubts.len() + self.census.more_doubts;
        let project = self.read_with(folder, project_in);
        if let Some((uuid, name)) = project.and_then(|project| Some((project.uuid?, project.name))) {
            self.note_name(uuid, name.as_deref());
            self.census.installed.entry(uuid).or_insert_with(|| folder.to_owned());
            return;
        }
        let said_why = self.census.doubts.len() + self.census.more_doubts > before;
        if !said_why && !self.names(folder).is_empty() {
            let folder = shown_path(folder);
            self.census.doubt(format!("`{folder}` is in no manifest and does not say which package it is"));
        }
    }

    /// The first name wins: manifests come before projects, and these before installed folders.
    fn note_name(&mut self, uuid: Uuid, name: Option<&str>) {
        if let Some(name) = name {
            self.census.names.entry(uuid).or_insert_with(|| name.to_owned());
        }
    }

    /// Reads a file; none if it is not there, or cannot be read, which is a doubt.
    fn read_with<T>(&mut self, path: &Path, read: impl FnOnce(&Path) -> Result<Option<T>>) -> Option<T> {
        if !self.affords(path) {
            return None;
        }
        read(path).unwrap_or_else(|error| {
            self.census.doubt(unreadable(path, &error));
            None
        })
    }

    /// Counts a file, or a folder and its project, against the caps.
    fn affords(&mut self, path: &Path) -> bool {
        let length = |path: &Path| std::fs::metadata(path).map_or(0, |found| found.len());
        let bytes = length(path).saturating_add(length(&path.join("Project.toml")));
        let left = self.left.files.checked_sub(1).zip(self.left.bytes.checked_sub(bytes));
        let affords = left.is_some();
        (self.left.files, self.left.bytes) = left.unwrap_or((0, 0));
        if !affords {
            self.census.doubt(format!("`{}` is not read: there is too much to read", shown_path(path)));
        }
        affords
    }

    /// Returns the folders in a folder, sorted.
    fn folders(&mut self, folder: &Path) -> Vec<PathBuf> {
        let mut folders = self.names(folder);
        folders.retain(|path| match std::fs::metadata(path) {
            Ok(found) => found.is_dir(),
            Err(error) => {
                self.census.doubt(unreadable(path, &Error::io("read", path, error)));
                false
            }
        });
        folders
    }

    /// Returns what lies in a folder, sorted; nothing if there is no such folder.
    fn names(&mut self, folder: &Path) -> Vec<PathBuf> {
        if !self.affords(folder) {
            return Vec::new();
        }
        list(folder, self.left.names).unwrap_or_else(|error| {
            self.census.doubt(unreadable(folder, &error));
            Vec::new()
        })
    }
}

fn no_log(depots: &[PathBuf]) -> String {
    match depots {
        [] => "no depot is known".to_owned(),
        [depot] => format!("there is no readable log at `{}`", shown_path(&Depot::new(depot).manifest_log())),
        _ => format!("none of {} depots has a readable log of manifests", depots.len()),
    }
}

fn list(folder: &Path, most: usize) -> Result<Vec<PathBuf>> {
    if lstat(folder)?.is_none() {
        return Ok(Vec::new());
    }
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).at("list", folder)? {
        if names.len() == most {
            let error = io::Error::other(format!("it holds more than {most} names"));
            return Err(Error::io("list", folder, error));
        }
        names.push(entry.at("list", folder)?.path());
    }
    names.sort_unstable();
    Ok(names)
}
