use std::path::Path;

use ohmyartifacts::{ExportOptions, ExportReport, OwnerId, printable};

use crate::cli::args::Export;
use crate::cli::context::Context;
use crate::cli::failure::{Failure, shown};
use crate::cli::render::{count, human_size};
use crate::cli::{Exit, Outcome};

pub(in crate::cli) fn run(context: &Context, args: Export) -> Outcome {
    match &args.dir {
        None => text(context)?,
        Some(dir) => space(context, dir, &args)?,
    }
    Ok(Exit::Ok)
}

/// In JSON the content of the file is the document.
fn text(context: &Context) -> Result<(), Failure> {
    let owner = context.need_owner()?;
    let exported = context.look()?.export(owner)?.ok_or_else(|| nothing(Some(owner)))?;
    if context.out.json {
        return context.out.document(&exported.content.to_plain_json());
    }
    context.out.bytes(exported.text.as_bytes())
}

fn space(context: &Context, dir: &Path, args: &Export) -> Result<(), Failure> {
    let owner = context.owner();
    let options = ExportOptions::new().owner(owner.cloned()).artifacts(args.artifacts).force(args.force);
    let report = context.look()?.export_to(dir, &options)?.ok_or_else(|| nothing(owner))?;
    if context.out.json {
        return context.out.document(&report);
    }
    if context.quiet {
        return Ok(());
    }
    context.out.line(&summary(dir, &report, args.artifacts))
}

fn summary(dir: &Path, report: &ExportReport, artifacts: bool) -> String {
    let owners = report.files.iter().filter(|file| file.owner.is_some());
    let (owners, names) = owners.fold((0, 0), |(owners, names), file| (owners + 1, names + file.entries));
    let written = report.files.iter().filter(|file| file.written).count() as u64;
    let unchanged = report.files.len() as u64 - written;
    let mut parts = vec![format!("{} written", count(written, "file"))];
    if unchanged > 0 {
        parts.push(format!("{unchanged} unchanged"));
    }
    if artifacts {
        parts.push(format!("{} put there", count(report.new_artifacts, "artifact")));
    }
    if report.kept_artifacts > 0 {
        parts.push(format!("{} kept", report.kept_artifacts));
    }
    if report.copied_bytes > 0 {
        parts.push(format!("{} copied", human_size(report.copied_bytes)));
    }
    format!("{} of {} in `{}`: {}", count(names, "name"), count(owners, "owner"), shown(dir), parts.join(", "))
}

fn nothing(owner: Option<&OwnerId>) -> Failure {
    match owner {
        Some(owner) => {
            let owner = printable(owner.to_string().as_bytes());
            Failure::not_found(&format!("{owner} binds and declares nothing")).hint("`oma owner list` shows who does")
        }
        None => Failure::not_found("nothing is bound or declared"),
    }
}
