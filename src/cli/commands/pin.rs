use serde_json::json;

use crate::cli::args::{Pin, RefArg};
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::{Exit, Outcome};

pub(in crate::cli) fn pin(context: &Context, args: Pin) -> Outcome {
    if args.until.is_some_and(|until| until <= context.now()) {
        return Err(Failure::usage("the pin would be over before it begins"));
    }
    let cache = context.open()?;
    let artifact = context.find(&cache, &args.reference)?.artifact;
    cache.pin(&artifact, &args.reason, args.until)?;
    if context.out.json {
        context.out.document(&json!({"hash": artifact.hash, "reason": args.reason, "until": args.until}))?;
    } else {
        context.say(&format!("pinned {}", artifact.hash.short()));
    }
    Ok(Exit::Ok)
}

pub(in crate::cli) fn unpin(context: &Context, args: &RefArg) -> Outcome {
    let cache = context.open()?;
    let artifact = context.find(&cache, &args.reference)?.artifact;
    let was_pinned = cache.unpin(&artifact)?;
    if context.out.json {
        context.out.document(&json!({"hash": artifact.hash, "was_pinned": was_pinned}))?;
    } else {
        let what = if was_pinned { "unpinned" } else { "nothing pins" };
        context.say(&format!("{what} {}", artifact.hash.short()));
    }
    Ok(Exit::Ok)
}
