//! Scratch spaces that are torn, tampered with or up to something: one bad thing costs what depends on
//! it and nothing else, and is said by name.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use ohmyartifacts::Metadata;

use crate::support::julia::{
    ALPHA, BETA, Expected, Imported, Name, Row, assert_sound, assert_untouched, bindings, blob_id, expected, full_name,
    hashes, import, make_space, named_hash, set_mode, standing, unpack,
};
use crate::support::leftovers;
use crate::support::oma::Oma;

fn fifo(at: &Path) {
    assert!(Command::new("mkfifo").arg(at).status().expect("mkfifo runs").success());
}

fn remove(path: &Path) {
    if path.is_dir() && !path.is_symlink() {
        fs::remove_dir_all(path).expect("ours");
    } else {
        fs::remove_file(path).expect("ours");
    }
}

/// Sizes of a space: names that need a file, by what they stand for.
struct Needs {
    files: BTreeSet<Name>,
    trees: BTreeSet<Name>,
}

/// Who needs a file, as the links in the source say.
fn needs(imported: &Imported, blob: &str) -> Needs {
    let mut needs = Needs { files: BTreeSet::new(), trees: BTreeSet::new() };
    for (name, Expected { hash, is_dir, exists, .. }) in expected() {
        if hash == blob {
            needs.files.insert(name);
        } else if is_dir && exists {
            let links = walkdir::WalkDir::new(imported.blob(&hash)).into_iter().map(|entry| entry.expect("readable"));
            let mut links = links.filter_map(|entry| fs::read_link(entry.path()).ok());
            if links.any(|target| target.ends_with(blob)) {
                needs.trees.insert(name);
            }
        }
    }
    needs
}

/// How a file was broken, what becomes of its own bindings, and what is said.
type Break = (&'static str, fn(&Path), &'static str, &'static str, &'static str);

const BREAKS: [Break; 8] = [
    ("a byte", flip, "corrupt", "its content is", "its content is"),
    (
        "cut short",
        |at| rewrite(at, |content| content.truncate(content.len() - 1)),
        "corrupt",
        "its content is",
        "its content is",
    ),
    ("grown", |at| rewrite(at, |content| content.push(b'x')), "corrupt", "its content is", "its content is"),
    ("gone", |at| remove(at), "missing", "its artifact is not there", "is gone"),
    (
        "a pipe",
        |at| {
            remove(at);
            fifo(at);
        },
        "corrupt",
        "",
        "its file `",
    ),
    (
        "a socket",
        |at| {
            remove(at);
            drop(UnixListener::bind(at).expect("a socket"));
        },
        "corrupt",
        "",
        "its file `",
    ),
    (
        "a folder",
        |at| {
            remove(at);
            fs::create_dir(at).expect("a folder");
        },
        "corrupt",
        "",
        "its file `",
    ),
    (
        "a link to /etc/passwd",
        |at| {
            remove(at);
            symlink("/etc/passwd", at).expect("a link");
        },
        "corrupt",
        "link",
        "its file `",
    ),
];

fn flip(at: &Path) {
    rewrite(at, |content| content[0] ^= 1);
}

fn rewrite(at: &Path, change: impl Fn(&mut Vec<u8>)) {
    let mut content = fs::read(at).expect("a blob");
    change(&mut content);
    set_mode(at, 0o644);
    fs::write(at, content).expect("ours");
    set_mode(at, 0o444);
}

#[test]
fn a_broken_file_costs_the_names_that_need_it_and_nothing_else() {
    let blob = named_hash("own2");
    for (what, break_it, status, file_detail, tree_detail) in BREAKS {
        // A socket's path may have 107 bytes only, and the space's path is long.
        let imported = Imported::fresh();
        let at = imported.blob(&blob);
        if what == "a socket" {
            let short = imported.oma.path("s");
            fs::write(&short, "").expect("a file");
            break_it(&short);
            remove(&at);
            fs::rename(&short, &at).expect("a new name");
        } else {
            break_it(&at);
        }
        let needs = needs(&imported, &blob);
        assert!(!needs.files.is_empty() && !needs.trees.is_empty(), "the file is one that both kinds need");
        let before = standing(&imported.oma.path("depot"));
        let rows = imported.import(8);
        assert_untouched(&before, &imported.oma.path("depot"), what);
        let rows: BTreeMap<Name, Row> = rows.into_iter().filter_map(|row| Some((row.full_name()?, row))).collect();
        for name in &needs.files {
            let row = &rows[name];
            assert_eq!(row.status, status, "{what}: {row:?}");
            assert!(row.detail().contains(file_detail), "{what}: {row:?}");
        }
        for name in &needs.trees {
            let row = &rows[name];
            assert_eq!(row.status, "corrupt", "{what}: {row:?}");
            assert!(row.detail().contains(tree_detail) && row.detail().contains(&blob[..8]), "{what}: {row:?}");
        }
        let lost: BTreeSet<&Name> = needs.files.union(&needs.trees).collect();
        let wanted: BTreeMap<Name, String> = expected()
            .into_iter()
            .filter(|(name, binding)| binding.exists && !lost.contains(name))
            .map(|(name, binding)| (name, binding.hash))
            .collect();
        assert_eq!(hashes(&imported.oma), wanted, "{what}");
        assert_sound(&imported.oma, what);
        assert_ne!(imported.oma.run(&["exists", &blob]).code, Some(0), "{what}: it is stored");
    }
}

/// How a directory was broken, and what is said.
type TreeBreak = (&'static str, fn(&Path, &Path), &'static str);

const TREE_BREAKS: [TreeBreak; 6] = [
    (
        "a link to nothing stored",
        |link, _| symlink(format!("/x/artifacts/ab/ab{}", "0".repeat(62)), link).expect("a link"),
        "is gone",
    ),
    ("a link out of the store", |link, _| symlink("/etc/passwd", link).expect("a link"), "leads to `/etc/passwd`"),
    (
        "a link to another folder",
        |link, _| symlink(format!("/x/artefacts/ab/ab{}", "0".repeat(62)), link).expect("a link"),
        "leads to",
    ),
    (
        "a link to the wrong shelf",
        |link, _| symlink(format!("/x/artifacts/cd/ab{}", "0".repeat(62)), link).expect("a link"),
        "leads to",
    ),
    ("a file of its own", |link, _| fs::write(link, "x").expect("a file"), "is not a link into the store"),
    ("a pipe", |link, _| fifo(link), "is not a link into the store"),
];

#[test]
fn a_broken_directory_costs_its_own_names_only() {
    let name = full_name(ALPHA, None, "dir-share-2");
    for (what, break_it, detail) in TREE_BREAKS {
        let imported = Imported::fresh();
        let hash = expected()[&name].hash.clone();
        let top = imported.blob(&hash);
        let link = walkdir::WalkDir::new(&top).into_iter().map(|entry| entry.expect("readable"));
        let link = link.filter(|entry| entry.path_is_symlink()).map(|entry| entry.into_path()).min().expect("a file");
        set_mode(&top, 0o755);
        remove(&link);
        break_it(&link, &top);
        set_mode(&top, 0o555);
        let rows = imported.import(8);
        let below = link.strip_prefix(&top).expect("below").to_str().expect("text").to_owned();
        let lost: BTreeSet<Name> =
            expected().into_iter().filter(|(_, other)| other.hash == hash).map(|(name, _)| name).collect();
        for row in rows.iter().filter(|row| row.hash.as_ref() == Some(&hash)) {
            assert_eq!(row.status, "corrupt", "{what}: {row:?}");
            assert!(row.detail().contains(detail) && row.detail().contains(&below), "{what}: {row:?}");
        }
        let wanted: BTreeMap<Name, String> = expected()
            .into_iter()
            .filter(|(name, binding)| binding.exists && !lost.contains(name))
            .map(|(name, binding)| (name, binding.hash))
            .collect();
        assert_eq!(hashes(&imported.oma), wanted, "{what}");
        assert_sound(&imported.oma, what);
    }
}

// ---- bindings files ----

const CONTENT: &[u8] = b"content";

fn entry(name: &str, id: &str) -> String {
    format!("[{name}]\nisdir = false\nsha256 = \"{id}\"\n\n")
}

/// A small space: one sound package, and the file under test.
fn small(oma: &Oma) -> (PathBuf, PathBuf, String) {
    let id = blob_id(CONTENT).to_string();
    let good = format!("{BETA}/Artifacts.toml");
    let space = make_space(&oma.path("depot"), &[CONTENT], &[(&good, &entry("good", &id))]);
    let bad = space.join(ALPHA).join("Artifacts.toml");
    fs::create_dir_all(space.join(ALPHA)).expect("a new directory");
    (space, bad, id)
}

/// What is written, the rows' statuses by name, and what the bad one's detail holds.
fn check_file(what: &str, write: impl Fn(&Path, &str), wanted: &[(Option<&str>, &str)], details: &[&str]) {
    let oma = Oma::new();
    let (space, bad, id) = small(&oma);
    write(&bad, &id);
    let before = standing_without_pipes(&space);
    let fails = wanted.iter().any(|(_, status)| *status == "corrupt");
    let rows = import(&oma, if fails { 8 } else { 0 }, &[&oma.at("depot")]);
    assert_eq!(standing_without_pipes(&space), before, "{what}: the source was written to");
    let mut found: Vec<(Option<&str>, &str)> = rows
        .iter()
        .filter(|row| row.name.as_deref() != Some("good") && (row.hash.is_none() || row.name.is_some()))
        .map(|row| (row.name.as_deref(), &*row.status))
        .collect();
    found.sort_unstable();
    let mut wanted = wanted.to_vec();
    wanted.sort_unstable();
    assert_eq!(found, wanted, "{what}: {rows:#?}");
    for row in rows.iter().filter(|row| row.is_failure()) {
        assert_eq!(row.owner.as_deref(), Some(ALPHA), "{what}: {row:?}");
        for detail in details {
            assert!(row.detail().contains(detail), "{what}: no `{detail}` in {row:?}");
        }
        assert!(row.detail().contains("Artifacts.toml"), "{what}: the file is not named in {row:?}");
    }
    let bound = hashes(&oma);
    assert_eq!(bound[&full_name(BETA, None, "good")], id, "{what}");
    let sound = wanted.iter().filter(|(_, status)| *status == "imported").count();
    assert_eq!(bound.len(), 1 + sound, "{what}: {bound:?}");
    assert!(bound.values().all(|hash| *hash == id), "{what}");
    assert_sound(&oma, what);
}

fn standing_without_pipes(top: &Path) -> BTreeMap<PathBuf, String> {
    standing(top).into_iter().map(|(path, found)| (path, format!("{found:?}"))).collect()
}

#[test]
fn a_broken_bindings_file_is_named_and_stops_nothing() {
    let text = |content: Vec<u8>| move |at: &Path, _: &str| fs::write(at, &content).expect("a new file");
    let whole: &[(Option<&str>, &str)] = &[(None, "corrupt")];
    check_file("no TOML", text(b"[a]\nx = 1\n\n[b\n".to_vec()), whole, &["line 4"]);
    check_file("not UTF-8", text(b"[a]\nx = 1\n\n[\"\xff\"]\n".to_vec()), whole, &["line 4: it is not UTF-8"]);
    check_file("a name twice", |at, id| fs::write(at, entry("a", id).repeat(2)).expect("a file"), whole, &["line 5"]);
    check_file("17 MiB", text([b"# ".as_slice(), &vec![b'x'; 17 << 20]].concat()), whole, &["17825794 bytes"]);
    check_file("zero bytes", text(vec![0; 4096]), whole, &["line 1"]);
    check_file("a folder", |at, _| fs::create_dir(at).expect("a folder"), whole, &[]);
    check_file("a pipe", |at, _| fifo(at), whole, &[]);
    check_file("a link to /dev/zero", |at, _| symlink("/dev/zero", at).expect("a link"), whole, &[]);
    check_file("a link to itself", |at, _| symlink(at, at).expect("a link"), whole, &[]);
    check_file("deep nesting", text(format!("a = {}", "[".repeat(100_000)).into_bytes()), whole, &["line 1"]);
    check_file("nothing", text(Vec::new()), &[], &[]);
}

#[test]
fn a_broken_entry_is_named_with_its_line_and_stops_nothing() {
    let check = |what: &str, bad: &'static str, names: &[(Option<&str>, &str)], details: &[&str]| {
        let write = |at: &Path, id: &str| {
            let content = format!("{}{}{}", entry("first", id), bad.replace("ID", id), entry("last", id));
            fs::write(at, content).expect("a new file");
        };
        let mut wanted = vec![(Some("first"), "imported"), (Some("last"), "imported")];
        wanted.extend(names);
        check_file(what, write, &wanted, details);
    };
    let bad: &[(Option<&str>, &str)] = &[(Some("bad"), "corrupt")];
    let table = |rest: &'static str| -> &'static str { rest };
    check("no digits", table("[bad]\nisdir = false\nsha256 = \"zz\"\n\n"), bad, &["line 5", "sha256"]);
    check(
        "63 digits",
        "[bad]\nisdir = false\nsha256 = \"000000000000000000000000000000000000000000000000000000000000000\"\n\n",
        bad,
        &["line 5", "sha256"],
    );
    check("65 digits", "[bad]\nisdir = false\nsha256 = \"ID0\"\n\n", bad, &["line 5", "sha256"]);
    check(
        "a path",
        "[bad]\nisdir = false\nsha256 = \"../../../../../../../etc/passwd\"\n\n",
        bad,
        &["line 5", "sha256"],
    );
    check("no hash", "[bad]\nisdir = false\n\n", bad, &["line 5", "sha256"]);
    check("a number", "[bad]\nisdir = false\nsha256 = 12\n\n", bad, &["line 5", "sha256"]);
    check("isdir is text", "[bad]\nisdir = \"no\"\nsha256 = \"ID\"\n\n", bad, &["line 5", "isdir"]);
    check("isdir is a number", "[bad]\nisdir = 0\nsha256 = \"ID\"\n\n", bad, &["line 5", "isdir"]);
    check("no table", "[bad]\n\n", bad, &["line 5"]);
    check("an array", "[[bad]]\nisdir = false\nsha256 = \"ID\"\n\n", bad, &["line 5"]);
    check(
        "NUL in the name",
        "[\"nu\\u0000l\"]\nisdir = false\nsha256 = \"ID\"\n\n",
        &[(Some("nu\0l"), "corrupt")],
        &["line 5"],
    );
    // What it is, not what the file calls it, is bound; and the row says so.
    check("isdir is wrong", "[odd]\nisdir = true\nsha256 = \"ID\"\n\n", &[(Some("odd"), "imported")], &[]);
    check("no isdir", "[odd]\nsha256 = \"ID\"\n\n", &[(Some("odd"), "imported")], &[]);
    check("upper case", "[odd]\nisdir = false\nsha256 = \"ID\"\nmore = 1\n\n", &[(Some("odd"), "imported")], &[]);
}

/// Every 50th byte could be where a crash cut the file. Each cut is a package of its own here.
#[test]
fn a_torn_bindings_file_binds_nothing_wrong() {
    const STEP: usize = 50;
    const DEPOTS: usize = 6;
    let oma = Oma::new();
    let whole = fs::read(unpack(&oma.path("whole")).join(BETA).join("Artifacts.toml")).expect("a file");
    let expected: BTreeMap<Name, Expected> =
        expected().into_iter().filter(|(name, _)| name.starts_with(BETA)).collect();
    let cuts: Vec<usize> = (0..=whole.len()).step_by(STEP).chain([whole.len() - 1]).collect();
    assert!(cuts.len() > 100, "{} cuts", cuts.len());
    // What looks torn is read again after pauses, so the depots are imported side by side.
    std::thread::scope(|scope| {
        for part in 0..DEPOTS {
            let (whole, expected, cuts) = (&whole, &expected, &cuts);
            scope.spawn(move || {
                let mine: Vec<usize> = cuts.iter().copied().skip(part).step_by(DEPOTS).collect();
                import_torn(whole, expected, &mine);
            });
        }
    });
}

fn import_torn(whole: &[u8], expected: &BTreeMap<Name, Expected>, cuts: &[usize]) {
    let oma = Oma::new();
    let space = unpack(&oma.path("depot"));
    for entry in fs::read_dir(&space).expect("a space").map(|entry| entry.expect("an entry")) {
        if entry.file_name() != "artifacts" {
            fs::remove_dir_all(entry.path()).expect("ours");
        }
    }
    let uuid = |cut: usize| format!("{cut:08x}-2222-4222-8222-222222222222");
    for cut in cuts {
        let folder = space.join(uuid(*cut));
        fs::create_dir(&folder).expect("a new directory");
        fs::write(folder.join("Artifacts.toml"), &whole[..*cut]).expect("a new file");
    }
    let rows = import(&oma, 8, &[&oma.at("depot")]);
    let found = bindings(&oma);
    let mut bound = 0;
    for cut in cuts {
        let owner = uuid(*cut);
        let rows: Vec<&Row> = rows.iter().filter(|row| row.owner.as_deref() == Some(&owner)).collect();
        let mine = found.iter().filter(|(_, binding)| binding.owner.key() == owner);
        let mine: BTreeMap<&str, _> = mine.map(|(_, binding)| (binding.name.as_str(), binding)).collect();
        let parsed = std::str::from_utf8(&whole[..*cut]).ok().and_then(|text| text.parse::<toml::Table>().ok());
        let Some(parsed) = parsed else {
            assert_eq!(rows.len(), 1, "cut at {cut}: {rows:#?}");
            assert_eq!((&*rows[0].status, &rows[0].name), ("corrupt", &None), "cut at {cut}");
            assert!(
                rows[0].detail().contains(&owner) && rows[0].detail().contains(", line "),
                "cut at {cut}: {rows:?}"
            );
            assert!(mine.is_empty(), "cut at {cut}: {mine:?}");
            continue;
        };
        assert_eq!(rows.len(), parsed.len(), "cut at {cut}");
        let complete = parsed.iter().filter(|(_, value)| value.get("sha256").is_some());
        let complete: BTreeSet<&str> = complete.map(|(name, _)| name.as_str()).collect();
        assert_eq!(mine.keys().copied().collect::<BTreeSet<_>>(), complete, "cut at {cut}");
        for (name, binding) in mine {
            let original = &expected[&full_name(BETA, None, name)];
            assert_eq!(binding.artifact.hash.to_string(), original.hash, "cut at {cut}: {name:?}");
            // Of the entry that was cut, sub-tables of its metadata may be missing: no reader can tell.
            let tabled = parsed[name].get("meta").is_none_or(|meta| meta.is_table() || meta.is_array());
            let meta = parsed[name].get("meta").cloned().map(Metadata::new);
            let same = binding.meta.as_ref().map(|meta| meta.as_toml().to_string());
            assert_eq!(same, meta.map(|meta| meta.as_toml().to_string()), "cut at {cut}: {name:?}");
            assert!(tabled || original.meta.is_some(), "cut at {cut}: {name:?} has metadata nobody gave it");
            bound += 1;
        }
    }
    assert!(bound > 0, "no cut left a name whole");
    assert_sound(&oma, "torn");
}

// ---- logs ----

/// A file that the log knows names of is torn, not empty.
#[test]
fn an_emptied_bindings_file_that_the_log_knows_is_damage() {
    let imported = Imported::fresh();
    fs::write(imported.space.join(BETA).join("Artifacts.toml"), "").expect("ours");
    let rows = imported.import(8);
    let row = rows.iter().find(|row| row.owner.as_deref() == Some(BETA)).expect("a row");
    assert_eq!((&*row.status, &row.name), ("corrupt", &None));
    assert!(row.detail().contains("Artifacts.toml` is empty, though the usage log knows"), "{row:?}");
    assert_eq!(hashes(&imported.oma).len(), 167 - 80);
    assert_sound(&imported.oma, "emptied");
}

#[test]
fn broken_logs_cost_no_binding() {
    let usage = "logs/my_artifact_usage.toml";
    let orphans = "logs/my_artifact_orphanages.toml";
    let id = blob_id(CONTENT).to_string();
    let shelf = &id[..2];
    let hostile_usage = format!(
        r#"
["/etc"."/x/{ALPHA}/Artifacts.toml"]
passwd = 2022-01-01T00:00:00.000Z
["/x/artifacts/../../../../etc/{id}"."/x/{ALPHA}/Artifacts.toml"]
up = 2022-01-01T00:00:00.000Z
["../../artifacts/{shelf}/{id}"."../../../{ALPHA}/Artifacts.toml"]
global = 2022-01-01T00:00:00.000Z
["/x/artifacts/{shelf}/{id}"]
no-file = 2022-01-01T00:00:00.000Z
["/x/artifacts/{shelf}/{id}"."/x/{ALPHA}/Artifacts.toml"]
no-time = "yesterday"
date = 2022-01-01
time = 10:00:00
"#
    );
    let orphans_of_wrong_types = format!(
        "\"/etc\" = 2022-01-01T00:00:00.000Z\n\"/x/artifacts/{shelf}/{id}\" = 3\n\"x\" = []\n[y]\nz = 2022-01-01T00:00:00.000Z\n"
    );
    let written: [(&str, &str, Vec<u8>); 6] = [
        ("hostile", usage, hostile_usage.into_bytes()),
        ("no TOML", usage, b"[[[".to_vec()),
        ("not UTF-8", usage, vec![0xff; 100]),
        ("other types", usage, b"a = 1\nb = []\n[c]\nd = 2\n[c.e]\nf = true\n".to_vec()),
        ("wrong types", orphans, orphans_of_wrong_types.into_bytes()),
        ("no TOML", orphans, b"= 1".to_vec()),
    ];
    for (what, log, content) in written {
        let oma = Oma::new();
        let space = logged(&oma);
        fs::write(space.join(log), &content).expect("ours");
        check_log(&oma, &format!("{log}, {what}"), log);
        let bound_at = bindings(&oma)[&full_name(ALPHA, None, "a")].bound_at;
        let logged: ohmyartifacts::Timestamp = LOGGED.parse().expect("a time");
        assert_eq!(bound_at == logged, log == orphans, "{log}, {what}: bound at {bound_at}");
    }
    type Replace = fn(&Path);
    let replaced: [(&str, Replace); 3] = [
        ("a folder", |at| fs::create_dir(at).expect("a folder")),
        ("a pipe", fifo),
        ("a link to itself", |at| symlink(at, at).expect("a link")),
    ];
    for (what, replace) in replaced {
        for log in [usage, orphans] {
            let oma = Oma::new();
            let at = logged(&oma).join(log);
            fs::remove_file(&at).expect("ours");
            replace(&at);
            check_log(&oma, &format!("{log}, {what}"), log);
        }
    }
}

const LOGGED: &str = "2020-02-02T02:02:02.020Z";
const NAMES: [&str; 6] = ["a", "passwd", "up", "global", "no-time", "date"];

/// A space with names and both logs.
fn logged(oma: &Oma) -> PathBuf {
    let id = blob_id(CONTENT).to_string();
    let orphan = blob_id(b"orphan").to_string();
    let names: String = NAMES.iter().map(|name| entry(name, &id)).collect();
    let usage = format!("[\"/x/artifacts/{}/{id}\".\"/x/{ALPHA}/Artifacts.toml\"]\na = {LOGGED}\n", &id[..2]);
    let orphans = format!("\"/x/artifacts/{}/{orphan}\" = {LOGGED}\n", &orphan[..2]);
    let files = [
        (&*format!("{ALPHA}/Artifacts.toml"), &*names),
        ("logs/my_artifact_usage.toml", &usage),
        ("logs/my_artifact_orphanages.toml", &orphans),
    ];
    make_space(&oma.path("depot"), &[CONTENT, b"orphan"], &files)
}

fn check_log(oma: &Oma, what: &str, log: &str) {
    let rows = import(oma, 8, &["depot"]);
    let said: Vec<_> = rows.iter().filter(|row| row.status == "corrupt").collect();
    assert!(!said.is_empty(), "{what}: nothing is said");
    let file = log.strip_prefix("logs/").expect("a log");
    for row in said {
        assert!(row.detail().contains(file), "{what}: {row:?}");
        assert_eq!((&row.name, &row.owner), (&None, &None), "{what}");
    }
    let id = blob_id(CONTENT).to_string();
    let wanted: BTreeMap<Name, String> = NAMES.iter().map(|name| (full_name(ALPHA, None, name), id.clone())).collect();
    assert_eq!(hashes(oma), wanted, "{what}");
    assert_sound(oma, what);
    // What the log says of other places, and what is no time, is nobody's time.
    for (name, binding) in bindings(oma) {
        assert_ne!(binding.bound_at.to_string()[..4], *"2022", "{what}: {name}");
    }
}

#[test]
fn a_depot_without_logs_takes_the_times_of_its_files() {
    let imported = Imported::fresh();
    fs::remove_dir_all(imported.space.join("logs")).expect("ours");
    imported.import(8);
    let file = imported.space.join(BETA).join("Artifacts.toml");
    let modified = file.metadata().and_then(|found| found.modified()).expect("a time");
    let seconds = modified.duration_since(std::time::UNIX_EPOCH).expect("after it").as_millis();
    let epoch: ohmyartifacts::Timestamp = "1970-01-01T00:00:00Z".parse().expect("a time");
    let bound = bindings(&imported.oma)[&full_name(BETA, None, "upper")].bound_at;
    assert_eq!(bound.since(epoch).as_millis(), seconds);
    assert_sound(&imported.oma, "no logs");
}

#[test]
fn what_is_nothing_to_import_is_said_and_leaves_nothing() {
    let oma = Oma::new();
    fs::create_dir(oma.path("empty")).expect("a new directory");
    for (path, code) in [("empty", 2), ("none", 3)] {
        let ran = oma.fails(code, &["import", &oma.at(path)]);
        assert!(ran.stderr.contains(path), "{ran:#?}");
    }
    assert_eq!(leftovers(&oma.root()), Vec::<String>::new());
    // A good path beside one that is not there: nothing of it is imported by half.
    let id = blob_id(CONTENT).to_string();
    make_space(&oma.path("depot"), &[CONTENT], &[(&format!("{BETA}/Artifacts.toml"), &entry("good", &id))]);
    oma.fails(3, &["import", &oma.at("depot"), &oma.at("none")]);
}

#[test]
fn rubbish_in_the_space_is_passed_over() {
    let oma = Oma::new();
    let (space, bad, id) = small(&oma);
    fs::write(bad, entry("a", &id)).expect("a new file");
    let artifacts = space.join("artifacts");
    for (path, content) in [("README.txt", "x"), ("00/not-a-hash", "x"), ("jl_abcdef/source/x", "x"), ("x.lock", "1 h")]
    {
        fs::create_dir_all(artifacts.join(path).parent().expect("a folder")).expect("a new directory");
        fs::write(artifacts.join(path), content).expect("a new file");
    }
    fs::create_dir_all(artifacts.join("zz")).expect("a new directory");
    fifo(&artifacts.join("pipe"));
    symlink("/", artifacts.join("root")).expect("a link");
    symlink("/", artifacts.join("ab")).expect("a link");
    symlink("/", space.join("dddddddd-4444-4444-8444-444444444444")).expect("a link");
    fs::write(space.join("file"), "x").expect("a new file");
    fs::create_dir(space.join("not-a-uuid")).expect("a new directory");
    fs::write(space.join("not-a-uuid/Artifacts.toml"), entry("x", &id)).expect("a new file");
    let rows = import(&oma, 0, &[&oma.at("depot")]);
    assert_eq!(rows.iter().filter(|row| row.status == "imported").count(), 2, "{rows:#?}");
    assert_sound(&oma, "rubbish");
}
