//! The fields and types a JSON object must have.

use serde_json::Value;

use super::oma::fields;

/// What a field may hold.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Is {
    Text,
    /// 64 hex digits.
    Hash,
    /// An integer of bytes or things.
    Number,
    /// RFC 3339, UTC.
    Time,
    Bool,
    List,
    Object,
    /// The first, or null where there is nothing.
    Maybe(&'static Is),
}

impl Is {
    pub(crate) fn fits(self, value: &Value) -> bool {
        use Is::{Bool, Hash, List, Maybe, Number, Object, Text, Time};
        match self {
            Text => value.is_string(),
            Hash => value.as_str().is_some_and(|text| text.len() == 64 && text.bytes().all(is_lower_hex)),
            Number => value.is_u64(),
            Time => value.as_str().is_some_and(|text| {
                text.ends_with('Z') && text.contains('T') && text.parse::<ohmyartifacts::Timestamp>().is_ok()
            }),
            Bool => value.is_boolean(),
            List => value.is_array(),
            Object => value.is_object(),
            Maybe(is) => value.is_null() || is.fits(value),
        }
    }
}

fn is_lower_hex(digit: u8) -> bool {
    digit.is_ascii_digit() || (b'a'..=b'f').contains(&digit)
}

/// Fails the test unless the object has exactly these fields of these types.
pub(crate) fn assert_shape(what: &str, value: &Value, shape: &[(&str, Is)]) {
    let mut names: Vec<&str> = shape.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    assert_eq!(fields(value), names, "the fields of {what}: {value:#}");
    for (name, is) in shape {
        assert!(is.fits(&value[name]), "`{name}` of {what} is not {is:?}: {value:#}");
    }
}
