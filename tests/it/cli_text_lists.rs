//! Tables and reports as people read them, whatever the names hold.

use insta::assert_snapshot;

use crate::cli_text::{fail, run, sample};
use crate::support::depot::{ALPHA, BETA, World};
use crate::support::oma::Oma;

/// Names that move the cursor, break the line, turn the reading order, or are twice as wide.
const NASTY: [(&str, &str); 6] = [
    ("red", "a\u{1b}[31mred"),
    ("line", "two\nlines"),
    ("quote", "it's \"quoted\""),
    ("bidi", "\u{202e}gpj.exe"),
    ("wide", "日本語"),
    ("back", "back\\slash\ttab"),
];

/// A tree under nasty names of a nasty owner.
fn nasty() -> Oma {
    let oma = Oma::new();
    for (content, name) in NASTY {
        let file = oma.file("f", content);
        oma.ok(&["-o", "own\u{7}er@1\u{202e}0", "add", &file, "--bind", name]).assert_printable();
    }
    oma
}

#[test]
fn lists() {
    let (oma, hash) = sample();
    oma.pass(crate::support::DAY);
    assert_snapshot!(run(&oma, &["ls"]), @"
    --- stdout
    OWNER  NAME  HASH          KIND  SIZE         BOUND  USED
    o@1.0  n     d4adad56550b  tree  19 B  24 hours ago     -

    1 binding, 19 B if nothing were shared
    ");
    assert_snapshot!(run(&oma, &["ls", &hash]), @"
    --- stdout
    MODE    SIZE  HASH          PATH
    100644   4 B  d6a3123df201  a.csv
    040000     -  -             deep
    100644   5 B  74242c6e4a0d  deep/b
    120000     -  -             link -> deep/b
    100755  10 B  1249034e3cf9  run

    5 entries, 3 files, 19 B
    ");
    assert_snapshot!(run(&oma, &["owner", "list"]), @"
    --- stdout
    OWNER  VERSION  BINDINGS    FIRST SEEN     LAST SEEN
    o      1.0             1  24 hours ago  24 hours ago

    1 owner, 1 binding
    ");
    assert_snapshot!(run(&oma, &["-o", "nobody", "ls"]), @"
    --- stderr
    nothing is bound
    ");
}

#[test]
fn lists_of_nasty_names() {
    let oma = nasty();
    assert_snapshot!(run(&oma, &["ls"]), @r#"
    --- stdout
    OWNER                 NAME              HASH          KIND  SIZE  BOUND  USED
    own\x07er@1\u{202e}0  a\x1b[31mred      479713dff1a0  file   3 B    now     -
    own\x07er@1\u{202e}0  back\\slash\ttab  e67012aa4b7c  file   4 B    now     -
    own\x07er@1\u{202e}0  it's "quoted"     0966aef5ae99  file   5 B    now     -
    own\x07er@1\u{202e}0  two\nlines        45316a18b9f0  file   4 B    now     -
    own\x07er@1\u{202e}0  \u{202e}gpj.exe   33d68d479a12  file   4 B    now     -
    own\x07er@1\u{202e}0  日本語            ce67ddb68cbb  file   4 B    now     -

    6 bindings, 24 B if nothing were shared
    "#);
    assert_snapshot!(run(&oma, &["usage"]), @r"
    --- stdout
    OWNER      VERSION     BINDINGS  FILES  TOTAL  EXCLUSIVE  SHARED  FAIR  OF ALL      LAST SEEN
    own\x07er  1\u{202e}0         6      6   24 B       24 B     0 B  24 B  ██████████        now

    24 B stored for 1 owner, 0 B of it without an owner; sharing saves 0 B
    ");
    assert_snapshot!(run(&oma, &["owner", "list"]), @r"
    --- stdout
    OWNER      VERSION     BINDINGS  FIRST SEEN  LAST SEEN
    own\x07er  1\u{202e}0         6         now        now

    1 owner, 6 bindings
    ");
    let names: Vec<&str> = NASTY.iter().map(|(_, name)| *name).collect();
    let unbind = [&["-o", "own\u{7}er@1\u{202e}0", "unbind"][..], &names].concat();
    assert_snapshot!(run(&oma, &unbind), @r#"
    --- stderr
    unbound `a\x1b[31mred` from 479713dff1a0
    unbound `two\nlines` from 45316a18b9f0
    unbound `it's "quoted"` from 0966aef5ae99
    unbound `\u{202e}gpj.exe` from 33d68d479a12
    unbound `日本語` from ce67ddb68cbb
    unbound `back\\slash\ttab` from e67012aa4b7c
    "#);
    assert_snapshot!(run(&oma, &["gc", "-n", "--collect-delay", "0"]), @r#"
    --- stdout
    HASH          KIND  SIZE  FREES  UNUSED SINCE  REASON  NAMES
    0966aef5ae99  file   5 B    5 B           now  unused  own\x07er@1\u{202e}0:it's "quoted"
    33d68d479a12  file   4 B    4 B           now  unused  own\x07er@1\u{202e}0:\u{202e}gpj.exe
    45316a18b9f0  file   4 B    4 B           now  unused  own\x07er@1\u{202e}0:two\nlines
    479713dff1a0  file   3 B    3 B           now  unused  own\x07er@1\u{202e}0:a\x1b[31mred
    ce67ddb68cbb  file   4 B    4 B           now  unused  own\x07er@1\u{202e}0:日本語
    e67012aa4b7c  file   4 B    4 B           now  unused  own\x07er@1\u{202e}0:back\\slash\ttab

    1 owner without bindings would be forgotten: own\x07er@1\u{202e}0
    6 artifacts would be deleted (24 B)
    "#);
}

#[test]
fn entries_of_nasty_names() {
    let oma = Oma::new();
    let files: Vec<(&str, &str)> = NASTY.iter().map(|(content, name)| (*name, *content)).collect();
    let tree = oma.tree("t", &files);
    std::os::unix::fs::symlink("two\nlines", tree.join("li\u{1b}nk")).unwrap();
    let hash = oma.line(&["add", &oma.at("t")]);
    assert_snapshot!(run(&oma, &["ls", &hash]), @r#"
    --- stdout
    MODE    SIZE  HASH          PATH
    100644   3 B  479713dff1a0  a\x1b[31mred
    100644   4 B  e67012aa4b7c  back\\slash\ttab
    100644   5 B  0966aef5ae99  it's "quoted"
    120000     -  -             li\x1bnk -> two\nlines
    100644   4 B  45316a18b9f0  two\nlines
    100644   4 B  33d68d479a12  \u{202e}gpj.exe
    100644   4 B  ce67ddb68cbb  日本語

    7 entries, 6 files, 24 B
    "#);
    oma.ok(&["show", &hash]).assert_printable();
    oma.ok(&["-q", "ls", &hash]).assert_printable();
}

#[test]
fn show() {
    let (oma, hash) = sample();
    oma.pass(crate::support::DAY);
    oma.ok(&["pin", &hash, "--reason", "for\u{1b}ever", "--until", "2026-02-01T00:00:00Z"]);
    assert_snapshot!(run(&oma, &["show", &hash]), @r"
    --- stdout
    hash      d4adad56550b153075f1082ae786fde12812f7e9d28fba307ed6331245f8fbcc
    content   tree of 3 files, 19 B
    path      [TMP]/store/artifacts/d4/d4adad56550b153075f1082ae786fde12812f7e9d28fba307ed6331245f8fbcc
    made      24 hours ago
    verified  never
    state     live
    bound     o@1.0:n, 24 hours ago
    pin       for\x1bever, ends in 30 days
    source    path [TMP]/tree, 24 hours ago

    MODE    SIZE  HASH          PATH
    100644   4 B  d6a3123df201  a.csv
    040000     -  -             deep
    100644   5 B  74242c6e4a0d  deep/b
    120000     -  -             link -> deep/b
    100755  10 B  1249034e3cf9  run
    ");
}

#[test]
fn usage_of_two() {
    let (oma, hash) = sample();
    oma.ok(&["-o", "p", "bind", "n", &hash]);
    oma.ok(&["add", &oma.file("alone", "alone")]);
    assert_snapshot!(run(&oma, &["usage"]), @"
    --- stdout
    OWNER  VERSION  BINDINGS  FILES  TOTAL  EXCLUSIVE  SHARED  FAIR  OF ALL  LAST SEEN
    o      1.0             1      3   19 B        0 B    19 B  10 B  ████▏         now
    p      -               1      3   19 B        0 B    19 B   9 B  ███▊          now

    24 B stored for 2 owners, 5 B of it without an owner; sharing saves 19 B
    ");
}

#[test]
fn gc() {
    let (oma, _) = sample();
    oma.ok(&["-o", "o@1.0", "add", &oma.file("old", "o".repeat(9_102)), "--bind", "old"]);
    oma.ok(&["add", &oma.file("leased", "leased")]);
    oma.ok(&["-o", "o@1.0", "unbind", "n", "old"]);
    assert_snapshot!(run(&oma, &["gc", "-n"]), @"
    --- stdout
    3 artifacts stay: 2 in the collect delay, 1 under a lease
    0 artifacts would be deleted (0 B)
    ");
    assert_snapshot!(fail(&oma, 2, &["gc"]), @"
    --- stderr
    error: gc deletes, and there is no terminal to ask at
    hint: `oma gc -n` shows what would go, `oma gc -y` does it
    ");
    oma.pass(8 * crate::support::DAY);
    assert_snapshot!(run(&oma, &["gc", "-n"]), @"
    --- stdout
    HASH          KIND     SIZE    FREES  UNUSED SINCE  REASON  NAMES
    d4adad56550b  tree     19 B     19 B    8 days ago  unused  o@1.0:n
    8bee78c5c7da  file  8.9 KiB  8.9 KiB    8 days ago  unused  o@1.0:old

    1 artifact stays: 1 in the collect delay
    1 owner without bindings would be forgotten: o@1.0
    5 artifacts would be deleted (8.907 KiB)
    ");
    assert_snapshot!(run(&oma, &["gc", "-y"]), @"
    --- stdout
    HASH          KIND     SIZE    FREES  UNUSED SINCE  REASON  NAMES
    d4adad56550b  tree     19 B     19 B    8 days ago  unused  o@1.0:n
    8bee78c5c7da  file  8.9 KiB  8.9 KiB    8 days ago  unused  o@1.0:old

    1 artifact stays: 1 in the collect delay
    1 owner without bindings forgotten: o@1.0
    5 artifacts deleted (8.907 KiB)
    ");
}

#[test]
fn verify() {
    let (oma, _) = sample();
    assert_snapshot!(run(&oma, &["verify"]), @"
    --- stdout
    4 objects checked (19 B read), all as they should be
    ");
    assert_snapshot!(run(&oma, &["verify", "--quick"]), @"
    --- stdout
    4 objects checked (no content read), all as they should be
    ");
    let tree = oma.line(&["path", "o@1.0:n"]);
    crate::cli_exit_codes::flip(&std::fs::canonicalize(format!("{tree}/deep/b")).unwrap());
    assert_snapshot!(fail(&oma, 4, &["verify"]), @"
    --- stdout
    PROBLEM  HASH          DETAIL                                                                           PATH
    corrupt  74242c6e4a0d  its content is 733dd20cc709b12067e0129b77640a19dcfbff5d08745f362f712f598cc92936  [TMP]/store/artifacts/74/74242c6e4a0d89f454d89d3496a1f7cb3f1f39f032c4f75dfd48068c93adff29

    4 objects checked (19 B read), 1 problem
    ");
    std::fs::remove_file(std::fs::canonicalize(format!("{tree}/run")).unwrap()).unwrap();
    assert_snapshot!(fail(&oma, 4, &["verify", "--quick"]), @"
    --- stdout
    PROBLEM  HASH          DETAIL            PATH
    missing  1249034e3cf9  the file is gone  [TMP]/store/executables/12/1249034e3cf9007362d695b09b1fbdb4c578903bf10b665749b94743f8177ce1

    4 objects checked (no content read), 1 problem
    ");
    assert_snapshot!(fail(&oma, 3, &["verify", "un\u{1b}known"]), @r"
    --- stderr
    error: nothing is known as `un\x1bknown`
    hint: `oma ls` lists all names; a bare name needs `--owner KEY`
    ");
}

#[test]
fn a_wrong_word() {
    let oma = Oma::new();
    for words in [&["no\u{1b}[31msuch"][..], &["ls", "--no\u{202e}such"], &["--wait", "x\u{7}y", "ls"]] {
        oma.fails(2, words).assert_printable();
        oma.fails(2, &[&["--json"], words].concat()).assert_printable();
    }
}

/// A package is there, then gone, then its time is over.
#[test]
#[expect(clippy::too_many_lines, reason = "one story, told whole")]
fn packages_that_are_gone() {
    let world = World::new();
    let data = format!("{ALPHA}:data");
    assert_snapshot!(run(&world, &["owner", "list"]), @"
    --- stdout
    OWNER                                 VERSION  TITLE  STATE  BINDINGS  FIRST SEEN  LAST SEEN
    aaaaaaaa-1111-4111-8111-111111111111  -        Alpha  alive         2         now        now
    bbbbbbbb-2222-4222-8222-222222222222  -        Beta   alive         2         now        now

    2 owners, 4 bindings
    ");
    assert_snapshot!(run(&world, &["why", &data]), @"
    --- stdout
    hash     ec08f4c484bcaa95a09e44b41a3a4b91b3d4cb756c4c5cfb1adcd666c8d9b696
    content  file, 11 B
    state    live
    kept by  binding aaaaaaaa-1111-4111-8111-111111111111:data, bound now
               owner alive: `[TMP]/env/Manifest.toml` has Alpha 1.2.3
    ");
    world.uninstall_alpha();
    assert_snapshot!(run(&world, &["why", &data]), @"
    --- stdout
    hash     ec08f4c484bcaa95a09e44b41a3a4b91b3d4cb756c4c5cfb1adcd666c8d9b696
    content  file, 11 B
    state    live
    kept by  binding aaaaaaaa-1111-4111-8111-111111111111:data, bound now
               owner gone: the one manifest in 1 depot does not have it; the next gc notes that, and its grace begins
    ");
    world.freed();
    world.pass_days(3);
    assert_snapshot!(run(&world, &["owner", "list"]), @"
    --- stdout
    OWNER                                 VERSION  TITLE  STATE  BINDINGS  FIRST SEEN   LAST SEEN
    aaaaaaaa-1111-4111-8111-111111111111  -        -      gone          2  3 days ago  3 days ago
    bbbbbbbb-2222-4222-8222-222222222222  -        Beta   alive         2  3 days ago  3 days ago

    2 owners, 4 bindings
    ");
    assert_snapshot!(run(&world, &["owner", "show", ALPHA]), @"
    --- stdout
    owner      aaaaaaaa-1111-4111-8111-111111111111
    kind       a package of Julia
    root       [TMP]/depot
    state      gone: the one manifest in 1 depot does not have it
    gone       first seen 3 days ago
    counts     its bindings stop counting in 4 days, unless it comes back
    bindings   2
    holds      23 B
    first seen 3 days ago
    last seen  3 days ago
    ");
    assert_snapshot!(run(&world, &["why", &data]), @"
    --- stdout
    hash     ec08f4c484bcaa95a09e44b41a3a4b91b3d4cb756c4c5cfb1adcd666c8d9b696
    content  file, 11 B
    state    live
    kept by  binding aaaaaaaa-1111-4111-8111-111111111111:data, bound 3 days ago
               owner gone: the one manifest in 1 depot does not have it; this stops counting in 4 days
    ");
    assert_snapshot!(run(&world, &["gc", "-n"]), @"
    --- stdout
    2 bound artifacts stay for now though their owners are gone: `oma why` says how long
    0 artifacts would be deleted (0 B)
    ");
    world.pass_days(5);
    assert_snapshot!(run(&world, &["owner", "show", ALPHA]), @"
    --- stdout
    owner      aaaaaaaa-1111-4111-8111-111111111111
    kind       a package of Julia
    root       [TMP]/depot
    state      gone: the one manifest in 1 depot does not have it
    gone       first seen 8 days ago
    counts     its bindings stopped counting 24 hours ago
    bindings   2
    holds      23 B
    first seen 8 days ago
    last seen  8 days ago
    ");
    assert_snapshot!(run(&world, &["why", &data]), @"
    --- stdout
    hash     ec08f4c484bcaa95a09e44b41a3a4b91b3d4cb756c4c5cfb1adcd666c8d9b696
    content  file, 11 B
    state    orphan since 24 hours ago; gc may take it in 6 days
    held by  binding aaaaaaaa-1111-4111-8111-111111111111:data, bound 8 days ago
               owner gone: the one manifest in 1 depot does not have it; this stopped counting 24 hours ago
    ");
    world.pass_days(6);
    assert_snapshot!(run(&world, &["gc", "-n"]), @"
    --- stdout
    HASH          KIND  SIZE  FREES  UNUSED SINCE  REASON      NAMES
    9dafa870039f  tree  12 B    7 B    7 days ago  owner gone  aaaaaaaa-1111-4111-8111-111111111111:tree
    ec08f4c484bc  file  11 B   11 B    7 days ago  owner gone  aaaaaaaa-1111-4111-8111-111111111111:data

    1 owner without bindings would be forgotten: aaaaaaaa-1111-4111-8111-111111111111
    3 artifacts would be deleted (18 B)
    ");
    world.freed();
    assert_snapshot!(fail(&world, 3, &["why", "bfd6ad5db2c2e2f0e20cc15e8a4c3d4b8d0f8e7a7e3f1b9a4e0d6f1c2b3a4958"]), @"
    --- stdout
    hash     bfd6ad5db2c2e2f0e20cc15e8a4c3d4b8d0f8e7a7e3f1b9a4e0d6f1c2b3a4958
    state    absent: nothing of this hash was ever bound or collected here
    ");
    assert_snapshot!(fail(&world, 3, &["owner", "show", ALPHA]), @"
    --- stderr
    error: no owner is known as `aaaaaaaa-1111-4111-8111-111111111111`
    hint: `oma owner list` lists them, each with its version
    ");
    world.rename("depot", "away");
    assert_snapshot!(run(&world, &["why", &format!("{BETA}:other")]), @"
    --- stdout
    hash     745e029f4c428a1ee259a6de594110a11b0691423be9ac5c6e6d397d1891f339
    content  file, 3 B
    state    live
    kept by  binding bbbbbbbb-2222-4222-8222-222222222222:other, bound 14 days ago
               owner unknown, so this counts: the depot `[TMP]/depot` is not there (and 1 more like it)
    ");
}

#[test]
fn why() {
    let (oma, hash) = sample();
    assert_snapshot!(run(&oma, &["why", "o@1.0:n"]), @"
    --- stdout
    hash     d4adad56550b153075f1082ae786fde12812f7e9d28fba307ed6331245f8fbcc
    content  tree of 3 files, 19 B
    state    live
    kept by  binding o@1.0:n, bound now
    ");
    let a = oma.json(&["ls", &hash])[0]["hash"].as_str().unwrap().to_owned();
    oma.ok(&["pin", &a, "--reason", "the pa\u{7}per"]);
    oma.ok(&["add", &oma.at("tree/a.csv")]);
    assert_snapshot!(run(&oma, &["why", &a]), @r"
    --- stdout
    hash     d6a3123df2017b464601247bc22d6cc0a9f5a5b07df75fee70162ccf27ac2ca0
    content  file, 4 B
    state    live
    kept by  lease put in, not bound yet, ends in 24 hours
    kept by  pin the pa\x07per
    kept by  tree d4adad56550b as `a.csv`
               binding o@1.0:n, bound now
    ");
    oma.ok(&["-o", "o@1.0", "unbind", "n"]);
    oma.ok(&["unpin", &a]);
    oma.pass(2 * crate::support::DAY);
    assert_snapshot!(run(&oma, &["why", &a]), @"
    --- stdout
    hash     d6a3123df2017b464601247bc22d6cc0a9f5a5b07df75fee70162ccf27ac2ca0
    content  file, 4 B
    state    live
    kept by  lease put in, not bound yet, ended 24 hours ago, which the next gc notes
    kept by  tree d4adad56550b as `a.csv`
               which nothing keeps
    ");
    assert_snapshot!(run(&oma, &["why", &hash]), @"
    --- stdout
    hash     d4adad56550b153075f1082ae786fde12812f7e9d28fba307ed6331245f8fbcc
    content  tree of 3 files, 19 B
    state    orphan since 2 days ago; gc may take it in 5 days
    let go   o@1.0:n was unbound 2 days ago
    was      o@1.0:n
    ");
    oma.ok(&["gc", "-y", "--collect-delay", "0"]);
    assert_snapshot!(fail(&oma, 3, &["why", &hash]), @"
    --- stdout
    hash     d4adad56550b153075f1082ae786fde12812f7e9d28fba307ed6331245f8fbcc
    state    absent: gc has taken it
    went     by gc run 1 now (unused, dead_for=0)
    was      o@1.0:n
    ");
}

#[test]
fn why_of_many() {
    let oma = Oma::new();
    let file = oma.file("f", "f");
    let hash = oma.line(&["add", &file]);
    for number in 0..11 {
        oma.ok(&["-o", "o", "bind", &format!("n{number:02}"), &hash]);
    }
    assert_snapshot!(run(&oma, &["why", &hash]), @"
    --- stdout
    hash     3a0463960d6d984e1ce2d5dcb235802734874206960507281f48b526aa79bf3e
    content  file, 1 B
    state    live
    kept by  binding o:n00, bound now
    kept by  binding o:n01, bound now
    kept by  binding o:n02, bound now
    kept by  binding o:n03, bound now
    kept by  binding o:n04, bound now
    kept by  binding o:n05, bound now
    kept by  binding o:n06, bound now
    kept by  binding o:n07, bound now
    kept by  and 3 more like it
    ");
    assert_snapshot!(run(&nasty(), &["why", "own\u{7}er@1\u{202e}0:\u{202e}gpj.exe"]), @r"
    --- stdout
    hash     33d68d479a1244c87ac12f7e5482f19fa5dddbbaff7e6e5b3d4dc5ce2a20fbde
    content  file, 4 B
    state    live
    kept by  binding own\x07er@1\u{202e}0:\u{202e}gpj.exe, bound now
    ");
}
