//! What a request is answered with: by the rules, as far as the test does not break them.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::wire::Request;

/// What a path holds, and how it is handed out.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(super) body: Arc<Vec<u8>>,
    status: Option<u16>,
    etag: Option<String>,
    last_modified: Option<String>,
    headers: Vec<(String, String)>,
    ranges: Ranges,
    user: Option<String>,
    pub(super) framing: Framing,
    pub(super) course: Course,
}

/// What is made of `Range`.
#[derive(Debug, Clone)]
enum Ranges {
    Honoured,
    Ignored,
    /// Answered with 206 and this `Content-Range`, whatever follows.
    Lied(String),
}

/// How the other side is to know where the content ends.
#[derive(Debug, Clone)]
pub(super) enum Framing {
    Length,
    /// These values of `Content-Length`, true or not; the connection ends with the content.
    Lengths(Vec<String>),
    /// The connection's end is the content's.
    Close,
    /// Chunks, under this `Transfer-Encoding`.
    Chunked(&'static str),
    /// Chunks whose sizes are no numbers.
    BrokenChunks,
    /// Not even HTTP: the body's bytes, and nothing else.
    Raw,
}

/// What happens on the way.
#[derive(Debug, Clone, Copy)]
pub(super) enum Course {
    Whole,
    /// The connection ends after so many bytes of content.
    Cut(u64),
    /// Nothing comes after so many bytes of content; not even headers if there is no number.
    Hang(Option<u64>),
    /// So many bytes, a pause, so many bytes …
    Drip(usize, Duration),
}

/// What goes out.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    /// Which part of the body.
    pub(super) part: Range<usize>,
}

impl Answer {
    /// The content, with ranges and without validators.
    pub(crate) fn bytes(body: impl Into<Vec<u8>>) -> Self {
        Self {
            body: Arc::new(body.into()),
            status: None,
            etag: None,
            last_modified: None,
            headers: Vec::new(),
            ranges: Ranges::Honoured,
            user: None,
            framing: Framing::Length,
            course: Course::Whole,
        }
    }

    /// A status with a short text that nobody should take for the content.
    pub(crate) fn status(status: u16) -> Self {
        let text = if status == 204 { Vec::new() } else { format!("this is the page of {status}\n").into_bytes() };
        Self { status: Some(status), ..Self::bytes(text) }
    }

    /// A redirect.
    pub(crate) fn redirect(status: u16, target: &str) -> Self {
        Self::status(status).header("Location", target)
    }

    /// These bytes, where a client expects HTTP.
    pub(crate) fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        Self { framing: Framing::Raw, ..Self::bytes(bytes) }
    }

    /// Never answers.
    pub(crate) fn silence() -> Self {
        Self { course: Course::Hang(None), ..Self::bytes(Vec::new()) }
    }

    /// Answers with another status.
    pub(crate) fn with_status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    pub(crate) fn etag(mut self, etag: &str) -> Self {
        self.etag = Some(etag.to_owned());
        self
    }

    pub(crate) fn last_modified(mut self, date: &str) -> Self {
        self.last_modified = Some(date.to_owned());
        self
    }

    /// Adds a header; it may come more than once.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sends the whole content whatever part is asked for.
    pub(crate) fn no_ranges(mut self) -> Self {
        self.ranges = Ranges::Ignored;
        self
    }

    /// Claims to send this part when asked for one, and sends the body.
    pub(crate) fn lying_range(mut self, content_range: &str) -> Self {
        self.ranges = Ranges::Lied(content_range.to_owned());
        self
    }

    /// Asks for this `NAME:PASSWORD`.
    pub(crate) fn for_user(mut self, user: &str) -> Self {
        self.user = Some(user.to_owned());
        self
    }

    /// Announces these lengths, and ends the connection after the content.
    pub(crate) fn lengths(mut self, lengths: &[&str]) -> Self {
        self.framing = Framing::Lengths(lengths.iter().map(|&length| length.to_owned()).collect());
        self
    }

    /// Announces no length: the content ends with the connection.
    pub(crate) fn until_close(mut self) -> Self {
        self.framing = Framing::Close;
        self
    }

    pub(crate) fn chunked(self) -> Self {
        self.chunked_as("chunked")
    }

    /// Sends chunks under another name, such as `gzip, chunked`.
    pub(crate) fn chunked_as(mut self, encoding: &'static str) -> Self {
        self.framing = Framing::Chunked(encoding);
        self
    }

    pub(crate) fn broken_chunks(mut self) -> Self {
        self.framing = Framing::BrokenChunks;
        self
    }

    /// Hangs up after so many bytes of content.
    pub(crate) fn cut_after(mut self, bytes: u64) -> Self {
        self.course = Course::Cut(bytes);
        self
    }

    /// Sends nothing more after so many bytes of content.
    pub(crate) fn hang_after(mut self, bytes: u64) -> Self {
        self.course = Course::Hang(Some(bytes));
        self
    }

    /// Sends a few bytes now and then.
    pub(crate) fn drip(mut self, bytes: usize, pause: Duration) -> Self {
        self.course = Course::Drip(bytes, pause);
        self
    }

    /// Answers a request as RFC 9110, sections 13 and 14, has it.
    pub(super) fn reply_to(&self, request: &Request) -> Reply {
        if self.user.as_deref().is_some_and(|user| request.header("Authorization") != Some(&basic(user))) {
            let challenge = ("WWW-Authenticate".to_owned(), "Basic realm=\"test\"".to_owned());
            return Reply { status: 401, headers: vec![challenge], part: 0..0 };
        }
        let all = 0..self.body.len();
        if let Some(status) = self.status {
            return Reply { status, headers: self.own_headers(), part: all };
        }
        if self.is_current(request) {
            return Reply { status: 304, headers: self.own_headers(), part: 0..0 };
        }
        let mut headers = self.own_headers();
        let total = self.body.len();
        let mut part = |status, part, content_range: String| {
            headers.push(("Content-Range".to_owned(), content_range));
            Reply { status, headers: headers.clone(), part }
        };
        match (&self.ranges, request.header("Range")) {
            (Ranges::Lied(claim), Some(_)) => part(206, all, claim.clone()),
            (Ranges::Honoured, Some(range)) if self.may_join(request) => match span(range, total) {
                Some(span) if !span.is_empty() => {
                    part(206, span.clone(), format!("bytes {}-{}/{total}", span.start, span.end - 1))
                }
                Some(_) => part(416, 0..0, format!("bytes */{total}")),
                None => Reply { status: 200, headers, part: all },
            },
            _ => Reply { status: 200, headers, part: all },
        }
    }

    fn own_headers(&self) -> Vec<(String, String)> {
        let own = [("ETag", &self.etag), ("Last-Modified", &self.last_modified)];
        let own = own.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value.clone()?)));
        own.chain(self.headers.iter().cloned()).collect()
    }

    /// `If-None-Match` compares weakly; only without it does the date count.
    fn is_current(&self, request: &Request) -> bool {
        let bare = |etag: &str| etag.trim().trim_start_matches("W/").to_owned();
        match (request.header("If-None-Match"), &self.etag) {
            (Some(asked), Some(etag)) => asked == "*" || asked.split(',').any(|asked| bare(asked) == bare(etag)),
            (Some(_), None) => false,
            (None, _) => {
                request.header("If-Modified-Since").is_some_and(|date| self.last_modified.as_deref() == Some(date))
            }
        }
    }

    /// `If-Range` compares strongly.
    fn may_join(&self, request: &Request) -> bool {
        let Some(asked) = request.header("If-Range") else { return true };
        let same = |own: &Option<String>| own.as_deref() == Some(asked);
        !asked.starts_with("W/") && (same(&self.etag) || same(&self.last_modified))
    }
}

/// Reads `bytes=A-B`, `bytes=A-` or `bytes=-N`; none if it is not understood, and empty if there is no such part.
fn span(text: &str, total: usize) -> Option<Range<usize>> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    if first.is_empty() {
        let count: usize = last.parse().ok()?;
        return Some(total.saturating_sub(count)..total);
    }
    let first = first.parse::<usize>().ok()?.min(total);
    let end = if last.is_empty() { total } else { last.parse::<usize>().ok()?.saturating_add(1).min(total) };
    Some(first..end)
}

/// What `Authorization` holds for a `NAME:PASSWORD` (RFC 7617).
pub(crate) fn basic(user: &str) -> String {
    use base64::Engine as _;

    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(user))
}
