use serde_json::json;

use crate::cli::args::Completions;
use crate::cli::complete;
use crate::cli::context::Context;
use crate::cli::{Exit, Outcome};

pub(in crate::cli) fn run(context: &Context, args: &Completions) -> Outcome {
    let script = complete::script(args.shell);
    if context.out.json {
        context.out.document(&json!({"script": String::from_utf8_lossy(&script)}))?;
    } else {
        context.out.bytes(&script)?;
    }
    Ok(Exit::Ok)
}
