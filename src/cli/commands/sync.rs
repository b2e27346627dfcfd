use std::io::IsTerminal as _;

use ohmyartifacts::{SyncAction, SyncOptions, SyncRow, printable};

use crate::cli::args::Sync;
use crate::cli::context::{Context, asked};
use crate::cli::failure::Failure;
use crate::cli::render::{Align, Table, count, short_name};
use crate::cli::{Exit, Outcome};

pub(in crate::cli) fn run(context: &Context, args: &Sync) -> Outcome {
    let cache = if args.dry_run { context.look()? } else { context.open()? };
    if cache.attached()?.is_empty() {
        context.say("nothing is attached; `oma attach julia` follows OhMyArtifacts.jl");
        if context.out.json {
            context.out.document(&Vec::<SyncRow>::new())?;
        }
        return Ok(Exit::Ok);
    }
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

/// Beyond so many, names that went over as they should are counted, not listed.
const LISTED: usize = 20;

pub(super) fn print(context: &Context, rows: &[SyncRow], dry_run: bool) -> Result<(), Failure> {
    if rows.is_empty() {
        context.say("both sides are the same");
        return Ok(());
    }
    let all = context.verbose || rows.len() <= LISTED;
    let shown: Vec<&SyncRow> = rows.iter().filter(|row| all || needs_a_look(row.action)).collect();
    if !shown.is_empty() {
        context.out.bytes(table(&shown).render().as_bytes())?;
        context.out.line("")?;
    }
    let would = if dry_run { "would be " } else { "" };
    context.out.line(&format!("{}: {would}{}", count(rows.len() as u64, "name"), by_action(rows)))
}

const fn needs_a_look(action: SyncAction) -> bool {
    !matches!(action, SyncAction::Pulled | SyncAction::Pushed | SyncAction::Restored)
}

/// Counts each action, in the order in which they first stand.
fn by_action(rows: &[SyncRow]) -> String {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for row in rows {
        match counts.iter_mut().find(|(known, _)| *known == word(row.action)) {
            Some((_, number)) => *number += 1,
            None => counts.push((word(row.action), 1)),
        }
    }
    let counts: Vec<String> = counts.into_iter().map(|(word, number)| format!("{number} {word}")).collect();
    counts.join(", ")
}

fn table(rows: &[&SyncRow]) -> Table {
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
            row.name.as_ref().map_or("-".to_owned(), |name| short_name(name)),
            row.hash.map_or("-".to_owned(), |hash| hash.short()),
            shown(&row.detail),
        ]);
    }
    table
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
