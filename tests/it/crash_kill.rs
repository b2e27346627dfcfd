//! The program killed at every change it makes to the disk, in every command that changes a store.
//!
//! After each kill the store is looked at from inside and from outside; then the command is given
//! again; and, from the same wreck, all is let go and collected, since a retry hides leaks.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, UNIX_EPOCH};

use ohmyartifacts::{Cache, LinkStyle, VerifyOptions};
use walkdir::WalkDir;

use crate::support::oma::{Oma, Ran, index_rows, tell};
use crate::support::{DAY, leftovers, make_executable, shelves};

const STYLES: [LinkStyle; 2] = [LinkStyle::Absolute, LinkStyle::Hardlink];
/// No command here changes the disk this often.
pub(crate) const FAR_TOO_MANY: u64 = 1_000;

pub(crate) type Contents = BTreeMap<PathBuf, Vec<u8>>;

/// What a store holds, as far as a caller can tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct State {
    /// Each binding with all that is behind its path.
    pub(crate) bindings: BTreeMap<String, Contents>,
    /// The live objects.
    pub(crate) live: BTreeSet<String>,
}

/// Everything behind a path, links followed.
pub(crate) fn contents(path: &Path) -> Contents {
    let mut contents = Contents::new();
    for entry in WalkDir::new(path).follow_links(true) {
        let entry = entry.unwrap_or_else(|error| panic!("a broken path behind {}: {error}", path.display()));
        if entry.file_type().is_file() {
            let below = entry.path().strip_prefix(path).expect("below the top");
            contents.insert(below.to_owned(), fs::read(entry.path()).expect("a stored file"));
        }
    }
    assert!(path.exists(), "{} is gone", path.display());
    contents
}

fn open(oma: &Oma) -> Cache {
    Cache::open(oma.options().create(false)).expect("the store opens")
}

pub(crate) fn state(oma: &Oma) -> State {
    let cache = open(oma);
    let bindings = cache.bindings(None).expect("a list").into_iter().map(|binding| {
        let path = cache.path_of(&binding.artifact);
        (format!("{}:{}", binding.owner, binding.name), contents(&path))
    });
    let bindings = bindings.collect();
    drop(cache);
    let rows = index_rows(&oma.root(), "SELECT kind || ' ' || lower(hex(hash)) FROM objects WHERE state = 0");
    State { bindings, live: rows.unwrap_or_default().into_iter().collect() }
}

/// What must hold at any time, whatever was killed.
pub(crate) fn assert_sound(oma: &Oma, state: &State, when: &str) {
    let report = open(oma).verify(&VerifyOptions::new()).expect("a report");
    assert_eq!(report.problems, [], "{when}");
    for object in &state.live {
        let (kind, hash) = object.split_once(' ').expect("kind and hash");
        let shelf = if kind == "1" { "executables" } else { "artifacts" };
        let path = oma.root().join(shelf).join(&hash[..2]).join(hash);
        let found = path.symlink_metadata().unwrap_or_else(|error| panic!("{when}: no file for {object}: {error}"));
        assert_eq!(found.is_dir(), kind == "2", "{when}: {object}");
    }
    for entry in WalkDir::new(oma.root().join("artifacts")) {
        let entry = entry.expect("a readable shelf");
        if entry.path_is_symlink() {
            assert!(entry.path().exists(), "{when}: {} leads nowhere", entry.path().display());
        }
    }
}

/// Copies the store and the sources aside, and back to where links expect them.
fn copy(oma: &Oma, from: &str, to: &str) {
    let script = "chmod -R u+rwX \"$2\" 2>/dev/null; rm -rf \"$2\"; [ ! -e \"$1\" ] || cp -a \"$1\" \"$2\"";
    let done = Command::new("sh").args(["-c", script, "sh", &oma.at(from), &oma.at(to)]).status().expect("`sh`");
    assert!(done.success(), "copying {from} to {to}");
}

/// The folder that is copied: the sources are in it, and the store is a link's length away.
const WORLD: [&str; 2] = ["store", "src"];

pub(crate) fn save(oma: &Oma, name: &str) {
    for part in WORLD {
        copy(oma, part, &format!("{name}.{part}"));
    }
}

pub(crate) fn restore(oma: &Oma, name: &str) {
    for part in WORLD {
        copy(oma, &format!("{name}.{part}"), part);
    }
}

/// A store with something bound, something shared with the new source, and something let go.
fn prepared(style: LinkStyle) -> Oma {
    let oma = Oma::in_memory(style);
    let style = style.to_string();
    oma.ok(&["init", "--link-style", &style]);
    oma.tree("kept", &[("shared", "shared"), ("own", "kept")]);
    oma.ok(&["-o", "o", "add", &oma.at("kept"), "--bind", "kept"]);
    oma.ok(&["-o", "o", "add", &oma.file("alone", "alone"), "--bind", "alone"]);
    oma.tree("gone", &[("shared", "shared"), ("a", "gone a"), ("deep/b", "gone b")]);
    make_executable(&oma.path("gone/a"));
    oma.ok(&["-o", "o", "add", &oma.at("gone"), "--bind", "gone"]);
    oma.ok(&["-o", "o", "unbind", "gone"]);
    oma.ok(&["add", &oma.file("waiting", "waiting")]);
    let source =
        oma.tree("src", &[("a", "new a"), ("twin", "new a"), ("deep/again", "new a"), ("b", "new b"), ("s", "shared")]);
    make_executable(&source.join("twin"));
    std::os::unix::fs::symlink("deep/again", source.join("link")).expect("a new link");
    oma
}

/// Runs the command once for each of its changes to the disk, killed there. Returns their number.
fn kill_everywhere(oma: &Oma, words: &[&str], after_kill: impl Fn(&Oma, &str)) -> u64 {
    save(oma, "base");
    let before = state(oma);
    let done = oma.ok(words);
    let after = state(oma);
    for number in 1..FAR_TOO_MANY {
        restore(oma, "base");
        let mut command = oma.command(words);
        let output = command.env("OMA_FAULT", format!("abort@{number}")).output().expect("the program starts");
        if output.status.success() {
            tell(&format!("`oma {}`: {} points", oma.redacted(&words.join(" ")), number - 1));
            assert_eq!(String::from_utf8_lossy(&output.stdout), done.stdout, "the last run is a whole one");
            return number - 1;
        }
        assert_eq!(output.status.signal(), Some(6), "killed at change {number}: {output:?}");
        let when = format!("`oma {}` killed at change {number}", words.join(" "));
        let found = state(oma);
        assert_sound(oma, &found, &when);
        let unchanged = found.bindings == before.bindings;
        assert!(unchanged || found.bindings == after.bindings, "{when}: bindings between before and after: {found:#?}");
        let lost: Vec<_> =
            before.live.intersection(&after.live).filter(|object| !found.live.contains(*object)).collect();
        assert!(lost.is_empty(), "{when}: {lost:?} lost");
        let strange: Vec<_> = found
            .live
            .iter()
            .filter(|object| !before.live.contains(*object) && !after.live.contains(*object))
            .collect();
        assert!(strange.is_empty(), "{when}: {strange:?} came from nowhere");
        after_kill(oma, &when);
        save(oma, "wreck");
        retry(oma, words, &after, unchanged, &when);
        restore(oma, "wreck");
        assert_nothing_leaks(oma, &when);
    }
    panic!("`oma {}` never ends", words.join(" "));
}

/// The same command again, without anybody in its way.
fn retry(oma: &Oma, words: &[&str], after: &State, unchanged: bool, when: &str) {
    let again = oma.run(words);
    let moved = words.contains(&"--move") && !oma.path("src").exists();
    let done_before = again.code == Some(5) && (!unchanged || words.contains(&"init"));
    // A source that was moved whole before the kill is not there a second time, nor is an owner, nor
    // a run that was undone.
    let changed_before = !unchanged && (words.contains(&"owner") || words.contains(&"undo"));
    let gone_before = again.code == Some(3) && (moved || changed_before);
    assert!(again.code == Some(0) || done_before || gone_before, "{when}, then the retry: {again:#?}");
    let found = state(oma);
    assert_sound(oma, &found, &format!("{when}, after the retry"));
    assert_eq!(found.bindings, after.bindings, "{when}, after the retry");
    assert!(found.live.is_superset(&after.live) || moved || words.contains(&"gc"), "{when}, after the retry");
}

/// Lets all go and collects: then nothing may be left, not even what the kill left behind.
pub(crate) fn assert_nothing_leaks(oma: &Oma, when: &str) {
    let cache = open(oma);
    for binding in cache.bindings(None).expect("a list") {
        cache.owner_by_id(binding.owner).unbind([&binding.name]).expect("it is bound");
    }
    drop(cache);
    let start = oma.clock.now();
    age_partials(oma);
    oma.pass(30 * DAY);
    let collected: Ran = oma.ok(&["gc", "-y", "--collect-delay", "0"]);
    oma.clock.set(start);
    assert_eq!(shelves(&oma.root()), Vec::<String>::new(), "{when}, after gc: {collected:#?}");
    assert_eq!(leftovers(&oma.root()), Vec::<String>::new(), "{when}, after gc");
    if let Some(rows) = index_rows(&oma.root(), "SELECT hex(hash), state FROM objects") {
        assert_eq!(rows, Vec::<String>::new(), "{when}, after gc");
    }
}

/// Begun downloads bear the time of the system, which is not that of the test.
fn age_partials(oma: &Oma) {
    let now = UNIX_EPOCH + Duration::from_millis(oma.clock.now().as_millis().try_into().expect("after 1970"));
    for entry in fs::read_dir(oma.root().join("tmp/partial")).into_iter().flatten().flatten() {
        filetime::set_file_mtime(entry.path(), now.into()).expect("a file of ours");
    }
}

/// Runs a command against a prepared store in both styles; each must change the disk `least` times.
pub(crate) fn in_each_style(least: u64, prepare: impl Fn(&Oma) -> Vec<String>, after_kill: impl Fn(&Oma, &str)) {
    for style in STYLES {
        let oma = prepared(style);
        let words = prepare(&oma);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let points = kill_everywhere(&oma, &words, &after_kill);
        assert!(points >= least, "`oma {}` has {points} points only", words.join(" "));
    }
}

pub(crate) fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

pub(crate) fn nothing_more(_: &Oma, _: &str) {}

#[test]
fn add() {
    in_each_style(20, |oma| words(&["add", &oma.at("src")]), sources_untouched);
}

#[test]
fn add_and_bind() {
    in_each_style(20, |oma| words(&["-o", "o", "add", &oma.at("src"), "--bind", "new"]), sources_untouched);
}

#[test]
fn add_over_a_name() {
    let prepare = |oma: &Oma| words(&["-o", "o", "add", &oma.at("src"), "--bind", "kept", "--force"]);
    in_each_style(20, prepare, sources_untouched);
}

#[test]
fn add_a_file() {
    in_each_style(5, |oma| words(&["add", &oma.at("src/b")]), sources_untouched);
}

fn sources_untouched(oma: &Oma, when: &str) {
    assert_eq!(contents(&oma.path("src")), contents(&oma.path("base.src")), "{when}");
}

#[test]
fn add_by_moving() {
    in_each_style(25, |oma| words(&["add", &oma.at("src"), "--move"]), nothing_lost);
}

/// Every file of the source is still there, or its content lies whole on a shelf.
fn nothing_lost(oma: &Oma, when: &str) {
    let mut stored = BTreeSet::new();
    for shelf in ["artifacts", "executables"] {
        for entry in WalkDir::new(oma.root().join(shelf)).into_iter().flatten() {
            if entry.file_type().is_file() {
                stored.insert(fs::read(entry.path()).expect("a stored file"));
            }
        }
    }
    for (path, content) in contents(&oma.path("base.src")) {
        let here = fs::read(oma.path("src").join(&path)).is_ok_and(|found| found == content);
        assert!(here || stored.contains(&content), "{when}: {} is lost", path.display());
    }
}

/// Moving links first and unlinks last, so a kill leaves one file under two names. If its owner then
/// writes to it, what the shelf holds without a row must not be taken for what its name says.
#[test]
fn a_file_moved_by_half_is_not_trusted() {
    for style in STYLES {
        let oma = prepared(style);
        fs::write(oma.path("src/m"), "move me!").expect("a new file");
        let copy_of = oma.file("copy", "move me!");
        save(&oma, "base");
        let mut left = 0;
        for number in 1..FAR_TOO_MANY {
            restore(&oma, "base");
            let source = oma.at("src/m");
            let mut command = oma.command(&["add", &source, "--move"]);
            let output = command.env("OMA_FAULT", format!("abort@{number}")).output().expect("the program starts");
            if output.status.success() {
                break;
            }
            let rows = index_rows(&oma.root(), "SELECT count(*) FROM objects WHERE state = 0 AND size = 8");
            if !Path::new(&source).exists() || rows.is_none_or(|rows| rows != ["0"]) {
                continue;
            }
            left += 1;
            fs::set_permissions(&source, fs::Permissions::from_mode(0o644)).expect("a file of ours");
            fs::write(&source, "CHANGED!").expect("a file of ours");
            oma.ok(&["-o", "o", "add", &copy_of, "--bind", "copy"]);
            let path = oma.line(&["path", "o:copy"]);
            let found = fs::read_to_string(path).expect("a stored file");
            assert_eq!(found, "move me!", "`oma add --move` killed at change {number}, then changed, then added");
            oma.ok(&["verify"]);
        }
        assert!(left > 5, "{left} points only");
    }
}

#[test]
fn bind() {
    let prepare = |oma: &Oma| {
        let hash = oma.line(&["add", &oma.at("src")]);
        words(&["-o", "p", "bind", "new", &hash])
    };
    in_each_style(2, prepare, nothing_more);
}

#[test]
fn bind_over_a_name() {
    in_each_style(2, |_| words(&["-o", "o", "bind", "kept", "o:alone", "--force"]), nothing_more);
}

#[test]
fn unbind() {
    in_each_style(2, |_| words(&["-o", "o", "unbind", "kept", "alone"]), nothing_more);
}

#[test]
fn owner_remove() {
    in_each_style(2, |_| words(&["owner", "remove", "o", "-y"]), nothing_more);
}

#[test]
fn owner_rename() {
    in_each_style(2, |_| words(&["owner", "rename", "o", "p@1"]), nothing_more);
}

#[test]
fn owner_delegate() {
    let prepare = |oma: &Oma| {
        oma.ok(&["-o", "p", "bind", "kept", "o:alone"]);
        words(&["owner", "delegate", "o", "p", "--force"])
    };
    in_each_style(2, prepare, nothing_more);
}

#[test]
fn gc() {
    let prepare = |oma: &Oma| {
        oma.pass(2 * DAY);
        words(&["gc", "-y", "--collect-delay", "0"])
    };
    in_each_style(12, prepare, nothing_more);
}

#[test]
fn create() {
    let script = "mkdir d; echo made > d/a; echo made > b; chmod +x b; ln -s d/a l";
    in_each_style(15, |_| words(&["create", "--", "sh", "-c", script]), nothing_more);
}

#[test]
fn get() {
    let script = "mkdir d; echo made > d/a; echo made > b; chmod +x b; ln -s d/a l";
    in_each_style(15, |_| words(&["-o", "o", "get", "new", "--", "sh", "-c", script]), nothing_more);
}
