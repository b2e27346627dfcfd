//! What GNU tar packs comes out as GNU tar unpacks it.

use std::io::{Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::symlink;
use std::process::Command;

use super::*;

/// A name that no ustar header holds.
fn long_name() -> String {
    format!("{}/{}", "long-directory-name".repeat(8), "naïve 日本語 ".repeat(11))
}

#[expect(clippy::disallowed_methods, reason = "tests prepare the disk themselves")]
fn write(path: &Path, content: &[u8], mode: u32) {
    std::fs::create_dir_all(path.parent().expect("below")).expect("made");
    std::fs::write(path, content).expect("written");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("set");
}

/// What every format of tar can hold.
#[expect(clippy::disallowed_methods, reason = "tests prepare the disk themselves")]
fn make_plain_tree(root: &Path) {
    write(&root.join("empty"), b"", 0o644);
    write(&root.join("a/tool"), b"#!/bin/sh\n", 0o755);
    write(&root.join("a/block"), &[1; 512], 0o600);
    write(&root.join("a/large"), &(0..300_000_u32).flat_map(u32::to_le_bytes).collect::<Vec<u8>>(), 0o444);
    write(&root.join("setuid"), b"x", 0o6755);
    write(&root.join("group may execute"), b"x", 0o654);
    write(&root.join("..odd"), b"x", 0o644);
    std::fs::hard_link(root.join("a/tool"), root.join("a/tool again")).expect("linked");
    std::fs::create_dir_all(root.join("nothing/here")).expect("made");
    symlink("a/tool", root.join("link")).expect("a link");
    symlink("../../nowhere", root.join("a/dangling")).expect("a link");
    symlink("nothing", root.join("to-directory")).expect("a link");
}

#[expect(clippy::disallowed_methods, reason = "tests prepare the disk themselves")]
fn make_nasty_tree(root: &Path) {
    make_plain_tree(root);
    write(&root.join(long_name()), b"far", 0o755);
    write(&root.join("new\nline"), b"x", 0o644);
    write(&root.join(std::ffi::OsStr::from_bytes(b"\xff\xfe")), b"x", 0o644);
    write(&root.join("x".repeat(255)), b"x", 0o644);
    symlink(long_name().repeat(4), root.join("long link")).expect("a link");
    std::fs::hard_link(root.join(long_name()), root.join("short")).expect("linked");
}

/// Files with more holes than a header has room for, one ending in a hole, one all hole.
fn make_sparse_files(root: &Path) {
    for (name, pieces, length) in [("holes", 60_u64, 60 << 16), ("tail", 1, 1 << 20), ("all hole", 0, 123_457)] {
        let mut file = Disk::default().create_file(&root.join(name), 0o644).expect("made");
        for piece in 0..pieces {
            file.seek(SeekFrom::Start(piece << 16)).expect("sought");
            file.write_all(format!("piece {piece}").repeat(100).as_bytes()).expect("written");
        }
        file.set_len(length).expect("grown");
    }
}

fn tar(arguments: &[&str], folder: &Path) -> bool {
    let output = Command::new("tar").arg("-C").arg(folder).args(arguments).output();
    output.is_ok_and(|output| output.status.success())
}

/// Packs with GNU tar, unpacks with it and with ours, compares; false if there is no such tar.
#[expect(clippy::disallowed_methods, reason = "tests prepare the disk themselves")]
fn agrees(make: impl Fn(&Path), options: &[&str]) -> bool {
    let place = Place::new();
    let own = tempfile::tempdir().expect("a folder");
    let [source, theirs, file] = ["source", "theirs", "x.tar"].map(|name| own.path().join(name));
    std::fs::create_dir(&source).expect("made");
    std::fs::create_dir(&theirs).expect("made");
    make(&source);
    let archive = file.to_str().expect("UTF-8");
    if !tar(&[options, &["-cf", archive, "."]].concat(), &source) {
        println!("SKIPPED: the system's tar knows no {options:?}");
        return false;
    }
    assert!(tar(&["-xf", archive], &theirs));
    let ours = place.content(&std::fs::read(&file).expect("there"));
    assert_eq!(ours.keys().collect::<Vec<_>>(), listing(&theirs).keys().collect::<Vec<_>>(), "{options:?}");
    assert!(ours == listing(&source) && ours == listing(&theirs), "{options:?}");
    true
}

#[test]
fn every_format_of_tar_is_understood() {
    let mut formats = 0;
    for format in ["gnu", "oldgnu", "posix"] {
        formats += u32::from(agrees(make_nasty_tree, &["--format", format]));
    }
    for format in ["ustar", "v7"] {
        formats += u32::from(agrees(make_plain_tree, &["--format", format]));
    }
    assert!(formats == 5 || formats == 0, "some tar, but not all of its formats");
}

#[test]
fn every_packing_program_is_understood() {
    for option in ["--gzip", "--bzip2", "--xz", "--zstd"] {
        agrees(make_nasty_tree, &[option]);
    }
}

#[test]
fn sparse_files_keep_their_content() {
    for options in [
        &["--sparse"][..],
        &["--sparse", "--format", "posix", "--sparse-version", "1.0"],
        &["--sparse", "--format", "posix", "--sparse-version", "0.1"],
    ] {
        agrees(make_sparse_files, options);
    }
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
