//! Copies from store to store: the same names and contents, bytes shared where the disk can, and neither store
//! ever loses anything by what the other does.

#[cfg(feature = "cli")]
mod cli;
#[cfg(feature = "failpoints")]
mod interrupted;
mod random;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ohmyartifacts::{
    BindOptions, Cache, CacheOptions, CopiedArtifact, CopiedBy, Download, Error, GcPolicy, ImportOptions, LinkPolicy,
    LinkStyle, Pack, Reference, Result, Source, UnpackOptions,
};

use crate::pack::{assert_sound, content, depot, everything, fill, listing, owners};
use crate::support::{DAY, Env, STYLES, gc, leftovers, refused, shelves};

/// The store beside the one of the environment.
fn beside(env: &Env, style: LinkStyle) -> CacheOptions {
    env.options().root(env.path("beside")).link_style(style)
}

/// Copies all names of all owners.
fn copy_all(from: &Cache, to: &CacheOptions) -> Result<Vec<CopiedArtifact>> {
    let mut copied = Vec::new();
    for owner in owners(from) {
        copied.extend(from.copy_to(to.clone(), &Pack::all_of(&owner), &UnpackOptions::new())?);
    }
    Ok(copied)
}

fn assert_same(here: &Cache, there: &Cache) {
    // As text, since metadata may hold a NaN, which is equal to nothing.
    let listed = |cache: &Cache| listing(cache).iter().map(|binding| format!("{binding:?}")).collect::<Vec<_>>();
    assert_eq!(listed(there), listed(here));
    for binding in here.bindings(None).unwrap() {
        assert_eq!(content(there, &binding), content(here, &binding), "{}:{}", binding.owner, binding.name);
    }
    assert_sound(here);
    assert_sound(there);
}

/// The bytes of all files on the shelves of several stores, each inode once.
fn bytes_of(roots: &[PathBuf]) -> u64 {
    let shelves = roots.iter().flat_map(|root| ["artifacts", "executables"].map(|shelf| root.join(shelf)));
    let files = shelves.flat_map(walkdir::WalkDir::new).flatten().filter(|entry| entry.file_type().is_file());
    let inodes: BTreeMap<(u64, u64), u64> =
        files.map(|entry| entry.metadata().unwrap()).map(|found| ((found.dev(), found.ino()), found.len())).collect();
    inodes.values().sum()
}

/// Whether the disk has reflinks, as another program sees it.
fn has_reflinks(env: &Env) -> bool {
    fs::write(env.path("probe"), "probe").unwrap();
    let words = ["--reflink=always", env.path("probe").to_str().unwrap(), env.path("clone").to_str().unwrap()]
        .map(str::to_owned);
    Command::new("cp").args(words).output().is_ok_and(|done| done.status.success())
}

/// Changes a stored file where it lies, and leaves its mode.
fn overwrite(path: &Path, content: &[u8]) {
    let mode = fs::metadata(path).unwrap().permissions();
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(path, content).unwrap();
    fs::set_permissions(path, mode).unwrap();
}

#[test]
fn what_is_copied_is_the_same_there() {
    for (style, back) in STYLES.into_iter().zip([LinkStyle::Hardlink, LinkStyle::Absolute, LinkStyle::Relative]) {
        let env = Env::with_style(style);
        let cache = env.open();
        let owner = cache.owner("golden").unwrap();
        for input in fs::read_dir(depot(&env).join("inputs")).unwrap() {
            let input = input.unwrap();
            let source = Source::copy(input.path()).links(LinkPolicy::Keep);
            let _ = owner.ingest(&input.file_name().to_string_lossy(), &source, &BindOptions::new());
        }
        fill(&env, false);
        cache.import(&[env.path("unpacked/fixture/depot")], &ImportOptions::new()).unwrap();
        assert!(listing(&cache).len() > 60);
        let to = beside(&env, back);
        copy_all(&cache, &to).unwrap();
        assert_same(&cache, &Cache::open(to.clone()).unwrap());
        let again = copy_all(&cache, &to).unwrap();
        assert!(again.iter().flat_map(|one| &one.arrived.bindings).all(|name| name.status == "unchanged"));
    }
}

#[test]
fn where_the_disk_can_the_bytes_are_there_once() {
    for style in STYLES {
        let env = Env::with_style(LinkStyle::Absolute);
        let cache = fill(&env, false);
        let before = bytes_of(&[env.root()]);
        let by = if has_reflinks(&env) { CopiedBy::Reflink } else { CopiedBy::Hardlink };
        let copied = cache.copy_to(beside(&env, style), &everything(), &UnpackOptions::new()).unwrap();
        // What two need came with the first, but it came in the same way for both.
        assert!(copied.iter().all(|one| one.by == Some(by)), "{copied:#?}");
        let both = [env.root(), env.path("beside")];
        if by == CopiedBy::Hardlink {
            assert_eq!(bytes_of(&both), before, "{style}");
        }
        let new: u64 = copied.iter().map(|one| one.arrived.new_bytes).sum();
        assert_eq!(new, cache.stats().unwrap().stored_bytes);
        // Again, nothing comes, though each file has two names now.
        let again = cache.copy_to(beside(&env, style), &everything(), &UnpackOptions::new()).unwrap();
        assert!(again.iter().all(|one| one.by.is_none() && one.arrived.new_bytes == 0), "{again:#?}");
        assert!(again.iter().flat_map(|one| &one.arrived.bindings).all(|name| name.status == "unchanged"));
    }
}

#[test]
fn between_two_disks_bytes_are_copied() {
    let (env, other) = (Env::new(), Env::in_memory(LinkStyle::Hardlink));
    if fs::metadata(env.path("")).unwrap().dev() == fs::metadata(other.path("")).unwrap().dev() {
        eprintln!("skipped: there is one disk only");
        return;
    }
    let cache = fill(&env, false);
    let copied = cache.copy_to(other.options(), &everything(), &UnpackOptions::new()).unwrap();
    assert!(copied.iter().all(|one| one.by == Some(CopiedBy::Copy)), "{copied:#?}");
    assert_same(&cache, &other.open());
}

/// What lies on the disk for both is freed by the one that lets go last, and each gc says exactly so.
#[test]
fn gc_in_either_store_harms_neither_and_tells_the_truth() {
    for style in STYLES {
        for back in STYLES {
            for here_first in [true, false] {
                let env = Env::with_style(style);
                let cache = fill(&env, false);
                let own = env.tree("own", &[("a", "same"), ("only", "only here")]);
                cache.owner("own").unwrap().ingest("own", &Source::copy(&own), &BindOptions::new()).unwrap();
                cache.copy_to(beside(&env, back), &everything(), &UnpackOptions::new()).unwrap();
                let there = Cache::open(beside(&env, back)).unwrap();
                let both = [env.root(), env.path("beside")];
                let order = if here_first { [&cache, &there] } else { [&there, &cache] };
                for store in order {
                    let before = bytes_of(&both);
                    let bound = store.bindings(None).unwrap();
                    for one in bound {
                        store.owner_by_id(one.owner).unbind([&one.name]).unwrap();
                    }
                    env.pass(DAY * 2);
                    let freed = gc(store, Duration::ZERO).freed_bytes;
                    assert_eq!(freed, before - bytes_of(&both), "{style} to {back}, here first: {here_first}");
                    assert_eq!(shelves(store.root()), Vec::<String>::new());
                    for store in order {
                        assert_sound(store);
                    }
                }
                assert_eq!(bytes_of(&both), 0);
            }
        }
    }
}

/// A file with two names may be changed by the other: it is read before it is believed.
#[test]
fn what_is_shared_is_not_believed_unread() {
    for style in [LinkStyle::Absolute, LinkStyle::Relative] {
        for is_here in [true, false] {
            let env = Env::with_style(style);
            let data = env.tree("data", &[("f", "the right content")]).join("f");
            let cache = env.open();
            let owner = cache.owner("o").unwrap();
            owner.ingest("f", &Source::copy(&data), &BindOptions::new()).unwrap();
            let wanted = Pack::all_of(owner.id());
            let copied = cache.copy_to(beside(&env, style), &wanted, &UnpackOptions::new()).unwrap();
            overwrite(&copied[0].arrived.path, b"the wrong content");
            let there = Cache::open(beside(&env, style)).unwrap();
            let again = if is_here { &cache } else { &there }.ingest(&Source::copy(&data)).unwrap();
            assert_eq!(fs::read_to_string(&again.path).unwrap(), "the right content", "{style}, here: {is_here}");
        }
    }
}

#[test]
fn a_taken_name_stops_all_before_anything_moves() {
    let env = Env::new();
    let cache = fill(&env, false);
    let to = beside(&env, LinkStyle::Absolute);
    let there = Cache::open(to.clone()).unwrap();
    let other = env.tree("other", &[("x", "x")]);
    there.owner("p").unwrap().ingest("run", &Source::copy(&other), &BindOptions::new()).unwrap();
    let before = (listing(&there), shelves(there.root()));
    let error = refused(cache.copy_to(to.clone(), &everything(), &UnpackOptions::new()));
    assert!(matches!(error, Error::BindingExists { name, .. } if name == "run"));
    assert_eq!((listing(&there), shelves(there.root())), before);
    let options = UnpackOptions::new().force(true);
    let copied = cache.copy_to(to.clone(), &everything(), &options).unwrap();
    let names = copied.iter().flat_map(|one| &one.arrived.bindings);
    let rebound: Vec<&str> = names.filter(|one| one.status == "rebound").map(|one| one.name.as_str()).collect();
    assert_eq!(rebound, ["run"]);
    assert_same(&cache, &there);
    // Without names it is kept for a day.
    let to = to.root(env.path("bare"));
    let copied = cache.copy_to(to.clone(), &everything(), &UnpackOptions::new().bind(false)).unwrap();
    assert!(copied.iter().all(|one| one.arrived.lease_expires_at == Some(env.clock.now().plus(DAY))));
    assert_eq!(Cache::open(to).unwrap().bindings(None).unwrap(), []);
}

#[test]
fn a_store_is_not_copied_into_itself() {
    let env = Env::new();
    let cache = fill(&env, false);
    let inside = env.root().join("inside");
    symlink(env.root(), env.path("link")).unwrap();
    symlink("..", env.path("store-parent")).unwrap();
    let turned = env.path("store/artifacts/../../store");
    let there = env.path("");
    let paths = [env.root(), inside.clone(), env.path("link"), env.path("link/inside"), there, turned];
    for path in paths {
        let before = shelves(&env.root());
        let error = refused(cache.copy_to(env.options().root(&path), &everything(), &UnpackOptions::new()));
        assert!(matches!(error, Error::Invalid { what: "store to copy to", .. }), "{}: {error}", path.display());
        assert!(!inside.exists() && !env.path("index.sqlite").exists(), "{}: a store was made", path.display());
        assert_eq!(shelves(&env.root()), before);
    }
    // What is not here makes no store there.
    let nothing = Pack::of([Reference::new("p:nothing", None)]);
    refused(cache.copy_to(beside(&env, LinkStyle::Absolute), &nothing, &UnpackOptions::new()));
    assert!(!env.path("beside").exists());
}

#[test]
fn what_is_damaged_does_not_leave() {
    type Damage = fn(&Path);
    let damages: [(&str, Damage); 3] = [
        ("changed", |path| overwrite(path, b"Same")),
        ("cut", |path| overwrite(path, b"sa")),
        ("gone", |path| fs::remove_file(path).unwrap()),
    ];
    for (what, damage) in damages {
        let env = Env::new();
        let cache = fill(&env, false);
        let file = cache.owner("p").unwrap().resolve("file").unwrap().unwrap();
        damage(&cache.path_of(&file.artifact));
        // As a part of a directory, too.
        let wanted = Pack::of([Reference::new("p:run", None), Reference::new("p:u\n\u{202e}", None)]);
        let error = refused(cache.copy_to(beside(&env, LinkStyle::Relative), &wanted, &UnpackOptions::new()));
        assert!(matches!(error, Error::Damaged { hash, .. } if hash == file.artifact.hash), "{what}: {error}");
        let there = Cache::open(beside(&env, LinkStyle::Relative)).unwrap();
        assert_eq!((there.bindings(None).unwrap(), leftovers(there.root())), (vec![], vec![]), "{what}");
        gc(&there, Duration::ZERO);
        assert_eq!(shelves(there.root()), Vec::<String>::new(), "{what}");
    }
    // Nor does a directory whose rows were changed.
    let env = Env::new();
    let cache = fill(&env, false);
    let index = rusqlite::Connection::open(env.root().join("index.sqlite")).unwrap();
    assert!(
        index
            .execute("UPDATE tree_entries SET path = CAST('other' AS BLOB) WHERE path = CAST('run' AS BLOB)", [])
            .unwrap()
            > 0
    );
    drop(index);
    let error = refused(cache.copy_to(beside(&env, LinkStyle::Relative), &everything(), &UnpackOptions::new()));
    assert!(matches!(error, Error::Damaged { .. }), "{error}");
    assert!(!env.path("beside").exists());
}

#[test]
fn what_is_known_of_where_it_came_from_goes_along() {
    let env = Env::new();
    let cache = env.open();
    let data = env.tree("data", &[("f", "downloaded")]).join("f");
    let owner = cache.owner("o").unwrap();
    let url = format!("file://{}", data.display());
    owner.download("f", &Download::from(&url), &BindOptions::new()).unwrap();
    let known = |cache: &Cache| {
        let binding = cache.owner("o").unwrap().resolve("f").unwrap().unwrap();
        let sources = cache.details(&binding.artifact).unwrap().sources.into_iter();
        sources.map(|source| (source.kind, source.location, source.download)).collect::<Vec<_>>()
    };
    let before = known(&cache);
    cache.copy_to(beside(&env, LinkStyle::Absolute), &Pack::all_of(owner.id()), &UnpackOptions::new()).unwrap();
    let there = Cache::open(beside(&env, LinkStyle::Absolute)).unwrap();
    let (paths, urls): (Vec<_>, Vec<_>) = known(&there).into_iter().partition(|(kind, ..)| kind == "path");
    assert_eq!(urls, before, "one person's stores believe each other");
    assert_eq!(paths, [("path".to_owned(), env.root().to_str().unwrap().to_owned(), None)]);
}

#[test]
fn a_store_that_is_only_read_stays_as_it_is() {
    let env = Env::new();
    drop(fill(&env, false));
    let picture = || {
        let index = fs::read(env.root().join("index.sqlite")).unwrap();
        (index, crate::support::picture(&env.root().join("artifacts")), bytes_of(&[env.root()]))
    };
    let before = picture();
    let cache = Cache::open(env.options().read_only(true)).unwrap();
    let copied = cache.copy_to(beside(&env, LinkStyle::Hardlink), &everything(), &UnpackOptions::new()).unwrap();
    assert!(copied.iter().all(|one| one.by != Some(CopiedBy::Hardlink)), "{copied:#?}");
    assert!(picture() == before, "it was changed");
    assert_same(&cache, &Cache::open(beside(&env, LinkStyle::Hardlink)).unwrap());
    let error =
        refused(cache.copy_to(beside(&env, LinkStyle::Hardlink).read_only(true), &everything(), &UnpackOptions::new()));
    assert!(matches!(error, Error::ReadOnly { .. }), "{error}");
}

/// A filesystem allows so many names of a file and no more.
#[test]
fn a_file_with_too_many_names_is_copied() {
    const FAR_TOO_MANY: u32 = 70_000;
    let env = Env::new();
    let cache = env.open();
    let data = env.tree("data", &[("f", "f")]);
    let owner = cache.owner("o").unwrap();
    let file = owner.ingest("f", &Source::copy(data.join("f")), &BindOptions::new()).unwrap();
    let links = env.path("links");
    fs::create_dir(&links).unwrap();
    let full = (0..FAR_TOO_MANY).any(|number| fs::hard_link(&file.path, links.join(number.to_string())).is_err());
    if !full || has_reflinks(&env) {
        eprintln!("skipped: files may have any number of names here");
        return;
    }
    let to = beside(&env, LinkStyle::Hardlink);
    let copied = cache.copy_to(to.clone(), &Pack::all_of(owner.id()), &UnpackOptions::new()).unwrap();
    assert_eq!(copied[0].by, Some(CopiedBy::Copy));
    assert_same(&cache, &Cache::open(to).unwrap());
}

/// In both stores everything that nothing keeps is collected all the while.
#[test]
fn gc_beside_it_takes_nothing() {
    let env = Env::in_memory(LinkStyle::Absolute);
    let cache = fill(&env, false);
    let to = beside(&env, LinkStyle::Hardlink);
    drop(Cache::open(to.clone()).unwrap());
    let over = AtomicBool::new(false);
    let collect = |options: CacheOptions| {
        let cache = Cache::open(options).unwrap();
        while !over.load(Ordering::Relaxed) {
            let plan = cache.gc_plan(&GcPolicy::default().collect_delay(Duration::ZERO)).unwrap();
            cache.gc_apply(&plan).unwrap();
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(|| collect(env.options()));
        scope.spawn(|| collect(to.clone()));
        let there = Cache::open(to.clone()).unwrap();
        for round in 0..12 {
            let owner: ohmyartifacts::OwnerId = format!("o{round}").parse().unwrap();
            let options = UnpackOptions::new().owner(Some(owner.clone())).force(true);
            let copied = cache.copy_to(to.clone(), &everything(), &options);
            copied.unwrap_or_else(|error| panic!("{round}: {error:?}"));
            let names: BTreeSet<String> =
                there.bindings(Some(&owner)).unwrap().into_iter().map(|one| one.name).collect();
            assert_eq!(names.len(), 4);
            there.bindings(Some(&owner)).unwrap().iter().for_each(|one| drop(content(&there, one)));
            there.owner_by_id(owner).unbind(&names).unwrap();
        }
        over.store(true, Ordering::Relaxed);
    });
    assert_sound(&cache);
    assert_sound(&Cache::open(to).unwrap());
}

#[test]
fn two_copies_at_once_share_the_work() {
    let env = Env::in_memory(LinkStyle::Relative);
    let cache = fill(&env, false);
    let to = beside(&env, LinkStyle::Absolute);
    std::thread::scope(|scope| {
        let copies: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| env.open().copy_to(to.clone(), &everything(), &UnpackOptions::new())))
            .collect();
        for copy in copies {
            copy.join().unwrap().unwrap();
        }
    });
    let there = Cache::open(to).unwrap();
    assert_same(&cache, &there);
    assert_eq!(leftovers(there.root()), Vec::<String>::new());
}
