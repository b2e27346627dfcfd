//! `dup`: what sharing saves, and which files stand under several owners.

use ohmyartifacts::{Duplicate, Duplicates, FilterKind, printable};

use crate::cli::args::{Dup, ListArgs};
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::render::{Align, Format, ListKey, Table, arrange, count, human_size};
use crate::cli::{Exit, Outcome};

const KEYS: [ListKey; 6] = [
    ListKey::new("hash", "hash", FilterKind::Text),
    ListKey::new("size", "size", FilterKind::Size),
    ListKey::new("copies", "copies", FilterKind::Count),
    ListKey::new("saved", "saved_bytes", FilterKind::Size),
    ListKey::new("owner", "owners", FilterKind::Text),
    ListKey::new("place", "place", FilterKind::Text),
];

/// So many files are shown to people who name no limit.
const SHOWN: usize = 20;

pub(in crate::cli) fn run(context: &Context, args: &Dup) -> Outcome {
    let report = context.look()?.duplicates(context.owner())?;
    let all = Sharing::of(&report.files);
    let format = context.format(&args.list)?;
    let few = args.list.limit.or((format == Format::Table && !context.quiet).then_some(SHOWN));
    let list = ListArgs { limit: few, ..args.list.clone() };
    let files = arrange(report.files, &list, &KEYS, context.now())?;
    let report = Duplicates { files, ..report };
    match format {
        Format::Json => context.out.document(&report)?,
        Format::Table if context.quiet => {
            report.files.iter().try_for_each(|file| context.out.line(&file.hash.to_string()))?;
        }
        Format::Table => show(context, &report, &all)?,
        _ => drop(context.writes_rows(&report.files, &list)?),
    }
    Ok(Exit::Ok)
}

/// What is told of all, however few are shown.
struct Sharing {
    files: usize,
    /// Those that several owners have, and their bytes.
    several: usize,
    bytes: u64,
}

impl Sharing {
    fn of(files: &[Duplicate]) -> Self {
        let several = || files.iter().filter(|file| file.owners.len() > 1);
        Self { files: files.len(), several: several().count(), bytes: several().map(|file| file.size).sum() }
    }
}

fn show(context: &Context, report: &Duplicates, all: &Sharing) -> Result<(), Failure> {
    if !report.files.is_empty() {
        context.out.bytes(table(&report.files).render().as_bytes())?;
        context.out.line("")?;
    }
    context.out.line(&format!(
        "sharing saves {}: {} in several places, {} of them under several owners ({})",
        human_size(report.saved_bytes),
        count(all.files as u64, "file"),
        all.several,
        human_size(all.bytes)
    ))?;
    if report.files.len() < all.files {
        context.say(&format!("{} of {} shown", report.files.len(), count(all.files as u64, "file")));
    }
    Ok(())
}

fn table(files: &[Duplicate]) -> Table {
    let mut table = Table::new(&[
        ("SAVES", Align::Right),
        ("SIZE", Align::Right),
        ("COPIES", Align::Right),
        ("OWNERS", Align::Right),
        ("HASH", Align::Left),
        ("ONE OF THEM", Align::Left),
    ]);
    for file in files {
        table.row(vec![
            human_size(file.saved_bytes),
            human_size(file.size),
            file.copies.to_string(),
            file.owners.len().to_string(),
            file.hash.short(),
            printable(file.place.as_bytes()),
        ]);
    }
    table
}
