use std::io::{self, Write as _};

use ohmyartifacts::{Error, Reference};

use crate::cli::args::Cat;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::{Exit, Outcome};

/// The bytes and nothing else, with `--json` too: they are what was asked for.
pub(in crate::cli) fn run(context: &Context, args: &Cat) -> Outcome {
    let cache = context.look()?;
    let mut out = io::stdout();
    match cache.cat(Reference::new(&args.reference, context.owner()), &mut out) {
        Ok(_) => out.flush().map_err(|error| Failure::output(&error))?,
        Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::BrokenPipe => {
            return Err(Failure::output(&source));
        }
        Err(other) => return Err(context.not_found(&cache, &args.reference, other)),
    }
    Ok(Exit::Ok)
}
