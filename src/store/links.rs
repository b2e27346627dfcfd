//! Decides which symbolic links of a source can be kept.
//!
//! A link is followed inside the list of what was seen, never on the disk: what lies outside the
//! tree, or is left out of it, does not exist for a stored tree.

use std::collections::{HashMap, HashSet};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

use crate::error::{Error, LinkProblem, PathContext as _, Result};
use crate::event::{Event, Observer};
use crate::model::LinkPolicy;
use crate::store::seen::{Seen, SeenEntry};

/// As many links as Linux follows in one path (`path_resolution(7)`).
const MOST_STEPS: usize = 40;

/// The links of a source and where they may lead.
pub(crate) struct Links {
    root: PathBuf,
    /// The root as it is spelt, and without links in its own path.
    spellings: Vec<PathBuf>,
    seen: HashMap<PathBuf, Seen>,
}

impl Links {
    pub(crate) fn new(root: &Path, entries: &[SeenEntry]) -> Result<Self> {
        if !entries.iter().any(|entry| matches!(entry.seen, Seen::Link(_))) {
            return Ok(Self { root: root.to_owned(), spellings: Vec::new(), seen: HashMap::new() });
        }
        let mut spellings = vec![std::fs::canonicalize(root).at("resolve", root)?];
        spellings.push(std::path::absolute(root).at("resolve", root)?);
        let seen = entries.iter().map(|entry| (entry.path.clone(), entry.seen.clone())).collect();
        Ok(Self { root: root.to_owned(), spellings, seen })
    }

    /// Makes absolute links into the tree relative, then applies `policy` to each bad link.
    pub(crate) fn settle(
        mut self,
        entries: &mut Vec<SeenEntry>,
        policy: LinkPolicy,
        observer: &dyn Observer,
    ) -> Result<()> {
        self.make_relative(entries);
        let mut skipped = HashSet::new();
        for entry in entries.iter() {
            let Seen::Link(target) = &entry.seen else { continue };
            let Err(problem) = self.follow(&entry.path, target) else { continue };
            match policy {
                LinkPolicy::Keep => {}
                LinkPolicy::Error => {
                    let path = self.root.join(&entry.path);
                    return Err(Error::Link { path, target: target.clone(), problem });
                }
                LinkPolicy::Skip => {
                    let reason = format!("the link {problem}");
                    observer.on(&Event::Skipped { path: &entry.path, reason: &reason });
                    skipped.insert(entry.path.clone());
                }
            }
        }
        entries.retain(|entry| !skipped.contains(&entry.path));
        Ok(())
    }

    /// Returns the first link that leaves the tree, or that leads in a circle.
    pub(crate) fn first_stray(&self, entries: &[SeenEntry]) -> Option<(PathBuf, LinkProblem)> {
        entries.iter().find_map(|entry| {
            let Seen::Link(target) = &entry.seen else { return None };
            let problem = self.follow(&entry.path, target).err()?;
            (problem != LinkProblem::Dangles).then(|| (entry.path.clone(), problem))
        })
    }

    fn make_relative(&mut self, entries: &mut [SeenEntry]) {
        for entry in entries {
            let Seen::Link(target) = &mut entry.seen else { continue };
            let inside = self.spellings.iter().find_map(|root| target.strip_prefix(root).ok());
            if let Some(inside) = inside {
                *target = relative(&entry.path, inside);
                self.seen.insert(entry.path.clone(), Seen::Link(target.clone()));
            }
        }
    }

    fn follow(&self, link: &Path, target: &Path) -> Result<(), LinkProblem> {
        let parent = link.parent().unwrap_or(Path::new("")).to_owned();
        let mut steps = MOST_STEPS;
        self.walk(parent, target, &mut steps).map(drop)
    }

    /// Walks `target` from the directory `at`, all paths relative to the top; returns the end.
    fn walk(&self, at: PathBuf, target: &Path, steps: &mut usize) -> Result<PathBuf, LinkProblem> {
        *steps = steps.checked_sub(1).ok_or(LinkProblem::Loops)?;
        if target.as_os_str().as_bytes().is_empty() {
            return Err(LinkProblem::Dangles);
        }
        let mut at = at;
        for component in target.components() {
            match component {
                Component::CurDir => {}
                Component::RootDir | Component::Prefix(_) => return Err(LinkProblem::Leaves),
                Component::ParentDir => {
                    if !at.pop() {
                        return Err(LinkProblem::Leaves);
                    }
                }
                Component::Normal(name) => at = self.enter(at, name.as_ref(), steps)?,
            }
        }
        Ok(at)
    }

    fn enter(&self, directory: PathBuf, name: &Path, steps: &mut usize) -> Result<PathBuf, LinkProblem> {
        let is_directory = directory.as_os_str().is_empty() || self.seen.get(&directory) == Some(&Seen::Directory);
        if !is_directory {
            return Err(LinkProblem::Dangles);
        }
        let path = directory.join(name);
        match self.seen.get(&path) {
            None => Err(LinkProblem::Dangles),
            Some(Seen::Link(target)) => self.walk(directory, target, steps),
            Some(_) => Ok(path),
        }
    }
}

/// Returns the text that leads from the link at `link` to `inside`, both relative to the top.
fn relative(link: &Path, inside: &Path) -> PathBuf {
    let up = link.components().count() - 1;
    let text: PathBuf = std::iter::repeat_n(Component::ParentDir, up).chain(inside.components()).collect();
    if text.as_os_str().is_empty() { PathBuf::from(".") } else { text }
}
