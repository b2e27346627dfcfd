//! What other programs pack comes out as they unpack it.
//!
//! Each test packs a tree with a program, unpacks the archive with that program and with ours, and compares names,
//! kinds, bytes, links and execute bits; without the program it says that it was left out.

mod python;
mod random;
mod tar;
mod trees;
mod zip;

use std::process::Command;

use super::*;

/// A folder with a tree, its archive, and what the program that packed it makes of that.
struct Match {
    dir: tempfile::TempDir,
}

impl Match {
    /// Makes the tree that is to be packed.
    #[expect(clippy::disallowed_methods, reason = "tests prepare the disk themselves")]
    fn new(make: impl Fn(&Path)) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        for name in ["source", "theirs"] {
            std::fs::create_dir(dir.path().join(name)).expect("made");
        }
        make(&dir.path().join("source"));
        Self { dir }
    }

    fn source(&self) -> PathBuf {
        self.dir.path().join("source")
    }

    fn theirs(&self) -> PathBuf {
        self.dir.path().join("theirs")
    }

    fn archive(&self) -> PathBuf {
        self.dir.path().join("archive")
    }

    /// Runs a program inside the tree, with `$1` the archive and `$2` the folder to unpack to; tells whether it
    /// succeeded.
    fn run(&self, script: &str) -> bool {
        let mut shell = Command::new("sh");
        shell.args(["-ec", script, "sh"]).arg(self.archive()).arg(self.theirs()).current_dir(self.source());
        shell.output().is_ok_and(|output| output.status.success())
    }

    /// Unpacks with ours.
    fn ours(&self) -> Listing {
        Place::new().content(&std::fs::read(self.archive()).expect("there"))
    }
}

/// Packs, unpacks with their program and with ours, compares; false if the program cannot pack so.
fn agrees(make: impl Fn(&Path), pack: &str, unpack: &str) -> bool {
    let contest = Match::new(make);
    if !contest.run(pack) {
        println!("SKIPPED: no program here does `{pack}`");
        return false;
    }
    assert!(contest.run(unpack), "{unpack}");
    let (ours, theirs) = (contest.ours(), listing(&contest.theirs()));
    assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>(), "{pack}");
    assert!(ours == theirs, "{pack}");
    true
}

#[test]
fn the_numbers_reported_are_those_of_the_files() {
    let place = Place::new();
    let archive = forge::Forge::default().directory("d").file("d/a", b"12345").hard_link("b", "d/a").symlink("l", "x");
    assert_eq!(place.unpack(&archive.done()).expect("unpacked"), Unpacked { shape: Shape::Tree, files: 2, bytes: 10 });
    let mode = |path: &str| std::fs::metadata(place.dest().join(path)).expect("there").permissions().mode() & 0o7777;
    assert_eq!((mode("d/a"), mode("d") & 0o700), (0o644, 0o700));
}

#[test]
fn modes_are_kept_without_what_others_may_do_to_them() {
    let mut archive = forge::Forge::default();
    for (name, mode) in
        [("suid", b"0007777\0"), ("none", b"0000000\0"), ("typed", b"0100755\0"), ("open", b"0000666\0")]
    {
        let change = |block: &mut [u8; 512]| block[100..108].copy_from_slice(mode);
        archive = archive.changed_header(b'0', name.as_bytes(), b"", forge::octal(0), change);
    }
    let place = Place::new();
    place.unpack(&archive.done()).expect("unpacked");
    let mode = |path: &str| std::fs::metadata(place.dest().join(path)).expect("there").permissions().mode() & 0o7777;
    assert_eq!(["suid", "none", "typed", "open"].map(mode), [0o755, 0o600, 0o755, 0o644]);
}
