use ohmyartifacts::{
    Artifact, Error, ErrorKind, FilterKind, History, HistoryArtifact, HistoryEvent, HistoryQuery, HistorySource,
    HistoryState, Reference, printable,
};

use crate::cli::args::{self, ListArgs};
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::render::{
    Align, KINDS, ListKey, Table, age, arrange, count, day_and_time, facts, human_size, short_kind, short_name,
};
use crate::cli::{Exit, Outcome};

const KEYS: [ListKey; 9] = [
    ListKey::new("at", "at", FilterKind::Time),
    ListKey::new("event", "event", FilterKind::Text),
    ListKey::new("owner", "owner", FilterKind::Owner),
    ListKey::new("name", "name", FilterKind::Text),
    ListKey::new("hash", "hash", FilterKind::Text),
    ListKey::new("kind", "kind", KINDS),
    ListKey::new("run", "run", FilterKind::Count),
    ListKey::new("reason", "reason", FilterKind::Text),
    ListKey::new("freed", "freed_bytes", FilterKind::Size),
];

/// So many events are told when nobody says of what, or how many.
const LATEST: usize = 50;

pub(in crate::cli) fn run(context: &Context, args: &args::History) -> Outcome {
    let cache = context.look()?;
    let history = cache.history(&query(context, args)).map_err(unknown)?;
    let list = ListArgs { filters: args.filters.clone(), sort: args.sort.clone(), limit: None, format: args.format };
    let mut events = arrange(history.events.clone(), &list, &KEYS, context.now())?;
    if !args.filters.is_empty() {
        let newest = args.limit.unwrap_or(usize::MAX);
        events.drain(..events.len().saturating_sub(newest));
    }
    if context.writes_rows(&events, &list)? {
        return Ok(Exit::Ok);
    }
    if context.quiet {
        ids(&events).try_for_each(|hash| context.out.line(&hash))?;
    } else {
        show(context, &history, &events, args.sort.is_none())?;
    }
    Ok(Exit::Ok)
}

/// What is bound now says nothing of what is gone.
fn unknown(error: Error) -> Failure {
    let not_found = error.kind() == ErrorKind::NotFound;
    let failure = Failure::from(error);
    if not_found { failure.hint("`oma history` tells what happened last, whatever it was") } else { failure }
}

fn query<'a>(context: &'a Context, args: &'a args::History) -> HistoryQuery<'a> {
    let query = HistoryQuery::new();
    let (query, limit) = match &args.reference {
        Some(reference) => (query.about(Reference::new(reference, context.owner())), args.limit),
        None if !args.filters.is_empty() => (query, None),
        None => (query, Some(args.limit.unwrap_or(LATEST))),
    };
    // What conditions leave out must not count.
    let limit = limit.filter(|_| args.filters.is_empty());
    limit.map_or(query, |limit| query.limit(limit))
}

/// Each hash once, in the order of its first event.
fn ids(events: &[HistoryEvent]) -> impl Iterator<Item = String> {
    let mut seen = std::collections::HashSet::new();
    events.iter().filter(move |event| seen.insert(event.hash)).map(|event| event.hash.to_string())
}

fn show(context: &Context, history: &History, events: &[HistoryEvent], in_order: bool) -> Result<(), Failure> {
    if let Some(artifact) = &history.artifact {
        for (name, value) in head(context, artifact) {
            context.out.line(&format!("{name:<9} {value}"))?;
        }
        context.out.line("")?;
    }
    if events.is_empty() {
        context.say("nothing has happened");
        return Ok(());
    }
    context.out.bytes(table(events).render().as_bytes())?;
    context.out.line(&format!("\n{}", summary(history, events.len(), in_order)))
}

fn summary(history: &History, told: usize, in_order: bool) -> String {
    let several = told > 1;
    let told = count(told as u64, "event");
    let left_out = match history.left_out {
        Some(number) if number > 0 => format!("; {} before that", count(number as u64, "event")),
        _ => String::new(),
    };
    let order = if in_order && several { ", the newest last" } else { "" };
    format!("{told}{order}{left_out}")
}

/// What it was, where it is now, and how to get it back.
fn head(context: &Context, artifact: &HistoryArtifact) -> Vec<(&'static str, String)> {
    let mut rows = vec![("hash", artifact.hash.to_string()), ("content", content(artifact))];
    rows.push(("state", state(context, &artifact.state)));
    if let HistoryState::Collected { run, kept_until: Some(until), .. } = artifact.state {
        rows.push(("get back", format!("`oma gc undo {run}`, possible until {}", day_and_time(until))));
    }
    // Locations are stored printable.
    rows.extend(artifact.sources.iter().map(|source| ("source", source_text(source))));
    rows
}

fn content(artifact: &HistoryArtifact) -> String {
    let HistoryArtifact { hash, kind, size, files, .. } = *artifact;
    match (size, files) {
        (Some(size), Some(files)) => facts(&Artifact { hash, kind, size, files }),
        (Some(size), None) => format!("{}, {}", kind.as_str(), human_size(size)),
        _ => kind.as_str().to_owned(),
    }
}

fn state(context: &Context, state: &HistoryState) -> String {
    let now = context.now();
    match state {
        HistoryState::Live => "live".to_owned(),
        HistoryState::Unused(since) => format!("unused since {}", age(now, *since)),
        HistoryState::Collected { run, at, reason, rule, .. } => {
            let why = printable(rule.as_ref().unwrap_or(reason).as_bytes());
            format!("collected {} by gc run {run}: {why}", age(now, *at))
        }
        HistoryState::Absent => "not here".to_owned(),
    }
}

fn source_text(source: &HistorySource) -> String {
    format!("{} {}", printable(source.kind.as_bytes()), safe(&source.location))
}

/// What is stored printable is not escaped twice.
fn safe(location: &str) -> String {
    let escaped = printable(location.as_bytes());
    if escaped.replace("\\\\", "\\") == location { location.to_owned() } else { escaped }
}

fn table(events: &[HistoryEvent]) -> Table {
    let mut table = Table::new(&[
        ("WHEN (UTC)", Align::Left),
        ("EVENT", Align::Left),
        ("HASH", Align::Left),
        ("KIND", Align::Left),
        ("NAME", Align::Left),
        ("WHY", Align::Left),
    ]);
    for event in events {
        table.row(vec![
            day_and_time(event.at),
            printable(event.event.as_bytes()),
            event.hash.short(),
            short_kind(event.kind),
            name(event),
            why(event),
        ]);
    }
    table
}

fn name(event: &HistoryEvent) -> String {
    let (Some(owner), Some(name)) = (&event.owner, &event.name) else { return "-".to_owned() };
    let version = event.version.as_ref().map(|version| format!("@{version}")).unwrap_or_default();
    short_name(&format!("{owner}{version}:{name}"))
}

fn why(event: &HistoryEvent) -> String {
    let mut parts = Vec::new();
    parts.extend(event.rule.as_ref().or(event.reason.as_ref()).map(|text| printable(text.as_bytes())));
    parts.extend(event.detail.as_ref().map(|text| detail(event, text)));
    parts.extend(event.run.map(|run| format!("run {run}")));
    parts.extend(event.freed_bytes.map(|bytes| format!("{} freed", human_size(bytes))));
    if event.event == "add" {
        parts.extend(event.sources.iter().flatten().map(source_text));
    }
    if parts.is_empty() { "-".to_owned() } else { parts.join(", ") }
}

fn detail(event: &HistoryEvent, text: &str) -> String {
    let word = match event.event.as_str() {
        "bind" => "by ",
        "delegate" | "rename" => "to ",
        _ => "",
    };
    format!("{word}{}", printable(text.as_bytes()))
}
