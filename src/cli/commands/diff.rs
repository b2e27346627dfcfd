//! `diff`: in what two artifacts differ.

use ohmyartifacts::{Change, Diff as Report, DiffSide, DiffedPath, FilterKind, printable};

use crate::cli::args::Diff;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::render::{Align, Format, ListKey, Table, arrange, count, human_size, mode_text};
use crate::cli::{Exit, Outcome};

const KEYS: [ListKey; 3] = [
    ListKey::new("path", "path", FilterKind::Text),
    ListKey::new("change", "change", FilterKind::Word(&["added", "removed", "changed", "mode", "kind", "moved"])),
    ListKey::new("from", "from", FilterKind::Text),
];

pub(in crate::cli) fn run(context: &Context, args: &Diff) -> Outcome {
    let cache = context.look()?;
    let left = context.look_at(&cache, &args.left)?.artifact;
    let right = context.look_at(&cache, &args.right)?.artifact;
    let report = cache.diff(&left, &right)?;
    let changes = arrange(report.changes.clone(), &args.list, &KEYS, context.now())?;
    match context.format(&args.list)? {
        Format::Json => context.out.document(&Report { changes, ..report })?,
        Format::Table if context.quiet => {
            changes.iter().try_for_each(|change| context.out.line(&path_of(change)))?;
        }
        Format::Table => show(context, &report, &changes)?,
        _ => drop(context.writes_rows(&changes, &args.list)?),
    }
    Ok(Exit::Ok)
}

fn path_of(change: &DiffedPath) -> String {
    change.path.as_ref().map_or_else(|| "(the file)".to_owned(), |path| printable(path.as_bytes()))
}

fn show(context: &Context, report: &Report, changes: &[DiffedPath]) -> Result<(), Failure> {
    if report.equal {
        return context.out.line(&format!("nothing differs: both are {}", report.left.short()));
    }
    if !changes.is_empty() {
        context.out.bytes(table(changes).render().as_bytes())?;
        context.out.line("")?;
    }
    let differ = match report.changes.len() as u64 {
        1 => "1 path differs".to_owned(),
        number => format!("{} differ", count(number, "path")),
    };
    context.out.line(&format!(
        "{differ}, {} in common; {} new, {} gone",
        count(report.same, "path"),
        human_size(report.new_bytes),
        human_size(report.lost_bytes)
    ))
}

fn table(changes: &[DiffedPath]) -> Table {
    let mut table =
        Table::new(&[("CHANGE", Align::Left), ("SIZE", Align::Right), ("WAS", Align::Right), ("PATH", Align::Left)]);
    for change in changes {
        let from = change.from.as_ref().map(|from| format!("{} -> ", printable(from.as_bytes()))).unwrap_or_default();
        table.row(vec![
            word(change.change).to_owned(),
            facts(change.right.as_ref(), change.change),
            facts(change.left.as_ref(), change.change),
            format!("{from}{}", path_of(change)),
        ]);
    }
    table
}

fn word(change: Change) -> &'static str {
    match change {
        Change::Added => "added",
        Change::Removed => "removed",
        Change::Changed => "changed",
        Change::Mode => "mode",
        Change::Kind => "kind",
        Change::Moved => "moved",
    }
}

/// What of a side tells the difference.
fn facts(side: Option<&DiffSide>, change: Change) -> String {
    match side {
        None => "-".to_owned(),
        Some(side) if change == Change::Mode => mode_text(side.mode),
        Some(DiffSide { size: Some(size), .. }) => human_size(*size),
        Some(DiffSide { target: Some(_), .. }) => "link".to_owned(),
        Some(_) => "directory".to_owned(),
    }
}
