//! How to open a store.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::event::{Interrupt, Observer};
use crate::fs::{Fault, Waiting};
use crate::model::{Durability, LinkStyle};
use crate::time::Clock;

/// Where a store lies and how this process uses it.
///
/// ```no_run
/// use ohmyartifacts::{Cache, CacheOptions};
///
/// let cache = Cache::open(CacheOptions::new("/var/cache/models"))?;
/// # Ok::<(), ohmyartifacts::Error>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct CacheOptions {
    pub(super) root: PathBuf,
    pub(super) create: bool,
    pub(super) read_only: bool,
    pub(super) link_style: LinkStyle,
    pub(super) durability: Durability,
    pub(super) clock: Clock,
    pub(super) waiting: Waiting,
    pub(super) fault: Fault,
    pub(super) julia_depots: Vec<PathBuf>,
    pub(super) given_room: Option<(u64, u64)>,
    pub(super) probe_limit: Duration,
    pub(super) user_config: Option<PathBuf>,
    pub(super) lease_session: Option<String>,
    pub(super) holder: Option<String>,
    pub(super) moved: bool,
}

impl CacheOptions {
    /// A store at `root`, made if it does not exist.
    pub fn new(root: impl AsRef<Path>) -> Self {
        Self {
            root: root.as_ref().to_owned(),
            create: true,
            read_only: false,
            link_style: LinkStyle::default(),
            durability: Durability::default(),
            clock: Clock::default(),
            waiting: Waiting { observer: Arc::new(()), interrupt: Interrupt::default(), limit: None },
            fault: Fault::default(),
            julia_depots: Vec::new(),
            given_room: None,
            probe_limit: Duration::from_secs(10),
            user_config: None,
            lease_session: None,
            holder: None,
            moved: false,
        }
    }

    /// Another place for the store.
    pub fn root(self, root: impl AsRef<Path>) -> Self {
        Self { root: root.as_ref().to_owned(), ..self }
    }

    /// Whether a store that does not exist is made (the default). Without, it reads as empty.
    pub fn create(mut self, create: bool) -> Self {
        self.create = create;
        self
    }

    /// Whether this process may only look (it may write by default): a store that does not exist reads as empty,
    /// and one of an older format is refused, not upgraded. SQLite still makes the memory it shares with other
    /// processes, beside the index, where that is missing.
    pub fn read_only(mut self, read_only: bool) -> Self {
        self.read_only = read_only;
        self
    }

    /// How trees refer to their files; counts only when the store is made.
    pub fn link_style(mut self, style: LinkStyle) -> Self {
        self.link_style = style;
        self
    }

    /// What must survive a power cut; counts only when the store is made.
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// What time it is.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Who is told what happens.
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.waiting.observer = observer;
        self
    }

    /// What makes long operations stop.
    pub fn interrupt(mut self, interrupt: Interrupt) -> Self {
        self.waiting.interrupt = interrupt;
        self
    }

    /// How long to wait for other processes; without a limit, for ever.
    pub fn wait(mut self, limit: Option<Duration>) -> Self {
        self.waiting.limit = limit;
        self
    }

    /// Depots of Julia in which a package may be, beside the one its artifacts came from: before gc takes
    /// a package for gone, all of them must be there and say so. See [`julia_depots`](crate::julia_depots).
    pub fn julia_depots(mut self, depots: Vec<PathBuf>) -> Self {
        self.julia_depots = depots;
        self
    }

    /// How long a command may take that says whether an owner exists (ten seconds by default): of one that
    /// takes longer nobody knows.
    pub fn probe_limit(mut self, limit: Duration) -> Self {
        self.probe_limit = limit;
        self
    }

    /// Says how many bytes of the disk are free, and how many it has. For tests.
    #[cfg(feature = "failpoints")]
    pub fn disk_room(mut self, free: u64, total: u64) -> Self {
        self.given_room = Some((free, total));
        self
    }

    /// The user's own configuration, which counts where the store's says nothing. The file need not be
    /// there; without a path, no user is asked. See [`Cache::config`](crate::Cache::config).
    pub fn user_config(mut self, path: Option<PathBuf>) -> Self {
        self.user_config = path;
        self
    }

    /// The job this process is part of, by the session its leases belong to (`oma lease run` hands it over
    /// in `OMA_LEASE`): what is looked up, made or put in here is protected until the job ends. A session
    /// that is unknown or over changes nothing.
    pub fn lease_session(mut self, session: Option<String>) -> Self {
        self.lease_session = session;
        self
    }

    /// Whether it is known that the store may have been moved, so that nothing need be said of it (otherwise the
    /// observer is warned): for somebody who is about to [relocate](crate::Cache::relocate) it.
    pub fn moved(mut self, known: bool) -> Self {
        self.moved = known;
        self
    }

    /// Who holds what is leased here, for people; without, the program's name, its process id and host.
    pub fn holder(mut self, holder: Option<String>) -> Self {
        self.holder = holder;
        self
    }

    /// Stops the program, or fails a call, at a change to the disk. For tests.
    #[cfg(feature = "failpoints")]
    pub fn fault(mut self, fault: Fault) -> Self {
        self.fault = fault;
        self
    }
}
