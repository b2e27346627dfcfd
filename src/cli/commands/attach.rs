use std::path::PathBuf;

use ohmyartifacts::{AttachedSpace, Cache, SyncOptions, julia_depots, printable_path};

use crate::cli::args::{Attach, Detach};
use crate::cli::commands::sync;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::render::{Align, Table, age};
use crate::cli::{Exit, Outcome};

pub(in crate::cli) fn attach(context: &Context, args: Attach) -> Outcome {
    if args.program.is_none() {
        return list(context);
    }
    let depot = depot(args.depot)?;
    let cache = context.open()?;
    let space = cache.attach(&depot, args.write)?;
    if !args.write {
        return show(context, &space, "followed").map(|()| Exit::Ok);
    }
    show(context, &space, "followed and written to")?;
    first_sync(context, &cache)
}

/// From now on changes here go there too, so both sides must start from the same.
fn first_sync(context: &Context, cache: &Cache) -> Outcome {
    let rows = cache.sync(SyncOptions::new())?;
    if !context.out.json {
        sync::print(context, &rows, false)?;
    }
    Ok(sync::exit(&rows))
}

pub(in crate::cli) fn detach(context: &Context, args: Detach) -> Outcome {
    let depot = depot(args.depot)?;
    match context.open()?.detach(&depot)? {
        Some(space) => show(context, &space, "followed no longer").map(|()| Exit::Ok),
        None => {
            let message = format!("`{}` is not attached", printable_path(&depot));
            Err(Failure::not_found(&message).hint("`oma attach` lists what is"))
        }
    }
}

fn depot(given: Option<PathBuf>) -> Result<PathBuf, Failure> {
    let depots = julia_depots(given.as_slice());
    depots.into_iter().next().ok_or_else(|| {
        Failure::usage("there is no Julia depot to look in").hint("pass `--depot DIR`, or set `JULIA_DEPOT_PATH`")
    })
}

fn show(context: &Context, space: &AttachedSpace, what: &str) -> Result<(), Failure> {
    if context.out.json {
        return context.out.document(space);
    }
    context.out.line(&format!("{} is {what}", printable_path(&space.space)))
}

fn list(context: &Context) -> Outcome {
    let spaces = context.look()?.attached()?;
    if context.out.json {
        context.out.document(&spaces)?;
        return Ok(Exit::Ok);
    }
    if spaces.is_empty() {
        context.say("nothing is attached; `oma attach julia` follows OhMyArtifacts.jl");
        return Ok(Exit::Ok);
    }
    let mut table = Table::new(&[
        ("SPACE", Align::Left),
        ("WRITES", Align::Left),
        ("ATTACHED", Align::Right),
        ("LAST SYNC", Align::Right),
    ]);
    for space in &spaces {
        table.row(vec![
            printable_path(&space.space),
            if space.writes { "yes" } else { "no" }.to_owned(),
            age(context.now(), space.attached_at),
            space.synced_at.map_or_else(|| "never".to_owned(), |at| age(context.now(), at)),
        ]);
    }
    context.out.bytes(table.render().as_bytes())?;
    Ok(Exit::Ok)
}
