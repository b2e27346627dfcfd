//! Trees that are hard to pack.

use std::io::{Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::symlink;

use super::*;

/// A name that no ustar header holds.
pub(super) fn long_name() -> String {
    format!("{}/{}", "long-directory-name".repeat(8), "naïve 日本語 ".repeat(11))
}

#[expect(clippy::disallowed_methods, reason = "tests prepare the disk themselves")]
pub(super) fn write(path: &Path, content: &[u8], mode: u32) {
    std::fs::create_dir_all(path.parent().expect("below")).expect("made");
    std::fs::write(path, content).expect("written");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("set");
}

/// What every format of tar can hold.
#[expect(clippy::disallowed_methods, reason = "tests prepare the disk themselves")]
pub(super) fn make_plain_tree(root: &Path) {
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
pub(super) fn make_nasty_tree(root: &Path) {
    make_plain_tree(root);
    write(&root.join(long_name()), b"far", 0o755);
    write(&root.join("new\nline"), b"x", 0o644);
    write(&root.join(std::ffi::OsStr::from_bytes(b"\xff\xfe")), b"x", 0o644);
    write(&root.join("x".repeat(255)), b"x", 0o644);
    symlink(long_name().repeat(4), root.join("long link")).expect("a link");
    std::fs::hard_link(root.join(long_name()), root.join("short")).expect("linked");
}

/// Files with more holes than a header has room for, one ending in a hole, one all hole.
pub(super) fn make_sparse_files(root: &Path) {
    for (name, pieces, length) in [("holes", 60_u64, 60 << 16), ("tail", 1, 1 << 20), ("all hole", 0, 123_457)] {
        let mut file = Disk::default().create_file(&root.join(name), 0o644).expect("made");
        for piece in 0..pieces {
            file.seek(SeekFrom::Start(piece << 16)).expect("sought");
            file.write_all(format!("piece {piece}").repeat(100).as_bytes()).expect("written");
        }
        file.set_len(length).expect("grown");
    }
}
