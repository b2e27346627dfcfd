//! Data made by git and by the original program: the same input must get the same answer here.
//!
//! What each file of `tests/data` is, its README says.

mod cases;
mod iris;
mod trace;
mod vectors;

use std::fs;
use std::io::Read as _;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use ohmyartifacts::{Cache, Digest, Entry, Node, VerifyOptions};
use serde::Deserialize;

/// A path, as text or, where it is not UTF-8, as bytes.
#[derive(Deserialize)]
#[serde(untagged)]
enum Name {
    Text(PathBuf),
    Bytes { b64: String },
}

/// One path of an input tree, in the words of any of the files.
#[derive(Deserialize)]
struct Item {
    path: Name,
    #[serde(alias = "type")]
    kind: String,
    /// Octal; where it is missing, `executable` decides.
    mode: Option<String>,
    executable: Option<bool>,
    #[serde(alias = "b64")]
    content_b64: Option<String>,
    text: Option<String>,
    /// The content is a rule, see [`Item::content`].
    #[serde(rename = "gen")]
    rule: Option<String>,
    size: Option<usize>,
    target: Option<PathBuf>,
    blob_sha256: Option<Digest>,
}

impl Item {
    fn path(&self) -> PathBuf {
        match &self.path {
            Name::Text(path) => path.clone(),
            Name::Bytes { b64 } => std::ffi::OsString::from_vec(bytes(b64)).into(),
        }
    }

    fn mode(&self) -> u32 {
        let of_bit = if self.executable == Some(true) { 0o755 } else { 0o644 };
        self.mode.as_deref().map_or(of_bit, |mode| u32::from_str_radix(mode, 8).expect("an octal mode"))
    }

    fn content(&self) -> Vec<u8> {
        let size = || self.size.expect("a file made by a rule has a size");
        match (&self.text, &self.content_b64, self.rule.as_deref()) {
            (Some(text), None, None) => text.clone().into_bytes(),
            (None, Some(b64), None) => bytes(b64),
            (None, None, Some("byte i (from 0) = (i*31+7) mod 251")) => {
                (0..size()).map(|i| u8::try_from((i * 31 + 7) % 251).expect("less than 251")).collect()
            }
            other => panic!("{}: no content, or two: {other:?}", self.path().display()),
        }
    }

    fn target(&self) -> &Path {
        self.target.as_deref().expect("a link has a target")
    }

    fn is_file(&self) -> bool {
        self.kind == "file"
    }

    fn is_link(&self) -> bool {
        self.kind == "symlink"
    }
}

/// Writes items below `top`, which is made if it is not there. Modes of directories come last, so
/// that one that must not be written can be filled.
fn lay(top: &Path, items: &[Item]) {
    fs::create_dir_all(top).unwrap();
    for item in items {
        let at = top.join(item.path());
        fs::create_dir_all(at.parent().expect("it lies below the top")).unwrap();
        match item.kind.as_str() {
            "dir" => fs::create_dir_all(&at).unwrap(),
            "symlink" => symlink(item.target(), &at).unwrap(),
            "file" => {
                fs::write(&at, item.content()).unwrap();
                fs::set_permissions(&at, fs::Permissions::from_mode(item.mode())).unwrap();
            }
            other => panic!("{other}: not a kind"),
        }
    }
    for item in items.iter().filter(|item| item.kind == "dir" && item.mode.is_some()) {
        fs::set_permissions(top.join(item.path()), fs::Permissions::from_mode(item.mode())).unwrap();
    }
}

fn bytes(b64: &str) -> Vec<u8> {
    STANDARD.decode(b64).expect("base64")
}

fn data(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    let packed = fs::File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut unpacked = Vec::new();
    GzDecoder::new(packed).read_to_end(&mut unpacked).unwrap();
    unpacked
}

/// The files and links of a listing. Directories count in no id, so one that holds nothing may be
/// there or not, as the tree that came first had it.
fn leaves(entries: Vec<Entry>) -> Vec<Entry> {
    entries.into_iter().filter(|entry| entry.node != Node::Directory).collect()
}

fn assert_sound(cache: &Cache, when: &str) {
    let report = cache.verify(&VerifyOptions::new()).unwrap();
    assert!(report.problems.is_empty(), "{when}: {:#?}", report.problems);
}
