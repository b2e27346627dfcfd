//! Where bytes come from: the address in a declaration.
//!
//! Why: an address comes from a file somebody else wrote, and may carry a password.
//! Guarantees: what is returned is an absolute path; an error never shows what stands before the
//! last `@` of an address, nor its query, where tokens travel.
//! Must not know: how the bytes are moved.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;

use crate::error::{Error, Result};

/// Returns the path a `file://` URL stands for (RFC 8089: no host or `localhost`, an absolute path,
/// percent-encoded). Every other URL is an [`Error::Invalid`].
pub(crate) fn local_path(url: &str) -> Result<PathBuf> {
    let refuse = |reason: &str| Error::invalid("URL", &presentable(url), reason);
    let (scheme, rest) = url.split_once(':').ok_or_else(|| refuse("it has no scheme such as `file://`"))?;
    if !scheme.eq_ignore_ascii_case("file") {
        return Err(refuse("only `file://` can be fetched by this version"));
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
pub(crate) fn presentable(url: &str) -> String {
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
        local_path(url).expect_err(url).to_string()
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
            refusal("https://example.org/a.tar.gz"),
            "`https://example.org/a.tar.gz` is not a valid URL: only `file://` can be fetched by this version"
        );
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
    fn no_error_shows_credentials() {
        for url in [
            "https://user:secret@example.org/a",
            "https://user:sec/ret@example.org/a",
            "https://user:sec?secret@example.org/a",
            "https://secret@example.org/a?b=c#d",
            "https://example.org/a?token=secret",
            "https://example.org/a#secret",
            "file://user:secret@host/a",
            "user:secret@example.org:a",
            "https:user:secret@example.org",
            "ht!tps://user:secret@example.org",
        ] {
            let text = refusal(url);
            assert!(!text.contains("secret") && !text.contains("user"), "{text}");
        }
        assert!(refusal("https://u:p@example.org/a?b").starts_with("`https://…@example.org/a?…` is"));
    }
}
