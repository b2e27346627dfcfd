use std::io::IsTerminal as _;

use ohmyartifacts::{SyncAction, SyncOptions, SyncRow, printable};

use crate::cli::args::Sync;
use crate::cli::context::{Context, asked};
use crate::cli::failure::Failure;
use crate::cli::render::{Align, Table, count};
use crate::cli::{Exit, Outcome};

pub(in crate::cli) fn run(context: &Context, args: &Sync) -> Outcome {
    let cache = if args.dry_run { context.look()? } else { context.open()? };
    let mut rows = cache.sync(SyncOptions::new().dry_run(args.dry_run).restore(args.restore))?;
    let lost = rows.iter().filter(|row| row.action == SyncAction::Lost).count() as u64;
    let may_ask = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    if lost > 0 && !args.dry_run && may_ask && asked(&format!("Put back {}?", count(lost, "lost name")))? {
        rows.retain(|row| row.action != SyncAction::Lost);
        rows.extend(cache.sync(SyncOptions::new().restore(true))?);
    }
    if context.out.json {
        context.out.document(&rows)?;
    } else {
        print(context, &rows, args.dry_run)?;
    }
    let left = rows.iter().filter(|row| row.action == SyncAction::Lost).count();
    if left > 0 {
        context.say("`oma sync --restore` puts back what was lost, in spaces attached with --write");
    }
    Ok(exit(&rows))
}

pub(super) fn exit(rows: &[SyncRow]) -> Exit {
    if rows.iter().any(|row| row.action.is_failure()) { Exit::Partial } else { Exit::Ok }
}

pub(super) fn print(context: &Context, rows: &[SyncRow], dry_run: bool) -> Result<(), Failure> {
    if rows.is_empty() {
        context.say("both sides are the same");
        return Ok(());
    }
    let mut table = Table::new(&[
        ("ACTION", Align::Left),
        ("OWNER", Align::Left),
        ("NAME", Align::Left),
        ("HASH", Align::Left),
        ("DETAIL", Align::Left),
    ]);
    for row in rows {
        let owner = match &row.version {
            Some(version) => format!("{}@{version}", row.owner),
            None => row.owner.clone(),
        };
        let shown = |text: &Option<String>| text.as_ref().map_or("-".to_owned(), |text| printable(text.as_bytes()));
        table.row(vec![
            word(row.action).to_owned(),
            printable(owner.as_bytes()),
            shown(&row.name),
            row.hash.map_or("-".to_owned(), |hash| hash.short()),
            shown(&row.detail),
        ]);
    }
    context.out.bytes(table.render().as_bytes())?;
    let would = if dry_run { " would be done" } else { "" };
    context.out.line(&format!("\n{}{would}", count(rows.len() as u64, "change")))
}

const fn word(action: SyncAction) -> &'static str {
    match action {
        SyncAction::Pulled => "pulled",
        SyncAction::Pushed => "pushed",
        SyncAction::RemovedHere => "removed here",
        SyncAction::RemovedThere => "removed there",
        SyncAction::NotPushed => "not pushed",
        SyncAction::Conflict => "conflict",
        SyncAction::Lost => "lost",
        SyncAction::Restored => "restored",
        _ => "failed",
    }
}
