use ohmyartifacts::{FilterKind, PinInfo, Timestamp, printable};
use serde_json::json;

use crate::cli::args::{ListArgs, Pin, RefArg};
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::render::{Align, KINDS, ListKey, Table, age, arrange, count, human_size, short_kind};
use crate::cli::{Exit, Outcome};

pub(in crate::cli) fn pin(context: &Context, args: Pin) -> Outcome {
    match (&args.reference, &args.reason) {
        (Some(reference), Some(reason)) => put(context, reference, reason, args.until)?,
        _ => list(context, &args.list)?,
    }
    Ok(Exit::Ok)
}

fn put(context: &Context, reference: &str, reason: &str, until: Option<Timestamp>) -> Result<(), Failure> {
    if until.is_some_and(|until| until <= context.now()) {
        return Err(Failure::usage("the pin would be over before it begins"));
    }
    let cache = context.open()?;
    let artifact = context.find(&cache, reference)?.artifact;
    cache.pin(&artifact, reason, until)?;
    if context.out.json {
        return context.out.document(&json!({"hash": artifact.hash, "reason": reason, "until": until}));
    }
    context.say(&format!("pinned {}", artifact.hash.short()));
    Ok(())
}

const KEYS: [ListKey; 7] = [
    ListKey::new("hash", "hash", FilterKind::Text),
    ListKey::new("kind", "kind", KINDS),
    ListKey::new("size", "size", FilterKind::Size),
    ListKey::new("reason", "reason", FilterKind::Text),
    ListKey::new("until", "until", FilterKind::Time),
    ListKey::new("created", "created_at", FilterKind::Time),
    ListKey::new("name", "names", FilterKind::Text),
];

fn list(context: &Context, args: &ListArgs) -> Result<(), Failure> {
    let pins = arrange(context.look()?.pins()?, args, &KEYS, context.now())?;
    if context.writes_rows(&pins, args)? {
        return Ok(());
    }
    if context.quiet {
        return pins.iter().try_for_each(|pin| context.out.line(&pin.hash.to_string()));
    }
    if pins.is_empty() {
        context.say("nothing is pinned");
        return Ok(());
    }
    context.out.bytes(table(context, &pins).render().as_bytes())?;
    context.out.line(&format!("\n{}", count(pins.len() as u64, "pin")))
}

fn table(context: &Context, pins: &[PinInfo]) -> Table {
    let mut table = Table::new(&[
        ("HASH", Align::Left),
        ("KIND", Align::Left),
        ("SIZE", Align::Right),
        ("PINNED", Align::Right),
        ("ENDS", Align::Left),
        ("NAMES", Align::Left),
        ("REASON", Align::Left),
    ]);
    let now = context.now();
    for info in pins {
        let names: Vec<String> = info.names.iter().map(|name| printable(name.as_bytes())).collect();
        let end = match info.pin.until {
            None => "-".to_owned(),
            Some(time) if time <= now => format!("ran out {}", age(now, time)),
            Some(time) => age(now, time),
        };
        table.row(vec![
            info.hash.short(),
            short_kind(info.kind),
            human_size(info.size),
            age(now, info.pin.created_at),
            end,
            if names.is_empty() { "-".to_owned() } else { names.join(", ") },
            printable(info.pin.reason.as_bytes()),
        ]);
    }
    table
}

pub(in crate::cli) fn unpin(context: &Context, args: &RefArg) -> Outcome {
    let cache = context.open()?;
    let artifact = context.find(&cache, &args.reference)?.artifact;
    let was_pinned = cache.unpin(&artifact)?;
    if context.out.json {
        context.out.document(&json!({"hash": artifact.hash, "was_pinned": was_pinned}))?;
    } else {
        let what = if was_pinned { "unpinned" } else { "nothing pins" };
        context.say(&format!("{what} {}", artifact.hash.short()));
    }
    Ok(Exit::Ok)
}
