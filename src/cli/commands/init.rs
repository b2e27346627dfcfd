use ohmyartifacts::Cache;
use serde_json::json;

use crate::cli::args::Init;
use crate::cli::context::Context;
use crate::cli::failure::shown;
use crate::cli::{Exit, Outcome};

pub(in crate::cli) fn run(context: &Context, args: Init) -> Outcome {
    let options = context.options(args.dir).link_style(args.link_style).durability(args.durability);
    let cache = Cache::init(options)?;
    let stats = cache.stats()?;
    if context.out.json {
        let store = shown(cache.root());
        context
            .out
            .document(&json!({"store": store, "link_style": stats.link_style, "durability": stats.durability}))?;
    } else {
        context.out.line(&shown(cache.root()))?;
        context.say(&format!("made a store with {} links, durability {}", stats.link_style, stats.durability));
    }
    Ok(Exit::Ok)
}
