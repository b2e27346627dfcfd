//! Taking artifacts out of the store. `diff`, `cmp` and a second store judge what comes out.

mod cat;
#[cfg(feature = "failpoints")]
mod crash;
mod modes;
mod parts;
mod random;
mod refused;
mod together;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use ohmyartifacts::{Cache, CheckoutMode, CheckoutOptions, Reference, VerifyOptions};

use crate::support::oma::Oma;
use crate::support::{make_executable, mode_of};

/// Large enough to be copied in pieces.
const LARGE: usize = 3 * 1024 * 1024 + 17;

/// A directory with all that a directory can have, bound to `o:t`; returns its hash.
fn bound(oma: &Oma) -> String {
    let top = oma.tree("src", &[("a", "a"), ("twin", "a"), ("deep/er/b", "b"), ("zero", ""), ("void/", "")]);
    fs::write(top.join("large"), large()).unwrap();
    make_executable(&top.join("twin"));
    symlink("../a", top.join("deep/up")).unwrap();
    symlink("deep", top.join("way")).unwrap();
    oma.line(&["-o", "o", "add", &oma.at("src"), "--bind", "t"])
}

fn large() -> Vec<u8> {
    (0..LARGE).map(|at| u8::try_from((at * 31 + at / 251) % 251).unwrap()).collect()
}

/// The program `diff` finds no difference, and the same files can be executed.
fn assert_same(source: &Path, out: &Path, when: &str) {
    let diff = Command::new("diff").arg("-r").args([source, out]).output().expect("`diff`");
    assert!(diff.status.success(), "{when}: {}", String::from_utf8_lossy(&diff.stdout));
    assert_eq!(executables(source), executables(out), "{when}");
}

/// The files below that can be executed, links followed.
fn executables(top: &Path) -> Vec<PathBuf> {
    let files =
        walkdir::WalkDir::new(top).follow_links(true).sort_by_file_name().into_iter().map(|found| found.unwrap());
    let files = files.filter(|found| found.file_type().is_file());
    let able = files.filter(|found| found.metadata().unwrap().permissions().mode() & 0o100 != 0);
    able.map(|found| found.path().strip_prefix(top).unwrap().to_owned()).collect()
}

/// Every path below, with what it is: nothing is followed.
fn shape(top: &Path) -> BTreeMap<PathBuf, (char, Vec<u8>)> {
    let mut shape = BTreeMap::new();
    for found in walkdir::WalkDir::new(top).min_depth(1) {
        let path = found.unwrap().into_path();
        let kind = path.symlink_metadata().unwrap().file_type();
        let what = if kind.is_symlink() {
            ('l', fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes())
        } else if kind.is_dir() {
            ('d', Vec::new())
        } else {
            (if mode_of(&path) & 0o100 == 0 { 'f' } else { 'x' }, fs::read(&path).unwrap())
        };
        shape.insert(path.strip_prefix(top).unwrap().to_owned(), what);
    }
    shape
}

/// What was laid out beside a place and not taken away.
fn left_beside(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    names.filter(|name| name.starts_with(".oma-checkout-")).collect()
}

fn assert_clean(oma: &Oma) {
    let problems = oma.open().verify(&VerifyOptions::new()).unwrap().problems;
    assert_eq!(problems, []);
    assert_eq!(left_beside(&oma.path("")), Vec::<String>::new());
}

/// Takes out what is bound to `o:t`, by the library.
fn take(cache: &Cache, dest: &Path, mode: CheckoutMode) -> ohmyartifacts::Result<ohmyartifacts::CheckedOut> {
    cache.checkout(Reference::new("o:t", None), dest, &CheckoutOptions::new().mode(mode))
}
