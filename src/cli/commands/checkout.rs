use std::os::unix::ffi::OsStrExt as _;

use ohmyartifacts::{CheckedOut, CheckoutMode, CheckoutOptions, Reference};

use crate::cli::args::Checkout;
use crate::cli::context::Context;
use crate::cli::render::{count, human_size};
use crate::cli::{Exit, Outcome};

pub(in crate::cli) fn run(context: &Context, args: &Checkout) -> Outcome {
    let options = CheckoutOptions::new().mode(args.mode).writable(args.writable).force(args.force);
    let cache = context.look()?;
    let reference = Reference::new(&args.reference, context.owner());
    let done = cache
        .checkout(reference, &args.dest, &options)
        .map_err(|error| context.not_found(&cache, &args.reference, error))?;
    if context.out.json {
        context.out.document(&done)?;
        return Ok(Exit::Ok);
    }
    context.out.bytes(done.path.as_os_str().as_bytes())?;
    context.out.line("")?;
    context.say(&told(&done));
    Ok(Exit::Ok)
}

fn told(done: &CheckedOut) -> String {
    let files = count(done.part.files, "file");
    let size = human_size(done.part.size);
    let how = match done.mode {
        CheckoutMode::Hardlink => "hard links to the stored files: do not write to them",
        CheckoutMode::Symlink => "links to the stored files, good as long as these are kept",
        CheckoutMode::Reflink if done.writable => "reflinks, to be changed at will",
        CheckoutMode::Reflink => "reflinks, read-only",
        CheckoutMode::Copy if done.writable => "copies, to be changed at will",
        CheckoutMode::Copy => "copies, read-only",
        CheckoutMode::Auto if done.writable => "reflinks and copies, to be changed at will",
        CheckoutMode::Auto => "reflinks and copies, read-only",
    };
    format!("{files}, {size}: {how}")
}
