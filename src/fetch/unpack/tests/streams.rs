//! Packed streams: whole, in several members, cut off and changed.

use std::io::Write as _;

use super::forge::Forge;
use super::*;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packer.write_all(bytes).expect("packed");
    packer.finish().expect("packed")
}

fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut packer = ::bzip2::write::BzEncoder::new(Vec::new(), ::bzip2::Compression::new(1));
    packer.write_all(bytes).expect("packed");
    packer.finish().expect("packed")
}

fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut packer = liblzma::write::XzEncoder::new(Vec::new(), 1);
    packer.write_all(bytes).expect("packed");
    packer.finish().expect("packed")
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    let mut packer = ::zstd::Encoder::new(Vec::new(), 1).expect("a packer");
    packer.include_checksum(true).expect("a checksum");
    packer.write_all(bytes).expect("packed");
    packer.finish().expect("packed")
}

type Pack = fn(&[u8]) -> Vec<u8>;

const PACKERS: [(&str, Pack); 4] = [("gzip", gzip), ("bzip2", bzip2), ("xz", xz), ("zstd", zstd)];

/// Some megabytes that hardly shrink, so that a stream is longer than a buffer.
fn archive() -> Vec<u8> {
    let mut state = 1_u64;
    let noise = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56).to_le_bytes()[0]
    });
    Forge::default().file("d/noise", &noise.take(400_000).collect::<Vec<u8>>()).symlink("l", "d").done()
}

#[test]
fn each_packing_gives_what_was_packed() {
    let place = Place::new();
    let expected = place.content(&archive());
    assert_eq!(expected.len(), 3);
    for (name, pack) in PACKERS {
        assert!(place.content(&pack(&archive())) == expected, "{name}");
    }
}

#[test]
fn members_and_frames_after_each_other_are_one_archive() {
    let place = Place::new();
    let whole = archive();
    let expected = place.content(&whole);
    let (start, end) = whole.split_at(123_457);
    for (name, pack) in PACKERS {
        assert!(place.content(&[pack(start), pack(b""), pack(end)].concat()) == expected, "{name}");
    }
    let skipped = b"\x50\x2a\x4d\x18\x04\0\0\0skip".to_vec();
    assert!(place.content(&[skipped.clone(), zstd(start), skipped, zstd(end)].concat()) == expected);
    assert!(place.content(&[gzip(&whole), vec![0; 300_000]].concat()) == expected, "padded as for a tape");
    assert!(place.content(&[xz(start), vec![0; 8], xz(end), vec![0; 4]].concat()) == expected, "stream padding");
}

#[test]
fn what_follows_the_end_of_a_tar_does_not_matter() {
    let place = Place::new();
    let expected = place.content(&archive());
    let followed = [archive(), b"anything".repeat(100_000)].concat();
    assert!(place.content(&followed) == expected);
    assert!(place.content(&gzip(&followed)) == expected);
    let lone = Forge::default().file("a", b"").data(&[0; 512]).file("b", b"").done();
    assert_eq!(place.content(&lone).len(), 1, "one block of zeros is the end, as for GNU tar");
}

#[test]
fn a_stream_that_is_cut_off_is_refused() {
    let place = Place::new();
    for (name, pack) in PACKERS {
        let packed = pack(&archive());
        let last = packed.len() - 1;
        for length in [11, 30, 1_000, last / 2, last - 30, last - 8, last - 4, last - 1, last] {
            let reason = place.refusal(&packed[..length]);
            assert!(reason.starts_with(&format!("its {name} stream is ")), "{name} {length}: {reason}");
        }
        for length in 1..11 {
            place.refusal(&packed[..length]);
        }
    }
}

#[test]
fn a_stream_that_was_changed_gives_no_other_content() {
    let place = Place::new();
    let small = Forge::default().file("f", &b"some text, ".repeat(60)).done();
    let expected = place.content(&small);
    for (name, pack) in PACKERS {
        let packed = pack(&small);
        for at in 0..packed.len() {
            let mut changed = packed.clone();
            changed[at] ^= 1 << (at % 8);
            if place.unpack(&changed).is_ok() {
                assert!(listing(&place.dest()) == expected, "{name}: byte {at}");
                place.clear();
            }
        }
    }
}

#[test]
fn garbage_after_a_packed_stream_is_refused() {
    let place = Place::new();
    for (name, pack) in PACKERS {
        let reason = place.refusal(&[pack(&archive()), b"garbage".to_vec()].concat());
        assert!(reason.starts_with(&format!("its {name} stream is ")), "{name}: {reason}");
    }
}

/// As `xz --lzma2=dict=1536MiB` packs, the most it can; a header may ask for 4 GiB.
#[test]
fn a_stream_that_asks_for_too_much_memory_is_refused() {
    let filters = {
        let mut options = liblzma::stream::LzmaOptions::new_preset(0).expect("options");
        options.dict_size(1536 << 20);
        let mut filters = liblzma::stream::Filters::new();
        filters.lzma2(&options);
        filters
    };
    let packed = liblzma::stream::Stream::new_stream_encoder(&filters, liblzma::stream::Check::Crc32);
    let Ok(stream) = packed else {
        println!("SKIPPED: no memory for packing with a large dictionary");
        return;
    };
    let mut packer = liblzma::write::XzEncoder::new_stream(Vec::new(), stream);
    packer.write_all(&archive()).expect("packed");
    let reason = Place::new().refusal(&packer.finish().expect("packed"));
    assert!(reason.starts_with("its xz stream is broken"), "{reason}");
}
