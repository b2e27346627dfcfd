//! A day in the life of four packages, as the original answered it, step by step.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use ohmyartifacts::{BindOptions, Cache, Digest, Error, Result};
use serde::Deserialize;

use super::{Item, assert_sound, bytes, data, lay};
use crate::support::{DAY, Env, STYLES, bytes_on_disk, gc, shelves};

#[derive(Deserialize)]
struct Trace {
    owners: Vec<String>,
    inputs: Vec<Input>,
    ops: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Input {
    File { content_b64: String },
    Tree { entries: Vec<Item> },
}

/// What was done and what the original answered.
#[derive(Deserialize)]
#[serde(tag = "op", rename_all = "lowercase")]
enum Step {
    Create {
        input: usize,
        result: (Answer, Digest),
    },
    Bind {
        owner: String,
        name: String,
        hash: Digest,
        force: bool,
        result: Answer,
    },
    Unbind {
        owner: String,
        name: String,
        result: Answer,
    },
    /// The id as text, or `none`.
    Lookup {
        owner: String,
        name: String,
        result: (Answer, String),
    },
    /// How many objects went, and all that stayed: an id each, a tree's with `/` behind it.
    Gc {
        deleted: u64,
        left: BTreeSet<String>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Answer {
    Ok,
    Err,
}

impl<T> From<&Result<T>> for Answer {
    fn from(result: &Result<T>) -> Self {
        if result.is_ok() { Self::Ok } else { Self::Err }
    }
}

#[test]
fn every_step_has_the_original_answer() {
    let trace: Trace = serde_json::from_slice(&data("julia_trace.json.gz")).unwrap();
    assert_eq!((trace.owners.len(), trace.ops.len()), (4, 251));
    for style in STYLES {
        let env = Env::with_style(style);
        let cache = env.open();
        for (number, step) in trace.ops.iter().enumerate() {
            take(&env, &cache, &trace, step, &format!("step {number}, {style:?}"));
        }
        assert_sound(&cache, &format!("{style:?}"));
        assert!(!cache.bindings(None).unwrap().is_empty(), "the trace ends with names in use");
    }
}

fn take(env: &Env, cache: &Cache, trace: &Trace, step: &Step, at: &str) {
    match step {
        Step::Create { input, result: (answer, hash) } => {
            let made = cache.create(|workdir| put(workdir, &trace.inputs[*input]));
            assert_eq!(Answer::from(&made), *answer, "{at}: create");
            assert_eq!(made.unwrap().artifact.hash, *hash, "{at}: create");
        }
        Step::Bind { owner, name, hash, force, result } => {
            let bound = cache.owner(owner).unwrap().bind(name, *hash, &BindOptions::new().force(*force));
            assert_eq!(Answer::from(&bound), *result, "{at}: bind {name:?}: {bound:?}");
            if let Err(error) = bound {
                let expected = matches!(error, Error::BindingExists { .. } | Error::NoSuchObject { .. });
                assert!(expected, "{at}: bind {name:?}: {error}");
            }
        }
        Step::Unbind { owner, name, result } => {
            let unbound = cache.owner(owner).unwrap().unbind([name]);
            assert_eq!(Answer::from(&unbound), *result, "{at}: unbind {name:?}");
        }
        Step::Lookup { owner, name, result: (answer, hash) } => {
            let found = cache.owner(owner).unwrap().resolve(name);
            assert_eq!(Answer::from(&found), *answer, "{at}: look up {name:?}");
            let found = found.unwrap().map_or("none".to_owned(), |binding| binding.artifact.hash.to_string());
            assert_eq!(found, *hash, "{at}: look up {name:?}");
        }
        Step::Gc { deleted, left } => {
            // The original knows no leases: what was created and not bound goes at once.
            env.pass(2 * DAY);
            let report = gc(cache, Duration::ZERO);
            assert!(report.failed.is_empty(), "{at}: {:?}", report.failed);
            assert_eq!(on_shelves(&env.root()), *left, "{at}: gc");
            assert_eq!(report.deleted_artifacts, *deleted, "{at}: gc");
            assert_eq!(cache.usage().unwrap().stored_bytes, bytes_on_disk(&env.root()), "{at}: gc");
        }
    }
}

fn put(workdir: &Path, input: &Input) -> std::io::Result<Option<std::path::PathBuf>> {
    match input {
        Input::File { content_b64 } => {
            let path = workdir.join("file");
            fs::write(&path, bytes(content_b64))?;
            Ok(Some(path))
        }
        Input::Tree { entries } => {
            lay(workdir, entries);
            Ok(None)
        }
    }
}

/// The objects of a store in the trace's words. No file of the trace is executable.
fn on_shelves(root: &Path) -> BTreeSet<String> {
    let shelved = shelves(root).into_iter();
    shelved
        .map(|object| {
            let hash = object.strip_prefix("artifacts/").expect("a plain file or a tree");
            let is_tree = root.join("artifacts").join(&hash[..2]).join(hash).is_dir();
            format!("{hash}{}", if is_tree { "/" } else { "" })
        })
        .collect()
}
