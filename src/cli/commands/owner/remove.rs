use std::io::IsTerminal as _;

use ohmyartifacts::{Cache, OwnerId, OwnerRemoval, printable};

use crate::cli::args::owner::Remove;
use crate::cli::commands::owner::full_name;
use crate::cli::context::{Context, asked};
use crate::cli::failure::{Failure, quoted};
use crate::cli::render::{Align, Table, count, human_size, short_kind};
use crate::cli::{Exit, Outcome};

pub(super) fn run(context: &Context, args: &Remove) -> Outcome {
    let may_ask = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    let cache = context.look()?;
    let owners = meant(&cache, args)?;
    let preview = cache.owner_removal(&owners)?;
    if !args.yes && !may_ask {
        let shown = quoted(&args.owner.key.to_string());
        let all = if args.all_versions { " --all-versions" } else { "" };
        return Err(Failure::usage(
            "removing an owner lets go of what it has bound, and there is no terminal to ask at",
        )
        .hint(&format!(
            "`oma ls --owner {shown}` shows what it has bound, `oma owner remove {shown}{all} -y` does it"
        )));
    }
    if !args.yes {
        context.say(&text(&preview, true));
        if !asked("Remove?")? {
            context.say("nothing was removed");
            return Ok(Exit::Ok);
        }
    }
    let removal = cache.remove_owners(&owners)?;
    print(context, &removal)?;
    Ok(Exit::Ok)
}

/// Returns the owners that are to go. One without a version is not all of its versions.
fn meant(cache: &Cache, args: &Remove) -> Result<Vec<OwnerId>, Failure> {
    let owner = &args.owner.key;
    let versions = cache.owner_versions(owner.key())?;
    if args.all_versions {
        if owner.version().is_some() {
            return Err(Failure::usage("one version was named, and all are to go")
                .hint(&format!("`oma owner remove {} --all-versions` removes them all", quoted(owner.key()))));
        }
        if !versions.is_empty() {
            return Ok(versions);
        }
    }
    if versions.contains(owner) || versions.is_empty() {
        return Ok(vec![owner.clone()]);
    }
    let known: Vec<String> = versions.iter().take(4).map(|version| quoted(&version.to_string())).collect();
    let message = format!("no owner is known as `{}`", printable(owner.to_string().as_bytes()));
    Err(Failure::not_found(&message).hint(&format!(
        "known: {}; `oma owner remove {} --all-versions` removes all versions",
        known.join(", "),
        quoted(owner.key())
    )))
}

fn print(context: &Context, removal: &OwnerRemoval) -> Result<(), Failure> {
    if context.out.json {
        return context.out.document(removal);
    }
    if context.quiet {
        return removal.orphaned.iter().try_for_each(|orphan| context.out.line(&orphan.hash.to_string()));
    }
    context.out.line(&text(removal, false))
}

fn text(removal: &OwnerRemoval, would: bool) -> String {
    let mut lines = Vec::new();
    if !removal.orphaned.is_empty() {
        lines.push(table(removal).render());
    }
    let names: Vec<String> =
        removal.removed.iter().map(|owner| full_name(&owner.owner, owner.version.as_deref())).collect();
    let bindings = count(removal.removed.iter().map(|owner| owner.bindings).sum(), "binding");
    let unused = count(removal.orphaned.len() as u64, "artifact");
    let size = human_size(removal.orphaned.iter().map(|orphan| orphan.size).sum());
    let owners = count(removal.removed.len() as u64, "owner");
    let (verb, state) = if would { ("would be removed", "would be unused") } else { ("removed", "unused now") };
    lines.push(format!("{owners} {verb} with {bindings}: {}", names.join(", ")));
    lines.push(match removal.orphaned.len() {
        0 => "everything is in use by others".to_owned(),
        _ => format!("{unused} {state} ({size} if nothing were shared); gc takes what stays so"),
    });
    lines.join("\n")
}

fn table(removal: &OwnerRemoval) -> Table {
    let columns = [("HASH", Align::Left), ("KIND", Align::Left), ("SIZE", Align::Right), ("NAMES", Align::Left)];
    let mut table = Table::new(&columns);
    for orphan in &removal.orphaned {
        let names: Vec<String> = orphan.names.iter().map(|name| printable(name.as_bytes())).collect();
        table.row(vec![orphan.hash.short(), short_kind(orphan.kind), human_size(orphan.size), names.join(", ")]);
    }
    table
}
