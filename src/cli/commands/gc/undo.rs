//! `gc undo`: brings back what a run keeps in its trash.

use ohmyartifacts::{UndoReport, printable};

use crate::cli::args::Undo;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::render::{Align, Table, count, exact_size, human_size, short_kind};
use crate::cli::{Exit, Outcome};

pub(super) fn run(context: &Context, args: &Undo) -> Outcome {
    let report = context.look()?.gc_undo(args.run)?;
    let whole = report.missing.is_empty() && report.bindings.iter().all(|binding| binding.status == "restored");
    print(context, &report)?;
    Ok(if whole { Exit::Ok } else { Exit::Partial })
}

fn print(context: &Context, report: &UndoReport) -> Result<(), Failure> {
    if context.out.json {
        return context.out.document(report);
    }
    if context.quiet {
        return report.restored.iter().try_for_each(|object| context.out.line(&object.hash.to_string()));
    }
    for lost in &report.missing {
        context.say(&format!("{} could not be brought back: its files are not there", lost.hash.short()));
    }
    for binding in report.bindings.iter().filter(|binding| binding.status != "restored") {
        let why = binding.detail.as_ref().map(|detail| format!(": {detail}")).unwrap_or_default();
        let name = full_name(&binding.owner, binding.version.as_deref(), &binding.name);
        let what =
            if binding.status == "taken" { "stands for something else by now" } else { "could not be bound again" };
        context.say(&format!("`{name}` {what}{why}"));
    }
    if !report.restored.is_empty() {
        context.out.line(&table(report).render())?;
    }
    context.out.line(&format!(
        "{} of run {} brought back ({})",
        count(report.restored_objects, "artifact"),
        report.run,
        exact_size(report.restored_bytes)
    ))
}

fn table(report: &UndoReport) -> Table {
    let mut table =
        Table::new(&[("HASH", Align::Left), ("KIND", Align::Left), ("SIZE", Align::Right), ("BOUND TO", Align::Left)]);
    for object in &report.restored {
        let names: Vec<String> = report
            .bindings
            .iter()
            .filter(|binding| binding.hash == object.hash && binding.status == "restored")
            .map(|binding| full_name(&binding.owner, binding.version.as_deref(), &binding.name))
            .collect();
        let names = if names.is_empty() { "-".to_owned() } else { names.join(", ") };
        table.row(vec![object.hash.short(), short_kind(object.kind), human_size(object.size), names]);
    }
    table
}

fn full_name(owner: &str, version: Option<&str>, name: &str) -> String {
    let version = version.map(|version| format!("@{version}")).unwrap_or_default();
    printable(format!("{owner}{version}:{name}").as_bytes())
}
