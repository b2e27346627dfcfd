//! A depot of Julia made by hand, with a scratch space that was imported from it.

use std::fs;
use std::ops::Deref;
use std::os::unix::fs::symlink;

use ohmyartifacts::Timestamp;
use serde_json::Value;

use super::DAY;
use super::oma::{Oma, Ran};

pub(crate) const ALPHA: &str = "aaaaaaaa-1111-4111-8111-111111111111";
pub(crate) const BETA: &str = "bbbbbbbb-2222-4222-8222-222222222222";
const SPACE: &str = "scratchspaces/cf8be1f4-309d-442e-839d-29d2a0af6cb7/0.3";

/// A store beside a depot in which Alpha and Beta are installed.
///
/// Alpha has bound `data` (11 bytes) and `tree` (`only`, 7 bytes, and `both`, 5 bytes); Beta has bound
/// `other` (3 bytes) and `tree` (`both`, 5 bytes).
pub(crate) struct World {
    oma: Oma,
    /// What `JULIA_DEPOT_PATH` is set to.
    depots: Option<String>,
}

impl Deref for World {
    type Target = Oma;

    fn deref(&self) -> &Oma {
        &self.oma
    }
}

impl World {
    pub(crate) fn new() -> Self {
        let world = Self::without_import();
        let rows = world.json(&["import", &world.at("depot")]);
        let rows = rows.as_array().expect("a list of rows");
        assert_eq!(rows.len(), 4);
        assert!(rows.iter().all(|row| row["status"] == "imported"), "{rows:#?}");
        world
    }

    /// A depot that the real program made, at `fixture/depot`, not imported. Its log of manifests names
    /// `env/Manifest.toml`, which has these packages.
    pub(crate) fn of_the_real_program(packages: &[(&str, &str)]) -> Self {
        let world = Self { oma: Oma::new(), depots: None };
        let packed = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/julia-depot.tar.gz");
        let packed = fs::File::open(packed).expect("data of ours");
        let unpacked = tar::Archive::new(flate2::read::GzDecoder::new(packed)).unpack(world.path(""));
        unpacked.expect("data of ours");
        make_writable(&world.path("fixture/depot"));
        world.install(packages);
        world.log("fixture/depot", &["env/Manifest.toml"]);
        world
    }

    fn without_import() -> Self {
        let world = Self { oma: Oma::new(), depots: None };
        world.install(&[("Alpha", ALPHA), ("Beta", BETA)]);
        world.log("depot", &["env/Manifest.toml"]);
        let (data, other) = (world.store_file("alpha data\n"), world.store_file("ok\n"));
        let (only, both) = (world.store_file("alpha's"), world.store_file("both\n"));
        let alphas = world.store_tree(&[("only", &only), ("both", &both)]);
        let betas = world.store_tree(&[("both", &both)]);
        world.bindings(ALPHA, &bindings(&data, &alphas, "data"));
        world.bindings(BETA, &bindings(&other, &betas, "other"));
        world
    }

    /// Sets `JULIA_DEPOT_PATH` to these folders.
    pub(crate) fn with_depots(self, names: &[&str]) -> Self {
        let depots: Vec<String> = names.iter().map(|name| self.at(name)).collect();
        Self { depots: Some(depots.join(":")), ..self }
    }

    pub(crate) fn write(&self, name: &str, content: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a new directory");
        fs::write(path, content).expect("a new file");
    }

    pub(crate) fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).expect("renamed");
    }

    /// Writes the manifest that the depot's log names.
    pub(crate) fn install(&self, packages: &[(&str, &str)]) {
        self.write("env/Manifest.toml", &manifest(packages));
    }

    pub(crate) fn uninstall_alpha(&self) {
        self.install(&[("Beta", BETA)]);
    }

    pub(crate) fn install_both(&self) {
        self.install(&[("Alpha", ALPHA), ("Beta", BETA)]);
    }

    /// Writes a depot's log of manifests.
    pub(crate) fn log(&self, depot: &str, manifests: &[&str]) {
        let uses = manifests.iter().map(|name| format!("[[\"{}\"]]\ntime = 2026-01-01T00:00:00Z\n", self.at(name)));
        self.write(&format!("{depot}/logs/manifest_usage.toml"), &uses.collect::<String>());
    }

    /// Writes a file of bindings. Without a log, its time says when they were bound.
    fn bindings(&self, uuid: &str, content: &str) {
        let name = format!("depot/{SPACE}/{uuid}/Artifacts.toml");
        self.write(&name, content);
        let millis = u64::try_from(self.now().as_millis()).expect("a time after 1970");
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_millis(millis);
        fs::File::options().append(true).open(self.path(name)).and_then(|file| file.set_modified(time)).expect("ours");
    }

    /// Stores a file as OhMyArtifacts.jl does; returns its id.
    fn store_file(&self, content: &str) -> String {
        let id = self.id_of(&self.file("input", content));
        let name = format!("depot/{SPACE}/artifacts/{}/{id}", &id[..2]);
        // It can be written, so an import copies it: what gc frees then really leaves the disk.
        self.write(&name, content);
        id
    }

    /// Stores a directory of links to files; returns its id.
    fn store_tree(&self, files: &[(&str, &str)]) -> String {
        let place = |id: &str| self.path(format!("depot/{SPACE}/artifacts/{}/{id}", &id[..2]));
        let _ = fs::remove_dir_all(self.path("input-tree"));
        fs::create_dir(self.path("input-tree")).expect("a new directory");
        for (name, id) in files {
            fs::write(self.path("input-tree").join(name), fs::read(place(id)).expect("stored")).expect("a copy");
        }
        let id = self.id_of(&self.at("input-tree"));
        fs::create_dir_all(place(&id)).expect("a new directory");
        for (name, file) in files {
            symlink(place(file), place(&id).join(name)).expect("a new link");
        }
        id
    }

    /// Another store says what something is called; git's ids are tested elsewhere.
    fn id_of(&self, path: &str) -> String {
        self.line(&["--store", &self.at("elsewhere"), "add", path])
    }

    #[must_use]
    fn see(&self, words: &[&str]) -> Ran {
        let mut command = self.command(words);
        command.envs(self.depots.iter().map(|depots| ("JULIA_DEPOT_PATH", depots)));
        Ran::of(command, words)
    }

    /// Runs with `--json`, seeing the depots, what must succeed.
    pub(crate) fn ask(&self, words: &[&str]) -> Value {
        self.see(&[&["--json"], words].concat()).expect(0).json()
    }

    /// What `oma owner show` says of Alpha.
    pub(crate) fn alpha(&self) -> Value {
        self.ask(&["owner", "show", ALPHA])
    }

    /// Runs gc as often as asked for, dry and then for real, and tells what it freed. The dry run must
    /// change nothing and say what the real run does.
    pub(crate) fn gc(&self, delay: &str) -> Value {
        let before = self.alpha_in_list();
        let mut dry = self.ask(&["gc", "-n", "--collect-delay", delay]);
        assert_eq!(self.alpha_in_list(), before, "a dry run changed what is known of the owner");
        let on_disk = super::bytes_on_disk(&self.root());
        let real = self.ask(&["gc", "-y", "--collect-delay", delay]);
        dry["dry_run"] = Value::Bool(false);
        assert_eq!(dry, real, "the dry run and the real run differ");
        let freed = on_disk - super::bytes_on_disk(&self.root());
        assert_eq!(real["freed_bytes"], freed, "of the bytes that left the disk");
        real
    }

    fn alpha_in_list(&self) -> Option<Value> {
        let ran = self.see(&["--json", "owner", "show", ALPHA]);
        (ran.code == Some(0)).then(|| ran.json())
    }

    pub(crate) fn freed(&self) -> u64 {
        self.gc("7d")["freed_bytes"].as_u64().expect("a number")
    }

    pub(crate) fn pass_days(&self, days: u32) {
        self.pass(DAY * days);
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn in_days(&self, days: u32) -> String {
        self.now().plus(DAY * days).to_string()
    }
}

pub(crate) fn manifest(packages: &[(&str, &str)]) -> String {
    let entry = |(name, uuid): &(&str, &str)| format!("\n[[deps.{name}]]\nuuid = \"{uuid}\"\nversion = \"1.2.3\"\n");
    let packages: String = packages.iter().map(entry).collect();
    format!("julia_version = \"1.11.1\"\nmanifest_format = \"2.0\"\n{packages}")
}

fn bindings(file: &str, tree: &str, name: &str) -> String {
    format!("[{name}]\nsha256 = \"{file}\"\nisdir = false\n[tree]\nsha256 = \"{tree}\"\nisdir = true\n")
}

/// What can be written is copied by an import, so that what gc frees really leaves the disk.
fn make_writable(folder: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt as _;
    for entry in walkdir::WalkDir::new(folder).into_iter().flatten().filter(|entry| entry.file_type().is_file()) {
        let mode = entry.metadata().expect("just listed").permissions().mode();
        fs::set_permissions(entry.path(), fs::Permissions::from_mode(mode | 0o200)).expect("a file of ours");
    }
}
