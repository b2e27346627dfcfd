//! Archives made to fill the disk or the memory.

use std::io::Write as _;

use super::forge::{Forge, octal};
use super::hostile::refused;
use super::*;

#[test]
fn memory_is_not_for_names() {
    let huge = octal(3 << 30);
    refused(Forge::default().header(b'L', b"L", b"", huge), "a name or extended header has 3221225472 bytes");
    refused(Forge::default().header(b'K', b"K", b"", huge), "a name or extended header has 3221225472 bytes");
    refused(Forge::default().header(b'x', b"x", b"", huge), "a name or extended header has 3221225472 bytes");
    let map = [("GNU.sparse.major", "1"), ("GNU.sparse.name", "s"), ("GNU.sparse.realsize", "0")];
    let listed = |list: &str| {
        let mut data = list.as_bytes().to_vec();
        data.resize(512, 0);
        Forge::default().pax(&map).file("x", &data)
    };
    refused(listed("99999999\n"), "more than 1000000 pieces");
    refused(listed(&"1".repeat(512)), "broken");
    refused(listed("x\n"), "no proper number");
    refused(listed("1\n"), "broken");
    refused(listed("2\n0\n10\n5\n10\n"), "overlap or leave the file");
    refused(listed(&"1\n".repeat(256).replacen('1', "999999", 1)[..512]), "is cut off");
}

#[test]
fn a_sparse_file_that_lies_is_refused() {
    let sparse = |map: &'static [u8], real: &'static [u8; 12], data: usize| {
        let change = move |block: &mut [u8; 512]| {
            block[386..386 + map.len()].copy_from_slice(map);
            block[483..495].copy_from_slice(real);
        };
        let size = octal(data as u64);
        Forge::default().changed_header(b'S', b"s", b"", size, change).data(&vec![1; data])
    };
    refused(sparse(b"00000000000\x0000000001000\0", b"00000000100\0", 512), "overlap or leave the file");
    refused(sparse(b"00000000000\x0000000000010\0", b"00000000100\0", 512), "do not add up");
    refused(
        sparse(b"00000000100\x0000000000010\x0000000000000\x0000000000010\0", b"00000001000\0", 16),
        "overlap or leave the file",
    );
    refused(sparse(b"", b"77777777777\0", 0), "out of proportion");
    // Pieces of eight bytes each begin at a block of the archive, so they cannot add up to 16 bytes of it.
    refused(
        sparse(b"00000000000\x0000000000010\x0000000000100\x0000000000010\0", b"00000001000\0", 16),
        "do not fill blocks",
    );
}

#[test]
fn a_bomb_is_stopped_early() {
    let zeros = Forge::default().header(b'0', b"zeros", b"", octal(6 << 30)).open_end();
    let mut bomb = zstd::Encoder::new(Vec::new(), 1).expect("an encoder");
    bomb.write_all(&zeros).expect("packed");
    for _ in 0..256 {
        bomb.write_all(&vec![0; 1 << 20]).expect("packed");
    }
    let bomb = bomb.finish().expect("packed");
    let reason = Place::new().refusal(&bomb);
    assert!(reason.contains("grows beyond") && bomb.len() < 100_000, "{reason}");
    // Also when it comes after the end of the tar.
    let mut bomb = zstd::Encoder::new(Vec::new(), 1).expect("an encoder");
    for _ in 0..256 {
        bomb.write_all(&vec![0; 1 << 20]).expect("packed");
    }
    assert!(Place::new().refusal(&bomb.finish().expect("packed")).contains("grows beyond"));
}

#[test]
fn limits_hold() {
    let place = Place::new();
    let within = |archive: Forge, limits: Limits| match place.unpack_within(&archive.done(), &limits) {
        Err(Error::Archive { reason, .. }) => Some(reason),
        Ok(_) => {
            place.clear();
            None
        }
        Err(other) => panic!("{other}"),
    };
    let three = Forge::default().file("a", b"x").file("b", b"y").symlink("c", "d");
    assert_eq!(within(three.clone(), Limits { entries: 3, ..Limits::default() }), None);
    let reason = within(three, Limits { entries: 2, ..Limits::default() });
    assert_eq!(reason.as_deref(), Some("it has more than 2 entries"));
    let deep = Forge::default().file("a/b/c/d/e/f/g", b"");
    assert!(within(deep, Limits { entries: 5, ..Limits::default() }).is_some());
    let bytes = Limits { bytes: 10, ..Limits::default() };
    assert_eq!(within(Forge::default().file("a", b"12345").file("b", b"67890"), bytes), None);
    let reason = within(Forge::default().file("a", b"12345").file("b", b"678901"), bytes);
    assert_eq!(reason.as_deref(), Some("its files have more than 10 bytes"));
    assert!(within(Forge::default().file("a", b"123456").hard_link("b", "a"), bytes).is_some());
}
