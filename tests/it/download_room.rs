//! Downloads and room: on the disk, in memory, and as much as was allowed.

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use ohmyartifacts::{Download, Error};

use crate::support::downloads::{bring, bring_as, content, hasty, only_partials};
use crate::support::oma::{Oma, tell};
use crate::support::server::{Answer, Server};
use crate::support::{Env, refused};

#[test]
fn no_more_than_allowed_comes() {
    let env = Env::new();
    let cache = env.open();
    let server = Server::start();
    let most = |path: &str, most| Download::from(&server.url(path)).transfer(hasty().max_size(Some(most)));
    server.put("/known", Answer::bytes(content(5_000_000)));
    server.put("/unknown", Answer::bytes(content(5_000_000)).chunked());
    for path in ["/known", "/unknown"] {
        let error = refused(bring_as(&cache, "n", &most(path, 1_000_000)));
        assert!(error.to_string().contains("1000000 are allowed"), "{path}: {error}");
        assert_eq!(server.requests_for(path).len(), 1, "{path}");
        assert!(bring_as(&cache, path, &most(path, 5_000_000)).is_ok(), "{path}: just enough");
    }
}

#[test]
fn without_room_nothing_is_brought() {
    let env = Env::new();
    let server = Server::start();
    server.put("/data", Answer::bytes(content(3_000_000)));
    let cache = ohmyartifacts::Cache::open(env.options().disk_room(2_000_000, 10_000_000)).unwrap();
    let error = refused(bring(&cache, "n", &server.url("/data")));
    assert!(matches!(error, Error::NoRoom { needed: 3_000_000, free: 2_000_000, .. }), "{error:?}");
    assert_eq!(only_partials(&cache, &env.root()), Vec::<String>::new());
    assert_eq!(server.requests().len(), 1, "asking again makes no room");
}

/// The most memory a running program has had, in bytes (`proc(5)`).
fn peak_memory(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("a running process");
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

#[test]
fn memory_does_not_grow_with_the_file() {
    const LENGTH: usize = 128 * 1024 * 1024;
    let oma = Oma::new();
    let server = Server::start();
    server.put("/n", Answer::bytes(content(LENGTH)).hang_after(LENGTH as u64 - 1));
    let mut child = oma.start(&["-o", "o", "download", &server.url("/n"), "n"]);
    let on_disk = || -> u64 {
        let entries = fs::read_dir(oma.root().join("tmp/partial")).into_iter().flatten().flatten();
        entries.filter_map(|entry| Some(entry.metadata().ok()?.len())).sum()
    };
    while on_disk() < LENGTH as u64 - 1024 * 1024 {
        assert_eq!(child.try_wait().unwrap(), None, "it ended early");
        std::thread::sleep(Duration::from_millis(10));
    }
    let peak = peak_memory(child.id());
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(peak < LENGTH as u64 / 2, "{peak} bytes of memory for {LENGTH} bytes of a file");
}

/// Runs a script where `$1` is a disk of six megabytes that nobody else sees; none where that is not allowed.
fn on_a_small_disk(oma: &Oma, url: &str, script: &str) -> Option<String> {
    fs::create_dir(oma.path("disk")).unwrap();
    let mounted = format!("mount -t tmpfs -o size=6m none \"$1\" || exit 99; {script}");
    let mut command = oma.command_of("unshare".as_ref(), &["--mount", "sh", "-c", &mounted, "sh"]);
    let command =
        command.args([&oma.at("disk"), env!("CARGO_BIN_EXE_oma"), url]).env("OMA_STORE", oma.path("disk/store"));
    let output = match command.stdin(Stdio::null()).output() {
        Ok(output) if output.status.success() => output,
        other => {
            tell(&format!("no small disk can be made here: {other:?}"));
            return None;
        }
    };
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn a_full_disk_is_told_from_a_broken_transfer() {
    let oma = Oma::new();
    let server = Server::start();
    server.put("/known", Answer::bytes(content(8_000_000)));
    server.put("/unknown", Answer::bytes(content(8_000_000)).chunked());
    server.put("/small", Answer::bytes("small"));
    let script = r#"
        "$2" -o o download "$3/known" a 2> /dev/null; echo "known $?"
        "$2" -o o download "$3/unknown" b 2> /dev/null; echo "unknown $?"
        ls "$1/store/tmp/partial"
        "$2" -o o download "$3/small" c > /dev/null 2>&1; echo "small $?"
        "$2" -q verify > /dev/null 2>&1; echo "verify $?""#;
    let Some(said) = on_a_small_disk(&oma, &server.url(""), script) else { return };
    assert_eq!(said, "known 7\nunknown 7\nsmall 0\nverify 0\n");
    let counts = ["/known", "/unknown"].map(|path| server.requests_for(path).len());
    assert_eq!(counts, [1, 1], "asking again makes no room");
    assert_eq!(server.requests_for("/known")[0].status, 200);
}
