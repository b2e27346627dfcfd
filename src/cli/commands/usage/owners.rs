use std::collections::BTreeSet;
use std::path::Path;

use ohmyartifacts::{FilterKind, OwnerUsage, Usage as Report, printable, printable_path};

use crate::cli::args::Usage;
use crate::cli::commands::usage::{WEIGHT_COLUMNS, tell_hidden, totals, weight_cells, with_weights};
use crate::cli::context::Context;
use crate::cli::failure::{Failure, quoted};
use crate::cli::render::{Align, Format, ListKey, Table, age, arrange, count, day_and_time, human_growth, human_size};
use crate::cli::{Exit, Outcome};

const KEYS: [ListKey; 4] = [
    ListKey::new("owner", "owner", FilterKind::Owner),
    ListKey::new("version", "version", FilterKind::Text),
    ListKey::new("grown", "grown_bytes", FilterKind::Size),
    ListKey::new("seen", "last_seen_at", FilterKind::Time),
];

pub(super) fn by_version(context: &Context, args: &Usage) -> Outcome {
    let cache = context.look()?;
    let usage = match (args.since, context.owner()) {
        (Some(since), owner) => cache.usage_since(since.before(context.now()), owner)?,
        (None, Some(owner)) => cache.usage_of(owner)?,
        (None, None) => cache.usage()?,
    };
    tell_unknown(context, usage.owners.is_empty());
    show(context, args, usage)
}

/// An owner is one with its version: who means all versions may not know that.
fn tell_unknown(context: &Context, nothing: bool) {
    if let Some(owner) = context.owner().filter(|_| nothing) {
        let owner = quoted(&owner.to_string());
        context.say(&format!(
            "no owner is known as {owner}; `oma usage --by owner --owner {owner}` takes all versions of a key together"
        ));
    }
}

pub(super) fn by_key(context: &Context, args: &Usage) -> Outcome {
    let mut usage = context.look()?.usage_by_key()?;
    if let Some(owner) = context.owner() {
        usage.owners.retain(|row| row.owner == owner.key());
    }
    show(context, args, usage)
}

fn show(context: &Context, args: &Usage, usage: Report) -> Outcome {
    // One that holds something in an attached space too has a row for each place.
    let owners = usage.owners.iter().map(|owner| (&owner.owner, &owner.version)).collect::<BTreeSet<_>>().len() as u64;
    let all = usage.owners.len();
    let usage = Report { owners: arrange(usage.owners, &args.list, &with_weights(&KEYS), context.now())?, ..usage };
    match context.format(&args.list)? {
        Format::Json => context.out.document(&usage)?,
        Format::Table if context.quiet => names(context, &usage.owners)?,
        Format::Table => table(context, &usage, owners, all)?,
        _ => drop(context.writes_rows(&usage.owners, &args.list)?),
    }
    Ok(Exit::Ok)
}

fn names(context: &Context, owners: &[OwnerUsage]) -> Result<(), Failure> {
    let name = |row: &OwnerUsage| {
        let version = row.version.as_ref().map(|version| format!("@{version}")).unwrap_or_default();
        printable(format!("{}{version}", row.owner).as_bytes())
    };
    owners.iter().try_for_each(|row| context.out.line(&name(row)))
}

fn table(context: &Context, usage: &Report, owners: u64, all: usize) -> Result<(), Failure> {
    let columns = Columns::of(usage);
    let mut table = columns.table();
    let stored = usage.stored_bytes;
    usage.owners.iter().for_each(|owner| table.row(columns.row(context, owner, stored)));
    if !table.is_empty() {
        context.out.bytes(table.render().as_bytes())?;
        context.out.line("")?;
    }
    summary(context, usage, owners)?;
    tell_hidden(context, usage.owners.len(), all);
    Ok(())
}

fn summary(context: &Context, usage: &Report, owners: u64) -> Result<(), Failure> {
    let whom =
        if context.owner().is_some() { " in all".to_owned() } else { format!(" for {}", count(owners, "owner")) };
    context.out.line(&totals(&whom, usage.stored_bytes, usage.orphan_bytes, usage.logical_bytes))?;
    let Some(since) = &usage.since else { return Ok(()) };
    let gone = since.gone.iter().map(|owner| owner.was.exclusive_bytes).sum();
    let gone = match since.gone.len() as u64 {
        0 => String::new(),
        1 => format!("; one owner of then is gone, {} of its own", human_size(gone)),
        number => format!("; {} of then are gone, {} of theirs alone", count(number, "owner"), human_size(gone)),
    };
    let size = human_size(since.grown_bytes.unsigned_abs());
    let change = match since.grown_bytes {
        0 => "has kept its size".to_owned(),
        1.. => format!("has grown by {size}"),
        _ => format!("has become {size} smaller"),
    };
    context.out.line(&format!("since {} (UTC) the store {change}{gone}", day_and_time(since.at)))
}

/// Which columns have something to say.
struct Columns {
    versions: bool,
    growth: bool,
    places: bool,
}

impl Columns {
    fn of(usage: &Report) -> Self {
        Self {
            versions: usage.owners.iter().any(|owner| owner.version.is_some()),
            growth: usage.since.is_some(),
            places: usage.owners.iter().any(|owner| owner.space.is_some()),
        }
    }

    fn table(&self) -> Table {
        let mut columns = vec![("OWNER", Align::Left)];
        columns.extend(self.versions.then_some(("VERSION", Align::Left)));
        columns.push(("BINDINGS", Align::Right));
        columns.extend(WEIGHT_COLUMNS);
        columns.extend(self.growth.then_some(("GROWN BY", Align::Right)));
        columns.push(("LAST SEEN", Align::Right));
        columns.extend(self.places.then_some(("WHERE", Align::Left)));
        Table::new(&columns)
    }

    fn row(&self, context: &Context, owner: &OwnerUsage, stored: u64) -> Vec<String> {
        let mut cells = vec![printable(owner.owner.as_bytes())];
        cells.extend(self.versions.then(|| printable(owner.version.as_deref().unwrap_or("-").as_bytes())));
        cells.push(owner.bindings.to_string());
        let bytes = [owner.total_bytes, owner.exclusive_bytes, owner.shared_bytes, owner.fair_bytes];
        cells.extend(weight_cells(owner.files, bytes, stored));
        cells.extend(self.growth.then(|| match owner.was {
            None => "new".to_owned(),
            Some(_) => human_growth(owner.grown_bytes.unwrap_or_default()),
        }));
        cells.push(age(context.now(), owner.last_seen_at));
        cells.extend(self.places.then(|| owner.space.as_deref().map_or_else(|| "this store".to_owned(), place)));
        cells
    }
}

/// Names an attached space by its depot, if it lies in one: the rest of the path is always the same.
fn place(space: &Path) -> String {
    let depot =
        space.ancestors().nth(3).filter(|_| space.iter().rev().nth(2).is_some_and(|name| name == "scratchspaces"));
    printable_path(depot.unwrap_or(space))
}
