//! Where bytes come from: an address as a person or a file gives it.
//!
//! Why: an address comes from outside, may carry a password or a token, and is written down and shown.
//! Guarantees: a path is absolute; what is shown or stored never holds a user's name, a password, or a
//! query that may be secret.
//! Must not know: how the bytes are moved.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;

use url::Url;

use crate::error::{Error, Result};

/// Parts of a query's key that speak of a secret, as the signed addresses of cloud stores have them.
const SECRET_KEYS: [&str; 14] =
    ["auth", "code", "cred", "hash", "hmac", "jwt", "key", "md5", "pass", "pwd", "secret", "session", "sig", "token"];
/// A longer value in a query may be a secret, whatever its key.
const LONGEST_HARMLESS: usize = 32;

/// Where bytes come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    place: Place,
    kept: String,
    whole: bool,
}

/// How the bytes are reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// A file of this machine.
    File(PathBuf),
    /// `http` or `https`.
    Web(Url),
}

impl Address {
    /// Reads a URL: `file://`, `http://` or `https://`.
    ///
    /// # Errors
    /// [`Error::Invalid`], which shows nothing secret.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let scheme = text.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase());
        match scheme.as_deref() {
            Some("http" | "https") => Self::web(text),
            _ => Self::file(text),
        }
    }

    fn file(text: &str) -> Result<Self> {
        let path = local_path(text)?;
        // Written one way, with every byte that is not plain encoded.
        let kept = Url::from_file_path(&path).map_or_else(|()| text.to_owned(), |url| url.to_string());
        Ok(Self { place: Place::File(path), kept, whole: true })
    }

    fn web(text: &str) -> Result<Self> {
        let refuse = |reason: &str| Error::invalid("URL", &presentable(text), reason);
        let mut url = Url::parse(text).map_err(|error| refuse(&error.to_string()))?;
        if url.host_str().is_none_or(str::is_empty) {
            return Err(refuse("it names no host"));
        }
        // What stands behind `#` is for the reader of the page, and is never sent.
        url.set_fragment(None);
        let (kept, whole) = kept(&url);
        Ok(Self { place: Place::Web(url), kept, whole })
    }

    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// Returns the address as it may be shown and stored. A secret query is left out and `?…` stands for it.
    pub(crate) fn kept(&self) -> &str {
        &self.kept
    }

    /// Tells whether what is kept leads to the same bytes, without anybody's password.
    pub(crate) fn is_whole(&self) -> bool {
        self.whole
    }
}

fn kept(url: &Url) -> (String, bool) {
    let mut shown = url.clone();
    let open = url.username().is_empty() && url.password().is_none();
    // Neither can fail for an address with a host.
    let _ = shown.set_username("");
    let _ = shown.set_password(None);
    if url.query().is_none() || has_harmless_query(url) {
        return (shown.to_string(), open);
    }
    shown.set_query(None);
    (format!("{shown}?…"), false)
}

fn has_harmless_query(url: &Url) -> bool {
    url.query_pairs().all(|(key, value)| {
        let key = key.to_ascii_lowercase();
        key.len() <= LONGEST_HARMLESS
            && value.len() <= LONGEST_HARMLESS
            && !SECRET_KEYS.iter().any(|secret| key.contains(secret))
    })
}

/// Returns the path a `file://` URL stands for (RFC 8089: no host or `localhost`, an absolute path,
/// percent-encoded). Every other URL is an [`Error::Invalid`].
fn local_path(url: &str) -> Result<PathBuf> {
    let refuse = |reason: &str| Error::invalid("URL", &presentable(url), reason);
    let (scheme, rest) = url.split_once(':').ok_or_else(|| refuse("it has no scheme such as `https://`"))?;
    if !scheme.eq_ignore_ascii_case("file") {
        return Err(refuse("only `https://`, `http://` and `file://` are understood"));
    }
    let rest = rest.strip_prefix("//").ok_or_else(|| refuse("`//` is missing after `file:`"))?;
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    if !host.is_empty() && !host.eq_ignore_ascii_case("localhost") {
        return Err(refuse("the file lies on another host"));
    }
    if path.is_empty() {
        return Err(refuse("it has no path"));
    }
    if path.contains(['?', '#']) {
        return Err(refuse("a `?` or `#` in a file's name is written `%3F` or `%23`"));
    }
    let bytes = percent_decoded(path).ok_or_else(|| refuse("a `%` is not followed by two hex digits"))?;
    if bytes.contains(&0) {
        return Err(refuse("a file's name cannot hold a zero byte"));
    }
    Ok(PathBuf::from(OsString::from_vec(bytes)))
}

/// Returns an address as it may be shown: without user, password and query.
fn presentable(url: &str) -> String {
    let (scheme, rest) = match url.split_once("://") {
        Some((scheme, rest)) if is_scheme(scheme) => (format!("{scheme}://"), rest),
        _ => (String::new(), url),
    };
    // A password may hold any character but must not be shown, so the last `@` counts.
    let (hidden, rest) = rest.rsplit_once('@').map_or(("", rest), |(_, rest)| ("…@", rest));
    match rest.find(['?', '#']) {
        Some(end) => format!("{scheme}{hidden}{}?…", &rest[..end]),
        None => format!("{scheme}{hidden}{rest}"),
    }
}

/// RFC 3986, section 3.1.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
}

fn percent_decoded(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(if byte == b'%' { hex_digit(rest.next()?)? << 4 | hex_digit(rest.next()?)? } else { byte });
    }
    Some(bytes)
}

fn hex_digit(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(url: &str) -> String {
        local_path(url).unwrap_or_else(|error| panic!("{url}: {error}")).to_str().expect("UTF-8").to_owned()
    }

    fn refusal(url: &str) -> String {
        Address::parse(url).expect_err(url).to_string()
    }

    fn kept(url: &str) -> (String, bool) {
        let address = Address::parse(url).unwrap_or_else(|error| panic!("{url}: {error}"));
        (address.kept, address.whole)
    }

    #[test]
    fn a_file_url_stands_for_an_absolute_path() {
        assert_eq!(path("file:///a/b.tar.gz"), "/a/b.tar.gz");
        assert_eq!(path("FILE://LocalHost/a"), "/a");
        assert_eq!(path("file:///with%20space/%C3%A9/100%25"), "/with space/é/100%");
        assert_eq!(local_path("file:///%ff").expect("any byte").into_os_string().into_vec(), b"/\xff");
        assert_eq!(path("file:///a@b"), "/a@b");
    }

    #[test]
    fn what_is_no_local_file_is_refused_with_the_reason() {
        assert_eq!(
            refusal("ftp://example.org/a.tar.gz"),
            "`ftp://example.org/a.tar.gz` is not a valid URL: only `https://`, `http://` and `file://` are understood"
        );
        assert!(refusal("https://").ends_with("empty host"));
        assert!(refusal("https://exa mple.org/").contains("invalid"));
        assert!(refusal("http://[::1/a").contains("invalid"));
        assert!(refusal("file://server/share").ends_with("the file lies on another host"));
        assert!(refusal("file:/a").contains("`//` is missing"));
        assert!(refusal("file://").ends_with("it has no path"));
        assert!(refusal("file://localhost").ends_with("it has no path"));
        assert!(refusal("/a/b").contains("no scheme"));
        assert!(refusal("").contains("no scheme"));
        for bad in ["file:///%", "file:///%4", "file:///%zz", "file:///%é"] {
            assert!(refusal(bad).contains("two hex digits"), "{bad}");
        }
        assert!(refusal("file:///a%00b").contains("zero byte"));
        assert!(refusal("file:///a?b").contains("%3F"));
    }

    #[test]
    fn what_is_kept_holds_no_secret() {
        let whole = |url: &str| (url.to_owned(), true);
        let part = |url: &str| (url.to_owned(), false);
        assert_eq!(kept("https://example.org/a.tar.gz#top"), whole("https://example.org/a.tar.gz"));
        assert_eq!(kept("HTTP://Example.org:80/a?download=1&v=2"), whole("http://example.org/a?download=1&v=2"));
        assert_eq!(kept("https://user:pass@example.org/a"), part("https://example.org/a"));
        assert_eq!(kept("https://user@example.org/a"), part("https://example.org/a"));
        assert_eq!(kept("https://example.org/a?X-Amz-Signature=1"), part("https://example.org/a?…"));
        assert_eq!(kept("https://example.org/a?v=1&Access_Token=1"), part("https://example.org/a?…"));
        let long = format!("https://example.org/a?v={}", "x".repeat(33));
        assert_eq!(kept(&long), part("https://example.org/a?…"));
        assert_eq!(kept("file:///a%20b"), whole("file:///a%20b"));
        assert_eq!(kept("FILE://localhost/é\x1b\\%0a"), whole("file:///%C3%A9%1B%5C%0A"));
    }

    #[test]
    fn no_error_shows_credentials() {
        for url in [
            "https://user:secret@exa mple.org/a",
            "https://user:sec/ret@exa[mple.org/a",
            "https://secret@exa[mple.org/a?b=c#d",
            "https://[::1/a?token=secret",
            "https://[::1/a#secret",
            "ftp://user:secret@example.org/a",
            "file://user:secret@host/a",
            "user:secret@example.org:a",
            "ht!tps://user:secret@example.org",
        ] {
            let text = refusal(url);
            assert!(!text.contains("secret") && !text.contains("user"), "{text}");
        }
        assert!(refusal("ftp://u:p@example.org/a?b").starts_with("`ftp://…@example.org/a?…` is"));
    }
}
