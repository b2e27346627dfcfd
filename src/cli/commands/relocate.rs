use ohmyartifacts::{LinkStyle, RelocateOptions, Relocated};

use crate::cli::args::Relocate;
use crate::cli::context::Context;
use crate::cli::failure::shown;
use crate::cli::render::count;
use crate::cli::{Exit, Outcome};

pub(in crate::cli) fn run(context: &Context, args: &Relocate) -> Outcome {
    let options = RelocateOptions::new().link_style(args.link_style).dry_run(args.dry_run);
    let done = context.open_there()?.relocate(&options)?;
    if context.out.json {
        context.out.document(&done)?;
    } else {
        context.out.line(&told(&done))?;
    }
    Ok(Exit::Ok)
}

fn told(done: &Relocated) -> String {
    let of = count(done.trees, "directory");
    let would = if done.dry_run { "to be laid out anew" } else { "laid out anew" };
    let changes = match (done.was_root == done.root, done.was_link_style == done.link_style) {
        (true, true) => String::new(),
        (false, true) => format!("; it was at `{}`", shown(&done.was_root)),
        (true, false) => format!("; they had {}", links(done.was_link_style)),
        (false, false) => format!("; it was at `{}`, with {}", shown(&done.was_root), links(done.was_link_style)),
    };
    let (here, links) = (shown(&done.root), links(done.link_style));
    format!("{would}: {} of {of}, with {links} in `{here}`{changes}", done.rewritten)
}

fn links(style: LinkStyle) -> &'static str {
    match style {
        LinkStyle::Absolute => "absolute links",
        LinkStyle::Relative => "relative links",
        LinkStyle::Hardlink => "hard links",
    }
}
