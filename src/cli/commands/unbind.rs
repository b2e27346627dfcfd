use std::collections::BTreeSet;

use ohmyartifacts::printable;
use serde_json::json;

use crate::cli::args::Unbind;
use crate::cli::context::Context;
use crate::cli::{Exit, Outcome};

pub(in crate::cli) fn run(context: &Context, args: Unbind) -> Outcome {
    let owner = context.need_owner()?.clone();
    let cache = context.look()?;
    let unbound = cache.owner_by_id(owner.clone()).unbind(&args.names)?;
    let known: BTreeSet<&str> = unbound.iter().map(|binding| binding.name.as_str()).collect();
    let missing: Vec<&String> = args.names.iter().filter(|name| !known.contains(name.as_str())).collect();
    if context.out.json {
        context.out.document(&json!({"unbound": unbound, "missing": missing}))?;
        return Ok(Exit::Ok);
    }
    for binding in &unbound {
        let name = printable(binding.name.as_bytes());
        context.say(&format!("unbound `{name}` from {}", binding.artifact.hash.short()));
    }
    for name in missing {
        let (owner, name) = (printable(owner.to_string().as_bytes()), printable(name.as_bytes()));
        context.say(&format!("{owner} binds nothing to `{name}`"));
    }
    Ok(Exit::Ok)
}
