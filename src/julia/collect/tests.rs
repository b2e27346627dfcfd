#![expect(clippy::disallowed_methods, reason = "a test sets the scene as other programs would")]

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::*;
use crate::julia::live::testing::{Desk, UUID, now};
use crate::julia::{NewBinding, OrphanLog, SpaceFile};
use crate::model::{Blob, Entry, Manifest, Node};

const HOUR: Duration = Duration::from_secs(3_600);

fn later() -> Timestamp {
    now().plus(Duration::from_secs(90))
}

fn place(desk: &Desk, content: &[u8]) -> Digest {
    let (id, source) = desk.stored(content);
    desk.live.place_blob(Blob { digest: id, executable: false }, &source, now()).expect("placed");
    id
}

fn place_dir(desk: &Desk, contents: &[&[u8]]) -> Digest {
    let entry = |(at, content): (usize, &&[u8])| {
        let (hash, _) = desk.stored(content);
        Entry { path: format!("f{at}").into(), node: Node::File { hash, executable: false, size: 1 } }
    };
    let entries: Vec<Entry> = contents.iter().enumerate().map(entry).collect();
    let id = Manifest::new(entries.clone()).hash;
    let source = |blob: Blob| desk.dir.path().join(format!("store-{}", blob.digest));
    desk.live.place_tree(id, &entries, &source, now()).expect("placed");
    id
}

fn alpha(desk: &Desk) -> SpaceFile {
    desk.live.file(UUID, None).expect("valid")
}

fn bind(desk: &Desk, name: &str, id: Digest, is_dir: bool) {
    let new = NewBinding { name, id, is_dir, meta: None, force: true };
    desk.live.bind(&alpha(desk), &[new], now()).expect("bound");
}

fn is_there(desk: &Desk, id: Digest) -> bool {
    desk.live.space.artifact(id).exists()
}

fn collect(desk: &Desk, victims: &[Digest]) -> Collected {
    let collected = desk.live.collect(victims, later()).expect("possible");
    assert_eq!(collected.taken.len() + collected.spared.len(), victims.len());
    collected
}

#[test]
fn only_what_nobody_uses_goes_and_the_logs_say_so() {
    let desk = Desk::new();
    let (bound, loose, dropped) = (place(&desk, b"1"), place(&desk, b"2"), place(&desk, b"3"));
    bind(&desk, "n", bound, false);
    bind(&desk, "gone", loose, false);
    bind(&desk, "left", dropped, false);
    desk.live.unbind(&alpha(&desk), &["gone", "left"], now()).expect("unbound");
    let collected = collect(&desk, &[bound, loose]);
    assert_eq!((collected.taken, collected.spared), (vec![loose], vec![(bound, Spared::Bound)]));
    assert!(is_there(&desk, bound) && !is_there(&desk, loose));
    let (usage, _) = UsageLog::read(&desk.live.space, Zone::Local).expect("readable");
    assert!(usage.knows(bound) && !usage.knows(loose));
    let (orphans, _) = OrphanLog::read(&desk.live.space, Zone::Local).expect("readable");
    let noted: Vec<Digest> = orphans.entries().map(|(id, _)| id).collect();
    assert_eq!(noted, [dropped], "what was unbound is known to be unused since now");
    assert_eq!(desk.names("artifacts").iter().filter(|name| name.len() != 2).count(), 0, "no lock is left");
}

#[test]
fn old_times_of_orphans_stay() {
    let desk = Desk::new();
    let (old, gone) = (place(&desk, b"1"), place(&desk, b"2"));
    let path = |id| desk.live.space.artifact(id).display().to_string();
    let line = format!("\"{}\" = 2026-01-01T00:00:00.000Z\n", path(old));
    desk.write("logs/my_artifact_orphanages.toml", &format!("{line}\"{}\" = 2026-01-01T00:00:00.000Z\n", path(gone)));
    assert_eq!(collect(&desk, &[gone]).taken, [gone]);
    assert_eq!(desk.read("logs/my_artifact_orphanages.toml"), line);
}

#[test]
fn what_is_young_or_linked_to_stays() {
    let desk = Desk::new();
    let dir = place_dir(&desk, &[b"1", b"2"]);
    let file = Digest::of_blob(b"1");
    let young = desk.live.collect(&[file], now()).expect("possible");
    assert_eq!(young.spared, [(file, Spared::Linked)]);
    assert_eq!(desk.live.collect(&[dir], now()).expect("possible").spared, [(dir, Spared::Young)]);
    assert_eq!(collect(&desk, &[file]).spared, [(file, Spared::Linked)]);
    let shared = place_dir(&desk, &[b"2"]);
    bind(&desk, "shared", shared, true);
    let two = Digest::of_blob(b"2");
    let collected = collect(&desk, &[file, dir, two]);
    assert_eq!(collected.taken, [dir, file]);
    assert_eq!(collected.spared, [(two, Spared::Bound)], "a file of two directories survives the end of one");
}

#[test]
fn the_files_of_a_running_create_stay() {
    let desk = Desk::new();
    let file = place(&desk, b"1");
    desk.write("artifacts/jl_abc123/shadow/keep", "");
    std::os::unix::fs::symlink(desk.live.space.artifact(file), desk.live.space.artifacts().join("jl_abc123/shadow/f"))
        .expect("linked");
    assert_eq!(collect(&desk, &[file]).spared, [(file, Spared::Linked)]);
    desk.write(&format!("artifacts/{file}.lock"), "1 elsewhere");
    fs::remove_dir_all(desk.live.space.artifacts().join("jl_abc123")).expect("removed");
    assert_eq!(collect(&desk, &[file]).spared, [(file, Spared::Busy)]);
}

#[test]
fn one_corrupt_bindings_file_stops_the_collection_and_is_named() {
    let desk = Desk::new();
    let loose = place(&desk, b"1");
    desk.write("bbbbbbbb-2222-4222-8222-222222222222/Artifacts_v1.toml", "[a]\n[torn");
    let collected = collect(&desk, &[loose]);
    assert_eq!(collected.spared, [(loose, Spared::Unknown)]);
    let said = collected.unreadable[0].to_string();
    assert!(said.contains("Artifacts_v1.toml") && said.contains("line 2"), "{said}");
    assert!(is_there(&desk, loose));
    desk.write("logs/my_artifact_usage.toml", "torn");
    assert!(desk.live.collect(&[loose], later()).is_err());
    assert!(is_there(&desk, loose));
}

#[test]
fn entries_that_are_not_understood_keep_what_they_name() {
    let desk = Desk::new();
    let (odd, meta) = (place(&desk, b"1"), place(&desk, b"2"));
    let text = format!("[odd]\nhashes = [\"{odd}\"]\n\n[n]\nisdir = false\nmeta = \"{meta}\"\nsha256 = \"{odd}\"\n");
    desk.write(&format!("{UUID}/Artifacts.toml"), &text.replace(&format!("sha256 = \"{odd}\""), "sha256 = \"?\""));
    assert!(collect(&desk, &[odd, meta]).taken.is_empty());
    desk.write(&format!("{UUID}/Artifacts.toml"), &text);
    assert_eq!(collect(&desk, &[odd, meta]).taken, [meta], "metadata binds nothing");
}

#[test]
fn bindings_outside_of_the_space_count_while_their_file_is_there() {
    let desk = Desk::new();
    let (kept, loose) = (place(&desk, b"1"), place(&desk, b"2"));
    let outside = desk.dir.path().join("Artifacts.toml");
    fs::write(&outside, "not even TOML").expect("written");
    let line = |id, path: &str| {
        format!("[\"{}\".\"{path}\"]\nn = 2026-01-01T00:00:00.000Z\n", desk.live.space.artifact(id).display())
    };
    desk.write(
        "logs/my_artifact_usage.toml",
        &(line(kept, outside.to_str().expect("text")) + &line(loose, "/no/such/Artifacts.toml")),
    );
    assert_eq!(collect(&desk, &[kept, loose]).taken, [loose]);
}

#[test]
fn a_bound_directory_deleted_by_hand_keeps_its_files() {
    let desk = Desk::new();
    let dir = place_dir(&desk, &[b"1"]);
    bind(&desk, "dir", dir, true);
    desk.live.disk.remove_all(&desk.live.space.artifact(dir)).expect("removed");
    let file = Digest::of_blob(b"1");
    assert_eq!(collect(&desk, &[file]).spared, [(file, Spared::Bound)]);
}

#[test]
fn what_gets_bound_while_it_lies_in_the_trash_comes_back() {
    let desk = Desk::new();
    let dir = place_dir(&desk, &[b"1", b"2"]);
    let files = [Digest::of_blob(b"1"), Digest::of_blob(b"2")];
    let victims = [dir, files[0], files[1]];
    assert_eq!(collect(&desk, &victims).taken.len(), 3);
    // A Julia program that saw it just before: no log entry yet.
    desk.write(&format!("{UUID}/Artifacts.toml"), &format!("[n]\nisdir = true\nsha256 = \"{dir}\"\n"));
    let back = desk.live.put_back_bound(later()).expect("possible");
    assert_eq!(back.ids.len(), 3);
    assert_eq!(back.ids[2], dir, "files before directories");
    assert_eq!(fs::read(desk.live.space.artifact(dir).join("f1")).expect("readable"), b"2");
    assert!(desk.live.put_back_bound(later()).expect("possible").ids.is_empty());
}

#[test]
fn the_trash_is_kept_for_an_hour_and_while_anything_is_unknown() {
    let desk = Desk::new();
    let (loose, dir) = (place(&desk, b"1"), place_dir(&desk, &[b"2"]));
    collect(&desk, &[loose, dir]);
    desk.write("logs/.oma-0123456789abcdef.tmp", "torn");
    desk.write("logs/.oma-notes", "mine");
    let soon = desk.live.empty_trash(now().plus(HOUR / 2)).expect("possible");
    assert_eq!(soon.deleted, 0);
    desk.write(&format!("{UUID}/Artifacts.toml"), "[torn");
    let unknown = desk.live.empty_trash(now().plus(HOUR * 2)).expect("possible");
    assert_eq!((unknown.deleted, unknown.put_back.unreadable.len()), (0, 1));
    desk.write(&format!("{UUID}/Artifacts.toml"), &format!("[n]\nisdir = false\nsha256 = \"{loose}\"\n"));
    let done = desk.live.empty_trash(now().plus(HOUR * 2)).expect("possible");
    assert_eq!((done.deleted, done.put_back.ids), (1, vec![loose]));
    assert!(is_there(&desk, loose) && desk.names(".oma/trash").is_empty());
    assert_eq!(desk.names("logs"), [".oma-notes"]);
}

#[cfg(feature = "failpoints")]
#[test]
fn a_collection_that_fails_half_way_puts_everything_back() {
    let desk = Desk::new();
    let dir = place_dir(&desk, &[b"1"]);
    let file = place(&desk, b"2");
    for at in 1..40 {
        let fault = format!("fail@{at}").parse().expect("valid");
        let (fault, waiting) = (crate::fs::Disk::new(fault), desk.live.waiting.clone());
        let live = LiveSpace::new(desk.live.space.root(), fault, waiting).expect("a space");
        let outcome = live.collect(&[dir, file], later());
        let (census_dir, census_file) = (is_there(&desk, dir), is_there(&desk, file));
        if let Ok(collected) = outcome {
            assert_eq!(collected.taken.len(), 2);
            assert!(!census_dir && !census_file && at > 5);
            return;
        }
        // The move back may have failed too; then the trash still has it.
        let trash = desk.live.in_trash().expect("readable");
        assert!((census_dir || trash.contains_key(&dir)) && (census_file || trash.contains_key(&file)), "at {at}");
        place_dir(&desk, &[b"1"]);
        place(&desk, b"2");
    }
    panic!("it never came through");
}

#[test]
fn nothing_bound_is_lost_to_a_collection_that_runs_all_the_time() {
    let desk = &Desk::new();
    let ids: Vec<Digest> = (0..40_u8).map(|number| place(desk, &[number])).collect();
    fs::create_dir_all(desk.live.space.root().join(UUID)).expect("made");
    let done = &AtomicBool::new(false);
    std::thread::scope(|scope| {
        let ids = &ids;
        scope.spawn(move || {
            while !done.load(Ordering::Relaxed) {
                desk.live.collect(ids, later()).expect("possible");
            }
        });
        for (number, id) in ids.iter().enumerate() {
            // As Julia does: make it if it is not there, look, bind.
            let number = u8::try_from(number).expect("small");
            place(desk, &[number]);
            let text = format!("[\"n{number}\"]\nisdir = false\nsha256 = \"{id}\"\n");
            let lock = desk.live.lock_bindings(&alpha(desk).path, now()).expect("taken");
            let old = fs::read_to_string(alpha(desk).path).unwrap_or_default();
            fs::write(alpha(desk).path, old + &text).expect("written");
            lock.release().expect("released");
        }
        std::thread::sleep(Duration::from_millis(100));
        done.store(true, Ordering::Relaxed);
    });
    desk.live.put_back_bound(later()).expect("possible");
    for id in &ids {
        assert!(is_there(desk, *id), "{id} is bound and gone");
    }
}
