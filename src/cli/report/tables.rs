//! The numbers behind the pictures, as tables that say it all without colour.

use std::cmp::Reverse;
use std::collections::HashMap;

use ohmyartifacts::{AgeBand, GcYield, Report, ReportArtifact, Timestamp};

use super::markup::Element;
use super::select::{by_size, hue, name_of};
use crate::cli::render::{age, count, human_size, short_kind};

/// Rows of the longest tables.
const MOST_OWNERS: usize = 200;
const MOST_ARTIFACTS: usize = 50;
/// Names in a table are cut at so many bytes.
const LONGEST: usize = 64;

/// Puts a table where it may be wider than the screen, so that the page is not.
fn table(label: &str, class: &str, header: Element, rows: Vec<Element>) -> Element {
    let body = Element::new("tbody").children(rows);
    let table = Element::new("table").class(class).with("aria-label", label).child(header).child(body);
    let scroll = Element::new("div").class("scroll").with("tabindex", 0).with("role", "region");
    scroll.with("aria-label", label).child(table)
}

/// Heads of columns; a `>` before one leans it to the right.
fn header(columns: &[&str]) -> Element {
    let cells = columns.iter().map(|column| match column.strip_prefix('>') {
        Some(column) => head("col", column).class("n"),
        None => head("col", column),
    });
    Element::new("thead").child(Element::new("tr").children(cells))
}

fn head(scope: &str, text: &str) -> Element {
    Element::new("th").with("scope", scope).text(text)
}

fn number(text: &str) -> Element {
    Element::new("td").class("n").text(text)
}

fn size(bytes: u64) -> Element {
    number(&human_size(bytes))
}

fn text(text: &str) -> Element {
    Element::new("td").text(text)
}

/// A line whose length is a part of the largest one's.
fn bar(bytes: u64, largest: u64, class: &str) -> Element {
    #[expect(clippy::cast_precision_loss, reason = "a tenth of a percent is fine enough")]
    let percent = if largest == 0 { 0.0 } else { bytes as f64 * 100.0 / largest as f64 };
    let line = Element::new("div").class(&format!("bar {class}")).with("style", format_args!("width:{percent:.1}%"));
    Element::new("td").class("track").with("aria-hidden", "true").child(line)
}

fn more(number: usize, what: &str) -> Option<Element> {
    (number > 0).then(|| {
        let sentence = format!("And {} more.", count(number as u64, what));
        Element::new("p").class("more").text(&sentence)
    })
}

pub(super) fn owners(report: &Report) -> Vec<Element> {
    let owners = by_size(report);
    let rows = owners.iter().enumerate().take(MOST_OWNERS).map(|(place, owner)| {
        let usage = &owner.usage;
        let swatch = Element::new("i").class(&format!("swatch a0 {}", hue(place))).with("aria-hidden", "true");
        let name = Element::new("span").name(&name_of(owner), LONGEST);
        let used = owner.last_used_at.map_or_else(|| "never".to_owned(), |time| age(report.at, time));
        Element::new("tr")
            .child(Element::new("th").with("scope", "row").child(swatch).child(name))
            .child(size(usage.fair_bytes))
            .child(size(usage.total_bytes))
            .child(size(usage.exclusive_bytes))
            .child(size(usage.shared_bytes))
            .child(number(&usage.bindings.to_string()))
            .child(number(&usage.files.to_string()))
            .child(number(&used))
    });
    let columns = ["Owner", ">Fair share", ">Total", ">Exclusive", ">Shared", ">Names", ">Files", ">Last used"];
    let table = table("Owners", "", header(&columns), rows.collect());
    [table].into_iter().chain(more(owners.len().saturating_sub(MOST_OWNERS), "owner")).collect()
}

/// Bytes that pairs of owners share; the columns have numbers, for names are long.
pub(super) fn sharing(report: &Report) -> Element {
    let sharing = &report.sharing;
    let off = |row: usize, column: usize| row != column;
    let cells = sharing.bytes.iter().enumerate().flat_map(|(row, bytes)| {
        bytes.iter().enumerate().filter(move |(column, _)| off(row, *column)).map(|(_, bytes)| *bytes)
    });
    let largest = cells.max().unwrap_or(0);
    let numbers = (1..=sharing.owners.len()).map(|number| head("col", &number.to_string()).class("n"));
    let header = Element::new("thead").child(Element::new("tr").child(head("col", "Owner")).children(numbers));
    let rows = sharing.bytes.iter().zip(&sharing.owners).enumerate().map(|(row, (bytes, owner))| {
        let number = Element::new("b").text(&format!("{} ", row + 1));
        let name = Element::new("th").with("scope", "row").child(number);
        let cells = bytes.iter().enumerate().map(|(column, bytes)| match (off(row, column), *bytes) {
            (false, bytes) => size(bytes).class("self"),
            (true, 0) => number_class("–", "none"),
            (true, bytes) => number_class(&human_size(bytes), &format!("heat{}", step(bytes, largest))),
        });
        Element::new("tr").child(name.child(Element::new("span").name(owner, 40))).children(cells)
    });
    table("Bytes that two owners both need", "matrix", header, rows.collect())
}

fn number_class(text: &str, class: &str) -> Element {
    Element::new("td").class(&format!("n {class}")).text(text)
}

/// How warm a cell is, from 0 to 4.
fn step(bytes: u64, largest: u64) -> u64 {
    (u128::from(bytes) * 5 / u128::from(largest.max(1))).min(4) as u64
}

pub(super) fn ages(report: &Report) -> Element {
    let largest = report.ages.iter().map(|age| age.fair_bytes).chain([report.orphan_bytes]).max().unwrap_or(0);
    let row = |name: &str, artifacts: u64, bytes: u64, class: &str| {
        let row = Element::new("tr").child(head("row", name)).child(number(&artifacts.to_string()));
        row.child(size(bytes)).child(bar(bytes, largest, class))
    };
    let bands = report
        .ages
        .iter()
        .enumerate()
        .map(|(place, age)| row(AgeBand::as_str(age.age), age.artifacts, age.fair_bytes, &format!("o0 a{place}")));
    let unowned = row("no owner", report.unowned.len() as u64, report.orphan_bytes, "nobody a2");
    let rows = bands.chain([unowned]).collect();
    table("Bytes by last use", "bars", header(&["Last used ago", ">Artifacts", ">Size", ""]), rows)
}

pub(super) fn forecast(report: &Report) -> Element {
    let weight = |run: &GcYield| run.freed_bytes + run.trashed_bytes;
    let runs = report.forecasts.iter().flat_map(|forecast| [&forecast.by_then, &forecast.if_unused]);
    let largest = runs.chain([&report.gc]).map(weight).max().unwrap_or(0);
    let cells = |run: &GcYield, class| [size(weight(run)), bar(weight(run), largest, class)];
    let nothing = || [number_class("–", "none"), text("")];
    let now = Element::new("tr").child(head("row", "now")).children(cells(&report.gc, "o0 a0")).children(nothing());
    let rows = report.forecasts.iter().map(|forecast| {
        let row = Element::new("tr").child(head("row", &count(forecast.days.into(), "day")));
        row.children(cells(&forecast.by_then, "o0 a0")).children(cells(&forecast.if_unused, "o2 a0"))
    });
    let rows = [now].into_iter().chain(rows).collect();
    table("What gc would free", "bars", header(&["Days", ">By then", "", ">If unused so long", ""]), rows)
}

/// An artifact, whoever has it.
struct Whole<'a> {
    artifact: &'a ReportArtifact,
    names: Vec<String>,
    owners: usize,
    used_at: Timestamp,
}

/// Returns every artifact once, the largest first.
fn wholes(report: &Report) -> Vec<Whole<'_>> {
    let mut place_of = HashMap::new();
    let mut wholes: Vec<Whole<'_>> = Vec::new();
    for owner in &report.owners {
        for artifact in &owner.holds {
            let place = *place_of.entry((artifact.hash, artifact.kind)).or_insert_with(|| {
                wholes.push(Whole { artifact, names: Vec::new(), owners: 0, used_at: artifact.last_used_at });
                wholes.len() - 1
            });
            let whole = &mut wholes[place];
            whole.owners += 1;
            whole.used_at = whole.used_at.max(artifact.last_used_at);
            whole.names.extend(artifact.names.iter().map(|name| format!("{}:{name}", name_of(owner))));
        }
    }
    wholes.extend(report.unowned.iter().map(|artifact| {
        let names = artifact.names.clone();
        Whole { artifact, names, owners: 0, used_at: artifact.last_used_at }
    }));
    wholes.sort_by_key(|whole| (Reverse(whole.artifact.size), whole.artifact.hash));
    wholes
}

pub(super) fn artifacts(report: &Report) -> Vec<Element> {
    let wholes = wholes(report);
    let rows = wholes.iter().take(MOST_ARTIFACTS).map(|whole| {
        let artifact = whole.artifact;
        let name = whole.names.first().cloned().unwrap_or_else(|| "–".to_owned());
        let rest = whole.names.len().saturating_sub(1);
        let rest = if rest > 0 { format!(" and {rest} more") } else { String::new() };
        let hash = Element::new("code").with("title", artifact.hash).text(&artifact.hash.short());
        Element::new("tr")
            .child(Element::new("th").with("scope", "row").child(Element::new("span").name(&name, LONGEST)).text(&rest))
            .child(size(artifact.size))
            .child(text(&short_kind(artifact.kind)))
            .child(number(&artifact.files.to_string()))
            .child(number(&whole.owners.to_string()))
            .child(number(&age(report.at, whole.used_at)))
            .child(text(if artifact.collectable { "goes" } else { "stays" }))
            .child(Element::new("td").child(hash))
    });
    let columns = ["Name", ">Size", "Kind", ">Files", ">Owners", ">Last used", "gc now", "Hash"];
    let table = table("The largest artifacts", "", header(&columns), rows.collect());
    [table].into_iter().chain(more(wholes.len().saturating_sub(MOST_ARTIFACTS), "artifact")).collect()
}
