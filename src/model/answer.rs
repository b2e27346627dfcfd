//! What a question in SQL is answered with.

use serde::{Serialize, Serializer};

/// A value of an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum SqlValue {
    /// None.
    Null,
    /// A whole number.
    Integer(i64),
    /// A number with a fraction. What is no number, SQLite takes for none; infinity it knows.
    Real(f64),
    /// Text. What is not UTF-8 in it is escaped, as [`printable`](crate::printable) does.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
}

/// A part of an answer, in the order in which they come.
#[derive(Debug, Clone, PartialEq)]
pub enum SqlPart {
    /// What its columns are called, each name once; this comes first. A second `n` is called `n:2`.
    Columns(Vec<String>),
    /// A row, with a value for each column.
    Row(Vec<SqlValue>),
}

/// Numbers as numbers, bytes as lower-case hex; JSON has no infinity, so that is a text.
impl Serialize for SqlValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_none(),
            Self::Integer(number) => serializer.serialize_i64(*number),
            Self::Real(number) if number.is_finite() => serializer.serialize_f64(*number),
            Self::Real(number) => serializer.serialize_str(if *number > 0.0 { "Infinity" } else { "-Infinity" }),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Blob(bytes) => serializer.serialize_str(&hex(bytes)),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_has_a_form_in_json() {
        let values = [
            (SqlValue::Null, "null"),
            (SqlValue::Integer(i64::MIN), "-9223372036854775808"),
            (SqlValue::Real(1.0), "1.0"),
            (SqlValue::Real(f64::NEG_INFINITY), r#""-Infinity""#),
            (SqlValue::Text("a\"\n".to_owned()), r#""a\"\n""#),
            (SqlValue::Blob(vec![0, 0xfa]), r#""00fa""#),
        ];
        for (value, json) in values {
            assert_eq!(serde_json::to_string(&value).expect("a value"), json);
        }
    }
}
