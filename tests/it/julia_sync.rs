//! `oma sync`: what changed on one side goes to the other, what changed on both is a conflict, and what a
//! torn file lost comes back.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::julia_attach::{Pair, text};
use crate::support::julia::{ALPHA, BETA};

/// What the two files of every test hold.
const CONTENTS: [&str; 3] = ["x", "y", "z"];

/// What a name stood for when both agreed, what it stands for here and there, and what is to be done.
type Cell = (Option<usize>, Option<usize>, Option<usize>, Option<&'static str>);

/// What a name stands for here and there at the end.
type Ends = (Option<usize>, Option<usize>);

const X: Option<usize> = Some(0);
const Y: Option<usize> = Some(1);
const Z: Option<usize> = Some(2);
const NONE: Option<usize> = None;

const TABLE: [Cell; 14] = [
    (NONE, NONE, X, Some("pulled")),
    (NONE, X, NONE, Some("pushed")),
    (NONE, X, X, None),
    (NONE, X, Y, Some("conflict")),
    (X, X, X, None),
    (X, X, Y, Some("pulled")),
    (X, X, NONE, Some("removed-here")),
    (X, Y, X, Some("pushed")),
    (X, Y, Y, None),
    (X, Y, Z, Some("conflict")),
    (X, Y, NONE, Some("pushed")),
    (X, NONE, X, Some("removed-there")),
    (X, NONE, Y, Some("pulled")),
    (X, NONE, NONE, None),
];

fn name_of(cell: &Cell) -> String {
    let letter = |side: Option<usize>| side.map_or("0", |at| CONTENTS[at]);
    format!("{}{}{}", letter(cell.0), letter(cell.1), letter(cell.2))
}

/// What both sides end with.
fn ends(cell: &Cell, writes: bool) -> (Option<usize>, Option<usize>) {
    let (_, ours, theirs, action) = *cell;
    match action {
        Some("pulled" | "removed-here") => (theirs, theirs),
        Some("pushed" | "removed-there") if writes => (ours, ours),
        _ => (ours, theirs),
    }
}

impl Pair {
    /// Runs `sync`, which must end with this code; returns what was done to each name.
    fn sync(&self, code: i32, more: &[&str]) -> BTreeMap<String, String> {
        let rows = self.oma.fails(code, &[&["--json", "sync"], more].concat()).json();
        let rows = rows.as_array().unwrap().iter();
        let actions = rows.map(|row| {
            assert_eq!(row["space"], self.space.to_str().unwrap());
            (row["name"].as_str().unwrap_or("(file)").to_owned(), text(&row["action"]))
        });
        actions.collect()
    }

    /// Does something while the space is out of reach, so that it is done on this side only.
    fn apart(&self, act: impl FnOnce()) {
        let away = self.oma.path("away");
        fs::rename(&self.space, &away).unwrap();
        act();
        fs::rename(&away, &self.space).unwrap();
    }

    fn bind_here(&self, name: &str, id: &str) {
        self.oma.ok(&["-o", ALPHA, "bind", name, id, "--force"]);
    }

    fn bind_there(&self, name: &str, id: &str) {
        self.ask("unbind", &[ALPHA, name]);
        self.ask("bind", &[ALPHA, name, id]);
    }

    fn bound_there(&self, uuid: &str) -> BTreeMap<String, String> {
        let table = self.table(&format!("{uuid}/Artifacts.toml"));
        table.into_iter().map(|(name, entry)| (name, entry["sha256"].as_str().unwrap().to_owned())).collect()
    }
}

/// Makes every cell of the table, in a space that is attached in this way.
fn set_up(writes: bool) -> (Pair, [String; 3]) {
    let pair = Pair::small();
    let ids = CONTENTS.map(|content| {
        let id = pair.ask("create", &[content]);
        assert_eq!(pair.oma.line(&["add", &pair.oma.file(content, content)]), id);
        id
    });
    for cell in TABLE.iter().filter(|cell| cell.0.is_some()) {
        pair.ask("bind", &[ALPHA, &name_of(cell), &ids[0]]);
    }
    let pair = pair.attached(if writes { &["--write"] } else { &[] });
    pair.oma.ok(&["sync"]);
    assert_eq!(pair.here(ALPHA), pair.bound_there(ALPHA));
    pair.apart(|| {
        for cell in &TABLE {
            match (cell.0, cell.1) {
                (base, ours) if base == ours => {}
                (_, Some(ours)) => pair.bind_here(&name_of(cell), &ids[ours]),
                (_, None) => drop(pair.oma.ok(&["-o", ALPHA, "unbind", &name_of(cell)])),
            }
        }
    });
    for cell in &TABLE {
        match (cell.0, cell.2) {
            (base, theirs) if base == theirs => {}
            (_, Some(theirs)) => pair.bind_there(&name_of(cell), &ids[theirs]),
            (_, None) => drop(pair.ask("unbind", &[ALPHA, &name_of(cell)])),
        }
    }
    (pair, ids)
}

#[test]
fn each_way_in_which_two_sides_can_differ_has_its_answer() {
    for writes in [true, false] {
        let (pair, ids) = set_up(writes);
        let expected: BTreeMap<String, String> = TABLE
            .iter()
            .filter_map(|cell| {
                let action = match cell.3? {
                    "pushed" | "removed-there" if !writes => "not-pushed",
                    action => action,
                };
                Some((name_of(cell), action.to_owned()))
            })
            .collect();
        let (here, there) = (pair.oma.json(&["ls"]), pair.snapshot());
        let dry = pair.sync(8, &["-n"]);
        assert_eq!(dry, expected, "writes: {writes}, dry");
        assert_eq!((pair.oma.json(&["ls"]), pair.snapshot()), (here, there.clone()), "a dry run changes nothing");
        assert_eq!(pair.sync(8, &[]), expected, "writes: {writes}");
        let side = |at: fn(Ends) -> Option<usize>| {
            let names = TABLE.iter().filter_map(|cell| Some((name_of(cell), ids[at(ends(cell, writes))?].clone())));
            names.collect::<BTreeMap<String, String>>()
        };
        assert_eq!(pair.here(ALPHA), side(|ends| ends.0), "writes: {writes}, here");
        assert_eq!(pair.bound_there(ALPHA), side(|ends| ends.1), "writes: {writes}, there");
        if !writes {
            assert_eq!(pair.snapshot(), there, "who only follows writes nothing");
        }
        let stay: BTreeMap<String, String> =
            expected.into_iter().filter(|(_, action)| ["conflict", "not-pushed"].contains(&&**action)).collect();
        assert_eq!(pair.sync(8, &[]), stay, "writes: {writes}, again");
        assert_eq!(pair.locks(), Vec::<PathBuf>::new());
    }
}

/// What both let go is forgotten: bound again on one side it is new, and not let go by the other.
#[test]
fn what_both_let_go_is_not_remembered() {
    let (pair, ids) = set_up(true);
    pair.sync(8, &[]);
    pair.bind_there("x00", &ids[0]);
    assert_eq!(pair.sync(8, &[])["x00"], "pulled");
    assert_eq!(pair.here(ALPHA)["x00"], ids[0]);
}

#[test]
fn a_conflict_is_settled_by_whoever_binds_over_it() {
    let (pair, ids) = set_up(true);
    pair.sync(8, &[]);
    let details = pair.oma.fails(8, &["sync"]).stdout;
    assert!(details.contains(&ids[1][..8]) && details.contains(&ids[2][..8]), "{details}");
    pair.bind_here("0xy", &ids[2]);
    pair.bind_there("xyz", &ids[1]);
    assert_eq!(pair.sync(0, &[]), BTreeMap::new());
    assert_eq!(pair.here(ALPHA), pair.bound_there(ALPHA));
}

#[test]
fn two_sides_that_both_have_names_come_together_when_attached() {
    let pair = Pair::small();
    let theirs = pair.ask("create-dir", &["3", "theirs"]);
    let file = pair.ask("create", &["file"]);
    for (uuid, name, id) in [(ALPHA, "theirs", &theirs), (ALPHA, "same", &file), (ALPHA, "differs", &theirs)] {
        pair.ask("bind", &[uuid, name, id]);
    }
    let input = pair.oma.file("file", "file");
    pair.oma.ok(&["-o", ALPHA, "add", &input, "--bind", "same"]);
    pair.oma.ok(&["-o", ALPHA, "bind", "differs", &file]);
    pair.oma.ok(&["-o", &format!("{BETA}@2.0"), "bind", "ours", &file]);
    pair.oma.ok(&["-o", "mine", "bind", "mine", &file]);
    let ran = pair.oma.fails(8, &["attach", "julia", "--depot", &pair.oma.at("depot"), "--write"]);
    assert!(ran.stdout.contains("conflict"), "{ran:#?}");
    assert_eq!(pair.sync(8, &[]), BTreeMap::from([("differs".to_owned(), "conflict".to_owned())]));
    let expected = |differs: &str| {
        let names = [("theirs", &*theirs), ("same", &*file), ("differs", differs)];
        BTreeMap::from(names.map(|(name, id)| (name.to_owned(), id.to_owned())))
    };
    assert_eq!(pair.here(ALPHA), expected(&file));
    assert_eq!(pair.bound_there(ALPHA), expected(&theirs));
    let versioned = pair.table(&format!("{BETA}/Artifacts_v2.0.toml"));
    assert_eq!(versioned["ours"]["sha256"].as_str(), Some(&*file));
    assert_eq!(pair.ask("gc", &["0"]), "0 deleted", "the usage log knows them all");
    assert!(!pair.space.join("mine").exists());
}

#[test]
fn metadata_and_keys_of_others_come_over_too() {
    let pair = Pair::small().attached(&["--write"]);
    let file = pair.ask("create", &["file"]);
    let entry =
        |meta: &str| format!("[n]\nextra = \"kept\"\nisdir = false\nsha256 = \"{file}\"\n[n.meta]\nk = {meta}\n");
    fs::create_dir_all(pair.space.join(ALPHA)).unwrap();
    for meta in ["1", "2"] {
        fs::write(pair.toml(ALPHA), entry(meta)).unwrap();
        assert_eq!(pair.sync(0, &[]), BTreeMap::from([("n".to_owned(), "pulled".to_owned())]), "{meta}");
        let row = &pair.oma.json(&["ls"])[0];
        assert_eq!(row["meta"], json!({"k": meta.parse::<i64>().unwrap()}));
        assert_eq!(pair.sync(0, &[]), BTreeMap::new());
    }
    // A change of ours goes there, and only it.
    pair.apart(|| drop(pair.oma.ok(&["-o", ALPHA, "bind", "n", &file, "--force", "--meta", "k=3"])));
    assert_eq!(pair.sync(0, &[])["n"], "pushed");
    assert_eq!(pair.table(&format!("{ALPHA}/Artifacts.toml"))["n"]["meta"]["k"].as_str(), Some("3"));
}

/// A space with a file of three names, one with metadata and a key of somebody else's, and its text.
fn with_three_names(more: &[&str]) -> (Pair, String) {
    let pair = Pair::small();
    let (a, b) = (pair.ask("create", &["a"]), pair.ask("create-dir", &["2", "b"]));
    for (name, id) in [("a", &a), ("b", &b), ("c", &a)] {
        pair.ask("bind", &[ALPHA, name, id]);
    }
    let text = format!(
        "[a]\nisdir = false\nsha256 = \"{a}\"\n\n[b]\nextra = [1, \"two\"]\nisdir = true\nsha256 = \"{b}\"\n\n    [b.meta]\n    \
         deep = {{k = 1.5}}\n    n = -3\n\n[c]\nisdir = false\nsha256 = \"{a}\"\n"
    );
    fs::write(pair.toml(ALPHA), &text).unwrap();
    let pair = pair.attached(more);
    pair.oma.ok(&["sync"]);
    (pair, text)
}

fn all(action: &str) -> BTreeMap<String, String> {
    ["a", "b", "c"].map(|name| (name.to_owned(), action.to_owned())).into()
}

/// What a write that was interrupted may leave, and cannot be what anybody meant.
fn torn(whole: &str) -> Vec<Vec<u8>> {
    let table: toml::Table = whole.parse().unwrap();
    let by_half = |text: &str| match text.parse::<toml::Table>() {
        Ok(found) => found.iter().any(|(name, entry)| {
            table.contains_key(name) && (entry.get("sha256").is_none() || entry.get("isdir").is_none())
        }),
        Err(_) => true,
    };
    let cuts: Vec<&str> = (1..whole.len()).map(|end| &whole[..end]).filter(|text| by_half(text)).collect();
    assert!(cuts.len() > whole.len() * 3 / 4, "most cuts can be told");
    let some = cuts.iter().step_by(cuts.len() / 8).map(|text| text.as_bytes().to_vec());
    let zeros = vec![0; whole.len()];
    let mut not_text = whole.as_bytes().to_vec();
    not_text[12] = 0xff;
    some.chain([Vec::new(), zeros, not_text]).collect()
}

#[test]
fn what_a_torn_write_lost_is_put_back() {
    let (pair, whole) = with_three_names(&["--write"]);
    let (before, here) = (pair.table(&format!("{ALPHA}/Artifacts.toml")), pair.oma.json(&["ls"]));
    let mut kept = BTreeSet::new();
    for content in torn(&whole) {
        let what = String::from_utf8_lossy(&content).into_owned();
        fs::write(pair.toml(ALPHA), &content).unwrap();
        assert_eq!(pair.sync(8, &["-n"]), all("lost"), "{what}");
        let there = pair.snapshot();
        assert_eq!(pair.sync(8, &[]), all("lost"), "{what}");
        assert_eq!((pair.snapshot(), pair.oma.json(&["ls"])), (there, here.clone()), "{what}: nothing is touched");
        assert_eq!(pair.sync(0, &["--restore"]), all("restored"), "{what}");
        assert_eq!(pair.table(&format!("{ALPHA}/Artifacts.toml")), before, "{what}");
        let aside: BTreeSet<PathBuf> =
            fs::read_dir(pair.space.join(".oma/torn")).unwrap().map(|entry| entry.unwrap().path()).collect();
        let new: Vec<&PathBuf> = aside.difference(&kept).collect();
        assert_eq!(new.len(), 1, "{what}");
        assert_eq!(fs::read(new[0]).unwrap(), content, "what was there lies aside");
        kept = aside;
        assert_eq!(pair.sync(0, &[]), BTreeMap::new(), "{what}");
    }
    assert_eq!(pair.ask("gc", &["0"]), "0 deleted");
    assert_eq!(pair.oma.json(&["ls"]), here);
}

/// The original's gc takes an empty file for "nothing is bound" and deletes it all: that comes back too.
#[test]
fn what_julias_gc_deleted_for_a_torn_file_comes_back() {
    let (pair, whole) = with_three_names(&["--write"]);
    fs::write(pair.toml(ALPHA), "").unwrap();
    assert_eq!(pair.ask("gc", &["0"]), "4 deleted");
    assert_eq!(pair.sync(0, &["--restore"]), all("restored"));
    assert_eq!(pair.table(&format!("{ALPHA}/Artifacts.toml")), whole.parse().unwrap());
    assert_eq!(pair.ask("gc", &["0"]), "0 deleted");
    let tree = pair.ask("lookup", &[ALPHA, "b"]);
    assert_eq!(fs::read_to_string(pair.artifact(&tree).join("f0000")).unwrap(), "b 0\n");
    assert_eq!(pair.sync(0, &[]), BTreeMap::new());
}

#[test]
fn the_last_name_that_is_unbound_is_no_loss() {
    let (pair, _) = with_three_names(&["--write"]);
    for name in ["b", "c", "a"] {
        pair.ask("unbind", &[ALPHA, name]);
        assert_eq!(pair.sync(0, &[]), BTreeMap::from([(name.to_owned(), "removed-here".to_owned())]));
    }
    assert_eq!(pair.oma.json(&["ls"]), json!([]));
    // Nor is a file that is gone: Julia takes its names for gone too.
    let file = pair.ask("create", &["again"]);
    pair.ask("bind", &[ALPHA, "n", &file]);
    pair.ask("bind", &[ALPHA, "m", &file]);
    pair.sync(0, &[]);
    fs::remove_file(pair.toml(ALPHA)).unwrap();
    assert_eq!(pair.sync(0, &[]).into_values().collect::<Vec<_>>(), ["removed-here", "removed-here"]);
}

#[test]
fn a_space_that_is_only_followed_is_never_written_to() {
    let (pair, whole) = with_three_names(&[]);
    assert_eq!(pair.here(ALPHA), pair.bound_there(ALPHA), "its names are taken over");
    fs::write(pair.toml(ALPHA), &whole[..whole.len() / 2]).unwrap();
    let before = pair.snapshot();
    assert_eq!(pair.sync(8, &["--restore"]), all("lost"));
    pair.oma.ok(&["-o", ALPHA, "unbind", "a"]);
    pair.oma.ok(&["-o", BETA, "add", &pair.oma.file("b", "b"), "--bind", "b"]);
    let rows = pair.oma.fails(8, &["--json", "sync"]).json();
    let of_beta = rows.as_array().unwrap().iter().find(|row| row["owner"] == BETA);
    assert_eq!(of_beta.unwrap()["action"], "not-pushed");
    pair.oma.ok(&["gc", "-y", "--collect-delay", "0"]);
    assert_eq!(pair.snapshot(), before);
    assert!(!pair.space.join(".oma").exists());
    assert_eq!(pair.here(BETA).len(), 1);
}

#[test]
fn nothing_attached_is_nothing_to_do() {
    let oma = crate::support::oma::Oma::new();
    oma.ok(&["init"]);
    assert_eq!(oma.json(&["sync"]), Value::Array(Vec::new()));
    assert!(oma.ok(&["sync"]).stderr.contains("nothing is attached"));
}
