use ohmyartifacts::julia_depots;

use crate::cli::args::Fetch;
use crate::cli::commands::put_in::{self, PutIn};
use crate::cli::context::Context;
use crate::cli::{Exit, Outcome};

/// One name prints what `add` prints; several print it one after the other, in JSON as a list.
pub(in crate::cli) fn run(context: &Context, args: &Fetch) -> Outcome {
    let owner = context.need_owner()?.clone();
    let depots = julia_depots(&args.depot);
    // What is declared is declared in a store that is there.
    let cache = context.look()?;
    let owner = cache.owner_by_id(owner);
    let mut brought = Vec::with_capacity(args.names.len());
    for name in &args.names {
        let ingested = owner.fetch(name, &depots)?;
        if !context.out.json || args.names.len() == 1 {
            put_in::print(context, &ingested)?;
        }
        brought.push(ingested);
    }
    if context.out.json && args.names.len() > 1 {
        let rows: Vec<PutIn<'_>> = brought.iter().map(PutIn::new).collect();
        context.out.document(&rows)?;
    }
    Ok(Exit::Ok)
}
