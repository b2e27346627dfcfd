//! Probes and who looks: what one user may not see or run is unknown, never gone.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use ohmyartifacts::LinkStyle;
use serde_json::Value;

use crate::non_root::Unprivileged;
use crate::support::DAY;

/// A user with a store, and with a folder that has a `root` in it.
fn user() -> Unprivileged {
    let user = Unprivileged::new(LinkStyle::default());
    fs::create_dir(user.oma.root()).unwrap();
    user.oma.tree("own/door/root", &[]);
    user.oma.file("own/f", "f");
    for folder in [user.oma.root(), user.oma.path("own")] {
        user.give(&folder);
    }
    user
}

#[test]
fn a_root_behind_a_closed_door_is_not_gone() {
    let user = user();
    let ask = |words: &[&str]| user.run(&[&["--json"], words].concat()).expect(0).json();
    let root = user.oma.at("own/door/root");
    ask(&["owner", "add", "o", "--root", &root]);
    ask(&["-o", "o", "add", &user.oma.at("own/f"), "--bind", "n"]);
    let door = |mode| fs::set_permissions(user.oma.path("own/door"), fs::Permissions::from_mode(mode)).unwrap();
    door(0o000);
    for _ in 0..3 {
        assert_eq!(ask(&["gc", "-y"])["deleted_artifacts"], 0);
        user.oma.pass(30 * DAY);
    }
    let shown = ask(&["owner", "show", "o"]);
    let evidence = shown["evidence"].as_str().unwrap();
    assert!(shown["alive"].is_null() && shown["gone_since"].is_null() && evidence.contains(&root), "{shown}");
    assert!(evidence.contains("Permission denied"), "{evidence}");
    let refused = user.run(&["owner", "add", "p", "--root", &root]).expect(1);
    assert!(refused.stderr.contains(&root), "{refused:?}");
    // Behind an open door it is known again.
    door(0o755);
    fs::remove_dir(&root).unwrap();
    assert_eq!(ask(&["owner", "show", "o"])["alive"], false);
}

#[test]
fn nobody_runs_the_command_of_somebody_else() {
    let user = user();
    let mark = user.oma.at("own/mark");
    let probe = format!("touch '{mark}'; false");
    let shown = user.run(&["--json", "owner", "add", "o", "--probe", &probe]).expect(0).json();
    assert_eq!(shown["alive"], false);
    fs::remove_file(&mark).expect("its own user runs it");
    if fs::metadata("/proc/self").expect("a process has an owner").uid() != 0 {
        return;
    }
    // Now as the superuser, which could do anything.
    for _ in 0..3 {
        user.oma.ok(&["gc", "-y"]);
        user.oma.pass(30 * DAY);
    }
    let shown = user.oma.json(&["owner", "show", "o"]);
    assert_eq!((&shown["alive"], &shown["gone_since"]), (&Value::Null, &Value::Null));
    assert!(!user.oma.path("own/mark").exists(), "it was run by somebody else");
}
