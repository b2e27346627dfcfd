//! What every command needs: the store, the owner, a place for its output.

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::time::Duration;

use serde::Serialize;

use ohmyartifacts::{Cache, CacheOptions, Clock, Error, Found, Interrupt, OwnerId, Reference, Timestamp};

use crate::cli::args::owner::OnBehalf;
use crate::cli::args::{Color, Global, ListArgs};
use crate::cli::failure::{Failure, quoted};
use crate::cli::output::Printer;
use crate::cli::progress::Progress;
use crate::cli::render::{Format, write_rows};

pub(super) struct Context {
    pub(super) out: Printer,
    pub(super) progress: Arc<Progress>,
    pub(super) quiet: bool,
    pub(super) verbose: bool,
    store: PathBuf,
    owner: Option<OwnerId>,
    options: CacheOptions,
    clock: Clock,
}

impl Context {
    pub(super) fn new(global: &Global) -> Result<Self, Failure> {
        choose_color(global.color);
        let store = match &global.store {
            Some(store) => store.clone(),
            None => default_store()?,
        };
        let clock = clock()?;
        let progress = Arc::new(Progress::new(global.quiet, global.verbose > 0));
        let options = CacheOptions::new(&store)
            .clock(clock.clone())
            .wait(global.wait)
            .observer(progress.clone())
            .interrupt(catch_signals())
            .julia_depots(julia_depots())
            .user_config(user_config())
            .lease_session(text_of("OMA_LEASE"))
            .holder(text_of("OMA_LEASE_HOLDER"));
        Ok(Self {
            out: Printer::new(global.json),
            progress,
            quiet: global.quiet,
            verbose: global.verbose > 0,
            store,
            owner: global.owner.clone(),
            options: with_fault(options)?,
            clock,
        })
    }

    /// Opens the store to change it; made if it does not exist.
    pub(super) fn open(&self) -> Result<Cache, Failure> {
        Ok(Cache::open(self.options.clone())?)
    }

    /// Opens the store that is there, to clean it up if nobody else is at work: it waits for nobody.
    pub(super) fn open_quietly(&self) -> Option<Cache> {
        let hasty = self.options.clone().wait(Some(Duration::ZERO)).probe_limit(Duration::from_millis(200));
        let options = hasty.create(false).observer(Arc::new(()));
        Cache::open(options).ok().filter(|_| self.store.exists())
    }

    /// Opens the store for a job; `holder` says to people whose it is.
    pub(super) fn open_for(&self, holder: String) -> Result<Cache, Failure> {
        Ok(Cache::open(self.options.clone().holder(Some(holder)))?)
    }

    /// Opens the store to look at it; one that does not exist reads as empty.
    pub(super) fn look(&self) -> Result<Cache, Failure> {
        let cache = Cache::open(self.options.clone().create(false))?;
        if !self.store.exists() {
            let store = ohmyartifacts::printable_path(&self.store);
            self.say(&format!("there is no store at `{store}` yet; the first command that writes makes it"));
        }
        Ok(cache)
    }

    /// Opens the store that must be there, wherever it was before.
    pub(super) fn open_there(&self) -> Result<Cache, Failure> {
        if !self.store.join("index.sqlite").exists() {
            let store = ohmyartifacts::printable_path(&self.store);
            return Err(Failure::not_found(&format!("there is no store at `{store}`")));
        }
        Ok(Cache::open(self.options.clone().create(false).moved(true))?)
    }

    /// Returns the options to make a store with.
    pub(super) fn options(&self, dir: Option<PathBuf>) -> CacheOptions {
        match dir {
            Some(dir) => self.options.clone().root(dir),
            None => self.options.clone(),
        }
    }

    pub(super) fn store(&self) -> &std::path::Path {
        &self.store
    }

    pub(super) fn owner(&self) -> Option<&OwnerId> {
        self.owner.as_ref()
    }

    /// Returns the owner, or says that one is needed.
    pub(super) fn need_owner(&self) -> Result<&OwnerId, Failure> {
        self.owner.as_ref().ok_or_else(|| {
            Failure::usage("an owner is needed to know whose name this is")
                .hint("pass `--owner KEY`, or set it once with `export OMA_OWNER=KEY`")
        })
    }

    /// Returns whose name is meant, and who binds it if that is somebody else.
    pub(super) fn binder(&self, on_behalf: &OnBehalf) -> Result<(OwnerId, Option<OwnerId>), Failure> {
        let owner = self.need_owner()?.clone();
        Ok(match &on_behalf.downstream {
            Some(downstream) => (downstream.clone(), Some(owner)),
            None => (owner, None),
        })
    }

    pub(super) fn find(&self, cache: &Cache, reference: &str) -> Result<Found, Failure> {
        let found = cache.find(Reference::new(reference, self.owner()));
        found.map_err(|error| self.not_found(cache, reference, error))
    }

    /// As [`Context::find`], for verbs that only look: what they show is not used by that.
    pub(super) fn look_at(&self, cache: &Cache, reference: &str) -> Result<Found, Failure> {
        let found = cache.look_at(Reference::new(reference, self.owner()));
        found.map_err(|error| self.not_found(cache, reference, error))
    }

    /// What is not here may be declared.
    pub(super) fn not_found(&self, cache: &Cache, reference: &str, error: Error) -> Failure {
        let declared = self.declared_as(cache, reference);
        let hint = declared.map(|(owner, name)| {
            let (owner, name) = (quoted(&owner.to_string()), quoted(&name));
            format!("it is declared; `oma fetch --owner {owner} {name}` brings it")
        });
        match (error, hint) {
            (error @ (Error::NoSuchBinding { .. } | Error::UnknownReference { .. }), Some(hint)) => {
                Failure::from(error).hint(&hint)
            }
            (error, _) => error.into(),
        }
    }

    /// Returns whose declaration a reference means, if it means one: a name, or `OWNER:NAME`.
    fn declared_as(&self, cache: &Cache, reference: &str) -> Option<(OwnerId, String)> {
        let declares = |owner: &OwnerId, name: &str| {
            cache.declared(Some(owner)).is_ok_and(|declared| declared.iter().any(|declared| declared.name == name))
        };
        let given = self.owner().map(|owner| (owner.clone(), reference));
        let colons = reference.match_indices(':');
        let spelt = colons.filter_map(|(at, _)| Some((reference[..at].parse::<OwnerId>().ok()?, &reference[at + 1..])));
        let mut meant = given.into_iter().chain(spelt);
        meant.find(|(owner, name)| declares(owner, name)).map(|(owner, name)| (owner, name.to_owned()))
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Writes rows for another program, if one asked; false if it is a person who is to read them.
    pub(super) fn writes_rows<T: Serialize>(&self, rows: &[T], list: &ListArgs) -> Result<bool, Failure> {
        match self.format(list)? {
            Format::Table => return Ok(false),
            format => write_rows(&self.out, rows, format)?,
        }
        Ok(true)
    }

    /// Returns how a list is to be written.
    pub(super) fn format(&self, list: &ListArgs) -> Result<Format, Failure> {
        Format::choose(list.format, self.out.json)
    }

    /// Says something to the person at the terminal, unless told to be quiet.
    pub(super) fn say(&self, sentence: &str) {
        if !self.quiet {
            self.progress.say(sentence);
        }
    }
}

/// What a job hands to its processes; what is no text is not from us.
fn text_of(variable: &str) -> Option<String> {
    std::env::var(variable).ok().filter(|text| !text.is_empty())
}

fn choose_color(color: Color) {
    let choice = match color {
        Color::Auto => return,
        Color::Always => anstream::ColorChoice::Always,
        Color::Never => anstream::ColorChoice::Never,
    };
    choice.write_global();
}

/// Returns a folder that a variable names; a relative one means nothing, as XDG has it.
fn absolute(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute())
}

fn user_config() -> Option<PathBuf> {
    let folder = absolute("XDG_CONFIG_HOME").or_else(|| absolute("HOME").map(|home| home.join(".config")));
    folder.map(|folder| folder.join("ohmyartifacts/config.toml"))
}

pub(super) fn default_store() -> Result<PathBuf, Failure> {
    if let Some(data) = absolute("XDG_DATA_HOME") {
        return Ok(data.join("ohmyartifacts"));
    }
    absolute("HOME").map(|home| home.join(".local/share/ohmyartifacts")).ok_or_else(|| {
        Failure::usage("there is no home directory to keep the store in")
            .hint("pass `--store DIR`, or set it once with `export OMA_STORE=DIR`")
    })
}

/// Where packages may be. A default depot that nobody made says nothing; but where the home itself is
/// missing, it may be out of reach only, and then nobody may be taken for gone.
fn julia_depots() -> Vec<PathBuf> {
    let mut depots = ohmyartifacts::julia_depots(&[]);
    if std::env::var_os("JULIA_DEPOT_PATH").is_none() {
        depots.retain(|depot| depot.exists() || !depot.parent().is_some_and(std::path::Path::is_dir));
    }
    depots
}

/// `OMA_TEST_NOW` fixes the clock, for tests.
fn clock() -> Result<Clock, Failure> {
    match std::env::var("OMA_TEST_NOW") {
        Ok(text) => text.parse().map(Clock::fixed).map_err(|error| Failure::usage(&format!("`OMA_TEST_NOW`: {error}"))),
        Err(_) => Ok(Clock::System),
    }
}

/// Whether a question stands on the terminal. Nothing has been begun then, so stopping is safe.
static ASKING: AtomicBool = AtomicBool::new(false);

/// Asks a question that `y` answers with yes.
pub(super) fn asked(question: &str) -> Result<bool, Failure> {
    let answer = answered(&format!("{question} [y/N]"))?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// Asks for a line.
pub(super) fn answered(question: &str) -> Result<String, Failure> {
    ASKING.store(true, Ordering::SeqCst);
    let answer = read_answer(question).map_err(|error| Failure::io("could not ask", &error));
    ASKING.store(false, Ordering::SeqCst);
    answer
}

fn read_answer(question: &str) -> std::io::Result<String> {
    let mut stderr = std::io::stderr();
    write!(stderr, "{question} ")?;
    stderr.flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(answer)
}

/// The command that is running on somebody's behalf and that signals are for; 0: none.
static COMMAND: AtomicI32 = AtomicI32::new(0);

/// While this lives, signals are for the command and do not stop this program, which waits for it.
pub(super) struct Attending;

impl Attending {
    pub(super) fn begin(command: &std::process::Child) -> Self {
        COMMAND.store(i32::try_from(command.id()).unwrap_or_default(), Ordering::SeqCst);
        Self
    }
}

impl Drop for Attending {
    fn drop(&mut self) {
        COMMAND.store(0, Ordering::SeqCst);
    }
}

/// At a terminal Ctrl-C reaches the command itself, as one of the foreground. Elsewhere whoever stops this
/// program may know nothing of the command, so it is told.
fn pass_on(command: rustix::process::Pid) {
    if !std::io::stdin().is_terminal() {
        // It may just have ended.
        let _ = rustix::process::kill_process(command, rustix::process::Signal::TERM);
    }
}

/// Ctrl-C asks to stop; a second one, and one at a question, does not ask.
fn catch_signals() -> Interrupt {
    let interrupt = Interrupt::default();
    let asked = interrupt.clone();
    let handler = move || {
        if let Some(command) = rustix::process::Pid::from_raw(COMMAND.load(Ordering::SeqCst)) {
            return pass_on(command);
        }
        if asked.requested() || ASKING.load(Ordering::SeqCst) {
            std::process::exit(i32::from(super::Exit::Interrupted.code()));
        }
        asked.request();
    };
    // Without a handler the system's own way to stop still works.
    let _ = ctrlc::set_handler(handler);
    interrupt
}

#[cfg(feature = "failpoints")]
fn with_fault(options: CacheOptions) -> Result<CacheOptions, Failure> {
    match std::env::var("OMA_FAULT") {
        Ok(text) => text.parse().map(|fault| options.fault(fault)).map_err(|error: String| Failure::usage(&error)),
        Err(_) => Ok(options),
    }
}

#[cfg(not(feature = "failpoints"))]
#[expect(clippy::unnecessary_wraps, reason = "the other build can fail")]
fn with_fault(options: CacheOptions) -> Result<CacheOptions, Failure> {
    Ok(options)
}

/// A file of metadata may not be larger than this.
const LARGEST_META: u64 = 16 * 1024 * 1024;

/// Reads a small regular file: nothing that could block or never end.
pub(super) fn read_capped(path: &std::path::Path, most: u64) -> std::io::Result<String> {
    use std::io::{Error, ErrorKind};
    let found = std::fs::metadata(path)?;
    if !found.is_file() {
        return Err(Error::new(ErrorKind::InvalidInput, "it is not a regular file"));
    }
    if found.len() > most {
        let size = crate::cli::render::human_size(most);
        return Err(Error::new(ErrorKind::FileTooLarge, format!("it is larger than {size}")));
    }
    std::fs::read_to_string(path)
}

/// Reads the metadata options of a binding.
pub(super) fn metadata(meta: &super::args::Meta) -> Result<Option<ohmyartifacts::Metadata>, Failure> {
    use ohmyartifacts::Metadata;
    let pairs = (!meta.pairs.is_empty()).then(|| Metadata::from_pairs(meta.pairs.clone()));
    let Some(path) = &meta.file else { return Ok(pairs) };
    let shown = ohmyartifacts::printable_path(path);
    let text =
        read_capped(path, LARGEST_META).map_err(|error| Failure::io(&format!("could not read `{shown}`"), &error))?;
    let document = Metadata::from_document(&text).map_err(|error| match error {
        Error::Invalid { reason, .. } => Failure::usage(&format!("`{shown}` is not TOML")).cause(&reason),
        other => other.into(),
    })?;
    Ok(Some(match pairs {
        Some(pairs) => document.merged(pairs),
        None => document,
    }))
}
