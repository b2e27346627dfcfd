//! What zip leaves to its readers: names, kinds, ways of packing, and what may be believed.

use std::io::Write as _;

use super::forge_zip::{Entry, sum_of, zip};
use super::*;

fn refused(entries: &[Entry], reason: &str) {
    let found = Place::new().refusal(&zip(entries));
    assert!(found.contains(reason), "`{found}` does not speak of `{reason}`");
}

fn names(entries: &[Entry]) -> Vec<Vec<u8>> {
    let content = Place::new().content(&zip(entries));
    content.into_keys().map(|path| path.into_os_string().into_encoded_bytes()).collect()
}

/// An entry whose content was packed.
fn packed(method: u16, content: &[u8], data: Vec<u8>) -> Entry {
    Entry { data, method, ..Entry::new("f", content) }
}

fn deflated(content: &[u8]) -> Entry {
    let mut packer = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
    packer.write_all(content).expect("packed");
    packed(8, content, packer.finish().expect("packed"))
}

fn xz_of(content: &[u8], dictionary: u32) -> Option<Vec<u8>> {
    let mut options = liblzma::stream::LzmaOptions::new_preset(0).expect("options");
    options.dict_size(dictionary);
    let mut filters = liblzma::stream::Filters::new();
    filters.lzma2(&options);
    let stream = liblzma::stream::Stream::new_stream_encoder(&filters, liblzma::stream::Check::Crc32).ok()?;
    let mut packer = liblzma::write::XzEncoder::new_stream(Vec::new(), stream);
    packer.write_all(content).expect("packed");
    Some(packer.finish().expect("packed"))
}

#[test]
fn names_of_unix_are_bytes_and_others_are_cp437_or_utf8_with_backslashes() {
    assert_eq!(names(&[Entry::new(b"a\\b \xff", b"")]), [b"a\\b \xff"]);
    let dos = |name: &[u8]| Entry { system: 0, ..Entry::new(name, b"") };
    assert_eq!(names(&[dos(b"d\\M\x81ller")]), [b"d".to_vec(), "d/Müller".into()]);
    assert_eq!(names(&[dos("naïve".as_bytes())]), ["naïve".as_bytes()]);
    assert_eq!(names(&[dos(b"d\\")]), [b"d"]);
    refused(&[dos(b"C:\\x")], "`C:\\\\x` is an absolute path");
    refused(&[dos(b"..\\x")], "leads upward");
    refused(&[dos(b"\\x")], "is an absolute path");
}

#[test]
fn kinds_are_those_that_unix_wrote() {
    let entries = [
        Entry { mode: 0o100_755, ..Entry::new("tool", b"x") },
        Entry { mode: 0o106_777, ..Entry::new("set-id", b"x") },
        Entry { mode: 0o600, ..Entry::new("untyped", b"x") },
        Entry { mode: 0, ..Entry::new("unsaid", b"x") },
        Entry { mode: 0o120_777, ..Entry::new("link", b"../x") },
        Entry { mode: 0o040_755, ..Entry::new("folder", b"") },
        Entry::new("also a folder/", b""),
    ];
    let content = Place::new().content(&zip(&entries));
    let kind = |name: &str| (content[Path::new(name)].0, content[Path::new(name)].1);
    assert_eq!([kind("tool"), kind("set-id")], [('f', true); 2]);
    assert_eq!([kind("untyped"), kind("unsaid")], [('f', false); 2]);
    assert_eq!(content[Path::new("link")].2, b"../x");
    assert_eq!([kind("folder"), kind("also a folder")], [('d', true); 2]);
    for (mode, reason) in [(0o010_644, "is no file"), (0o020_644, "is no file"), (0o140_644, "is no file")] {
        refused(&[Entry { mode, ..Entry::new("x", b"") }], reason);
    }
}

#[test]
fn each_way_of_packing_gives_what_was_packed() {
    let content = b"some text, ".repeat(10_000);
    let mut bzip2 = ::bzip2::write::BzEncoder::new(Vec::new(), ::bzip2::Compression::new(1));
    bzip2.write_all(&content).expect("packed");
    let ways = [
        Entry::new("f", &content),
        deflated(&content),
        packed(12, &content, bzip2.finish().expect("packed")),
        packed(93, &content, ::zstd::encode_all(content.as_slice(), 1).expect("packed")),
        packed(95, &content, xz_of(&content, 1 << 20).expect("a packer")),
    ];
    for entry in ways {
        let method = entry.method;
        let found = Place::new().content(&zip(&[entry]));
        assert!(found[Path::new("f")].2 == content, "{method}");
    }
    refused(&[packed(9, b"x", b"x".to_vec())], "`f` is packed in a way that is not supported (Deflate64)");
    refused(&[packed(98, b"x", b"x".to_vec())], "not supported (Ppmd)");
    refused(&[packed(0x7777, b"x", b"x".to_vec())], "not supported (Unknown)");
}

#[test]
fn bytes_are_held_against_what_the_headers_say() {
    let content = b"content".repeat(100);
    let short = Entry { size: 800, ..deflated(&content) };
    refused(&[short], "`f` is cut off");
    let long = Entry { size: 600, ..deflated(&content) };
    refused(&[long], "`f` has more bytes than it says");
    let wrong = Entry { sum: 1, ..deflated(&content) };
    refused(&[wrong], "`f` is broken (its checksum is wrong)");
    let mut cut = deflated(&content);
    cut.data.pop();
    let reason = Place::new().refusal(&zip(&[cut]));
    assert!(reason.contains("`f` is "), "{reason}");
    let wrong = Entry { sum: 1, mode: 0o120_777, ..Entry::new("l", b"target") };
    refused(&[wrong], "`l` is broken (its checksum is wrong)");
}

/// A tar's ratio is that of its stream; a zip has a stream for each entry.
#[test]
fn a_bomb_is_stopped_before_it_is_written() {
    let zeros = vec![0; 32 << 20];
    let mut bomb = ::zstd::Encoder::new(Vec::new(), 19).expect("a packer");
    bomb.write_all(&zeros).expect("packed");
    let bomb = packed(93, &zeros, bomb.finish().expect("packed"));
    assert!(bomb.data.len() < 20_000);
    refused(&[bomb], "a file of 33554432 bytes is out of proportion to it");
    // Each of them is small, all together are not.
    let part = |number: usize| Entry { name: format!("{number}").into_bytes(), ..deflated(&zeros[..5 << 20]) };
    let [three, four] = [3, 4].map(|count| (0..count).map(part).collect::<Vec<Entry>>());
    Place::new().content(&zip(&three));
    refused(&four, "a file of 5242880 bytes is out of proportion to it");
    let limits = Limits { bytes: 10 << 20, ..Limits::default() };
    let outcome = Place::new().unpack_within(&zip(&three), &limits);
    assert!(matches!(outcome, Err(Error::Archive { reason, .. }) if reason.contains("more than 10485760 bytes")));
    let limits = Limits { entries: 2, ..Limits::default() };
    let outcome = Place::new().unpack_within(&zip(&three), &limits);
    assert!(matches!(outcome, Err(Error::Archive { reason, .. }) if reason.contains("more than 2 entries")));
}

#[test]
fn a_header_that_asks_for_too_much_memory_is_refused() {
    let Some(data) = xz_of(b"x", 1536 << 20) else {
        println!("SKIPPED: no memory for packing with a large dictionary");
        return;
    };
    refused(&[packed(95, b"x", data)], "`f` is broken");
    let lzma = [[9, 20, 5, 0].as_slice(), &[0x5d, 0xff, 0xff, 0xff, 0xff], &[0; 40]].concat();
    refused(&[packed(14, b"x", lzma)], "`f` is broken");
}

/// A name twice, in whatever spelling, and a folder where a file is.
#[test]
fn a_name_stands_for_one_thing() {
    refused(&[Entry::new("a", b"1"), Entry::new("./a", b"2")], "`a` comes twice");
    refused(&[Entry::new("d/a", b"1"), Entry::new("d//a", b"2")], "`d/a` comes twice");
    refused(&[Entry::new("a", b"1"), Entry { system: 0, ..Entry::new("b\\..\\a", b"2") }], "leads upward");
    refused(&[Entry::new("a", b"1"), Entry::new("a/", b"")], "leads through `a`");
    refused(&[Entry::new("d/", b""), Entry::new("d", b"")], "comes twice");
    assert_eq!(names(&[Entry::new("d/", b""), Entry::new("d/./", b"")]), [b"d"]);
}

#[test]
fn an_empty_zip_is_an_empty_folder_and_zeros_are_a_file() {
    assert_eq!(Place::new().content(&zip(&[])).len(), 0);
    let zeros = |count| ::zstd::encode_all(vec![0; count].as_slice(), 1).expect("packed");
    for count in [1_024, 10_240] {
        assert_eq!(Place::new().unpack(&zeros(count)).expect("unpacked").shape, Shape::Tree, "{count}");
    }
    for count in [100, 1_025, 10_752, 1 << 20] {
        let found = Place::new().unpack(&zeros(count)).expect("unpacked");
        assert_eq!(found, Unpacked { shape: Shape::File, files: 1, bytes: count as u64 });
    }
    assert_eq!(sum_of(b"123456789"), 0xcbf4_3926, "the check value of CRC-32");
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 300, ..proptest::prelude::ProptestConfig::default() })]

    /// A zip with any bytes changed is refused, or gives the names and bytes that it gave before.
    #[test]
    fn no_changed_byte_gives_other_content(changes in proptest::collection::vec((0usize..2_000, 1u8..), 1..4)) {
        let link = Entry { mode: 0o120_777, ..Entry::new("d/l", b"../../outside") };
        let archive = zip(&[Entry::new("d/", b""), link, deflated(&b"text".repeat(50)), Entry::new("d/g", b"stored")]);
        let place = Place::new();
        let before = place.content(&archive);
        let mut changed = archive.clone();
        for (at, bits) in changes {
            let at = at % changed.len();
            changed[at] ^= bits;
        }
        if place.unpack(&changed).is_ok() {
            let bytes = |listing: Listing| listing.into_values().filter(|(kind, ..)| *kind == 'f').map(|(.., bytes)| bytes);
            let known: Vec<Vec<u8>> = bytes(before).collect();
            for found in bytes(listing(&place.dest())) {
                assert!(known.contains(&found) || found == b"../../outside", "{found:?}");
            }
        }
    }
}
