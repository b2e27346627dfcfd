//! `find`: which artifacts hold a file of this name.

use ohmyartifacts::{FileHit, FilterKind, printable};

use crate::cli::args::Find;
use crate::cli::context::Context;
use crate::cli::render::{Align, ListKey, Table, arrange, count, first_name, human_size};
use crate::cli::{Exit, Outcome};

const KEYS: [ListKey; 6] = [
    ListKey::new("artifact", "artifact", FilterKind::Text),
    ListKey::new("name", "names", FilterKind::Text),
    ListKey::new("path", "path", FilterKind::Text),
    ListKey::new("kind", "kind", FilterKind::Word(&["file", "link"])),
    ListKey::new("size", "size", FilterKind::Size),
    ListKey::new("hash", "hash", FilterKind::Text),
];

pub(in crate::cli) fn run(context: &Context, args: &Find) -> Outcome {
    let pattern = args.pattern.parse()?;
    let found = context.look()?.find_files(&pattern, context.owner())?;
    let hits = arrange(found, &args.list, &KEYS, context.now())?;
    let exit = if hits.is_empty() { Exit::NotFound } else { Exit::Ok };
    if context.writes_rows(&hits, &args.list)? {
        return Ok(exit);
    }
    if hits.is_empty() {
        context.say(&format!("no file is called `{}`", printable(args.pattern.as_bytes())));
    } else if context.quiet {
        artifacts(&hits).iter().try_for_each(|hash| context.out.line(hash))?;
    } else {
        context.out.bytes(table(&hits).render().as_bytes())?;
        let files = count(hits.len() as u64, "file");
        let artifacts = count(artifacts(&hits).len() as u64, "artifact");
        context.out.line(&format!("\n{files} in {artifacts}"))?;
    }
    Ok(exit)
}

/// Each artifact once, in the order of the list.
fn artifacts(hits: &[FileHit]) -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    hits.iter().filter(|hit| seen.insert(hit.artifact)).map(|hit| hit.artifact.to_string()).collect()
}

fn table(hits: &[FileHit]) -> Table {
    let mut table = Table::new(&[
        ("ARTIFACT", Align::Left),
        ("SIZE", Align::Right),
        ("FILE", Align::Left),
        ("PATH", Align::Left),
        ("NAMES", Align::Left),
    ]);
    for hit in hits {
        let arrow = hit.target.as_ref().map(|target| format!(" -> {target}")).unwrap_or_default();
        let path = hit.path.as_ref().map_or_else(|| "-".to_owned(), |path| format!("{path}{arrow}"));
        table.row(vec![
            hit.artifact.short(),
            hit.size.map_or_else(|| "-".to_owned(), human_size),
            hit.hash.map_or_else(|| hit.kind.to_owned(), |hash| hash.short()),
            printable(path.as_bytes()),
            first_name(&hit.names),
        ]);
    }
    table
}
