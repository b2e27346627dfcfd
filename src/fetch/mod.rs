//! Bytes from elsewhere: transport, archives, and the checks they must pass.
//!
//! Why: what comes from outside is hostile or broken some day, and none of it may reach the store
//! before it was checked.
//! Guarantees: an archive is unpacked only below a private folder, never through a link; nothing but
//! regular files, directories and links inside the tree comes out of it; every wait ends.
//! Must not know: the store, the index, what the bytes are for.

mod sniff;
mod transport;
mod unpack;
mod url;

pub(crate) use transport::{Downloaded, download};
pub(crate) use unpack::{Limits, Unpacked, unpack};
pub(crate) use url::presentable;
