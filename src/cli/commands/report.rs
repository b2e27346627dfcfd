//! `report`: the store as a page in a file, or on standard output.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use ohmyartifacts::{ReportOptions, printable_path};

use crate::cli::args::Report;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::render::human_size;
use crate::cli::report::html;
use crate::cli::{Exit, Outcome};

pub(in crate::cli) fn run(context: &Context, args: &Report) -> Outcome {
    let file = args.output.as_deref().filter(|path| *path != Path::new("-"));
    let asked_for_stdout = args.output.is_some() && file.is_none();
    if file.is_none() && !asked_for_stdout && !context.out.json && io::stdout().is_terminal() {
        return Err(Failure::usage("a page is nothing to read at a terminal")
            .hint("`oma report -o report.html` writes it to a file, `oma report -o -` prints it all the same"));
    }
    let report = context.look()?.report(&ReportOptions::new())?;
    if let Some(path) = file {
        let page = html(&report);
        let shown = printable_path(path);
        replace(path, page.as_bytes()).map_err(|error| Failure::io(&format!("could not write `{shown}`"), &error))?;
        context.say(&format!("the report is in `{shown}` ({})", human_size(page.len() as u64)));
    }
    if context.out.json {
        context.out.document(&report)?;
    } else if file.is_none() {
        context.out.bytes(html(&report).as_bytes())?;
    }
    Ok(Exit::Ok)
}

/// Puts a file in place whole: whoever reads it sees the old page or the new one. What is no regular file,
/// such as a pipe, is written to as it is.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    // The page is where a link leads.
    let target = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let found = std::fs::metadata(&target).ok();
    if found.as_ref().is_some_and(|found| found.is_dir()) {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if found.as_ref().is_some_and(|found| !found.is_file()) {
        return OpenOptions::new().write(true).open(&target)?.write_all(content);
    }
    let beside = beside(&target);
    let mut file = OpenOptions::new().write(true).create_new(true).open(&beside)?;
    let permissions = found.map(|found| found.permissions());
    let written = fill(&mut file, content, permissions).and_then(|()| rename(&beside, &target));
    if written.is_err() {
        #[expect(clippy::disallowed_methods, reason = "a file of the user's, not of the store")]
        let _ = std::fs::remove_file(&beside);
    }
    written
}

fn fill(file: &mut File, content: &[u8], permissions: Option<std::fs::Permissions>) -> io::Result<()> {
    file.write_all(content)?;
    if let Some(permissions) = permissions {
        file.set_permissions(permissions)?;
    }
    file.sync_all()
}

#[expect(clippy::disallowed_methods, reason = "a file of the user's, not of the store")]
fn rename(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::rename(from, to)
}

/// Names a file in the same directory that nobody else writes.
fn beside(path: &Path) -> PathBuf {
    path.with_file_name(format!(".oma-report-{}.tmp", std::process::id()))
}
