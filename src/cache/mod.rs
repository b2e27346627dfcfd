//! The store as its users see it: files and rows together, in the one safe order.
//!
//! Why: what makes a crash harmless is the order in which files and rows change, and only code that
//! knows both can keep it.
//! Guarantees: the invariants I1 to I6 of the crate's documentation.
//! Must not know: the command line.

mod ask;
pub(crate) mod attached;
pub(crate) mod bind;
mod binding;
mod budget;
mod checkout;
pub(crate) mod claim;
mod config;
mod contents;
mod copy;
mod create;
pub(crate) mod download;
pub(crate) mod enter;
mod find;
mod gc;
mod get;
mod history;
pub(crate) mod ingest;
mod inside;
mod inspect;
mod job;
mod last_use;
mod lease;
pub(crate) mod liveness;
mod open;
mod options;
mod owner;
mod owners;
pub(crate) mod pack;
mod pin;
mod prefix;
mod relocate;
mod report;
pub(crate) mod travel;
mod usage;
mod verify;
mod why;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::fs::Waiting;
use crate::index::{Index, ReadTx, WriteTx};
use crate::store::{Session, Store};
use crate::time::{Clock, Timestamp};

pub use ask::SqlOptions;
pub use attached::{AttachedPlan, AttachedSpace};
pub use bind::{ArtifactRef, BindOptions};
pub use binding::Binding;
pub use checkout::{CheckedOut, CheckoutOptions, Part};
pub use contents::{Change, Diff, DiffSide, DiffedPath, Duplicate, Duplicates, FileHit, FilePattern};
pub use copy::{CopiedArtifact, CopiedBy};
pub use create::Keep;
pub use download::{Download, Refreshed, TransferOptions};
pub use find::{Found, Reference};
pub use gc::{
    GcFailure, GcForecast, GcHeldBack, GcItem, GcLimit, GcPlan, GcReport, GcSkipped, GcSpared, GcUnbound, GcYield,
    UndoReport, UndoneBinding, UndoneObject, WhatIf, WhatIfItem, WhatIfKept, WhatIfReport,
};
pub use get::Got;
pub use history::{History, HistoryArtifact, HistoryEvent, HistoryQuery, HistorySource, HistoryState};
pub use ingest::{Ingested, Source};
pub use inspect::{ArtifactDetails, Stats};
pub use job::{Hold, Job, holder_of};
pub use lease::LeaseInfo;
pub use liveness::{OwnerSight, ProbeSight};
pub use options::CacheOptions;
pub use owner::OwnerHandle;
pub use owners::{
    Delegation, OnBehalf, OrphanedArtifact, OwnerDetails, OwnerInfo, OwnerRemoval, OwnerSpec, RemovedOwner,
};
pub use pack::{Pack, Packed, PackedArtifact, UnpackOptions};
pub use pin::PinInfo;
pub use prefix::{NameHint, OwnerHint};
pub use relocate::{RelocateOptions, Relocated};
pub use report::{Report, ReportAge, ReportArtifact, ReportOptions, ReportOwner, ReportSharing};
pub use travel::{Arrived, ArrivedName};
pub use usage::{GoneOwner, GroupUsage, GroupedUsage, OwnerUsage, Usage, UsageBy, UsageGroup, UsageSample, UsageSince};
pub use verify::{VerifyOptions, VerifyProblem, VerifyReport};
pub use why::{BindingKeeper, Keeper, LetGo, TreeKeeper, WhereItWent, Why, Within};

use last_use::LastUses;

/// A store: the one type a user of this library needs.
///
/// It may be shared between threads; many processes may have the same store open. See the
/// [crate documentation](crate) for a whole story.
pub struct Cache {
    pub(crate) store: Store,
    index: Index,
    clock: Clock,
    julia_depots: Vec<PathBuf>,
    user_config: Option<PathBuf>,
    pub(crate) waiting: Waiting,
    session: Mutex<Option<Arc<Session>>>,
    uses: LastUses,
    /// Free and total bytes of the disk, as a test says.
    given_room: Option<(u64, u64)>,
    /// How long a command may take that says whether an owner exists.
    probe_limit: Duration,
    /// The session of the job this process is part of.
    job: Option<String>,
    /// Who this process is, for people.
    holder: String,
}

impl Cache {
    /// Returns the folder of the store.
    #[must_use]
    pub fn root(&self) -> &Path {
        self.store.layout.root()
    }

    /// Tells whether this process may only read.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.index.is_read_only()
    }

    pub(crate) fn read<T>(&self, ask: impl FnOnce(&ReadTx<'_>) -> Result<T>) -> Result<T> {
        self.index.read(ask)
    }

    pub(crate) fn write<T>(&self, change: impl FnOnce(&WriteTx<'_>) -> Result<T>) -> Result<T> {
        let (result, notices) = self.index.write_and_tell(self.now(), change)?;
        for message in &notices {
            self.waiting.observer.on(&Event::Warning { message });
        }
        Ok(result)
    }

    /// Runs a clean-up. On a full disk it gets the room that was set aside, and another try.
    fn with_reserve<T>(&self, clean_up: impl Fn() -> Result<T>) -> Result<T> {
        let outcome = match clean_up() {
            Err(error) if error.kind() == ErrorKind::OutOfSpace && self.store.give_up_reserve()? => clean_up(),
            outcome => outcome,
        };
        if outcome.is_ok() {
            self.store.remake_reserve();
        }
        outcome
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Returns this process's session, opened when first needed.
    pub(crate) fn session(&self) -> Result<Arc<Session>> {
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(session) = &*session {
            return Ok(session.clone());
        }
        if self.is_read_only() {
            return Err(Error::ReadOnly { path: self.root().to_owned() });
        }
        let begun = Arc::new(Session::begin(&self.store, &mut self.waiting.patience())?);
        *session = Some(begun.clone());
        Ok(begun)
    }
}

impl std::fmt::Debug for Cache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cache").field("root", &self.root()).finish_non_exhaustive()
    }
}

impl Drop for Cache {
    fn drop(&mut self) {
        self.flush_uses();
    }
}
