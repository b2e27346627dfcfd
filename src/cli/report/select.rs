//! Chooses what the picture shows of a store: areas of owners, cells of artifacts, and what is merged.

use std::cmp::Reverse;

use ohmyartifacts::{AgeBand, OwnerId, Report, ReportArtifact, ReportOwner, Timestamp};

use crate::cli::render::{age, count, human_size};

/// Owners beyond these, the largest, are one area.
const MOST_AREAS: usize = 400;

/// Stands for an owner where there is none.
const NOBODY: &str = "no owner";

/// How many owners have a colour of their own before colours come again.
pub(super) const HUES: usize = 12;

/// What belongs together in the picture: one owner, several small ones, or what nobody has.
pub(super) struct Area {
    pub(super) label: String,
    /// How it is coloured.
    pub(super) class: String,
    pub(super) bytes: u64,
    /// The largest first.
    pub(super) cells: Vec<Cell>,
}

/// One artifact, or several small ones.
pub(super) struct Cell {
    pub(super) label: String,
    /// What a pointer over it tells.
    pub(super) title: String,
    pub(super) bytes: u64,
    /// How old, as a place among the bands.
    pub(super) band: usize,
    pub(super) collectable: bool,
}

/// Returns the owners that hold something, the one with the largest part first.
pub(super) fn by_size(report: &Report) -> Vec<&ReportOwner> {
    let mut owners: Vec<&ReportOwner> = report.owners.iter().collect();
    owners.sort_by_key(|owner| Reverse(owner.usage.fair_bytes));
    owners
}

/// Returns the key of an owner with its version.
pub(super) fn name_of(owner: &ReportOwner) -> String {
    let (key, version) = (&owner.usage.owner, owner.usage.version.as_deref());
    OwnerId::new(key, version).map_or_else(|_| key.clone(), |owner| owner.to_string())
}

/// Returns the colour of the owner in this place, by size.
pub(super) fn hue(place: usize) -> String {
    format!("o{}", place % HUES)
}

/// Returns the band of something last used at a time.
pub(super) fn band(now: Timestamp, used: Timestamp) -> usize {
    let band = AgeBand::of(now.since(used));
    AgeBand::ALL.iter().position(|known| *known == band).unwrap_or_default()
}

/// Returns the areas, largest first; what takes fewer bytes than `least`, or is beyond the `most` largest
/// cells, is merged.
pub(super) fn areas(report: &Report, most: usize, least: u64) -> Vec<Area> {
    let least = least.max(1).max(smallest_of(report, most));
    let mut areas = Vec::new();
    let mut small: Vec<&ReportOwner> = Vec::new();
    for (place, owner) in by_size(report).into_iter().enumerate() {
        if owner.usage.fair_bytes >= least && place < MOST_AREAS.min(most) {
            let cells = cells(report, &owner.holds, least, &name_of(owner));
            areas.push(Area { label: name_of(owner), class: hue(place), bytes: owner.usage.fair_bytes, cells });
        } else if owner.usage.fair_bytes > 0 {
            small.push(owner);
        }
    }
    if let Some(area) = others(report, &small) {
        areas.push(area);
    }
    if report.orphan_bytes > 0 {
        areas.push(unowned(report, least));
    }
    areas.sort_by_key(|area| Reverse(area.bytes));
    areas
}

/// Returns what the smallest of so many of the largest cells takes.
fn smallest_of(report: &Report, most: usize) -> u64 {
    let held = report.owners.iter().flat_map(|owner| &owner.holds).chain(&report.unowned);
    let mut bytes: Vec<u64> = held.map(|artifact| artifact.fair_bytes).collect();
    bytes.sort_unstable_by_key(|bytes| Reverse(*bytes));
    // The next one, and all like it, are beyond.
    bytes.get(most).map_or(0, |bytes| bytes + 1)
}

fn unowned(report: &Report, least: u64) -> Area {
    let mut cells = cells(report, &report.unowned, least, NOBODY);
    if report.unowned_other_bytes > 0 {
        let title = format!("{NOBODY}\nwhat only the trash needs\n{}", human_size(report.unowned_other_bytes));
        let label = "what only the trash needs".to_owned();
        cells.push(Cell { label, title, bytes: report.unowned_other_bytes, band: 0, collectable: false });
        cells.sort_by_key(|cell| Reverse(cell.bytes));
    }
    Area { label: NOBODY.to_owned(), class: "nobody".to_owned(), bytes: report.orphan_bytes, cells }
}

fn others(report: &Report, small: &[&ReportOwner]) -> Option<Area> {
    let held: Vec<&ReportArtifact> = small.iter().flat_map(|owner| &owner.holds).collect();
    let label = format!("{} more", count(small.len() as u64, "owner"));
    let what = count(held.len() as u64, "artifact");
    let cell = merged(report, &held, &what, &label)?;
    Some(Area { label, class: "others".to_owned(), bytes: cell.bytes, cells: vec![cell] })
}

/// Returns a cell for each artifact, and one for all those that take fewer bytes than `least`.
fn cells(report: &Report, held: &[ReportArtifact], least: u64, owner: &str) -> Vec<Cell> {
    let (large, small): (Vec<&ReportArtifact>, Vec<_>) =
        held.iter().filter(|artifact| artifact.fair_bytes > 0).partition(|artifact| artifact.fair_bytes >= least);
    let mut cells: Vec<Cell> = large.into_iter().map(|artifact| cell(report, artifact, owner)).collect();
    let label = format!("and {} more", small.len());
    cells.extend(merged(report, &small, &label, owner));
    cells.sort_by_key(|cell| Reverse(cell.bytes));
    cells
}

fn cell(report: &Report, artifact: &ReportArtifact, owner: &str) -> Cell {
    let names = if artifact.names.is_empty() { artifact.hash.short() } else { artifact.names.join(", ") };
    let used = age(report.at, artifact.last_used_at);
    Cell {
        title: title(owner, &names, artifact.fair_bytes, &format!("{} {used}", what_was(owner)), artifact.collectable),
        label: artifact.names.first().cloned().unwrap_or_else(|| artifact.hash.short()),
        bytes: artifact.fair_bytes,
        band: band(report.at, artifact.last_used_at),
        collectable: artifact.collectable,
    }
}

/// Returns one cell for several artifacts: as young as the youngest, and gone if all go.
fn merged(report: &Report, held: &[&ReportArtifact], label: &str, owner: &str) -> Option<Cell> {
    let bytes = held.iter().map(|artifact| artifact.fair_bytes).sum();
    let youngest = held.iter().map(|artifact| artifact.last_used_at).max()?;
    let collectable = held.iter().all(|artifact| artifact.collectable);
    let used = format!("{} {} or earlier", what_was(owner), age(report.at, youngest));
    let what = count(held.len() as u64, "small artifact");
    let title = title(owner, &what, bytes, &used, collectable);
    Some(Cell { label: label.to_owned(), title, bytes, band: band(report.at, youngest), collectable })
}

/// What is known of the time beside an artifact.
fn what_was(owner: &str) -> &'static str {
    if owner == NOBODY { "without an owner since" } else { "last used" }
}

/// The lines of what a pointer over a cell tells; long names are cut, for there may be a thousand of them.
fn title(owner: &str, names: &str, bytes: u64, used: &str, collectable: bool) -> String {
    let line = |text: &str, most| super::markup::clip(&ohmyartifacts::printable(text.as_bytes()), most);
    let goes = if collectable { "\ngc would take it now" } else { "" };
    format!("{}\n{}\n{}, {used}{goes}", line(owner, 80), line(names, 160), human_size(bytes))
}
