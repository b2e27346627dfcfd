use ohmyartifacts::OwnerSpec;

use crate::cli::Outcome;
use crate::cli::args::owner::Add;
use crate::cli::commands::owner::show;
use crate::cli::context::Context;

pub(super) fn run(context: &Context, args: Add) -> Outcome {
    let owner = args.owner.key.clone();
    context.open()?.register_owner(&owner, &spec(args))?;
    show::run(context, &owner)
}

fn spec(args: Add) -> OwnerSpec {
    let mut spec = OwnerSpec::new().clear(args.clear);
    if let Some(title) = &args.title {
        spec = spec.title(title);
    }
    if let Some(depot) = &args.julia_depot {
        spec = spec.julia_depot(depot);
    }
    if let Some(end) = args.expires {
        spec = spec.expires_at(end.0);
    }
    if let Some(budget) = args.soft_budget {
        spec = spec.soft_budget(budget.0);
    }
    if let Some(budget) = args.hard_budget {
        spec = spec.hard_budget(budget.0);
    }
    let spec = args.roots.iter().fold(spec, OwnerSpec::root);
    args.commands.iter().fold(spec, |spec, line| spec.command(line))
}
