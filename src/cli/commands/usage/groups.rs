use ohmyartifacts::{FilterKind, GroupUsage, GroupedUsage, UsageBy, UsageGroup};

use crate::cli::args::Usage;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::render::{
    Align, Format, KINDS, ListKey, Table, age, arrange, bar, count, human_size, short_kind, short_name,
};
use crate::cli::{Exit, Outcome};

const KEYS: [ListKey; 16] = [
    ListKey::new("hash", "hash", FilterKind::Text),
    ListKey::new("kind", "kind", KINDS),
    ListKey::new("name", "names", FilterKind::Text),
    ListKey::new("age", "age", FilterKind::Text),
    ListKey::new("class", "class", FilterKind::Word(&["refetchable", "rebuildable", "irreplaceable"])),
    ListKey::new("owners", "owners", FilterKind::Count),
    ListKey::new("bindings", "bindings", FilterKind::Count),
    ListKey::new("artifacts", "artifacts", FilterKind::Count),
    ListKey::new("files", "files", FilterKind::Count),
    ListKey::new("size", "total_bytes", FilterKind::Size),
    ListKey::new("total", "total_bytes", FilterKind::Size),
    ListKey::new("exclusive", "exclusive_bytes", FilterKind::Size),
    ListKey::new("shared", "shared_bytes", FilterKind::Size),
    ListKey::new("fair", "fair_bytes", FilterKind::Size),
    ListKey::new("used", "last_used_at", FilterKind::Time),
    ListKey::new("seen", "last_used_at", FilterKind::Time),
];

pub(super) fn run(context: &Context, args: &Usage, by: UsageBy) -> Outcome {
    let usage = context.look()?.usage_by(by, context.owner())?;
    let all = usage.groups.len();
    let usage = GroupedUsage { groups: arrange(usage.groups, &args.list, &KEYS, context.now())?, ..usage };
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
    let one_each = usage.by == UsageBy::Artifact;
    let mut table = Table::new(&columns(usage.by));
    for row in &usage.groups {
        table.row(cells(context, row, usage.stored_bytes, one_each));
    }
    if !table.is_empty() {
        context.out.bytes(table.render().as_bytes())?;
        context.out.line("")?;
    }
    let stored = human_size(usage.stored_bytes);
    let unowned = human_size(usage.orphan_bytes);
    let kept = usage.stored_bytes - usage.orphan_bytes;
    let saved = human_size(usage.logical_bytes.saturating_sub(kept));
    context.out.line(&format!("{stored} stored, {unowned} of it unused; sharing saves {saved}"))?;
    if usage.groups.len() < all {
        context.say(&format!("{} of {} shown", usage.groups.len(), count(all as u64, "row")));
    }
    Ok(())
}

fn columns(by: UsageBy) -> Vec<(&'static str, Align)> {
    let mut columns = match by {
        UsageBy::Artifact => vec![("HASH", Align::Left), ("KIND", Align::Left), ("OWNERS", Align::Right)],
        UsageBy::Kind => vec![("KIND", Align::Left), ("ARTIFACTS", Align::Right)],
        UsageBy::Age => vec![("LAST USED", Align::Left), ("ARTIFACTS", Align::Right)],
        UsageBy::Class => vec![("CLASS", Align::Left), ("ARTIFACTS", Align::Right)],
    };
    columns.extend([
        ("FILES", Align::Right),
        ("TOTAL", Align::Right),
        ("EXCLUSIVE", Align::Right),
        ("SHARED", Align::Right),
        ("FAIR", Align::Right),
        ("OF ALL", Align::Left),
    ]);
    if by == UsageBy::Artifact {
        columns.extend([("USED", Align::Right), ("NAMES", Align::Left)]);
    }
    columns
}

fn cells(context: &Context, row: &GroupUsage, stored: u64, one_each: bool) -> Vec<String> {
    let mut cells = vec![label(&row.group)];
    match &row.group {
        UsageGroup::Artifact { kind, .. } => cells.extend([short_kind(*kind), row.owners.to_string()]),
        _ => cells.push(row.artifacts.to_string()),
    }
    cells.extend([
        row.files.to_string(),
        human_size(row.total_bytes),
        human_size(row.exclusive_bytes),
        human_size(row.shared_bytes),
        human_size(row.fair_bytes),
        bar(row.fair_bytes, stored),
    ]);
    if one_each {
        cells.push(age(context.now(), row.last_used_at));
        cells.push(names(&row.group));
    }
    cells
}

/// The first name, and how many more there are.
fn names(group: &UsageGroup) -> String {
    let UsageGroup::Artifact { names, .. } = group else { return String::new() };
    match names.as_slice() {
        [] => "-".to_owned(),
        [name] => short_name(name),
        [name, more @ ..] => format!("{} and {} more", short_name(name), more.len()),
    }
}
