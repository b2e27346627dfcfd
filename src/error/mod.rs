//! What can go wrong, as data.
//!
//! Why: a caller must be able to tell "not there" from "broken" from "try again", and a person
//! must read which thing and which path it was.
//! Guarantees: messages are lower-case sentences without a final period that name the thing; text
//! from outside is escaped; causes are reachable through [`std::error::Error::source`].
//! Must not know: command-line flags, exit codes, hints. Those belong to the program.

mod context;
mod kind;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::digest::Digest;
use crate::text::{printable, printable_path};
use crate::time::format_duration;

pub(crate) use context::{PathContext, error_line};
pub use kind::ErrorKind;

/// The result of every fallible call of this library.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error from somebody else's code: a closure that makes an artifact.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Everything that can go wrong, named after the situation.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused something.
    #[error("could not {action} `{}`", printable_path(path))]
    Io {
        /// What was attempted, fits after "could not".
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The index refused something.
    #[error("could not {action} the index")]
    Database {
        /// What was attempted, fits after "could not".
        action: &'static str,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// Usage was never noted, so that nothing can be said about growth.
    #[error("what the owners use was never noted here, so there is nothing to compare with")]
    NoSample,
    /// The folder holds something, but no store.
    #[error("`{}` is not an artifact store: {reason}", printable_path(path))]
    NotAStore {
        /// The folder.
        path: PathBuf,
        /// What is missing or unexpected.
        reason: String,
    },
    /// The objects are there, the index that says who needs them is not.
    #[error("the index of `{}` is gone, but its objects are there", printable_path(path))]
    IndexLost {
        /// The store.
        path: PathBuf,
    },
    /// There is a store already where one was to be made.
    #[error("there is a store at `{}` already", printable_path(path))]
    StoreExists {
        /// Where.
        path: PathBuf,
    },
    /// A newer program made the index.
    #[error("the index of `{}` has format {found}, this program knows up to {supported}", printable_path(path))]
    SchemaTooNew {
        /// The store.
        path: PathBuf,
        /// The format found.
        found: i64,
        /// The newest format this program knows.
        supported: i64,
    },
    /// The index is to be upgraded, and there is no room to keep a copy of it.
    #[error(
        "a copy of `{}` before its upgrade needs {needed} bytes beside it, and {free} are free",
        printable_path(path)
    )]
    NoRoomToUpgrade {
        /// The index.
        path: PathBuf,
        /// Bytes the copy takes.
        needed: u64,
        /// Bytes that are free.
        free: u64,
    },
    /// The store can be read only.
    #[error("the store at `{}` cannot be written", printable_path(path))]
    ReadOnly {
        /// The store.
        path: PathBuf,
    },
    /// No store, artifact, binding or path goes by this reference.
    #[error("nothing is known as `{}`", printable(reference.as_bytes()))]
    UnknownReference {
        /// What was asked for.
        reference: String,
    },
    /// No object has this hash.
    #[error("the store holds no object {hash}")]
    NoSuchObject {
        /// The hash asked for.
        hash: Digest,
    },
    /// The owner binds nothing to this name.
    #[error("{} binds no artifact to `{}`", printable(owner.as_bytes()), printable(name.as_bytes()))]
    NoSuchBinding {
        /// The owner, as `KEY` or `KEY@VERSION`.
        owner: String,
        /// The name asked for.
        name: String,
    },
    /// Nobody of this key and version has ever bound anything, or not for long.
    #[error("no owner is known as `{}`", printable(owner.as_bytes()))]
    NoSuchOwner {
        /// The owner asked for, as `KEY` or `KEY@VERSION`.
        owner: String,
    },
    /// No lease has this id, or has it any more.
    #[error("lease {id} is gone: it was released, a binding used it up, or it ran out")]
    NoSuchLease {
        /// The id asked for.
        id: i64,
    },
    /// The path inside an artifact does not exist.
    #[error("no path exists at `{}`", printable_path(path))]
    NoSuchPath {
        /// What is missing.
        path: PathBuf,
    },
    /// A directory holds nothing at this path.
    #[error("{} holds nothing at `{}`", hash.short(), printable(path.as_bytes()))]
    NoSuchEntry {
        /// The artifact.
        hash: Digest,
        /// The path in it.
        path: String,
    },
    /// Several objects start with these digits.
    #[error("`{prefix}` stands for {} objects", candidates.len())]
    AmbiguousPrefix {
        /// The digits given.
        prefix: String,
        /// The objects they may mean.
        candidates: Vec<Digest>,
    },
    /// The name is taken.
    #[error("{} already binds `{}` to {}", printable(owner.as_bytes()), printable(name.as_bytes()), existing.short())]
    BindingExists {
        /// The owner, as `KEY` or `KEY@VERSION`.
        owner: String,
        /// The taken name.
        name: String,
        /// The artifact it is bound to.
        existing: Digest,
    },
    /// An owner of this key and version is known already.
    #[error("there is an owner `{}` already", printable(owner.as_bytes()))]
    OwnerExists {
        /// The owner, as `KEY` or `KEY@VERSION`.
        owner: String,
    },
    /// An owner's names live in an attached space too, where they cannot be given to another one.
    #[error("the names of {} live in `{}` too, where they cannot change hands", printable(owner.as_bytes()), printable_path(space))]
    HeldElsewhere {
        /// The owner, as `KEY` or `KEY@VERSION`.
        owner: String,
        /// The attached space.
        space: PathBuf,
    },
    /// An owner would hold more than it may.
    #[error("{} would hold {needed} bytes, more than its hard budget of {budget}", printable(owner.as_bytes()))]
    OverBudget {
        /// The owner, as `KEY` or `KEY@VERSION`.
        owner: String,
        /// What it may hold, in bytes.
        budget: u64,
        /// What its bindings would reach, in bytes; at least, if not all of it was counted.
        needed: u64,
    },
    /// A value from outside is not acceptable.
    #[error("`{}` is not a valid {what}: {reason}", printable(text.as_bytes()))]
    Invalid {
        /// What it should have been.
        what: &'static str,
        /// The value.
        text: String,
        /// Why not.
        reason: String,
    },
    /// A symbolic link that cannot be kept.
    #[error("the link `{}` to `{}` {problem}", printable_path(path), printable_path(target))]
    Link {
        /// Where the link lies.
        path: PathBuf,
        /// What it points to.
        target: PathBuf,
        /// What is wrong with it.
        problem: LinkProblem,
    },
    /// Something that is neither file, directory nor symbolic link.
    #[error("`{}` is a {what}, which a store cannot hold", printable_path(path))]
    Unsupported {
        /// Where it lies.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// A result that was not made where it had to be made.
    #[error(
        "the result `{}` does not lie inside the working directory `{}`",
        printable_path(path),
        printable_path(workdir)
    )]
    OutsideWorkdir {
        /// The path given back.
        path: PathBuf,
        /// The directory it had to lie in.
        workdir: PathBuf,
    },
    /// The closure that makes an artifact failed.
    #[error("the artifact could not be made")]
    Create {
        /// What the closure said.
        #[source]
        source: BoxError,
    },
    /// Another process holds what is needed and did not let go in time.
    #[error("another process holds {what} (waited {} s)", waited.as_secs())]
    Busy {
        /// What is held.
        what: String,
        /// How long this process waited.
        waited: Duration,
    },
    /// The stored content is not what it should be.
    #[error("{hash} is damaged at `{}`: {detail}", printable_path(path))]
    Damaged {
        /// The object.
        hash: Digest,
        /// Where it lies.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// A TOML file that cannot be read as what it should be.
    #[error("`{}`, line {line}: {reason}", printable_path(path))]
    Toml {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1; 1 if the file as a whole is meant.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// A configuration file that says what nobody understands. The file is not followed in part.
    #[error("`{}`, line {line}: {reason}", printable_path(path))]
    Config {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1; 1 if the file as a whole is meant.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// A value that a TOML file cannot hold, or that the program it is written for cannot read.
    #[error("`{}` cannot be written to TOML: {reason}", printable(key.as_bytes()))]
    Unwritable {
        /// The dotted path of keys that leads to the value.
        key: String,
        /// Why not.
        reason: String,
    },
    /// An archive that is broken, or holds what must not be unpacked.
    #[error("the archive `{}` cannot be unpacked: {reason}", printable_path(path))]
    Archive {
        /// The archive.
        path: PathBuf,
        /// What is wrong, with the entry's name if one is meant.
        reason: String,
    },
    /// A pack that is broken, or does not hold what it says it holds. Nothing of it was taken in.
    #[error("the pack `{}` cannot be taken in: {reason}", printable_path(path))]
    BadPack {
        /// The pack.
        path: PathBuf,
        /// What is wrong, with the artifact's hash if one is meant.
        reason: String,
    },
    /// An artifact that is no directory, where only directories are of use.
    #[error("{hash} is a file, and {reason}")]
    NotATree {
        /// The artifact.
        hash: Digest,
        /// Why a directory is needed.
        reason: &'static str,
    },
    /// Bytes from elsewhere that are not those that were announced.
    #[error("{what} has {algorithm} {found} instead of {expected}")]
    WrongHash {
        /// What was hashed.
        what: String,
        /// `sha256` or `git-tree-sha1`.
        algorithm: &'static str,
        /// What it has, in hex.
        found: String,
        /// What it should have, in hex.
        expected: String,
    },
    /// Bytes that could not be had from where they were asked for.
    #[error("could not download `{}`: {}", printable(location.as_bytes()), printable(reason.as_bytes()))]
    Download {
        /// The address, without anything secret.
        location: String,
        /// What the other side said, or did not do.
        reason: String,
    },
    /// What is to come needs more room than there is.
    #[error("`{}` needs {needed} bytes, and {free} are free at `{}`", printable(what.as_bytes()), printable_path(path))]
    NoRoom {
        /// What is to come.
        what: String,
        /// Where it would come to lie.
        path: PathBuf,
        /// Bytes it takes.
        needed: u64,
        /// Bytes that are free.
        free: u64,
    },
    /// A link in a stored directory does not lead to anything in it.
    #[error(
        "`{}` in {} is a link to `{}`, which {problem}",
        printable_path(path),
        hash.short(),
        printable_path(target)
    )]
    StoredLink {
        /// The directory.
        hash: Digest,
        /// The link.
        path: PathBuf,
        /// What it points to.
        target: PathBuf,
        /// What is wrong with it.
        problem: LinkProblem,
    },
    /// The folder is not there in which something was to be put.
    #[error("there is no folder `{}` to put anything in", printable_path(path))]
    NoFolder {
        /// What is missing.
        path: PathBuf,
    },
    /// The content of a directory was asked for.
    #[error("`{}` is a directory, and only its files have content", printable(reference.as_bytes()))]
    NotAFile {
        /// What was asked for.
        reference: String,
    },
    /// Something lies where an artifact was to be laid out.
    #[error("there is something at `{}` already", printable_path(path))]
    InTheWay {
        /// Where.
        path: PathBuf,
    },
    /// A file was to be put out in a way that the filesystems do not allow.
    #[error("`{}` cannot be a {mode} of what is stored in `{}`: {reason}", printable_path(path), printable_path(store))]
    CannotShare {
        /// The file that was to be.
        path: PathBuf,
        /// The store.
        store: PathBuf,
        /// `hard link` or `reflink`.
        mode: &'static str,
        /// Why not.
        reason: &'static str,
    },
    /// Nobody noted where an artifact can be had again, or how it was made of what came from there.
    #[error(
        "{} binds `{}` to what was not downloaded here{}",
        printable(owner.as_bytes()),
        printable(name.as_bytes()),
        if location.is_some() { ": it came with its address, and without how it was unpacked" } else { ": there is no source to ask" }
    )]
    NotDownloaded {
        /// The owner, as `KEY` or `KEY@VERSION`.
        owner: String,
        /// The name.
        name: String,
        /// Where it can be had, if that is known.
        location: Option<String>,
    },
    /// A declared artifact that none of its places has.
    #[error("could not fetch `{}`{}", printable(name.as_bytes()), places(attempts))]
    Unfetched {
        /// The name it is declared under.
        name: String,
        /// What went wrong at each place, in the order they were tried.
        attempts: Vec<Error>,
    },
    /// No run of gc has this number, or none can be undone.
    #[error("{reason}")]
    CannotUndo {
        /// Which run, and why not.
        reason: String,
    },
    /// A plan of gc that is not one, or not for this store.
    #[error("this is no plan that could be carried out here: {reason}")]
    BadPlan {
        /// What is wrong with it.
        reason: String,
        /// Whether it is a plan, but of another store.
        stale: bool,
    },
    /// A question in SQL that is wrong, or asks for what is not public.
    #[error("the query is not accepted: {}", printable(reason.as_bytes()))]
    Query {
        /// Why not, mostly in the words of SQLite.
        reason: String,
    },
    /// A question in SQL that takes too long.
    #[error("the query took longer than {} and was stopped", format_duration(*limit))]
    QueryTimeout {
        /// How long it might have taken.
        limit: Duration,
    },
    /// Somebody asked to stop.
    #[error("interrupted")]
    Interrupted,
    /// The program contradicts itself; please report it.
    #[error("internal error: {0}")]
    Internal(String),
}

/// Why a symbolic link cannot be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LinkProblem {
    /// It points out of the tree.
    #[error("leaves the tree")]
    Leaves,
    /// It points to nothing.
    #[error("points to nothing")]
    Dangles,
    /// It leads back to itself.
    #[error("leads in a circle")]
    Loops,
}

impl Error {
    pub(crate) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { action, path: path.to_owned(), source }
    }

    pub(crate) fn invalid(what: &'static str, text: &str, reason: impl Into<String>) -> Self {
        Self::Invalid { what, text: text.to_owned(), reason: reason.into() }
    }

    /// Tells whether a system call failed for this reason.
    pub(crate) fn is_io(&self, kind: io::ErrorKind) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == kind)
    }
}

/// Says how many places were tried.
fn places(attempts: &[Error]) -> String {
    match attempts.len() {
        0 => ": it is declared without a place to get it from".to_owned(),
        1 => " from its only place".to_owned(),
        number => format!(" from any of {number} places"),
    }
}
