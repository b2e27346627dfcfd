use ohmyartifacts::{Arrived, UnpackOptions, printable};

use crate::cli::args::Unpack;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::render::{Align, Table, count, human_size, short_name};
use crate::cli::{Exit, Outcome};

pub(in crate::cli) fn run(context: &Context, args: &Unpack) -> Outcome {
    let options = UnpackOptions::new().bind(!args.no_bind).force(args.force).owner(context.owner().cloned());
    let arrived = if args.dry_run {
        context.look()?.unpack_preview(&args.file, &options)?
    } else {
        context.open()?.unpack(&args.file, &options)?
    };
    if context.out.json {
        context.out.document(&arrived)?;
    } else {
        print(context, &arrived, args.dry_run)?;
    }
    Ok(Exit::Ok)
}

/// Shows what arrived, and what became of its names.
pub(super) fn print(context: &Context, arrived: &[Arrived], dry_run: bool) -> Result<(), Failure> {
    if context.quiet {
        return arrived.iter().try_for_each(|arrived| context.out.line(&arrived.artifact.hash.to_string()));
    }
    if !arrived.is_empty() {
        context.out.bytes(table(arrived).render().as_bytes())?;
        context.out.line("")?;
    }
    let would = if dry_run { "would arrive" } else { "arrived" };
    let (files, bytes) =
        arrived.iter().fold((0, 0), |(files, bytes), one| (files + one.new_files, bytes + one.new_bytes));
    let gain = match files {
        0 => "nothing new to store".to_owned(),
        files => format!("{} stored anew, {}", count(files, "file"), human_size(bytes)),
    };
    let unbound = arrived.iter().filter(|one| one.bindings.is_empty()).count() as u64;
    let kept = match unbound {
        0 => String::new(),
        unbound => format!("; {unbound} without a name, kept for a day"),
    };
    context.out.line(&format!("{} {would} ({gain}){kept}", count(arrived.len() as u64, "artifact")))
}

/// A row a name; an artifact without one has a row too.
fn table(arrived: &[Arrived]) -> Table {
    let mut table = Table::new(&[
        ("HASH", Align::Left),
        ("KIND", Align::Left),
        ("SIZE", Align::Right),
        ("STATUS", Align::Left),
        ("OWNER", Align::Left),
        ("NAME", Align::Left),
    ]);
    for one in arrived {
        let facts =
            || [one.artifact.hash.short(), one.artifact.kind.as_str().to_owned(), human_size(one.artifact.size)];
        if one.bindings.is_empty() {
            table.row(facts().into_iter().chain(["-", "-", "-"].map(str::to_owned)).collect());
        }
        for binding in &one.bindings {
            let owner = match &binding.version {
                Some(version) => format!("{}@{version}", binding.owner),
                None => binding.owner.clone(),
            };
            let name = [binding.status.to_owned(), printable(owner.as_bytes()), short_name(&binding.name)];
            table.row(facts().into_iter().chain(name).collect());
        }
    }
    table
}
