//! The content of a file, as bytes.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use super::{LARGE, bound, large};
use crate::support::STYLES;
use crate::support::oma::Oma;

fn bytes(oma: &Oma, words: &[&str]) -> (Option<i32>, Vec<u8>) {
    let output = oma.command(words).output().unwrap();
    (output.status.code(), output.stdout)
}

#[test]
fn every_byte_comes_out() {
    for style in STYLES {
        let oma = Oma::with_style(style);
        bound(&oma);
        let odd: Vec<u8> = (0..=255).cycle().take(256 * 1024 * 2).collect();
        oma.file("odd", &odd);
        oma.ok(&["-o", "o", "add", &oma.at("odd"), "--bind", "odd"]);
        for (reference, content) in [
            ("o:t:large", large()),
            ("o:t/large", large()),
            ("o:t:zero", Vec::new()),
            ("o:t:twin", b"a".to_vec()),
            ("o:odd", odd),
            ("o:t:deep/up", b"a".to_vec()),
            ("o:t:way/er/b", b"b".to_vec()),
            ("o:t:way/up", b"a".to_vec()),
        ] {
            assert!(bytes(&oma, &["cat", reference]) == (Some(0), content), "{style} {reference}");
        }
    }
}

#[test]
fn links_are_followed_inside_only() {
    let oma = Oma::new();
    fs::write(oma.path("secret"), "secret").unwrap();
    let top = oma.tree("linked", &[("d/a", "a")]);
    for (name, target) in [
        ("out", "../secret"),
        ("far", "d/../../../etc/passwd"),
        ("absolute", oma.path("secret").to_str().unwrap()),
        ("nowhere", "no/such"),
        ("through", "d/a/x"),
        ("loop", "loop"),
        ("round", "d/around"),
        ("d/around", "../round"),
        ("home", "d/../d/./a"),
    ] {
        symlink(target, top.join(name)).unwrap();
    }
    oma.ok(&["-o", "o", "add", &oma.at("linked"), "--bind", "l", "--links", "keep"]);
    for (name, told) in [
        ("out", "leaves the tree"),
        ("far", "leaves the tree"),
        ("absolute", "leaves the tree"),
        ("nowhere", "points to nothing"),
        ("through", "points to nothing"),
        ("loop", "leads in a circle"),
        ("round", "leads in a circle"),
    ] {
        let ran = oma.fails(3, &["cat", &format!("o:l:{name}")]);
        assert!(ran.stderr.contains(told) && ran.stdout.is_empty(), "{name}: {ran:#?}");
        oma.fails(3, &["checkout", &format!("o:l:{name}"), "new"]);
    }
    assert_eq!(oma.ok(&["cat", "o:l:home"]).stdout, "a");
    // As a part of the whole, links come out to the letter.
    oma.ok(&["checkout", "o:l", "whole"]);
    assert_eq!(super::shape(&top), super::shape(&oma.path("whole")));
}

#[test]
fn a_directory_has_no_bytes() {
    let oma = Oma::new();
    bound(&oma);
    for reference in ["o:t", "o:t:", "o:t:deep", "o:t:way"] {
        let ran = oma.fails(1, &["cat", reference]);
        assert!(ran.stderr.contains("is a directory") && ran.stderr.contains("hint: `oma "), "{ran:#?}");
        assert_eq!(ran.stdout, "");
    }
    oma.fails(3, &["cat", "o:t:none"]);
    oma.fails(3, &["cat", "o:none"]);
    assert_eq!(oma.fails(3, &["--json", "cat", "o:none"]).error_kind(), "not_found");
}

/// `head` closes the pipe when it has enough.
#[test]
fn a_reader_that_goes_away() {
    let oma = Oma::new();
    bound(&oma);
    let mut command = oma.command(&["cat", "o:t:large"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = [0; 10];
    let mut pipe = child.stdout.take().unwrap();
    std::io::Read::read_exact(&mut pipe, &mut first).unwrap();
    assert_eq!(first, large()[..10]);
    drop(pipe);
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

/// Nothing of a small one comes out, and never all of a large one.
#[test]
fn a_damaged_file() {
    let oma = Oma::new();
    bound(&oma);
    for (name, content) in [("a", vec![b'b']), ("large", vec![b'x'; LARGE]), ("a", b"longer".to_vec())] {
        let path = fs::canonicalize(Path::new(&oma.line(&["path", "o:t"])).join(name)).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        fs::write(&path, &content).unwrap();
        let (code, out) = bytes(&oma, &["cat", &format!("o:t:{name}")]);
        assert_eq!(code, Some(4), "{name}");
        assert!(out.len() < content.len() && (content.len() > 100 || out.is_empty()), "{name}: {} bytes", out.len());
    }
}

/// `cmp` reads a pipe of it.
#[test]
fn cmp_agrees() {
    let oma = Oma::new();
    bound(&oma);
    let mut cat = oma.command(&["cat", "o:t:large"]).stdout(Stdio::piped()).spawn().unwrap();
    let pipe = cat.stdout.take().unwrap();
    let cmp = Command::new("cmp").arg("-").arg(oma.path("src/large")).stdin(pipe).output().expect("`cmp`");
    assert!(cmp.status.success(), "{}", String::from_utf8_lossy(&cmp.stdout));
    assert!(cat.wait().unwrap().success());
}
