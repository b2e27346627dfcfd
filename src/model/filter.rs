//! Conditions on the rows of a list: `size>100MB`, `used>30d`, `owner=zoo*`, `meta.split=test`.
//!
//! Why: every list, and every question about a set, understands the same words.
//! Guarantees: a condition is checked when it is read, so that a typing mistake is an error and never an
//! empty list; what a row lacks satisfies only `!=` and `KEY=`.
//! Must not know: which lists there are. Each says which keys it knows and what they mean in a row.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::time::Duration;

use globset::GlobMatcher;
use serde_json::Value as Json;

use crate::error::{Error, Result};
use crate::model::pattern::matcher;
use crate::model::{OwnerId, OwnerPattern};
use crate::size::parse_size;
use crate::time::{Timestamp, parse_duration};

/// What a key of a list stands for, and so which values it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FilterKind {
    /// Bytes: `100MB`, `1.5GiB`, `4096`.
    Size,
    /// A number.
    Count,
    /// A time. `used>30d` means longer ago than that, `used>2026-01-31` later than that.
    Time,
    /// Text, by a pattern: `*` stands for any text, `?` for one character, `{a,b}` for either.
    Text,
    /// An owner. A pattern without `@` means every version.
    Owner,
    /// One of these words.
    Word(&'static [&'static str]),
    /// Whatever stands there under the rest of the key, which comes after a point: text by a pattern, or
    /// numbers to be compared.
    Field,
}

/// A key that a list knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FilterKey {
    /// The word before the operator.
    pub name: &'static str,
    /// What it stands for.
    pub kind: FilterKind,
}

impl FilterKey {
    /// Makes a key.
    #[must_use]
    pub const fn new(name: &'static str, kind: FilterKind) -> Self {
        Self { name, kind }
    }
}

/// What a row has under a key.
#[derive(Debug, Clone, PartialEq)]
pub enum Column<'a> {
    /// Bytes or a count.
    Number(i128),
    /// A time.
    Time(Timestamp),
    /// Text.
    Text(Cow<'a, str>),
    /// Several texts, of which one must match.
    Texts(Vec<Cow<'a, str>>),
    /// An owner's key and version.
    Owner(Cow<'a, str>, Option<Cow<'a, str>>),
    /// Nothing.
    Absent,
}

impl<'a> Column<'a> {
    /// Takes a JSON value: text and numbers as they are, of a list its texts, everything else as JSON text.
    #[must_use]
    pub fn of_json(value: &'a Json) -> Self {
        match value {
            Json::Null => Self::Absent,
            Json::Number(number) => match (number.as_u64(), number.as_i64()) {
                (Some(number), _) => Self::Number(number.into()),
                (None, Some(number)) => Self::Number(number.into()),
                _ => Self::Text(number.to_string().into()),
            },
            Json::String(text) => Self::Text(text.into()),
            Json::Array(values) => Self::Texts(values.iter().filter_map(Json::as_str).map(Into::into).collect()),
            other => Self::Text(other.to_string().into()),
        }
    }
}

/// One condition on a row.
#[derive(Debug, Clone)]
pub struct Filter {
    text: String,
    key: String,
    operator: Operator,
    value: Value,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Equal,
    Unequal,
    Above,
    AtLeast,
    Below,
    AtMost,
}

/// The longer ones first, so that `>=` is not read as `>`.
const OPERATORS: [(&str, Operator); 6] = [
    ("!=", Operator::Unequal),
    (">=", Operator::AtLeast),
    ("<=", Operator::AtMost),
    ("=", Operator::Equal),
    (">", Operator::Above),
    ("<", Operator::Below),
];

#[derive(Debug, Clone)]
enum Value {
    Number(i128),
    Age(Duration),
    Time(Timestamp),
    Pattern(GlobMatcher),
    Owner(OwnerPattern),
    Nothing,
}

impl Filter {
    /// Reads a condition for a list that knows these keys.
    ///
    /// ```
    /// use ohmyartifacts::{Filter, FilterKey, FilterKind};
    ///
    /// let keys = [FilterKey::new("size", FilterKind::Size)];
    /// assert_eq!(Filter::parse("size>=100MB", &keys)?.key(), "size");
    /// assert!(Filter::parse("height>1", &keys).is_err());
    /// # Ok::<(), ohmyartifacts::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Invalid`] if there is no operator, the key is not known, or the value is not of its kind.
    pub fn parse(text: &str, keys: &[FilterKey]) -> Result<Self> {
        let bad = |reason: String| Error::invalid("filter", text, reason);
        let (key, operator, value) = split(text).ok_or_else(|| bad(format!("expected {}", forms(keys))))?;
        let (kind, key) = find(key, keys).ok_or_else(|| bad(format!("unknown key `{key}`; known: {}", names(keys))))?;
        let value = read(kind, operator, value).map_err(bad)?;
        Ok(Self { text: text.to_owned(), key: key.to_owned(), operator, value })
    }

    /// Returns the key: of `meta.split` all of it.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Tells whether a row that has this under the key is meant.
    #[must_use]
    pub fn matches(&self, column: &Column<'_>, now: Timestamp) -> bool {
        match (&self.value, column) {
            (Value::Nothing, column) => self.holds_if(is_nothing(column)),
            (_, Column::Absent) => self.operator == Operator::Unequal,
            (Value::Number(wanted), Column::Number(found)) => self.orders(found.cmp(wanted)),
            (Value::Number(wanted), Column::Text(found)) => {
                found.parse().is_ok_and(|found: i128| self.orders(found.cmp(wanted)))
            }
            // The longer ago, the earlier.
            (Value::Age(wanted), Column::Time(found)) => self.orders(now.since(*found).cmp(wanted)),
            (Value::Time(wanted), Column::Time(found)) => self.orders(found.cmp(wanted)),
            (Value::Owner(pattern), Column::Owner(key, version)) => {
                let owner = OwnerId::new(key, version.as_deref());
                self.holds_if(owner.is_ok_and(|owner| pattern.matches(&owner)))
            }
            (Value::Pattern(pattern), column) => {
                self.holds_if(texts(column).iter().any(|text| pattern.is_match(text.as_ref())))
            }
            _ => false,
        }
    }

    fn holds_if(&self, equal: bool) -> bool {
        equal == (self.operator == Operator::Equal)
    }

    fn orders(&self, ordering: Ordering) -> bool {
        match self.operator {
            Operator::Equal => ordering.is_eq(),
            Operator::Unequal => ordering.is_ne(),
            Operator::Above => ordering.is_gt(),
            Operator::AtLeast => ordering.is_ge(),
            Operator::Below => ordering.is_lt(),
            Operator::AtMost => ordering.is_le(),
        }
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

/// The key ends at the first operator; what follows may hold any character.
fn split(text: &str) -> Option<(&str, Operator, &str)> {
    let at = text.find(['!', '=', '<', '>'])?;
    let (key, rest) = text.split_at(at);
    let (sign, operator) = OPERATORS.iter().find(|(sign, _)| rest.starts_with(sign))?;
    Some((key.trim(), *operator, rest[sign.len()..].trim_start()))
}

fn find<'t>(key: &'t str, keys: &[FilterKey]) -> Option<(FilterKind, &'t str)> {
    let known = keys.iter().find(|known| match known.kind {
        FilterKind::Field => {
            key.strip_prefix(known.name).and_then(|rest| rest.strip_prefix('.')).is_some_and(|rest| !rest.is_empty())
        }
        _ => key == known.name,
    });
    known.map(|known| (known.kind, key))
}

fn names(keys: &[FilterKey]) -> String {
    let name = |key: &FilterKey| match key.kind {
        FilterKind::Field => format!("{}.KEY", key.name),
        _ => key.name.to_owned(),
    };
    keys.iter().map(name).collect::<Vec<_>>().join(", ")
}

fn forms(keys: &[FilterKey]) -> String {
    format!("a key, one of `= != > >= < <=`, and a value; known keys: {}", names(keys))
}

fn read(kind: FilterKind, operator: Operator, text: &str) -> Result<Value, String> {
    let compares = !matches!(operator, Operator::Equal | Operator::Unequal);
    if text.is_empty() {
        return if compares { Err("there is no value to compare with".to_owned()) } else { Ok(Value::Nothing) };
    }
    let number = || text.parse().map(Value::Number).ok();
    match kind {
        FilterKind::Size => number()
            .or_else(|| parse_size(text).ok().map(|bytes| Value::Number(bytes.into())))
            .ok_or_else(|| "expected a size such as `500MB` or `1.5GiB`".to_owned()),
        FilterKind::Count => number().ok_or_else(|| "expected a number".to_owned()),
        FilterKind::Time => time(text),
        FilterKind::Field if compares => number().ok_or_else(|| "expected a number to compare with".to_owned()),
        _ if compares => Err("this key is compared by `=` or `!=` only".to_owned()),
        FilterKind::Owner => text.parse().map(Value::Owner).map_err(|error: Error| reason(&error)),
        FilterKind::Text | FilterKind::Field => matcher(text).map(Value::Pattern),
        FilterKind::Word(words) if words.contains(&text) => matcher(text).map(Value::Pattern),
        FilterKind::Word(words) => Err(format!("expected one of {}", words.join(", "))),
    }
}

fn time(text: &str) -> Result<Value, String> {
    if let Ok(age) = parse_duration(text) {
        return Ok(Value::Age(age));
    }
    let time = text.parse().map(Value::Time);
    time.map_err(|_| "expected a time ago such as `30d`, or a date such as `2026-01-31`".to_owned())
}

fn reason(error: &Error) -> String {
    match error {
        Error::Invalid { reason, .. } => reason.clone(),
        other => other.to_string(),
    }
}

fn is_nothing(column: &Column<'_>) -> bool {
    match column {
        Column::Absent => true,
        column => texts(column).iter().all(|text| text.is_empty()),
    }
}

fn texts<'c>(column: &'c Column<'_>) -> Vec<Cow<'c, str>> {
    match column {
        Column::Number(number) => vec![Cow::Owned(number.to_string())],
        Column::Time(time) => vec![Cow::Owned(time.to_string())],
        Column::Text(text) | Column::Owner(text, None) => vec![Cow::Borrowed(text.as_ref())],
        Column::Owner(key, Some(version)) => vec![Cow::Owned(format!("{key}@{version}"))],
        Column::Texts(texts) => texts.iter().map(|text| Cow::Borrowed(text.as_ref())).collect(),
        Column::Absent => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [FilterKey; 6] = [
        FilterKey::new("size", FilterKind::Size),
        FilterKey::new("used", FilterKind::Time),
        FilterKey::new("owner", FilterKind::Owner),
        FilterKey::new("name", FilterKind::Text),
        FilterKey::new("kind", FilterKind::Word(&["file", "tree"])),
        FilterKey::new("meta", FilterKind::Field),
    ];

    fn holds(text: &str, column: &Column<'_>) -> bool {
        let now = "2026-03-01T00:00:00Z".parse().expect("a time");
        Filter::parse(text, &KEYS).expect(text).matches(column, now)
    }

    fn time(text: &str) -> Column<'static> {
        Column::Time(text.parse().expect("a time"))
    }

    fn text(text: &str) -> Column<'_> {
        Column::Text(text.into())
    }

    #[test]
    fn numbers_are_compared() {
        let hundred = Column::Number(100_000_000);
        let cases = [
            ("size>100MB", false),
            ("size>=100MB", true),
            ("size<100MB", false),
            ("size <= 100MB", true),
            ("size=100000000", true),
            ("size!=100MB", false),
            ("size>0.09GB", true),
        ];
        for (filter, expected) in cases {
            assert_eq!(holds(filter, &hundred), expected, "{filter}");
        }
    }

    #[test]
    fn a_span_is_ago_and_a_date_is_a_date() {
        let january = time("2026-01-15T00:00:00Z");
        let cases = [
            ("used>30d", true),
            ("used<30d", false),
            ("used>45d", false),
            ("used>=45d", true),
            ("used>2026-01-01", true),
            ("used<2026-01-15T00:00:01Z", true),
            ("used<2026-01-15", false),
        ];
        for (filter, expected) in cases {
            assert_eq!(holds(filter, &january), expected, "{filter}");
        }
    }

    #[test]
    fn text_is_matched_by_patterns() {
        assert!(holds("name=mo*l", &text("model")) && holds("name={a,model}", &text("model")));
        assert!(holds("name!=x*", &text("model")) && !holds("name=mode", &text("model")));
        assert!(holds("name=a=b", &text("a=b")), "only the first operator counts");
        assert!(holds("kind=tree", &text("tree")) && holds("name=b", &Column::Texts(vec!["a".into(), "b".into()])));
        let zoo = Column::Owner("zoo".into(), Some("1.2".into()));
        for (filter, expected) in [("owner=zoo", true), ("owner=z*@1.*", true), ("owner=zoo@2", false)] {
            assert_eq!(holds(filter, &zoo), expected, "{filter}");
        }
        assert!(holds("meta.split=te*", &text("test")) && holds("meta.epoch>9", &text("10")));
    }

    #[test]
    fn what_is_absent_is_not_equal_to_anything() {
        assert!(holds("meta.split!=test", &Column::Absent) && holds("meta.split=", &Column::Absent));
        assert!(!holds("meta.split=*", &Column::Absent) && !holds("size>0", &Column::Absent));
        assert!(!holds("meta.split=", &text("test")) && holds("meta.split!=", &text("test")));
    }

    #[test]
    fn mistakes_are_named() {
        let mistakes = [
            ("size", "one of"),
            ("hight>3", "unknown key `hight`; known: size, used, owner, name, kind, meta.KEY"),
            ("size>large", "expected a size"),
            ("used>yesterday", "expected a time ago"),
            ("kind=folder", "expected one of file, tree"),
            ("name>x", "by `=` or `!=` only"),
            ("meta.=x", "unknown key"),
            ("size>", "no value"),
            ("name=[", "unclosed"),
            ("size!5", "one of"),
        ];
        for (filter, expected) in mistakes {
            let error = Filter::parse(filter, &KEYS).expect_err(filter).to_string();
            assert!(error.contains(expected), "{filter}: {error}");
        }
    }
}
