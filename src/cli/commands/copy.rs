use std::path::Path;

use ohmyartifacts::{Arrived, CopiedArtifact, CopiedBy, Error, ErrorKind, UnpackOptions};

use crate::cli::args::CopyTo;
use crate::cli::commands::{pack, unpack};
use crate::cli::context::Context;
use crate::cli::failure::{Failure, quoted};
use crate::cli::{Exit, Outcome};

pub(in crate::cli) fn run(context: &Context, args: &CopyTo) -> Outcome {
    let what = pack::what(context, &args.references)?;
    let options = UnpackOptions::new().bind(!args.no_bind).force(args.force);
    let copied = context.look()?.copy_to(context.options(Some(args.to.clone())), &what, &options);
    let copied = copied.map_err(|error| explained(error, context.store(), &args.to))?;
    if context.out.json {
        context.out.document(&copied)?;
        return Ok(Exit::Ok);
    }
    let arrived: Vec<Arrived> = copied.iter().map(|copied| copied.arrived.clone()).collect();
    unpack::print(context, &arrived, false)?;
    if let Some(sentence) = how(&copied) {
        context.say(sentence);
    }
    Ok(Exit::Ok)
}

/// A hint must name the store it is about: here there are two.
fn explained(error: Error, from: &Path, to: &Path) -> Failure {
    let (from, there) = (quoted(&from.to_string_lossy()), quoted(&to.to_string_lossy()));
    let hint = match &error {
        Error::BindingExists { owner, name, .. } => {
            let (owner, name) = (quoted(owner), quoted(name));
            format!("`oma --store {there} unbind --owner {owner} {name}` frees the name there, `--force` takes it")
        }
        Error::OverBudget { owner, needed, .. } => {
            let (owner, needed) = (quoted(owner), ohmyartifacts::format_size(*needed));
            format!("`oma --store {there} owner add {owner} --hard-budget {needed}` gives it room there")
        }
        Error::Damaged { hash, .. } => format!("`oma --store {from} verify {}` shows what is wrong", hash.short()),
        Error::NotAStore { .. } | Error::Invalid { what: "store to copy to", .. } => {
            "name another folder with `--to DIR`".to_owned()
        }
        error if error.kind() == ErrorKind::OutOfSpace => {
            format!("`oma --store {there} gc --collect-delay 0 -y` frees what nothing uses there")
        }
        _ => return error.into(),
    };
    Failure::from(error).hint(&hint)
}

/// Says how most bytes are shared, where they are.
fn how(copied: &[CopiedArtifact]) -> Option<&'static str> {
    match copied.iter().filter_map(|copied| copied.by).max()? {
        CopiedBy::Reflink => Some("the disk holds their bytes once, by reflinks"),
        CopiedBy::Hardlink => Some("the disk holds their bytes once, by hard links; they go when both stores let go"),
        CopiedBy::Copy => None,
    }
}
