//! What cannot be taken out, or not there: it is said clearly, and nothing is left.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ohmyartifacts::{Cache, CheckoutMode, Error, Event, Interrupt, Observer, Phase};

use super::{assert_clean, bound, left_beside, take};
use crate::support::oma::Oma;
use crate::support::refused;

#[test]
fn places_that_do_not_do() {
    let oma = Oma::new();
    let hash = bound(&oma);
    oma.tree("out", &[("mine", "mine")]);
    oma.tree("here/sub", &[]);
    let (store, inside) = (oma.at("store"), oma.at("store/artifacts/x"));
    for (code, words, told) in [
        (3, &["checkout", "o:t", "no/such/out"][..], "hint: `mkdir -p "),
        (5, &["checkout", "o:t", "out"], "already"),
        (5, &["checkout", "o:t", "src/a"], "already"),
        (2, &["checkout", "o:t", &store, "--force"], "overlaps with the store"),
        (2, &["checkout", "o:t", &inside], "overlaps with the store"),
        (2, &["checkout", "o:t", &oma.at("."), "--force"], "overlaps with the store"),
        (2, &["checkout", "o:t", "..", "--force"], "no place for something new"),
        (2, &["checkout", "o:t", "/", "--force"], "no place for something new"),
        (2, &["checkout", "o:t", "", "--force"], ""),
        (2, &["checkout", "o:t", "new", "--mode", "hardlink", "--writable"], "written into the store"),
        (2, &["checkout", "o:t", "new", "--mode", "symlink", "--writable"], "written into the store"),
        (2, &["checkout", "o:t", "new", "--mode", "clone"], "checkout mode"),
        (3, &["checkout", "o:u", "new"], "oma ls"),
        (3, &["checkout", "o:t:no/such", "new"], "holds nothing at"),
        (3, &["checkout", "o:t:a/b", "new"], "holds nothing at"),
        (2, &["checkout", "o:t:deep/../a", "new"], "without `..`"),
        (2, &["checkout", &format!("{hash}:../x"), "new"], "without `..`"),
    ] {
        let ran = oma.fails(code, words);
        assert!(ran.stderr.contains(told), "{ran:#?}");
        assert_eq!(ran.stdout, "");
        ran.assert_printable();
        assert!(!oma.path("new").exists() && !oma.path("no").exists(), "{words:?}");
    }
    assert_eq!(fs::read_to_string(oma.path("out/mine")).unwrap(), "mine");
    assert_clean(&oma);
}

/// A program that works in a folder which is replaced would stay in the old one.
#[test]
fn the_folder_this_is_called_in() {
    let oma = Oma::new();
    bound(&oma);
    fs::create_dir_all(oma.path("here/below")).unwrap();
    for (at, dest) in [("here/below", "."), ("here/below", "../../here")] {
        let output = oma.command(&["checkout", "o:t", dest, "--force"]).current_dir(oma.path(at)).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.contains("the folder this is called in"), "{told}");
    }
    assert_clean(&oma);
}

/// Returns a folder on another filesystem, if the system has one of the usual ones.
fn on_another_filesystem(oma: &Oma) -> Option<tempfile::TempDir> {
    let device = |path: &Path| fs::metadata(path).ok().map(|found| found.dev());
    let usual = ["/dev/shm", "/tmp", "/var/tmp", env!("CARGO_MANIFEST_DIR")].map(PathBuf::from);
    let other = usual.into_iter().find(|path| device(path).is_some_and(|found| Some(found) != device(&oma.root())))?;
    tempfile::tempdir_in(other).ok()
}

#[test]
fn another_filesystem() {
    let oma = Oma::new();
    bound(&oma);
    let Some(far) = on_another_filesystem(&oma) else {
        return crate::support::oma::tell("skipped: there is one filesystem only");
    };
    let dest = far.path().join("out").to_str().unwrap().to_owned();
    for (mode, what) in [("hardlink", "hard link"), ("reflink", "reflink")] {
        let ran = oma.fails(1, &["checkout", "o:t", &dest, "--mode", mode]);
        assert!(ran.stderr.contains(what) && ran.stderr.contains("hint: `--mode copy`"), "{ran:#?}");
        assert!(ran.stderr.contains(&dest), "it names the place: {ran:#?}");
        assert_eq!(fs::read_dir(far.path()).unwrap().count(), 0, "{mode}");
    }
    for mode in ["auto", "copy", "symlink"] {
        oma.ok(&["checkout", "o:t", &dest, "--mode", mode]);
        super::assert_same(&oma.path("src"), Path::new(&dest), mode);
        fs::remove_dir_all(&dest).unwrap();
    }
    assert_clean(&oma);
}

#[test]
fn there_is_no_room_for_copies() {
    let oma = Oma::new();
    bound(&oma);
    let cache = Cache::open(oma.options().disk_room(1024 * 1024, 2048 * 1024)).unwrap();
    let error = refused(take(&cache, &oma.path("out"), CheckoutMode::Copy));
    assert!(matches!(error, Error::NoRoom { needed, .. } if needed > 3 * 1024 * 1024), "{error}");
    take(&cache, &oma.path("links"), CheckoutMode::Hardlink).unwrap();
    assert!(!oma.path("out").exists());
    assert_clean(&oma);
}

/// Changes a stored file behind the store's back.
fn damage(oma: &Oma, name: &str, how: impl Fn(&Path)) {
    let listing = oma.json(&["ls", "o:t"]);
    let entry = listing.as_array().unwrap().iter().find(|entry| entry["path"] == name).unwrap();
    let hash = entry["hash"].as_str().unwrap();
    how(&oma.root().join("artifacts").join(&hash[..2]).join(hash));
}

fn rewrite(path: &Path, content: &[u8]) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(path, content).unwrap();
}

#[test]
fn damaged_files_do_not_come_out() {
    type Damage = (&'static str, fn(&Path), &'static [&'static str]);
    let kinds: [Damage; 5] = [
        ("a", |path| rewrite(path, b"b"), &["copy", "auto"]),
        ("large", |path| rewrite(path, &vec![0; super::LARGE]), &["copy", "auto"]),
        ("large", |path| rewrite(path, b"short"), &["copy", "auto", "hardlink", "symlink"]),
        ("a", |path| fs::remove_file(path).unwrap(), &["copy", "auto", "hardlink", "symlink"]),
        (
            "a",
            |path| {
                fs::remove_file(path).unwrap();
                assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
            },
            &["copy", "auto", "hardlink", "symlink"],
        ),
    ];
    for (name, how, modes) in kinds {
        let oma = Oma::new();
        bound(&oma);
        damage(&oma, name, how);
        oma.tree("old", &[("mine", "mine")]);
        for mode in modes {
            let ran = oma.fails(4, &["checkout", "o:t", "out", "--mode", mode]);
            assert!(ran.stderr.contains("is damaged at") && ran.stderr.contains("hint: `oma verify "), "{ran:#?}");
            assert!(!oma.path("out").exists(), "{mode}");
            oma.fails(4, &["checkout", "o:t", "old", "--mode", mode, "--force"]);
            assert_eq!(fs::read_to_string(oma.path("old/mine")).unwrap(), "mine", "{mode}");
            assert_eq!(left_beside(&oma.path("")), Vec::<String>::new(), "{mode}");
        }
        // What is whole can still be had.
        oma.ok(&["checkout", "o:t:deep/er", "part"]);
    }
}

/// Asks to stop when the first file is out.
struct Stopping(Interrupt);

impl Observer for Stopping {
    fn on(&self, event: &Event<'_>) {
        if matches!(event, Event::Advance { phase: Phase::Checkout, .. }) {
            self.0.request();
        }
    }
}

#[test]
fn stopped_in_the_middle() {
    let oma = Oma::new();
    bound(&oma);
    oma.tree("out", &[]);
    for mode in [CheckoutMode::Copy, CheckoutMode::Hardlink, CheckoutMode::Symlink] {
        let interrupt = Interrupt::default();
        let options = oma.options().observer(Arc::new(Stopping(interrupt.clone()))).interrupt(interrupt);
        let error = refused(take(&Cache::open(options).unwrap(), &oma.path("out"), mode));
        assert!(matches!(error, Error::Interrupted), "{mode}: {error}");
        assert_eq!(fs::read_dir(oma.path("out")).unwrap().count(), 0, "{mode}");
        assert_clean(&oma);
    }
}

/// Names that no terminal should see come out as they are, and are told of escaped.
#[test]
fn hostile_names() {
    use std::os::unix::ffi::OsStrExt as _;

    let oma = Oma::new();
    let names: [&[u8]; 6] = [b"\x1b[31mred", b"line\nend", b"\xff\xfe", "\u{202e}txt".as_bytes(), b"-rf", b" "];
    let top = oma.tree("odd", &[]);
    for name in names {
        fs::write(top.join(std::ffi::OsStr::from_bytes(name)), name).unwrap();
    }
    oma.ok(&["-o", "o", "add", &oma.at("odd"), "--bind", "odd"]);
    oma.ok(&["checkout", "o:odd", "out"]);
    assert_eq!(super::shape(&top), super::shape(&oma.path("out")));
    assert_eq!(oma.ok(&["cat", "o:odd:\x1b[31mred"]).stdout, "\x1b[31mred");
    for words in [
        &["cat", "o:odd:\x1b[32mgreen"][..],
        &["checkout", "o:odd:\x1b[32mgreen", "new"],
        &["checkout", "o:odd", "no\x1b[31m\nsuch/out"],
        &["checkout", "o:odd", "out\n\x1b[31m", "--mode", "reflink", "--writable"],
        &["--json", "checkout", "o:odd", "no\x1b[31m\nsuch/out"],
    ] {
        let ran = oma.run(words);
        if ran.code != Some(0) {
            ran.assert_printable();
        }
    }
    // A place goes to a script as it is.
    let ran = oma.ok(&["-q", "checkout", "o:odd", "two\nlines"]);
    assert_eq!(ran.stdout, format!("{}\n", oma.at("two\nlines")));
    assert_clean(&oma);
}
