//! Archives made to write elsewhere or to mislead.

use proptest::prelude::*;

use super::forge::{Forge, octal, seal};
use super::*;

/// Refuses an archive for this reason, with nothing written outside and nothing left.
pub(super) fn refused(archive: Forge, reason: &str) {
    let found = Place::new().refusal(&archive.done());
    assert!(found.contains(reason), "`{found}` does not speak of `{reason}`");
}

#[test]
fn an_absolute_name_is_refused() {
    let place = Place::new();
    let target = place.path("outside/pwned");
    let archive = Forge::default().pax(&[("path", target.to_str().expect("UTF-8"))]).file("x", b"pwned").done();
    assert!(place.refusal(&archive).contains("is an absolute path"));
    refused(Forge::default().file("/etc/oma-test", b"x"), "`/etc/oma-test` is an absolute path");
    refused(Forge::default().directory("/"), "is an absolute path");
}

#[test]
fn a_name_that_leads_upward_is_refused() {
    for name in ["../outside/pwned", "a/../../outside/pwned", "./../x", "a/b/../../../x", "..", "a/.."] {
        refused(Forge::default().directory("a").file(name, b"x"), "leads upward");
        refused(Forge::default().directory(name), "leads upward");
        refused(Forge::default().symlink(name, "target"), "leads upward");
        refused(Forge::default().pax(&[("path", name)]).file("x", b"x"), "leads upward");
        refused(Forge::default().entry(b'L', "././@LongLink", "", name.as_bytes()).file("x", b"x"), "leads upward");
        refused(Forge::default().file("x", b"").hard_link("y", name), "leads upward");
        let sparse = [("GNU.sparse.major", "1"), ("GNU.sparse.name", name), ("GNU.sparse.realsize", "0")];
        refused(Forge::default().pax(&sparse).file("x", b"0\n"), "leads upward");
    }
}

#[test]
fn a_ustar_prefix_that_leads_upward_is_refused() {
    let prefix = |block: &mut [u8; 512]| {
        block[257..265].copy_from_slice(b"ustar\x0000");
        block[345..347].copy_from_slice(b"..");
    };
    refused(Forge::default().changed_header(b'0', b"outside/pwned", b"", octal(0), prefix), "`../outside/pwned` leads");
}

#[test]
fn a_name_that_is_none_is_refused() {
    refused(Forge::default().file("", b""), "an entry has no name");
    refused(Forge::default().file(".", b"x"), "stands for the top");
    refused(Forge::default().symlink("./", "x"), "stands for the top");
    refused(Forge::default().pax(&[("path", "a\0b")]).file("x", b""), "`a\\x00b` holds a zero byte");
    refused(Forge::default().entry(b'L', "L", "", b"a\0b\0").file("x", b""), "holds a zero byte");
    refused(Forge::default().pax(&[("path", &"x".repeat(256))]).file("x", b""), "more than 255 bytes");
    refused(Forge::default().pax(&[("path", &"abcdefghi/".repeat(410))]).file("x", b""), "longer than 4096");
    refused(Forge::default().pax(&[("path", &"a/".repeat(256))]).directory("x"), "deeper than 255");
}

/// What has a longer path than the system takes could not be removed again.
#[test]
fn a_path_that_cannot_be_named_from_outside_is_refused() {
    let path = format!("{}/", "x".repeat(200)).repeat(19);
    let deep = |more: usize| Forge::default().pax(&[("path", &format!("{path}{}", "y".repeat(more)))]).file("f", b"x");
    refused(deep(200), "is too long for where it would lie");
    refused(deep(250), "is too long for where it would lie");
    refused(Forge::default().pax(&[("path", &path)]).directory("d").file("../x", b""), "");
    refused(deep(255).pax(&[("path", &path.repeat(2))]).directory("d"), "");
}

#[test]
fn an_error_shows_a_name_without_its_control_characters() {
    refused(Forge::default().file("../\x1b[31m\u{202e}", b""), "`../\\x1b[31m\\u{202e}` leads upward");
}

#[test]
fn nothing_is_written_through_a_link() {
    let place = Place::new();
    let outside = place.path("outside");
    let outside = outside.to_str().expect("UTF-8");
    for target in ["../outside", outside, ".", "real"] {
        let link = Forge::default().directory("real").pax(&[("linkpath", target)]).symlink("link", "x");
        let reason = "leads through `link`, which is no directory";
        for archive in [
            link.clone().file("link/pwned", b"x"),
            link.clone().file("./link//pwned", b"x"),
            link.clone().directory("link/pwned"),
            link.clone().file("link/deeper/pwned", b"x"),
            link.clone().symlink("link/pwned", "x"),
            link.clone().file("f", b"x").hard_link("link/pwned", "f"),
            link.clone().hard_link("copy", "link/secret"),
            link.clone().directory("link"),
        ] {
            let found = place.refusal(&archive.done());
            assert!(found.contains(reason), "{found}");
        }
        let archive = link.file("link", b"pwned");
        assert!(place.refusal(&archive.done()).contains("comes twice, as different kinds"));
    }
}

#[test]
fn a_directory_does_not_become_a_link() {
    refused(Forge::default().file("d/f", b"x").symlink("d", "../outside"), "comes twice, as different kinds");
    refused(Forge::default().directory("d").symlink("d", "../outside").file("d/f", b""), "comes twice");
    refused(Forge::default().directory("d").file("d", b"x"), "comes twice");
    refused(Forge::default().file("d", b"x").directory("d"), "leads through `d`, which is no directory");
    refused(Forge::default().file("d", b"x").file("d/f", b"x"), "leads through `d`, which is no directory");
    refused(Forge::default().file("d", b"x").symlink("d", "x"), "comes twice");
}

#[test]
fn a_hard_link_leads_to_an_unpacked_file_only() {
    let place = Place::new();
    let secret = place.path("outside/secret");
    let archive = Forge::default().pax(&[("linkpath", secret.to_str().expect("UTF-8"))]).hard_link("x", "y").done();
    assert!(place.refusal(&archive).contains("is an absolute path"));
    refused(Forge::default().hard_link("x", "../outside/secret"), "leads upward");
    refused(Forge::default().hard_link("x", "nothing"), "`x` is a hard link to `nothing`, which does not come before");
    refused(Forge::default().hard_link("x", "x"), "does not come before");
    refused(Forge::default().hard_link("x", "no/thing").file("no/thing", b""), "does not come before");
    refused(Forge::default().symlink("l", "../outside").hard_link("x", "l/secret"), "leads through `l`");
    refused(Forge::default().directory("d").hard_link("x", "d"), "which is no file");
    refused(Forge::default().hard_link("x", "."), "does not come before");
    refused(Forge::default().file("f", b"").hard_link("x", ""), "has no name");
}

#[test]
fn a_second_name_of_a_link_is_a_link_and_leads_nowhere_else() {
    let link = Forge::default().symlink("l", "../outside").hard_link("x", "l");
    let content = Place::new().content(&link.clone().done());
    assert_eq!(content[Path::new("x")], content[Path::new("l")]);
    refused(link.clone().file("x/pwned", b""), "leads through `x`");
    refused(link.clone().file("x", b"pwned"), "comes twice, as different kinds");
    refused(link.file("f", b"").hard_link("x", "f"), "comes twice, as different kinds");
}

#[test]
fn a_replaced_file_does_not_change_its_second_name() {
    let archive = Forge::default().file("a", b"old").hard_link("b", "a").file("a", b"new").done();
    let content = Place::new().content(&archive);
    assert_eq!(content[Path::new("a")].2, b"new");
    assert_eq!(content[Path::new("b")].2, b"old");
    let archive = Forge::default().symlink("l", "old").symlink("l", "../../new").file("f", b"").hard_link("f", "f");
    let content = Place::new().content(&archive.done());
    assert_eq!((content[Path::new("l")].2.as_slice(), content.len()), (b"../../new".as_slice(), 2));
}

#[test]
fn what_is_no_file_directory_or_link_is_refused() {
    refused(Forge::default().entry(b'3', "null", "", b""), "`null` is a device");
    refused(Forge::default().entry(b'4', "sda", "", b""), "`sda` is a device");
    refused(Forge::default().entry(b'6', "pipe", "", b""), "`pipe` is a named pipe");
    refused(Forge::default().entry(b'M', "rest", "", b""), "another volume");
    refused(Forge::default().entry(b's', "socket", "", b""), "unknown kind (`s`)");
    refused(Forge::default().entry(b'5', "d", "", b"x"), "`d` is no file but has data");
    refused(Forge::default().entry(b'2', "l", "x", &[0; 512]), "`l` is no file but has data");
    refused(Forge::default().symlink("l", ""), "whose target is empty");
    refused(Forge::default().pax(&[("linkpath", "a\0b")]).symlink("l", "x"), "holds a zero byte");
    refused(Forge::default().pax(&[("linkpath", &"x".repeat(4096))]).symlink("l", "x"), "too long");
}

#[test]
fn a_header_that_lies_is_refused() {
    let sized = |size: &[u8; 12]| Forge::default().header(b'0', b"big", b"", *size);
    refused(sized(b"77777777777\0"), "it is cut off within an entry");
    refused(sized(b"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff"), "more than 1099511627776 bytes");
    refused(sized(b"\x80\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff"), "`big` has a size that is too large");
    refused(Forge::default().file("x", b"").header(b'0', b"big", b"", [0xff; 12]), "`big` has a size that is negative");
    refused(Forge::default().file("x", b"").header(b'0', b"big", b"", *b"-0000000001\0"), "that is negative");
    refused(Forge::default().file("x", b"").header(b'0', b"big", b"", *b"0000000009\0\0"), "that is no number");
    refused(Forge::default().pax(&[("size", "9223372036854775807")]).file("x", b""), "more than 1099511627776 bytes");
    refused(Forge::default().pax(&[("size", "-1")]).file("x", b""), "no proper number");
    refused(Forge::default().pax(&[("size", "18446744073709551616")]).file("x", b""), "no proper number");
    refused(Forge::default().pax(&[("size", "100000")]).file("x", b"abc"), "it is cut off within an entry");
    let mut broken = Forge::default().file("x", b"").file("y", b"").done();
    broken[513] ^= 1;
    assert!(Place::new().refusal(&broken).contains("a header's checksum is wrong"));
}

/// A size in the extended header counts, as for every other program: what is data here must not be
/// read as a header.
#[test]
fn data_that_looks_like_an_entry_stays_data() {
    let inner = Forge::default().file("../outside/pwned", b"x").open_end();
    let archive = Forge::default().pax(&[("size", "1024")]).header(b'0', b"f", b"", octal(0)).data(&inner).done();
    let content = Place::new().content(&archive);
    assert_eq!((content.len(), &content[Path::new("f")].2), (1, &inner));
}

#[test]
fn an_archive_that_is_none_is_refused() {
    let place = Place::new();
    assert_eq!(place.refusal(b""), "it is empty");
    assert_eq!(
        place.refusal(b"<html>404 not found</html>"),
        "it is neither tar nor zip, and not packed with gzip, bzip2, xz or zstd"
    );
    assert!(place.refusal(&[b'x'; 4096]).contains("neither tar nor zip"));
    assert!(place.refusal(&[0; 511]).contains("neither tar nor zip"));
    assert!(place.refusal(&[[0; 1024].as_slice(), b"an image of a disk"].concat()).contains("neither tar nor zip"));
    assert_eq!(place.refusal(b"PK\x03\x04\0\0\0\0"), "its zip structure is broken (Could not find EOCD)");
}

#[test]
fn an_archive_that_is_cut_off_is_refused() {
    let whole = Forge::default().file("a", &[1; 700]).pax(&[("path", "b")]).file("x", &[2; 100]).open_end();
    // Headers begin at 0, 1536 (extended) and 2560; the last file's data at 3072.
    for length in (1..whole.len()).filter(|length| !matches!(length, 1536)) {
        if length % 7 == 0 || length % 512 < 2 {
            let reason = Place::new().refusal(&whole[..length]);
            assert!(
                ["cut off", "neither tar", "ends before"].iter().any(|text| reason.contains(text)),
                "{length}: {reason}"
            );
        }
    }
    assert_eq!(Place::new().content(&whole[..1536]).len(), 1);
}

#[test]
fn a_long_name_without_an_entry_is_refused() {
    refused(Forge::default().file("a", b"").entry(b'L', "L", "", b"name\0"), "ends before the entry");
    refused(Forge::default().pax(&[("path", "b")]), "ends before the entry");
}

#[test]
fn an_existing_folder_is_not_touched() {
    let place = Place::new();
    let outside = place.path("outside");
    let archive = place.path("a");
    Disk::default().write_new(&archive, &Forge::default().file("f", b"").done(), 0o644).expect("written");
    let before = listing(&outside);
    let interrupt = Interrupt::default();
    let outcome = unpack(&Disk::default(), &archive, &outside, &Limits::default(), &(), &interrupt);
    assert!(outcome.is_err_and(|error| error.is_io(std::io::ErrorKind::AlreadyExists)));
    assert_eq!(listing(&outside), before);
}

#[test]
fn who_interrupts_finds_nothing_left() {
    struct AtFirstByte(Interrupt);
    impl Observer for AtFirstByte {
        fn on(&self, event: &Event<'_>) {
            if matches!(event, Event::Advance { .. }) {
                self.0.request();
            }
        }
    }
    let place = Place::new();
    let archive = place.path("a");
    let bytes = Forge::default().file("f", &vec![1; 2 << 20]).file("g", b"x").done();
    Disk::default().write_new(&archive, &bytes, 0o644).expect("written");
    let interrupt = Interrupt::default();
    let observer = AtFirstByte(interrupt.clone());
    let outcome = unpack(&Disk::default(), &archive, &place.dest(), &Limits::default(), &observer, &interrupt);
    assert!(matches!(outcome, Err(Error::Interrupted)));
    assert!(!place.dest().exists());
}

#[cfg(feature = "failpoints")]
#[test]
fn a_disk_that_fails_at_any_point_leaves_nothing() {
    let place = Place::new();
    let archive = place.path("a");
    let bytes = Forge::default().file("d/f", b"x").hard_link("e/h", "d/f").symlink("l", "d").file("d/f", b"y").done();
    Disk::default().write_new(&archive, &bytes, 0o644).expect("written");
    let attempt = |fault: &str| {
        let disk = Disk::new(fault.parse().expect("a fault"));
        unpack(&disk, &archive, &place.dest(), &Limits::default(), &(), &Interrupt::default())
    };
    // Folder, d, f, e, h, l, f once more, and f's removal.
    for n in 1..=8 {
        assert!(attempt(&format!("full@{n}")).is_err_and(|error| error.is_io(std::io::ErrorKind::StorageFull)), "{n}");
        assert!(!place.dest().exists(), "{n}");
    }
    assert!(attempt("full@9").is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// A header with any byte changed and the checksum mended is refused or unpacked, never more.
    #[test]
    fn no_header_does_harm(changes in prop::collection::vec((0usize..5, 0usize..512, any::<u8>()), 1..6)) {
        let mut archive = Forge::default()
            .directory("d")
            .symlink("d/l", "../../outside")
            .file("d/f", &[7; 600])
            .hard_link("h", "d/f")
            .file("d/g", b"")
            .done();
        // The fourth and fifth block hold the first file's data.
        let headers = [0, 1, 2, 5, 6];
        for (header, at, byte) in changes {
            let start = 512 * headers[header];
            let block: &mut [u8; 512] = (&mut archive[start..start + 512]).try_into().expect("a block");
            block[at] = byte;
            seal(block);
        }
        let place = Place::new();
        drop(place.unpack(&archive));
    }

    #[test]
    fn no_bytes_do_harm(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        drop(Place::new().unpack(&bytes));
    }
}
