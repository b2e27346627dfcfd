//! The failures of OhMyArtifacts.jl, each shown to be impossible here: in our own store, and in the
//! scratch spaces of Julia's that this program imports, follows and writes to.
//!
//! The other program is the stand-in of `tests/stand_in`.

mod files;
mod locks;
mod logs;
mod sources;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use ohmyartifacts::{Clock, LinkStyle};
use serde_json::Value;

use crate::support::julia::{ALPHA, make_space};
use crate::support::oma::{Oma, Ran, finish};

/// Long after any program here should have ended.
const PATIENCE: Duration = Duration::from_secs(30);
const HOUR: Duration = Duration::from_secs(3_600);

/// A store, and a scratch space beside it that the other program uses too.
struct Pair {
    oma: Oma,
    space: PathBuf,
}

impl Pair {
    /// A store that follows the space and writes to it.
    fn writing() -> Self {
        Self::of(&["--write"])
    }

    /// A store that only follows the space.
    fn following() -> Self {
        Self::of(&[])
    }

    fn of(how: &[&str]) -> Self {
        let pair = Self::apart();
        pair.oma.ok(&[&["attach", "julia", "--depot", &pair.oma.at("depot")], how].concat());
        pair
    }

    /// A store that knows nothing of the space yet.
    fn apart() -> Self {
        let oma = Oma::with_style(LinkStyle::default());
        // The age of files in a space is counted on the system's own clock.
        oma.clock.set(Clock::System.now());
        oma.ok(&["init", "--durability", "none"]);
        let space = make_space(&oma.path("depot"), &[], &[("logs/my_artifact_usage.toml", "")]);
        Self { oma, space }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.space.join(path)
    }

    fn artifact(&self, id: &str) -> PathBuf {
        self.space.join("artifacts").join(&id[..2]).join(id)
    }

    fn bindings_file(&self) -> PathBuf {
        self.at(ALPHA).join("Artifacts.toml")
    }

    /// What the other program keeps, without its locks and this program's own folder.
    fn bindings(&self) -> toml::Table {
        fs::read_to_string(self.bindings_file()).unwrap_or_default().parse().expect("TOML")
    }

    fn usage_log(&self) -> PathBuf {
        self.at("logs/my_artifact_usage.toml")
    }

    fn julia_command(&self, verb: &str, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_julia-stand-in"));
        command.arg(verb).arg(&self.space).args(words);
        command
    }

    /// Runs the other program; `Err` with what it says if it fails.
    fn julia_may(&self, verb: &str, words: &[&str]) -> Result<String, String> {
        let output = self.julia_command(verb, words).output().expect("it starts");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    fn julia(&self, verb: &str, words: &[&str]) -> String {
        self.julia_may(verb, words).unwrap_or_else(|error| panic!("{verb} {words:?}: {error}"))
    }

    /// Binds a file and a directory from this side, and a file and a directory from the other.
    fn fill(&self) {
        let file = self.oma.file("ours", "ours\n");
        self.oma.ok(&["-o", ALPHA, "add", &file, "--bind", "our-file"]);
        let tree = self.oma.tree("tree", &[("a", "a\n"), ("d/b", "b\n")]);
        self.oma.ok(&["-o", ALPHA, "add", tree.to_str().expect("text"), "--bind", "our-tree"]);
        let theirs = self.julia("create", &["theirs"]);
        self.julia("bind", &[ALPHA, "their-file", &theirs]);
        let theirs = self.julia("create-dir", &["4", "seed"]);
        self.julia("bind", &[ALPHA, "their-tree", &theirs]);
        self.oma.ok(&["sync"]);
    }

    /// Fails the test unless both sides have all that was bound by [`Pair::fill`], byte by byte.
    fn assert_whole(&self, when: &str) {
        for name in ["our-file", "our-tree", "their-file", "their-tree"] {
            let ours = self.oma.line(&["path", &format!("{ALPHA}:{name}")]);
            let id = ours.rsplit_once('/').expect("a path").1;
            let (ours, theirs) = (contents(Path::new(&ours)), contents(&self.artifact(id)));
            assert_eq!(ours, theirs, "{when}: {name}");
            assert_eq!(ours.len(), if name.ends_with("file") { 1 } else { 4 }.min(ours.len()), "{when}: {name}");
            assert!(ours.len() >= if name == "our-tree" { 2 } else { 1 }, "{when}: {name} is empty");
        }
        self.oma.ok(&["verify"]);
    }

    /// Collects all that may go, long after everything was made.
    fn collect(&self) -> Ran {
        let start = self.oma.clock.now();
        self.oma.pass(30 * crate::support::DAY);
        let ran = self.oma.ok(&["--json", "gc", "-y", "--collect-delay", "0"]);
        self.oma.clock.set(start);
        ran
    }
}

/// Everything behind a path, links followed; fails the test at a link that leads nowhere.
fn contents(path: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut contents = BTreeMap::new();
    for entry in walkdir::WalkDir::new(path).follow_links(true) {
        let entry = entry.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        if entry.file_type().is_file() {
            let below = entry.path().strip_prefix(path).expect("below the top").to_owned();
            contents.insert(below, fs::read(entry.path()).expect("a stored file"));
        }
    }
    contents
}

/// Runs a program that must end by itself.
fn ends(oma: &Oma, words: &[&str]) -> Ran {
    let mut child: Child = oma.start(words);
    let until = Instant::now() + PATIENCE;
    while child.try_wait().expect("a child of ours").is_none() {
        if Instant::now() > until {
            child.kill().expect("a child of ours");
            panic!("`oma {}` hangs", words.join(" "));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    finish(child)
}

/// What gc says it frees, and that the preview says the same.
fn freed(document: &Value) -> u64 {
    document["freed_bytes"].as_u64().expect("a number of bytes")
}
