use ohmyartifacts::{Cache, ConfigFile, Origin, Setting, printable};
use serde_json::json;

use crate::cli::args::{Config, ConfigSet, ConfigUnset};
use crate::cli::context::Context;
use crate::cli::failure::{Failure, shown};
use crate::cli::render::{Align, Table, count};
use crate::cli::{Exit, Outcome};

/// The one key that holds a list.
const RULES: &str = "gc.rules";

pub(in crate::cli) fn run(context: &Context, args: Config) -> Outcome {
    match args {
        Config::List => list(context)?,
        Config::Get(args) => get(context, &args.key)?,
        Config::Set(args) => set(context, &args)?,
        Config::Unset(args) => unset(context, &args)?,
    }
    Ok(Exit::Ok)
}

fn list(context: &Context) -> Result<(), Failure> {
    let settings = context.look()?.config()?.settings();
    if context.out.json {
        return context.out.document(&settings);
    }
    if context.quiet {
        return settings.iter().try_for_each(|setting| context.out.line(&setting.key));
    }
    let mut table = Table::new(&[("KEY", Align::Left), ("VALUE", Align::Left), ("ORIGIN", Align::Left)]);
    for setting in &settings {
        table.row(vec![setting.key.clone(), printable(setting.value.as_bytes()), origin(setting)]);
    }
    context.out.bytes(table.render().as_bytes())?;
    let set = settings.iter().filter(|setting| setting.origin != Origin::Default).count();
    context.out.line(&format!("\n{}, {set} of them set in a file", count(settings.len() as u64, "value")))
}

fn origin(setting: &Setting) -> String {
    match &setting.file {
        Some(file) => format!("{}: {}", setting.origin, shown(file)),
        None => setting.origin.to_string(),
    }
}

fn get(context: &Context, key: &str) -> Result<(), Failure> {
    let found = context.look()?.config()?.get(key)?;
    match (context.out.json, found.as_slice()) {
        (true, [one]) if key != RULES => context.out.document(one),
        (true, all) => context.out.document(&all),
        (false, all) => all.iter().try_for_each(|setting| context.out.line(&printable(setting.value.as_bytes()))),
    }
}

fn set(context: &Context, args: &ConfigSet) -> Result<(), Failure> {
    let (file, values) = (file(args.user), args.values.iter().map(String::as_str).collect::<Vec<_>>());
    // What is wrong must not make a store, and neither must the user's file.
    ohmyartifacts::Config::check(&args.key, &values)?;
    let cache = if args.user { context.look()? } else { context.open()? };
    cache.set_config(file, &args.key, &values)?;
    let path = path(&cache, file);
    if context.out.json {
        return context.out.document(&json!({"key": args.key, "values": values, "file": path}));
    }
    let values: Vec<String> = values.iter().map(|value| printable(value.as_bytes())).collect();
    context.say(&format!("{} is {} in {path}", args.key, values.join(", ")));
    say_what_counts(context, &cache, &args.key, file)
}

/// The store's file counts before the user's.
fn say_what_counts(context: &Context, cache: &Cache, key: &str, file: ConfigFile) -> Result<(), Failure> {
    let counts = cache.config()?.get(key)?;
    let other = counts.first().filter(|setting| key != RULES && setting.origin != file.into());
    if let Some(other) = other {
        let value = printable(other.value.as_bytes());
        context.say(&format!("here {value} counts, by the {}", origin(other)));
    }
    Ok(())
}

fn unset(context: &Context, args: &ConfigUnset) -> Result<(), Failure> {
    let file = file(args.user);
    let cache = context.look()?;
    let was_set = cache.unset_config(file, &args.key)?;
    let path = path(&cache, file);
    if context.out.json {
        return context.out.document(&json!({"key": args.key, "was_set": was_set, "file": path}));
    }
    let what = if was_set { "is no longer set in" } else { "was not set in" };
    context.say(&format!("{} {what} {path}", args.key));
    Ok(())
}

fn file(user: bool) -> ConfigFile {
    if user { ConfigFile::User } else { ConfigFile::Store }
}

fn path(cache: &Cache, file: ConfigFile) -> String {
    cache.config_path(file).map_or_else(|| "no file".to_owned(), |path| shown(&path))
}
