use ohmyartifacts::{View, printable};

use crate::cli::args::Schema;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::{Exit, Outcome};

/// Comments are broken into lines of so many letters.
const WIDTH: usize = 100;

pub(in crate::cli) fn run(context: &Context, args: &Schema) -> Outcome {
    let mut views = context.look()?.schema()?;
    if let Some(wanted) = &args.view {
        views.retain(|view| view.name.eq_ignore_ascii_case(wanted));
        if views.is_empty() {
            let message = format!("there is no view `{}`", printable(wanted.as_bytes()));
            return Err(Failure::not_found(&message).hint("`oma schema -q` lists their names"));
        }
    }
    if context.out.json {
        context.out.document(&views)?;
    } else if context.quiet {
        views.iter().try_for_each(|view| context.out.line(&view.name))?;
    } else {
        let described: Vec<String> = views.iter().map(described).collect();
        context.out.bytes(described.join("\n").as_bytes())?;
    }
    Ok(Exit::Ok)
}

/// The name, what a row is, and below it the columns with what they hold.
fn described(view: &View) -> String {
    let names = view.columns.iter().map(|column| column.name.len()).max().unwrap_or(0);
    let mut text = vec![view.name.clone()];
    text.extend(lines(&view.comment, WIDTH - 2).into_iter().map(|line| format!("  {line}")));
    for column in &view.columns {
        let name = std::iter::once(column.name.as_str()).chain(std::iter::repeat(""));
        let comment = lines(&column.comment, WIDTH - names - 6);
        text.extend(name.zip(comment).map(|(name, line)| format!("    {name:<names$}  {line}")));
    }
    text.push(String::new());
    text.join("\n")
}

/// Breaks a text between words.
fn lines(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.last_mut().filter(|last| last.is_empty() || last.len() + 1 + word.len() <= width);
        match last {
            Some(last) if last.is_empty() => last.push_str(word),
            Some(last) => {
                last.push(' ');
                last.push_str(word);
            }
            None => lines.push(word.to_owned()),
        }
    }
    lines
}
