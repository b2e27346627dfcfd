//! A bindings file of OhMyArtifacts.jl: `[name]` with `sha256`, `isdir` and perhaps `meta`.

use toml::{Table, Value};

use crate::digest::Digest;

/// What a name stands for in a bindings file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SpaceBinding {
    pub(crate) id: Digest,
    /// Whether the file says it is a directory; none if it does not say.
    pub(crate) is_dir: Option<bool>,
    /// Any TOML value.
    pub(crate) meta: Option<Value>,
    /// Keys OhMyArtifacts.jl does not know, which it keeps.
    pub(crate) extra: Table,
}

impl SpaceBinding {
    /// Reads what stands under a name, or says what is wrong with it.
    pub(crate) fn read(value: &Value) -> Result<Self, String> {
        let Value::Table(table) = value else {
            return Err(format!("a binding must be a table, this is {} {}", article(value), value.type_str()));
        };
        let id = match table.get("sha256") {
            Some(Value::String(text)) => text.parse().map_err(|error| format!("`sha256`: {error}"))?,
            Some(_) => return Err("`sha256` is not a text".to_owned()),
            None => return Err("it has no `sha256`".to_owned()),
        };
        let is_dir = match table.get("isdir") {
            Some(Value::Boolean(is_dir)) => Some(*is_dir),
            Some(_) => return Err("`isdir` is neither true nor false".to_owned()),
            None => None,
        };
        let meta = table.get("meta").cloned();
        let known = ["sha256", "isdir", "meta"];
        let extra = table.iter().filter(|(key, _)| !known.contains(&key.as_str()));
        Ok(Self { id, is_dir, meta, extra: extra.map(|(key, value)| (key.clone(), value.clone())).collect() })
    }

    /// Returns it as it stands in a file.
    pub(crate) fn to_toml(&self) -> Table {
        let mut table = self.extra.clone();
        table.insert("sha256".to_owned(), Value::String(self.id.to_string()));
        table.insert("isdir".to_owned(), Value::Boolean(self.is_dir.unwrap_or_default()));
        if let Some(meta) = &self.meta {
            table.insert("meta".to_owned(), meta.clone());
        }
        table
    }
}

fn article(value: &Value) -> &'static str {
    if matches!(value, Value::Array(_) | Value::Integer(_)) { "an" } else { "a" }
}
