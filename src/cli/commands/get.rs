use std::os::unix::ffi::OsStrExt as _;

use ohmyartifacts::BindOptions;
use serde_json::json;

use crate::cli::args::Get;
use crate::cli::commands::put_in;
use crate::cli::commands::run_command::{command_line, run_in};
use crate::cli::context::{Context, metadata};
use crate::cli::failure::shown;
use crate::cli::{Exit, Outcome};

pub(in crate::cli) fn run(context: &Context, args: Get) -> Outcome {
    let (owner, by) = context.binder(&args.on_behalf)?;
    let options = match metadata(&args.meta)? {
        Some(meta) => BindOptions::new().meta(meta),
        None => BindOptions::new(),
    };
    let options = put_in::bound_by(options, by);
    let line = command_line(&args.command);
    let cache = context.open()?;
    let got = cache
        .owner_by_id(owner)
        .get_or_create_by_command(&args.name, &options, &line, |workdir| run_in(workdir, &args.command, args.result))?;
    if got.created && got.binding.artifact.files == 0 {
        context.say("the command left no file in its directory; what it prints is not kept");
    }
    if context.out.json {
        let artifact = &got.binding.artifact;
        context.out.document(&json!({
            "hash": artifact.hash, "kind": artifact.kind, "size": artifact.size, "files": artifact.files,
            "path": shown(&got.path), "created": got.created, "binding": got.binding,
        }))?;
    } else {
        context.out.bytes(got.path.as_os_str().as_bytes())?;
        context.out.line("")?;
    }
    Ok(Exit::Ok)
}
