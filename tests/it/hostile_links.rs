//! Links in sources: those that stay inside, and all others.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use ohmyartifacts::{Error, LinkPolicy, LinkProblem, Source, VerifyOptions};

use crate::support::{Env, STYLES, picture, refused};

/// A tree with one link `d/link` of this text.
fn with_link(env: &Env, name: &str, text: &Path) -> PathBuf {
    let source = env.tree(name, &[("a", "a"), ("d/b", "b"), ("d/e/c", "c")]);
    symlink(text, source.join("d/link")).unwrap();
    source
}

#[test]
fn links_that_stay_inside_are_kept_to_the_letter() {
    for style in STYLES {
        let env = Env::with_style(style);
        let cache = env.open();
        let kept = ["b", "../a", ".", "..", "e", "e/../../d/b", "./e/./c", "../d/e/c", "e/"];
        for (number, text) in kept.iter().enumerate() {
            let source = with_link(&env, &format!("s{number}"), Path::new(text));
            let put = cache.ingest(&Source::copy(&source)).unwrap();
            assert_eq!(fs::read_link(put.path.join("d/link")).unwrap().as_os_str(), OsStr::new(text));
            assert!(put.path.join("d/link").exists(), "{text} leads somewhere");
        }
        assert_eq!(cache.verify(&VerifyOptions::new()).unwrap().problems, []);
    }
}

#[test]
fn links_that_leave_dangle_or_turn_in_a_circle_are_refused_by_name() {
    let env = Env::new();
    let cache = env.open();
    env.tree("outside", &[("x", "x")]);
    let outside = env.path("outside/x");
    let absolute = outside.to_str().unwrap();
    let bad = [
        ("nothing", LinkProblem::Dangles),
        ("b/c", LinkProblem::Dangles),
        ("../../outside/x", LinkProblem::Leaves),
        ("../../../../../../../../etc/passwd", LinkProblem::Leaves),
        // Out and in again: stored elsewhere it would lead to another place.
        ("../../s2/a", LinkProblem::Leaves),
        (absolute, LinkProblem::Leaves),
        ("/etc/passwd", LinkProblem::Leaves),
        ("link", LinkProblem::Loops),
        ("../d/link/x", LinkProblem::Loops),
        ("noth\ning\u{202e}", LinkProblem::Dangles),
    ];
    for (number, (text, expected)) in bad.iter().enumerate() {
        let source = with_link(&env, &format!("s{number}"), Path::new(text));
        let source = source.canonicalize().unwrap();
        let before = picture(&source);
        for way in [Source::copy(&source), Source::consume(&source)] {
            match refused(cache.ingest(&way)) {
                Error::Link { path, target, problem } => {
                    assert_eq!((path, &*target, problem), (source.join("d/link"), Path::new(text), *expected));
                }
                other => panic!("{text}: {other:?}"),
            }
        }
        assert_eq!(picture(&source), before);
        let skipped = cache.ingest(&Source::copy(&source).links(LinkPolicy::Skip)).unwrap();
        assert!(skipped.path.join("d/link").symlink_metadata().is_err());
        let kept = cache.ingest(&Source::copy(&source).links(LinkPolicy::Keep)).unwrap();
        assert_eq!(fs::read_link(kept.path.join("d/link")).unwrap(), Path::new(text));
        assert_ne!(kept.artifact.hash, skipped.artifact.hash, "a kept link counts in the id");
        fs::remove_file(source.join("d/link")).unwrap();
        let without = cache.ingest(&Source::copy(&source)).unwrap();
        assert_eq!(without.artifact.hash, skipped.artifact.hash, "a skipped one does not");
    }
    assert_eq!(cache.verify(&VerifyOptions::new()).unwrap().problems, []);
    assert_eq!(fs::read_to_string(&outside).unwrap(), "x");
}

#[test]
fn a_circle_of_two_and_a_link_through_links() {
    let env = Env::new();
    let cache = env.open();
    let source = env.tree("s", &[("d/b", "b")]);
    symlink("two", source.join("one")).unwrap();
    symlink("one", source.join("two")).unwrap();
    let error = refused(cache.ingest(&Source::copy(&source)));
    assert!(matches!(error, Error::Link { problem: LinkProblem::Loops, .. }), "{error:?}");
    fs::remove_file(source.join("two")).unwrap();
    symlink("d", source.join("two")).unwrap();
    symlink("one/b", source.join("three")).unwrap();
    let put = cache.ingest(&Source::copy(&source)).unwrap();
    assert_eq!(fs::read_to_string(put.path.join("three")).unwrap(), "b");
    // Inside by its text, outside by the link in its way.
    symlink("..", source.join("d/up")).unwrap();
    symlink("d/up/../x", source.join("sly")).unwrap();
    let error = refused(cache.ingest(&Source::copy(&source)));
    assert!(matches!(error, Error::Link { problem: LinkProblem::Leaves, .. }), "{error:?}");
}

#[test]
fn an_absolute_link_into_the_tree_is_made_relative() {
    for style in STYLES {
        let env = Env::with_style(style);
        let cache = env.open();
        let top = env.path("s");
        let source = with_link(&env, "s", &top.join("a"));
        symlink(&top, source.join("d/e/top")).unwrap();
        symlink(top.join("d/e/c"), source.join("first")).unwrap();
        let put = cache.ingest(&Source::copy(&source)).unwrap();
        let text = |path: &str| fs::read_link(put.path.join(path)).unwrap();
        assert_eq!(text("d/link"), Path::new("../a"));
        assert_eq!(text("d/e/top"), Path::new("../.."));
        assert_eq!(text("first"), Path::new("d/e/c"));
        let same = env.tree("t", &[("a", "a"), ("d/b", "b"), ("d/e/c", "c")]);
        for (link, text) in [("d/link", "../a"), ("d/e/top", "../.."), ("first", "d/e/c")] {
            symlink(text, same.join(link)).unwrap();
        }
        assert_eq!(cache.ingest(&Source::copy(&same)).unwrap().artifact, put.artifact, "the id is of what is stored");
        fs::remove_dir_all(&source).unwrap();
        assert_eq!(fs::read_to_string(put.path.join("d/link")).unwrap(), "a", "it leads into the stored tree");
        assert_eq!(cache.verify(&VerifyOptions::new()).unwrap().problems, []);
    }
}

#[test]
fn a_link_cannot_be_consumed_but_copied() {
    let env = Env::new();
    let cache = env.open();
    let source = env.tree("s", &[("a", "a")]);
    let link = env.path("li\nnk");
    symlink(&source, &link).unwrap();
    assert!(matches!(refused(cache.ingest(&Source::consume(&link))), Error::Invalid { .. }));
    assert!(source.join("a").exists());
    assert_eq!(
        cache.ingest(&Source::copy(&link)).unwrap().artifact,
        cache.ingest(&Source::copy(&source)).unwrap().artifact
    );
}
