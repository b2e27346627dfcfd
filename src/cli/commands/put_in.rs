//! What `add`, `create` and `get` have in common: binding along with it, and the output.

use ohmyartifacts::{Artifact, BindOptions, Binding, Ingested, OwnerId, printable};
use serde::Serialize;
use serde_json::Value;

use crate::cli::args::BindTo;
use crate::cli::context::{Context, metadata};
use crate::cli::failure::{Failure, shown};
use crate::cli::render::{count, facts, human_size};

/// The JSON of `add`, `create` and `get`.
#[derive(Serialize)]
pub(super) struct PutIn<'a> {
    #[serde(flatten)]
    pub(super) artifact: &'a Artifact,
    pub(super) new_files: u64,
    pub(super) new_bytes: u64,
    pub(super) path: String,
    pub(super) lease_expires_at: Value,
    pub(super) binding: Option<&'a Binding>,
}

impl<'a> PutIn<'a> {
    pub(super) fn new(ingested: &'a Ingested) -> Self {
        Self {
            artifact: &ingested.artifact,
            new_files: ingested.new_files,
            new_bytes: ingested.new_bytes,
            path: shown(&ingested.path),
            lease_expires_at: serde_json::to_value(ingested.lease_expires_at).unwrap_or_default(),
            binding: ingested.binding.as_ref(),
        }
    }
}

/// Says in the options who binds on behalf of the owner, if anybody does.
pub(super) fn bound_by(options: BindOptions, by: Option<OwnerId>) -> BindOptions {
    match by {
        Some(by) => options.bound_by(by),
        None => options,
    }
}

/// Reads the options that bind; without a name, metadata has nothing to stand beside, and nobody to be bound
/// for.
pub(super) fn bind_options(args: &BindTo) -> Result<BindOptions, Failure> {
    let meta = metadata(&args.meta)?;
    if args.bind.is_none() && meta.is_some() {
        return Err(Failure::usage("metadata stands beside a binding").hint("name one with `--bind NAME`"));
    }
    if args.bind.is_none() && args.on_behalf.downstream.is_some() {
        return Err(Failure::usage("`--for` says for whom a name is bound").hint("name one with `--bind NAME`"));
    }
    let options = BindOptions::new().force(args.force);
    Ok(match meta {
        Some(meta) => options.meta(meta),
        None => options,
    })
}

/// Prints the hash, and says what the store gained.
pub(super) fn print(context: &Context, ingested: &Ingested) -> Result<(), Failure> {
    if context.out.json {
        return context.out.document(&PutIn::new(ingested));
    }
    context.out.line(&ingested.artifact.hash.to_string())?;
    let gain = match ingested.new_files {
        0 => "nothing new to store".to_owned(),
        files => format!("{} stored anew, {}", count(files, "file"), human_size(ingested.new_bytes)),
    };
    let bound = match &ingested.binding {
        Some(binding) => format!("; bound to `{}`", printable(binding.name.as_bytes())),
        None => "; kept for a day, bind it to keep it longer".to_owned(),
    };
    context.say(&format!("{} ({gain}){bound}", facts(&ingested.artifact)));
    Ok(())
}
