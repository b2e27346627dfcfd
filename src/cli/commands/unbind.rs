use std::collections::BTreeSet;

use ohmyartifacts::printable;
use serde_json::json;

use crate::cli::args::Unbind;
use crate::cli::context::Context;
use crate::cli::{Exit, Outcome};

pub(in crate::cli) fn run(context: &Context, args: Unbind) -> Outcome {
    let owner = context.need_owner()?.clone();
    let cache = context.look()?;
    let handle = cache.owner_by_id(owner.clone());
    let declared: BTreeSet<String> = handle.declared()?.into_iter().map(|declared| declared.name).collect();
    let unbound = handle.unbind(&args.names)?;
    let known: BTreeSet<&str> = unbound.iter().map(|binding| binding.name.as_str()).collect();
    let rest: BTreeSet<&String> = args.names.iter().filter(|name| !known.contains(name.as_str())).collect();
    let (dropped, missing): (Vec<&String>, Vec<&String>) = rest.into_iter().partition(|name| declared.contains(*name));
    if context.out.json {
        context.out.document(&json!({"unbound": unbound, "undeclared": dropped, "missing": missing}))?;
        return Ok(Exit::Ok);
    }
    for binding in &unbound {
        let name = printable(binding.name.as_bytes());
        context.say(&format!("unbound `{name}` from {}", binding.artifact.hash.short()));
    }
    let owner = printable(owner.to_string().as_bytes());
    for name in dropped {
        context.say(&format!("{owner} no longer declares `{}`", printable(name.as_bytes())));
    }
    for name in missing {
        context.say(&format!("{owner} binds nothing to `{}`", printable(name.as_bytes())));
    }
    Ok(Exit::Ok)
}
