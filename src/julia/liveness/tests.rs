//! Depots made by hand, and what follows from each.

use std::path::{Path, PathBuf};

use super::Census;
use super::census::{CAPS, Caps, take};
use crate::model::Liveness::{self, Alive, Gone, Unknown};

const ALPHA: &str = "aaaaaaaa-1111-4111-8111-111111111111";
const BETA: &str = "bbbbbbbb-2222-4222-8222-222222222222";
const GAMMA: &str = "cccccccc-3333-4333-8333-333333333333";
const ZERO: &str = "00000000-0000-0000-0000-000000000000";
const EXAMPLE: &str = "7876af07-990d-54b4-ab0e-23690620f79a";
const EXAMPLE_TREE: &str = "46e44e869b4d90b96bd8ed1fdcf32244fddfb6cc";

/// A folder with a depot, whose log names the manifest of a project with FixAlpha.
struct World {
    folder: tempfile::TempDir,
    roots: Vec<PathBuf>,
}

#[expect(clippy::disallowed_methods, reason = "fixtures")]
impl World {
    fn new() -> Self {
        let world = Self { folder: tempfile::tempdir().expect("a folder"), roots: Vec::new() };
        world.write("env/Manifest.toml", v2("FixAlpha", ALPHA, "1.2.3"));
        world.log(&["env/Manifest.toml"]);
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        self.dir(self.path(name).parent().expect("a parent"));
        std::fs::write(self.path(name), content).expect("written");
    }

    fn dir(&self, name: impl AsRef<Path>) {
        std::fs::create_dir_all(self.folder.path().join(name)).expect("made");
    }

    fn remove(&self, name: &str) {
        let path = self.path(name);
        if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) }.expect("removed");
    }

    fn link(&self, target: &str, name: &str) {
        std::os::unix::fs::symlink(target, self.path(name)).expect("linked");
    }

    /// Writes the log of the depot: the manifests of these names were used.
    fn log(&self, manifests: &[&str]) {
        let uses = manifests.iter().map(|name| self.used(name)).collect::<String>();
        self.write("depot/logs/manifest_usage.toml", uses);
    }

    fn used(&self, name: &str) -> String {
        format!("[[\"{}\"]]\ntime = 2026-11-22T10:55:08.242Z\n", self.path(name).display())
    }

    fn census(&self) -> Census {
        Census::take(&[self.path("depot")], &self.roots)
    }

    #[track_caller]
    fn expect(&self, uuid: &str, liveness: Liveness, evidence: &str) {
        self.expect_of(&self.census(), uuid, liveness, evidence);
    }

    /// `evidence` has `@` for the folder.
    #[track_caller]
    fn expect_of(&self, census: &Census, uuid: &str, liveness: Liveness, evidence: &str) {
        let verdict = census.verdict(uuid);
        let said = verdict.evidence.replace(self.folder.path().to_str().expect("UTF-8"), "@");
        assert_eq!((verdict.liveness, said.as_str()), (liveness, evidence));
    }
}

fn v2(name: &str, uuid: &str, version: &str) -> String {
    format!(
        "julia_version = \"1.11.1\"\nmanifest_format = \"2.0\"\nproject_hash = \"00\"\n\n\
         [[deps.{name}]]\nuuid = \"{uuid}\"\nversion = \"{version}\"\n"
    )
}

fn v1(name: &str, uuid: &str, rest: &str) -> String {
    format!("# This file is machine-generated\n\n[[{name}]]\nuuid = \"{uuid}\"\n{rest}")
}

fn project(name: &str, uuid: &str) -> String {
    format!("name = \"{name}\"\nuuid = \"{uuid}\"\nversion = \"0.1.0\"\n")
}

#[test]
fn what_a_manifest_has_is_alive_and_the_rest_is_gone() {
    let world = World::new();
    world.expect(ALPHA, Alive, "`@/env/Manifest.toml` has FixAlpha 1.2.3");
    world.expect(&ALPHA.to_uppercase(), Alive, "`@/env/Manifest.toml` has FixAlpha 1.2.3");
    world.expect(BETA, Gone, "the one manifest in 1 depot does not have it");
    world.expect(ZERO, Alive, "it stands for code outside of any package");
    world.expect("flower-models", Unknown, "`flower-models` is not the UUID of a package");
    assert_eq!(world.census().doubts(), [""; 0]);
}

#[test]
fn each_format_of_manifests_counts() {
    let world = World::new();
    world.write("one/Manifest.toml", v1("FixBeta", BETA, "version = \"0.9.0\"\n"));
    let newer = v2("FixGamma", GAMMA, "3.0.0").replace("2.0\"", "2.1\"");
    world.write("two/JuliaManifest.toml", newer + "\n[registries.General]\nuuid = \"23338594\"\n");
    world.log(&["env/Manifest.toml", "one/Manifest.toml", "two/JuliaManifest.toml"]);
    world.expect(BETA, Alive, "`@/one/Manifest.toml` has FixBeta 0.9.0");
    world.expect(GAMMA, Alive, "`@/two/JuliaManifest.toml` has FixGamma 3.0.0");
    world.expect(EXAMPLE, Gone, "none of 3 manifests in 1 depot has it");
}

#[test]
fn environments_count_though_no_log_names_them() {
    let world = World::new();
    world.write("depot/environments/v1.11/Manifest-v1.11.toml", v2("FixBeta", BETA, "1.0.0"));
    world.write("depot/environments/v1.11/Manifest.toml.bak", v2("FixGamma", GAMMA, "1.0.0"));
    world.write("depot/environments/readme", "no folder");
    world.expect(BETA, Alive, "`@/depot/environments/v1.11/Manifest-v1.11.toml` has FixBeta 1.0.0");
    world.expect(GAMMA, Gone, "none of 2 manifests in 1 depot has it");
}

#[test]
fn every_depot_counts_and_one_log_is_enough() {
    let world = World::new();
    world.write("second/environments/shared/Manifest.toml", v2("FixBeta", BETA, "1.0.0"));
    let census = Census::take(&[world.path("second"), world.path("depot")], &[]);
    world.expect_of(&census, ALPHA, Alive, "`@/env/Manifest.toml` has FixAlpha 1.2.3");
    world.expect_of(&census, BETA, Alive, "`@/second/environments/shared/Manifest.toml` has FixBeta 1.0.0");
    world.expect_of(&census, GAMMA, Gone, "none of 2 manifests in 2 depots has it");
}

#[test]
fn a_package_under_development_is_alive_wherever_it_went() {
    let world = World::new();
    world.write("env/Manifest.toml", v1("FixBeta", BETA, "path = \"../moved/away\"\n"));
    world.expect(BETA, Alive, "`@/env/Manifest.toml` has FixBeta");
    world.expect(ALPHA, Gone, "the one manifest in 1 depot does not have it");
}

#[test]
fn a_deleted_manifest_does_not_count() {
    let world = World::new();
    world.write("old/Manifest.toml", v2("FixBeta", BETA, "1.0.0"));
    world.log(&["env/Manifest.toml", "old/Manifest.toml"]);
    world.expect(BETA, Alive, "`@/old/Manifest.toml` has FixBeta 1.0.0");
    world.remove("old");
    world.expect(BETA, Gone, "the one manifest in 1 depot does not have it");
    world.remove("env");
    world.expect(ALPHA, Gone, "there is no manifest in 1 depot");
}

#[test]
fn a_manifest_that_cannot_be_read_hides_who_is_in_it() {
    let broken: [(&[u8], &str); 4] = [
        (b"\n\xff\n", "line 2: it is not UTF-8"),
        (b"", "line 1: it is empty"),
        (b"manifest_format = \"9\"\n", "line 1: format `9` is not known"),
        (b"[[A]]\n", "line 1: `A` has no uuid"),
    ];
    for (content, cause) in broken {
        let world = World::new();
        world.write("bad/Manifest.toml", content);
        world.log(&["env/Manifest.toml", "bad/Manifest.toml"]);
        world.expect(BETA, Unknown, &format!("`@/bad/Manifest.toml` cannot be read: {cause}"));
        world.expect(ALPHA, Alive, "`@/env/Manifest.toml` has FixAlpha 1.2.3");
    }
}

#[test]
fn what_lies_in_a_manifests_place_hides_it() {
    let world = World::new();
    world.dir("bad/Manifest.toml");
    world.log(&["env/Manifest.toml", "bad/Manifest.toml"]);
    world.expect(BETA, Unknown, "`@/bad/Manifest.toml` cannot be read: it is a directory where a file was");
    world.remove("bad/Manifest.toml");
    world.link("/nowhere/Manifest.toml", "bad/Manifest.toml");
    world.expect(BETA, Unknown, "`@/bad/Manifest.toml` cannot be read: No such file or directory (os error 2)");
    world.remove("bad/Manifest.toml");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        world.path("bad/Manifest.toml"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .expect("a pipe");
    world.expect(BETA, Unknown, "`@/bad/Manifest.toml` cannot be read: it is a named pipe");
}

#[test]
fn without_a_log_nothing_is_gone() {
    let world = World::new();
    world.remove("depot/logs");
    world.write("depot/environments/v1.11/Manifest.toml", v2("FixBeta", BETA, "1.0.0"));
    world.expect(ALPHA, Unknown, "there is no readable log at `@/depot/logs/manifest_usage.toml`");
    world.expect(BETA, Alive, "`@/depot/environments/v1.11/Manifest.toml` has FixBeta 1.0.0");
    world.dir("second");
    let census = Census::take(&[world.path("depot"), world.path("second")], &[]);
    world.expect_of(&census, ALPHA, Unknown, "none of 2 depots has a readable log of manifests");
    world.expect_of(&Census::take(&[], &[]), ALPHA, Unknown, "no depot is known");
}

#[test]
fn an_emptied_or_torn_log_makes_nothing_gone() {
    let world = World::new();
    world.log(&[]);
    world.expect(ALPHA, Unknown, "`@/depot/logs/manifest_usage.toml` names no manifest");
    world.write("depot/logs/manifest_usage.toml", "[[\"/x");
    let verdict = world.census().verdict(ALPHA);
    assert_eq!(verdict.liveness, Unknown);
    assert!(verdict.evidence.contains("manifest_usage.toml` cannot be read: line 1: "), "{}", verdict.evidence);
    assert!(verdict.evidence.ends_with(" (and 1 more like it)"), "{}", verdict.evidence);
    world.log(&["env/Manifest.toml"]);
    world.write("depot/logs/scratch_usage.toml", "torn = ");
    assert_eq!(world.census().verdict(BETA).liveness, Unknown);
}

#[test]
fn a_depot_that_is_not_there_makes_nothing_gone() {
    let world = World::new();
    let census = Census::take(&[world.path("depot"), world.path("unmounted")], &[]);
    world.expect_of(&census, BETA, Unknown, "the depot `@/unmounted` is not there");
    world.expect_of(&census, ALPHA, Alive, "`@/env/Manifest.toml` has FixAlpha 1.2.3");
}

#[test]
fn what_is_installed_but_in_no_manifest_is_unknown() {
    let world = World::new();
    world.write("depot/packages/FixBeta/xYz01/Project.toml", project("FixBeta", &BETA.to_uppercase()));
    world.expect(BETA, Unknown, "installed at `@/depot/packages/FixBeta/xYz01`, but in no manifest");
    world.expect(GAMMA, Gone, "the one manifest in 1 depot does not have it");
    world.write("env/Manifest.toml", v2("FixBeta", BETA, "1.0.0"));
    world.expect(BETA, Alive, "`@/env/Manifest.toml` has FixBeta 1.0.0");
}

#[test]
fn an_installed_folder_that_does_not_say_whose_it_is_may_be_anybodys() {
    let world = World::new();
    world.write("depot/packages/Example/aqsx3/REQUIRE", "julia 0.7\n");
    world.dir("depot/packages/Removed/aaaaa");
    let anybodys = "`@/depot/packages/Example/aqsx3` is in no manifest and does not say which package it is";
    world.expect(GAMMA, Unknown, anybodys);
    // The slug tells that this manifest's Example lies there.
    let tree = format!("git-tree-sha1 = \"{EXAMPLE_TREE}\"\n");
    world.write("env/Manifest.toml", v1("Example", EXAMPLE, &tree));
    world.expect(GAMMA, Gone, "the one manifest in 1 depot does not have it");
    // Another version's slug is another's.
    world.write("env/Manifest.toml", v1("Example", EXAMPLE, &tree.replace("46e4", "46e5")));
    world.expect(GAMMA, Unknown, anybodys);
    world.write("depot/packages/Example/aqsx3/Project.toml", "uuid = 1\n");
    world.expect(GAMMA, Unknown, "`@/depot/packages/Example/aqsx3` cannot be read: line 1: `uuid`: it is not a text");
}

#[test]
fn the_project_beside_a_manifest_is_alive() {
    let world = World::new();
    world.write("env/Project.toml", project("FixBeta", BETA));
    world.expect(BETA, Alive, "`@/env/Project.toml` is FixBeta 0.1.0");
    world.write("env/JuliaProject.toml", project("FixGamma", GAMMA));
    world.expect(GAMMA, Alive, "`@/env/JuliaProject.toml` is FixGamma 0.1.0");
    world.expect(BETA, Gone, "the one manifest in 1 depot does not have it");
    world.write("env/JuliaProject.toml", "uuid = ");
    assert_eq!(world.census().verdict(BETA).liveness, Unknown);
}

#[test]
fn the_members_of_a_workspace_are_alive() {
    let world = World::new();
    world.write("env/Project.toml", "[workspace]\nprojects = [\"lib/Beta\", \".\", \"../env/lib/Beta/../..\"]\n");
    world.write("env/lib/Beta/Project.toml", project("FixBeta", BETA) + "[workspace]\nprojects = [\"../..\"]\n");
    world.expect(BETA, Alive, "`@/env/lib/Beta/Project.toml` is FixBeta 0.1.0");
    world.expect(GAMMA, Gone, "the one manifest in 1 depot does not have it");
}

#[test]
fn a_parent_project_of_a_scratch_space_is_alive() {
    let world = World::new();
    let parents =
        format!("parent_projects = [\"{}\", \"src/lib.rs\", 1]\n", world.path("dev/Beta/Project.toml").display());
    let log = format!("x = 1\n[[\"/s/0.3\"]]\ntime = 2026-11-22T10:55:08.242Z\n{parents}[[\"/s/0.4\"]]\ntime = 1\n");
    world.write("depot/logs/scratch_usage.toml", log);
    world.expect(BETA, Gone, "the one manifest in 1 depot does not have it");
    world.write("dev/Beta/Project.toml", project("FixBeta", BETA));
    world.expect(BETA, Alive, "`@/dev/Beta/Project.toml` is FixBeta 0.1.0");
    world.write("dev/Beta/Project.toml", "uuid = \"\n");
    assert_eq!(world.census().verdict(BETA).liveness, Unknown);
}

#[test]
fn a_registered_root_is_a_project_a_folder_of_projects_or_a_manifest() {
    let mut world = World::new();
    world.write("work/Beta/Project.toml", project("FixBeta", BETA));
    world.write("work/Beta/Manifest-v1.12.toml", v2("FixGamma", GAMMA, "2.0.0"));
    world.write("work/Beta/WebManifest.toml", "name = 1\n");
    world.expect(GAMMA, Gone, "the one manifest in 1 depot does not have it");
    for root in ["work", "work/Beta", "work/Beta/Project.toml"] {
        world.roots = vec![world.path(root)];
        world.expect(GAMMA, Alive, "`@/work/Beta/Manifest-v1.12.toml` has FixGamma 2.0.0");
        world.expect(BETA, Alive, "`@/work/Beta/Project.toml` is FixBeta 0.1.0");
        world.expect(EXAMPLE, Gone, "none of 2 manifests in 1 depot and 1 registered root has it");
    }
    world.roots = vec![world.path("work/Beta/Manifest-v1.12.toml")];
    world.expect(GAMMA, Alive, "`@/work/Beta/Manifest-v1.12.toml` has FixGamma 2.0.0");
    world.roots = vec![world.path("unmounted")];
    world.expect(GAMMA, Unknown, "`@/unmounted` cannot be read: No such file or directory (os error 2)");
}

#[test]
fn a_folder_two_below_a_root_is_not_searched() {
    let mut world = World::new();
    world.write("work/deep/er/Manifest.toml", v2("FixGamma", GAMMA, "2.0.0"));
    world.roots = vec![world.path("work")];
    world.expect(GAMMA, Gone, "the one manifest in 1 depot and 1 registered root does not have it");
}

#[test]
fn hostile_names_stay_on_one_line() {
    let world = World::new();
    let name = "ev\u{202e}il\n\u{1b}[31m";
    world.write(&format!("{name}/Manifest.toml"), v2("\"a\\nb\"", BETA, "1\\u001b"));
    let folder = world.path("").display().to_string().replace('\\', "\\\\");
    let log = format!("[[\"{folder}ev\\u202eil\\n\\u001b[31m/Manifest.toml\"]]\n");
    world.write("depot/logs/manifest_usage.toml", log);
    world.expect(BETA, Alive, r"`@/ev\u{202e}il\n\x1b[31m/Manifest.toml` has a\nb 1\x1b");
    world.write(&format!("{name}/Manifest.toml"), "[[\"x\\n\\u001b\"]]\n");
    let verdict = world.census().verdict(GAMMA);
    assert_eq!(verdict.liveness, Unknown);
    assert!(!verdict.evidence.contains(char::is_control), "{:?}", verdict.evidence);
}

#[test]
fn paths_no_system_takes_are_doubts_of_one_clause() {
    for hostile in ["/a\\u0000b".to_owned(), format!("/{}", "x".repeat(100_000)), "relative/Manifest.toml".to_owned()] {
        let world = World::new();
        let log = world.used("env/Manifest.toml") + &format!("[[\"{hostile}\"]]\n");
        world.write("depot/logs/manifest_usage.toml", log);
        let verdict = world.census().verdict(BETA);
        assert_eq!(verdict.liveness, Unknown, "{}", verdict.evidence);
        assert!(verdict.evidence.len() < 1_000);
    }
}

#[test]
fn doubts_are_counted_and_kept_few() {
    let world = World::new();
    let names: Vec<String> = (10..60).map(|number| format!("bad/{number}/Manifest.toml")).collect();
    for name in &names {
        world.write(name, "");
    }
    world.log(&names.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(world.census().doubts().len(), 16);
    world.expect(BETA, Unknown, "`@/bad/10/Manifest.toml` cannot be read: line 1: it is empty (and 49 more like it)");
}

#[test]
fn a_folder_that_cannot_be_listed_makes_nothing_gone() {
    let world = World::new();
    world.write("depot/environments", "a file");
    world.expect(BETA, Unknown, "`@/depot/environments` cannot be read: Not a directory (os error 20)");
    world.remove("depot/environments");
    world.dir("depot/environments");
    world.link("/nowhere", "depot/environments/v1.11");
    world.expect(BETA, Unknown, "`@/depot/environments/v1.11` cannot be read: No such file or directory (os error 2)");
}

#[test]
fn a_registered_project_needs_no_manifest() {
    let mut world = World::new();
    world.write("work/Beta/Project.toml", project("FixBeta", BETA));
    world.roots = vec![world.path("work/Beta")];
    world.expect(BETA, Alive, "`@/work/Beta/Project.toml` is FixBeta 0.1.0");
}

#[test]
fn what_is_too_much_to_read_makes_nothing_gone() {
    let world = World::new();
    let verdict = |caps| take(&[world.path("depot")], &[], caps).verdict(BETA);
    assert_eq!(verdict(CAPS).liveness, Gone);
    for caps in [Caps { files: 2, ..CAPS }, Caps { bytes: 100, ..CAPS }] {
        let verdict = verdict(caps);
        assert_eq!(verdict.liveness, Unknown);
        assert!(verdict.evidence.contains("is not read: there is too much to read"), "{}", verdict.evidence);
    }
    world.dir("depot/environments/one");
    world.dir("depot/environments/two");
    assert_eq!(verdict(Caps { names: 2, ..CAPS }).liveness, Gone);
    let verdict = verdict(Caps { names: 1, ..CAPS });
    assert_eq!(verdict.liveness, Unknown);
    assert!(verdict.evidence.ends_with("/environments` cannot be read: it holds more than 1 names"));
}

#[test]
fn a_workspace_that_names_itself_in_many_ways_is_read_once() {
    let world = World::new();
    let spellings: Vec<String> = (1..200).map(|times| format!("\"{}.\"", "../env/".repeat(times))).collect();
    world.write("env/Project.toml", format!("[workspace]\nprojects = [{}]\n", spellings.join(", ")));
    let small = Caps { files: 20, ..CAPS };
    assert_eq!(take(&[world.path("depot")], &[], small).verdict(BETA).liveness, Gone);
}

#[test]
fn a_package_is_called_as_its_manifest_says() {
    let world = World::new();
    world.write("env/Project.toml", project("Other", ALPHA));
    world.write("depot/packages/FixBeta/AbCdE/Project.toml", project("FixBeta", BETA));
    let census = world.census();
    assert_eq!(census.name_of(&ALPHA.to_uppercase()), Some("FixAlpha"));
    assert_eq!(census.name_of(BETA), Some("FixBeta"), "what is only installed has a name too");
    assert_eq!((census.name_of(GAMMA), census.name_of("flower-models")), (None, None));
}
