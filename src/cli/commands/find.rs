//! `hash`, `path` and `exists`: what a script asks most.

use std::os::unix::ffi::OsStrExt as _;

use ohmyartifacts::Error;
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
    // A path that leads nowhere must not reach a script.
    if !cache.is_present(&artifact)? {
        let detail = "its files are gone".to_owned();
        return Err(Failure::from(Error::Damaged { hash: artifact.hash, path, detail }));
    }
    if context.out.json {
        context.out.document(&json!({"hash": artifact.hash, "kind": artifact.kind, "path": shown(&path)}))?;
    } else {
        context.out.bytes(path.as_os_str().as_bytes())?;
        context.out.line("")?;
    }
    Ok(Exit::Ok)
}

pub(in crate::cli) fn exists(context: &Context, args: &RefArg) -> Outcome {
    let found = context.find(&context.look()?, &args.reference)?;
    print_hash(context, &found.artifact)
}

fn print_hash(context: &Context, artifact: &ohmyartifacts::Artifact) -> Outcome {
    if context.out.json {
        context.out.document(artifact)?;
    } else {
        context.out.line(&artifact.hash.to_string())?;
    }
    Ok(Exit::Ok)
}
