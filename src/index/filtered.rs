//! Bindings that meet conditions. A row is judged before anything is made of it: a filter that few of many
//! bindings meet costs little more than reading them.

use rusqlite::{Row, named_params};
use serde_json::Value;

use crate::digest::Digest;
use crate::error::Result;
use crate::index::bindings::{ALL_BINDINGS, IN_ANY_ORDER, OF_OWNER, binding_row, metadata};
use crate::index::{Attempt as _, BindingRow, ReadTx};
use crate::model::{Column, Filter, FilterKey, FilterKind, ObjectKind};
use crate::time::Timestamp;

/// What bindings can be filtered by.
pub(crate) const BINDING_KEYS: [FilterKey; 11] = [
    FilterKey::new("size", FilterKind::Size),
    FilterKey::new("files", FilterKind::Count),
    FilterKey::new("used", FilterKind::Time),
    FilterKey::new("bound", FilterKind::Time),
    FilterKey::new("owner", FilterKind::Owner),
    FilterKey::new("version", FilterKind::Text),
    FilterKey::new("name", FilterKind::Text),
    FilterKey::new("kind", FilterKind::Word(&["file", "tree"])),
    FilterKey::new("hash", FilterKind::Text),
    FilterKey::new("by", FilterKind::Text),
    FilterKey::new("meta", FilterKind::Field),
];

impl ReadTx<'_> {
    /// Returns the bindings that meet every condition, of one owner or of all, by owner and name. What was
    /// never looked up counts as used when it was bound.
    pub(crate) fn bindings_where(
        &self,
        owner: Option<i64>,
        filters: &[Filter],
        now: Timestamp,
    ) -> Result<Vec<BindingRow>> {
        let sql = match owner {
            Some(_) => OF_OWNER,
            None if filters.is_empty() => ALL_BINDINGS,
            None => IN_ANY_ORDER,
        };
        let mut statement = self.connection.prepare_cached(sql).to("read")?;
        let mut rows = match owner {
            Some(owner) => statement.query(named_params! {":owner": owner}),
            None => statement.query([]),
        }
        .to("read")?;
        let mut found = Vec::new();
        while let Some(row) = rows.next().to("read")? {
            if meets(row, filters, now).to("read")? {
                found.push(binding_row(row).to("read")?);
            }
        }
        // What came in order stays as it is.
        found.sort_by(|a, b| (&a.owner, &a.name).cmp(&(&b.owner, &b.name)));
        Ok(found)
    }
}

fn meets(row: &Row<'_>, filters: &[Filter], now: Timestamp) -> rusqlite::Result<bool> {
    for filter in filters {
        if !met(row, filter, now)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The columns are those of `binding_row`.
fn met(row: &Row<'_>, filter: &Filter, now: Timestamp) -> rusqlite::Result<bool> {
    let text = |column: usize| -> rusqlite::Result<Column<'_>> {
        Ok(row.get_ref(column)?.as_str_or_null()?.map_or(Column::Absent, |text| Column::Text(text.into())))
    };
    let column = match filter.key() {
        "size" => Column::Number(row.get::<_, i64>(7)?.into()),
        "files" => Column::Number(row.get::<_, i64>(8)?.into()),
        "bound" => Column::Time(row.get(10)?),
        "used" => Column::Time(row.get::<_, Option<Timestamp>>(11)?.map_or_else(|| row.get(10), Ok)?),
        "owner" => Column::Owner(row.get_ref(2)?.as_str()?.into(), version(row)?.map(Into::into)),
        "version" => version(row)?.map_or(Column::Absent, |version| Column::Text(version.into())),
        "name" => text(4)?,
        "kind" => Column::Text(row.get::<_, ObjectKind>(6)?.as_str().into()),
        "hash" => Column::Text(row.get::<_, Digest>(5)?.to_string().into()),
        "by" => text(13)?,
        key => return Ok(meets_note(row, filter, key, now)),
    };
    Ok(filter.matches(&column, now))
}

/// No version is an empty text in a row.
fn version<'r>(row: &'r Row<'_>) -> rusqlite::Result<Option<&'r str>> {
    Ok(Some(row.get_ref(3)?.as_str()?).filter(|version| !version.is_empty()))
}

/// What was noted beside a binding; what cannot be read says nothing.
fn meets_note(row: &Row<'_>, filter: &Filter, key: &str, now: Timestamp) -> bool {
    let note = metadata(row, 9).ok().flatten().map(|meta| meta.to_plain_json());
    let path = key.strip_prefix("meta.").unwrap_or_default();
    let found = note.as_ref().and_then(|note| inside(note, path));
    filter.matches(&found.map_or(Column::Absent, Column::of_json), now)
}

/// Finds `a.b`, as a key of its own or as `b` in the table `a`.
fn inside<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    if let Some(found) = value.get(path) {
        return Some(found);
    }
    path.match_indices('.').find_map(|(dot, _)| inside(value.get(&path[..dot])?, &path[dot + 1..]))
}
