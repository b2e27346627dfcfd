//! The store as one page: self-contained, offline, without scripts.
//!
//! Guarantees: nothing on the page is loaded or run; every name is escaped and printable; the page takes
//! at most a megabyte whatever the store; the same data make the same page.
//! Must not know: how the data are counted; it sees the public API alone.

mod figure;
mod markup;
mod page;
mod select;
mod tables;
mod treemap;

use ohmyartifacts::Report;

/// The page is no larger than this.
const LARGEST_PAGE: usize = 1_000_000;

/// How many cells the picture has at most, beside one a merged area. Names may be so long that fewer must do.
const CELLS: [usize; 4] = [1_000, 500, 200, 50];

/// Returns the page.
pub(in crate::cli) fn html(report: &Report) -> String {
    let pages = CELLS.iter().map(|cells| page::render(report, *cells));
    let mut smallest = String::new();
    for page in pages {
        if page.len() <= LARGEST_PAGE {
            return page;
        }
        smallest = page;
    }
    smallest
}
