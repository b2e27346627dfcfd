use ohmyartifacts::{OwnerInfo, printable};

use crate::cli::args::{ListArgs, Owner};
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::render::{Align, Table, age, arrange, count};
use crate::cli::{Exit, Outcome};

pub(in crate::cli) fn run(context: &Context, args: Owner) -> Outcome {
    match args {
        Owner::List(list) => owners(context, &list)?,
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
    let mut table = Table::new(&[
        ("OWNER", Align::Left),
        ("VERSION", Align::Left),
        ("BINDINGS", Align::Right),
        ("FIRST SEEN", Align::Right),
        ("LAST SEEN", Align::Right),
    ]);
    let now = context.now();
    for owner in &owners {
        table.row(vec![
            printable(owner.owner.as_bytes()),
            printable(owner.version.as_deref().unwrap_or("-").as_bytes()),
            owner.bindings.to_string(),
            age(now, owner.created_at),
            age(now, owner.last_seen_at),
        ]);
    }
    context.out.bytes(table.render().as_bytes())?;
    let bindings = owners.iter().map(|owner| owner.bindings).sum();
    context.out.line(&format!("\n{}, {}", count(owners.len() as u64, "owner"), count(bindings, "binding")))
}

fn full_name(owner: &OwnerInfo) -> String {
    let version = owner.version.as_ref().map(|version| format!("@{version}")).unwrap_or_default();
    printable(format!("{}{version}", owner.owner).as_bytes())
}
