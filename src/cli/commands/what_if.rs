//! `what-if`: what would come free if names were let go.

use ohmyartifacts::{Binding, Filter, FilterKind, NamePattern, WhatIf, WhatIfItem, WhatIfReport, printable};

use crate::cli::args;
use crate::cli::args::ListArgs;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::render::{
    Align, Format, ListKey, Table, arrange, count, exact_size, first_name, human_size, read_filters, short_kind,
};
use crate::cli::{Exit, Outcome};

/// For `--sort`: conditions choose names, and are read by the library.
const SORTED_BY: [ListKey; 1] = [ListKey::new("freed", "freed_bytes", FilterKind::Size)];

pub(in crate::cli) fn run(context: &Context, args: args::WhatIf) -> Outcome {
    let question = question(context, &args)?;
    let report = context.look()?.what_if(&question)?;
    let list = ListArgs { filters: Vec::new(), ..args.list };
    let all = report.artifacts.len();
    let artifacts = arrange(report.artifacts, &list, &SORTED_BY, context.now())?;
    let report = WhatIfReport { artifacts, ..report };
    for pattern in &report.unmatched {
        context.say(&format!("no name matches `{}`", printable(pattern.as_bytes())));
    }
    match context.format(&list)? {
        Format::Json => context.out.document(&report)?,
        Format::Table if context.quiet => {
            report.artifacts.iter().try_for_each(|item| context.out.line(&item.hash.to_string()))?;
        }
        Format::Table => show(context, &report, all)?,
        _ => drop(context.writes_rows(&report.artifacts, &list)?),
    }
    Ok(Exit::Ok)
}

fn question(context: &Context, args: &args::WhatIf) -> Result<WhatIf, Failure> {
    let filters = read_filters(&args.list.filters, Binding::filter_keys())?;
    if args.remove_owner.is_empty() && args.unbind.is_empty() && args.unused_for.is_none() && filters.is_empty() {
        return Err(Failure::usage("nothing is thought away")
            .hint("try `oma what-if --unused-for 90d`, or `oma what-if --help`"));
    }
    let mut question = WhatIf::new();
    for owner in &args.remove_owner {
        question = question.remove_owner(owner.clone());
    }
    for pattern in &args.unbind {
        question = question.unbind(names(context, pattern)?);
    }
    if let Some(owner) = context.owner() {
        question = question.only(owner.clone());
    }
    if let Some(span) = args.unused_for {
        question = question.unused_for(span);
    }
    Ok(filters.into_iter().fold(question, |question: WhatIf, filter: Filter| question.filter(filter)))
}

/// With an owner given, names need none.
fn names(context: &Context, pattern: &str) -> Result<NamePattern, Failure> {
    match context.owner() {
        Some(owner) if !pattern.contains(':') => Ok(NamePattern::of(owner, pattern)?),
        _ => Ok(pattern.parse()?),
    }
}

fn show(context: &Context, report: &WhatIfReport, all: usize) -> Result<(), Failure> {
    if !report.artifacts.is_empty() {
        context.out.bytes(table(&report.artifacts).render().as_bytes())?;
        let rest = all - report.artifacts.len();
        if rest > 0 {
            context.out.line(&format!("and {} more", count(rest as u64, "artifact")))?;
        }
        context.out.line("")?;
    }
    let artifacts = count(all as u64, "artifact");
    let names = count(report.unbound, "name");
    context.out.line(&format!("{artifacts} would be deleted ({}) if {names} went", exact_size(report.freed_bytes)))?;
    if !report.kept.is_empty() {
        let kept = count(report.kept.len() as u64, "artifact");
        let them = if report.kept.len() == 1 { "it" } else { "them" };
        context.out.line(&format!("{kept} would stay: something else keeps {them} (`oma why` says what)"))?;
    }
    if report.anyway_bytes > 0 {
        let anyway = human_size(report.anyway_bytes);
        context.out.line(&format!(
            "beside that, {anyway} is kept by nothing already: `oma gc -n --collect-delay 0` shows it"
        ))?;
    }
    Ok(())
}

fn table(items: &[WhatIfItem]) -> Table {
    let mut table = Table::new(&[
        ("HASH", Align::Left),
        ("KIND", Align::Left),
        ("SIZE", Align::Right),
        ("FREES", Align::Right),
        ("NAMES", Align::Left),
    ]);
    for item in items {
        table.row(vec![
            item.hash.short(),
            short_kind(item.kind),
            human_size(item.size),
            human_size(item.freed_bytes),
            first_name(&item.names),
        ]);
    }
    table
}
