//! Shapes that have broken other implementations of git's tree hash.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use ohmyartifacts::{LinkPolicy, LinkStyle, Source, VerifyOptions};

use super::Git;
use crate::support::{Env, STYLES};

/// One path: what lies there is told by the second part.
type Shape<'s> = &'s [(&'s [u8], What<'s>)];

#[derive(Clone, Copy)]
enum What<'s> {
    File(&'s str),
    /// A file with this mode.
    Mode(u32),
    Link(&'s [u8]),
    Folder,
}

use What::{File, Folder, Link, Mode};

const SHAPES: [(&str, Shape<'static>); 11] = [
    ("nothing", &[]),
    ("folders only", &[(b"a", Folder), (b"b/c/d", Folder)]),
    ("an empty file", &[(b"a", File(""))]),
    ("empty folders beside files", &[(b"a", File("a")), (b"b/c", Folder), (b"d/e", File("")), (b"d/f", Folder)]),
    (
        // Only the owner's bit counts; a mode that forbids reading would need a privileged user.
        "execute bits",
        &[
            (b"all", Mode(0o755)),
            (b"group", Mode(0o654)),
            (b"none", Mode(0o644)),
            (b"others", Mode(0o645)),
            (b"owner", Mode(0o744)),
            (b"private", Mode(0o700)),
            (b"protected", Mode(0o555)),
            (b"special", Mode(0o6755)),
        ],
    ),
    (
        // `/` is 0x2f: `.` and `-` sort before it, `0` behind.
        "names around the slash",
        &[
            (b"a/x", File("1")),
            (b"a-", File("2")),
            (b"a.", File("3")),
            (b"a0", File("4")),
            (b"a.d/x", File("5")),
            (b"a-d/x", File("6")),
            (b"a0d/x", File("7")),
            (b"a d", File("8")),
            (b"b", File("9")),
            (b"b!/x", File("10")),
            (b"ba", File("11")),
            (b"a\x01", File("12")),
        ],
    ),
    (
        "odd names",
        &[
            (b"new\nline", File("1")),
            (b"quote\"q", File("2")),
            (b"it's", File("3")),
            (b"back\\slash", File("4")),
            (b"tab\tname/\r", File("5")),
            (b" ", File("6")),
            (b"-", File("7")),
            (b"--all", File("8")),
            (b"*", File("9")),
            (b":(top)x", File("10")),
            (b"...", File("11")),
            (b"~", File("12")),
            (b"\x7f\x01", File("13")),
            (b"$HOME", File("14")),
        ],
    ),
    (
        "names that are not UTF-8",
        &[
            (b"\xff", File("1")),
            (b"\xfe/\xc3", File("2")),
            (b"\xc3\xa9", File("3")),
            (b"e\xcc\x81", File("4")),
            (b"\xed\xa0\x80", File("5")),
            (b"l", Link(b"\xff")),
        ],
    ),
    (
        "links inside the tree",
        &[
            (b"d/a", File("1")),
            (b"d/up", Link(b"../b")),
            (b"b", File("2")),
            (b"to-file", Link(b"b")),
            (b"to-folder", Link(b"d/")),
            (b"to-link", Link(b"./to-folder/../b")),
            (b"to-top", Link(b".")),
            (b"d.", Link(b"d")),
            (b"\xc3\xbc", Link(b"\xc3\xbc.txt")),
            (b"\xc3\xbc.txt", File("3")),
        ],
    ),
    (
        "files that steer git",
        &[
            (b".gitignore", File("*\n")),
            (b".gitattributes", File("* text=auto eol=crlf ident\n")),
            (b"crlf", File("$Id$\r\n\r\n")),
            (b"lf", File("$Id$\n")),
            (b"sub/.gitignore", File("x\n")),
            (b"sub/x", File("x")),
            (b".gitx", File("x")),
            (b"x.git/HEAD", File("x")),
        ],
    ),
    (
        "the same content everywhere",
        &[(b"a", File("x")), (b"b", File("x")), (b"c/a", File("x")), (b"c/b", Mode(0o755))],
    ),
];

#[test]
fn nasty_shapes_have_the_ids_that_git_gives_them() {
    let Some(git) = Git::new() else { return };
    for style in STYLES {
        let env = Env::with_style(style);
        let cache = env.open();
        for (name, shape) in SHAPES {
            let top = env.path(name);
            lay(&top, shape);
            let tree = cache.ingest(&Source::copy(&top)).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(tree.artifact.hash, git.id_of(&top), "{name}, {style:?}");
            if style == LinkStyle::Hardlink {
                assert_eq!(tree.artifact.hash, git.id_of(&tree.path), "{name}: git disagrees about what is stored");
            }
        }
        assert!(cache.verify(&VerifyOptions::new()).unwrap().problems.is_empty());
    }
}

#[test]
fn a_deep_tree_has_the_id_that_git_gives_it() {
    let Some(git) = Git::new() else { return };
    let env = Env::with_style(LinkStyle::Hardlink);
    let cache = env.open();
    let top = env.path("deep");
    let bottom = top.join("d/".repeat(250));
    fs::create_dir_all(&bottom).unwrap();
    fs::write(bottom.join("file"), "deep\n").unwrap();
    fs::write(top.join("d/d/d.file"), "less deep\n").unwrap();
    let tree = cache.ingest(&Source::copy(&top)).unwrap();
    assert_eq!(tree.artifact.hash, git.id_of(&top));
    assert_eq!(tree.artifact.hash, git.id_of(&tree.path));
}

/// Kept links count with the text they have, wherever it leads.
#[test]
fn kept_links_have_the_ids_that_git_gives_them() {
    let Some(git) = Git::new() else { return };
    let env = Env::with_style(LinkStyle::Hardlink);
    let cache = env.open();
    let top = env.path("links");
    let shape: Shape<'_> = &[
        (b"a/nowhere", Link(b"../none\xff")),
        (b"a/out", Link(b"../../secret")),
        (b"a/absolute", Link(b"/etc//hostname")),
        (b"circle", Link(b"circle")),
        (b"long", Link(&[b'x'; 4_000])),
    ];
    lay(&top, shape);
    let tree = cache.ingest(&Source::copy(&top).links(LinkPolicy::Keep)).unwrap();
    assert_eq!(tree.artifact.hash, git.id_of(&top));
    assert_eq!(tree.artifact.hash, git.id_of(&tree.path));
}

/// An absolute link into the tree becomes a relative one, and git sees the same tree if somebody
/// makes that change by hand.
#[test]
fn an_absolute_link_into_the_tree_counts_as_the_relative_one() {
    let Some(git) = Git::new() else { return };
    let env = Env::with_style(LinkStyle::Hardlink);
    let cache = env.open();
    let files: Shape<'_> = &[(b"a/b/c", File("x")), (b"d", Folder)];
    let (absolute, relative) = (env.path("absolute"), env.path("relative"));
    for top in [&absolute, &relative] {
        lay(top, files);
    }
    let links = [("l", "a/b/c", "a/b/c"), ("a/b/l", "a", "../../a"), ("d/l", "", "..")];
    for (path, inside, text) in links {
        symlink(absolute.join(inside), absolute.join(path)).unwrap();
        symlink(text, relative.join(path)).unwrap();
    }
    let tree = cache.ingest(&Source::copy(&absolute)).unwrap();
    assert_eq!(tree.artifact.hash, git.id_of(&relative));
    assert_eq!(tree.artifact.hash, git.id_of(&tree.path));
}

fn lay(top: &Path, shape: Shape<'_>) {
    fs::create_dir_all(top).unwrap();
    for (path, what) in shape {
        let at = top.join(OsStr::from_bytes(path));
        fs::create_dir_all(at.parent().expect("it lies below the top")).unwrap();
        match what {
            Folder => fs::create_dir_all(&at).unwrap(),
            File(content) => fs::write(&at, content).unwrap(),
            Link(target) => symlink(OsStr::from_bytes(target), &at).unwrap(),
            Mode(mode) => {
                fs::write(&at, "x").unwrap();
                fs::set_permissions(&at, fs::Permissions::from_mode(*mode)).unwrap();
            }
        }
    }
}
