use ohmyartifacts::{ImportOptions, ImportReport, ImportRow, ImportStatus, julia_depots, printable};

use crate::cli::args::Import;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::render::{Align, Table, count, human_size, short_name};
use crate::cli::{Exit, Outcome};

pub(in crate::cli) fn run(context: &Context, args: Import) -> Outcome {
    let options = ImportOptions::new()
        .owner(context.owner().cloned())
        .force(args.force)
        .platform(args.platform.unwrap_or_default())
        .depots(julia_depots(&args.depot));
    let report = if args.dry_run {
        context.look()?.import_preview(&args.paths, &options)?
    } else {
        context.open()?.import(&args.paths, &options)?
    };
    if context.out.json {
        context.out.document(&report.rows)?;
    } else {
        print(context, &report, args.dry_run)?;
    }
    let failed = report.rows.iter().any(|row| row.status.is_failure());
    Ok(if failed { Exit::Partial } else { Exit::Ok })
}

/// Everything that needs a look, row by row, and the rest in one sentence.
fn print(context: &Context, report: &ImportReport, dry_run: bool) -> Result<(), Failure> {
    if context.quiet {
        let hashes = report.rows.iter().filter_map(|row| row.hash);
        return hashes.into_iter().try_for_each(|hash| context.out.line(&hash.to_string()));
    }
    let shown: Vec<&ImportRow> = report.rows.iter().filter(|row| context.verbose || needs_a_look(row)).collect();
    if !shown.is_empty() {
        context.out.bytes(table(&shown).render().as_bytes())?;
        context.out.line("")?;
    }
    let statuses = [
        ImportStatus::Imported,
        ImportStatus::Unverifiable,
        ImportStatus::Declared,
        ImportStatus::Unchanged,
        ImportStatus::Conflict,
        ImportStatus::Missing,
        ImportStatus::Corrupt,
    ];
    let counts = statuses.into_iter().filter_map(|status| match report.count(status) {
        0 => None,
        number => Some(format!("{number} {}", status.as_str())),
    });
    let counts: Vec<String> = counts.collect();
    let unused = report.rows.iter().filter(|row| row.name.is_none() && row.hash.is_some()).count();
    let mut total = count((report.rows.len() - unused) as u64, "name");
    if unused > 0 {
        total = format!("{total} and {} that nobody uses", count(unused as u64, "artifact"));
    }
    let grown = match report.new_bytes {
        0 => String::new(),
        bytes => format!("; {} taken over", human_size(bytes)),
    };
    let would = if dry_run { "would be " } else { "" };
    let list = if counts.is_empty() { "nothing to import".to_owned() } else { counts.join(", ") };
    context.out.line(&format!("{total}: {would}{list}{grown}"))
}

fn needs_a_look(row: &ImportRow) -> bool {
    row.status.is_failure() || row.status == ImportStatus::Unverifiable
}

fn table(rows: &[&ImportRow]) -> Table {
    let mut table = Table::new(&[
        ("STATUS", Align::Left),
        ("OWNER", Align::Left),
        ("NAME", Align::Left),
        ("HASH", Align::Left),
        ("DETAIL", Align::Left),
    ]);
    for row in rows {
        let owner = match (&row.owner, &row.version) {
            (Some(owner), Some(version)) => format!("{owner}@{version}"),
            (Some(owner), None) => owner.clone(),
            (None, _) => "-".to_owned(),
        };
        let shown = |text: &Option<String>| text.as_ref().map_or("-".to_owned(), |text| printable(text.as_bytes()));
        table.row(vec![
            row.status.as_str().to_owned(),
            printable(owner.as_bytes()),
            row.name.as_ref().map_or("-".to_owned(), |name| short_name(name)),
            row.hash.map_or("-".to_owned(), |hash| hash.short()),
            shown(&row.detail),
        ]);
    }
    table
}
