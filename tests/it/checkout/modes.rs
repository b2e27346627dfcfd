//! Each way for files to come out, from each sort of store.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use ohmyartifacts::LinkStyle;

use super::{assert_clean, assert_same, bound};
use crate::support::oma::{Oma, tell};
use crate::support::{DAY, STYLES, bytes_on_disk, mode_of};

/// What the mask of this process takes from the permissions of new files.
fn masked(oma: &Oma, mode: u32) -> u32 {
    let probe = oma.path("probe");
    fs::write(&probe, "").unwrap();
    let kept = mode_of(&probe) | 0o111;
    mode & kept
}

/// Returns the id that another store gives what came out.
fn id_of(oma: &Oma, path: &Path) -> String {
    oma.line(&["--store", &oma.at("elsewhere"), "add", path.to_str().unwrap()])
}

#[test]
fn copies_are_files_of_their_own() {
    for style in STYLES {
        let oma = Oma::with_style(style);
        let hash = bound(&oma);
        for (mode, writable) in [("auto", false), ("auto", true), ("copy", false), ("copy", true)] {
            let when = format!("{style} {mode} {writable}");
            let mut words = vec!["--json", "checkout", "o:t", "out", "--mode", mode];
            words.extend(writable.then_some("--writable"));
            let done = oma.ok(&words).json();
            let out = oma.path("out");
            assert_eq!(done["path"], oma.at("out"), "{when}");
            assert_eq!((&done["hash"], &done["writable"]), (&hash.clone().into(), &writable.into()), "{when}");
            assert_same(&oma.path("src"), &out, &when);
            assert_eq!(id_of(&oma, &out), hash, "{when}");
            assert!(out.join("void").is_dir(), "{when}");
            assert_eq!(fs::read_link(out.join("way")).unwrap(), Path::new("deep"), "{when}");
            let (plain, able) = if writable { (0o644, 0o755) } else { (0o444, 0o555) };
            assert_eq!(mode_of(&out.join("a")), masked(&oma, plain), "{when}");
            assert_eq!(mode_of(&out.join("twin")), masked(&oma, able), "{when}");
            assert_eq!(mode_of(&out.join("deep")), masked(&oma, 0o755), "{when}");
            assert_eq!(fs::metadata(out.join("a")).unwrap().nlink(), 1, "{when}");
            fs::remove_dir_all(&out).unwrap();
        }
        assert_clean(&oma);
    }
}

#[test]
fn what_is_written_to_a_copy_stays_out_of_the_store() {
    for style in STYLES {
        let oma = Oma::with_style(style);
        bound(&oma);
        oma.ok(&["checkout", "o:t", "out", "--writable"]);
        for name in ["a", "twin", "large"] {
            fs::write(oma.path("out").join(name), "mine").unwrap();
        }
        assert_clean(&oma);
    }
}

#[test]
fn hard_links_are_the_stored_files() {
    for style in STYLES {
        let oma = Oma::with_style(style);
        let hash = bound(&oma);
        let done = oma.json(&["checkout", "o:t", "out", "--mode", "hardlink"]);
        assert_eq!(done["mode"], "hardlink");
        assert_same(&oma.path("src"), &oma.path("out"), style.as_str());
        assert_eq!(id_of(&oma, &oma.path("out")), hash);
        let stored = Path::new(&oma.line(&["path", "o:t"])).join("a");
        let inode = |path: &Path| fs::metadata(path).unwrap().ino();
        assert_eq!(inode(&oma.path("out/a")), inode(&stored), "{style}");
        assert_eq!(mode_of(&oma.path("out/a")), 0o444);
        assert_eq!(mode_of(&oma.path("out/twin")), 0o555);
        assert_ne!(inode(&oma.path("out/a")), inode(&oma.path("out/twin")));
        assert_clean(&oma);

        // The same content again is believed, and shares nothing new.
        let again = oma.json(&["-o", "o", "add", &oma.at("src"), "--bind", "again"]);
        assert_eq!((&again["hash"], &again["new_bytes"]), (&hash.into(), &0.into()), "{style}");
        assert_clean(&oma);
    }
}

/// "Freed" is what leaves the disk: a file that has a name outside of the store does not.
#[test]
fn gc_knows_of_hard_links_outside() {
    for style in STYLES {
        let oma = Oma::with_style(style);
        bound(&oma);
        oma.ok(&["checkout", "o:t:large", "kept", "--mode", "hardlink"]);
        oma.ok(&["-o", "o", "unbind", "t"]);
        oma.pass(DAY);
        let all = bytes_on_disk(&oma.root());
        let dry = oma.json(&["gc", "-n", "--collect-delay", "0"]);
        let gone = oma.json(&["gc", "-y", "--collect-delay", "0"]);
        assert_eq!(dry["freed_bytes"], gone["freed_bytes"], "{style}");
        assert_eq!(gone["freed_bytes"], all - super::LARGE as u64, "{style}");
        assert_eq!(bytes_on_disk(&oma.root()), 0, "{style}");
        assert_eq!(fs::read(oma.path("kept")).unwrap(), super::large(), "{style}");
    }
}

#[test]
fn symbolic_links_lead_to_the_stored_files() {
    for style in STYLES {
        let oma = Oma::with_style(style);
        bound(&oma);
        let ran = oma.ok(&["checkout", "o:t", "out", "--mode", "symlink"]);
        assert!(ran.stderr.contains("good as long as these are kept"), "{ran:#?}");
        assert_same(&oma.path("src"), &oma.path("out"), style.as_str());
        assert!(oma.path("out/deep/er").symlink_metadata().unwrap().is_dir());
        let target = fs::read_link(oma.path("out/a")).unwrap();
        assert!(target.starts_with(oma.root()) && target.is_file(), "{}", target.display());
        assert_eq!(fs::read_link(oma.path("out/way")).unwrap(), Path::new("deep"));

        oma.ok(&["checkout", "o:t:twin", "one", "--mode", "symlink"]);
        let one = fs::read_link(oma.path("one")).unwrap();
        assert!(one.starts_with(oma.root().join("executables")), "{}", one.display());
        assert_clean(&oma);
    }
}

/// Where the filesystem has reflinks, both sorts of copies share their bytes; elsewhere that is said.
#[test]
fn reflinks_are_had_or_refused() {
    let oma = Oma::new();
    bound(&oma);
    let ran = oma.run(&["checkout", "o:t", "out", "--mode", "reflink"]);
    if ran.code == Some(0) {
        assert_same(&oma.path("src"), &oma.path("out"), "reflink");
        let auto = oma.json(&["checkout", "o:t", "auto", "--writable"]);
        assert_eq!(auto["mode"], "reflink");
        fs::write(oma.path("auto/large"), "mine").unwrap();
    } else {
        tell("there are no reflinks here: they are seen to be refused only");
        let ran = ran.expect(1);
        assert!(ran.stderr.contains("hint: `--mode copy` works everywhere"), "{ran:#?}");
        assert!(!oma.path("out").exists());
        assert_eq!(oma.json(&["checkout", "o:t", "auto"])["mode"], "copy");
    }
    assert_clean(&oma);
}

/// The same on a filesystem made for it; only root may mount one.
#[test]
fn reflinks_on_a_filesystem_that_has_them() {
    let Some(mounted) = Mounted::new() else { return };
    let oma = Oma::new();
    let store = mounted.path("store");
    bound(&oma);
    oma.ok(&["--store", &store, "-o", "o", "add", &oma.at("src"), "--bind", "t"]);
    for mode in ["auto", "reflink"] {
        let out = mounted.path(mode);
        let done = oma.json(&["--store", &store, "checkout", "o:t", &out, "--mode", mode, "--writable"]);
        assert_eq!(done["mode"], "reflink");
        assert_same(&oma.path("src"), Path::new(&out), mode);
        fs::write(format!("{out}/large"), "mine").unwrap();
    }
    oma.ok(&["--store", &store, "verify"]);
}

/// A small filesystem with reflinks, for as long as this lives.
struct Mounted {
    dir: tempfile::TempDir,
}

impl Mounted {
    fn new() -> Option<Self> {
        let made = Self { dir: tempfile::tempdir().unwrap() };
        let script = "cd \"$1\" && truncate -s 512M image && mkdir at && \
                      { mkfs.btrfs -q image || mkfs.xfs -q image; } && mount -o loop image at";
        let output = std::process::Command::new("sh").args(["-c", script, "sh"]).arg(made.dir.path()).output().unwrap();
        if !output.status.success() {
            tell(&format!("skipped: no filesystem to mount: {}", String::from_utf8_lossy(&output.stderr)));
            return None;
        }
        Some(made)
    }

    fn path(&self, name: &str) -> String {
        self.dir.path().join("at").join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(self.dir.path().join("at")).output();
    }
}

/// What is to be let go of must not hang on a link style: the store that made it is the only one there is.
#[test]
fn a_store_that_was_given_by_a_relative_path() {
    let oma = Oma::with_style(LinkStyle::Absolute);
    bound(&oma);
    oma.ok(&["--store", "store", "checkout", "o:t", "out", "--mode", "symlink"]);
    assert_same(&oma.path("src"), &oma.path("out"), "a relative store");
}
