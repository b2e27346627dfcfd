//! Puts the page together: head, figures, tables, style.

use ohmyartifacts::{AgeBand, Report, printable_path};

use super::figure::{Shape, treemap};
use super::markup::{Element, escape};
use super::tables;
use crate::cli::render::{count, day_and_time, human_size};

const STYLE: &str = include_str!("style.css");

/// Nothing is loaded and nothing runs, whatever got into the page.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

/// A quarter of the cells is for the picture of narrow screens.
fn shapes(cells: usize) -> [Shape; 2] {
    [
        Shape { class: "wide", width: 1_100, height: 620, cells },
        Shape { class: "narrow", width: 420, height: 640, cells: cells / 4 },
    ]
}

/// Returns the page with at most so many cells in its picture.
pub(super) fn render(report: &Report, cells: usize) -> String {
    let meta = |name: &str, content: &str| Element::new("meta").with("name", name).with("content", content);
    let policy = Element::new("meta").with("http-equiv", "Content-Security-Policy").with("content", POLICY);
    let metas = [
        policy,
        meta("viewport", "width=device-width, initial-scale=1"),
        meta("color-scheme", "light dark"),
        meta("referrer", "no-referrer"),
    ];
    let metas: String = metas.iter().map(Element::render).collect();
    let title = escape(&format!("Store {}", shown_store(report)));
    let sections = [
        pictures(report, cells),
        section("Owners", OWNERS, tables::owners(report)),
        sharing(report),
        section("Ages", AGES, vec![tables::ages(report)]),
        section("What gc would free", FORECAST, vec![tables::forecast(report)]),
        section("Largest artifacts", ARTIFACTS, tables::artifacts(report)),
    ];
    let main = Element::new("main").child(head(report)).children(sections).render();
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n{metas}<title>{title}</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n{main}\n</body>\n</html>\n"
    )
}

const PICTURE: &str = "Each area is as large as what it stands for: an owner's fair share, and in it its artifacts. \
                       Paler, dimmer on a dark page, means longer unused; hatched that gc would take it now.";
const OWNERS: &str = "Exclusive is what would come free without the owner; the fair shares and what has no owner add \
                      up to what is stored.";
const SHARING: &str =
    "Bytes that two of the largest owners both need, stored once; on the diagonal all that one needs.";
const AGES: &str = "Of what is bound, by when anybody last looked it up or bound it.";
const FORECAST: &str = "By then: what gc would free in so many days by this store's rules, if nobody used the store \
                        until then. If unused so long: what gc with --unused-for of so many days would free today. A \
                        stretch in which nobody used the store counts as seven days at most, as gc counts it.";
const ARTIFACTS: &str = "By the size of their files, each entry counted.";

fn section(title: &str, says: &str, content: Vec<Element>) -> Element {
    let heading = Element::new("h2").text(title);
    let says = Element::new("p").class("says").text(says);
    Element::new("section").child(heading).child(says).children(content)
}

fn shown_store(report: &Report) -> String {
    super::markup::clip(&printable_path(&report.store), 300)
}

fn head(report: &Report) -> Element {
    let kept = report.stored_bytes - report.orphan_bytes;
    let tiles = [
        ("Stored", report.stored_bytes),
        ("Kept by owners", kept),
        ("Without an owner", report.orphan_bytes),
        ("Saved by sharing", report.saved_bytes),
        ("gc would free now", report.gc.freed_bytes + report.gc.trashed_bytes),
    ];
    let tiles = tiles.map(|(name, bytes)| {
        let value = Element::new("dd").with("title", count(bytes, "byte")).text(&human_size(bytes));
        Element::new("div").child(Element::new("dt").text(name)).child(value)
    });
    let holds = format!(
        "{} and {}, under {} of {}",
        count(report.files, "file"),
        count(report.trees, "directory"),
        count(report.bindings, "name"),
        count(report.owners.len() as u64, "owner"),
    );
    let place = Element::new("p").class("place").child(Element::new("code").text(&shown_store(report)));
    let time = Element::new("time").with("datetime", report.at).text(&format!(" {} UTC", day_and_time(report.at)));
    Element::new("header")
        .child(Element::new("h1").text("What the store holds"))
        .child(place.child(time))
        .child(Element::new("dl").class("tiles").children(tiles))
        .child(Element::new("p").class("says").text(&holds))
}

fn pictures(report: &Report, cells: usize) -> Element {
    if report.stored_bytes == 0 {
        return section("Who has what", "Nothing is stored.", Vec::new());
    }
    let pictures = shapes(cells).map(|shape| treemap(report, &shape));
    let figure = Element::new("figure").children(pictures).child(legend());
    section("Who has what", PICTURE, vec![figure])
}

fn legend() -> Element {
    let entry = |class: &str, text: &str| {
        let swatch = Element::new("i").class(&format!("swatch {class}")).with("aria-hidden", "true");
        Element::new("span").child(swatch).text(text)
    };
    let ages = AgeBand::ALL.iter().enumerate().map(|(place, band)| entry(&format!("o0 a{place}"), band.as_str()));
    let others = [entry("nobody a1", "no owner"), entry("o0 a4 hatched", "gc takes it now")];
    Element::new("figcaption").text("Last used ago: ").children(ages).children(others)
}

fn sharing(report: &Report) -> Element {
    if report.sharing.owners.len() < 2 {
        return section("Sharing", "Fewer than two owners have anything, so nothing is shared.", Vec::new());
    }
    section("Sharing", SHARING, vec![tables::sharing(report)])
}
