//! `gc -i`: a list over the plan, from which a person takes out what is to stay.

use ohmyartifacts::{Cache, GcPlan, printable};

use crate::cli::context::{Context, answered};
use crate::cli::failure::Failure;
use crate::cli::render::{Align, Table, count, exact_size, human_size, short_kind};

const HELP: &str = "numbers of what is to stay, such as `1 3-5`, or `all`; nothing: go on; `q`: stop";

/// Asks until nothing more is to stay. What stays is taken out of the plan, and the rest is weighed anew.
pub(super) fn choose(context: &Context, cache: &Cache, plan: GcPlan) -> Result<GcPlan, Failure> {
    let mut plan = plan;
    let mut say_help = true;
    while !plan.artifacts.is_empty() {
        context.progress.say(&list(&plan));
        if say_help {
            context.progress.say(HELP);
        }
        say_help = false;
        let answer = answered("keep")?;
        match parse(&answer, plan.artifacts.len()) {
            Ok(Choice::Done) => break,
            Ok(Choice::Stop) => return Err(Failure::stopped("nothing was deleted")),
            Ok(Choice::Keep(numbers)) => {
                let kept: Vec<_> = numbers.iter().map(|number| plan.artifacts[*number].clone()).collect();
                plan = cache.gc_keep(&plan, |item| kept.contains(item))?;
            }
            Err(what) => context.progress.say(&format!("`{}`: {HELP}", printable(what.as_bytes()))),
        }
    }
    Ok(plan)
}

fn list(plan: &GcPlan) -> String {
    let mut table = Table::new(&[
        ("#", Align::Right),
        ("HASH", Align::Left),
        ("KIND", Align::Left),
        ("SIZE", Align::Right),
        ("FREES", Align::Right),
        ("REASON", Align::Left),
        ("NAMES", Align::Left),
    ]);
    for (number, item) in plan.artifacts.iter().enumerate() {
        table.row(vec![
            (number + 1).to_string(),
            item.hash.short(),
            short_kind(item.kind),
            human_size(item.size),
            human_size(item.freed_bytes),
            item.reason.to_owned(),
            super::render::names(&item.names),
        ]);
    }
    let bytes = plan.freed_bytes + plan.trashed_bytes;
    format!("{}\n{} would go ({})", table.render(), count(plan.deleted_artifacts, "artifact"), exact_size(bytes))
}

#[derive(Debug, PartialEq, Eq)]
enum Choice {
    Done,
    Stop,
    /// Places in the list, from 0.
    Keep(Vec<usize>),
}

/// Reads an answer; gives back the part that is not understood.
fn parse(answer: &str, length: usize) -> Result<Choice, String> {
    match answer.trim() {
        "" => return Ok(Choice::Done),
        "q" | "quit" => return Ok(Choice::Stop),
        "all" => return Ok(Choice::Keep((0..length).collect())),
        _ => {}
    }
    let mut kept = Vec::new();
    for word in answer.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty()) {
        let (first, last) = word.split_once('-').unwrap_or((word, word));
        let number = |text: &str| text.parse::<usize>().ok().filter(|number| (1..=length).contains(number));
        match (number(first), number(last)) {
            (Some(first), Some(last)) if first <= last => kept.extend(first - 1..last),
            _ => return Err(word.to_owned()),
        }
    }
    Ok(Choice::Keep(kept))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_numbers_and_ranges() {
        assert_eq!(parse("1 3-4", 5), Ok(Choice::Keep(vec![0, 2, 3])));
        assert_eq!(parse(" 2,5 ", 5), Ok(Choice::Keep(vec![1, 4])));
        assert_eq!(parse("all", 2), Ok(Choice::Keep(vec![0, 1])));
        assert_eq!(parse("\n", 5), Ok(Choice::Done));
        assert_eq!(parse("q\n", 5), Ok(Choice::Stop));
        for (bad, part) in [("6", "6"), ("0", "0"), ("3-1", "3-1"), ("1 x", "x"), ("1-", "1-"), ("-1", "-1")] {
            assert_eq!(parse(bad, 5), Err(part.to_owned()));
        }
    }
}
