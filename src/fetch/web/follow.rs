//! Sends a request, and follows where it is sent on.

use ureq::Body;
use ureq::http::header::{AUTHORIZATION, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, LOCATION, RANGE};
use ureq::http::{HeaderName, HeaderValue, Response};
use url::Url;

use crate::fetch::trouble::Trouble;
use crate::fetch::validators::Validators;
use crate::fetch::web::client::Client;

/// So many redirects are followed; a circle ends here too.
const MOST_HOPS: usize = 10;

/// What the request says of the bytes that are here.
#[derive(Debug, Clone, Default)]
pub(super) struct Conditions {
    /// Nothing is wanted if this is the newest version.
    pub(super) newer_than: Option<Validators>,
    /// Whether that version is the partial file's own.
    pub(super) of_partial: bool,
    /// Where the bytes go on, if the version still has this validator.
    pub(super) from: Option<(u64, Option<String>)>,
}

/// Asks for `url` and follows redirects. What is secret goes to the first host only.
pub(super) fn ask(
    client: &Client,
    url: &Url,
    headers: &[(String, String)],
    conditions: &Conditions,
    location: &str,
) -> Result<Response<Body>, Trouble> {
    let origin = url.origin();
    let mut url = url.clone();
    for _ in 0..=MOST_HOPS {
        let own = url.origin() == origin;
        let response = send(client, &url, if own { headers } else { &[] }, conditions, location)?;
        if !is_redirect(response.status().as_u16()) {
            return Ok(response);
        }
        let Some(target) = response.headers().get(LOCATION) else {
            return Err(Trouble::lasting(location, "the server sends on to nowhere"));
        };
        url = next(&url, target, origin == url.origin(), location)?;
    }
    Err(Trouble::lasting(location, format!("the server sends on more than {MOST_HOPS} times")))
}

fn is_redirect(status: u16) -> bool {
    matches!(status, 301 | 302 | 303 | 307 | 308)
}

/// Judges where a server sends on to.
fn next(url: &Url, target: &HeaderValue, own: bool, location: &str) -> Result<Url, Trouble> {
    let refuse = |reason: &str| Trouble::lasting(location, reason);
    let target = target.to_str().map_err(|_| refuse("the server sends on to what is no address"))?;
    let mut next = url.join(target).map_err(|_| refuse("the server sends on to what is no address"))?;
    match next.scheme() {
        "https" => {}
        "http" if url.scheme() == "http" => {}
        "http" => return Err(refuse("the server sends on from https to http, where anybody may change the bytes")),
        other => return Err(refuse(&format!("the server sends on to `{other}:`, which is not followed"))),
    }
    // A server cannot give us a user's name; the one we had stays with its host.
    let (name, password) = if own && next.origin() == url.origin() {
        (url.username().to_owned(), url.password().map(str::to_owned))
    } else {
        (String::new(), None)
    };
    // Neither can fail for an address with a host.
    let _ = next.set_username(&name);
    let _ = next.set_password(password.as_deref());
    Ok(next)
}

fn send(
    client: &Client,
    url: &Url,
    headers: &[(String, String)],
    conditions: &Conditions,
    location: &str,
) -> Result<Response<Body>, Trouble> {
    let mut bare = url.clone();
    let _ = bare.set_username("");
    let _ = bare.set_password(None);
    let mut request =
        client.agent(url.scheme() == "https").map_err(|error| trouble(error, location))?.get(bare.as_str());
    if let Some(credentials) = basic(url) {
        request = request.header(AUTHORIZATION, credentials);
    }
    for (name, value) in headers {
        let (Ok(name), Ok(mut value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) else {
            return Err(Trouble::lasting(location, "one of the headers to send is not valid"));
        };
        value.set_sensitive(true);
        request = request.header(name, value);
    }
    if let Some(Validators { etag, last_modified }) = &conditions.newer_than {
        if let Some(etag) = etag {
            request = request.header(IF_NONE_MATCH, etag);
        } else if let Some(date) = last_modified {
            request = request.header(IF_MODIFIED_SINCE, date);
        }
    }
    if let Some((from, validator)) = &conditions.from {
        request = request.header(RANGE, format!("bytes={from}-"));
        if let Some(validator) = validator {
            request = request.header(IF_RANGE, validator);
        }
    }
    request.call().map_err(|error| trouble(error, location))
}

/// Returns the header for a user's name and password (RFC 7617).
fn basic(url: &Url) -> Option<HeaderValue> {
    use base64::Engine as _;

    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let decoded = |text: &str| percent_encoding::percent_decode_str(text).collect::<Vec<u8>>();
    let mut pair = decoded(url.username());
    pair.push(b':');
    pair.extend(decoded(url.password().unwrap_or_default()));
    let text = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair));
    let mut value = HeaderValue::try_from(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Says what went wrong before an answer came, and whether it may go better.
pub(super) fn trouble(error: ureq::Error, location: &str) -> Trouble {
    use ureq::Error as E;

    match error {
        E::Timeout(_) => Trouble::passing(location, "the server does not answer in time"),
        E::HostNotFound => Trouble::passing(location, "its host was not found"),
        E::ConnectionFailed => Trouble::passing(location, "no connection could be made"),
        // What TLS finds wrong comes as data that is not valid, and stays so.
        E::Io(error) if error.kind() == std::io::ErrorKind::InvalidData => {
            Trouble::lasting(location, format!("the connection is not safe: {error}"))
        }
        E::Io(error) => Trouble::passing(location, broken(&error)),
        E::ConnectProxyFailed(reason) => Trouble::passing(location, format!("the proxy refused: {reason}")),
        E::InvalidProxyUrl => Trouble::lasting(location, "the environment names a proxy whose address is not valid"),
        E::Rustls(error) => Trouble::lasting(location, format!("the connection is not safe: {error}")),
        E::Tls(reason) => Trouble::lasting(location, format!("the connection is not safe: {reason}")),
        E::LargeResponseHeader(..) => Trouble::lasting(location, "the server sends headers that are too long"),
        other => Trouble::lasting(location, format!("the server does not speak HTTP as it should: {other}")),
    }
}

/// Says how a connection ended.
fn broken(error: &std::io::Error) -> String {
    use std::io::ErrorKind as K;

    match error.kind() {
        K::ConnectionRefused => "the connection was refused".to_owned(),
        K::ConnectionReset | K::ConnectionAborted | K::BrokenPipe | K::UnexpectedEof | K::NotConnected => {
            "the connection was cut".to_owned()
        }
        K::TimedOut | K::WouldBlock => "nothing comes any more".to_owned(),
        // The standard library has no kind for it.
        _ if error.to_string().starts_with("failed to lookup address") => "its host was not found".to_owned(),
        _ => format!("the connection failed: {error}"),
    }
}
