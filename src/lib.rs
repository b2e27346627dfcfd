//! One content-addressed store for everything programs cache at run time.
//!
//! Programs download data, build models and unpack toolchains, and each hides its own cache
//! somewhere. Here they share one store: equal files are stored once, every package binds names to
//! hashes, and what no package uses any more is recycled after a delay.
//!
//! # The whole story
//!
//! ```
//! use std::time::Duration;
//! use ohmyartifacts::{BindOptions, Cache, CacheOptions, GcPolicy, Source};
//!
//! # let dir = std::env::temp_dir().join(format!("oma-story-{}", std::process::id()));
//! # std::fs::create_dir_all(&dir)?;
//! # std::fs::write(dir.join("iris.names"), "Fisher's iris\n")?;
//! let cache = Cache::open(CacheOptions::new(dir.join("store")))?;
//! let package = cache.owner("flower-models")?;
//!
//! // "Give me this data, make it if it is missing": runs the closure once, whoever asks.
//! let model = package.get_or_create("model", &BindOptions::new(), |workdir| {
//!     std::fs::create_dir(workdir.join("weights"))?;
//!     std::fs::write(workdir.join("weights/layer-1"), "0.5 0.25\n")?;
//!     std::fs::write(workdir.join("labels"), "Fisher's iris\n")
//! })?;
//! assert_eq!(std::fs::read_to_string(model.path.join("weights/layer-1"))?, "0.5 0.25\n");
//!
//! // A file of equal content adds nothing to the store.
//! let names = cache.ingest(&Source::copy(dir.join("iris.names")))?;
//! assert_eq!(names.new_bytes, 0);
//! package.bind("names", &names, &BindOptions::new())?;
//!
//! // Who uses how much, to the byte.
//! let usage = cache.usage()?;
//! assert_eq!(usage.owners[0].exclusive_bytes, usage.stored_bytes);
//!
//! // Letting go deletes nothing. gc does, after a delay, and spares what others share.
//! package.unbind(["model"])?;
//! let plan = cache.gc_plan(&GcPolicy::default().collect_delay(Duration::ZERO))?;
//! assert_eq!(plan.freed_bytes, 9);
//! let report = cache.gc_apply(&plan)?;
//! assert_eq!(report.freed_bytes, 9);
//! assert!(package.path("names")?.is_some_and(|path| path.exists()));
//! # drop(cache);
//! # std::fs::remove_dir_all(&dir)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Words
//!
//! An *object* is what the store holds: a blob (one file) or a tree (one directory). An *artifact* is
//! an object somebody created or bound on purpose. An *owner* keeps artifacts alive by *bindings*:
//! names that stand for hashes. An artifact that no binding, lease or pin reaches is an *orphan*. A
//! *lease* protects an object between create and bind, a *pin* for good. *Condemned* is what gc has
//! chosen.
//!
//! # Invariants
//!
//! - **I1** A live row has its complete, read-only object on disk.
//! - **I2** A file without a row is garbage, never an error.
//! - **I3** An object reachable from a binding, a pin or a lease is never condemned.
//! - **I4** Every object's name equals its content's hash.
//! - **I5** After any prefix of any operation, reopening gives the state before it or after it.
//! - **I6** No listing, dry run or export changes anything.
//!
//! # Order of writes
//!
//! On the way in: stage, hash while writing, flush, then rename *inside* a short write transaction,
//! then rows; files before rows. On the way out: condemn rows and commit durably, rename files into
//! the trash in a second transaction that looks at each row again, empty the trash without a lock;
//! rows before files. The database's write transaction is the one arbiter between processes; locks
//! on files only tell who is alive.
//!
//! # Where to look
//!
//! | floor | modules | know |
//! | --- | --- | --- |
//! | 6 | the program `oma` | this public interface alone |
//! | 5 | `compat` | the Julia world: import, export, fetch, sync |
//! | 4 | `cache` | files and rows: ingest, bind, get, download and refresh, checkout, relocate, owners, leases, gc and undo, verify, attached spaces; the questions: usage, why, what-if, history, contents, report, sql |
//! | 3 | `store`, `index` | the store's files only; rows only |
//! | 3 | `config` | the files that say how a store is run |
//! | 3 | `julia`, `fetch` | the files of Julia's programs; bytes from elsewhere |
//! | 2 | `fs` | changes to the disk, locks, fault points |
//! | 1 | `model`, `error`, `event` | plain data |
//! | 0 | `digest`, `size`, `time`, `text` | values |
//!
//! A module imports only from floors below its own, which a test enforces.

mod cache;
mod compat;
mod config;
mod digest;
mod error;
mod event;
mod fetch;
mod fs;
mod index;
mod julia;
mod model;
mod size;
mod store;
mod text;
mod time;

pub use cache::{
    Arrived, ArrivedName, ArtifactDetails, ArtifactRef, AttachedPlan, AttachedSpace, BindOptions, Binding,
    BindingKeeper, Cache, CacheOptions, Change, CheckedOut, CheckoutOptions, CopiedArtifact, CopiedBy, Delegation,
    Diff, DiffSide, DiffedPath, Download, Duplicate, Duplicates, FileHit, FilePattern, Found, GcFailure, GcForecast,
    GcHeldBack, GcItem, GcLimit, GcPlan, GcReport, GcSkipped, GcSpared, GcUnbound, GcYield, GoneOwner, Got, GroupUsage,
    GroupedUsage, History, HistoryArtifact, HistoryEvent, HistoryQuery, HistorySource, HistoryState, Hold, Ingested,
    Job, Keep, Keeper, LeaseInfo, LetGo, NameHint, OnBehalf, OrphanedArtifact, OwnerDetails, OwnerHandle, OwnerHint,
    OwnerInfo, OwnerRemoval, OwnerSight, OwnerSpec, OwnerUsage, Pack, Packed, PackedArtifact, Part, PinInfo,
    ProbeSight, Reference, Refreshed, RelocateOptions, Relocated, RemovedOwner, Report, ReportAge, ReportArtifact,
    ReportOptions, ReportOwner, ReportSharing, Source, SqlOptions, Stats, TransferOptions, TreeKeeper, UndoReport,
    UndoneBinding, UndoneObject, UnpackOptions, Usage, UsageBy, UsageGroup, UsageSample, UsageSince, VerifyOptions,
    VerifyProblem, VerifyReport, WhatIf, WhatIfItem, WhatIfKept, WhatIfReport, WhereItWent, Why, Within, holder_of,
};
pub use compat::{
    Archived, Declared, ExportOptions, ExportReport, ExportedFile, ExportedText, ImportOptions, ImportReport,
    ImportRow, ImportStatus, PlatformChoice, SyncAction, SyncOptions, SyncRow, julia_depots,
};
pub use config::{Config, ConfigFile, Origin, Setting};
pub use digest::{Digest, DigestPrefix, MIN_PREFIX_DIGITS, ObjectHasher, ParseDigestError, Sha256Sum};
pub use error::{BoxError, Error, ErrorKind, LinkProblem, Result};
pub use event::{Event, Interrupt, Observer, Phase};
#[cfg(feature = "failpoints")]
pub use fs::Fault;
pub use index::{Lease, Pin, Provenance, View, ViewColumn};
pub use model::{
    AgeBand, Artifact, BindingName, CheckoutMode, Class, Column, Declaration, DownloadRecord, DownloadSource,
    Durability, Entry, Filter, FilterKey, FilterKind, GcPolicy, GcRule, LinkPolicy, LinkStyle, Liveness, Manifest,
    Metadata, NamePattern, Node, ObjectKind, OwnerId, OwnerPattern, Room, SqlPart, SqlValue, Unpacking, Verdict,
};
pub use size::{ParseSizeError, format_size, parse_size};
pub use store::ProblemKind;
pub use text::{printable, printable_os, printable_path, shell_word};
pub use time::{Clock, ParseDurationError, ParseTimestampError, Timestamp, format_duration, parse_duration};
