//! Zips.

use std::io::Write as _;

use super::Case;
use super::forge_zip::{Entry, end, sum_of, zip};

pub(super) fn cases() -> Vec<Case> {
    [names(), kinds(), lies(), structures(), costs()].into_iter().flatten().collect()
}

fn case(intent: &str, entries: &[Entry], reason: &'static str) -> Case {
    Case::new(format!("zip: {intent}"), zip(entries), reason)
}

fn file(name: &str) -> Entry {
    Entry::new(name, b"pwned")
}

fn link(name: &str, target: &str) -> Entry {
    Entry { mode: 0o120_777, ..Entry::new(name, target.as_bytes()) }
}

fn names() -> Vec<Case> {
    let dos = |name: &str| Entry { system: 0, ..file(name) };
    vec![
        case("upward", &[file("../outside/pwned")], "leads upward"),
        case("upward from below", &[file("a/b/../../../outside/pwned")], "leads upward"),
        case("upward as DOS writes it", &[dos("..\\outside\\pwned")], "leads upward"),
        case("absolute", &[file("/tmp/oma-pwned")], "is an absolute path"),
        case("absolute as DOS writes it", &[dos("\\tmp\\oma-pwned")], "is an absolute path"),
        case("on a drive", &[dos("C:\\oma-pwned")], "is an absolute path"),
        case("on a drive, relative", &[dos("c:pwned")], "is an absolute path"),
        case("a name that ends early in C", &[file("a\0.txt")], "zero byte"),
        case("no name", &[file("")], "has no name"),
        case("the top as a file", &[file(".")], "stands for the top"),
        case("a part of 256 bytes", &[file(&"x".repeat(256))], "more than 255 bytes"),
        case("256 folders deep", &[file(&format!("{}x", "a/".repeat(256)))], "deeper than 255"),
        case("a path of 4,100 bytes", &[file(&"abcdefghi/".repeat(410))], "longer than 4096 bytes"),
        case("an escape code", &[file("../\x1b[2J")], "`../\\x1b[2J`"),
    ]
}

fn kinds() -> Vec<Case> {
    let moded = |mode: u32| Entry { mode, ..Entry::new("x", b"") };
    let through = "leads through `l`, which is no directory";
    vec![
        case("through a link", &[link("l", "../../outside"), file("l/pwned")], through),
        case("a folder through a link", &[link("l", "../../outside"), Entry::new("l/d/", b"")], through),
        case("a link and a folder", &[link("l/", "../../outside")], "is a link with the name of a directory"),
        case("a file in place of a link", &[link("l", "../../outside/secret"), file("./l")], "`l` comes twice"),
        case("a link of 5,000 bytes", &[link("l", &"x".repeat(5_000))], "too long"),
        case("a link without a target", &[link("l", "")], "target is empty"),
        case("a device", &[moded(0o020_666)], "is no file, directory or symbolic link"),
        case("a named pipe", &[moded(0o010_666)], "is no file, directory or symbolic link"),
        case("a socket", &[moded(0o140_666)], "is no file, directory or symbolic link"),
        case("a folder with data", &[file("d/")], "is no file but has data"),
        case("encrypted", &[Entry { flags: 1, ..file("x") }], "`x` is encrypted"),
        case("packed in an unknown way", &[Entry { method: 77, ..file("x") }], "packed in a way that is not supported"),
    ]
}

fn lies() -> Vec<Case> {
    vec![
        case(
            "another name in front of the data",
            &[Entry { local_name: Some(b"good".to_vec()), ..file("evil") }],
            "name",
        ),
        case("another size in front of the data", &[Entry { local_size: Some(1), ..file("x") }], "size mismatch"),
        case("a wrong sum", &[Entry { sum: 1, ..file("x") }], "its checksum is wrong"),
        case("a wrong sum of a link", &[Entry { sum: 1, ..link("l", "x") }], "its checksum is wrong"),
        case("more bytes than it says", &[Entry { size: 2, ..file("x") }], "has more bytes than it says"),
        case("fewer bytes than it says", &[Entry { size: 9, ..file("x") }], "is cut off"),
        case("a name twice", &[file("x"), Entry::new("x", b"other")], "duplicate file names"),
        case("a name twice, spelled in two ways", &[file("d/x"), Entry::new("d/./x", b"other")], "`d/x` comes twice"),
        case("no deflate stream", &[Entry { method: 8, ..file("x") }], "`x` is "),
        case("no zstd stream", &[Entry { method: 93, ..file("x") }], "`x` is "),
    ]
}

fn structures() -> Vec<Case> {
    let whole = zip(&[file("a"), Entry::new("b", b"other")]);
    let changed = |from: &[u8], to: &[u8]| {
        let at = whole.windows(from.len()).rposition(|window| window == from).expect("there");
        [&whole[..at], to, &whole[at + from.len()..]].concat()
    };
    let inner = zip(&[file("../outside/pwned")]);
    // The list of the outer one begins behind the inner one, so its entries are nobody's.
    let hidden = [inner.clone(), end(0, 0, inner.len())].concat();
    let mut many_disks = whole.clone();
    let last = many_disks.len() - 18;
    many_disks[last] = 1;
    let case = |intent: &str, archive: Vec<u8>, reason| Case::new(format!("zip: {intent}"), archive, reason);
    vec![
        case("cut off", whole[..whole.len() - 1].to_vec(), "its zip structure is broken"),
        case("only its start", whole[..40].to_vec(), "its zip structure is broken"),
        case(
            "a list that is not where it should be",
            changed(b"PK\x01\x02", b"PK\x01\x03"),
            "its zip structure is broken",
        ),
        case("more entries than there are", changed(&[2, 0, 2, 0], &[9, 0, 9, 0]), "its zip structure is broken"),
        case("fewer entries than there are", changed(&[2, 0, 2, 0], &[1, 0, 1, 0]), "its zip structure is broken"),
        case("entries that the list leaves out", hidden, "missing from central directory"),
        case("on many disks", many_disks, "zip"),
        case("two zips after each other", [whole.clone(), whole.clone()].concat(), "its zip structure is broken"),
        case("behind a program", [b"#!/bin/sh\n".to_vec(), whole.clone()].concat(), "neither tar nor zip"),
    ]
}

fn costs() -> Vec<Case> {
    let zeros = vec![0; 32 << 20];
    let mut bomb = zstd::Encoder::new(Vec::new(), 1).expect("a packer");
    bomb.write_all(&zeros).expect("packed");
    let data = bomb.finish().expect("packed");
    let bomb = Entry { method: 93, data, size: 32 << 20, sum: sum_of(&zeros), ..file("zeros") };
    // Many names for the same packed bytes, after David Fifield.
    let overlapping: Vec<Entry> =
        (0..50).map(|number: u8| Entry { shares: number > 0, ..file(&number.to_string()) }).collect();
    let huge = Entry { size: u64::from(u32::MAX) - 1, local_size: Some(u64::from(u32::MAX) - 1), ..file("x") };
    let lzma = [[9, 20, 5, 0].as_slice(), &[0x5d, 0xff, 0xff, 0xff, 0xff], &[0; 40]].concat();
    vec![
        case("a bomb", &[bomb], "a file of 33554432 bytes is out of proportion"),
        case("entries that share their bytes", &overlapping, "its zip structure is broken"),
        case("a size of 4 GiB", &[huge], "out of proportion"),
        case("a dictionary of 4 GiB", &[Entry { method: 14, data: lzma, ..file("x") }], "`x` is broken"),
    ]
}
