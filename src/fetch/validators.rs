//! What tells one version of the bytes behind an address from another (RFC 9110, section 8.8).

use serde::{Deserialize, Serialize};

/// Longer ones are no validators but an attack.
const LONGEST: usize = 1_024;

/// The validators a server gave with some bytes; both absent if it gave none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Validators {
    /// The `ETag`, quotes and all.
    pub(crate) etag: Option<String>,
    /// The `Last-Modified` date, as the server wrote it.
    pub(crate) last_modified: Option<String>,
}

impl Validators {
    /// Takes what can be sent back as it is.
    pub(crate) fn new(etag: Option<&str>, last_modified: Option<&str>) -> Self {
        let usable = |text: &&str| {
            !text.is_empty() && text.len() <= LONGEST && text.bytes().all(|byte| (0x20..0x7f).contains(&byte))
        };
        Self {
            etag: etag.filter(usable).map(str::to_owned),
            last_modified: last_modified.filter(usable).map(str::to_owned),
        }
    }

    /// Tells whether the server can be asked for something newer.
    pub(crate) fn any(&self) -> bool {
        self.etag.is_some() || self.last_modified.is_some()
    }

    /// Returns what `If-Range` may hold: a strong validator. A weak one says that two versions mean the
    /// same, not that their bytes are the same.
    pub(crate) fn for_range(&self) -> Option<&str> {
        let strong = self.etag.as_deref().filter(|etag| !etag.starts_with("W/"));
        match (&self.etag, strong) {
            (_, Some(strong)) => Some(strong),
            (Some(_), None) => None,
            (None, None) => self.last_modified.as_deref(),
        }
    }

    /// Tells whether an answer that bears these may be of the same version as one that bore `self`.
    pub(crate) fn may_match(&self, other: &Self) -> bool {
        let agree = |a: &Option<String>, b: &Option<String>| match (a, b) {
            (Some(a), Some(b)) => a == b,
            _ => true,
        };
        agree(&self.etag, &other.etag) && agree(&self.last_modified, &other.last_modified)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_strong_validators_join_two_parts() {
        let range = |etag, date| Validators::new(etag, date).for_range().map(str::to_owned);
        let date = Some("Wed, 01 Jan 2025 00:00:00 GMT");
        assert_eq!(range(Some("\"a\""), date).as_deref(), Some("\"a\""));
        assert_eq!(range(Some("W/\"a\""), date), None);
        assert_eq!(range(None, date).as_deref(), date);
        assert_eq!(range(None, None), None);
    }

    #[test]
    fn what_cannot_be_sent_back_is_not_kept() {
        assert!(!Validators::new(Some("\"a\nb\""), Some("")).any());
        assert!(!Validators::new(Some(&"x".repeat(2_000)), None).any());
    }
}
