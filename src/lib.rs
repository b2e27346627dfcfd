//! One content-addressed store for everything programs cache at run time.
#![forbid(unsafe_code)]

mod cache;
mod digest;
mod error;
mod event;
mod fs;
mod index;
mod model;
mod store;
mod text;
mod time;

pub use cache::{
    ArtifactDetails, ArtifactRef, BindOptions, Binding, Cache, CacheOptions, Found, GcFailure, GcItem, GcPlan,
    GcPolicy, GcReport, GcSpared, Got, Ingested, Keep, OwnerHandle, OwnerInfo, OwnerUsage, Reference, Source, Stats,
    Usage, VerifyOptions, VerifyProblem, VerifyReport,
};
pub use digest::{Digest, DigestPrefix, MIN_PREFIX_DIGITS, ObjectHasher, ParseDigestError};
pub use error::{BoxError, Error, ErrorKind, LinkProblem, Result};
pub use event::{Event, Interrupt, Observer, Phase};
#[cfg(feature = "failpoints")]
pub use fs::Fault;
pub use index::{Lease, Pin, Provenance};
pub use model::{
    Artifact, BindingName, Durability, Entry, LinkPolicy, LinkStyle, Manifest, Metadata, Node, ObjectKind, OwnerId,
};
pub use store::ProblemKind;
pub use text::{printable, printable_os, printable_path};
pub use time::{Clock, ParseDurationError, ParseTimestampError, Timestamp, parse_duration};
