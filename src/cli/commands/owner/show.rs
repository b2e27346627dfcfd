use ohmyartifacts::{OnBehalf, OwnerDetails, OwnerId, OwnerInfo, ProbeSight, Timestamp, printable};

use crate::cli::commands::owner::{full_name, known, state};
use crate::cli::context::Context;
use crate::cli::render::{age, count, human_size};
use crate::cli::{Exit, Outcome};

pub(super) fn run(context: &Context, owner: &OwnerId) -> Outcome {
    let details = context.look()?.owner_details(owner)?;
    if context.out.json {
        context.out.document(&details)?;
    } else if context.quiet {
        context.out.line(&full_name(&details.info.owner, details.info.version.as_deref()))?;
    } else {
        for (name, value) in rows(context, &details) {
            context.out.line(&format!("{name:<10} {value}"))?;
        }
    }
    Ok(Exit::Ok)
}

fn rows(context: &Context, details: &OwnerDetails) -> Vec<(&'static str, String)> {
    let (now, info) = (context.now(), &details.info);
    let mut rows = vec![("owner", full_name(&info.owner, info.version.as_deref()))];
    rows.extend(info.title.as_ref().map(|title| ("title", printable(title.as_bytes()))));
    rows.push(("kind", kind(info).to_owned()));
    rows.extend(info.root.as_ref().map(|root| ("root", printable(root.as_bytes()))));
    // Evidence is printable where it is made.
    rows.push(("state", details.evidence.as_ref().map_or("-".to_owned(), |why| format!("{}: {why}", state(info)))));
    rows.extend(probes(&details.probes).into_iter().map(|probe| ("probe", probe)));
    rows.extend(details.expires_at.map(|end| ("ends", format!("{end}, {}", age(now, end)))));
    rows.extend(life(details, now));
    rows.push(("bindings", info.bindings.to_string()));
    rows.push(("holds", holds(details)));
    rows.extend(details.bound_by.iter().map(|other| ("bound by", on_behalf(other, "on its behalf"))));
    rows.extend(details.bound_for.iter().map(|other| ("bound for", on_behalf(other, "on the other's behalf"))));
    rows.push(("first seen", age(now, info.created_at)));
    rows.push(("last seen", age(now, info.last_seen_at)));
    rows
}

fn kind(info: &OwnerInfo) -> &'static str {
    match info.kind {
        "julia" => "a package of Julia",
        "path" => "there as long as its path is",
        "command" => "there as long as a command says so",
        "expiry" => "there until its time is over",
        _ => "there until somebody removes it",
    }
}

/// One probe is told with the state.
fn probes(probes: &[ProbeSight]) -> Vec<String> {
    let several = probes.len() > 1;
    let shown = probes.iter().filter(|_| several);
    shown.map(|probe| format!("{}, {}: {}", probe.kind, known(probe.alive), probe.evidence)).collect()
}

/// Says of an owner that is gone since when, and until when its bindings count.
fn life(details: &OwnerDetails, now: Timestamp) -> Vec<(&'static str, String)> {
    let mut rows = Vec::new();
    rows.extend(details.gone_since.map(|since| ("gone", format!("first seen {}", age(now, since)))));
    rows.extend(details.bindings_stop_at.map(|stop| ("counts", counts(stop, now))));
    if details.info.alive == Some(false) && details.gone_since.is_none() {
        let next = "the next gc or sync notes that it is gone, and its grace begins (`oma config get gc.owner_grace`)";
        rows.push(("counts", next.to_owned()));
    }
    rows
}

fn counts(stop: Timestamp, now: Timestamp) -> String {
    if stop > now {
        format!("its bindings stop counting {}, unless it comes back", age(now, stop))
    } else {
        format!("its bindings stopped counting {}", age(now, stop))
    }
}

fn holds(details: &OwnerDetails) -> String {
    let used = details.used_bytes;
    let budget = |name: &str, bytes: Option<u64>| {
        let bytes = bytes?;
        let over = if used > bytes { ", which it is over" } else { "" };
        Some(format!("; {name} budget {}{over}", human_size(bytes)))
    };
    let budgets = [budget("soft", details.soft_budget), budget("hard", details.hard_budget)];
    format!("{}{}", human_size(used), budgets.into_iter().flatten().collect::<String>())
}

fn on_behalf(other: &OnBehalf, how: &str) -> String {
    format!("{}, {} {how}", printable(other.owner.as_bytes()), count(other.bindings, "name"))
}
