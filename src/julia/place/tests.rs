#![expect(clippy::disallowed_methods, reason = "a test sets the scene as other programs would")]

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use filetime::{FileTime, set_file_mtime};

use super::*;
use crate::julia::live::testing::{Desk, now};

fn blob(digest: Digest) -> Blob {
    Blob { digest, executable: false }
}

fn file(path: &str, content: &[u8]) -> Entry {
    let hash = Digest::of_blob(content);
    Entry { path: path.into(), node: Node::File { hash, executable: false, size: content.len() as u64 } }
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).expect("there").permissions().mode() & 0o7777
}

fn age(path: &Path) -> i64 {
    now().as_millis() / 1_000 - fs::symlink_metadata(path).expect("there").mtime()
}

#[test]
fn a_file_is_linked_in_and_young() {
    let desk = Desk::new();
    let (id, source) = desk.stored(b"iris\n");
    set_file_mtime(&source, FileTime::from_unix_time(1_000_000, 0)).expect("set");
    assert_eq!(desk.live.place_blob(blob(id), &source, now()).expect("placed"), Placed::New);
    let target = desk.live.space.artifact(id);
    assert_eq!(fs::read(&target).expect("readable"), b"iris\n");
    assert_eq!(mode(&target), 0o444);
    assert!(age(&target) <= 2, "Julia would collect it at once");
    assert_eq!(fs::metadata(&target).expect("there").ino(), fs::metadata(&source).expect("there").ino());
    assert_eq!(desk.names("artifacts"), [&id.to_string()[..2]], "no lock is left");
    assert_eq!(desk.names(".oma/tmp"), [""; 0], "no draft is left");
}

#[test]
fn a_file_that_is_there_stays_and_becomes_young() {
    let desk = Desk::new();
    let (id, source) = desk.stored(b"iris\n");
    let target = desk.live.space.artifact(id);
    fs::create_dir_all(target.parent().expect("has one")).expect("made");
    fs::write(&target, b"iris\n").expect("written");
    set_file_mtime(&target, FileTime::from_unix_time(1_000_000, 0)).expect("set");
    let inode = fs::metadata(&target).expect("there").ino();
    assert_eq!(desk.live.place_blob(blob(id), &source, now()).expect("kept"), Placed::Kept);
    assert_eq!(fs::metadata(&target).expect("there").ino(), inode);
    assert!(age(&target) <= 2);
}

#[test]
fn a_copy_is_checked() {
    let desk = Desk::new();
    let (_, source) = desk.stored(b"iris\n");
    let other = blob(Digest::of_blob(b"other"));
    // A link cannot be made over a directory, so this goes the way of a copy.
    let target = desk.dir.path().join("copy");
    let error = desk.live.copy(&source, &target, other).expect_err("another content");
    assert!(matches!(error, Error::Damaged { .. }), "{error}");
    fs::remove_file(&target).expect("removed");
    desk.live.copy(&source, &target, blob(Digest::of_blob(b"iris\n"))).expect("copied");
    assert_eq!(mode(&target), 0o444);
}

#[test]
fn a_directory_is_stored_as_julia_stores_it() {
    let desk = Desk::new();
    let entries = [
        file("a", b"one"),
        Entry { path: "d".into(), node: Node::Directory },
        file("d/b", b"two"),
        Entry { path: "d/up".into(), node: Node::Link { target: "../a".into() } },
        Entry { path: "empty".into(), node: Node::Directory },
    ];
    desk.stored(b"one");
    desk.stored(b"two");
    let id = crate::model::Manifest::new(entries.to_vec()).hash;
    let source = |blob: Blob| desk.dir.path().join(format!("store-{}", blob.digest));
    assert_eq!(desk.live.place_tree(id, &entries, &source, now()).expect("placed"), Placed::New);
    let top = desk.live.space.artifact(id);
    assert_eq!((mode(&top), mode(&top.join("d"))), (0o555, 0o755));
    let target = |path: &str| fs::read_link(top.join(path)).expect("a link");
    assert_eq!(target("a"), desk.live.space.artifact(Digest::of_blob(b"one")));
    assert_eq!(target("d/b"), desk.live.space.artifact(Digest::of_blob(b"two")));
    assert_eq!(target("d/up"), Path::new("../a"));
    assert!(top.join("empty").is_dir());
    assert_eq!(fs::read(top.join("d/up")).expect("readable"), b"one");
    let linked = desk.live.space.blobs_of(id).expect("readable");
    assert_eq!(linked, [Digest::of_blob(b"one"), Digest::of_blob(b"two")].into());
    assert_eq!(desk.live.place_tree(id, &entries, &source, now()).expect("kept"), Placed::Kept);
    assert_eq!(desk.names(".oma/tmp"), [""; 0]);
}

#[test]
fn what_julia_fails_at_is_refused_before_anything_is_written() {
    let desk = Desk::new();
    let source = |_| desk.dir.path().join("none");
    let outward = [Entry { path: "l".into(), node: Node::Link { target: "/etc/hostname".into() } }];
    let error = desk.live.place_tree(Digest::of_tree(b""), &outward, &source, now()).expect_err("outward");
    assert!(matches!(error, Error::Link { .. }), "{error}");
    for path in ["../x", "/x", "", "a/../../x"] {
        let entries = [Entry { path: path.into(), node: Node::Directory }];
        assert!(desk.live.place_tree(Digest::of_tree(b""), &entries, &source, now()).is_err(), "{path}");
    }
    assert_eq!(desk.names("artifacts"), [""; 0]);
}

#[test]
fn folders_that_vanish_under_our_hands_are_made_again() {
    let desk = Desk::new();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // What Julia does to two-letter folders that hold nothing.
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                for name in desk.names("artifacts").iter().filter(|name| name.len() == 2) {
                    let _ = fs::remove_dir(desk.live.space.artifacts().join(name));
                }
            }
        });
        for number in 0..300_u32 {
            let (id, source) = desk.stored(&number.to_le_bytes());
            desk.live.place_blob(blob(id), &source, now()).expect("placed");
            fs::remove_file(desk.live.space.artifact(id)).expect("there");
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}
