//! The depot that the original program left, unpacked, and what is known of it without our code:
//! `state.json`, and its logs read by the rules the format has.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use flate2::read::GzDecoder;
use ohmyartifacts::{Binding, Cache, Digest, LinkStyle, Timestamp, VerifyOptions};
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::leftovers;
use super::oma::{Oma, Ran, index_rows, tell};

/// The folder of the original's scratch space below a depot.
const SPACE: &str = "scratchspaces/cf8be1f4-309d-442e-839d-29d2a0af6cb7/0.3";
/// When the depot was made, a few seconds after the last change: nothing in it is a day old.
const MADE_AT: &str = "2026-11-22T12:45:00Z";

pub(crate) const NOBODY: &str = "00000000-0000-0000-0000-000000000000";
pub(crate) const ALPHA: &str = "aaaaaaaa-1111-4111-8111-111111111111";
pub(crate) const BETA: &str = "bbbbbbbb-2222-4222-8222-222222222222";
pub(crate) const GAMMA: &str = "cccccccc-3333-4333-8333-333333333333";

/// Owner, version, name: `uuid[@version]:name`.
pub(crate) type Name = String;

/// A binding, as the original program says it is.
#[derive(Debug, Clone)]
pub(crate) struct Expected {
    pub(crate) hash: String,
    pub(crate) is_dir: bool,
    pub(crate) exists: bool,
    /// Its metadata in JSON and their Julia type.
    pub(crate) meta: Option<(Value, String)>,
}

/// A row of an import.
#[derive(Debug, Clone, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(deny_unknown_fields)]
pub(crate) struct Row {
    pub(crate) owner: Option<String>,
    pub(crate) version: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) hash: Option<String>,
    pub(crate) status: String,
    pub(crate) detail: Option<String>,
}

impl Row {
    pub(crate) fn full_name(&self) -> Option<Name> {
        Some(full_name(self.owner.as_deref()?, self.version.as_deref(), self.name.as_deref()?))
    }

    pub(crate) fn detail(&self) -> &str {
        self.detail.as_deref().unwrap_or_default()
    }

    pub(crate) fn is_failure(&self) -> bool {
        ["conflict", "missing", "corrupt"].contains(&&*self.status)
    }
}

pub(crate) fn full_name(owner: &str, version: Option<&str>, name: &str) -> Name {
    match version {
        Some(version) => format!("{owner}@{version}:{name}"),
        None => format!("{owner}:{name}"),
    }
}

fn unpacked() -> &'static [u8] {
    static DATA: OnceLock<Vec<u8>> = OnceLock::new();
    DATA.get_or_init(|| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/julia-depot.tar.gz");
        let mut data = Vec::new();
        std::io::copy(&mut GzDecoder::new(fs::File::open(path).expect("the fixture")), &mut data).expect("a sound one");
        data
    })
}

/// What the original says of its own depot.
pub(crate) fn state() -> &'static Value {
    static STATE: OnceLock<Value> = OnceLock::new();
    STATE.get_or_init(|| {
        for file in tar::Archive::new(unpacked()).entries().expect("an archive") {
            let file = file.expect("an entry");
            if file.path().expect("a path") == Path::new("fixture/state.json") {
                return serde_json::from_reader(file).expect("JSON");
            }
        }
        panic!("the archive holds no state");
    })
}

/// Unpacks the depot at a new path, with its modes and times, and returns its scratch space.
pub(crate) fn unpack(depot: &Path) -> PathBuf {
    fs::create_dir_all(depot).expect("a new directory");
    let mut archive = tar::Archive::new(unpacked());
    for file in archive.entries().expect("an archive") {
        let mut file = file.expect("an entry");
        file.set_preserve_permissions(true);
        file.set_preserve_mtime(true);
        let path = file.path().expect("a path").into_owned();
        let Ok(below) = path.strip_prefix("fixture/depot") else { continue };
        if below.as_os_str().is_empty() {
            continue;
        }
        let at = depot.join(below);
        // Stored directories must not be written to, and an archive names them before their entries.
        let parent = at.parent().expect("below the depot");
        fs::create_dir_all(parent).expect("a new directory");
        let mode = super::mode_of(parent);
        set_mode(parent, mode | 0o700);
        file.unpack(&at).expect("a sound entry");
        set_mode(parent, mode);
    }
    depot.join(SPACE)
}

pub(crate) fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a file of ours");
}

/// A store beside the unpacked depot, the clock set to when the depot was made.
pub(crate) struct Imported {
    pub(crate) oma: Oma,
    pub(crate) space: PathBuf,
}

impl Imported {
    pub(crate) fn new(style: LinkStyle) -> Self {
        Self::of(Oma::with_style(style), style)
    }

    pub(crate) fn of(oma: Oma, style: LinkStyle) -> Self {
        oma.clock.set(MADE_AT.parse().expect("a time"));
        oma.ok(&["init", "--link-style", &style.to_string(), "--durability", "none"]);
        let space = unpack(&oma.path("depot"));
        Self { oma, space }
    }

    /// An unpacked depot in the default style.
    pub(crate) fn fresh() -> Self {
        Self::new(LinkStyle::default())
    }

    pub(crate) fn depot(&self) -> String {
        self.oma.at("depot")
    }

    /// Imports the whole depot, which has to end with this code.
    pub(crate) fn import(&self, code: i32) -> Vec<Row> {
        import(&self.oma, code, &[&self.depot()])
    }

    pub(crate) fn blob(&self, hash: &str) -> PathBuf {
        self.space.join("artifacts").join(&hash[..2]).join(hash)
    }
}

/// Imports in UTC with these words behind `import`, and checks what every import must keep to.
pub(crate) fn import(oma: &Oma, code: i32, words: &[&str]) -> Vec<Row> {
    import_in_zone(oma, "UTC", code, words)
}

pub(crate) fn import_in_zone(oma: &Oma, zone: &str, code: i32, words: &[&str]) -> Vec<Row> {
    let words = [&["--json", "import"], words].concat();
    let mut command = oma.command(&words);
    command.env("TZ", zone);
    let ran = Ran::of(command, &words).expect(code);
    ran.assert_printable();
    let rows: Vec<Row> = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:#?}"));
    let failed = rows.iter().any(Row::is_failure);
    assert_eq!(failed, code == 8, "the exit code does not tell what the rows tell: {ran:#?}");
    assert_eq!(leftovers(&oma.root()), Vec::<String>::new(), "work in progress is left");
    let index = oma.root().join("index.sqlite").exists();
    let leases = index.then(|| index_rows(&oma.root(), "SELECT count(*) FROM leases")).flatten();
    assert!(leases.is_none_or(|leases| leases == ["0"]), "leases are left");
    rows
}

/// The bindings `state.json` lists.
pub(crate) fn expected() -> BTreeMap<Name, Expected> {
    let mut expected = BTreeMap::new();
    for package in state()["bindings"].as_object().expect("packages").values() {
        let file = package["file"].as_str().expect("a path").strip_prefix("<space>/").expect("in the space");
        let (uuid, file_name) = file.split_once('/').expect("a folder and a file");
        let version = file_name.strip_prefix("Artifacts_v").map(|rest| rest.strip_suffix(".toml").expect("a suffix"));
        for binding in package["bindings"].as_array().into_iter().flatten() {
            let text = |key: &str| binding[key].as_str().expect("text").to_owned();
            let meta = binding.get("meta").map(|meta| (meta.clone(), text("meta_type")));
            let value = Expected {
                hash: text("sha256"),
                is_dir: binding["isdir"].as_bool().expect("a truth"),
                exists: binding["exists"].as_bool().expect("a truth"),
                meta,
            };
            expected.insert(full_name(uuid, version, &text("name")), value);
        }
    }
    assert_eq!(expected.len(), 169, "the fixture's README says so");
    expected
}

pub(crate) fn named_hash(name: &str) -> String {
    state()["named_hashes"][name].as_str().unwrap_or_else(|| panic!("{name}: no such hash")).to_owned()
}

/// The ids the original left at a step.
pub(crate) fn ids_at(step: &str) -> BTreeSet<String> {
    let artifacts = state()[step]["artifacts"].as_array().expect("a list");
    artifacts.iter().map(|artifact| artifact["sha256"].as_str().expect("text").to_owned()).collect()
}

/// When each binding was made, as the usage log says in the words of a machine in UTC.
pub(crate) fn usage_times(space: &Path) -> BTreeMap<(String, Name), Timestamp> {
    let text = fs::read_to_string(space.join("logs/my_artifact_usage.toml")).expect("the log");
    let log: toml::Table = text.parse().expect("TOML");
    let mut times = BTreeMap::new();
    for (cache_path, files) in log {
        let hash = cache_path.rsplit_once('/').expect("a path").1.to_owned();
        for (file, names) in files.as_table().expect("files") {
            let mut parts = file.rsplitn(3, '/');
            let (name, uuid) = (parts.next().expect("a file"), parts.next().expect("a folder"));
            let version = name.strip_prefix("Artifacts_v").map(|rest| rest.strip_suffix(".toml").expect("a suffix"));
            for (name, time) in names.as_table().expect("names") {
                let time = time.as_datetime().expect("a time").to_string().parse().expect("a time");
                times.insert((hash.clone(), full_name(uuid, version, name)), time);
            }
        }
    }
    times
}

/// When each orphan was first found unused, likewise.
pub(crate) fn orphan_times(space: &Path) -> BTreeMap<String, Timestamp> {
    let text = fs::read_to_string(space.join("logs/my_artifact_orphanages.toml")).expect("the log");
    let log: toml::Table = text.parse().expect("TOML");
    let times = log.into_iter().map(|(path, time)| {
        let time = time.as_datetime().expect("a time").to_string().parse().expect("a time");
        (path.rsplit_once('/').expect("a path").1.to_owned(), time)
    });
    times.collect()
}

pub(crate) fn open(oma: &Oma) -> Cache {
    Cache::open(oma.options().create(false)).expect("the store opens")
}

/// Everything bound in a store.
pub(crate) fn bindings(oma: &Oma) -> BTreeMap<Name, Binding> {
    let bindings = open(oma).bindings(None).expect("a list").into_iter().map(|binding| {
        let name = full_name(binding.owner.key(), binding.owner.version(), &binding.name);
        (name, binding)
    });
    bindings.collect()
}

pub(crate) fn hashes(oma: &Oma) -> BTreeMap<Name, String> {
    bindings(oma).into_iter().map(|(name, binding)| (name, binding.artifact.hash.to_string())).collect()
}

/// Every id in a store, whatever its kind and state.
pub(crate) fn ids_in(oma: &Oma) -> BTreeSet<String> {
    let shelves = super::shelves(&oma.root()).into_iter();
    shelves.map(|path| path.rsplit_once('/').expect("a shelf and a name").1.to_owned()).collect()
}

pub(crate) fn assert_sound(oma: &Oma, when: &str) {
    let report = open(oma).verify(&VerifyOptions::new()).expect("a report");
    assert!(report.problems.is_empty(), "{when}: {:#?}", report.problems);
    assert!(report.checked_objects > 0 || bindings(oma).is_empty(), "{when}: verify looked at nothing");
}

/// What lies at a path: type and mode, time of the last change, content or target.
type Standing = (u32, i64, i64, String);

/// Everything below a folder, the folder too: what an import must leave exactly as it was.
pub(crate) fn standing(top: &Path) -> BTreeMap<PathBuf, Standing> {
    let mut standing = BTreeMap::new();
    for entry in walkdir::WalkDir::new(top) {
        let path = entry.expect("a readable source").into_path();
        let found = path.symlink_metadata().expect("it was just listed");
        let kind = found.file_type();
        let content = if kind.is_file() {
            hex(&Sha256::digest(fs::read(&path).expect("a readable file")))
        } else if kind.is_symlink() {
            fs::read_link(&path).expect("a link").to_string_lossy().into_owned()
        } else {
            String::new()
        };
        standing.insert(path, (found.mode(), found.mtime(), found.mtime_nsec(), content));
    }
    standing
}

/// Asserts that what stands is what stood, naming only what differs.
pub(crate) fn assert_untouched(before: &BTreeMap<PathBuf, Standing>, top: &Path, when: &str) {
    let after = standing(top);
    let paths: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let touched: Vec<_> = paths.into_iter().filter(|path| before.get(*path) != after.get(*path)).collect();
    assert!(touched.is_empty(), "{when}: the source was written to at {touched:?}");
}

/// Runs `git` in a folder, without anybody's settings.
pub(crate) fn git(dir: &Path, words: &[&str]) -> String {
    let output = Command::new("git")
        .args(["-c", "core.autocrlf=false", "-c", "core.fileMode=true", "-c", "safe.directory=*"])
        .args(words)
        .current_dir(dir)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("HOME", dir)
        .output()
        .expect("git runs");
    assert!(output.status.success(), "git {words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text").trim_end().to_owned()
}

/// The id of a folder as git computes it, in SHA-1 or SHA-256. The folder is left as it was.
pub(crate) fn git_tree(folder: &Path, format: &str) -> String {
    let scratch = tempfile::tempdir().expect("a temporary directory");
    let git_dir = scratch.path().join("g");
    let (git_dir, work) = (git_dir.to_str().expect("text"), folder.to_str().expect("text"));
    git(scratch.path(), &["init", "-q", "--bare", "--object-format", format, git_dir]);
    git(folder, &["--git-dir", git_dir, "--work-tree", work, "add", "-A", "-f", "."]);
    git(folder, &["--git-dir", git_dir, "--work-tree", work, "write-tree"])
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| b"0123456789abcdef"[usize::from(digit)] as char)
        .collect()
}

/// The id of content, as git names a file in its SHA-256 repositories.
pub(crate) fn blob_id(content: &[u8]) -> Digest {
    let mut hasher = Sha256::new();
    hasher.update(format!("blob {}\0", content.len()));
    hasher.update(content);
    hex(&hasher.finalize()).parse().expect("a digest")
}

/// Writes a scratch space of one's own: files by content, and bindings files.
pub(crate) fn make_space(depot: &Path, blobs: &[&[u8]], files: &[(&str, &str)]) -> PathBuf {
    let space = depot.join(SPACE);
    for blob in blobs {
        let id = blob_id(blob).to_string();
        let at = space.join("artifacts").join(&id[..2]).join(&id);
        fs::create_dir_all(at.parent().expect("a shelf")).expect("a new directory");
        fs::write(&at, blob).expect("a new file");
        set_mode(&at, 0o444);
    }
    fs::create_dir_all(space.join("artifacts")).expect("a new directory");
    for (path, content) in files {
        let at = space.join(path);
        fs::create_dir_all(at.parent().expect("a package")).expect("a new directory");
        fs::write(&at, content).expect("a new file");
    }
    space
}

/// The real files of public packages, which are not ours to keep; none where they are absent.
pub(crate) fn corpus() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let folder = std::env::var_os("OMA_SHARED").map_or_else(beside, PathBuf::from).join("golden/pkg-artifacts");
    if folder.join("GOLDEN.json").is_file() {
        return Some(folder.canonicalize().expect("it was just looked at"));
    }
    tell("SKIPPED: no golden/pkg-artifacts in OMA_SHARED or in ../shared: no real package is imported");
    None
}
