use ohmyartifacts::{BindOptions, Download, TransferOptions, Unpacking};

use crate::cli::args::{Download as Args, Headers, Transfer, header};
use crate::cli::commands::put_in;
use crate::cli::context::{Context, metadata};
use crate::cli::failure::Failure;
use crate::cli::{Exit, Outcome};

pub(in crate::cli) fn run(context: &Context, args: Args) -> Outcome {
    let (owner, by) = context.binder(&args.on_behalf)?;
    let options = match metadata(&args.meta)? {
        Some(meta) => BindOptions::new().meta(meta),
        None => BindOptions::new(),
    };
    let options = put_in::bound_by(options, by).force(args.force);
    let what = wanted(&args)?;
    let cache = context.open()?;
    let owner = cache.owner_by_id(owner);
    let brought = if args.if_missing {
        owner.get_or_download(&args.name, &what, &options)?
    } else {
        owner.download(&args.name, &what, &options)?
    };
    put_in::print(context, &brought)?;
    Ok(Exit::Ok)
}

fn wanted(args: &Args) -> Result<Download, Failure> {
    let unpacking = match (args.unpack.extract, args.unpack.strip_top) {
        (false, _) => Unpacking::No,
        (true, false) => Unpacking::Whole,
        (true, true) => Unpacking::Stripped,
    };
    let what = Download::from(&args.url).sha256(args.sha256).unpack(unpacking).links(args.unpack.links);
    let what = args.mirrors.iter().fold(what, |what, url| what.mirror(url)).executable(args.executable);
    Ok(what.transfer(transfer_options(&args.transfer)?))
}

/// Says how long and how often it is tried.
pub(super) fn transfer_options(transfer: &Transfer) -> Result<TransferOptions, Failure> {
    let options =
        TransferOptions::new().retries(transfer.retries).timeout(transfer.timeout).max_size(transfer.max_size);
    let mut headers = Vec::new();
    for given in &transfer.headers {
        match given {
            Headers::One(line) => headers.push(header(line).map_err(Failure::usage)?),
            Headers::File(path) => headers.extend(read_headers(path)?),
        }
    }
    Ok(headers.into_iter().fold(options, |options, (name, value)| options.header(name, value)))
}

fn read_headers(path: &std::path::Path) -> Result<Vec<(String, String)>, Failure> {
    let shown = crate::cli::failure::shown(path);
    let text =
        std::fs::read_to_string(path).map_err(|error| Failure::io(&format!("could not read `{shown}`"), &error))?;
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    let headers = lines.map(|line| header(line).map_err(|reason| Failure::usage(&format!("`{shown}`: {reason}"))));
    headers.collect()
}
