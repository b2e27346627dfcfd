use crate::cli::args::Create;
use crate::cli::commands::put_in;
use crate::cli::commands::run_command::{command_line, run_in};
use crate::cli::context::Context;
use crate::cli::{Exit, Outcome};

pub(in crate::cli) fn run(context: &Context, args: Create) -> Outcome {
    let options = put_in::bind_options(&args.bind)?;
    let line = command_line(&args.command);
    let make = |workdir: &std::path::Path| run_in(workdir, &args.command, args.result);
    let ingested = match &args.bind.bind {
        None => context.open()?.create_by_command(&line, make)?,
        Some(name) => {
            let (owner, by) = context.binder(&args.bind.on_behalf)?;
            let options = put_in::bound_by(options, by);
            context.open()?.owner_by_id(owner).create_by_command(name, &options, &line, make)?
        }
    };
    put_in::print(context, &ingested)?;
    Ok(Exit::Ok)
}
