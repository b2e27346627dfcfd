use ohmyartifacts::Reference;

use crate::cli::args::Archive;
use crate::cli::context::Context;
use crate::cli::failure::{Failure, shown};
use crate::cli::render::human_size;
use crate::cli::{Exit, Outcome};

pub(in crate::cli) fn run(context: &Context, args: &Archive) -> Outcome {
    if args.file == std::path::Path::new("-") {
        return Err(Failure::usage("an archive is written to a file, whose name goes along"));
    }
    let reference = Reference::new(&args.reference, context.owner());
    let archived = context.look()?.archive(reference, &args.file, args.force)?;
    if context.out.json {
        context.out.document(&archived)?;
    } else if let Some(name) = &args.toml {
        context.out.bytes(archived.declaration(name, &args.url)?.as_bytes())?;
    } else {
        context.out.line(&archived.sha256.to_string())?;
    }
    if args.toml.is_none() {
        let (path, size) = (shown(&archived.path), human_size(archived.size));
        let tree = &archived.git_tree_sha1;
        context
            .say(&format!("git-tree-sha1 {tree} in `{path}` ({size}); `--toml NAME --url URL` prints its declaration"));
    }
    Ok(Exit::Ok)
}
