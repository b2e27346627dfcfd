use ohmyartifacts::{Arrived, CopiedArtifact, CopiedBy, UnpackOptions};

use crate::cli::args::CopyTo;
use crate::cli::commands::{pack, unpack};
use crate::cli::context::Context;
use crate::cli::{Exit, Outcome};

pub(in crate::cli) fn run(context: &Context, args: &CopyTo) -> Outcome {
    let what = pack::what(context, &args.references)?;
    let options = UnpackOptions::new().bind(!args.no_bind).force(args.force);
    let copied = context.look()?.copy_to(context.options(Some(args.to.clone())), &what, &options)?;
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

/// Says how most bytes are shared, where they are.
fn how(copied: &[CopiedArtifact]) -> Option<&'static str> {
    match copied.iter().filter_map(|copied| copied.by).max()? {
        CopiedBy::Reflink => Some("the disk holds their bytes once, by reflinks"),
        CopiedBy::Hardlink => Some("the disk holds their bytes once, by hard links; they go when both stores let go"),
        CopiedBy::Copy => None,
    }
}
