//! The command line: words in, tables or JSON out.
//!
//! Guarantees: stdout carries data only; talk, progress and warnings go to stderr; exit codes and
//! JSON fields are a contract. Must not know: how the store works; it sees the public API alone.

/// Writes a line to standard error; where that cannot be written, nobody is left to tell.
macro_rules! tell {
    ($($argument:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(anstream::stderr(), $($argument)*);
    }};
}

mod args;
mod commands;
mod complete;
mod context;
mod failure;
mod output;
mod progress;
mod render;
mod report;
mod upkeep;

use std::process::ExitCode;

use clap::Parser as _;
use clap::error::ErrorKind as ClapKind;
use ohmyartifacts::printable;

use args::{Args, Verb};
use context::Context;
use failure::Failure;

/// What a command ends with when nothing went wrong: an exit code that may still say something.
type Outcome = Result<Exit, Failure>;

/// The exit codes, a published contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exit {
    Ok,
    Failed,
    Usage,
    NotFound,
    Damaged,
    Conflict,
    Busy,
    OutOfSpace,
    Partial,
    Interrupted,
    /// What a command ended with that was run for somebody.
    Command(u8),
}

impl Exit {
    const fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NotFound => 3,
            Self::Damaged => 4,
            Self::Conflict => 5,
            Self::Busy => 6,
            Self::OutOfSpace => 7,
            Self::Partial => 8,
            Self::Interrupted => 130,
            Self::Command(code) => code,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

pub(crate) fn run() -> ExitCode {
    if complete::answer() {
        return Exit::Ok.into();
    }
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => return usage_error(&error).into(),
    };
    let context = match Context::new(&args.global) {
        Ok(context) => context,
        Err(failure) => return failure::report(&failure, args.global.json).into(),
    };
    let writes = args.verb.writes();
    let outcome = dispatch(&context, args.verb).and_then(|exit| context.out.flush().map(|()| exit));
    if writes && outcome.is_ok() {
        upkeep::run(&context);
    }
    context.progress.clear();
    match outcome {
        Ok(exit) => exit.into(),
        Err(failure) if failure.is_broken_pipe() => Exit::Ok.into(),
        Err(failure) => {
            // What was found before the failure is still data.
            let _ = context.out.flush();
            failure::report(&failure, args.global.json).into()
        }
    }
}

fn dispatch(context: &Context, verb: Verb) -> Outcome {
    match verb {
        Verb::Init(args) => commands::init::run(context, args),
        Verb::Add(args) => commands::add::run(context, args),
        Verb::Create(args) => commands::create::run(context, args),
        Verb::Get(args) => commands::get::run(context, args),
        Verb::Bind(args) => commands::bind::run(context, args),
        Verb::Unbind(args) => commands::unbind::run(context, args),
        Verb::Hash(args) => commands::find::hash(context, &args),
        Verb::Path(args) => commands::find::path(context, &args),
        Verb::Exists(args) => commands::find::exists(context, &args),
        Verb::Pin(args) => commands::pin::pin(context, args),
        Verb::Unpin(args) => commands::pin::unpin(context, &args),
        Verb::Lease(args) => commands::lease::run(context, args),
        Verb::Owner(args) => commands::owner::run(context, args),
        Verb::Ls(args) => commands::ls::run(context, &args),
        Verb::Show(args) => commands::show::run(context, &args),
        Verb::Why(args) => commands::why::run(context, &args),
        Verb::History(args) => commands::history::run(context, &args),
        Verb::Usage(args) => commands::usage::run(context, &args),
        Verb::WhatIf(args) => commands::what_if::run(context, args),
        Verb::Find(args) => commands::search::run(context, &args),
        Verb::Diff(args) => commands::diff::run(context, &args),
        Verb::Dup(args) => commands::dup::run(context, &args),
        Verb::Stats => commands::stats::run(context),
        Verb::Report(args) => commands::report::run(context, &args),
        Verb::Sql(args) => commands::sql::run(context, &args),
        Verb::Schema(args) => commands::schema::run(context, &args),
        Verb::Gc(args) => commands::gc::run(context, args),
        Verb::Config(args) => commands::config::run(context, args),
        Verb::Verify(args) => commands::verify::run(context, args),
        Verb::Import(args) => commands::import::run(context, args),
        Verb::Attach(args) => commands::attach::attach(context, args),
        Verb::Detach(args) => commands::attach::detach(context, args),
        Verb::Sync(args) => commands::sync::run(context, &args),
        Verb::Export(args) => commands::export::run(context, args),
        Verb::Fetch(args) => commands::fetch::run(context, &args),
        Verb::Checkout(args) => commands::checkout::run(context, &args),
        Verb::Cat(args) => commands::cat::run(context, &args),
        Verb::Relocate(args) => commands::relocate::run(context, &args),
        Verb::Download(args) => commands::download::run(context, args),
        Verb::Refresh(args) => commands::refresh::run(context, &args),
        Verb::Copy(args) => commands::copy::run(context, &args),
        Verb::Pack(args) => commands::pack::run(context, &args),
        Verb::Unpack(args) => commands::unpack::run(context, &args),
        Verb::Archive(args) => commands::archive::run(context, &args),
        Verb::Completions(args) => commands::completions::run(context, &args),
        Verb::Man(args) => commands::man::run(context, &args),
    }
}

/// Help and version are data; everything else is a mistake, for scripts as JSON too.
fn usage_error(error: &clap::Error) -> Exit {
    let text = error.render().to_string();
    let lines: Vec<String> = text.lines().map(|line| printable(line.as_bytes())).collect();
    // A word from outside may hold anything; where it does, colour is given up for safety.
    if lines.iter().map(String::as_str).eq(text.lines()) {
        let _ = error.print();
    } else {
        tell!("{}", lines.join("\n"));
    }
    if matches!(error.kind(), ClapKind::DisplayHelp | ClapKind::DisplayVersion) {
        return Exit::Ok;
    }
    if std::env::args_os().any(|word| word == "--json") {
        let message = lines.first().map_or("", |line| line.trim_start_matches("error: "));
        failure::print_json("usage", message, Some("`oma --help` lists all words"));
    }
    Exit::Usage
}
