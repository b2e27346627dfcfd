use ohmyartifacts::{OwnerUsage, Usage as Report, printable};

use crate::cli::args::Usage;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::render::{Align, Table, age, arrange, count, human_size};
use crate::cli::{Exit, Outcome};

pub(in crate::cli) fn run(context: &Context, args: &Usage) -> Outcome {
    let usage = context.look()?.usage()?;
    let owners = usage.owners.len() as u64;
    let usage = Report { owners: arrange(usage.owners, &args.list)?, ..usage };
    if context.out.json {
        context.out.document(&usage)?;
    } else {
        table(context, &usage, owners)?;
    }
    Ok(Exit::Ok)
}

fn table(context: &Context, usage: &Report, owners: u64) -> Result<(), Failure> {
    let mut table = Table::new(&[
        ("OWNER", Align::Left),
        ("VERSION", Align::Left),
        ("BINDINGS", Align::Right),
        ("FILES", Align::Right),
        ("TOTAL", Align::Right),
        ("EXCLUSIVE", Align::Right),
        ("SHARED", Align::Right),
        ("FAIR", Align::Right),
        ("LAST SEEN", Align::Right),
    ]);
    for owner in &usage.owners {
        table.row(row(context, owner));
    }
    if !table.is_empty() {
        context.out.bytes(table.render().as_bytes())?;
        context.out.line("")?;
    }
    let stored = human_size(usage.stored_bytes);
    let unowned = human_size(usage.orphan_bytes);
    let kept = usage.stored_bytes - usage.orphan_bytes;
    let saved = human_size(usage.logical_bytes.saturating_sub(kept));
    context
        .out
        .line(&format!("{stored} stored for {}, {unowned} of it unused; sharing saves {saved}", count(owners, "owner")))
}

fn row(context: &Context, owner: &OwnerUsage) -> Vec<String> {
    vec![
        printable(owner.owner.as_bytes()),
        printable(owner.version.as_deref().unwrap_or("-").as_bytes()),
        owner.bindings.to_string(),
        owner.files.to_string(),
        human_size(owner.total_bytes),
        human_size(owner.exclusive_bytes),
        human_size(owner.shared_bytes),
        human_size(owner.fair_bytes),
        age(context.now(), owner.last_seen_at),
    ]
}
