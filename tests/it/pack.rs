//! Packs: what goes in comes out, on every machine the same bytes, and other programs read them.

#[cfg(feature = "cli")]
mod cli;
mod hostile;
#[cfg(feature = "failpoints")]
mod interrupted;
mod random;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use ohmyartifacts::{
    Arrived, BindOptions, Binding, Cache, Entry, ImportOptions, LinkPolicy, LinkStyle, Metadata, ObjectKind, OwnerId,
    Pack, Reference, Source, UnpackOptions, VerifyOptions,
};

use serde_json::Value;

use crate::support::{DAY, Env, STYLES, gc, make_executable};

/// The depot that the original program made, unpacked.
pub(crate) fn depot(env: &Env) -> PathBuf {
    let packed = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/julia-depot.tar.gz");
    let packed = flate2::read::GzDecoder::new(fs::File::open(packed).unwrap());
    fs::create_dir(env.path("unpacked")).unwrap();
    let mut archive = tar::Archive::new(packed);
    archive.set_preserve_permissions(true);
    archive.unpack(env.path("unpacked")).unwrap();
    env.path("unpacked/fixture")
}

pub(crate) fn assert_sound(cache: &Cache) {
    assert_eq!(cache.verify(&VerifyOptions::new()).unwrap().problems, []);
}

/// All bindings as a list shows them, without what differs from store to store: their times.
pub(crate) fn listing(cache: &Cache) -> Vec<(Value, ObjectKind)> {
    let timeless = |binding: Binding| {
        let mut row = serde_json::to_value(&binding).unwrap();
        (row["bound_at"], row["last_used_at"]) = (Value::Null, Value::Null);
        (row, binding.artifact.kind)
    };
    cache.bindings(None).unwrap().into_iter().map(timeless).collect()
}

pub(crate) fn owners(cache: &Cache) -> BTreeSet<OwnerId> {
    cache.bindings(None).unwrap().into_iter().map(|binding| binding.owner).collect()
}

/// All paths and contents behind a binding.
pub(crate) fn content(cache: &Cache, binding: &Binding) -> (Vec<Entry>, Vec<(PathBuf, Vec<u8>)>) {
    let top = cache.path_of(&binding.artifact);
    let entries = cache.entries(&binding.artifact).unwrap();
    if binding.artifact.kind.is_file() {
        return (entries, vec![(PathBuf::new(), fs::read(top).unwrap())]);
    }
    let files = entries.iter().filter(|entry| matches!(entry.node, ohmyartifacts::Node::File { .. }));
    let read = files.map(|entry| (entry.path.clone(), fs::read(top.join(&entry.path)).unwrap())).collect();
    (entries, read)
}

/// Sends everything of one store to another, owner by owner, and holds both against each other.
fn send(from: &Cache, to: &Env) {
    let there = to.open();
    for owner in owners(from) {
        let file = to.path("sent.tar.zst");
        from.pack(&Pack::all_of(&owner), &file, true).unwrap();
        there.unpack(&file, &UnpackOptions::new()).unwrap();
        let again = to.path("again.tar.zst");
        there.pack(&Pack::all_of(&owner), &again, true).unwrap();
        assert!(fs::read(&file).unwrap() == fs::read(&again).unwrap(), "{owner}: packed again, it is not the same");
    }
    assert_eq!(listing(&there), listing(from));
    for binding in from.bindings(None).unwrap() {
        assert_eq!(content(&there, &binding), content(from, &binding), "{}:{}", binding.owner, binding.name);
    }
    assert_sound(&there);
}

#[test]
fn the_golden_inputs_come_out_as_they_went_in() {
    let source = Env::new();
    let inputs = depot(&source).join("inputs");
    for (style, back) in STYLES.into_iter().zip([LinkStyle::Hardlink, LinkStyle::Absolute, LinkStyle::Relative]) {
        let env = Env::with_style(style);
        let cache = env.open();
        let owner = cache.owner("golden").unwrap();
        let mut packed = 0;
        for input in fs::read_dir(&inputs).unwrap() {
            let input = input.unwrap();
            let name = input.file_name().to_string_lossy().into_owned();
            let source = Source::copy(input.path()).links(LinkPolicy::Keep);
            // What nobody may read is another test's affair.
            packed += u64::from(owner.ingest(&name, &source, &BindOptions::new()).is_ok());
        }
        assert!(packed > 60, "only {packed} inputs");
        send(&cache, &Env::with_style(back));
    }
}

#[test]
fn ids_that_the_original_made_keep_their_rule() {
    let env = Env::new();
    let depot = depot(&env).join("depot");
    let cache = env.open();
    cache.import(&[depot], &ImportOptions::new()).unwrap();
    let doubtful = |cache: &Cache| {
        let bindings = cache.bindings(None).unwrap().into_iter();
        bindings.filter(|binding| cache.details(&binding.artifact).unwrap().doubt.is_some()).count()
    };
    assert!(doubtful(&cache) > 0, "the depot has trees that cannot be checked");
    let to = Env::new();
    send(&cache, &to);
    assert_eq!(doubtful(&to.open()), doubtful(&cache));
}

/// Two owners who share files, with metadata of every sort.
pub(crate) fn fill(env: &Env, backwards: bool) -> Cache {
    let long = format!("{}/{}", "d".repeat(90), "f".repeat(200));
    let tree = env.tree("t", &[("a", "same"), ("d/b", "same"), ("run", "same"), ("void/", ""), (&long, "long")]);
    make_executable(&tree.join("run"));
    symlink("d/b", tree.join("link")).unwrap();
    symlink(format!("{}/x", "l".repeat(150)), tree.join("nowhere")).unwrap();
    let big = "0123456789abcdef".repeat(100_000);
    env.tree("u", &[("a", "same"), ("big", &big)]);
    let cache = env.open();
    let meta = Metadata::from_document("day = 1979-05-27\nlimit = inf\n[t]\n'' = [1, 2.0]").unwrap();
    let meta = BindOptions::new().meta(meta).bound_by("down".parse().unwrap());
    let mut names =
        [("p", "t", "t"), ("p", "u\n\u{202e}", "u"), ("p", "file", "t/a"), ("p", "run", "t/run"), ("q@1", "t", "t")];
    if backwards {
        names.reverse();
    }
    for (owner, name, path) in names {
        let source = Source::copy(env.path(path)).links(LinkPolicy::Keep);
        cache.owner(owner).unwrap().ingest(name, &source, &meta).unwrap();
        env.pass(std::time::Duration::from_secs(1));
    }
    cache
}

pub(crate) fn everything<'a>() -> Pack<'a> {
    Pack::of(["p:t", "p:u\n\u{202e}", "p:file", "p:run", "q@1:t"].map(|name| Reference::new(name, None)))
}

#[test]
fn the_same_artifacts_are_the_same_bytes() {
    let one = Env::with_style(LinkStyle::Absolute);
    fill(&one, false).pack(&everything(), &one.path("p"), false).unwrap();
    let other = Env::with_style(LinkStyle::Hardlink);
    other.pass(DAY * 400);
    let cache = fill(&other, true);
    cache.pack(&everything(), &other.path("p"), false).unwrap();
    let bytes = fs::read(one.path("p")).unwrap();
    assert!(bytes == fs::read(other.path("p")).unwrap());
    let mut piped = Vec::new();
    cache.pack_to(&everything(), &mut piped, Path::new("a pipe")).unwrap();
    assert!(bytes == piped);
}

/// What a program made of the pack of `fill`, `artifacts/` below `top`.
fn assert_read_right(env: &Env, cache: &Cache, top: &Path) {
    for binding in cache.bindings(None).unwrap() {
        let shelf = if binding.artifact.kind == ObjectKind::Executable { "executables" } else { "artifacts" };
        let path = top.join(shelf).join(binding.artifact.hash.to_string());
        let again = env.open().ingest(&Source::copy(&path).links(LinkPolicy::Keep)).unwrap();
        assert_eq!(again.artifact, binding.artifact, "{}", path.display());
    }
    let tree = cache.owner("p").unwrap().resolve("t").unwrap().unwrap().artifact.hash.to_string();
    assert!(top.join("artifacts").join(&tree).join("void").is_dir());
    assert_eq!(fs::read_to_string(top.join("artifacts").join(tree).join("d/b")).unwrap(), "same");
}

#[test]
fn other_programs_read_a_pack() {
    let env = Env::new();
    let cache = fill(&env, false);
    let pack = env.path("p.tar.zst");
    cache.pack(&everything(), &pack, false).unwrap();
    let tar = env.path("p.tar");
    fs::write(&tar, zstd::decode_all(fs::File::open(&pack).unwrap()).unwrap()).unwrap();
    let python = "import sys, tarfile; tarfile.open(sys.argv[1]).extractall(sys.argv[2])";
    let programs: [&[&str]; 2] =
        [&["tar", "-xf", tar.to_str().unwrap(), "-C"], &["python3", "-c", python, tar.to_str().unwrap()]];
    for (number, words) in programs.iter().enumerate() {
        let top = env.path(format!("by-{number}"));
        fs::create_dir(&top).unwrap();
        let done = Command::new(words[0]).args(&words[1..]).arg(&top).output();
        let Ok(done) = done else {
            eprintln!("skipped: there is no `{}`", words[0]);
            continue;
        };
        assert!(done.status.success(), "{}: {}", words[0], String::from_utf8_lossy(&done.stderr));
        assert_read_right(&env, &cache, &top);
    }
    let checked = Command::new("zstd").args(["-lv"]).arg(&pack).output();
    if let Ok(checked) = checked {
        assert!(String::from_utf8_lossy(&checked.stdout).contains("XXH64"), "it has no checksum");
    }
}

#[test]
fn what_one_content_holds_is_packed_once() {
    let env = Env::new();
    let cache = fill(&env, false);
    let packed = cache.pack(&everything(), &env.path("p"), false).unwrap();
    let tar = zstd::decode_all(fs::File::open(env.path("p")).unwrap()).unwrap();
    let mut archive = tar::Archive::new(&*tar);
    let files = archive.entries().unwrap().map(|entry| entry.unwrap().header().clone());
    let files: Vec<u64> = files.filter(|file| file.entry_type().is_file()).map(|file| file.size().unwrap()).collect();
    // The list of contents, `same` with and without its execute bit, `long`, and `big`.
    assert_eq!(files.len(), 5);
    assert_eq!(files[1..].iter().sum::<u64>(), packed.content_bytes);
    assert_eq!((packed.artifacts.len(), packed.bindings), (4, 5));
}

fn unpack(env: &Env, pack: &Path, options: &UnpackOptions) -> Vec<Arrived> {
    let cache = env.open();
    let expected = cache.unpack_preview(pack, options).unwrap();
    let before = listing(&cache);
    assert_eq!(listing(&cache), before, "a preview changes nothing");
    let arrived = cache.unpack(pack, options).unwrap();
    assert_eq!(arrived, expected, "the preview said something else");
    arrived
}

#[test]
fn a_pack_that_arrives_again_changes_nothing() {
    let env = Env::new();
    fill(&env, false).pack(&everything(), &env.path("p"), false).unwrap();
    let to = Env::new();
    let first = unpack(&to, &env.path("p"), &UnpackOptions::new());
    assert!(first.iter().flat_map(|one| &one.bindings).all(|name| name.status == "bound"), "{first:#?}");
    assert_eq!(first.iter().map(|one| one.new_bytes).sum::<u64>(), to.open().stats().unwrap().stored_bytes);
    let again = unpack(&to, &env.path("p"), &UnpackOptions::new());
    assert!(again.iter().flat_map(|one| &one.bindings).all(|name| name.status == "unchanged"), "{again:#?}");
    assert!(again.iter().all(|one| (one.new_files, one.new_bytes) == (0, 0)));
}

#[test]
fn what_is_not_bound_stays_for_a_day() {
    let env = Env::new();
    fill(&env, false).pack(&everything(), &env.path("p"), false).unwrap();
    let to = Env::new();
    let arrived = unpack(&to, &env.path("p"), &UnpackOptions::new().bind(false));
    let end = to.clock.now().plus(DAY);
    assert!(arrived.iter().all(|one| one.bindings.is_empty() && one.lease_expires_at == Some(end)), "{arrived:#?}");
    let cache = to.open();
    assert_eq!(gc(&cache, std::time::Duration::ZERO).deleted_artifacts, 0);
    to.pass(DAY);
    gc(&cache, std::time::Duration::ZERO);
    assert_eq!(cache.stats().unwrap().stored_bytes, 0);
}

#[test]
fn only_sources_that_mean_something_elsewhere_travel() {
    let env = Env::new();
    let cache = env.open();
    let data = env.tree("data", &[("f", "downloaded")]).join("f");
    let owner = cache.owner("o").unwrap();
    let url = format!("file://{}", data.display());
    owner.download("f", &ohmyartifacts::Download::from(&url), &BindOptions::new()).unwrap();
    let made = owner.create_by_command("made", &BindOptions::new(), "make it", |dir| fs::write(dir.join("f"), "made"));
    made.unwrap();
    owner.ingest("mine", &Source::copy(&data), &BindOptions::new().force(true)).unwrap();
    cache.pack(&Pack::all_of(owner.id()), &env.path("p"), false).unwrap();
    let to = Env::new();
    let there = to.open();
    there.unpack(&env.path("p"), &UnpackOptions::new()).unwrap();
    let sources = |name: &str| {
        let binding = there.owner("o").unwrap().resolve(name).unwrap().unwrap();
        let sources = there.details(&binding.artifact).unwrap().sources;
        assert!(sources.iter().all(|source| source.download.is_none()), "a stranger's word was believed");
        sources.into_iter().map(|source| (source.kind, source.location)).collect::<BTreeSet<_>>()
    };
    let pack = ("path".to_owned(), fs::canonicalize(env.path("p")).unwrap().to_str().unwrap().to_owned());
    assert_eq!(sources("f"), BTreeSet::from([pack.clone(), ("url".to_owned(), url)]));
    assert_eq!(sources("made"), BTreeSet::from([pack, ("command".to_owned(), "make it".to_owned())]));
}

#[test]
fn names_go_to_another_owner_if_asked_and_a_taken_one_stops_all() {
    let env = Env::new();
    let cache = fill(&env, false);
    let wanted = Pack::of(["p:file", "p:run"].map(|name| Reference::new(name, None)));
    cache.pack(&wanted, &env.path("p"), false).unwrap();
    let to = Env::new();
    let there = to.open();
    let other = to.tree("other", &[("x", "x")]);
    let mine = there.owner("mine").unwrap();
    mine.ingest("run", &Source::copy(&other), &BindOptions::new()).unwrap();
    let options = UnpackOptions::new().owner(Some(mine.id().clone()));
    let before = listing(&there);
    for refused in [there.unpack_preview(&env.path("p"), &options), there.unpack(&env.path("p"), &options)] {
        assert!(matches!(refused, Err(ohmyartifacts::Error::BindingExists { name, .. }) if name == "run"));
    }
    assert_eq!(listing(&there), before, "half of it was bound");
    let arrived = unpack(&to, &env.path("p"), &options.force(true));
    let statuses: BTreeSet<_> =
        arrived.iter().flat_map(|one| &one.bindings).map(|name| (name.name.as_str(), name.status)).collect();
    assert_eq!(statuses, BTreeSet::from([("file", "bound"), ("run", "rebound")]));
    assert!(there.bindings(None).unwrap().iter().all(|binding| binding.owner == *mine.id()));
    // By its hash an artifact takes no name along.
    let hash = cache.owner("p").unwrap().resolve("t").unwrap().unwrap().artifact.hash.to_string();
    let packed = cache.pack(&Pack::of([Reference::new(&hash, None)]), &env.path("h"), false).unwrap();
    assert_eq!(packed.bindings, 0);
}

/// Everything that nothing keeps is collected all the while.
#[test]
fn gc_beside_it_takes_nothing() {
    let env = Env::in_memory(LinkStyle::Absolute);
    fill(&env, false).pack(&everything(), &env.path("p"), false).unwrap();
    let to = Env::in_memory(LinkStyle::Hardlink);
    drop(to.open());
    let over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let cache = to.open();
            while !over.load(std::sync::atomic::Ordering::Relaxed) {
                let policy = ohmyartifacts::GcPolicy::default().collect_delay(std::time::Duration::ZERO);
                let plan = cache.gc_plan(&policy).unwrap();
                cache.gc_apply(&plan).unwrap();
            }
        });
        let cache = to.open();
        for round in 0..15 {
            let owner: OwnerId = format!("o{round}").parse().unwrap();
            let options = UnpackOptions::new().owner(Some(owner.clone())).force(true);
            cache.unpack(&env.path("p"), &options).unwrap_or_else(|error| panic!("{round}: {error:?}"));
            cache.pack(&Pack::all_of(&owner), &to.path("q"), true).unwrap();
            let names: Vec<String> = cache.bindings(Some(&owner)).unwrap().into_iter().map(|one| one.name).collect();
            assert_eq!(names.len(), 4);
            for binding in cache.bindings(Some(&owner)).unwrap() {
                content(&cache, &binding);
            }
            cache.owner_by_id(owner).unbind(&names).unwrap();
        }
        over.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    assert_sound(&to.open());
}
