use ohmyartifacts::printable;
use serde_json::json;

use crate::cli::args::owner::Rename;
use crate::cli::context::Context;
use crate::cli::render::count;
use crate::cli::{Exit, Outcome};

pub(super) fn run(context: &Context, args: &Rename) -> Outcome {
    let Rename { from, to } = args;
    let bindings = context.look()?.rename_owner(from, to)?;
    let (from, to) = (from.to_string(), to.to_string());
    if context.out.json {
        context.out.document(&json!({"from": from, "to": to, "bindings": bindings}))?;
    } else {
        let (from, to) = (printable(from.as_bytes()), printable(to.as_bytes()));
        context.say(&format!("{from} is {to} now, with {}", count(bindings, "binding")));
    }
    Ok(Exit::Ok)
}
