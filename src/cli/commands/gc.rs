use std::io::IsTerminal as _;

use ohmyartifacts::{AttachedPlan, GcPolicy, GcReport, printable, printable_path};

use crate::cli::args::Gc;
use crate::cli::context::{Context, asked};
use crate::cli::failure::Failure;
use crate::cli::render::{Align, Table, age, count, exact_size, human_size, short_kind};
use crate::cli::{Exit, Outcome};

/// The reason of what only owners that are gone have bound.
const OWNER_GONE: &str = "owner gone";

pub(in crate::cli) fn run(context: &Context, args: Gc) -> Outcome {
    let may_ask = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    if !args.dry_run && !args.yes && !may_ask {
        return Err(Failure::usage("gc deletes, and there is no terminal to ask at")
            .hint("`oma gc -n` shows what would go, `oma gc -y` does it"));
    }
    let cache = context.look()?;
    let plan = cache.gc_plan(&GcPolicy::default().collect_delay(args.collect_delay))?;
    if args.dry_run || !context.store().exists() {
        print(context, &GcReport { dry_run: args.dry_run, ..plan.preview() })?;
        return Ok(Exit::Ok);
    }
    if !args.yes && !plan.artifacts.is_empty() {
        context.say(&text(context, &plan.preview()));
        if !asked("Delete these?")? {
            context.say("nothing was deleted");
            return Ok(Exit::Ok);
        }
    }
    let report = cache.gc_apply(&plan)?;
    print(context, &report)?;
    Ok(if report.failed.is_empty() { Exit::Ok } else { Exit::Partial })
}

fn print(context: &Context, report: &GcReport) -> Result<(), Failure> {
    if context.out.json {
        return context.out.document(report);
    }
    if context.quiet {
        return report.artifacts.iter().try_for_each(|item| context.out.line(&item.hash.to_string()));
    }
    for failed in &report.failed {
        let path = printable_path(&failed.path);
        context.say(&format!("could not remove `{path}`: {}", printable(failed.error.as_bytes())));
    }
    context.out.line(&text(context, report))
}

fn text(context: &Context, report: &GcReport) -> String {
    let mut parts = Vec::new();
    if !report.artifacts.is_empty() {
        parts.push(table(context, report).render());
    }
    parts.extend(kept(report));
    parts.extend(held_by_the_gone(report));
    if !report.owners_removed.is_empty() {
        parts.push(forgotten(report));
    }
    parts.extend(
        report.attached.iter().filter(|plan| !plan.artifacts.is_empty()).map(|plan| attached(plan, report.dry_run)),
    );
    if report.freed_bytes == 0 && report.artifacts.iter().any(|item| item.size > 0) {
        let why =
            "no bytes come free: the files have other names outside of the store, such as where they were imported";
        parts.push(why.to_owned());
    }
    let would = if report.dry_run { "would be " } else { "" };
    let deleted = count(report.deleted_artifacts, "artifact");
    parts.push(format!("{deleted} {would}deleted ({})", exact_size(report.freed_bytes)));
    parts.join("\n")
}

/// Says what is unused in an attached space, and who takes it.
fn attached(plan: &AttachedPlan, dry_run: bool) -> String {
    let what = count(plan.artifacts.len() as u64, "artifact");
    let then = match (plan.writes, dry_run) {
        (true, true) => "would go to its trash for an hour",
        (true, false) => "went to its trash for an hour",
        (false, _) => "left for the Julia program",
    };
    let size = exact_size(plan.freed_bytes);
    format!("{}: {what} in use by nobody ({size}), {then}", printable_path(&plan.space))
}

fn forgotten(report: &GcReport) -> String {
    let owners: Vec<String> = report.owners_removed.iter().map(|owner| printable(owner.as_bytes())).collect();
    let would = if report.dry_run { "would be " } else { "" };
    format!("{} without bindings {would}forgotten: {}", count(owners.len() as u64, "owner"), owners.join(", "))
}

fn table(context: &Context, report: &GcReport) -> Table {
    let mut table = Table::new(&[
        ("HASH", Align::Left),
        ("KIND", Align::Left),
        ("SIZE", Align::Right),
        ("FREES", Align::Right),
        ("UNUSED SINCE", Align::Right),
        ("REASON", Align::Left),
        ("NAMES", Align::Left),
    ]);
    for item in &report.artifacts {
        let names: Vec<String> = item.names.iter().map(|name| printable(name.as_bytes())).collect();
        table.row(vec![
            item.hash.short(),
            short_kind(item.kind),
            human_size(item.size),
            human_size(item.freed_bytes),
            item.orphaned_at.map_or_else(|| "-".to_owned(), |since| age(context.now(), since)),
            item.reason.to_owned(),
            if names.is_empty() { "-".to_owned() } else { names.join(", ") },
        ]);
    }
    table
}

/// Says what stays though its owner is gone.
fn held_by_the_gone(report: &GcReport) -> Option<String> {
    let number = number_kept(report, OWNER_GONE);
    let (verb, its) = if number == 1 { ("stays", "its owner is") } else { ("stay", "their owners are") };
    let artifacts = count(number, "bound artifact");
    (number > 0).then(|| format!("{artifacts} {verb} for now though {its} gone: `oma why` says how long"))
}

fn number_kept(report: &GcReport, reason: &str) -> u64 {
    report.kept.iter().filter(|kept| kept.reason == reason).count() as u64
}

/// Says what is unused, but stays, and why.
fn kept(report: &GcReport) -> Option<String> {
    let reasons = [("delay", "in the collect delay"), ("lease", "under a lease"), ("pin", "pinned")];
    let parts: Vec<String> = reasons
        .iter()
        .map(|(reason, words)| (number_kept(report, reason), words))
        .filter(|(number, _)| *number > 0)
        .map(|(number, words)| format!("{number} {words}"))
        .collect();
    let all = report.kept.len() as u64 - number_kept(report, OWNER_GONE);
    let verb = if all == 1 { "stays" } else { "stay" };
    (all > 0).then(|| format!("{} {verb}: {}", count(all, "unbound artifact"), parts.join(", ")))
}
