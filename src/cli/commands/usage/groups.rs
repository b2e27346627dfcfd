use ohmyartifacts::{FilterKind, GroupUsage, GroupedUsage, UsageBy, UsageGroup};

use crate::cli::args::Usage;
use crate::cli::commands::usage::{WEIGHT_COLUMNS, tell_hidden, totals, weight_cells, with_weights};
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::render::{Align, Format, KINDS, ListKey, Table, age, arrange, first_name, short_kind};
use crate::cli::{Exit, Outcome};

const KEYS: [ListKey; 8] = [
    ListKey::new("hash", "hash", FilterKind::Text),
    ListKey::new("kind", "kind", KINDS),
    ListKey::new("name", "names", FilterKind::Text),
    ListKey::new("age", "age", FilterKind::Text),
    ListKey::new("class", "class", FilterKind::Word(&["refetchable", "rebuildable", "irreplaceable"])),
    ListKey::new("owners", "owners", FilterKind::Count),
    ListKey::new("used", "last_used_at", FilterKind::Time),
    ListKey::new("seen", "last_used_at", FilterKind::Time),
];

pub(super) fn run(context: &Context, args: &Usage, by: UsageBy) -> Outcome {
    let usage = context.look()?.usage_by(by, context.owner())?;
    let all = usage.groups.len();
    let usage =
        GroupedUsage { groups: arrange(usage.groups, &args.list, &with_weights(&KEYS), context.now())?, ..usage };
    match context.format(&args.list)? {
        Format::Json => context.out.document(&usage)?,
        Format::Table if context.quiet => ids(context, &usage.groups)?,
        Format::Table => table(context, &usage, all)?,
        _ => drop(context.writes_rows(&usage.groups, &args.list)?),
    }
    Ok(Exit::Ok)
}

fn ids(context: &Context, groups: &[GroupUsage]) -> Result<(), Failure> {
    groups.iter().try_for_each(|row| match &row.group {
        UsageGroup::Artifact { hash, .. } => context.out.line(&hash.to_string()),
        other => context.out.line(&label(other)),
    })
}

fn label(group: &UsageGroup) -> String {
    match group {
        UsageGroup::Artifact { hash, .. } => hash.short(),
        UsageGroup::Kind { kind } => kind.as_str().to_owned(),
        UsageGroup::Age { age } => age.as_str().to_owned(),
        UsageGroup::Class { class } => class.to_string(),
    }
}

fn table(context: &Context, usage: &GroupedUsage, all: usize) -> Result<(), Failure> {
    let mut table = Table::new(&columns(usage.by));
    for row in &usage.groups {
        table.row(cells(context, row, usage.stored_bytes));
    }
    if !table.is_empty() {
        context.out.bytes(table.render().as_bytes())?;
        context.out.line("")?;
    }
    context.out.line(&totals("", usage.stored_bytes, usage.orphan_bytes, usage.logical_bytes))?;
    tell_hidden(context, usage.groups.len(), all);
    Ok(())
}

fn columns(by: UsageBy) -> Vec<(&'static str, Align)> {
    let mut columns = match by {
        UsageBy::Artifact => vec![("HASH", Align::Left), ("KIND", Align::Left), ("OWNERS", Align::Right)],
        UsageBy::Kind => vec![("KIND", Align::Left), ("ARTIFACTS", Align::Right)],
        UsageBy::Age => vec![("LAST USED", Align::Left), ("ARTIFACTS", Align::Right)],
        UsageBy::Class => vec![("CLASS", Align::Left), ("ARTIFACTS", Align::Right)],
    };
    columns.extend(WEIGHT_COLUMNS);
    if by == UsageBy::Artifact {
        columns.extend([("USED", Align::Right), ("NAMES", Align::Left)]);
    }
    columns
}

fn cells(context: &Context, row: &GroupUsage, stored: u64) -> Vec<String> {
    let mut cells = vec![label(&row.group)];
    match &row.group {
        UsageGroup::Artifact { kind, .. } => cells.extend([short_kind(*kind), row.owners.to_string()]),
        _ => cells.push(row.artifacts.to_string()),
    }
    let bytes = [row.total_bytes, row.exclusive_bytes, row.shared_bytes, row.fair_bytes];
    cells.extend(weight_cells(row.files, bytes, stored));
    if let UsageGroup::Artifact { names, .. } = &row.group {
        cells.extend([age(context.now(), row.last_used_at), first_name(names)]);
    }
    cells
}
