//! The main job as a user without privileges: a superuser is stopped by no permission, so what only
//! works because of that would go unseen.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use ohmyartifacts::LinkStyle;
use serde_json::json;
use walkdir::WalkDir;

use crate::support::oma::{Oma, Ran, tell};
use crate::support::{STYLES, make_executable, shelves};

/// The user that owns nothing.
const NOBODY: u32 = 65_534;

/// Runs the program as a user without privileges.
pub(crate) struct Unprivileged {
    pub(crate) oma: Oma,
    program: PathBuf,
    /// Whom to become; nobody else where the tests run without privileges themselves.
    user: Option<u32>,
}

impl Unprivileged {
    pub(crate) fn new(style: LinkStyle) -> Self {
        let oma = Oma::with_style(style);
        let root = fs::metadata("/proc/self").expect("a process has an owner").uid() == 0;
        if !root {
            tell("the tests do not run as the superuser: the program runs as the same user");
        }
        let open = fs::Permissions::from_mode(0o755);
        fs::set_permissions(oma.path(""), open.clone()).expect("a folder of ours");
        let program = oma.path("oma");
        fs::copy(env!("CARGO_BIN_EXE_oma"), &program).expect("a copy of the program");
        fs::set_permissions(&program, open).expect("a file of ours");
        Self { oma, program, user: root.then_some(NOBODY) }
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = self.oma.command_of(&self.program, words);
        if let Some(user) = self.user {
            command.uid(user).gid(user);
        }
        command
    }

    #[must_use]
    pub(crate) fn run(&self, words: &[&str]) -> Ran {
        Ran::of(self.command(words), words)
    }

    fn ok(&self, words: &[&str]) -> Ran {
        self.run(words).expect(0)
    }

    fn line(&self, words: &[&str]) -> String {
        self.ok(words).stdout.trim_end().to_owned()
    }

    /// Gives everything below a path to the user.
    pub(crate) fn give(&self, path: &Path) {
        for entry in WalkDir::new(path) {
            let entry = entry.expect("a folder of ours");
            if let Some(user) = self.user.filter(|_| !entry.path_is_symlink()) {
                chown(entry.path(), Some(user), Some(user)).expect("the superuser may give things away");
            }
        }
    }

    /// Makes a folder of the user's own with a source in it; the store will lie there too.
    fn home(&self) -> String {
        let source = self.oma.tree("own/src", &[("a", "a"), ("deep/b", "b"), ("deep/er/c", "b"), ("run", "x")]);
        make_executable(&source.join("run"));
        std::os::unix::fs::symlink("deep/b", source.join("link")).expect("a new link");
        self.give(&self.oma.path("own"));
        self.oma.at("own/src")
    }
}

#[test]
fn the_whole_story_without_privileges() {
    for style in STYLES {
        let user = Unprivileged::new(style);
        fs::create_dir(user.oma.root()).unwrap();
        let source = user.home();
        user.give(&user.oma.root());
        let style = style.to_string();
        user.ok(&["init", "--link-style", &style]);
        assert_eq!(
            fs::metadata(user.oma.root().join("index.sqlite")).unwrap().uid() == 0,
            user.user.is_none() && is_root()
        );

        let tree = user.line(&["-o", "o", "add", &source, "--bind", "tree"]);
        let path = user.line(&["path", "o:tree"]);
        assert_eq!(fs::read_to_string(format!("{path}/link")).unwrap(), "b", "{style}");
        let moved = user.line(&["-o", "o", "add", &source, "--move", "--bind", "moved"]);
        assert_eq!(moved, tree);
        assert!(!Path::new(&source).exists(), "it was moved");
        user.ok(&["-o", "o", "get", "made", "--", "sh", "-c", "mkdir d; echo 1 > d/a"]);
        user.ok(&["-o", "o", "create", "--bind", "file", "--result", "f", "--", "sh", "-c", "echo 1 > f; chmod 400 f"]);
        user.ok(&["verify"]);

        user.ok(&["-o", "o", "unbind", "tree", "moved", "made", "file"]);
        let report = user.ok(&["--json", "gc", "-y", "--collect-delay", "0"]).json();
        assert_eq!(report["failed"], json!([]), "{style}");
        assert_eq!(shelves(&user.oma.root()), Vec::<String>::new(), "{style}");
        assert_eq!(fs::read_dir(user.oma.root().join("trash")).unwrap().count(), 0, "{style}");
        let left: Vec<_> = fs::read_dir(user.oma.root().join("tmp")).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(left, ["locks"], "{style}");
    }
}

/// A file cannot be renamed out of a directory that its owner may not write.
#[test]
fn read_only_directories_can_be_taken_in() {
    for style in STYLES {
        let user = Unprivileged::new(style);
        fs::create_dir(user.oma.root()).unwrap();
        let source = user.home();
        user.give(&user.oma.root());
        fs::set_permissions(format!("{source}/deep"), fs::Permissions::from_mode(0o555)).unwrap();
        user.ok(&["init", "--link-style", style.as_str()]);
        user.ok(&["-o", "o", "add", &source, "--bind", "copied"]);
        let script = "mkdir d; echo 1 > d/a; chmod 555 d";
        let words = ["-o", "o", "get", "made", "--", "sh", "-c", script];
        let made = user.run(&words);
        let other = Path::new(&source).with_file_name("other");
        fs::create_dir_all(other.join("d")).unwrap();
        fs::write(other.join("d/b"), "new").unwrap();
        user.give(&other);
        fs::set_permissions(other.join("d"), fs::Permissions::from_mode(0o555)).unwrap();
        let moved = user.run(&["-o", "o", "add", other.to_str().unwrap(), "--move", "--bind", "moved"]);
        assert_eq!((made.code, moved.code), (Some(0), Some(0)), "{style}: {made:#?} {moved:#?}");
        assert!(!other.exists(), "it was moved");
        user.ok(&["verify"]);
        let left: Vec<_> = fs::read_dir(user.oma.root().join("tmp")).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(left, ["locks"], "{style}");
    }
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|found| found.uid() == 0)
}

/// Killed at a change, an unprivileged user's store must be swept by the same user.
#[cfg(feature = "failpoints")]
#[test]
fn what_a_kill_leaves_is_swept_without_privileges() {
    for style in [LinkStyle::Absolute, LinkStyle::Hardlink] {
        let user = Unprivileged::new(style);
        fs::create_dir(user.oma.root()).unwrap();
        let source = user.home();
        user.give(&user.oma.root());
        user.ok(&["init", "--link-style", style.as_str()]);
        for number in (1..).step_by(3) {
            let words = ["-o", "o", "add", &source, "--bind", "n"];
            let output = user.command(&words).env("OMA_FAULT", format!("abort@{number}")).output().unwrap();
            user.ok(&["verify"]);
            user.ok(&["-o", "o", "unbind", "n"]);
            let start = user.oma.clock.now();
            user.oma.pass(30 * crate::support::DAY);
            let report = user.ok(&["--json", "gc", "-y", "--collect-delay", "0"]).json();
            user.oma.clock.set(start);
            assert_eq!(report["failed"], json!([]), "{style}, killed at change {number}");
            assert_eq!(shelves(&user.oma.root()), Vec::<String>::new(), "{style}, killed at change {number}");
            let left: Vec<_> =
                fs::read_dir(user.oma.root().join("tmp")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            assert_eq!(left, ["locks"], "{style}, killed at change {number}");
            if output.status.success() {
                assert!(number > 20, "{style}: {number} points only");
                break;
            }
        }
    }
}

/// Everything in a store, with what a change would alter.
fn listing(root: &Path) -> Vec<String> {
    let entries = WalkDir::new(root).sort_by_file_name().into_iter().map(|entry| entry.expect("a store of ours"));
    let line = |entry: walkdir::DirEntry| {
        let found = entry.metadata().expect("a store of ours");
        let times = format!("{}.{}", found.mtime(), found.mtime_nsec());
        format!("{} {:o} {} {times} {}", entry.path().display(), found.mode(), found.len(), found.ino())
    };
    entries.map(line).collect()
}

/// Makes everything readable by all and writable by nobody else.
fn publish(root: &Path, owned: bool) {
    for entry in WalkDir::new(root).contents_first(true) {
        let entry = entry.expect("a store of ours");
        if entry.path_is_symlink() {
            continue;
        }
        let mode = entry.metadata().expect("a store of ours").mode() & 0o777;
        // The owner of a store without write permission reads it only, too.
        let mode = if owned { mode & !0o222 } else { (mode & !0o022) | 0o044 };
        fs::set_permissions(entry.path(), fs::Permissions::from_mode(mode)).expect("a store of ours");
    }
}

fn reads_but_never_writes(user: &Unprivileged, hash: &str, file: &str) {
    let root = user.oma.root();
    let before = listing(&root);
    for words in [
        &["ls"][..],
        &["ls", hash],
        &["path", "o:n"],
        &["hash", "o:n"],
        &["exists", hash],
        &["show", hash],
        &["usage"],
        &["stats"],
        &["owner", "list"],
        &["verify"],
        &["verify", "--quick"],
        &["gc", "-n", "--collect-delay", "0"],
        &["-o", "o", "get", "n", "--", "false"],
        &["-o", "o", "unbind", "never-bound"],
    ] {
        let ran = user.ok(words);
        assert!(!ran.stderr.contains("error"), "{ran:#?}");
        assert_eq!(listing(&root), before, "{words:?} changed something");
    }
    assert_eq!(user.line(&["exists", "o:n"]), hash);
    for words in [
        &["add", file][..],
        &["-o", "o", "add", file, "--bind", "m"],
        &["create", "--", "true"],
        &["-o", "o", "get", "m", "--", "true"],
        &["-o", "o", "bind", "m", hash],
        &["-o", "o", "unbind", "n"],
        &["pin", hash, "--reason", "r"],
        &["gc", "-y", "--collect-delay", "0"],
    ] {
        let ran = user.run(words).expect(1);
        let clear = ran.stderr.contains("cannot be written") && ran.stderr.contains("store");
        assert!(clear, "the error does not say what is the matter: {ran:#?}");
        assert_eq!(user.run(&[&["--json"], words].concat()).expect(1).error_kind(), "failed");
        assert_eq!(listing(&root), before, "{words:?} changed something");
    }
}

#[test]
fn a_store_of_somebody_else_is_read_only() {
    for style in STYLES {
        let user = Unprivileged::new(style);
        let style = style.to_string();
        let file = user.home();
        user.oma.ok(&["init", "--link-style", &style]);
        let hash = user.oma.line(&["-o", "o", "add", &file, "--bind", "n"]);
        user.oma.ok(&["-o", "o", "add", &user.oma.file("old", "old"), "--bind", "old"]);
        user.oma.ok(&["-o", "o", "unbind", "old"]);
        user.oma.ok(&["gc", "-y"]);
        publish(&user.oma.root(), user.user.is_none());
        reads_but_never_writes(&user, &hash, &file);
    }
}

/// Who may only read a store takes out what others put in, and may do with it as with any files.
#[test]
fn what_is_somebody_elses_can_be_taken_out() {
    for style in STYLES {
        let user = Unprivileged::new(style);
        let source = user.home();
        user.oma.ok(&["init", "--link-style", style.as_str()]);
        user.oma.ok(&["-o", "o", "add", &source, "--bind", "n"]);
        publish(&user.oma.root(), user.user.is_none());
        let before = listing(&user.oma.root());
        for mode in ["auto", "copy", "symlink"] {
            let out = user.oma.at("own/out");
            user.ok(&["checkout", "o:n", &out, "--mode", mode]);
            assert_eq!(fs::read_to_string(format!("{out}/link")).unwrap(), "b", "{style} {mode}");
            let mut rm = Command::new("rm");
            rm.args(["-rf", &out]);
            if let Some(user) = user.user {
                rm.uid(user).gid(user);
            }
            assert!(rm.status().unwrap().success(), "{style} {mode}: a user's own folder can be removed");
        }
        assert_eq!(user.ok(&["cat", "o:n:run"]).stdout, "x");
        // Most systems let nobody link to files of somebody else that he may not write.
        let ran = user.run(&["checkout", "o:n", &user.oma.at("own/linked"), "--mode", "hardlink"]);
        let told = ran.stderr.contains("the stored file belongs to somebody else");
        assert!(ran.code == Some(0) || (ran.code == Some(1) && told), "{ran:#?}");
        assert_eq!(listing(&user.oma.root()), before, "{style}");
    }
}

/// The log of the index is not empty: a reader who may not write must see what it holds, or say why not.
#[test]
fn a_store_of_somebody_else_with_a_log_is_not_misread() {
    let user = Unprivileged::new(LinkStyle::default());
    let file = user.home();
    let hash = user.oma.line(&["-o", "o", "add", &file, "--bind", "n"]);
    publish(&user.oma.root(), user.user.is_none());
    let before = listing(&user.oma.root());
    let ran = user.run(&["path", "o:n"]);
    match ran.code {
        Some(0) => assert!(ran.stdout.contains(&hash), "{ran:#?}"),
        Some(1) => assert!(ran.stderr.starts_with("error: "), "{ran:#?}"),
        _ => panic!("neither an answer nor a reason: {ran:#?}"),
    }
    assert_eq!(listing(&user.oma.root()), before);
}
