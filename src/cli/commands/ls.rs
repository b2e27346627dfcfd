use ohmyartifacts::{
    Binding, Column, Declared, Entry, Filter, FilterKind, Node, OwnerId, Timestamp, printable, printable_path,
};
use serde::Serialize;

use crate::cli::args::{ListArgs, Ls};
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::render::{Align, ListKey, Table, age, arrange, count, human_size, mode_text, read_filters, short_kind};
use crate::cli::{Exit, Outcome};

pub(in crate::cli) fn run(context: &Context, args: &Ls) -> Outcome {
    match &args.reference {
        None => bindings(context, args)?,
        Some(reference) => entries(context, args, reference)?,
    }
    Ok(Exit::Ok)
}

/// The words of filters, for `--sort`.
const SORTED_BY: [ListKey; 3] = [
    ListKey::new("used", "last_used_at", FilterKind::Time),
    ListKey::new("bound", "bound_at", FilterKind::Time),
    ListKey::new("by", "bound_by", FilterKind::Text),
];

const ENTRY_KEYS: [ListKey; 5] = [
    ListKey::new("path", "path", FilterKind::Text),
    ListKey::new("mode", "mode", FilterKind::Text),
    ListKey::new("kind", "kind", FilterKind::Word(&["file", "link", "directory"])),
    ListKey::new("size", "size", FilterKind::Size),
    ListKey::new("hash", "hash", FilterKind::Text),
];

/// A name: bound, or only declared.
#[derive(Serialize)]
#[serde(untagged)]
enum NameRow {
    Bound(Binding),
    Declared(Declared),
}

impl NameRow {
    fn key(&self) -> (&OwnerId, &str) {
        match self {
            Self::Bound(binding) => (&binding.owner, &binding.name),
            Self::Declared(declared) => (&declared.owner, &declared.name),
        }
    }

    fn bound(&self) -> Option<&Binding> {
        match self {
            Self::Bound(binding) => Some(binding),
            Self::Declared(_) => None,
        }
    }
}

fn bindings(context: &Context, args: &Ls) -> Result<(), Failure> {
    let cache = context.look()?;
    let filters = read_filters(&args.list.filters, Binding::filter_keys())?;
    let bindings = cache.all_bindings_where(context.owner(), &filters)?;
    let mut rows: Vec<NameRow> = bindings.into_iter().map(NameRow::Bound).collect();
    let declared = cache.declared(context.owner())?;
    let declared = declared.into_iter().filter(|declared| meets_all(declared, &filters, context.now()));
    rows.extend(declared.map(NameRow::Declared));
    rows.sort_by(|a, b| a.key().cmp(&b.key()));
    let list = ListArgs { filters: Vec::new(), ..args.list.clone() };
    let rows = arrange(rows, &list, &SORTED_BY, context.now())?;
    if context.writes_rows(&rows, &args.list)? {
        return Ok(());
    }
    if context.quiet {
        let bound = rows.iter().filter_map(NameRow::bound);
        return bound.into_iter().try_for_each(|binding| context.out.line(&binding.artifact.hash.to_string()));
    }
    if rows.is_empty() {
        context.say(if args.list.filters.is_empty() { "nothing is bound" } else { "no binding meets the conditions" });
        return Ok(());
    }
    context.out.bytes(name_table(context, &rows).render().as_bytes())?;
    let bound: Vec<&Binding> = rows.iter().filter_map(NameRow::bound).collect();
    let bytes = bound.iter().map(|binding| binding.artifact.size).sum();
    let declared = match rows.len() - bound.len() {
        0 => String::new(),
        number => format!("; {number} declared, `oma fetch` brings them"),
    };
    let bindings = count(bound.len() as u64, "binding");
    context.out.line(&format!("\n{bindings}, {} if nothing were shared{declared}", human_size(bytes)))
}

/// What is only declared has an owner and a name, and is going to be a directory.
fn meets_all(declared: &Declared, filters: &[Filter], now: Timestamp) -> bool {
    filters.iter().all(|filter| {
        let column = match filter.key() {
            "owner" => Column::Owner(declared.owner.key().into(), declared.owner.version().map(Into::into)),
            "version" => declared.owner.version().map_or(Column::Absent, |version| Column::Text(version.into())),
            "name" => Column::Text(declared.name.as_str().into()),
            "kind" => Column::Text("tree".into()),
            _ => Column::Absent,
        };
        filter.matches(&column, now)
    })
}

fn name_table(context: &Context, rows: &[NameRow]) -> Table {
    let mut table = Table::new(&[
        ("OWNER", Align::Left),
        ("NAME", Align::Left),
        ("HASH", Align::Left),
        ("KIND", Align::Left),
        ("SIZE", Align::Right),
        ("BOUND", Align::Right),
        ("USED", Align::Right),
    ]);
    let now = context.now();
    for row in rows {
        let (owner, name) = row.key();
        let mut cells = vec![printable(owner.to_string().as_bytes()), printable(name.as_bytes())];
        cells.extend(match row {
            NameRow::Bound(binding) => [
                binding.artifact.hash.short(),
                short_kind(binding.artifact.kind),
                human_size(binding.artifact.size),
                age(now, binding.bound_at),
                binding.last_used_at.map_or_else(|| "-".to_owned(), |used| age(now, used)),
            ],
            NameRow::Declared(declared) => {
                let platform = declared.declaration.platform.as_deref().map(|text| printable(text.as_bytes()));
                let kind = platform.map_or_else(|| "tree".to_owned(), |platform| format!("tree for {platform}"));
                ["declared".to_owned(), kind, "-".to_owned(), "-".to_owned(), "-".to_owned()]
            }
        });
        table.row(cells);
    }
    table
}

/// An entry of a tree, in JSON.
#[derive(Serialize)]
pub(super) struct EntryRow {
    path: String,
    mode: String,
    kind: &'static str,
    size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hash: Option<ohmyartifacts::Digest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<String>,
}

impl From<&Entry> for EntryRow {
    fn from(entry: &Entry) -> Self {
        let (kind, size, hash, target) = match &entry.node {
            Node::File { hash, size, .. } => ("file", Some(*size), Some(*hash), None),
            Node::Link { target } => ("link", None, None, Some(json_path(target))),
            Node::Directory => ("directory", None, None, None),
        };
        Self { path: json_path(&entry.path), mode: mode_text(entry.node.mode()), kind, size, hash, target }
    }
}

/// JSON holds any text, so only what is no text at all is escaped.
fn json_path(path: &std::path::Path) -> String {
    path.to_str().map_or_else(|| printable_path(path), str::to_owned)
}

fn entries(context: &Context, args: &Ls, reference: &str) -> Result<(), Failure> {
    let cache = context.look()?;
    let artifact = context.look_at(&cache, reference)?.artifact;
    let entries = cache.entries(&artifact)?;
    let rows = arrange(entries.iter().map(EntryRow::from).collect(), &args.list, &ENTRY_KEYS, context.now())?;
    if context.writes_rows(&rows, &args.list)? {
        return Ok(());
    }
    if context.quiet {
        return rows.iter().try_for_each(|row| context.out.line(&printable(row.path.as_bytes())));
    }
    if artifact.kind.is_file() {
        context.say(&format!("{} is a file of {}", artifact.hash.short(), human_size(artifact.size)));
        return Ok(());
    }
    let shown = rows.len();
    context.out.bytes(entry_table(&rows).render().as_bytes())?;
    let rest = if shown < entries.len() { format!(", {shown} shown") } else { String::new() };
    let entries = count(entries.len() as u64, "entry");
    context.out.line(&format!("\n{entries}, {}, {}{rest}", count(artifact.files, "file"), human_size(artifact.size)))
}

pub(super) fn entry_table(rows: &[EntryRow]) -> Table {
    let mut table =
        Table::new(&[("MODE", Align::Left), ("SIZE", Align::Right), ("HASH", Align::Left), ("PATH", Align::Left)]);
    for row in rows {
        let arrow = row.target.as_ref().map(|target| format!(" -> {}", printable(target.as_bytes())));
        table.row(vec![
            row.mode.clone(),
            row.size.map_or_else(|| "-".to_owned(), human_size),
            row.hash.map_or_else(|| "-".to_owned(), |hash| hash.short()),
            format!("{}{}", printable(row.path.as_bytes()), arrow.unwrap_or_default()),
        ]);
    }
    table
}
