//! Sources that are broken, strange or up to something.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use ohmyartifacts::{BindOptions, Cache, Digest, Error, LinkStyle, Source, VerifyOptions};

use crate::support::{
    DAY, Env, STYLES, bytes_on_disk, gc, leftovers, make_executable, mode_of, picture, refused, shelves,
};

fn fifo(at: &Path) {
    assert!(Command::new("mkfifo").arg(at).status().expect("mkfifo runs").success());
}

fn nothing_came_in(env: &Env, cache: Cache) {
    drop(cache);
    assert_eq!(shelves(&env.root()), Vec::<String>::new());
    assert_eq!(leftovers(&env.root()), Vec::<String>::new());
}

#[test]
fn pipes_and_sockets_are_refused_by_name() {
    for special in ["pipe", "d/pi\npe", "d/sock\u{1b}[31m"] {
        let env = Env::new();
        let cache = env.open();
        let source = env.tree("s", &[("a", "a"), ("d/b", "b")]);
        let at = source.join(special);
        let _listener = if special.contains("sock") {
            Some(UnixListener::bind(&at).unwrap())
        } else {
            fifo(&at);
            None
        };
        let before = picture(&source);
        for way in [Source::copy(&source), Source::consume(&source), Source::copy(&at), Source::consume(&at)] {
            match refused(cache.ingest(&way)) {
                Error::Unsupported { path, .. } => assert_eq!(path, at.canonicalize().unwrap()),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(picture(&source), before, "nothing of the source was touched");
        let made = cache.create(|workdir| -> io::Result<()> {
            fifo(&workdir.join("pipe"));
            Ok(())
        });
        assert!(matches!(refused(made), Error::Unsupported { .. }));
        nothing_came_in(&env, cache);
    }
}

#[test]
fn an_unreadable_file_is_an_error_that_names_it() {
    let env = Env::new();
    let source = env.tree("s", &[("a", "a"), ("secret", "b")]);
    let secret = source.join("secret");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o000)).unwrap();
    if fs::read(&secret).is_ok() {
        return; // Root reads everything.
    }
    let cache = env.open();
    assert!(matches!(refused(cache.ingest(&Source::copy(&source))), Error::Io { path, .. } if path == secret));
    nothing_came_in(&env, cache);
}

#[test]
fn a_result_outside_of_the_working_directory_is_refused_and_left_alone() {
    let env = Env::new();
    let cache = env.open();
    env.tree("outside", &[("x", "x"), ("d/y", "y")]);
    make_executable(&env.path("outside/x"));
    let before = picture(&env.path("outside"));
    type Escape<'e> = Box<dyn Fn(&Path) -> io::Result<PathBuf> + 'e>;
    let outside = env.path("outside");
    let escapes: [(&str, Escape<'_>); 8] = [
        ("..", Box::new(|_| Ok("..".into()))),
        ("a sibling", Box::new(|workdir| fs::write(workdir.join("../x"), "x").map(|()| "../x".into()))),
        ("an absolute file", Box::new(|_| Ok(outside.join("x")))),
        ("an absolute folder", Box::new(|_| Ok(outside.clone()))),
        ("a link to a file", Box::new(|workdir| symlink(outside.join("x"), workdir.join("l")).map(|()| "l".into()))),
        ("a link to a folder", Box::new(|workdir| symlink(&outside, workdir.join("l")).map(|()| "l".into()))),
        ("through a link", Box::new(|workdir| symlink(&outside, workdir.join("l")).map(|()| "l/d/y".into()))),
        (
            "a neighbour with the same beginning",
            Box::new(|workdir| {
                let neighbour = PathBuf::from(format!("{}2", workdir.display()));
                fs::create_dir(&neighbour)?;
                fs::write(neighbour.join("z"), "z").map(|()| neighbour.join("z"))
            }),
        ),
    ];
    for (what, escape) in &escapes {
        let error = refused(cache.create(|workdir| escape(workdir)));
        assert!(matches!(error, Error::OutsideWorkdir { .. }), "{what}: {error:?}");
    }
    assert_eq!(picture(&env.path("outside")), before, "not even a mode has changed");
    let error = refused(cache.create(|_| Ok::<_, io::Error>("not\nthere")));
    assert!(matches!(error, Error::NoSuchPath { .. }), "{error:?}");
    nothing_came_in(&env, cache);
}

#[test]
fn a_result_inside_is_taken_whatever_way_it_is_named() {
    let env = Env::new();
    let cache = env.open();
    let ways: [fn(&Path) -> PathBuf; 4] =
        [|_| "d/x".into(), |workdir| workdir.join("d/x"), |_| "d/../d/./x".into(), |_| "l".into()];
    for way in ways {
        let made = cache.create(|workdir| {
            fs::create_dir(workdir.join("d"))?;
            fs::write(workdir.join("d/x"), "x")?;
            symlink("d/x", workdir.join("l")).map(|()| way(workdir))
        });
        assert_eq!(made.unwrap().artifact.hash, Digest::of_blob(b"x"));
    }
}

#[test]
fn a_hard_link_to_an_outside_file_is_copied_out_of_a_working_directory() {
    let env = Env::new();
    let cache = env.open();
    let outside = env.tree("outside", &[("x", "x")]).join("x");
    let before = picture(&outside);
    let made = cache.create(|workdir| fs::hard_link(&outside, workdir.join("x"))).unwrap();
    assert_eq!(picture(&outside), before);
    fs::write(&outside, "changed").unwrap();
    assert_eq!(fs::read_to_string(made.path.join("x")).unwrap(), "x");
}

#[test]
fn strange_names_come_out_as_they_went_in() {
    for style in STYLES {
        let env = Env::with_style(style);
        let cache = env.open();
        let source = env.tree("s", &[]);
        let long = "n".repeat(255);
        let names: [&[u8]; 12] = [
            b"a\nb",
            b"\x1b[31mred",
            b"\x07",
            b"\xff\xfe",
            b" ",
            b"-rf",
            b"back\\slash",
            b"*?[",
            long.as_bytes(),
            "\u{202e}gpj.exe".as_bytes(),
            "\u{e9}".as_bytes(),
            "e\u{301}".as_bytes(),
        ];
        for (number, name) in names.iter().enumerate() {
            fs::write(source.join(OsStr::from_bytes(name)), number.to_string()).unwrap();
        }
        let put = cache.ingest(&Source::copy(&source)).unwrap();
        for (number, name) in names.iter().enumerate() {
            let stored = put.path.join(OsStr::from_bytes(name));
            assert_eq!(fs::read_to_string(stored).unwrap(), number.to_string());
        }
        assert_eq!(cache.entries(&put.artifact).unwrap().len(), names.len());
        assert_eq!(cache.verify(&VerifyOptions::new()).unwrap().problems, []);
        let owner = cache.owner("o\nwner\u{1b}").unwrap();
        owner.bind("na\nme\u{202e}", &put, &BindOptions::new()).unwrap();
        refused(owner.bind("na\nme\u{202e}", &put, &BindOptions::new()));
        refused(cache.owner("\0\n"));
        refused(owner.resolve("\0\n"));
        refused(cache.find(ohmyartifacts::Reference::new("no\nsuch\u{1b}", None)));
        refused(cache.ingest(&Source::copy(env.path("miss\ning"))));
        owner.unbind(["na\nme\u{202e}"]).unwrap();
        gc(&cache, Duration::ZERO);
        assert_eq!(shelves(&env.root()), Vec::<String>::new());
    }
}

#[test]
fn deep_trees_are_kept_and_the_deepest_refused() {
    for style in STYLES {
        let env = Env::with_style(style);
        let cache = env.open();
        let deep = |depth: usize| vec!["d"; depth].join("/");
        let source = env.tree("s", &[(&format!("{}/x", deep(199)), "x")]);
        let put = cache.ingest(&Source::copy(&source)).unwrap();
        assert_eq!(fs::read_to_string(put.path.join(deep(199)).join("x")).unwrap(), "x");
        assert_eq!(cache.verify(&VerifyOptions::new()).unwrap().problems, []);
        let deeper = env.tree("t", &[(&format!("{}/x", deep(300)), "x")]);
        assert!(matches!(refused(cache.ingest(&Source::copy(&deeper))), Error::Invalid { .. }));
        gc(&cache, Duration::ZERO);
        env.pass(DAY);
        gc(&cache, Duration::ZERO);
        assert_eq!(shelves(&env.root()), Vec::<String>::new());
    }
}

#[test]
fn setuid_setgid_and_sticky_bits_are_dropped() {
    for consume in [false, true] {
        let env = Env::with_style(LinkStyle::Hardlink);
        let cache = env.open();
        let source = env.tree("s", &[("tool", "t"), ("text", "x"), ("d/sticky", "y")]);
        for (path, mode) in [("tool", 0o6755), ("text", 0o2666), ("d/sticky", 0o1644), ("d", 0o3777)] {
            fs::set_permissions(source.join(path), fs::Permissions::from_mode(mode)).unwrap();
        }
        let way = if consume { Source::consume(&source) } else { Source::copy(&source) };
        let put = cache.ingest(&way).unwrap();
        let modes = ["tool", "text", "d/sticky", "d"].map(|path| mode_of(&put.path.join(path)));
        assert_eq!(modes, [0o555, 0o444, 0o444, 0o555]);
    }
}

#[test]
fn a_consumed_file_with_another_name_stays_its_own() {
    let env = Env::new();
    let cache = env.open();
    let source = env.tree("s", &[("shared", "before"), ("own", "own")]);
    let other = env.path("other");
    fs::hard_link(source.join("shared"), &other).unwrap();
    let put = cache.ingest(&Source::consume(&source)).unwrap();
    assert!(!source.exists());
    assert_eq!((mode_of(&other) & 0o200, other.metadata().unwrap().nlink()), (0o200, 1));
    fs::write(&other, "after").unwrap();
    assert_eq!(fs::read_to_string(put.path.join("shared")).unwrap(), "before");
    assert_eq!(cache.verify(&VerifyOptions::new()).unwrap().problems, []);
}

#[test]
fn the_store_does_not_swallow_itself() {
    let env = Env::new();
    let cache = env.open();
    let put = cache.ingest(&Source::copy(env.tree("s", &[("a", "a")]))).unwrap();
    let alias = env.path("alias");
    symlink(env.root(), &alias).unwrap();
    for path in [env.root(), env.path(""), alias.clone(), env.root().join("tmp/..")] {
        assert!(matches!(refused(cache.ingest(&Source::copy(&path))), Error::Invalid { .. }), "{path:?}");
    }
    for path in [env.root(), env.path(""), env.root().join("artifacts"), alias.join("artifacts"), put.path.clone()] {
        assert!(matches!(refused(cache.ingest(&Source::consume(&path))), Error::Invalid { .. }), "{path:?}");
    }
    assert_eq!(fs::read_to_string(put.path.join("a")).unwrap(), "a");
    assert_eq!(cache.verify(&VerifyOptions::new()).unwrap().problems, []);
}

#[test]
fn the_same_content_again_adds_nothing() {
    for style in STYLES {
        let env = Env::with_style(style);
        let cache = env.open();
        let source = env.tree("s", &[("a", "a"), ("empty", ""), ("d/a", "a")]);
        let first = cache.ingest(&Source::copy(&source)).unwrap();
        assert_eq!((first.new_files, first.new_bytes, first.artifact.files, first.artifact.size), (2, 1, 3, 2));
        let before = (shelves(&env.root()), bytes_on_disk(&env.root()));
        for way in [Source::copy(&source), Source::consume(&source)] {
            let again = cache.ingest(&way).unwrap();
            assert_eq!((again.new_files, again.new_bytes), (0, 0));
            assert_eq!(again.artifact, first.artifact);
        }
        assert!(!source.exists(), "it was consumed although it was known");
        assert_eq!((shelves(&env.root()), bytes_on_disk(&env.root())), before);
        assert_eq!(fs::read(first.path.join("empty")).unwrap(), b"");
    }
}

#[test]
fn a_file_that_grows_meanwhile_gives_a_whole_object() {
    let env = Env::new();
    let cache = env.open();
    for size in [0, 1_000, 3_000_000] {
        let path = env.path(format!("log-{size}"));
        fs::write(&path, vec![b'x'; size]).unwrap();
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut log = fs::OpenOptions::new().append(true).open(&path).unwrap();
                while !done.load(Ordering::SeqCst) {
                    log.write_all(b"another line\n").unwrap();
                    thread::yield_now();
                }
            });
            for _ in 0..20 {
                let put = cache.ingest(&Source::copy(&path)).unwrap();
                let stored = fs::read(&put.path).unwrap();
                assert_eq!(stored.len() as u64, put.artifact.size);
                assert_eq!(Digest::of_blob(&stored), put.artifact.hash);
                assert!(stored.len() >= size && stored.starts_with(&vec![b'x'; size]));
            }
            done.store(true, Ordering::SeqCst);
        });
    }
    assert_eq!(cache.verify(&VerifyOptions::new()).unwrap().problems, []);
}
