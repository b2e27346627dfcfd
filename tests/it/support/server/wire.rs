//! Requests as they come from the socket.

use std::io::{Read, Write};

/// Nobody sends longer headers here.
const LONGEST: usize = 256 * 1024;

/// A connection, secure or not.
pub(super) trait Stream: Read + Write {}

impl<T: Read + Write> Stream for T {}

/// A request, and what was answered.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// The target as it was sent, query and all.
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    /// The status of the answer; 0 if none went out.
    pub(crate) status: u16,
    /// How many bytes of content went out.
    pub(crate) sent: u64,
}

impl Request {
    /// Reads the next request; none when the other side hangs up, or does not speak HTTP.
    pub(super) fn read(stream: &mut impl Read) -> Option<Self> {
        let text = read_head(stream)?;
        let mut lines = text.split("\r\n");
        let mut words = lines.next()?.split(' ');
        let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
        let headers = lines.filter_map(|line| line.split_once(':'));
        let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect();
        Some(Self { method, path, headers, status: 0, sent: 0 })
    }

    /// The value of a header, whatever the case of its name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// Reads to the empty line and not a byte further: what follows may be somebody else's.
fn read_head(stream: &mut impl Read) -> Option<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() > LONGEST || stream.read_exact(&mut byte).is_err() {
            return None;
        }
        head.push(byte[0]);
    }
    String::from_utf8(head).ok()
}
