use ohmyartifacts::{ArtifactDetails, printable, printable_path};
use serde::Serialize;

use crate::cli::args::RefArg;
use crate::cli::commands::ls::{EntryRow, entry_table};
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::render::{age, count, facts};
use crate::cli::{Exit, Outcome};

/// So many entries are shown to people; `oma ls REF` shows all.
const SHOWN: usize = 20;

#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    details: &'a ArtifactDetails,
    entries: &'a [EntryRow],
}

pub(in crate::cli) fn run(context: &Context, args: &RefArg) -> Outcome {
    let cache = context.look()?;
    let artifact = context.look_at(&cache, &args.reference)?.artifact;
    let details = cache.details(&artifact)?;
    let entries: Vec<EntryRow> = cache.entries(&artifact)?.iter().map(EntryRow::from).collect();
    if context.out.json {
        context.out.document(&Shown { details: &details, entries: &entries })?;
        return Ok(Exit::Ok);
    }
    for (name, value) in rows(context, &details) {
        context.out.line(format!("{name:<9} {value}").trim_end())?;
    }
    show_entries(context, &entries, &args.reference)?;
    Ok(Exit::Ok)
}

/// What is known, as name and value; a name is repeated for lists.
fn rows(context: &Context, details: &ArtifactDetails) -> Vec<(&'static str, String)> {
    let now = context.now();
    let present = if details.present { "" } else { " (gone!)" };
    let mut rows = vec![
        ("hash", details.artifact.hash.to_string()),
        ("content", facts(&details.artifact)),
        ("path", format!("{}{present}", printable_path(&details.path))),
        ("made", age(now, details.created_at)),
    ];
    rows.extend(details.doubt.as_ref().map(|doubt| ("doubt", printable(doubt.as_bytes()))));
    rows.push(("verified", details.verified_at.map_or_else(|| "never".to_owned(), |time| age(now, time))));
    rows.push(match details.orphaned_at {
        None => ("state", "live".to_owned()),
        Some(since) => ("state", format!("orphan since {}", age(now, since))),
    });
    for binding in &details.bindings {
        let (owner, name) = (binding.owner.to_string(), &binding.name);
        let (owner, name) = (printable(owner.as_bytes()), printable(name.as_bytes()));
        let by = binding.bound_by.as_ref().map(|by| format!(" by {}", printable(by.as_bytes()))).unwrap_or_default();
        rows.push(("bound", format!("{owner}:{name}, {}{by}", age(now, binding.bound_at))));
    }
    for binding in &details.bindings {
        let meta = binding.meta.as_ref().map(|meta| meta.to_plain_json().to_string());
        rows.extend(meta.map(|meta| ("meta", printable(meta.as_bytes()))));
    }
    for lease in &details.leases {
        let end = lease
            .expires_at
            .map_or_else(|| "as long as its session lives".to_owned(), |time| format!("ends {}", age(now, time)));
        rows.push(("lease", format!("{}, {end}", printable(lease.reason.as_bytes()))));
    }
    if let Some(pin) = &details.pin {
        let end = pin.until.map(|time| format!(", ends {}", age(now, time))).unwrap_or_default();
        rows.push(("pin", format!("{}{end}", printable(pin.reason.as_bytes()))));
    }
    for source in &details.sources {
        // Locations are stored printable.
        rows.push(("source", format!("{} {}, {}", source.kind, source.location, age(now, source.created_at))));
        // What `oma download --sha256` takes, so that it can be held to these bytes from now on.
        rows.extend(source.download.as_ref().map(|download| ("", format!("sha256 {}", download.sha256))));
    }
    if details.bindings.is_empty() {
        for name in &details.past_names {
            rows.push(("was", printable(name.as_bytes())));
        }
    }
    rows
}

fn show_entries(context: &Context, entries: &[EntryRow], reference: &str) -> Result<(), Failure> {
    if entries.is_empty() {
        return Ok(());
    }
    let shown = &entries[..entries.len().min(SHOWN)];
    context.out.bytes(b"\n")?;
    context.out.bytes(entry_table(shown).render().as_bytes())?;
    let rest = entries.len() - shown.len();
    if rest > 0 {
        let reference = crate::cli::failure::quoted(reference);
        context.out.line(&format!("\nand {} more: `oma ls {reference}`", count(rest as u64, "entry")))?;
    }
    Ok(())
}
