//! `owner`: one file a verb.

mod add;
mod delegate;
mod list;
mod remove;
mod rename;
mod show;

use ohmyartifacts::{OwnerInfo, printable};

use crate::cli::Outcome;
use crate::cli::args::Owner;
use crate::cli::context::Context;

pub(in crate::cli) fn run(context: &Context, args: Owner) -> Outcome {
    match args {
        Owner::Add(args) => add::run(context, *args),
        Owner::List(list) => list::run(context, &list),
        Owner::Show(args) => show::run(context, &args.key),
        Owner::Remove(args) => remove::run(context, &args),
        Owner::Rename(args) => rename::run(context, &args),
        Owner::Delegate(args) => delegate::run(context, &args),
    }
}

fn state(owner: &OwnerInfo) -> &'static str {
    match (owner.kind, owner.alive) {
        ("manual", _) => "-",
        (_, alive) => known(alive),
    }
}

fn known(alive: Option<bool>) -> &'static str {
    match alive {
        Some(true) => "alive",
        Some(false) => "gone",
        None => "unknown",
    }
}

fn full_name(key: &str, version: Option<&str>) -> String {
    let version = version.map(|version| format!("@{version}")).unwrap_or_default();
    printable(format!("{key}{version}").as_bytes())
}
