//! What an owner notes beside a binding: any TOML value.
//!
//! It is kept as JSON, so that SQL can look into it. What JSON lacks (date-times, NaN, infinities)
//! becomes `{"$toml": "<TOML literal>"}`, and so does a table that has such a key itself: what goes
//! in comes out, type for type.

use serde_json::{Map, Value as Json};
use toml::Value as Toml;

use crate::error::{Error, Result};

const ESCAPE: &str = "$toml";

/// Any TOML value, type for type.
#[derive(Debug, Clone, PartialEq)]
pub struct Metadata(Toml);

impl Metadata {
    /// Wraps a TOML value.
    #[must_use]
    pub const fn new(value: Toml) -> Self {
        Self(value)
    }

    /// Reads a TOML document, a table.
    ///
    /// # Errors
    /// [`Error::Invalid`] with TOML's own message, which names line and column.
    pub fn from_document(text: &str) -> Result<Self> {
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
            Error::invalid("TOML document", "metadata", error.to_string().trim_end())
        })?;
        Ok(Self(Toml::Table(table)))
    }

    /// Returns a table of texts, such as `KEY=VALUE` pairs of a command line.
    pub fn from_pairs(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        let pairs = pairs.into_iter().map(|(key, value)| (key, Toml::String(value)));
        Self(Toml::Table(pairs.collect()))
    }

    /// Returns the value.
    #[must_use]
    pub const fn as_toml(&self) -> &Toml {
        &self.0
    }

    /// Adds `other`'s entries, which win over those already there, if both are tables.
    #[must_use]
    pub fn merged(self, other: Self) -> Self {
        match (self.0, other.0) {
            (Toml::Table(mut mine), Toml::Table(theirs)) => {
                mine.extend(theirs);
                Self(Toml::Table(mine))
            }
            (_, theirs) => Self(theirs),
        }
    }

    /// Returns the value for people and scripts: what JSON lacks becomes text.
    #[must_use]
    pub fn to_plain_json(&self) -> Json {
        plain(&self.0)
    }

    /// Returns the form kept in the index, from which [`Metadata::from_stored`] restores every type.
    pub(crate) fn to_stored(&self) -> String {
        stored(&self.0).to_string()
    }

    pub(crate) fn from_stored(text: &str) -> Result<Self> {
        let json: Json = serde_json::from_str(text)
            .map_err(|error| Error::Internal(format!("stored metadata is not JSON: {error}")))?;
        restored(json).map(Self)
    }
}

fn plain(value: &Toml) -> Json {
    match value {
        Toml::Array(items) => items.iter().map(plain).collect(),
        Toml::Table(table) => object(table, plain),
        Toml::Datetime(time) => Json::String(time.to_string()),
        Toml::Float(number) if !number.is_finite() => Json::String(literal(value)),
        other => scalar(other),
    }
}

fn stored(value: &Toml) -> Json {
    match value {
        Toml::Array(items) => items.iter().map(stored).collect(),
        Toml::Table(table) if !table.contains_key(ESCAPE) => object(table, stored),
        Toml::Float(number) if number.is_finite() => scalar(value),
        Toml::String(_) | Toml::Integer(_) | Toml::Boolean(_) => scalar(value),
        other => Json::Object(Map::from_iter([(ESCAPE.to_owned(), Json::String(literal(other)))])),
    }
}

fn object(table: &toml::Table, convert: fn(&Toml) -> Json) -> Json {
    let entries = table.iter().map(|(key, value)| (key.clone(), convert(value)));
    Json::Object(entries.collect())
}

fn scalar(value: &Toml) -> Json {
    match value {
        Toml::String(text) => Json::from(text.as_str()),
        Toml::Integer(number) => Json::from(*number),
        Toml::Float(number) => Json::from(*number),
        Toml::Boolean(truth) => Json::from(*truth),
        _ => Json::Null,
    }
}

/// Returns the value as TOML writes it behind an equals sign.
fn literal(value: &Toml) -> String {
    value.to_string()
}

fn restored(json: Json) -> Result<Toml> {
    Ok(match json {
        Json::String(text) => Toml::String(text),
        Json::Bool(truth) => Toml::Boolean(truth),
        Json::Number(number) => match number.as_i64() {
            Some(integer) => Toml::Integer(integer),
            None => Toml::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::Array(items) => Toml::Array(items.into_iter().map(restored).collect::<Result<_>>()?),
        Json::Object(map) => match map.get(ESCAPE).and_then(Json::as_str) {
            Some(text) => from_literal(text)?,
            None => {
                Toml::Table(map.into_iter().map(|(key, value)| Ok((key, restored(value)?))).collect::<Result<_>>()?)
            }
        },
        Json::Null => return Err(Error::Internal("stored metadata holds a null".to_owned())),
    })
}

fn from_literal(text: &str) -> Result<Toml> {
    let document: toml::Table = format!("value = {text}")
        .parse()
        .map_err(|error| Error::Internal(format!("stored metadata is not TOML: {error}")))?;
    document
        .into_iter()
        .next()
        .map(|(_, value)| value)
        .ok_or_else(|| Error::Internal("stored metadata is empty".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(document: &str) {
        let metadata = Metadata::from_document(document).expect("valid TOML");
        let back = Metadata::from_stored(&metadata.to_stored()).expect("what we wrote");
        // NaN differs from itself, so the texts are compared.
        assert_eq!(back.as_toml().to_string(), metadata.as_toml().to_string());
    }

    #[test]
    fn every_type_comes_back_as_it_went_in() {
        round_trip("a = 1\nb = 1.0\nc = 'text'\nd = true\ne = [1, [2, 3], []]\nf = {g = {}}");
        round_trip("a = 1979-05-27T07:32:00Z\nb = 1979-05-27\nc = 07:32:00.5\nd = 1979-05-27T07:32:00+01:30");
        round_trip(
            "a = nan\nb = inf\nc = -inf\nd = -0.0\ne = 9223372036854775807\nf = -9223372036854775808\ng = 1e300",
        );
        round_trip("'$toml' = '1'\nb = {'$toml' = 1979-05-27}\n'' = ''\n'a.b' = \"\\u0000\\u001f\"");
    }

    #[test]
    fn scripts_see_plain_json() {
        let metadata = Metadata::from_document("day = 1979-05-27\nlimit = inf").expect("valid TOML");
        assert_eq!(metadata.to_plain_json().to_string(), r#"{"day":"1979-05-27","limit":"inf"}"#);
    }
}
