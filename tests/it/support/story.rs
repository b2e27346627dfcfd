//! What may happen to a store, at random: few contents and names, so that much is shared.

use std::fs;
use std::path::Path;

use ohmyartifacts::{BindOptions, Cache, Metadata, Source};
use proptest::prelude::*;

use super::oracle::Name;
use super::{Env, make_executable};

pub(crate) const CONTENTS: [&str; 5] = ["", "a", "bb", "#!/bin/sh\n", "a longer text that takes more room\n"];
const PATHS: [&str; 6] = ["a", "b", "a-b", "d/a", "d/e/c", "d.x"];
const FOLDERS: [&str; 3] = ["empty", "d/void", "d/e/f/g"];
const OWNERS: [&str; 3] = ["p", "p@1", "q"];
const NAMES: [&str; 2] = ["n", "m"];

/// A file of a source: which content, and whether it can be executed.
pub(crate) type File = (usize, bool);

#[derive(Debug, Clone)]
pub(crate) enum What {
    File(File),
    Tree { files: Vec<(usize, File)>, folder: Option<usize> },
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Way {
    Copy,
    Consume,
    Create,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum By {
    Handle,
    Artifact,
    Hash,
}

#[derive(Debug, Clone)]
pub(crate) enum Op {
    Put {
        what: What,
        way: Way,
        bind: Option<(Name, bool)>,
    },
    /// Binds something that was put in at some time, gone or not.
    Bind {
        which: prop::sample::Index,
        by: By,
        name: Name,
        force: bool,
    },
    /// Binds anything stored, a file that only trees have too.
    BindStored {
        which: prop::sample::Index,
        name: Name,
    },
    Unbind(Name),
    Pin {
        which: prop::sample::Index,
        days: Option<u8>,
    },
    Unpin(prop::sample::Index),
    Pass {
        hours: u64,
    },
    Gc {
        days: u32,
    },
}

fn name() -> impl Strategy<Value = Name> {
    (prop::sample::select(&OWNERS[..]), prop::sample::select(&NAMES[..]))
}

fn what() -> impl Strategy<Value = What> {
    let file = || (0..CONTENTS.len(), any::<bool>());
    let files = prop::collection::btree_map(0..PATHS.len(), file(), 0..5);
    prop_oneof![
        2 => file().prop_map(What::File),
        3 => (files, prop::option::of(0..FOLDERS.len()))
            .prop_map(|(files, folder)| What::Tree { files: files.into_iter().collect(), folder }),
    ]
}

/// One step of a story.
pub(crate) fn op() -> impl Strategy<Value = Op> {
    let way = || prop_oneof![Just(Way::Copy), Just(Way::Consume), Just(Way::Create)];
    let by = || prop_oneof![2 => Just(By::Handle), 1 => Just(By::Artifact), 1 => Just(By::Hash)];
    let which = any::<prop::sample::Index>;
    prop_oneof![
        6 => (what(), way(), prop::option::of((name(), any::<bool>())))
            .prop_map(|(what, way, bind)| Op::Put { what, way, bind }),
        5 => (which(), by(), name(), any::<bool>())
            .prop_map(|(which, by, name, force)| Op::Bind { which, by, name, force }),
        1 => (which(), name()).prop_map(|(which, name)| Op::BindStored { which, name }),
        4 => name().prop_map(Op::Unbind),
        1 => (which(), prop::option::of(0..3u8)).prop_map(|(which, days)| Op::Pin { which, days }),
        1 => which().prop_map(Op::Unpin),
        3 => (0..60u64).prop_map(|hours| Op::Pass { hours }),
        3 => prop::sample::select(vec![0, 1, 7]).prop_map(|days| Op::Gc { days }),
    ]
}

/// Puts in and binds what a story would, each name with metadata of its own; the rest of the story is left out.
pub(crate) fn put_and_bind(env: &Env, cache: &Cache, ops: &[Op]) {
    for (number, op) in ops.iter().enumerate() {
        let Op::Put { what, bind: Some(((owner, name), _)), .. } = op else { continue };
        let source = env.path(number.to_string());
        write(&source, what).unwrap();
        let meta = Metadata::from_pairs([("n".to_owned(), number.to_string())]);
        let options = BindOptions::new().force(true).meta(meta);
        cache.owner(owner).unwrap().ingest(name, &Source::copy(&source), &options).unwrap();
    }
}

/// Writes a source to `at`.
pub(crate) fn write(at: &Path, what: &What) -> std::io::Result<()> {
    let file = |at: &Path, (content, executable): File| {
        fs::create_dir_all(at.parent().expect("a parent"))?;
        fs::write(at, CONTENTS[content])?;
        if executable {
            make_executable(at);
        }
        Ok(())
    };
    match what {
        What::File(content) => file(at, *content),
        What::Tree { files, folder } => {
            fs::create_dir_all(at)?;
            folder.map_or(Ok(()), |folder| fs::create_dir_all(at.join(FOLDERS[folder])))?;
            files.iter().try_for_each(|(path, content)| file(&at.join(PATHS[*path]), *content))
        }
    }
}
