//! Tells the few situations apart that a caller may want to treat differently.

use std::io;

use crate::error::Error;

/// The few situations a caller may want to tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The thing asked for does not exist.
    NotFound,
    /// The name is taken, or a plan is stale.
    Conflict,
    /// Another process is at work; trying again may help.
    Busy,
    /// Stored content is damaged.
    Damaged,
    /// The request itself is wrong.
    Usage,
    /// The disk is full or a budget is exceeded.
    OutOfSpace,
    /// Somebody asked to stop.
    Interrupted,
    /// Everything else.
    Failed,
}

impl Error {
    /// Returns which of the few situations this is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::UnknownReference { .. }
            | Self::NoSuchObject { .. }
            | Self::NoSuchBinding { .. }
            | Self::NoSuchOwner { .. }
            | Self::NoSuchLease { .. }
            | Self::NoSample
            | Self::NoSuchEntry { .. }
            | Self::StoredLink { .. }
            | Self::NoFolder { .. }
            | Self::CannotUndo { .. }
            | Self::NoSuchPath { .. } => ErrorKind::NotFound,
            Self::BindingExists { .. }
            | Self::StoreExists { .. }
            | Self::OwnerExists { .. }
            | Self::InTheWay { .. }
            | Self::HeldElsewhere { .. }
            | Self::BadPlan { stale: true, .. } => ErrorKind::Conflict,
            Self::Busy { .. } => ErrorKind::Busy,
            Self::Damaged { .. } | Self::IndexLost { .. } | Self::WrongHash { .. } | Self::BadPack { .. } => {
                ErrorKind::Damaged
            }
            Self::Invalid { .. }
            | Self::NotATree { .. }
            | Self::AmbiguousPrefix { .. }
            | Self::BadPlan { .. }
            | Self::Config { .. }
            | Self::Query { .. } => ErrorKind::Usage,
            Self::Unfetched { attempts, .. } => {
                let damaged = attempts.iter().any(|attempt| attempt.kind() == ErrorKind::Damaged);
                if damaged { ErrorKind::Damaged } else { ErrorKind::Failed }
            }
            Self::NoRoomToUpgrade { .. } | Self::NoRoom { .. } | Self::OverBudget { .. } => ErrorKind::OutOfSpace,
            Self::Interrupted => ErrorKind::Interrupted,
            Self::Io { source, .. } => io_kind(source),
            Self::Database { source, .. } => database_kind(source),
            _ => ErrorKind::Failed,
        }
    }
}

fn io_kind(source: &io::Error) -> ErrorKind {
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::OutOfSpace,
        _ => ErrorKind::Failed,
    }
}

fn database_kind(source: &rusqlite::Error) -> ErrorKind {
    // SQLite could not enlarge its shared memory: there is no room for it.
    let no_room = source.sqlite_error().is_some_and(|error| error.extended_code == rusqlite::ffi::SQLITE_IOERR_SHMSIZE);
    match source.sqlite_error_code() {
        _ if no_room => ErrorKind::OutOfSpace,
        Some(rusqlite::ErrorCode::DiskFull) => ErrorKind::OutOfSpace,
        Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) => ErrorKind::Busy,
        Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase) => ErrorKind::Damaged,
        _ => ErrorKind::Failed,
    }
}
