//! The original's 76 cases: an input tree, what the callback returned, the id it got.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Component, Path, PathBuf};

use ohmyartifacts::{Cache, Digest, Entry, Error, Ingested, LinkPolicy, LinkProblem, Node, ObjectKind, Result, Source};
use serde::Deserialize;

use super::{Item, assert_sound, data, lay, leaves};
use crate::support::{Env, STYLES};

#[derive(Deserialize)]
struct Case {
    name: String,
    returned: Option<Returned>,
    input: Vec<Item>,
    sha256: Option<Digest>,
    git_sha256: Option<Digest>,
    kind: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Returned {
    AbsoluteInWorkdir(PathBuf),
    Relative(PathBuf),
}

/// How our answer differs from the original's.
#[derive(Debug, Clone, Copy)]
enum Differs {
    /// Ours is git's id.
    Git,
    /// We refuse the tree. With its links kept it has the original's id, or git's where the
    /// original failed.
    Refused(LinkProblem),
}

/// Every case whose answer is not the original's, and why.
const DIFFERENT: [(&str, Differs, &str); 10] = [
    ("dir-link-unicode-target", Differs::Git, "the original counts a target's characters, not its bytes"),
    ("dir-git-only-in-sub", Differs::Git, "the original hashes a folder with nothing but .git as an empty tree"),
    ("dir-invalid-utf8", Differs::Git, "the original fails at a name that is not UTF-8"),
    ("dir-link-only", Differs::Refused(LinkProblem::Loops), "the original fails at it too"),
    ("dir-link-dangling", Differs::Refused(LinkProblem::Dangles), "the original drops the link"),
    ("dir-link-dangling-in-own-dir", Differs::Refused(LinkProblem::Dangles), "the original drops the link"),
    ("dir-link-out-absolute", Differs::Refused(LinkProblem::Leaves), "the original drops the link"),
    ("dir-link-out-relative-sibling", Differs::Refused(LinkProblem::Leaves), "the original drops the link"),
    (
        "dir-link-out-prefix-sibling",
        Differs::Refused(LinkProblem::Leaves),
        "the original takes `pkg-extra` for a part of `pkg` and stores a link that leads nowhere",
    ),
    (
        "dir-link-into-git",
        Differs::Refused(LinkProblem::Dangles),
        ".git is not stored: the original's link leads nowhere",
    ),
];

/// Cases with a file that its owner may not read.
const UNREADABLE: [&str; 2] = ["file-0000", "dir-exec"];

#[test]
fn every_case_has_the_original_id() {
    let cases = cases();
    assert_eq!(cases.len(), 76);
    for (name, ..) in DIFFERENT {
        assert!(cases.iter().any(|case| case.name == name), "{name}: no such case");
    }
    for style in STYLES {
        let env = Env::with_style(style);
        let cache = env.open();
        let everything_is_readable = reads_everything(&env);
        for case in &cases {
            if !everything_is_readable && UNREADABLE.contains(&&*case.name) {
                eprintln!("skipped: {} needs a user that may read everything", case.name);
                continue;
            }
            let made = case.enter(&cache, &env);
            case.check(&cache, &made);
        }
        assert_sound(&cache, &format!("{style:?}"));
    }
}

fn cases() -> Vec<Case> {
    let unpacked = data("julia-depot.tar.gz");
    let mut archive = tar::Archive::new(&*unpacked);
    for file in archive.entries().unwrap() {
        let mut file = file.unwrap();
        if file.path().unwrap() == Path::new("fixture/cases.json") {
            let mut json = Vec::new();
            file.read_to_end(&mut json).unwrap();
            return serde_json::from_slice(&json).unwrap();
        }
    }
    panic!("the archive holds no cases");
}

/// The same trees as real files, brought in from outside and with all links kept: every case has an
/// id then, and moving gives the same one as copying.
#[test]
fn every_input_has_the_original_id_with_its_links_kept() {
    for style in STYLES {
        let env = Env::with_style(style);
        let cache = env.open();
        let unpacked = data("julia-depot.tar.gz");
        let mut archive = tar::Archive::new(&*unpacked);
        archive.set_preserve_permissions(true);
        fs::create_dir(env.path("depot")).unwrap();
        for file in archive.entries().unwrap() {
            let mut file = file.unwrap();
            if file.path().unwrap().starts_with("fixture/inputs") {
                assert!(file.unpack_in(env.path("depot")).unwrap());
            }
        }
        let everything_is_readable = reads_everything(&env);
        for case in &cases() {
            if !everything_is_readable && UNREADABLE.contains(&&*case.name) {
                eprintln!("skipped: {} needs a user that may read everything", case.name);
                continue;
            }
            let input = env.path("depot/fixture/inputs").join(&case.name).join(case.kept());
            let copied = cache.ingest(&Source::copy(&input).links(LinkPolicy::Keep)).unwrap();
            assert_eq!(Some(copied.artifact.hash), case.id_with_links(), "{}: copied", case.name);
            case.check(&cache, &copied);
            let moved = cache.ingest(&Source::consume(&input).links(LinkPolicy::Keep)).unwrap();
            assert_eq!((moved.artifact, moved.new_files), (copied.artifact, 0), "{}: moved", case.name);
            assert!(!input.exists(), "{}: moved, but still there", case.name);
        }
        assert_sound(&cache, &format!("{style:?}"));
    }
}

fn reads_everything(env: &Env) -> bool {
    let secret = env.path("secret");
    fs::write(&secret, "").unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o000)).unwrap();
    fs::File::open(&secret).is_ok()
}

impl Case {
    /// Makes the case's artifact and checks its id.
    fn enter(&self, cache: &Cache, env: &Env) -> Ingested {
        let Self { name, sha256, git_sha256, .. } = self;
        let differs = DIFFERENT.iter().find(|(different, ..)| different == name);
        let made = self.create(cache);
        match differs {
            None => {
                let made = made.unwrap_or_else(|error| panic!("{name}: {error}"));
                assert_eq!(Some(made.artifact.hash), *sha256, "{name}");
                made
            }
            Some((_, Differs::Git, why)) => {
                let made = made.unwrap_or_else(|error| panic!("{name}: {error}"));
                assert_ne!(sha256, git_sha256, "{name} does not differ: {why}");
                assert_eq!(Some(made.artifact.hash), *git_sha256, "{name}: {why}");
                made
            }
            Some((_, Differs::Refused(expected), why)) => {
                match made {
                    Err(Error::Link { problem, .. }) => assert_eq!(problem, *expected, "{name}"),
                    other => panic!("{name}: not refused for its link ({why}), but {other:?}"),
                }
                let top = env.path(name);
                lay(&top, &self.input);
                let source = Source::copy(top.join(self.kept())).links(LinkPolicy::Keep);
                let kept = cache.ingest(&source).unwrap();
                assert_eq!(Some(kept.artifact.hash), self.id_with_links(), "{name}, links kept");
                kept
            }
        }
    }

    /// The id of the whole input, no link dropped.
    fn id_with_links(&self) -> Option<Digest> {
        let gits = DIFFERENT.iter().any(|(name, differs, _)| *name == self.name && matches!(differs, Differs::Git));
        if gits { self.git_sha256 } else { self.sha256.or(self.git_sha256) }
    }

    fn create(&self, cache: &Cache) -> Result<Ingested> {
        cache.create(|workdir| {
            lay(workdir, &self.input);
            Ok::<_, std::io::Error>(self.returned.as_ref().map(|returned| match returned {
                Returned::AbsoluteInWorkdir(path) => workdir.join(path),
                Returned::Relative(path) => path.clone(),
            }))
        })
    }

    /// The path that was returned, below the working directory, without `.` and `..`.
    fn kept(&self) -> PathBuf {
        let mut kept = PathBuf::new();
        if let Some(Returned::AbsoluteInWorkdir(path) | Returned::Relative(path)) = &self.returned {
            for component in path.components() {
                match component {
                    Component::Normal(name) => kept.push(name),
                    Component::ParentDir => assert!(kept.pop(), "{}: it stays inside", self.name),
                    _ => {}
                }
            }
        }
        kept
    }

    /// Looks at what is on disk and in the listing.
    fn check(&self, cache: &Cache, made: &Ingested) {
        let Self { name, kind, .. } = self;
        let Ingested { artifact, path, .. } = made;
        if let Some(kind) = kind {
            assert_eq!(artifact.kind.is_file(), kind == "file", "{name}: its kind");
        }
        if artifact.kind.is_file() {
            let item = self.input.iter().find(|item| item.path() == self.kept()).unwrap();
            let executable = item.mode() & 0o100 != 0;
            assert_eq!(artifact.kind, ObjectKind::file(executable), "{name}");
            assert_stored(path, item);
            return;
        }
        assert_protected(path);
        let mut wanted = self.wanted();
        wanted.sort_by(|(a, _), (b, _)| a.cmp(b));
        let found = leaves(cache.entries(artifact).unwrap());
        assert_eq!(paths(&found), wanted.iter().map(|(path, _)| &**path).collect::<Vec<_>>(), "{name}");
        for (entry, (below, item)) in found.iter().zip(&wanted) {
            let at = path.join(below);
            match &entry.node {
                Node::Link { target } => {
                    assert_eq!(target, item.target(), "{name}: {}", below.display());
                    assert_eq!(fs::read_link(&at).unwrap(), item.target(), "{name}: {}", below.display());
                }
                Node::File { executable, .. } => {
                    assert_eq!(*executable, item.mode() & 0o100 != 0, "{name}: {}", below.display());
                    assert_stored(&at, item);
                }
                Node::Directory => unreachable!("only leaves were asked for"),
            }
        }
    }

    /// The files and links that the stored tree must have, by path.
    fn wanted(&self) -> Vec<(PathBuf, &Item)> {
        let kept = self.kept();
        let below = |item: &Item| item.path().strip_prefix(&kept).ok().map(Path::to_owned);
        self.input
            .iter()
            .filter(|item| item.is_file() || item.is_link())
            .filter_map(|item| Some((below(item)?, item)))
            .filter(|(path, _)| path.components().all(|part| part.as_os_str() != ".git"))
            .collect()
    }
}

fn paths(entries: &[Entry]) -> Vec<&Path> {
    entries.iter().map(|entry| &*entry.path).collect()
}

/// The content is the input's; of its mode only the owner's execute bit is left, and reading.
fn assert_stored(path: &Path, item: &Item) {
    let mode = fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    let wanted = if item.mode() & 0o100 != 0 { 0o555 } else { 0o444 };
    assert_eq!(mode, wanted, "{}: {mode:o}", path.display());
    assert!(fs::read(path).unwrap() == item.content(), "{}: its content", path.display());
}

/// No directory of a stored tree can be written, and none has a special bit.
fn assert_protected(top: &Path) {
    for entry in walkdir::WalkDir::new(top) {
        let entry = entry.unwrap();
        if entry.file_type().is_dir() {
            let mode = entry.metadata().unwrap().permissions().mode() & 0o7777;
            assert_eq!(mode, 0o555, "{}: {mode:o}", entry.path().display());
        }
    }
}
