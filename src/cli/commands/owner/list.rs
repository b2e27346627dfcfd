use ohmyartifacts::{FilterKind, OwnerInfo, printable};

use crate::cli::args::ListArgs;
use crate::cli::commands::owner::{full_name, state};
use crate::cli::context::Context;
use crate::cli::render::{Align, ListKey, Table, age, arrange, count};
use crate::cli::{Exit, Outcome};

const KEYS: [ListKey; 9] = [
    ListKey::new("owner", "owner", FilterKind::Owner),
    ListKey::new("version", "version", FilterKind::Text),
    ListKey::new("title", "title", FilterKind::Text),
    ListKey::new("kind", "kind", FilterKind::Word(&["julia", "path", "command", "expiry", "manual"])),
    ListKey::new("root", "root", FilterKind::Text),
    ListKey::new("alive", "alive", FilterKind::Word(&["true", "false"])),
    ListKey::new("bindings", "bindings", FilterKind::Count),
    ListKey::new("created", "created_at", FilterKind::Time),
    ListKey::new("seen", "last_seen_at", FilterKind::Time),
];

pub(super) fn run(context: &Context, list: &ListArgs) -> Outcome {
    let owners = arrange(context.look()?.owners()?, list, &KEYS, context.now())?;
    if context.writes_rows(&owners, list)? {
        return Ok(Exit::Ok);
    }
    if context.quiet {
        let mut names = owners.iter().map(|owner| full_name(&owner.owner, owner.version.as_deref()));
        names.try_for_each(|name| context.out.line(&name))?;
    } else if owners.is_empty() {
        context.say("no owners");
    } else {
        context.out.bytes(table(context, &owners).render().as_bytes())?;
        let bindings = owners.iter().map(|owner| owner.bindings).sum();
        context.out.line(&format!("\n{}, {}", count(owners.len() as u64, "owner"), count(bindings, "binding")))?;
    }
    Ok(Exit::Ok)
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
