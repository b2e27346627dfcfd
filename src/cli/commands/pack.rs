use std::io::IsTerminal as _;
use std::path::Path;

use ohmyartifacts::{Pack, Packed, Reference};
use serde::Serialize;

use crate::cli::args::Pack as Args;
use crate::cli::context::Context;
use crate::cli::failure::{Failure, shown};
use crate::cli::render::{count, human_size};
use crate::cli::{Exit, Outcome};

/// The JSON of `pack`.
#[derive(Serialize)]
struct Document<'a> {
    path: String,
    /// Bytes of the file.
    size: u64,
    #[serde(flatten)]
    packed: &'a Packed,
}

pub(in crate::cli) fn run(context: &Context, args: &Args) -> Outcome {
    if args.file == Path::new("-") {
        to_standard_output(context, args)?;
    } else {
        to_file(context, args)?;
    }
    Ok(Exit::Ok)
}

/// Returns what is to leave: these, or all that the owner binds.
pub(super) fn what<'a>(context: &'a Context, references: &'a [String]) -> Result<Pack<'a>, Failure> {
    if references.is_empty() {
        return Ok(Pack::all_of(context.need_owner()?));
    }
    Ok(Pack::of(references.iter().map(|reference| Reference::new(reference, context.owner()))))
}

fn to_file(context: &Context, args: &Args) -> Result<(), Failure> {
    let packed = context.look()?.pack(&what(context, &args.references)?, &args.file, args.force)?;
    let path = shown(&args.file);
    let found = std::fs::metadata(&args.file);
    let size = found.map_err(|error| Failure::io(&format!("could not read `{path}`"), &error))?.len();
    if context.out.json {
        return context.out.document(&Document { path, size, packed: &packed });
    }
    if !context.quiet {
        context.out.line(&format!("{} in `{path}` ({})", summary(&packed), human_size(size)))?;
    }
    Ok(())
}

/// Standard output carries the pack, and nothing else.
fn to_standard_output(context: &Context, args: &Args) -> Result<(), Failure> {
    if context.out.json {
        return Err(Failure::usage("standard output cannot carry a pack and JSON").hint("name a file with `-f FILE`"));
    }
    let mut out = std::io::stdout();
    if out.is_terminal() {
        return Err(Failure::usage("a pack is nothing for a terminal").hint("name a file with `-f FILE`"));
    }
    let name = Path::new("standard output");
    let packed = context.look()?.pack_to(&what(context, &args.references)?, &mut out, name)?;
    context.say(&summary(&packed));
    Ok(())
}

fn summary(packed: &Packed) -> String {
    let artifacts = count(packed.artifacts.len() as u64, "artifact");
    let content = human_size(packed.content_bytes);
    format!("{artifacts} with {}, {content} of content,", count(packed.bindings, "name"))
        .trim_end_matches(',')
        .to_owned()
}
