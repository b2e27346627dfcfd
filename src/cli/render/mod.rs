//! Tables, sizes and times as people read them. Pure functions from data to text.

mod list;
mod rows;
mod table;
mod words;

pub(super) use list::{KINDS, ListKey, arrange, read_filters};
pub(super) use rows::{Format, Rows, write_rows};
pub(super) use table::{Align, Table};
pub(super) use words::{
    age, bar, count, day_and_time, exact_size, facts, first_name, human_growth, human_size, mode_text, short_kind,
    short_name,
};
