//! Directories: files as artifacts of their own, and a directory of absolute links to them.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::{Outcome, Space, hex, object_id, store};

/// Makes a directory of `count` small files, every other one in a folder of its own.
pub(crate) fn create_dir(space: &Space, count: usize, seed: &str) -> Outcome<String> {
    let dir = space.workdir()?;
    let (source, shadow) = (dir.join("source"), dir.join("shadow"));
    let (mut top, mut inner) = (Vec::new(), Vec::new());
    for number in 0..count {
        let content = format!("{seed} {number}\n");
        let id = object_id("blob", content.as_bytes());
        let file = source.join("file");
        fs::write(&file, &content)?;
        store(space, &file, &hex(id))?;
        let name = format!("f{number:04}");
        let lines = if number % 2 == 0 { &mut top } else { &mut inner };
        line(lines, "100644", &name, id);
        let folder = if number % 2 == 0 { shadow.clone() } else { shadow.join("inner") };
        fs::create_dir_all(&folder)?;
        symlink(space.artifact(&hex(id))?, folder.join(name))?;
    }
    if !inner.is_empty() {
        // `inner/` sorts after all of `f….`.
        line(&mut top, "40000", "inner", object_id("tree", &inner));
    }
    let id = hex(object_id("tree", &top));
    let stored = store(space, &shadow, &id);
    fs::remove_dir_all(&dir)?;
    stored.map(|()| id)
}

fn line(tree: &mut Vec<u8>, mode: &str, name: &str, id: [u8; 32]) {
    tree.extend_from_slice(format!("{mode} {name}\0").as_bytes());
    tree.extend_from_slice(&id);
}

/// Returns what the links of a stored directory lead to; relative ones stay inside it.
pub(crate) fn links(directory: &Path) -> Outcome<Vec<PathBuf>> {
    let mut targets = Vec::new();
    for entry in walkdir::WalkDir::new(directory) {
        let entry = entry?;
        if !entry.file_type().is_dir() {
            // Whatever is no link is none of a stored directory's files.
            let target = fs::read_link(entry.path())?;
            if target.is_absolute() {
                targets.push(target);
            }
        }
    }
    Ok(targets)
}
