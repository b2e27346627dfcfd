//! `gc`: a plan, looked at, chosen from, written down, or carried out.

mod choose;
mod render;
mod undo;

use std::io::IsTerminal as _;
use std::path::Path;

use ohmyartifacts::{Cache, GcPlan, GcPolicy, GcReport, GcRule, OwnerPattern, printable_path};

use crate::cli::args::{Gc, GcVerb};
use crate::cli::context::{Context, asked, read_capped};
use crate::cli::failure::Failure;
use crate::cli::{Exit, Outcome};

/// A plan is read from a file of no more bytes than this.
const LARGEST_PLAN: u64 = 256 * 1024 * 1024;

pub(in crate::cli) fn run(context: &Context, args: Gc) -> Outcome {
    if let Some(GcVerb::Undo(undo)) = args.verb {
        return undo::run(context, &undo);
    }
    check_terminal(&args)?;
    let cache = context.look()?;
    let plan = plan(context, &cache, &args)?;
    if let Some(path) = &args.plan_out {
        write_plan(&cache, &plan, path)?;
        print(context, &plan.preview())?;
        context.say(&format!("the plan is in `{}`; nothing was deleted", printable_path(path)));
        return Ok(Exit::Ok);
    }
    if args.dry_run || !context.store().exists() {
        print(context, &GcReport { dry_run: args.dry_run, ..plan.preview() })?;
        return Ok(Exit::Ok);
    }
    let plan = if args.interactive { choose::choose(context, &cache, plan)? } else { plan };
    if !args.yes && !plan.is_empty() && !agreed(context, &plan, args.interactive)? {
        context.say("nothing was deleted");
        return Ok(Exit::Ok);
    }
    let report = cache.gc_apply(&plan)?;
    print(context, &report)?;
    // For `usage --since`; whatever goes wrong there says nothing of this run.
    let _ = cache.sample_usage();
    Ok(if report.failed.is_empty() { Exit::Ok } else { Exit::Partial })
}

/// Who cannot be asked must have said yes.
fn check_terminal(args: &Gc) -> Result<(), Failure> {
    let may_ask = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    let changes = !args.dry_run && args.plan_out.is_none();
    if args.interactive && !may_ask {
        return Err(Failure::usage("there is no terminal to choose at")
            .hint("`oma gc --plan-out FILE` writes what would go, `oma gc --plan FILE -y` carries it out"));
    }
    if changes && !args.yes && !may_ask {
        return Err(Failure::usage("gc deletes, and there is no terminal to ask at")
            .hint("`oma gc -n` shows what would go, `oma gc -y` does it"));
    }
    Ok(())
}

fn plan(context: &Context, cache: &Cache, args: &Gc) -> Result<GcPlan, Failure> {
    match &args.plan {
        Some(path) => {
            let shown = printable_path(path);
            let text = read_capped(path, LARGEST_PLAN)
                .map_err(|error| Failure::io(&format!("could not read `{shown}`"), &error))?;
            Ok(cache.gc_plan_from(&text)?)
        }
        None => Ok(cache.gc_plan(&policy(context, cache, args)?)?),
    }
}

/// What is configured, and before it what the words say.
fn policy(context: &Context, cache: &Cache, args: &Gc) -> Result<GcPolicy, Failure> {
    let mut policy = cache.config()?.gc_policy();
    if let Some(age) = args.min_age {
        policy = policy.min_age(age);
    }
    if let Some(keep) = args.trash {
        policy = policy.trash(Some(keep));
    }
    if let Some(owner) = context.owner() {
        policy = policy.only(owner.clone());
    }
    for rule in args.rules.iter().rev() {
        policy = policy.first_rule(rule.clone());
    }
    Ok(match rule(context, args)? {
        Some(rule) => policy.first_rule(rule),
        None => policy,
    })
}

/// The rule that the single words make.
fn rule(context: &Context, args: &Gc) -> Result<Option<GcRule>, Failure> {
    let rule = GcRule {
        owner: context.owner().map(OwnerPattern::exactly),
        class: args.class,
        dead_for: args.collect_delay,
        unused_for: args.unused_for,
        max_size: args.max_size,
        min_free: args.min_free,
        min_age: args.min_age,
    };
    let says = rule.dead_for.is_some() || rule.unused_for.is_some() || rule.max_size.is_some();
    if says || rule.min_free.is_some() {
        return Ok(Some(rule));
    }
    if args.class.is_some() {
        return Err(Failure::usage("`--class` alone says nothing to do")
            .hint("add one of `--collect-delay`, `--unused-for`, `--max-size` and `--min-free`"));
    }
    Ok(None)
}

fn agreed(context: &Context, plan: &GcPlan, chosen: bool) -> Result<bool, Failure> {
    if !chosen {
        context.say(render::text(context, &plan.preview()).trim_end());
    }
    asked("Delete these?")
}

fn write_plan(cache: &Cache, plan: &GcPlan, path: &Path) -> Result<(), Failure> {
    let document = cache.gc_plan_document(plan)?;
    let shown = printable_path(path);
    #[expect(clippy::disallowed_methods, reason = "a file of the user's, not of the store")]
    std::fs::write(path, document + "\n").map_err(|error| Failure::io(&format!("could not write `{shown}`"), &error))
}

fn print(context: &Context, report: &GcReport) -> Result<(), Failure> {
    if context.out.json {
        return context.out.document(report);
    }
    if context.quiet {
        return report.artifacts.iter().try_for_each(|item| context.out.line(&item.hash.to_string()));
    }
    render::complain(context, report);
    context.out.line(&render::text(context, report))
}
