//! What a server says before the bytes come.

use std::time::Duration;

use ureq::Body;
use ureq::http::header::{
    CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderName, LAST_MODIFIED, RETRY_AFTER,
    TRANSFER_ENCODING,
};
use ureq::http::{Response, StatusCode};

use crate::fetch::partial::Note;
use crate::fetch::trouble::{Trouble, failed};
use crate::fetch::validators::Validators;
use crate::fetch::web::follow::Conditions;

/// What an answer means for the bytes that are here.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// They are the newest.
    Unchanged,
    /// More of the same version comes.
    GoOn,
    /// All of them come, perhaps of another version.
    Anew,
    /// What comes cannot be joined with them: away with them.
    Misfit(&'static str),
}

/// An answer, without its bytes.
#[derive(Debug)]
pub(super) struct Answer {
    status: StatusCode,
    pub(super) validators: Validators,
    /// How many bytes follow.
    pub(super) length: Option<u64>,
    /// Whether they are packed with gzip for the way, and not so by those who published them.
    pub(super) packed: bool,
    range: Option<Range>,
    retry_after: Option<Duration>,
}

/// `Content-Range: bytes FIRST-LAST/TOTAL`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Range {
    first: u64,
    last: u64,
    total: Option<u64>,
}

impl Answer {
    /// Reads the headers.
    pub(super) fn read(response: &Response<Body>, location: &str) -> Result<Self, Trouble> {
        let text = |name: HeaderName| response.headers().get(name).and_then(|value| value.to_str().ok());
        let mut lengths = response.headers().get_all(CONTENT_LENGTH).iter();
        let first = lengths.next();
        if lengths.any(|other| Some(other) != first) {
            return Err(Trouble::lasting(location, "the server gives two lengths that differ"));
        }
        let chunked = response.headers().contains_key(TRANSFER_ENCODING);
        let length = first.filter(|_| !chunked).and_then(|value| value.to_str().ok()?.trim().parse().ok());
        Ok(Self {
            status: response.status(),
            validators: Validators::new(text(ETAG), text(LAST_MODIFIED)),
            length,
            packed: packing(text(TRANSFER_ENCODING), text(CONTENT_ENCODING), text(CONTENT_TYPE), location)?,
            range: text(CONTENT_RANGE).and_then(range),
            retry_after: text(RETRY_AFTER).and_then(|text| text.trim().parse().ok()).map(Duration::from_secs),
        })
    }

    /// How many bytes the whole has, where the answer says so.
    pub(super) fn total(&self) -> Option<u64> {
        match self.range {
            _ if self.packed => None,
            Some(range) if self.status == StatusCode::PARTIAL_CONTENT => range.total,
            _ => self.length,
        }
    }

    /// Says what to do.
    pub(super) fn judge(&self, asked: &Conditions, note: &Note, location: &str) -> Result<Verdict, Trouble> {
        match self.status.as_u16() {
            304 if asked.newer_than.is_some() => Ok(Verdict::Unchanged),
            200 | 203 => Ok(Verdict::Anew),
            206 => Ok(self.judge_part(asked, note)),
            416 if asked.from.is_some() => Ok(Verdict::Misfit("the server has no such part")),
            status => Err(self.refused(status, location)),
        }
    }

    fn judge_part(&self, asked: &Conditions, note: &Note) -> Verdict {
        let (Some((from, _)), Some(range)) = (&asked.from, self.range) else {
            return Verdict::Misfit("the server sends a part without being asked for one");
        };
        let whole = range.total.is_none_or(|total| range.last + 1 == total);
        let announced = self.length.is_none_or(|length| length == range.last - range.first + 1);
        if range.first != *from || !whole || !announced {
            return Verdict::Misfit("the server sends another part than it was asked for");
        }
        let same_total = note.total.is_none() || range.total.is_none() || note.total == range.total;
        if self.packed || !same_total || !note.validators.may_match(&self.validators) {
            return Verdict::Misfit("the file was changed in the mean time");
        }
        Verdict::GoOn
    }

    fn refused(&self, status: u16, location: &str) -> Trouble {
        let reason = match self.status.canonical_reason() {
            Some(words) => format!("the server answers {status} {words}"),
            None => format!("the server answers {status}"),
        };
        match status {
            408 | 425 | 429 | 500 | 502 | 503 | 504 => {
                Trouble::Passing { error: failed(location, reason), after: self.retry_after }
            }
            _ => Trouble::lasting(location, reason),
        }
    }
}

/// Tells whether the bytes are packed for the way. What is a gzip file itself is often said to be so too, and
/// then browsers leave it as it is.
fn packing(transfer: Option<&str>, content: Option<&str>, kind: Option<&str>, location: &str) -> Result<bool, Trouble> {
    let words = |text: Option<&str>| -> Vec<String> {
        text.unwrap_or_default().split(',').map(|word| word.trim().to_ascii_lowercase()).collect()
    };
    let (transfer, content) = (words(transfer), words(content));
    let is_gzip = |word: &String| matches!(word.as_str(), "gzip" | "x-gzip");
    let known = |word: &String| matches!(word.as_str(), "" | "chunked" | "identity") || is_gzip(word);
    if let Some(other) = transfer.iter().chain(&content).find(|word| !known(word)) {
        return Err(Trouble::lasting(location, format!("the server packs the bytes with `{other}`, unasked")));
    }
    let kind = kind.unwrap_or_default().to_ascii_lowercase();
    let path = location.split(['?', '#']).next().unwrap_or_default();
    let is_file = kind.contains("gzip") || [".gz", ".tgz"].iter().any(|suffix| path.ends_with(suffix));
    Ok(transfer.iter().any(is_gzip) || (content.iter().any(is_gzip) && !is_file))
}

fn range(text: &str) -> Option<Range> {
    let (span, total) = text.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = span.split_once('-')?;
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    let total = if total == "*" { None } else { Some(total.parse().ok()?) };
    (first <= last && last < u64::MAX && total.is_none_or(|total| last < total)).then_some(Range { first, last, total })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_says_where_it_lies() {
        assert_eq!(range("bytes 5-9/10"), Some(Range { first: 5, last: 9, total: Some(10) }));
        assert_eq!(range("bytes 5-9/*"), Some(Range { first: 5, last: 9, total: None }));
        for bad in ["bytes 9-5/10", "bytes 5-10/10", "bytes */10", "5-9/10", "bytes a-b/c", "bytes -5/10", ""] {
            assert_eq!(range(bad), None, "{bad}");
        }
    }

    #[test]
    fn packed_for_the_way_is_told_from_a_packed_file() {
        let packed = |transfer, content, kind, url| packing(transfer, content, kind, url).ok();
        assert_eq!(packed(None, None, None, "http://h/a"), Some(false));
        assert_eq!(packed(Some("chunked"), None, None, "http://h/a"), Some(false));
        assert_eq!(packed(Some("gzip, chunked"), None, None, "http://h/a.gz"), Some(true));
        assert_eq!(packed(None, Some("gzip"), Some("text/csv"), "http://h/a.csv"), Some(true));
        assert_eq!(packed(None, Some("GZIP"), Some("application/x-gzip"), "http://h/a"), Some(false));
        assert_eq!(packed(None, Some("gzip"), Some("application/x-tar"), "http://h/a.tar.gz?v=1"), Some(false));
        assert_eq!(packed(None, Some("br"), None, "http://h/a"), None);
    }
}
