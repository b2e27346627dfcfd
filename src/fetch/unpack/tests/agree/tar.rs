//! GNU tar, in all its formats.

use super::trees::*;
use super::*;

/// Packs with these options of GNU tar.
fn tar_agrees(make: impl Fn(&Path), options: &str) -> bool {
    agrees(make, &format!("tar {options} -cf \"$1\" ."), "tar -xf \"$1\" -C \"$2\"")
}

#[test]
fn every_format_of_tar_is_understood() {
    let mut formats = 0;
    for format in ["gnu", "oldgnu", "posix"] {
        formats += u32::from(tar_agrees(make_nasty_tree, &format!("--format={format}")));
    }
    for format in ["ustar", "v7"] {
        formats += u32::from(tar_agrees(make_plain_tree, &format!("--format={format}")));
    }
    assert!(formats == 5 || formats == 0, "some tar, but not all of its formats");
}

#[test]
fn every_packing_program_is_understood() {
    for option in ["--gzip", "--bzip2", "--xz", "--zstd"] {
        tar_agrees(make_nasty_tree, option);
    }
}

#[test]
fn sparse_files_keep_their_content() {
    for version in ["", "--format=posix --sparse-version=1.0", "--format=posix --sparse-version=0.1"] {
        tar_agrees(make_sparse_files, &format!("--sparse {version}"));
    }
}

/// What headers may say beside names and bytes, in octal, binary or words.
#[test]
fn owners_times_and_labels_do_not_matter() {
    for format in ["gnu", "posix"] {
        for options in [
            "--owner=somebody:3000000000 --group=some:4000000000",
            "--mtime='1960-01-01 00:00:00.123456789 UTC'",
            "--mtime='2500-01-01 UTC'",
            "--label=tape",
            "--blocking-factor=1",
            "--sort=name --numeric-owner",
            "--mode=a+rX,u-x",
            "--hard-dereference",
            "--dereference --exclude=dangling --exclude='long link'",
        ] {
            tar_agrees(make_nasty_tree, &format!("--format={format} {options}"));
        }
    }
}

/// The last one counts.
#[test]
fn a_file_that_was_added_again_is_the_newer_one() {
    let again = "tar -cf \"$1\" . && echo newer > a/tool && ln -sf elsewhere link && tar -rf \"$1\" ./a/tool ./link";
    agrees(make_plain_tree, again, "tar -xf \"$1\" -C \"$2\"");
    let joined = "tar -cf \"$1\" a && tar -cf \"$2/x\" nothing link && tar -Af \"$1\" \"$2/x\" && rm \"$2/x\"";
    agrees(make_plain_tree, joined, "tar -xf \"$1\" -C \"$2\"");
}

/// A folder that nobody may write to, with something in it.
#[test]
fn what_is_read_only_is_filled_first() {
    let pack = "mkdir d && echo x > d/f && chmod 555 d && tar -cf \"$1\" . && chmod 755 d";
    let unpack = "tar -xf \"$1\" -C \"$2\" && chmod 755 \"$2/d\"";
    agrees(make_plain_tree, pack, unpack);
}

/// As `cp -al` leaves it.
#[test]
fn second_names_of_links_are_links() {
    let pack = "ln link 'second link' && ln -s 'second link' third && tar -cf \"$1\" .";
    agrees(make_plain_tree, pack, "tar -xf \"$1\" -C \"$2\"");
}

#[test]
fn the_folder_at_the_top_is_left_out_as_tar_does() {
    let contest = Match::new(make_nasty_tree);
    let pack = "tar -cf \"$1\" --transform='s,^\\.,./top,S' . && tar -xf \"$1\" -C \"$2\" --strip-components=2";
    if !contest.run(pack) {
        println!("SKIPPED: no GNU tar");
        return;
    }
    let place = Place::new();
    let archive = std::fs::read(contest.archive()).expect("there");
    place.unpack_within(&archive, &Limits { strip_top: true, ..Limits::default() }).expect("unpacked");
    assert!(
        listing(&place.dest()) == listing(&contest.theirs()) && listing(&place.dest()) == listing(&contest.source())
    );
}
