//! The logs of a scratch space: emptied, torn, with times out of range, in zones with half hours.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use ohmyartifacts::{Clock, Timestamp};

use crate::julia_failures::{HOUR, Pair, ends};
use crate::support::DAY;
use crate::support::julia::{ALPHA, bindings, hashes, import_in_zone};
use crate::support::oma::{Oma, Ran};

/// What may stand in a log instead of what stood there, in words and bytes; none: no file at all.
fn ruins(log: &[u8]) -> Vec<(String, Option<Vec<u8>>)> {
    let mut ruins: Vec<(String, Option<Vec<u8>>)> = Vec::new();
    for part in 0..8 {
        let end = log.len() * part / 8;
        ruins.push((format!("cut at {end}"), Some(log[..end].to_vec())));
    }
    ruins.push(("cut before its last byte but one".to_owned(), Some(log[..log.len().saturating_sub(2)].to_vec())));
    ruins.push(("gone".to_owned(), None));
    let texts: [(&str, &[u8]); 6] = [
        ("another format", b"<xml/>"),
        ("only blank", b"\n\n"),
        ("not UTF-8", b"[\xff\xfe]\n"),
        ("nothing but zeros", &[0; 512]),
        ("another table", b"[\"/etc/passwd\".\"/etc/hosts\"]\nn = 1979-05-27T07:32:00Z\n"),
        ("a number", b"artifacts = 1\n"),
    ];
    ruins.extend(texts.map(|(what, text)| (what.to_owned(), Some(text.to_vec()))));
    ruins
}

fn ruin(path: &Path, content: Option<&[u8]>) {
    match content {
        Some(content) => fs::write(path, content).unwrap(),
        None => fs::remove_file(path).unwrap(),
    }
}

/// The original: "Emptied or torn usage log → gc deletes everything bound."
#[test]
fn failure_01_emptied_usage_log_deletes_everything_bound() {
    let pair = Pair::writing();
    pair.fill();
    pair.assert_whole("before");
    let log = fs::read(pair.usage_log()).unwrap();
    for (what, content) in ruins(&log) {
        ruin(&pair.usage_log(), content.as_deref());
        pair.collect();
        pair.assert_whole(&what);
        fs::write(pair.usage_log(), &log).unwrap();
    }
    let orphans = pair.at("logs/my_artifact_orphanages.toml");
    for (what, content) in
        ruins(b"\"/somewhere\" = 1979-05-27T07:32:00.000Z\n").into_iter().filter(|ruin| ruin.1.is_some())
    {
        ruin(&orphans, content.as_deref());
        pair.collect();
        pair.assert_whole(&format!("the log of orphans: {what}"));
    }
    fs::remove_file(&orphans).unwrap();
    // It is the names that keep things: what has none goes, on both sides.
    let id = pair.oma.line(&["hash", &format!("{ALPHA}:our-file")]);
    pair.oma.ok(&["-o", ALPHA, "unbind", "our-file"]);
    let report = pair.collect().json();
    assert_eq!(report["deleted_artifacts"], 1, "{report:#}");
    assert!(!pair.artifact(&id).exists(), "it was to go there too");
    // The original takes all there; what it takes is still here.
    fs::write(pair.usage_log(), "").unwrap();
    assert_ne!(pair.julia("gc", &["0"]), "0 deleted", "this was no test of the original's failure");
    pair.collect();
    for name in ["our-tree", "their-file", "their-tree"] {
        let path = pair.oma.line(&["path", &format!("{ALPHA}:{name}")]);
        assert!(!super::contents(Path::new(&path)).is_empty(), "{name}");
    }
    pair.oma.ok(&["verify"]);
}

/// The same where the space is imported, or followed and not written to.
#[test]
fn failure_01_emptied_usage_log_imports_everything_bound() {
    let from = Pair::writing();
    from.fill();
    let log = fs::read(from.usage_log()).unwrap();
    let wanted = hashes(&from.oma);
    for (what, content) in ruins(&log).into_iter().step_by(3) {
        ruin(&from.usage_log(), content.as_deref());
        let to = Oma::new();
        to.clock.set(from.oma.clock.now());
        take_over(&to, &from);
        assert_eq!(hashes(&to), wanted, "{what}");
        to.ok(&["attach", "julia", "--depot", &from.oma.at("depot")]);
        to.pass(30 * DAY);
        to.ok(&["gc", "-y", "--collect-delay", "0"]);
        assert_eq!(hashes(&to), wanted, "{what}");
        to.ok(&["verify"]);
        from.assert_whole(&what);
        fs::write(from.usage_log(), &log).unwrap();
    }
}

/// Imports a space; what is wrong with its logs may be said, and costs nothing else.
fn take_over(to: &Oma, from: &Pair) {
    let ran = ends(to, &["import", &from.oma.at("depot")]);
    assert!(matches!(ran.code, Some(0 | 8)), "{ran:#?}");
}

/// The original: "Corrupt usage log: bound but untracked."
#[test]
fn failure_09_corrupt_usage_log_leaves_names_bound_but_untracked() {
    let pair = Pair::writing();
    pair.fill();
    let log = fs::read(pair.usage_log()).unwrap();
    let file = pair.oma.file("new", "new\n");
    let id = pair.oma.line(&["add", &file]);
    for (number, (what, content)) in ruins(&log).into_iter().enumerate() {
        ruin(&pair.usage_log(), content.as_deref());
        let before = pair.bindings();
        let name = format!("new-{number}");
        let ran = ends(&pair.oma, &["-o", ALPHA, "bind", &name, &id]);
        match ran.code {
            Some(0) => {
                assert_eq!(pair.julia("lookup", &[ALPHA, &name]), id, "{what}");
                let log = fs::read_to_string(pair.usage_log()).unwrap();
                let log: toml::Table = log.parse().unwrap_or_else(|error| panic!("{what}: {error}: {log}"));
                let uses = &log[pair.artifact(&id).to_str().unwrap()][pair.bindings_file().to_str().unwrap()];
                assert!(uses.get(&name).is_some_and(toml::Value::is_datetime), "{what}: untracked: {uses}");
            }
            Some(1) => {
                assert!(ran.stderr.contains("my_artifact_usage.toml"), "{what}: the log is not named: {ran:#?}");
                assert_eq!(pair.bindings(), before, "{what}: refused, and yet bound there");
                assert_eq!(pair.oma.run(&["hash", &format!("{ALPHA}:{name}")]).code, Some(3), "{what}: and here");
            }
            _ => panic!("{what}: {ran:#?}"),
        }
        fs::write(pair.usage_log(), &log).unwrap();
    }
    // Names of this store alone need no log.
    fs::write(pair.usage_log(), "torn = [").unwrap();
    pair.oma.ok(&["-o", "own", "bind", "n", &id]);
    pair.oma.ok(&["-o", "own", "unbind", "n"]);
    pair.assert_whole("after all");
}

/// The original: "Date-times out of range written but unreadable."
#[test]
fn failure_10_times_out_of_range_are_written_but_unreadable() {
    let pair = Pair::writing();
    pair.fill();
    let id = pair.oma.line(&["hash", &format!("{ALPHA}:our-file")]);
    let before = (fs::read(pair.bindings_file()).unwrap(), fs::read(pair.usage_log()).unwrap());
    for time in ["0999-12-31T23:59:59Z", "0000-01-01", "0001-02-03T04:05:06", "23:59:60", "1979-05-27T07:32:00.0005Z"] {
        let meta = pair.oma.file("meta.toml", format!("when = {time}\n"));
        let ran = pair.oma.run(&["-o", ALPHA, "bind", "odd", &id, "--meta-file", &meta]);
        assert!(matches!(ran.code, Some(1 | 2)), "{time}: {ran:#?}");
        let now = (fs::read(pair.bindings_file()).unwrap(), fs::read(pair.usage_log()).unwrap());
        assert!(now == before, "{time}: refused, and yet written");
        assert_eq!(pair.oma.run(&["hash", &format!("{ALPHA}:odd")]).code, Some(3), "{time}");
        // This store's own names may have it, and give it back; no file for Julia is made of it.
        let own = pair.oma.run(&["-o", "own", "bind", "odd", &id, "--meta-file", &meta]);
        if own.code == Some(0) {
            assert!(ran.stderr.contains("when"), "{time}: the key is not named: {ran:#?}");
            let listed = pair.oma.json(&["-o", "own", "ls"]);
            assert_eq!(listed[0]["meta"]["when"], time, "{time}");
            let ran = pair.oma.fails(1, &["-o", "own", "export"]);
            assert!(ran.stdout.is_empty() && ran.stderr.contains("odd"), "{time}: {ran:#?}");
            pair.oma.ok(&["-o", "own", "unbind", "odd"]);
        }
    }
    pair.oma.ok(&["-o", ALPHA, "bind", "even", &id]);
    assert_eq!(pair.julia("lookup", &[ALPHA, "even"]), id);
}

/// The same for the time of the bind itself, which the wall shows as another year.
#[test]
fn failure_10_a_clock_out_of_range_binds_nothing_there() {
    for (now, zone) in [("9999-12-31T23:00:00Z", "Asia/Kolkata"), ("1000-01-01T01:00:00Z", "America/St_Johns")] {
        let pair = Pair::apart();
        pair.oma.clock.set(now.parse().unwrap());
        let run = |words: &[&str]| in_zone(&pair.oma, zone, words);
        run(&["attach", "julia", "--depot", &pair.oma.at("depot"), "--write"]).expect(0);
        let file = pair.oma.file("f", "f");
        let ran = run(&["-o", ALPHA, "add", &file, "--bind", "n"]).expect(1);
        assert!(ran.stderr.contains("1000 to 9999"), "{ran:#?}");
        assert_eq!(pair.bindings(), toml::Table::new(), "{now} in {zone}");
        assert_eq!(run(&["hash", &format!("{ALPHA}:n")]).code, Some(3), "{now} in {zone}");
        run(&["-o", "own", "add", &file, "--bind", "n"]).expect(0);
        assert!(bindings(&pair.oma)["own:n"].bound_at >= now.parse().unwrap(), "no time goes back in a store");
    }
}

/// The same for what the original wrote: it costs that time, and nothing else.
#[test]
fn failure_10_times_out_of_range_that_were_written_stop_nobody() {
    let pair = Pair::writing();
    pair.fill();
    let log = fs::read_to_string(pair.usage_log()).unwrap();
    let year = log.find("Z\n").map(|at| log[..at].rfind(" = ").unwrap() + 3).unwrap();
    for other in ["0999", "0000"] {
        let text = log.replacen(&log[year..year + 4], other, usize::MAX);
        assert_ne!(text, log);
        fs::write(pair.usage_log(), &text).unwrap();
        let orphans = format!("\"{}\" = 0001-01-01T00:00:00.000Z\n", pair.artifact(&"0".repeat(64)).display());
        fs::write(pair.at("logs/my_artifact_orphanages.toml"), orphans).unwrap();
        pair.oma.ok(&["sync"]);
        pair.collect();
        pair.assert_whole(other);
        let to = Oma::new();
        to.clock.set(pair.oma.clock.now());
        take_over(&to, &pair);
        assert_eq!(hashes(&to), hashes(&pair.oma), "{other}");
    }
}

fn in_zone(oma: &Oma, zone: &str, words: &[&str]) -> Ran {
    let mut command = oma.command(words);
    command.env("TZ", zone);
    Ran::of(command, words)
}

/// What the clock on the wall of a zone shows, by another program.
fn on_the_wall(time: Timestamp, zone: &str) -> String {
    let at = format!("@{}", time.as_millis() / 1_000);
    let output = Command::new("date").args(["-d", &at, "+%Y-%m-%dT%H:%M:%S"]).env("TZ", zone).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

/// The original: "Time zones with half hours."
#[test]
fn failure_11_time_zones_with_half_hours() {
    for zone in ["Asia/Kolkata", "Asia/Kathmandu", "America/St_Johns", "Australia/Lord_Howe", "<+0530>-5:30"] {
        let pair = Pair::apart();
        let oma = &pair.oma;
        let run = |words: &[&str]| in_zone(oma, zone, words).expect(0);
        let julia = |verb: &str, words: &[&str]| {
            let output = pair.julia_command(verb, words).env("TZ", zone).output().unwrap();
            assert!(output.status.success(), "{zone}: {verb}: {}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
        };
        run(&["attach", "julia", "--depot", &oma.at("depot"), "--write"]);
        // There it stands as the wall shows it.
        run(&["-o", ALPHA, "add", &oma.file("f", "f"), "--bind", "ours"]);
        let log = fs::read_to_string(pair.usage_log()).unwrap();
        let wall = on_the_wall(oma.clock.now(), zone);
        assert!(log.contains(&format!("ours = {wall}.")), "{zone}: no {wall} in {log}");
        // What the wall showed there comes here as the time it was.
        let theirs = julia("create", &["theirs"]);
        julia("bind", &[ALPHA, "theirs", &theirs]);
        let to = Oma::new();
        to.clock.set(oma.clock.now());
        import_in_zone(&to, zone, 0, &[&oma.at("depot")]);
        for (name, binding) in bindings(&to) {
            let off = binding.bound_at.as_millis().abs_diff(oma.clock.now().as_millis());
            assert!(off < 60_000, "{zone}: {name} is {off} ms off");
        }
        // An orphan is as old as it is: not half an hour older or younger.
        julia("unbind", &[ALPHA, "theirs"]);
        assert_eq!(julia("gc", &["1200"]), "0 deleted", "{zone}");
        let start = Clock::System.now();
        for (minutes, wanted) in [(10, 0), (30, 1)] {
            oma.clock.set(start.plus(Duration::from_secs(60 * minutes)));
            let plan = run(&["--json", "gc", "-n", "--collect-delay", "20m"]).json();
            let there = plan["attached"][0]["artifacts"].as_array().unwrap();
            assert_eq!(there.len(), wanted, "{zone}, after {minutes} minutes: {plan:#}");
        }
        oma.clock.set(start.plus(HOUR));
        run(&["gc", "-y", "--collect-delay", "20m"]);
        assert!(!pair.artifact(&theirs).exists(), "{zone}");
        run(&["verify"]);
    }
}
