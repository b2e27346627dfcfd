use ohmyartifacts::Source;

use crate::cli::args::Add;
use crate::cli::commands::put_in;
use crate::cli::context::Context;
use crate::cli::{Exit, Outcome};

pub(in crate::cli) fn run(context: &Context, args: Add) -> Outcome {
    let options = put_in::bind_options(&args.bind)?;
    let source = if args.consume { Source::consume(&args.path) } else { Source::copy(&args.path) };
    let source = source.links(args.links);
    let ingested = match &args.bind.bind {
        None => context.open()?.ingest(&source)?,
        Some(name) => {
            let (owner, by) = context.binder(&args.bind.on_behalf)?;
            let options = put_in::bound_by(options, by);
            context.open()?.owner_by_id(owner).ingest(name, &source, &options)?
        }
    };
    put_in::print(context, &ingested)?;
    Ok(Exit::Ok)
}
