use ohmyartifacts::{BindOptions, printable};

use crate::cli::args::Bind;
use crate::cli::commands::put_in;
use crate::cli::context::{Context, metadata};
use crate::cli::{Exit, Outcome};

pub(in crate::cli) fn run(context: &Context, args: Bind) -> Outcome {
    let (owner, by) = context.binder(&args.on_behalf)?;
    let options = put_in::bound_by(BindOptions::new().force(args.force), by);
    let options = match metadata(&args.meta)? {
        Some(meta) => options.meta(meta),
        None => options,
    };
    let cache = context.open()?;
    let found = context.find(&cache, &args.reference)?;
    let binding = cache.owner_by_id(owner).bind(&args.name, &found.artifact, &options)?;
    if context.out.json {
        context.out.document(&binding)?;
    } else {
        let name = printable(binding.name.as_bytes());
        context.say(&format!("bound `{name}` to {}", binding.artifact.hash.short()));
    }
    Ok(Exit::Ok)
}
