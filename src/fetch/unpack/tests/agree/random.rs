//! Trees that nobody thought of.

use std::os::unix::fs::symlink;

use proptest::prelude::*;

use super::trees::*;
use super::*;

#[derive(Debug, Clone)]
enum Node {
    File {
        content: Vec<u8>,
        executable: bool,
    },
    Folder,
    Link(String),
    /// A second name of what an earlier node made.
    Again(usize),
}

/// Names as hard as a filesystem lets them be; `-` alone is standard input for `zip`.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{1,3}",
        "[ -.0-~]{1,20}",
        "\\PC{1,30}",
        "[a-z\n\t\\\\\"'*?-]{1,8}",
        (90usize..120).prop_map(|length| "n".repeat(length)),
        (150usize..=255).prop_map(|length| "m".repeat(length)),
    ]
    .prop_filter("a name", |name| {
        !matches!(name.as_str(), "." | ".." | "-") && !name.contains(['/', '\0']) && name.len() <= 255
    })
}

fn node() -> impl Strategy<Value = Node> {
    let content = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..2_000),
        (0usize..4).prop_map(|blocks| vec![7; 512 * blocks]),
    ];
    prop_oneof![
        4 => (content, any::<bool>()).prop_map(|(content, executable)| Node::File { content, executable }),
        1 => Just(Node::Folder),
        1 => "[a-z./]{1,150}".prop_map(Node::Link),
        1 => (0usize..20).prop_map(Node::Again),
    ]
}

/// Makes what can be made: of two things at one place the first, and second names of files only.
#[expect(clippy::disallowed_methods, reason = "tests prepare the disk themselves")]
fn make(root: &Path, nodes: &[(Vec<String>, Node)]) {
    let mut files = Vec::new();
    for (way, node) in nodes {
        let path = way.iter().fold(root.to_owned(), |path, name| path.join(name));
        if std::fs::symlink_metadata(&path).is_ok() || std::fs::create_dir_all(path.parent().expect("below")).is_err() {
            continue;
        }
        match node {
            Node::File { content, executable } => {
                write(&path, content, if *executable { 0o755 } else { 0o644 });
                files.push(path);
            }
            Node::Folder => std::fs::create_dir(&path).expect("made"),
            Node::Link(text) => symlink(text, &path).expect("a link"),
            Node::Again(_) if files.is_empty() => {}
            Node::Again(number) => std::fs::hard_link(&files[number % files.len()], &path).expect("linked"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn random_trees_come_out_as_tar_and_zip_packed_them(
        nodes in prop::collection::vec((prop::collection::vec(name(), 1..5), node()), 0..20),
        way in prop::sample::select(vec![
            "tar --format=gnu -cf \"$1\" .",
            "tar --format=posix -cf \"$1\" .",
            "tar --format=oldgnu -zcf \"$1\" .",
            "tar --format=ustar -cf \"$1\" .",
            "tar --format=v7 -cf \"$1\" .",
            "tar --format=posix --sparse -cf - . | zstd -q > \"$1\"",
            "zip -q -r -y \"$1.zip\" . && mv \"$1.zip\" \"$1\"",
            zip::PIPED,
        ]),
    ) {
        let contest = Match::new(|root| make(root, &nodes));
        // The old formats have no room for some names, zip has none for an empty folder, and a program may be missing.
        if contest.run(way) {
            prop_assert_eq!(contest.ours(), listing(&contest.source()));
        }
    }
}
