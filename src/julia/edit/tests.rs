#![expect(clippy::disallowed_methods, reason = "a test sets the scene as other programs would")]

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use super::*;
use crate::fs::{Disk, Patience};
use crate::julia::live::testing::{Desk, UUID, now, open};
use crate::julia::pidfile::Pidfile;
use crate::model::{Blob, Entry, Manifest, Node};

fn place(desk: &Desk, content: &[u8]) -> Digest {
    let (id, source) = desk.stored(content);
    desk.live.place_blob(Blob { digest: id, executable: false }, &source, now()).expect("placed");
    id
}

fn as_name(name: &str, id: Digest) -> NewBinding<'_> {
    NewBinding { name, id, is_dir: false, meta: None, force: false }
}

fn alpha(desk: &Desk) -> SpaceFile {
    desk.live.file(UUID, None).expect("valid")
}

#[test]
fn a_binding_and_its_log_are_written_as_julia_writes_them() {
    let desk = Desk::new();
    let id = place(&desk, b"iris\n");
    let at: Timestamp = "2026-11-22T10:55:18.035Z".parse().expect("valid");
    let outcome = desk.live.bind(&alpha(&desk), &[as_name("iris data", id)], at).expect("bound");
    assert_eq!(outcome, [Bind::Made]);
    let file = desk.read(&format!("{UUID}/Artifacts.toml"));
    assert_eq!(file, format!("[\"iris data\"]\nisdir = false\nsha256 = \"{id}\"\n"));
    let (log, complaints) = UsageLog::read(&desk.live.space, Zone::Local).expect("readable");
    assert!(complaints.is_empty());
    let uses: Vec<_> = log.entries().map(|(id, file, name, at)| (id, file.uuid.clone(), name.to_owned(), at)).collect();
    assert_eq!(uses, [(id, UUID.to_owned(), "iris data".to_owned(), at)]);
    assert!(desk.read("logs/my_artifact_usage.toml").contains(&desk.live.space.artifact(id).display().to_string()));
    assert_eq!(desk.names("logs"), ["my_artifact_usage.toml"], "no lock and no draft is left");
    assert_eq!(desk.names(UUID), ["Artifacts.toml"]);
}

#[test]
fn each_file_of_a_bound_directory_is_logged() {
    let desk = Desk::new();
    let contents: [&[u8]; 2] = [b"one", b"two"];
    let entries: Vec<Entry> = contents
        .iter()
        .enumerate()
        .map(|(at, content)| {
            let hash = desk.stored(content).0;
            Entry { path: format!("f{at}").into(), node: Node::File { hash, executable: false, size: 3 } }
        })
        .collect();
    let id = Manifest::new(entries.clone()).hash;
    let source = |blob: Blob| desk.dir.path().join(format!("store-{}", blob.digest));
    desk.live.place_tree(id, &entries, &source, now()).expect("placed");
    let binding = NewBinding { is_dir: true, ..as_name("dir", id) };
    desk.live.bind(&alpha(&desk), &[binding], now()).expect("bound");
    let (log, _) = UsageLog::read(&desk.live.space, Zone::Local).expect("readable");
    for used in [id, Digest::of_blob(b"one"), Digest::of_blob(b"two")] {
        assert!(log.knows(used), "{used}");
    }
    assert!(desk.read(&format!("{UUID}/Artifacts.toml")).contains("isdir = true"));
}

#[test]
fn a_taken_name_is_kept_unless_forced() {
    let desk = Desk::new();
    let (first, second) = (place(&desk, b"1"), place(&desk, b"2"));
    let meta = Value::String("old".to_owned());
    let bind = |binding| desk.live.bind(&alpha(&desk), &[binding], now()).expect("possible").remove(0);
    assert_eq!(bind(NewBinding { meta: Some(&meta), ..as_name("n", first) }), Bind::Made);
    let before = desk.read(&format!("{UUID}/Artifacts.toml"));
    assert!(before.contains("meta = \"old\""));
    let Bind::Taken(held) = bind(as_name("n", second)) else { panic!("it is taken") };
    assert_eq!((held.id, held.entry.get("meta")), (Some(first), Some(&meta)));
    assert!(matches!(bind(as_name("n", first)), Bind::Taken(_)), "even for the same artifact");
    assert_eq!(desk.read(&format!("{UUID}/Artifacts.toml")), before);
    let Bind::Replaced(held) = bind(NewBinding { force: true, ..as_name("n", second) }) else { panic!("it is forced") };
    assert_eq!(held.id, Some(first));
    let after = desk.read(&format!("{UUID}/Artifacts.toml"));
    assert_eq!(after, format!("[n]\nisdir = false\nsha256 = \"{second}\"\n"), "old metadata goes");
}

#[test]
fn what_is_not_meant_stays_as_it_is() {
    let desk = Desk::new();
    let id = place(&desk, b"1");
    let foreign = "odd = 7\n\n[built]\ngit-tree-sha1 = \"0000000000000000000000000000000000000000\"\nlazy = true\n\n\
                   [mine]\nextra = [1, 2.5, \"x\"]\nisdir = false\nsha256 = \"?\"\n";
    desk.write(&format!("{UUID}/Artifacts.toml"), foreign);
    desk.live.bind(&alpha(&desk), &[as_name("zz", id)], now()).expect("bound");
    let text = desk.read(&format!("{UUID}/Artifacts.toml"));
    assert_eq!(text, format!("{foreign}\n[zz]\nisdir = false\nsha256 = \"{id}\"\n"));
    let held = desk.live.unbind(&alpha(&desk), &["zz", "never"], now()).expect("unbound");
    assert_eq!(held.len(), 1);
    assert_eq!(desk.read(&format!("{UUID}/Artifacts.toml")), foreign);
}

#[test]
fn a_broken_file_is_never_overwritten() {
    let desk = Desk::new();
    let id = place(&desk, b"1");
    desk.write(&format!("{UUID}/Artifacts.toml"), "[ok]\nsha256 = \n");
    let error = desk.live.bind(&alpha(&desk), &[as_name("n", id)], now()).expect_err("broken");
    assert!(matches!(error, Error::Toml { line: 2, .. }), "{error}");
    assert!(desk.live.unbind(&alpha(&desk), &["ok"], now()).is_err());
    assert_eq!(desk.read(&format!("{UUID}/Artifacts.toml")), "[ok]\nsha256 = \n");
    assert_eq!(desk.names("logs"), [""; 0], "nothing is logged");

    let desk = Desk::new();
    let id = place(&desk, b"1");
    desk.write("logs/my_artifact_usage.toml", "[torn");
    assert!(desk.live.bind(&alpha(&desk), &[as_name("n", id)], now()).is_err());
    assert_eq!(desk.read("logs/my_artifact_usage.toml"), "[torn");
    assert_eq!(desk.names(UUID), [""; 0], "bound and not logged would be collected");
}

#[test]
fn what_julia_cannot_read_is_refused_before_anything_is_written() {
    let desk = Desk::new();
    let id = place(&desk, b"1");
    let table: Table = "t = 1979-05-27T07:32:00+01:00".parse().expect("TOML");
    let meta = Value::Table(table);
    let error = desk
        .live
        .bind(&alpha(&desk), &[NewBinding { meta: Some(&meta), ..as_name("n", id) }], now())
        .expect_err("an offset");
    assert!(matches!(&error, Error::Unwritable { key, .. } if key == "n.meta.t"), "{error}");
    assert_eq!((desk.names(UUID), desk.names("logs")), (vec![], vec![]));
    let missing = Digest::of_blob(b"not there");
    let error = desk.live.bind(&alpha(&desk), &[as_name("n", missing)], now()).expect_err("not there");
    assert!(matches!(error, Error::NoSuchObject { .. }), "{error}");
    assert!(desk.live.bind(&alpha(&desk), &[NewBinding { is_dir: true, ..as_name("n", id) }], now()).is_err());
}

#[test]
fn binding_again_clears_the_time_of_an_orphan_and_not_the_time_of_julias_last_gc() {
    let desk = Desk::new();
    let (id, other) = (place(&desk, b"1"), place(&desk, b"2"));
    let path = |id| desk.live.space.artifact(id).display().to_string();
    let log = format!("\"{}\" = 2026-01-01T00:00:00.000Z\n\"{}\" = 2026-01-01T00:00:00.000Z\n", path(id), path(other));
    desk.write("logs/my_artifact_orphanages.toml", &log);
    let file = desk.live.space.orphan_log();
    filetime::set_file_mtime(&file, filetime::FileTime::from_unix_time(1_700_000_000, 0)).expect("set");
    desk.live.bind(&alpha(&desk), &[as_name("n", id)], now()).expect("bound");
    let text = desk.read("logs/my_artifact_orphanages.toml");
    assert_eq!(text, format!("\"{}\" = 2026-01-01T00:00:00.000Z\n", path(other)));
    assert_eq!(fs::metadata(&file).expect("there").mtime(), 1_700_000_000);
}

#[test]
fn a_replaced_file_keeps_its_mode_its_owner_and_the_link_to_it() {
    let desk = Desk::new();
    let id = place(&desk, b"1");
    let elsewhere = desk.dir.path().join("dotfiles.toml");
    fs::write(&elsewhere, "").expect("written");
    fs::set_permissions(&elsewhere, fs::Permissions::from_mode(0o660)).expect("set");
    let root = rustix::process::geteuid().is_root();
    if root {
        std::os::unix::fs::chown(&elsewhere, Some(1234), Some(4321)).expect("given away");
    }
    fs::create_dir_all(desk.live.space.root().join(UUID)).expect("made");
    std::os::unix::fs::symlink(&elsewhere, alpha(&desk).path).expect("linked");
    desk.live.bind(&alpha(&desk), &[as_name("n", id)], now()).expect("bound");
    let found = fs::symlink_metadata(&elsewhere).expect("there");
    assert_eq!(found.permissions().mode() & 0o7777, 0o660);
    if root {
        assert_eq!((found.uid(), found.gid()), (1234, 4321));
    }
    assert!(fs::symlink_metadata(alpha(&desk).path).expect("there").is_symlink());
    assert!(fs::read_to_string(&elsewhere).expect("readable").starts_with("[n]"));
}

#[test]
fn only_uuids_and_versions_become_part_of_a_path() {
    let desk = Desk::new();
    for uuid in ["", "..", "logs", "aaaaaaaa-1111-4111-8111-11111111111", "aaaaaaaa-1111-4111-8111-11111111111/"] {
        assert!(desk.live.file(uuid, None).is_err(), "{uuid}");
    }
    for version in ["", "/../x", "1\0"] {
        assert!(desk.live.file(UUID, Some(version)).is_err(), "{version}");
    }
    let file = desk.live.file(UUID, Some("2.0.0-rc.1+build.5")).expect("valid");
    assert!(file.path.ends_with(format!("{UUID}/Artifacts_v2.0.0-rc.1+build.5.toml")));
}

/// A second writer, as the original is: it knows the locks, and writes in place.
fn bind_in_place(desk: &Desk, name: &str, id: Digest) {
    let patient = open(desk.live.space.root());
    let mut patience: Patience<'_> = patient.waiting.patience();
    let path = alpha(desk).path;
    let lock = Pidfile::acquire(&Disk::default(), &path.with_file_name("artifact_lock"), now(), &mut patience);
    let old = fs::read_to_string(&path).unwrap_or_default();
    let text = format!("{old}[\"{name}\"]\nisdir = false\nsha256 = \"{id}\"\n");
    fs::write(&path, text).expect("written");
    lock.expect("taken").release().expect("released");
}

#[test]
fn nothing_is_lost_of_a_hundred_and_twenty_binds_at_once() {
    let desk = &Desk::new();
    let id = place(desk, b"shared");
    fs::create_dir_all(desk.live.space.root().join(UUID)).expect("made");
    std::thread::scope(|scope| {
        for thread in 0..8 {
            scope.spawn(move || {
                let live = open(desk.live.space.root());
                for number in 0..15 {
                    let name = format!("n-{thread}-{number}");
                    if thread % 4 == 3 {
                        bind_in_place(desk, &name, id);
                    } else {
                        live.bind(&alpha(desk), &[as_name(&name, id)], now()).expect("bound");
                    }
                }
            });
        }
    });
    let document = desk.live.read_bindings(&alpha(desk), now()).expect("readable").expect("there");
    assert_eq!(document.table().len(), 120);
    let (log, _) = UsageLog::read(&desk.live.space, Zone::Local).expect("readable");
    assert_eq!(log.entries().count(), 90, "six of the eight log what they bind");
    assert_eq!(desk.names(UUID), ["Artifacts.toml"], "no lock and no draft is left");
}

#[cfg(feature = "failpoints")]
#[test]
fn a_bind_that_fails_anywhere_leaves_nothing_bound_that_is_not_logged() {
    for at in 1.. {
        let desk = Desk::new();
        let id = place(&desk, b"1");
        desk.write(
            "logs/my_artifact_orphanages.toml",
            &format!("\"{}\" = 2026-01-01T00:00:00.000Z\n", desk.live.space.artifact(id).display()),
        );
        desk.live.bind(&alpha(&desk), &[as_name("before", id)], now()).expect("bound");
        let disk = Disk::new(format!("fail@{at}").parse().expect("valid"));
        let live = LiveSpace::new(desk.live.space.root(), disk, desk.live.waiting.clone()).expect("a space");
        let outcome = live.bind(&alpha(&desk), &[as_name("n", id)], now());
        let bound = desk.live.read_bindings(&alpha(&desk), now()).expect("readable").expect("there");
        let (log, _) = UsageLog::read(&desk.live.space, Zone::Local).expect("readable");
        let logged = log.entries().any(|(_, _, name, _)| name == "n");
        assert!(bound.table().contains_key("before"), "at {at}");
        assert!(logged || !bound.table().contains_key("n"), "at {at}");
        assert_eq!(desk.names(UUID), ["Artifacts.toml"], "at {at}: no lock and no draft is left");
        assert_eq!(desk.names("logs"), ["my_artifact_orphanages.toml", "my_artifact_usage.toml"], "at {at}");
        if outcome.is_ok() {
            assert!(bound.table().contains_key("n") && at > 8, "at {at}");
            return;
        }
    }
}
