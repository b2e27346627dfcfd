use ohmyartifacts::{BindingName, Delegation, printable};
use serde_json::json;

use crate::cli::args::owner::Delegate;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::render::count;
use crate::cli::{Exit, Outcome};

pub(super) fn run(context: &Context, args: &Delegate) -> Outcome {
    let names = args.names.iter().map(|name| BindingName::new(name)).collect::<Result<Vec<_>, _>>()?;
    let names = (!names.is_empty()).then_some(names);
    let done = context.look()?.delegate(&args.from, &args.to, names.as_deref(), args.force)?;
    print(context, args, &done)?;
    Ok(Exit::Ok)
}

fn print(context: &Context, args: &Delegate, done: &Delegation) -> Result<(), Failure> {
    let (from, to) = (args.from.to_string(), args.to.to_string());
    if context.out.json {
        let (delegated, replaced) = (&done.delegated, &done.replaced);
        return context.out.document(&json!({"from": from, "to": to, "delegated": delegated, "replaced": replaced}));
    }
    let (from, to) = (printable(from.as_bytes()), printable(to.as_bytes()));
    for binding in &done.replaced {
        let (name, hash) = (printable(binding.name.as_bytes()), binding.artifact.hash.short());
        context.say(&format!("{to} no longer binds `{name}` to {hash}"));
    }
    let number = count(done.delegated.len() as u64, "binding");
    context.say(&format!("{number} of {from} handed over to {to}"));
    Ok(())
}
