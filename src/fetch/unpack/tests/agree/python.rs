//! Python's own archives.

use super::trees::*;
use super::*;

/// `tarfile`, which from some version on asks what it may unpack.
const UNPACK_TAR: &str = r#"python3 -c '
import sys, tarfile
archive = tarfile.open(sys.argv[1], errorlevel=2)
extra = {"filter": "fully_trusted"} if hasattr(tarfile, "data_filter") else {}
archive.extractall(sys.argv[2], **extra)
' "$1" "$2""#;

#[test]
fn every_format_of_tarfile_is_understood() {
    let pack = |format: &str| {
        format!(
            "python3 -c 'import sys, tarfile; tarfile.open(sys.argv[1], \"w\", format=tarfile.{format}_FORMAT).add(\".\")' \"$1\""
        )
    };
    for format in ["GNU", "PAX"] {
        agrees(make_nasty_tree, &pack(format), UNPACK_TAR);
    }
    agrees(make_plain_tree, &pack("USTAR"), UNPACK_TAR);
}

/// Keeps the files and folders; `zipfile` follows links, and does not restore modes when it unpacks.
#[expect(clippy::disallowed_methods, reason = "tests prepare the disk themselves")]
fn make_files(root: &Path) {
    make_nasty_tree(root);
    for link in ["link", "a/dangling", "to-directory", "long link"] {
        std::fs::remove_file(root.join(link)).expect("a link");
    }
    std::fs::remove_file(root.join(std::ffi::OsStr::from_bytes(b"\xff\xfe"))).expect("a name that is no text");
}

/// Packs `source` with these lines, where `z` opens the archive.
fn zipfile_agrees(lines: &str) {
    let script = format!(
        r#"python3 -c '
import os, sys, zipfile
class Pipe:
    def __init__(self, file): self.file = file
    def write(self, data): return self.file.write(data)
    def flush(self): self.file.flush()
def everything(z):
    for folder, folders, files in os.walk("."):
        for name in folders + files: z.write(os.path.join(folder, name))
{lines}
' "$1""#
    );
    let contest = Match::new(make_files);
    if contest.run(&script) {
        assert!(contest.ours() == listing(&contest.source()), "{lines}");
    } else {
        println!("SKIPPED: no Python here does `{lines}`");
    }
}

#[test]
fn every_way_of_packing_of_zipfile_is_understood() {
    for method in ["STORED", "DEFLATED", "BZIP2", "LZMA", "ZSTANDARD"] {
        zipfile_agrees(&format!(
            "with zipfile.ZipFile(sys.argv[1], \"w\", zipfile.ZIP_{method}, strict_timestamps=False) as z: everything(z)"
        ));
    }
}

#[test]
fn a_zip_written_to_a_pipe_and_one_with_long_numbers_are_understood() {
    for method in ["STORED", "DEFLATED", "LZMA"] {
        zipfile_agrees(&format!(
            "with zipfile.ZipFile(Pipe(open(sys.argv[1], \"wb\")), \"w\", zipfile.ZIP_{method}) as z: everything(z)"
        ));
    }
    zipfile_agrees(
        "
def long(z, path):
    info = zipfile.ZipInfo.from_file(path)
    if info.is_dir(): return z.writestr(info, b\"\")
    with z.open(info, \"w\", force_zip64=True) as target: target.write(open(path, \"rb\").read())
with zipfile.ZipFile(sys.argv[1], \"w\") as z:
    for folder, folders, files in os.walk(\".\"):
        for name in folders + files: long(z, os.path.join(folder, name))
",
    );
}
