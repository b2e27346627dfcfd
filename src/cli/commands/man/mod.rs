//! `oma man`: the manual, made of the help and of what holds for all verbs.

mod page;
mod text;

use std::fs::{DirBuilder, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::{Command, CommandFactory as _};
use serde_json::json;

use crate::cli::args::{Args, Man};
use crate::cli::context::Context;
use crate::cli::failure::{Failure, shown};
use crate::cli::{Exit, Outcome};

pub(in crate::cli) fn run(context: &Context, args: &Man) -> Outcome {
    // A page of `oma help` would say nothing.
    let mut oma = page::complete(Args::command().disable_help_subcommand(true));
    oma.build();
    match &args.dir {
        Some(dir) => write_all(context, &oma, dir)?,
        None => print(context, verb(&oma, &args.verb)?)?,
    }
    Ok(Exit::Ok)
}

/// Returns the verb that these words mean; `owner-add`, as its page is called, means `owner add`.
fn verb<'a>(oma: &'a Command, words: &[String]) -> Result<&'a Command, Failure> {
    let mut found = oma;
    for word in words.iter().flat_map(|word| whole_or_parts(oma, word)) {
        found = found.find_subcommand(word).ok_or_else(|| {
            let verb = ohmyartifacts::printable(words.join(" ").as_bytes());
            Failure::usage(&format!("there is no verb `{verb}`")).hint("`oma --help` lists all verbs")
        })?;
    }
    Ok(found)
}

fn whole_or_parts<'a>(oma: &Command, word: &'a str) -> Vec<&'a str> {
    if oma.find_subcommand(word).is_some() { vec![word] } else { word.split('-').collect() }
}

fn print(context: &Context, verb: &Command) -> Result<(), Failure> {
    let text = page::of(verb);
    if context.out.json {
        return context.out.document(&json!({"name": page::name_of(verb), "text": text}));
    }
    context.out.bytes(text.as_bytes())
}

fn write_all(context: &Context, oma: &Command, dir: &Path) -> Result<(), Failure> {
    let refused = |error| Failure::io(&format!("could not write the pages into `{}`", shown(dir)), &error);
    DirBuilder::new().recursive(true).create(dir).map_err(refused)?;
    let mut written: Vec<PathBuf> = Vec::new();
    let mut left = vec![oma];
    while let Some(verb) = left.pop() {
        let path = dir.join(page::name_of(verb));
        File::create(&path).and_then(|mut file| file.write_all(page::of(verb).as_bytes())).map_err(refused)?;
        written.push(path);
        left.extend(verb.get_subcommands());
    }
    written.sort();
    let written: Vec<String> = written.iter().map(|path| shown(path)).collect();
    if context.out.json {
        return context.out.document(&written);
    }
    written.iter().try_for_each(|path| context.out.line(path))
}
