use ohmyartifacts::{Cache, Error, Refreshed, TransferOptions, printable};
use serde::Serialize;

use crate::cli::args::Refresh;
use crate::cli::commands::download::transfer_options;
use crate::cli::commands::put_in::{self, PutIn};
use crate::cli::context::Context;
use crate::cli::failure::{self, Failure, quoted};
use crate::cli::{Exit, Outcome};

/// The JSON of one name: what `add` prints, and whether it is something new.
#[derive(Serialize)]
struct Row<'a> {
    #[serde(flatten)]
    put_in: PutIn<'a>,
    changed: bool,
}

/// One name prints one document; several print a list. What fails does not keep the others from being asked.
pub(in crate::cli) fn run(context: &Context, args: &Refresh) -> Outcome {
    let options = transfer_options(&args.transfer)?;
    // What was downloaded was downloaded into a store that is there.
    let cache = context.look()?;
    let (mut refreshed, mut failed) = (Vec::with_capacity(args.names.len()), Vec::new());
    for name in &args.names {
        match refresh(context, &cache, name, &options) {
            Ok(answer) => {
                if !context.out.json {
                    tell(context, name, &answer)?;
                }
                refreshed.push(answer);
            }
            Err(failure) => failed.push(failure),
        }
    }
    let last = if refreshed.is_empty() { failed.pop() } else { None };
    for failure in &failed {
        failure::report(failure, false);
    }
    if let Some(failure) = last {
        return Err(failure);
    }
    print_json(context, args, &refreshed)?;
    Ok(if failed.is_empty() { Exit::Ok } else { Exit::Partial })
}

fn print_json(context: &Context, args: &Refresh, refreshed: &[Refreshed]) -> Result<(), Failure> {
    if !context.out.json {
        return Ok(());
    }
    let rows: Vec<Row<'_>> =
        refreshed.iter().map(|answer| Row { put_in: PutIn::new(&answer.artifact), changed: answer.changed }).collect();
    match rows.as_slice() {
        [row] if args.names.len() == 1 => context.out.document(row),
        rows => context.out.document(&rows),
    }
}

/// Refreshes one's own name, or `OWNER:NAME`.
fn refresh(context: &Context, cache: &Cache, name: &str, options: &TransferOptions) -> Result<Refreshed, Failure> {
    let (owner, name) = match context.owner() {
        Some(owner) if cache.owner_by_id(owner.clone()).resolve(name)?.is_some() => (owner.clone(), name.to_owned()),
        _ => {
            let found = context.look_at(cache, name)?;
            let unnamed =
                || Failure::usage("what has no name has nothing to be refreshed").hint("name it as OWNER:NAME");
            let binding = found.binding.ok_or_else(unnamed)?;
            (binding.owner, binding.name)
        }
    };
    let wrong = |error: Error| match &error {
        Error::WrongHash { found, .. } => {
            let (owner, name, found) = (quoted(&owner.to_string()), quoted(&name), found.clone());
            let hint =
                format!("`oma download --force --owner {owner} --sha256 {found} URL {name}` takes what is there now");
            Failure::from(error).hint(&hint)
        }
        _ => error.into(),
    };
    cache.owner_by_id(owner.clone()).refresh(&name, options).map_err(wrong)
}

fn tell(context: &Context, name: &str, answer: &Refreshed) -> Result<(), Failure> {
    if answer.changed {
        return put_in::print(context, &answer.artifact);
    }
    context.out.line(&answer.artifact.artifact.hash.to_string())?;
    context.say(&format!("`{}` is what its source still has", printable(name.as_bytes())));
    Ok(())
}
