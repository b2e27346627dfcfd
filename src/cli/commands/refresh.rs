use ohmyartifacts::{Refreshed, printable};
use serde::Serialize;

use crate::cli::args::Refresh;
use crate::cli::commands::download::transfer_options;
use crate::cli::commands::put_in::{self, PutIn};
use crate::cli::context::Context;
use crate::cli::{Exit, Outcome};

/// The JSON of one name: what `add` prints, and whether it is something new.
#[derive(Serialize)]
struct Row<'a> {
    #[serde(flatten)]
    put_in: PutIn<'a>,
    changed: bool,
}

/// One name prints one document; several print a list.
pub(in crate::cli) fn run(context: &Context, args: &Refresh) -> Outcome {
    let owner = context.need_owner()?.clone();
    let options = transfer_options(&args.transfer)?;
    // What was downloaded was downloaded into a store that is there.
    let cache = context.look()?;
    let owner = cache.owner_by_id(owner);
    let mut refreshed = Vec::with_capacity(args.names.len());
    for name in &args.names {
        let answer = owner.refresh(name, &options)?;
        if !context.out.json {
            tell(context, name, &answer)?;
        }
        refreshed.push(answer);
    }
    if context.out.json {
        let rows: Vec<Row<'_>> = refreshed
            .iter()
            .map(|answer| Row { put_in: PutIn::new(&answer.artifact), changed: answer.changed })
            .collect();
        match rows.as_slice() {
            [row] => context.out.document(row)?,
            rows => context.out.document(&rows)?,
        }
    }
    Ok(Exit::Ok)
}

fn tell(context: &Context, name: &str, answer: &Refreshed) -> Result<(), crate::cli::failure::Failure> {
    if answer.changed {
        return put_in::print(context, &answer.artifact);
    }
    context.out.line(&answer.artifact.artifact.hash.to_string())?;
    context.say(&format!("`{}` is what its source still has", printable(name.as_bytes())));
    Ok(())
}
