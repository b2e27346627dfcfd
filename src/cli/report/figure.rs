//! Draws the treemap: an area an owner, a cell an artifact, paler the longer unused, hatched if gc takes it.

use ohmyartifacts::{Report, printable};
use unicode_width::UnicodeWidthChar as _;

use super::markup::Element;
use super::select::{Area, Cell, areas};
use super::treemap::{Rect, squarify};
use crate::cli::render::human_size;

/// A picture in one shape, for screens of one width.
pub(super) struct Shape {
    /// Its class, and what tells its parts from those of the other shapes.
    pub(super) class: &'static str,
    pub(super) width: u32,
    pub(super) height: u32,
    /// How many cells it has at most.
    pub(super) cells: usize,
}

/// No cell is smaller than this, in square points.
const LEAST_AREA: f64 = 30.0;
/// What a letter takes, about, in a cell and in the tag of an area.
const LETTER: f64 = 7.3;
const TAG_LETTER: f64 = 8.2;
/// The height of a tag with the gap above it.
const TAG: f64 = 22.0;
const LINE: f64 = 15.0;

/// Returns the picture.
pub(super) fn treemap(report: &Report, shape: &Shape) -> Element {
    let whole = Rect { x: 0.0, y: 0.0, width: f64::from(shape.width), height: f64::from(shape.height) };
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a limit")]
    let least = (report.stored_bytes as f64 * LEAST_AREA / whole.area()).ceil() as u64;
    let areas = areas(report, shape.cells, least);
    let weights: Vec<u64> = areas.iter().map(|area| area.bytes).collect();
    let drawn = areas.iter().zip(squarify(&weights, whole)).map(|(area, place)| draw(area, place));
    Element::new("svg")
        .class(shape.class)
        .with("viewBox", format_args!("0 0 {} {}", shape.width, shape.height))
        .with("role", "img")
        .with("aria-label", "What is stored, as areas by owner and artifact; the tables below have the numbers")
        .child(hatch(shape.class))
        .children(drawn)
}

/// Lines over what goes.
fn hatch(class: &str) -> Element {
    let pattern = Element::new("pattern")
        .with("id", format_args!("hatch-{class}"))
        .with("width", 7)
        .with("height", 7)
        .with("patternUnits", "userSpaceOnUse")
        .with("patternTransform", "rotate(45)");
    Element::new("defs").child(pattern.child(placed(0.0, 0.0, 2.2, 7.0)))
}

fn placed(x: f64, y: f64, width: f64, height: f64) -> Element {
    let tenth = |number: f64| format!("{number:.1}").trim_end_matches(".0").to_owned();
    let rect = Element::new("rect").with("x", tenth(x)).with("y", tenth(y));
    rect.with("width", tenth(width)).with("height", tenth(height))
}

fn rect(place: Rect) -> Element {
    placed(place.x, place.y, place.width, place.height)
}

fn draw(area: &Area, place: Rect) -> Element {
    let weights: Vec<u64> = area.cells.iter().map(|cell| cell.bytes).collect();
    let tag = tag(&area.label, place);
    let tagged = place.y + if tag.is_some() { TAG } else { 0.0 };
    let mut group = Element::new("g").class(&area.class);
    for (cell, place) in area.cells.iter().zip(squarify(&weights, place)) {
        group = group.children(draw_cell(cell, place, tagged));
    }
    group.child(rect(place).class("edge")).children(tag.into_iter().flatten())
}

/// The owner's name over its area, on a ground of its own: what lies under it may be dark or light.
fn tag(label: &str, place: Rect) -> Option<[Element; 2]> {
    let room = place.width - 16.0;
    let text = fitted(label, room, TAG_LETTER).filter(|_| place.height >= TAG + 4.0)?;
    let ground = placed(place.x + 4.0, place.y + 4.0, width_of(&text, TAG_LETTER).min(room) + 8.0, 18.0);
    Some([ground.class("tag").with("rx", 3), written(&text, place.x + 8.0, place.y + 17.0).class("tag")])
}

fn draw_cell(cell: &Cell, place: Rect, tagged: f64) -> Vec<Element> {
    let age = format!("a{}", cell.band);
    let mut drawn = vec![rect(place).class(&age).child(Element::new("title").text(&cell.title))];
    if cell.collectable {
        drawn.push(rect(place).class("goes"));
    }
    let class = if cell.collectable { format!("{age} over") } else { age };
    let mut line = place.y.max(tagged) + LINE;
    let end = place.y + place.height - 4.0;
    let Some(name) = fitted(&cell.label, place.width - 10.0, LETTER).filter(|_| line <= end) else { return drawn };
    drawn.push(written(&name, place.x + 6.0, line).class(&class));
    line += LINE;
    let size = human_size(cell.bytes);
    if line <= end && width_of(&size, LETTER) <= place.width - 10.0 {
        drawn.push(written(&size, place.x + 6.0, line).class(&format!("{class} size")));
    }
    drawn
}

fn written(text: &str, x: f64, y: f64) -> Element {
    Element::new("text").with("x", format_args!("{x:.0}")).with("y", format_args!("{y:.0}")).text(text)
}

fn width_of(text: &str, letter: f64) -> f64 {
    text.chars().map(|c| letter_width(c, letter)).sum()
}

fn letter_width(c: char, letter: f64) -> f64 {
    // Signs without a width of their own are drawn somewhere too.
    f64::from(u8::try_from(c.width().unwrap_or(1).max(1)).unwrap_or(2)) * letter
}

/// Returns as much of a name as there is room for; none if that says nothing.
fn fitted(name: &str, room: f64, letter: f64) -> Option<String> {
    const FEWEST: usize = 4;
    let shown = printable(name.as_bytes());
    if width_of(&shown, letter) <= room {
        return Some(shown);
    }
    let mut left = room - letter;
    let fits = |c: &char| {
        left -= letter_width(*c, letter);
        left >= 0.0
    };
    let cut: String = shown.chars().take_while(fits).collect();
    (cut.chars().count() >= FEWEST).then(|| format!("{cut}…"))
}
