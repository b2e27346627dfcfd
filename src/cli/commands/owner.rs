use ohmyartifacts::{OwnerDetails, OwnerInfo, printable};

use crate::cli::args::{ListArgs, Owner, OwnerArg};
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::render::{Align, Table, age, arrange, count};
use crate::cli::{Exit, Outcome};

pub(in crate::cli) fn run(context: &Context, args: Owner) -> Outcome {
    match args {
        Owner::List(list) => owners(context, &list)?,
        Owner::Show(args) => show(context, &args)?,
    }
    Ok(Exit::Ok)
}

fn owners(context: &Context, list: &ListArgs) -> Result<(), Failure> {
    let owners = arrange(context.look()?.owners()?, list)?;
    if context.out.json {
        return context.out.document(&owners);
    }
    if context.quiet {
        return owners.iter().try_for_each(|owner| context.out.line(&full_name(owner)));
    }
    if owners.is_empty() {
        context.say("no owners");
        return Ok(());
    }
    context.out.bytes(table(context, &owners).render().as_bytes())?;
    let bindings = owners.iter().map(|owner| owner.bindings).sum();
    context.out.line(&format!("\n{}, {}", count(owners.len() as u64, "owner"), count(bindings, "binding")))
}

/// Titles and states have columns only where there are any.
fn table(context: &Context, owners: &[OwnerInfo]) -> Table {
    let titled = owners.iter().any(|owner| owner.title.is_some());
    let probed = owners.iter().any(|owner| owner.kind != "manual");
    let mut columns = vec![("OWNER", Align::Left), ("VERSION", Align::Left)];
    columns.extend(titled.then_some(("TITLE", Align::Left)));
    columns.extend(probed.then_some(("STATE", Align::Left)));
    columns.extend([("BINDINGS", Align::Right), ("FIRST SEEN", Align::Right), ("LAST SEEN", Align::Right)]);
    let mut table = Table::new(&columns);
    let now = context.now();
    for owner in owners {
        let shown = |text: &Option<String>| printable(text.as_deref().unwrap_or("-").as_bytes());
        let mut row = vec![printable(owner.owner.as_bytes()), shown(&owner.version)];
        row.extend(titled.then(|| shown(&owner.title)));
        row.extend(probed.then(|| state(owner).to_owned()));
        row.extend([owner.bindings.to_string(), age(now, owner.created_at), age(now, owner.last_seen_at)]);
        table.row(row);
    }
    table
}

fn state(owner: &OwnerInfo) -> &'static str {
    match (owner.kind, owner.alive) {
        ("manual", _) => "-",
        (_, Some(true)) => "alive",
        (_, Some(false)) => "gone",
        (_, None) => "unknown",
    }
}

fn show(context: &Context, args: &OwnerArg) -> Result<(), Failure> {
    let details = context.look()?.owner_details(&args.key)?;
    if context.out.json {
        return context.out.document(&details);
    }
    for (name, value) in rows(context, &details) {
        context.out.line(&format!("{name:<10} {value}"))?;
    }
    Ok(())
}

fn rows(context: &Context, details: &OwnerDetails) -> Vec<(&'static str, String)> {
    let (now, info) = (context.now(), &details.info);
    let mut rows = vec![("owner", full_name(info))];
    rows.extend(info.title.as_ref().map(|title| ("title", printable(title.as_bytes()))));
    rows.push(("kind", kind(info).to_owned()));
    rows.extend(info.root.as_ref().map(|root| ("root", printable(root.as_bytes()))));
    // Evidence is printable where it is made.
    rows.push(("state", details.evidence.as_ref().map_or("-".to_owned(), |why| format!("{}: {why}", state(info)))));
    rows.extend(details.gone_since.map(|since| ("gone", format!("first seen {}", age(now, since)))));
    rows.extend(details.bindings_stop_at.map(|stop| ("counts", counts(context, stop))));
    if info.alive == Some(false) && details.gone_since.is_none() {
        rows.push((
            "counts",
            "the next gc or sync notes that it is gone; its bindings count for 7 days more".to_owned(),
        ));
    }
    rows.push(("bindings", info.bindings.to_string()));
    rows.push(("first seen", age(now, info.created_at)));
    rows.push(("last seen", age(now, info.last_seen_at)));
    rows
}

fn kind(info: &OwnerInfo) -> &'static str {
    match info.kind {
        "julia" => "a package of Julia",
        "path" => "there as long as its path is",
        _ => "there until somebody removes it",
    }
}

/// Says until when the bindings of an owner that is gone count.
fn counts(context: &Context, stop: ohmyartifacts::Timestamp) -> String {
    let now = context.now();
    if stop > now {
        format!("its bindings stop counting {}, unless it comes back", age(now, stop))
    } else {
        format!("its bindings stopped counting {}", age(now, stop))
    }
}

fn full_name(owner: &OwnerInfo) -> String {
    let version = owner.version.as_ref().map(|version| format!("@{version}")).unwrap_or_default();
    printable(format!("{}{version}", owner.owner).as_bytes())
}
