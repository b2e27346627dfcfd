//! Whether a path is there, and whether its absence can be believed.
//!
//! Why: a disk that is not plugged in makes everything on it look gone.
//! Guarantees: *gone* is said only if the filesystem that the path lay on is mounted, as far as was
//! written down, and the system says clearly that nothing is there.
//! Must not know: owners.

use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::model::{Liveness, Verdict};
use crate::text::printable_path;

/// Looks at a path. `mount` is where its filesystem was mounted when it was last seen.
pub(super) fn look(path: &Path, mount: Option<&Path>) -> Verdict {
    let shown = printable_path(path);
    match std::fs::metadata(path) {
        Ok(_) => Verdict::new(Liveness::Alive, format!("`{shown}` is there")),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => match mount {
            Some(mount) if !is_mount_point(mount) => {
                let mount = printable_path(mount);
                Verdict::new(Liveness::Unknown, format!("`{shown}` lay on `{mount}`, where nothing is mounted now"))
            }
            _ => Verdict::new(Liveness::Gone, format!("`{shown}` is not there")),
        },
        Err(error) => Verdict::new(Liveness::Unknown, format!("`{shown}` cannot be looked at: {error}")),
    }
}

/// Returns where the filesystem is mounted that a path lies on; none for the topmost one, which is
/// always there.
pub(crate) fn mount_of(path: &Path) -> std::io::Result<Option<PathBuf>> {
    let path = std::fs::canonicalize(path)?;
    let device = std::fs::metadata(&path)?.dev();
    for (top, above) in path.ancestors().zip(path.ancestors().skip(1)) {
        if std::fs::metadata(above)?.dev() != device {
            return Ok(Some(top.to_owned()));
        }
    }
    Ok(None)
}

/// What cannot be looked at is none: then nobody may be taken for gone.
fn is_mount_point(path: &Path) -> bool {
    let device = |path: &Path| std::fs::metadata(path).map(|found| found.dev());
    let Some(above) = path.parent() else { return true };
    matches!((device(path), device(above)), (Ok(own), Ok(above)) if own != above)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lay_on_an_unmounted_filesystem_is_unknown() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data");
        let gone = look(&path, None);
        assert_eq!(gone.liveness, Liveness::Gone, "{}", gone.evidence);
        let mount = dir.path().join("mount");
        for not_mounted in [mount.as_path(), dir.path()] {
            let unknown = look(&path, Some(not_mounted));
            assert_eq!(unknown.liveness, Liveness::Unknown, "{}", unknown.evidence);
        }
        assert_eq!(look(&path, Some(Path::new("/"))).liveness, Liveness::Gone);
        assert_eq!(look(dir.path(), Some(&mount)).liveness, Liveness::Alive);
    }

    #[test]
    fn a_mount_point_is_found_and_known_again() {
        // The kernel mounts it everywhere; where it does not, there is nothing to see.
        let Ok(Some(mount)) = mount_of(Path::new("/proc/self")) else { return };
        assert_eq!(mount, Path::new("/proc"));
        assert!(is_mount_point(&mount));
        assert_eq!(look(Path::new("/proc/self/no-such-file"), Some(&mount)).liveness, Liveness::Gone);
        assert!(!is_mount_point(Path::new("/proc/sys")));
    }
}
