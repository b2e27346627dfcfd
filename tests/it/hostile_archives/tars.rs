//! Tars.

use super::Case;
use super::forge::{Forge, octal};

pub(super) fn cases() -> Vec<Case> {
    [names(), links(), kinds(), lies(), costs()].into_iter().flatten().collect()
}

fn case(intent: &str, archive: Forge, reason: &'static str) -> Case {
    Case::new(intent, archive.done(), reason)
}

fn tar() -> Forge {
    Forge::default()
}

fn names() -> Vec<Case> {
    let long = |name: &str| tar().pax(&[("path", name)]).file("x", b"pwned");
    let prefix = |block: &mut [u8; 512]| {
        block[257..265].copy_from_slice(b"ustar\x0000");
        block[345..347].copy_from_slice(b"..");
    };
    vec![
        case("a file upward", tar().file("../outside/pwned", b"x"), "leads upward"),
        case("a file upward from below", tar().directory("a").file("a/../../outside/pwned", b"x"), "leads upward"),
        case("upward in a dotted name", tar().file("././../outside/pwned", b"x"), "leads upward"),
        case("a folder upward", tar().directory("../outside/pwned"), "leads upward"),
        case("a link upward", tar().symlink("../outside/pwned", "x"), "leads upward"),
        case("upward in a PAX name", long("../outside/pwned"), "leads upward"),
        case("upward in a GNU long name", tar().entry(b'L', "L", "", b"../outside/p\0").file("x", b""), "leads upward"),
        case(
            "upward in the ustar prefix",
            tar().changed_header(b'0', b"outside/pwned", b"", octal(0), prefix),
            "leads upward",
        ),
        case("an absolute file", tar().file("/tmp/oma-pwned", b"x"), "is an absolute path"),
        case("an absolute folder", tar().directory("/"), "is an absolute path"),
        case("a name that ends early in C", long("a\0/../x"), "zero byte"),
        case("no name", tar().file("", b""), "has no name"),
        case("the top as a file", tar().file(".", b"x"), "stands for the top"),
        case("the top as a link", tar().symlink("./", "../outside"), "stands for the top"),
        case("a part of 256 bytes", long(&"x".repeat(256)), "more than 255 bytes"),
        case("a path of 4,100 bytes", long(&"abcdefghi/".repeat(410)), "longer than 4096 bytes"),
        case("a path that fits alone but not in the store", long(&"abcdefghi/".repeat(400)), "`abc"),
        case("256 folders deep", long(&"a/".repeat(256)), "deeper than 255"),
        case("an escape code in a name", tar().file("../\x1b[2J\u{202e}", b""), "`../\\x1b[2J\\u{202e}`"),
    ]
}

fn links() -> Vec<Case> {
    let through = "leads through `l`, which is no directory";
    let link = |target: &str| tar().symlink("l", target);
    vec![
        case("a file through a link", link("../../outside").file("l/pwned", b"x"), through),
        case("a file through an absolute link", link("/tmp").file("l/oma-pwned", b"x"), through),
        case("a folder through a link", link("../../outside").directory("l/pwned"), through),
        case("a link through a link", link("../../outside").symlink("l/pwned", "x"), through),
        case("a hard link through a link", link("..").file("f", b"x").hard_link("l/pwned", "f"), through),
        case("a hard link to something behind a link", link("../../outside").hard_link("h", "l/secret"), through),
        case("a link taken for a folder", link("../../outside").directory("l"), through),
        case("a second name of a link", link("../..").hard_link("m", "l").file("m/x", b""), "leads through `m`"),
        case("a file in place of a link", link("../../outside/secret").file("l", b"pwned"), "comes twice"),
        case("a link in place of a folder", tar().directory("d").symlink("d", "..").file("d/x", b""), "comes twice"),
        case("a link in place of a file", tar().file("f", b"x").symlink("f", ".."), "comes twice"),
        case("a folder in place of a file", tar().file("f", b"x").directory("f"), "leads through `f`"),
        case("a hard link upward", tar().hard_link("h", "../../outside/secret"), "leads upward"),
        case("an absolute hard link", tar().hard_link("h", "/etc/passwd"), "is an absolute path"),
        case("a hard link to itself", tar().hard_link("h", "h"), "does not come before"),
        case("a hard link to what follows", tar().hard_link("h", "f").file("f", b""), "does not come before"),
        case("a hard link to a folder", tar().directory("d").hard_link("h", "d"), "is no file"),
        case("a link without a target", tar().symlink("l", ""), "target is empty"),
        case("a link of 4,096 bytes", tar().pax(&[("linkpath", &"x".repeat(4096))]).symlink("l", "x"), "too long"),
    ]
}

fn kinds() -> Vec<Case> {
    let kind = |kind: u8, name: &str| tar().entry(kind, name, "", b"");
    vec![
        case("a character device", kind(b'3', "null"), "`null` is a device"),
        case("a block device", kind(b'4', "disk"), "`disk` is a device"),
        case("a named pipe", kind(b'6', "pipe"), "`pipe` is a named pipe"),
        case("another volume", kind(b'M', "rest"), "another volume"),
        case("a list of what to delete", kind(b'D', "dump"), "unknown kind (`D`)"),
        case("an unknown kind", kind(b's', "socket"), "unknown kind (`s`)"),
        case("an escape code as a kind", kind(0x1b, "x"), "unknown kind (`\\x1b`)"),
        case("a folder with data", tar().entry(b'5', "d", "", b"x"), "is no file but has data"),
        case("a link with data", tar().entry(b'2', "l", "x", &[0; 512]), "is no file but has data"),
    ]
}

fn lies() -> Vec<Case> {
    let sized = |size: &[u8; 12]| tar().file("x", b"").header(b'0', b"big", b"", *size);
    let everything = |key: &str, value: &str| {
        let line = format!("{} {key}={value}\n", key.len() + value.len() + 5);
        assert_eq!(line.len(), key.len() + value.len() + 5, "two digits");
        tar().entry(b'g', "g", "", line.as_bytes()).file("x", b"")
    };
    vec![
        case("more data than there is", sized(b"77777777777\0"), "is cut off within an entry"),
        case("a negative size", sized(&[0xff; 12]), "is negative"),
        case("a size beyond all counting", sized(b"\x80\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff"), "is too large"),
        case("a size in letters", sized(b"0000000009\0\0"), "is no number"),
        case("a PAX size of -1", tar().pax(&[("size", "-1")]).file("x", b""), "no proper number"),
        case("a name for all entries", everything("path", "../outside/pwned"), "of all its entries at once"),
        case("a size for all entries", everything("size", "1099511627"), "of all its entries at once"),
        case("a PAX line that is shorter than it says", tar().entry(b'x', "x", "", b"99 path=a\n"), "is broken"),
        case("a long name and nothing it is for", tar().entry(b'L', "L", "", b"n\0"), "ends before the entry"),
    ]
}

fn costs() -> Vec<Case> {
    let huge = |kind: u8| tar().header(kind, b"x", b"", octal(3 << 30));
    let sparse = |size: &str, map: &str| {
        tar().pax(&[("GNU.sparse.name", "s"), ("GNU.sparse.realsize", size), ("GNU.sparse.map", map)]).file("x", b"")
    };
    vec![
        case(
            "more bytes than anybody takes",
            tar().pax(&[("size", "1099511627777")]).file("x", b""),
            "more than 1099511",
        ),
        case("a name of 3 GiB", huge(b'L'), "a name or extended header has 3221225472 bytes"),
        case("a link of 3 GiB", huge(b'K'), "a name or extended header has 3221225472 bytes"),
        case("an extended header of 3 GiB", huge(b'x'), "a name or extended header has 3221225472 bytes"),
        case("a global header of 3 GiB", huge(b'g'), "a name or extended header has 3221225472 bytes"),
        case("a hole of a tebibyte", sparse("1099511627776", "1099511627776,0"), "out of proportion"),
        case("holes that overlap", sparse("100", "0,10,5,10"), "overlap or leave the file"),
        case("a hole beyond the end", sparse("100", "200,0"), "overlap or leave the file"),
        case("a map with half a piece", sparse("100", "0,1,2"), "map is broken"),
    ]
}
