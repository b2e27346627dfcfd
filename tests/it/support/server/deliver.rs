//! Sends an answer, whole or as far as the test wants it to come.

use std::io::{Error, ErrorKind, Result};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use super::answer::{Answer, Course, Framing, Reply};
use super::wire::{Request, Stream};
use super::{Shared, lock};

/// Content goes out in pieces of this size; a chunk has as many bytes.
const PIECE: usize = 256 * 1024;
/// How often an answer that hangs looks whether the test is over.
const NAP: Duration = Duration::from_millis(20);

/// Where the log has the request.
pub(super) struct Delivery<'a> {
    pub(super) shared: &'a Shared,
    pub(super) number: usize,
}

/// Answers; tells whether the connection can be used again.
pub(super) fn deliver(
    stream: &mut impl Stream,
    answer: &Answer,
    request: &Request,
    delivery: &Delivery<'_>,
) -> Result<bool> {
    if matches!(answer.course, Course::Hang(None)) {
        return Err(delivery.hang());
    }
    if matches!(answer.framing, Framing::Raw) {
        stream.write_all(&answer.body)?;
        stream.flush()?;
        return Ok(false);
    }
    let reply = answer.reply_to(request);
    delivery.note_status(reply.status);
    stream.write_all(head(answer, &reply).as_bytes())?;
    stream.flush()?;
    let bare = request.method == "HEAD" || matches!(reply.status, 204 | 304);
    if !bare {
        let content = &answer.body[reply.part];
        let mut sender = Sender { stream, framing: &answer.framing, delivery };
        sender.send(content, answer.course)?;
    }
    Ok(matches!(answer.framing, Framing::Length | Framing::Chunked(_)))
}

fn head(answer: &Answer, reply: &Reply) -> String {
    let mut lines = vec![format!("HTTP/1.1 {} {}", reply.status, words(reply.status))];
    let mut add = |name: &str, value: &str| lines.push(format!("{name}: {value}"));
    for (name, value) in &reply.headers {
        add(name, value);
    }
    match &answer.framing {
        Framing::Length if reply.status == 204 || reply.status == 304 => {}
        Framing::Length => add("Content-Length", &reply.part.len().to_string()),
        Framing::Lengths(lengths) => lengths.iter().for_each(|length| add("Content-Length", length)),
        Framing::Chunked(encoding) => add("Transfer-Encoding", encoding),
        Framing::BrokenChunks => add("Transfer-Encoding", "chunked"),
        Framing::Close | Framing::Raw => {}
    }
    if !matches!(answer.framing, Framing::Length | Framing::Chunked(_)) {
        add("Connection", "close");
    }
    lines.join("\r\n") + "\r\n\r\n"
}

fn words(status: u16) -> &'static str {
    match status {
        200 => "OK",
        206 => "Partial Content",
        304 => "Not Modified",
        401 => "Unauthorized",
        404 => "Not Found",
        416 => "Range Not Satisfiable",
        _ => "As Asked For",
    }
}

struct Sender<'a, S> {
    stream: &'a mut S,
    framing: &'a Framing,
    delivery: &'a Delivery<'a>,
}

impl<S: Stream> Sender<'_, S> {
    fn send(&mut self, content: &[u8], course: Course) -> Result<()> {
        match course {
            Course::Whole => self.pieces(content, PIECE, Duration::ZERO)?,
            Course::Drip(bytes, pause) => self.pieces(content, bytes, pause)?,
            Course::Cut(bytes) => {
                self.beginning(content, bytes)?;
                return Err(ErrorKind::ConnectionAborted.into());
            }
            Course::Hang(bytes) => {
                self.beginning(content, bytes.unwrap_or_default())?;
                return Err(self.delivery.hang());
            }
        }
        if matches!(self.framing, Framing::Chunked(_)) {
            self.stream.write_all(b"0\r\nX-Trailer: of no interest\r\n\r\n")?;
        }
        self.stream.flush()
    }

    fn pieces(&mut self, content: &[u8], size: usize, pause: Duration) -> Result<()> {
        for piece in content.chunks(size) {
            self.piece(piece, piece.len())?;
            self.delivery.rest(pause)?;
        }
        Ok(())
    }

    /// Sends so many bytes; a chunk that is not whole was announced as if it were.
    fn beginning(&mut self, content: &[u8], bytes: u64) -> Result<()> {
        let end = usize::try_from(bytes).unwrap_or(usize::MAX).min(content.len());
        for at in (0..end).step_by(PIECE) {
            let piece = &content[at..content.len().min(at + PIECE)];
            self.piece(&piece[..piece.len().min(end - at)], piece.len())?;
        }
        self.stream.flush()
    }

    /// Sends a piece of a chunk of this size.
    fn piece(&mut self, piece: &[u8], chunk: usize) -> Result<()> {
        let before = match self.framing {
            Framing::Chunked(_) => format!("{chunk:x};name=value\r\n"),
            Framing::BrokenChunks => "many\r\n".to_owned(),
            _ => String::new(),
        };
        self.stream.write_all(before.as_bytes())?;
        self.delivery.note_sent(piece.len());
        self.stream.write_all(piece)?;
        if !before.is_empty() && piece.len() == chunk {
            self.stream.write_all(b"\r\n")?;
        }
        Ok(())
    }
}

impl Delivery<'_> {
    fn note_status(&self, status: u16) {
        lock(&self.shared.log)[self.number].status = status;
    }

    fn note_sent(&self, bytes: usize) {
        lock(&self.shared.log)[self.number].sent += bytes as u64;
    }

    fn rest(&self, pause: Duration) -> Result<()> {
        if self.shared.closing.load(Ordering::Acquire) {
            return Err(ErrorKind::ConnectionAborted.into());
        }
        if !pause.is_zero() {
            thread::sleep(pause);
        }
        Ok(())
    }

    /// Holds the connection open until the test is over.
    fn hang(&self) -> Error {
        loop {
            if let Err(over) = self.rest(NAP) {
                return over;
            }
        }
    }
}
