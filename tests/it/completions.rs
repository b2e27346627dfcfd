//! Completion, asked as the scripts of the shells ask, and by a real Bash.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ohmyartifacts::OwnerId;

use crate::support::oma::{Oma, Ran, tell};
use crate::support::picture;

/// Two versions of one owner, another owner with three names, and a title.
fn store() -> Oma {
    let oma = Oma::new();
    oma.tree("flowers", &[("names", "iris"), ("petals", "1 2 3")]);
    oma.ok(&["-o", "iris-demo", "add", &oma.at("flowers"), "--bind", "data"]);
    oma.ok(&["-o", "iris-demo", "add", &oma.at("flowers/names"), "--bind", "data set"]);
    oma.ok(&["-o", "iris-demo", "bind", "names", "iris-demo:data set"]);
    for version in ["zoo@1.2", "zoo@1.10", "zoo"] {
        oma.ok(&["-o", version, "bind", "weights", "iris-demo:data"]);
    }
    oma.ok(&["owner", "add", "iris-demo", "--title", "Fisher's flowers"]);
    oma
}

/// Asks as the script of `shell` does; the last word is the one being typed.
fn ask(oma: &Oma, shell: &str, words: &[&str], variables: &[(&str, &str)]) -> Ran {
    let mut command = oma.command(&[&["--", "oma"], words].concat());
    command.env("COMPLETE", shell).env("_CLAP_COMPLETE_INDEX", words.len().to_string());
    command.envs(variables.iter().copied());
    let ran = Ran::of(command, words).expect(0);
    assert_eq!(ran.stderr, "", "whoever types wants no errors");
    ran
}

fn offered(oma: &Oma, words: &[&str]) -> Vec<String> {
    ask(oma, "bash", words, &[]).stdout.lines().map(str::to_owned).collect()
}

#[test]
fn owners_come_from_the_index() {
    let oma = store();
    let all = ["iris-demo", "zoo", "zoo@1.10", "zoo@1.2"];
    for before in [&["-o"][..], &["bind", "x", "y", "--for"], &["owner", "show"], &["owner", "remove"]] {
        assert_eq!(offered(&oma, &[before, &[""]].concat()), all, "{before:?}");
    }
    assert_eq!(offered(&oma, &["owner", "rename", "i"]), ["iris-demo"]);
    assert_eq!(offered(&oma, &["owner", "delegate", "iris-demo", "zoo@1.2"]), ["zoo@1.2"]);
    assert_eq!(offered(&oma, &["--owner=zoo@1.1"]), ["--owner=zoo@1.10"]);
    assert_eq!(offered(&oma, &["-ozoo@"]), ["-ozoo@1.10", "-ozoo@1.2"]);
    assert_eq!(offered(&oma, &["-o", "nobody"]), [""; 0]);
}

#[test]
fn names_are_those_of_the_owner_or_carry_theirs() {
    let oma = store();
    let own = ["data", "data set", "names"];
    for line in [&["-o", "iris-demo", "path", ""][..], &["why", "--owner=iris-demo", ""], &["-oiris-demo", "hash", ""]]
    {
        assert_eq!(offered(&oma, line), own, "{line:?}");
    }
    let from_variable = ask(&oma, "bash", &["unbind", "data", "n"], &[("OMA_OWNER", "iris-demo")]);
    assert_eq!(from_variable.stdout, "names");
    assert_eq!(offered(&oma, &["path", ""]), ["iris-demo:", "zoo:", "zoo@1.10:", "zoo@1.2:"]);
    assert_eq!(offered(&oma, &["show", "i"]), ["iris-demo:data", "iris-demo:data set", "iris-demo:names"]);
    assert_eq!(offered(&oma, &["show", "zoo@1.2:"]), ["zoo@1.2:weights"]);
    assert_eq!(offered(&oma, &["-o", "zoo", "bind", "x", "iris-demo:n"]), ["iris-demo:names"]);
    assert_eq!(offered(&oma, &["hash", "zoo@1.2:"]), ["zoo@1.2:weights"]);
    assert_eq!(offered(&oma, &["-o", "zoo", "unbind", "i"]), [""; 0], "only names of its own can be let go");
    assert_eq!(offered(&oma, &["-o", "zoo", "bind", "--for", "iris-demo", "n"]), ["names"]);
    assert_eq!(offered(&oma, &["owner", "delegate", "iris-demo", "zoo", "n"]), ["names"]);
    assert_eq!(offered(&oma, &["lease", "run", "--", "i"]), [""; 0], "a command of its own comes there");
}

#[test]
fn a_hash_is_completed_from_two_digits_on() {
    let oma = store();
    let hash = oma.line(&["hash", "iris-demo:data"]);
    assert_eq!(offered(&oma, &["path", &hash[..2]]), [hash.as_str()]);
    assert_eq!(offered(&oma, &["verify", "--quick", &hash[..9]]), [hash.as_str()]);
    assert_eq!(offered(&oma, &["path", &hash[..1]]), [""; 0]);
    assert_eq!(offered(&oma, &["hash", &hash[..4]]), [""; 0], "a name is asked for");
    assert_eq!(offered(&oma, &["path", "xy"]), [""; 0]);
    assert_eq!(offered(&oma, &["path", &format!("{hash}0")]), [""; 0]);
}

#[test]
fn shells_that_show_help_get_it() {
    let oma = store();
    let fish = ask(&oma, "fish", &["-o", "iris-demo", "path", "data"], &[]).stdout;
    assert_eq!(fish, "data\ttree of 2 files, 9 B\ndata set\tfile, 4 B\n");
    let owner = ask(&oma, "/usr/bin/fish", &["-o", "i"], &[]).stdout;
    assert_eq!(owner, "iris-demo\tFisher's flowers, 3 names\n");
    let zsh = ask(&oma, "zsh", &["path", "zoo@1.2:"], &[]).stdout;
    assert_eq!(zsh, "zoo@1.2\\:weights:tree of 2 files, 9 B");
    for typed in [r"iris-demo:data\ ", "\"iris-demo:data ", "'iris-demo:data s"] {
        let zsh = ask(&oma, "zsh", &["path", typed], &[]).stdout;
        assert_eq!(zsh, "iris-demo\\:data set:file, 4 B", "Zsh hands over what is typed as it is: {typed}");
        let fish = ask(&oma, "fish", &["path", typed], &[]).stdout;
        assert_eq!(fish, "iris-demo:data set\tfile, 4 B\n", "Fish does so too: {typed}");
    }
}

#[test]
fn words_files_and_verbs_are_offered_where_they_go() {
    let oma = store();
    assert_eq!(offered(&oma, &["co"]), ["config", "copy", "completions"]);
    assert_eq!(offered(&oma, &["gc", "--class", "re"]), ["refetchable", "rebuildable"]);
    assert_eq!(offered(&oma, &["add", "flowers/n"]), ["flowers/names"]);
    assert_eq!(offered(&oma, &["config", "set", "gc.m"]), ["gc.min_age"]);
    assert_eq!(offered(&oma, &["man", "owner-a"]), ["owner-add"]);
    assert!(offered(&oma, &["path", "--js"]).contains(&"--json".to_owned()));
    fs::write(oma.path("flowers/a\nb"), "").unwrap();
    assert_eq!(offered(&oma, &["add", "flowers/a"]), [""; 0], "nobody can type that");
}

#[test]
fn what_cannot_be_typed_is_not_offered() {
    let oma = Oma::new();
    let file = oma.file("x", "x");
    for name in ["a\nb", "a\x1b[31m", "a\u{202e}b", "-a", "", "a b", "a'b\"", "$(touch hacked)", "a\\b", "ä%_"] {
        oma.ok(&["-o", "ev\til", "add", &file, &format!("--bind={name}")]);
        oma.ok(&["-o", "me", "add", &file, &format!("--bind={name}")]);
    }
    assert_eq!(offered(&oma, &["-o", ""]), ["me"]);
    assert_eq!(offered(&oma, &["-o", "me", "path", ""]), ["$(touch hacked)", "a b", "a'b\"", "a\\b", "ä%_"]);
    assert_eq!(offered(&oma, &["path", "me:-"]), ["me:-a"], "this is no option");
    assert_eq!(offered(&oma, &["-o", "me", "path", "%"]), [""; 0]);
}

#[test]
fn another_store_may_be_meant_and_a_missing_one_is_not_made() {
    let oma = store();
    let other = oma.at("other");
    oma.ok(&["--store", &other, "-o", "elsewhere", "add", &oma.at("flowers"), "--bind", "x"]);
    assert_eq!(offered(&oma, &["--store", &other, "-o", ""]), ["elsewhere"]);
    assert_eq!(offered(&oma, &["-o", "elsewhere", &format!("--store={other}"), "path", ""]), ["x"]);
    let missing = oma.at("missing");
    assert_eq!(offered(&oma, &["--store", &missing, "-o", ""]), [""; 0]);
    assert!(!oma.path("missing").exists());
    let home = Ran::of(
        {
            let mut command = oma.command(&["--", "oma", "-o", ""]);
            command.env("COMPLETE", "bash").env("_CLAP_COMPLETE_INDEX", "2").env_remove("OMA_STORE");
            command
        },
        &[],
    );
    assert_eq!((home.code, home.stdout, home.stderr), (Some(0), String::new(), String::new()));
    assert_eq!(fs::read_dir(oma.path("home")).unwrap().count(), 0, "nothing is made");
}

#[test]
fn asking_writes_nothing_even_into_a_store_of_another_format() {
    let oma = store();
    let before = picture(&oma.root());
    for line in [&["-o", ""][..], &["path", "iris-demo:d"], &["-o", "zoo", "path", ""], &["path", "00"]] {
        let _ = offered(&oma, line);
    }
    assert!(before == picture(&oma.root()), "something changed");

    let index = oma.root().join("index.sqlite");
    let connection = rusqlite::Connection::open(&index).unwrap();
    connection.execute_batch("PRAGMA user_version = 2; PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    drop(connection);
    let before = fs::read(&index).unwrap();
    assert_eq!(offered(&oma, &["-o", ""]), [""; 0]);
    assert_eq!(fs::read(&index).unwrap(), before);
    assert!(!oma.root().join("index.sqlite.bak").exists());

    fs::write(&index, "not a database").unwrap();
    assert_eq!(offered(&oma, &["-o", ""]), [""; 0]);
}

#[test]
fn where_much_begins_so_what_all_have_in_common_stays_true() {
    const NAMES: usize = 25_000;
    let oma = store();
    let connection = rusqlite::Connection::open(oma.root().join("index.sqlite")).unwrap();
    let fill = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?1)
                INSERT INTO bindings (owner_id, name, object_id, bound_at)
                SELECT w.id, printf('many/%05d', i), b.object_id, 0
                FROM n, owners w, (SELECT object_id FROM bindings LIMIT 1) b WHERE w.key = 'iris-demo'";
    connection.execute(fill, [NAMES]).unwrap();
    drop(connection);
    let begun = Instant::now();
    let names = offered(&oma, &["-o", "iris-demo", "path", "many/"]);
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(2), "it took {took:?}");
    assert_eq!((names.len(), names[0].as_str()), (200, "many/00000"));
    assert_eq!(names[199], "many/24999", "else a shell would fill in what only the first ones share");
    assert_eq!(offered(&oma, &["-o", "iris-demo", "path", "many/2499"]).len(), 10);
    let owner: OwnerId = "iris-demo".parse().unwrap();
    assert_eq!(oma.open().names_like(&owner, "many/", NAMES + 1).unwrap().len(), NAMES);
}

#[test]
fn every_shell_has_its_script() {
    let oma = store();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = oma.ok(&["completions", shell]).stdout;
        assert!(script.contains("oma") && script.contains("COMPLETE"), "{script}");
        let mut bare = oma.command(&[]);
        bare.env("COMPLETE", shell);
        assert_eq!(Ran::of(bare, &[]).expect(0).stdout, script, "other programs are asked for it so");
    }
    oma.fails(2, &["completions", "csh"]);
    assert!(!oma.root().join("missing").exists());
    let mut other = oma.command(&["hash", "zoo:weights"]);
    other.env("COMPLETE", "1");
    assert_eq!(Ran::of(other, &[]).expect(0).stdout.trim().len(), 64, "that was not meant for us");
}

/// What Bash would put in place of the word that ends the line.
const DRIVER: &str = r#"
source <(oma completions bash)
while IFS= read -r line; do
    COMP_LINE=$line COMP_POINT=${#line} COMP_WORDS=(oma '') COMP_CWORD=1 COMPREPLY=()
    _oma_complete oma '' ''
    (IFS='|'; echo "${COMPREPLY[*]}")
done
"#;

/// Where a shell finds this very program by its name.
fn path_with_oma() -> std::ffi::OsString {
    let folder = std::path::Path::new(env!("CARGO_BIN_EXE_oma")).parent().unwrap();
    let mut path = folder.as_os_str().to_owned();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    path
}

/// Lets a real Bash complete lines, one reply each; none without Bash.
fn bash(oma: &Oma, lines: &[&str]) -> Option<Vec<String>> {
    let input = oma.file("lines", lines.join("\n") + "\n");
    let output = Command::new("bash")
        .args(["--norc", "-c", DRIVER])
        .env("OMA_STORE", oma.root())
        .env("PATH", path_with_oma())
        .env_remove("OMA_OWNER")
        .current_dir(oma.path(""))
        .stdin(Stdio::from(fs::File::open(input).unwrap()))
        .output();
    let output = match output {
        Ok(output) => output,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            tell("there is no `bash`: it completes nothing");
            return None;
        }
        Err(error) => panic!("bash: {error}"),
    };
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    Some(String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect())
}

#[test]
fn a_real_bash_completes_quoted_words_and_words_with_colons() {
    let oma = store();
    let hash = oma.line(&["hash", "iris-demo:data"]);
    let typed = format!("oma path {}", &hash[..6]);
    let lines = [
        ("oma -o ", "iris-demo|zoo|zoo@1.10|zoo@1.2"),
        ("oma -o zoo@1.2 path w", "weights"),
        ("oma path iris-demo:da", r"data|data\ set"),
        (r#"oma path "iris-demo:data "#, "iris-demo:data set"),
        (r"oma path iris-demo:data\ ", r"data\ set"),
        ("oma --owner=zoo@1.1", "1.10"),
        ("oma ga", ""),
        (&typed, &hash),
        ("oma -o iris-demo path 'na", "names"),
    ];
    let Some(replies) = bash(&oma, &lines.map(|(line, _)| line)) else { return };
    assert_eq!(replies, lines.map(|(_, reply)| reply));
}

#[test]
fn a_real_bash_runs_nothing_that_a_name_says() {
    let oma = Oma::new();
    let file = oma.file("x", "x");
    for name in ["$(touch hacked)", "`touch hacked`", "a;touch hacked", "*"] {
        oma.ok(&["-o", "me", "add", &file, "--bind", name]);
    }
    let Some(replies) = bash(&oma, &["oma -o me path ", "oma -o me path \"$"]) else { return };
    assert_eq!(replies[0], r"\$\(touch\ hacked\)|\*|\`touch\ hacked\`|a\;touch\ hacked");
    assert_eq!(replies[1], r"\$(touch hacked)");
    assert!(!oma.path("hacked").exists());
}

#[test]
fn a_real_fish_shows_what_each_is() {
    let oma = store();
    let script = "oma completions fish | source; complete -C 'oma path \"iris-demo:n'; complete -C 'oma -o zoo@1.2'";
    let mut fish = oma.command_of(std::path::Path::new("fish"), &["--no-config", "-c", script]);
    fish.env("PATH", path_with_oma());
    match fish.output() {
        Ok(output) => {
            let shown = String::from_utf8(output.stdout).unwrap();
            assert_eq!(shown, "iris-demo:names\tfile, 4 B\nzoo@1.2\t1 name\n", "{:?}", output.stderr);
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => tell("there is no `fish`: it completes nothing"),
        Err(error) => panic!("fish: {error}"),
    }
}
