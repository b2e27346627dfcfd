//! Puts each owner's names into one table, as its `Artifacts.toml` holds them.

use std::collections::BTreeMap;

use toml::{Table, Value};

use crate::compat::export::snapshot::Snapshot;
use crate::error::{Error, Result};
use crate::index::BindingRow;
use crate::julia::SpaceBinding;
use crate::model::{Metadata, OwnerId};

/// Returns each owner's table; an owner without names has none.
///
/// # Errors
/// [`Error::Unwritable`] if two things want one name.
pub(super) fn tables(snapshot: &Snapshot) -> Result<BTreeMap<OwnerId, Table>> {
    let mut tables: BTreeMap<OwnerId, Table> = BTreeMap::new();
    for row in &snapshot.declarations {
        let table = tables.entry(row.owner.clone()).or_default();
        let declaration = &row.declaration;
        let other = table.insert(declaration.artifact.clone(), declaration.whole.clone());
        // Several platforms of one artifact are one value of the file.
        if other.is_some_and(|other| !same(&other, &declaration.whole)) {
            let reason = format!("{} declares it in two ways, also under `{}`: unbind one", row.owner, row.name);
            return Err(Error::Unwritable { key: declaration.artifact.clone(), reason });
        }
    }
    for row in snapshot.own_bindings() {
        let table = tables.entry(row.owner.clone()).or_default();
        if table.insert(row.name.clone(), Value::Table(binding(row))).is_some() {
            let reason = format!("{} both binds and declares it: unbind one", row.owner);
            return Err(Error::Unwritable { key: row.name.clone(), reason });
        }
    }
    Ok(tables)
}

fn binding(row: &BindingRow) -> Table {
    let extra = match row.extra.as_ref().map(Metadata::as_toml) {
        Some(Value::Table(extra)) => extra.clone(),
        _ => Table::new(),
    };
    let is_dir = Some(!row.artifact.kind.is_file());
    SpaceBinding { id: row.artifact.hash, is_dir, meta: row.meta.as_ref().map(|meta| meta.as_toml().clone()), extra }
        .to_toml()
}

/// NaN differs from itself, so the stored forms are compared.
fn same(a: &Value, b: &Value) -> bool {
    Metadata::new(a.clone()).to_stored() == Metadata::new(b.clone()).to_stored()
}
