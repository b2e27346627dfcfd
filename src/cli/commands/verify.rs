use ohmyartifacts::{VerifyOptions, VerifyProblem, VerifyReport, printable, printable_path};

use crate::cli::args::Verify;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::render::{Align, Table, count, human_size};
use crate::cli::{Exit, Outcome};

pub(in crate::cli) fn run(context: &Context, args: Verify) -> Outcome {
    let cache = context.look()?;
    let mut options = VerifyOptions::new().quick(args.quick).max_time(args.max_time);
    if !args.references.is_empty() {
        let found = args.references.iter().map(|reference| Ok(context.look_at(&cache, reference)?.artifact));
        options = options.only(found.collect::<Result<_, Failure>>()?);
    }
    let report = cache.verify(&options)?;
    if context.out.json {
        context.out.document(&report)?;
    } else {
        print(context, &report, args.quick)?;
    }
    let sound = report.problems.iter().all(|problem| problem.repaired);
    Ok(if sound { Exit::Ok } else { Exit::Damaged })
}

fn print(context: &Context, report: &VerifyReport, quick: bool) -> Result<(), Failure> {
    if context.quiet {
        return report.problems.iter().try_for_each(|problem| context.out.line(&problem.hash.to_string()));
    }
    if !report.problems.is_empty() {
        context.out.bytes(table(&report.problems).render().as_bytes())?;
        context.out.line("")?;
    }
    let problems = match report.problems.len() as u64 {
        0 => "all as they should be".to_owned(),
        number => count(number, "problem"),
    };
    let read = if quick { "no content read".to_owned() } else { format!("{} read", human_size(report.checked_bytes)) };
    let left = match report.left_objects {
        0 => String::new(),
        left => format!("; {} left for the next run", count(left, "object")),
    };
    context.out.line(&format!("{} checked ({read}), {problems}{left}", count(report.checked_objects, "object")))
}

fn table(problems: &[VerifyProblem]) -> Table {
    let mut table =
        Table::new(&[("PROBLEM", Align::Left), ("HASH", Align::Left), ("DETAIL", Align::Left), ("PATH", Align::Left)]);
    for problem in problems {
        let kind = serde_json::to_value(problem.kind).ok();
        table.row(vec![
            kind.as_ref().and_then(|kind| kind.as_str()).unwrap_or("unknown").to_owned(),
            problem.hash.short(),
            printable(problem.detail.as_bytes()),
            printable_path(&problem.path),
        ]);
    }
    table
}
