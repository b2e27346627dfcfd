//! Leases: the list, and the verbs that change one.

mod run;

use std::time::Duration;

use ohmyartifacts::{Cache, Error, FilterKind, LeaseInfo, Timestamp, format_duration, printable};
use serde_json::json;

use crate::cli::args::{Lease, LeaseAdd, LeaseArg, LeaseRenew, ListArgs};
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::render::{Align, KINDS, ListKey, Table, age, arrange, count, human_size, short_kind};
use crate::cli::{Exit, Outcome};

/// A hash may be cut to so many digits; fewer, if they are decimal, are the id of a lease.
const SHORTEST_PREFIX: usize = ohmyartifacts::MIN_PREFIX_DIGITS;

pub(in crate::cli) fn run(context: &Context, args: Lease) -> Outcome {
    match args {
        Lease::List(args) => list(context, &args)?,
        Lease::Add(args) => add(context, &args)?,
        Lease::Renew(args) => renew(context, &args)?,
        Lease::Release(args) => release(context, &args)?,
        Lease::Run(args) => return run::run(context, args),
    }
    Ok(Exit::Ok)
}

const KEYS: [ListKey; 9] = [
    ListKey::new("id", "id", FilterKind::Count),
    ListKey::new("hash", "hash", FilterKind::Text),
    ListKey::new("kind", "kind", KINDS),
    ListKey::new("size", "size", FilterKind::Size),
    ListKey::new("reason", "reason", FilterKind::Text),
    ListKey::new("holder", "holder", FilterKind::Text),
    ListKey::new("expires", "expires_at", FilterKind::Time),
    ListKey::new("created", "created_at", FilterKind::Time),
    ListKey::new("name", "names", FilterKind::Text),
];

fn list(context: &Context, args: &ListArgs) -> Result<(), Failure> {
    let leases = arrange(context.look()?.leases()?, args, &KEYS, context.now())?;
    if context.writes_rows(&leases, args)? {
        return Ok(());
    }
    if context.quiet {
        return leases.iter().try_for_each(|lease| context.out.line(&lease.id.to_string()));
    }
    if leases.is_empty() {
        context.say("nothing is leased");
        return Ok(());
    }
    context.out.bytes(table(context, &leases).render().as_bytes())?;
    context.out.line(&format!("\n{}", summary(&leases)))
}

fn table(context: &Context, leases: &[LeaseInfo]) -> Table {
    let mut table = Table::new(&[
        ("ID", Align::Right),
        ("HASH", Align::Left),
        ("KIND", Align::Left),
        ("SIZE", Align::Right),
        ("ENDS", Align::Left),
        ("HOLDER", Align::Left),
        ("REASON", Align::Left),
    ]);
    for lease in leases {
        table.row(vec![
            lease.id.to_string(),
            lease.hash.short(),
            short_kind(lease.kind),
            human_size(lease.size),
            end(context.now(), lease),
            printable(lease.holder.as_deref().unwrap_or("-").as_bytes()),
            printable(lease.reason.as_bytes()),
        ]);
    }
    table
}

fn end(now: Timestamp, lease: &LeaseInfo) -> String {
    match (lease.expires_at, lease.alive) {
        (Some(time), _) if time <= now => format!("ran out {}", age(now, time)),
        (Some(time), _) => age(now, time),
        (None, Some(true)) => "with its holder".to_owned(),
        (None, Some(false)) => "its holder is dead".to_owned(),
        (None, None) => "unknown".to_owned(),
    }
}

fn summary(leases: &[LeaseInfo]) -> String {
    let all = count(leases.len() as u64, "lease");
    match leases.iter().filter(|lease| lease.alive == Some(false)).count() {
        0 => all,
        1 => format!("{all}, 1 of a dead holder: the next gc ends it"),
        dead => format!("{all}, {dead} of dead holders: the next gc ends them"),
    }
}

fn add(context: &Context, args: &LeaseAdd) -> Result<(), Failure> {
    let span = some_time(args.span)?;
    let cache = context.open()?;
    let artifact = context.find(&cache, &args.reference)?.artifact;
    let lease = cache.lease(&artifact, span, &args.reason)?;
    if context.out.json {
        return context.out.document(&lease);
    }
    context.out.line(&lease.id.to_string())?;
    context.say(&format!("leased {} for {}", lease.hash.short(), format_duration(span)));
    Ok(())
}

/// A lease that is over before it begins would protect nothing.
fn some_time(span: Duration) -> Result<Duration, Failure> {
    if span.is_zero() {
        return Err(Failure::usage("the lease would be over before it begins").hint("such as `--for 1d`"));
    }
    Ok(span)
}

fn when(context: &Context, lease: &LeaseInfo) -> String {
    lease.expires_at.map_or_else(|| "with its holder".to_owned(), |time| age(context.now(), time))
}

fn renew(context: &Context, args: &LeaseRenew) -> Result<(), Failure> {
    let span = some_time(args.span)?;
    let cache = context.open()?;
    let mut renewed = Vec::new();
    for id in meant(context, &cache, &args.lease)? {
        renewed.push(cache.renew_lease(id, span)?);
    }
    if context.out.json {
        return context.out.document(&renewed);
    }
    for lease in &renewed {
        context.say(&format!("lease {} of {} ends {}", lease.id, lease.hash.short(), when(context, lease)));
    }
    Ok(())
}

fn release(context: &Context, args: &LeaseArg) -> Result<(), Failure> {
    let cache = context.open()?;
    let ids = meant(context, &cache, args)?;
    ids.iter().try_for_each(|id| cache.release_lease(*id))?;
    if context.out.json {
        return context.out.document(&json!({"released": ids}));
    }
    for id in &ids {
        context.say(&format!("released lease {id}"));
    }
    Ok(())
}

/// Returns the leases a word means: the one of this id, or those of an artifact that end at a time. What
/// somebody at work holds is never meant by what it protects.
fn meant(context: &Context, cache: &Cache, args: &LeaseArg) -> Result<Vec<i64>, Failure> {
    let leases = cache.leases()?;
    if let Some(id) = args.which.parse().ok().filter(|_| args.which.bytes().all(|digit| digit.is_ascii_digit())) {
        if leases.iter().any(|lease| lease.id == id) {
            return Ok(vec![id]);
        }
        if args.which.len() < SHORTEST_PREFIX {
            return Err(Error::NoSuchLease { id }.into());
        }
    }
    let artifact = context.find(cache, &args.which)?.artifact;
    let of_it = |lease: &&LeaseInfo| (lease.hash, lease.kind) == (artifact.hash, artifact.kind);
    let ids: Vec<i64> =
        leases.iter().filter(of_it).filter(|lease| lease.session.is_none()).map(|lease| lease.id).collect();
    if ids.is_empty() {
        let message = format!("no lease of {} ends at a time", artifact.hash.short());
        return Err(Failure::not_found(&message).hint("`oma lease list` shows those there are"));
    }
    Ok(ids)
}
