//! `hash`, `path` and `exists`: what a script asks most.

use std::os::unix::ffi::OsStrExt as _;

use ohmyartifacts::{Artifact, Cache, Error};
use serde_json::json;

use crate::cli::args::{NameArg, RefArg};
use crate::cli::context::Context;
use crate::cli::failure::{Failure, shown};
use crate::cli::{Exit, Outcome};

pub(in crate::cli) fn hash(context: &Context, args: &NameArg) -> Outcome {
    let found = context.find(&context.look()?, &args.name)?;
    print_hash(context, &found.artifact)
}

pub(in crate::cli) fn path(context: &Context, args: &RefArg) -> Outcome {
    let cache = context.look()?;
    let artifact = context.find(&cache, &args.reference)?.artifact;
    let path = cache.path_of(&artifact);
    present(&cache, &artifact)?;
    if context.out.json {
        context.out.document(&json!({"hash": artifact.hash, "kind": artifact.kind, "path": shown(&path)}))?;
    } else {
        context.out.bytes(path.as_os_str().as_bytes())?;
        context.out.line("")?;
    }
    Ok(Exit::Ok)
}

pub(in crate::cli) fn exists(context: &Context, args: &RefArg) -> Outcome {
    let cache = context.look()?;
    let artifact = context.find(&cache, &args.reference)?.artifact;
    present(&cache, &artifact)?;
    print_hash(context, &artifact)
}

/// A path that leads nowhere must not reach a script.
fn present(cache: &Cache, artifact: &Artifact) -> Result<(), Failure> {
    if cache.is_present(artifact)? {
        return Ok(());
    }
    let (hash, path) = (artifact.hash, cache.path_of(artifact));
    Err(Failure::from(Error::Damaged { hash, path, detail: "it is gone or has another length".to_owned() }))
}

fn print_hash(context: &Context, artifact: &Artifact) -> Outcome {
    if context.out.json {
        context.out.document(artifact)?;
    } else {
        context.out.line(&artifact.hash.to_string())?;
    }
    Ok(Exit::Ok)
}
