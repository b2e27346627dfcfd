//! How a plan or a report of gc reads.

use ohmyartifacts::{AttachedPlan, GcHeldBack, GcItem, GcLimit, GcReport, printable, printable_path};

use crate::cli::context::Context;
use crate::cli::render::{Align, Table, age, count, day_and_time, exact_size, human_size, short_kind};

/// The reason of what only owners that are gone have bound.
const OWNER_GONE: &str = "owner gone";

/// Says on standard error what could not be removed.
pub(super) fn complain(context: &Context, report: &GcReport) {
    for failed in &report.failed {
        let path = printable_path(&failed.path);
        context.say(&format!("could not remove `{path}`: {}", printable(failed.error.as_bytes())));
    }
}

/// The same lines for a dry run and a real run, but for their tense.
pub(super) fn text(context: &Context, report: &GcReport) -> String {
    let mut parts = Vec::new();
    if !report.artifacts.is_empty() {
        parts.push(table(context, report).render());
    }
    parts.extend(let_go_alone(report));
    parts.extend(kept(report));
    parts.extend(held_by_the_gone(report));
    parts.extend(skipped(report));
    parts.extend(report.limits.iter().map(limit));
    if !report.owners_removed.is_empty() {
        parts.push(forgotten(report));
    }
    parts.extend(
        report.attached.iter().filter(|plan| !plan.artifacts.is_empty()).map(|plan| attached(plan, report.dry_run)),
    );
    let nothing_free = report.freed_bytes + report.trashed_bytes == 0;
    if nothing_free && report.deleted_files > 0 && report.artifacts.iter().any(|item| item.size > 0) {
        let why =
            "no bytes come free: the files have other names outside of the store, such as where they were imported";
        parts.push(why.to_owned());
    }
    parts.extend(purged(report));
    parts.extend(undo(report));
    parts.push(sum(report));
    parts.join("\n")
}

/// The last line: what it comes to.
fn sum(report: &GcReport) -> String {
    let would = if report.dry_run { "would be " } else { "" };
    let number = count(report.deleted_artifacts, "artifact");
    if report.trashed_bytes == 0 {
        let freed = report.freed_bytes - report.purged_bytes;
        return format!("{number} {would}deleted ({})", exact_size(freed));
    }
    format!("{number} {would}moved to the trash ({})", exact_size(report.trashed_bytes))
}

/// Says how what went can be had back, and how long.
fn undo(report: &GcReport) -> Option<String> {
    let (run, until) = report.run.zip(report.trash_until)?;
    Some(format!("`oma gc undo {run}` brings back what goes, until {} UTC", day_and_time(until)))
}

/// Says what is freed of what earlier runs had kept.
fn purged(report: &GcReport) -> Option<String> {
    let would = if report.dry_run { "would be emptied" } else { "was emptied" };
    (report.purged_bytes > 0)
        .then(|| format!("the trash of earlier runs {would} ({})", exact_size(report.purged_bytes)))
}

/// Names of what something else keeps.
fn let_go_alone(report: &GcReport) -> Option<String> {
    let goes = |hash| report.artifacts.iter().any(|item| item.hash == hash);
    let alone: Vec<String> = report
        .unbound
        .iter()
        .filter(|name| !goes(name.hash))
        .map(|name| {
            let version = name.version.as_ref().map(|version| format!("@{version}")).unwrap_or_default();
            format!("{}{version}:{}", name.owner, name.name)
        })
        .collect();
    let would = if report.dry_run { "would be let go" } else { "let go" };
    (!alone.is_empty())
        .then(|| format!("{} {would} of what others keep: {}", count(alone.len() as u64, "name"), names(&alone)))
}

/// Says of what a plan named that it stays.
fn skipped(report: &GcReport) -> Option<String> {
    let of = |reason: &str| -> Vec<String> {
        report.skipped.iter().filter(|skipped| skipped.reason == reason).map(|skipped| skipped.hash.short()).collect()
    };
    let words = [("in use", "in use again"), ("lease", "under a lease"), ("pin", "pinned"), ("gone", "gone already")];
    let parts: Vec<String> = words
        .iter()
        .map(|(reason, words)| (of(reason), words))
        .filter(|(hashes, _)| !hashes.is_empty())
        .map(|(hashes, words)| format!("{} {words} ({})", hashes.len(), names(&hashes)))
        .collect();
    let all = report.skipped.len() as u64;
    (all > 0).then(|| format!("{} of the plan left alone: {}", count(all, "artifact"), parts.join(", ")))
}

/// Says what a rule about size came to, and if its limit does not hold, why.
fn limit(limit: &GcLimit) -> String {
    let (before, after) = (human_size(limit.before_bytes), human_size(limit.after_bytes));
    let rule = printable(limit.rule.as_bytes());
    let moves = if before == after { after } else { format!("{before} before, {after} after") };
    if limit.reached {
        return format!("{rule}: {moves}");
    }
    format!("{rule} is not reached ({moves}): {}", held_back(&limit.held_back))
}

fn held_back(held: &GcHeldBack) -> String {
    let words = [
        (held.pinned, "pinned"),
        (held.leased, "under a lease"),
        (held.young, "too young"),
        (held.irreplaceable, "irreplaceable"),
        (held.shared, "needed by what stays"),
    ];
    let parts: Vec<String> =
        words.iter().filter(|(number, _)| *number > 0).map(|(number, words)| format!("{number} {words}")).collect();
    if parts.is_empty() {
        "there is nothing more to take".to_owned()
    } else {
        format!("what is left is {}", parts.join(", "))
    }
}

/// Names in one cell: the first few, and how many more.
pub(super) fn names(names: &[String]) -> String {
    const SHOWN: usize = 3;
    let mut text: Vec<String> = names.iter().take(SHOWN).map(|name| printable(name.as_bytes())).collect();
    if names.len() > SHOWN {
        text.push(format!("{} more", names.len() - SHOWN));
    }
    if text.is_empty() { "-".to_owned() } else { text.join(", ") }
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

/// Rules have a column only where more than the common delay is at work.
fn table(context: &Context, report: &GcReport) -> Table {
    let ruled = report.artifacts.iter().any(goes_by_rule);
    let mut columns = vec![
        ("HASH", Align::Left),
        ("KIND", Align::Left),
        ("SIZE", Align::Right),
        ("FREES", Align::Right),
        ("UNUSED SINCE", Align::Right),
        ("REASON", Align::Left),
    ];
    columns.extend(ruled.then_some(("RULE", Align::Left)));
    columns.push(("NAMES", Align::Left));
    let mut table = Table::new(&columns);
    for item in &report.artifacts {
        let mut row = vec![
            item.hash.short(),
            short_kind(item.kind),
            human_size(item.size),
            human_size(item.freed_bytes),
            item.orphaned_at.map_or_else(|| "-".to_owned(), |since| age(context.now(), since)),
            item.reason.to_owned(),
        ];
        row.extend(ruled.then(|| printable(item.rule.as_deref().unwrap_or("-").as_bytes())));
        row.push(names(&item.names));
        table.row(row);
    }
    table
}

fn goes_by_rule(item: &GcItem) -> bool {
    item.rule.as_ref().is_some_and(|rule| rule.contains(' ') || !rule.starts_with("dead_for="))
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
    let reasons = [
        ("delay", "in the collect delay"),
        ("lease", "under a lease"),
        ("pin", "pinned"),
        ("in use", "in use in another program's space"),
        ("trash", "needed by what is in the trash"),
    ];
    let parts: Vec<String> = reasons
        .iter()
        .map(|(reason, words)| (number_kept(report, reason), words))
        .filter(|(number, _)| *number > 0)
        .map(|(number, words)| format!("{number} {words}"))
        .collect();
    let all = report.kept.len() as u64 - number_kept(report, OWNER_GONE);
    let verb = if all == 1 { "stays" } else { "stay" };
    (all > 0).then(|| format!("{} {verb}: {}", count(all, "artifact"), parts.join(", ")))
}
