//! Bytes from elsewhere: transport, archives, and the checks they must pass.
//!
//! Why: what comes from outside is hostile or broken some day, and none of it may reach the store
//! before it was checked.
//! Guarantees: an archive is unpacked only below a private folder, never through a link; nothing but
//! regular files, directories and links inside the tree comes out of it; every wait ends.
//! Must not know: the store, the index, what the bytes are for.

mod address;
mod bring;
mod local;
#[cfg_attr(not(feature = "http"), expect(dead_code, reason = "only HTTP goes on where it stopped"))]
mod partial;
mod sniff;
mod sums;
#[cfg_attr(not(feature = "http"), expect(dead_code, reason = "only HTTP has trouble that passes"))]
mod trouble;
mod unpack;
#[cfg_attr(not(feature = "http"), expect(dead_code, reason = "only HTTP joins two parts"))]
mod validators;
#[cfg(feature = "http")]
mod web;

pub(crate) use address::Address;
pub(crate) use bring::{Brought, Errand, Order, Outcome, bring};
pub(crate) use partial::Partial;
pub(crate) use unpack::{Data, Limits, Passing, Shape, Visitor, unpack, visit};
pub(crate) use validators::Validators;
