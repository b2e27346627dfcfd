//! `why`: what keeps an artifact, each thing with what keeps that.

use ohmyartifacts::{
    BindingKeeper, Error, Keeper, Lease, LetGo, OwnerSight, Pin, Reference, Timestamp, TreeKeeper, WhereItWent, Why,
    Within,
};
use ohmyartifacts::{printable, printable_path};

use crate::cli::args::RefArg;
use crate::cli::context::Context;
use crate::cli::failure::{Failure, quoted};
use crate::cli::render::{age, count, day_and_time, facts};
use crate::cli::{Exit, Outcome};

/// So many things of a kind are shown to people; `--json` has all.
const SHOWN: usize = 8;

pub(in crate::cli) fn run(context: &Context, args: &RefArg) -> Outcome {
    let reference = Reference::new(&args.reference, context.owner());
    let cache = context.look()?;
    let why = cache.why(reference, &cache.config()?.gc_policy()).map_err(|error| unknown(error, &args.reference))?;
    if context.out.json {
        context.out.document(&why)?;
    } else {
        print(context, &why)?;
    }
    Ok(if why.state == "absent" { Exit::NotFound } else { Exit::Ok })
}

/// What is gone is known by its history.
fn unknown(error: Error, reference: &str) -> Failure {
    let not_found = matches!(error, Error::UnknownReference { .. } | Error::NoSuchBinding { .. });
    let failure = Failure::from(error);
    if !not_found {
        return failure;
    }
    failure.hint(&format!("`oma history {}` tells of what is gone; `oma ls` lists what is bound", quoted(reference)))
}

fn print(context: &Context, why: &Why) -> Result<(), Failure> {
    let now = context.now();
    let mut lines = vec![format!("hash     {}", why.hash)];
    lines.extend(why.within.as_ref().map(|within| format!("lies in  {}", inside(within))));
    lines.extend(why.artifact.as_ref().map(|artifact| format!("content  {}", facts(artifact))));
    lines.push(format!("state    {}", state(why, now)));
    let label = if why.state == "orphan" { "held by" } else { "kept by" };
    lines.extend(keepers(&why.kept_by, now).into_iter().map(|line| {
        // What belongs to the line above stands further in.
        let label = if line.starts_with(' ') { "" } else { label };
        format!("{label:<8} {line}")
    }));
    lines.extend(why.let_go.as_ref().map(|parting| format!("let go   {}", let_go(parting, now))));
    lines.extend(why.collected.as_ref().map(|gone| format!("went     {}", where_it_went(gone, now))));
    if why.kept_by.is_empty() {
        lines.extend(some(&why.last_names, |name| vec![format!("was      {}", printable(name.as_bytes()))]));
    }
    lines.iter().try_for_each(|line| context.out.line(line))
}

fn inside(within: &Within) -> String {
    let (tree, path) = (within.hash.short(), printable(within.path.as_bytes()));
    let whole = if within.is_file { "" } else { ", which is no file: this is about the whole directory" };
    format!("{tree} as `{path}`{whole}")
}

fn let_go(parting: &LetGo, now: Timestamp) -> String {
    let version = parting.version.as_ref().map(|version| format!("@{version}")).unwrap_or_default();
    let name = printable(format!("{}{version}:{}", parting.owner, parting.name).as_bytes());
    let how = match parting.event.as_str() {
        "unbind" => "was unbound",
        "rebind" => "was given to something else",
        "lapse" => "went with its owner, which was gone",
        "evict" => "was let go by a rule of clean-up",
        "remove" => "went with its owner, which was removed",
        "delegate" => "was handed to another owner",
        other => other,
    };
    format!("{name} {how} {}", age(now, parting.at))
}

fn where_it_went(gone: &WhereItWent, now: Timestamp) -> String {
    let rule = gone.rule.as_ref().map(|rule| format!(", {}", printable(rule.as_bytes()))).unwrap_or_default();
    let back = match gone.kept_until {
        Some(until) => format!("; `oma gc undo {}` brings it back until {}", gone.run, day_and_time(until)),
        None => String::new(),
    };
    format!("by gc run {} {} ({}{rule}){back}", gone.run, age(now, gone.at), printable(gone.reason.as_bytes()))
}

fn state(why: &Why, now: Timestamp) -> String {
    match (why.state, why.orphaned_at, why.collect_after) {
        ("absent", ..) if why.collected.is_some() => "absent: gc has taken it".to_owned(),
        ("absent", ..) if !why.last_names.is_empty() => "absent: it was here once".to_owned(),
        ("absent", ..) => "absent: nothing of this hash was ever bound or collected here".to_owned(),
        ("orphan", Some(since), Some(after)) if after > now => {
            format!("orphan since {}; gc may take it {}{}", age(now, since), age(now, after), rule(why))
        }
        ("orphan", Some(since), _) => format!("orphan since {}; the next gc takes it{}", age(now, since), rule(why)),
        ("orphan", None, _) => "orphan; the next gc takes it".to_owned(),
        _ => "live".to_owned(),
    }
}

/// The rule by which it goes, if it is not the common delay.
fn rule(why: &Why) -> String {
    let special = |rule: &&String| rule.contains(' ') || !rule.starts_with("dead_for=");
    why.rule.as_ref().filter(special).map(|rule| format!(" ({})", printable(rule.as_bytes()))).unwrap_or_default()
}

/// Says of each thing what it is; what keeps a directory stands below it.
fn keepers(keepers: &[Keeper], now: Timestamp) -> Vec<String> {
    let of_kind = |wanted: fn(&Keeper) -> bool| keepers.iter().filter(move |keeper| wanted(keeper)).collect::<Vec<_>>();
    let kinds = [
        of_kind(|keeper| matches!(keeper, Keeper::Binding(_))),
        of_kind(|keeper| matches!(keeper, Keeper::Lease(_) | Keeper::Pin(_))),
        of_kind(|keeper| matches!(keeper, Keeper::Tree(_))),
    ];
    kinds.iter().flat_map(|kind| some(kind, |keeper| keeper_lines(keeper, now))).collect()
}

/// The first few, and how many more there are.
fn some<T>(things: &[T], lines: impl Fn(&T) -> Vec<String>) -> Vec<String> {
    let mut text: Vec<String> = things.iter().take(SHOWN).flat_map(lines).collect();
    if things.len() > SHOWN {
        text.push(format!("and {} more like it", things.len() - SHOWN));
    }
    text
}

fn keeper_lines(keeper: &Keeper, now: Timestamp) -> Vec<String> {
    match keeper {
        Keeper::Binding(binding) => binding_lines(binding, now),
        Keeper::Lease(lease) => vec![lease_line(lease, now)],
        Keeper::Pin(pin) => vec![pin_line(pin, now)],
        Keeper::Tree(tree) => tree_lines(tree, now),
    }
}

fn binding_lines(binding: &BindingKeeper, now: Timestamp) -> Vec<String> {
    let version = binding.version.as_ref().map(|version| format!("@{version}")).unwrap_or_default();
    let name = printable(format!("{}{version}:{}", binding.owner, binding.name).as_bytes());
    let space = binding.space.as_ref().map(|space| format!(" in {}", printable_path(space))).unwrap_or_default();
    let by = binding.bound_by.as_ref().map(|by| format!(" by {}", printable(by.as_bytes()))).unwrap_or_default();
    let mut lines = vec![format!("binding {name}{space}, bound {}{by}", age(now, binding.bound_at))];
    lines.extend(binding.sight.as_ref().map(|sight| format!("  owner {}", owner(sight, now))));
    lines
}

/// Evidence is printable where it is made.
fn owner(sight: &OwnerSight, now: Timestamp) -> String {
    let evidence = &sight.evidence;
    match (sight.alive, sight.stops_counting_at) {
        (Some(true), _) => format!("alive: {evidence}"),
        (None, _) => format!("unknown, so this counts: {evidence}"),
        (Some(false), None) => format!("gone: {evidence}; the next gc notes that, and its grace begins"),
        (Some(false), Some(stop)) if stop > now => format!("gone: {evidence}; this stops counting {}", age(now, stop)),
        (Some(false), Some(stop)) => format!("gone: {evidence}; this stopped counting {}", age(now, stop)),
    }
}

fn lease_line(lease: &Lease, now: Timestamp) -> String {
    let end = match lease.expires_at {
        None => "as long as its session lives".to_owned(),
        Some(time) if time > now => format!("ends {}", age(now, time)),
        Some(time) => format!("ended {}, which the next gc notes", age(now, time)),
    };
    let holder =
        lease.holder.as_ref().map(|holder| format!(" of {}", printable(holder.as_bytes()))).unwrap_or_default();
    format!("lease{holder} {}, {end}", printable(lease.reason.as_bytes()))
}

fn pin_line(pin: &Pin, now: Timestamp) -> String {
    let end = match pin.until {
        None => String::new(),
        Some(time) if time > now => format!(", ends {}", age(now, time)),
        Some(time) => format!(", ended {}, which the next gc notes", age(now, time)),
    };
    format!("pin {}{end}", printable(pin.reason.as_bytes()))
}

fn tree_lines(tree: &TreeKeeper, now: Timestamp) -> Vec<String> {
    let path = tree.paths.first().map(|path| format!(" as `{}`", printable(path.as_bytes()))).unwrap_or_default();
    let others = match tree.paths.len() {
        0 | 1 => String::new(),
        paths => format!(" and {}", count(paths as u64 - 1, "other path")),
    };
    let mut lines = vec![format!("tree {}{path}{others}", tree.hash.short())];
    match keepers(&tree.kept_by, now) {
        nothing if nothing.is_empty() => lines.push("  which nothing keeps".to_owned()),
        above => lines.extend(above.into_iter().map(|line| format!("  {line}"))),
    }
    lines
}
