//! Opens the database with the settings safety needs.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, MAIN_DB, OpenFlags};

use crate::error::{Error, Result};
use crate::fs::{Disk, Waiting, is_network};
use crate::index::{Attempt as _, Birth, Index, Settings, migrate, synchronous};
use crate::model::Durability;
use crate::time::Timestamp;

/// Older ones can corrupt a write-ahead log that two processes reset at once
/// (<https://sqlite.org/releaselog/3_51_3.html>).
const OLDEST_SQLITE: i32 = 3_051_003;
/// SQLite waits this long by itself, before the wait is announced and checked for an end.
const SHORT_WAIT: Duration = Duration::from_millis(250);

impl Index {
    /// Opens the index at `path`; none if it holds nothing yet, because its maker died on the way. With
    /// `birth` it is made, or filled, instead.
    pub(crate) fn open(path: &Path, birth: Option<Birth>, disk: &Disk, waiting: &Waiting) -> Result<Option<Self>> {
        let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
        if birth.is_some() {
            flags |= OpenFlags::SQLITE_OPEN_CREATE;
        }
        Self::open_as(flags, path, birth, disk, waiting)
    }

    /// Opens the index to answer questions only: it is refused where it would have to be upgraded first.
    pub(crate) fn open_read_only(path: &Path, disk: &Disk, waiting: &Waiting) -> Result<Option<Self>> {
        Self::open_as(OpenFlags::SQLITE_OPEN_READ_ONLY, path, None, disk, waiting)
    }

    fn open_as(
        flags: OpenFlags,
        path: &Path,
        birth: Option<Birth>,
        disk: &Disk,
        waiting: &Waiting,
    ) -> Result<Option<Self>> {
        check_version()?;
        let root = path.parent().unwrap_or(path).to_owned();
        let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = open_or_read_only(path, flags)?;
        set_patience(&connection, waiting)?;
        connection.execute_batch(SAFETY).to("set up")?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).to("set up")?;
        let (connection, waiting) = (Mutex::new(connection), waiting.clone());
        let index = Self { connection, disk: disk.clone(), waiting, root, path: Some(path.to_owned()) };
        Ok(index.settle(path, birth)?.then_some(index))
    }

    /// An index without a store, for questions where no store exists yet.
    pub(crate) fn empty(now: Timestamp) -> Result<Self> {
        let connection = Connection::open_in_memory().to("open")?;
        connection.execute_batch(SAFETY).to("set up")?;
        let waiting = Waiting {
            observer: std::sync::Arc::new(()),
            interrupt: crate::event::Interrupt::default(),
            limit: Some(Duration::ZERO),
        };
        let root = Path::new("(none)").to_owned();
        let index = Self { connection: Mutex::new(connection), disk: Disk::default(), waiting, root, path: None };
        migrate::apply(&index, Some(Birth { settings: Settings::default(), now }), None)?;
        Ok(index)
    }

    /// Brings the schema up to date and sets what depends on the store's own settings; false if there
    /// is nothing to bring up to date.
    fn settle(&self, path: &Path, birth: Option<Birth>) -> Result<bool> {
        if birth.is_none() && migrate::is_blank(&self.lock())? {
            return Ok(false);
        }
        if !self.is_read_only() {
            self.choose_journal(path)?;
        }
        // What is made where it is missing, such as a mirror, is not worth a copy.
        let precious = birth.is_none().then_some(path);
        migrate::apply(self, birth, precious)?;
        let durability = self.read(|tx| tx.settings())?.durability;
        self.set_synchronous(durability)?;
        Ok(true)
    }

    /// A write-ahead log wherever memory can be shared, else a rollback journal.
    fn choose_journal(&self, path: &Path) -> Result<()> {
        let wanted = if is_network(path)? { "delete" } else { "wal" };
        let mut patience = self.waiting.patience();
        loop {
            let connection = self.lock();
            let current: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0)).to("open")?;
            if current == wanted {
                return Ok(());
            }
            // SQLite answers with the mode it could set; where a log is impossible it says so.
            match connection.pragma_update_and_check(None, "journal_mode", wanted, |row| row.get::<_, String>(0)) {
                Err(error) if super::is_busy(&error) => {}
                other => return other.map(drop).to("open"),
            }
            drop(connection);
            patience.wait("the index")?;
        }
    }

    fn set_synchronous(&self, durability: Durability) -> Result<()> {
        let connection = self.lock();
        let mode: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0)).to("open")?;
        let level = synchronous(durability, mode == "wal");
        connection.pragma_update(None, "synchronous", level).to("set up")
    }

    /// Folds the write-ahead log back into the database; what cannot be done now is done later.
    pub(crate) fn tidy(&self) {
        let connection = self.lock();
        let _ = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    }
}

const SAFETY: &str = "
PRAGMA foreign_keys = ON;
PRAGMA temp_store = MEMORY;
PRAGMA trusted_schema = OFF;
PRAGMA cell_size_check = ON;
PRAGMA mmap_size = 0;
";

/// Opens the index once more, for a question that may take long and must not change anything. What it has to
/// put somewhere while it works goes to temporary files: it may be more than memory holds.
pub(super) fn open_to_ask(index: &Index) -> Result<Connection> {
    let Some(path) = &index.path else {
        let empty = Index::empty(Timestamp::from_millis(0))?;
        return Ok(empty.connection.into_inner().unwrap_or_else(PoisonError::into_inner));
    };
    let connection = open_or_read_only(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    set_patience(&connection, &index.waiting)?;
    connection.execute_batch(SAFETY).to("set up")?;
    connection.execute_batch(TO_ASK).to("set up")?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).to("set up")?;
    Ok(connection)
}

const TO_ASK: &str = "
PRAGMA query_only = ON;
PRAGMA temp_store = FILE;
";

fn check_version() -> Result<()> {
    if rusqlite::version_number() >= OLDEST_SQLITE {
        return Ok(());
    }
    Err(Error::Internal(format!("SQLite {} is too old, 3.51.3 is needed", rusqlite::version())))
}

/// SQLite opens read-only by itself where writing is forbidden, except where it may not even make
/// its shared memory; there the file is opened as one that nobody changes.
fn open_or_read_only(path: &Path, flags: OpenFlags) -> Result<Connection> {
    let connection = Connection::open_with_flags(path, flags).to("open")?;
    let read_only = connection.is_readonly(MAIN_DB).unwrap_or(false);
    let works = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()));
    match works {
        Err(_) if read_only && !has_log(path) => immutable(path),
        Err(error) if super::is_busy(&error) => Ok(connection),
        other => other.to("open").map(|()| connection),
    }
}

fn immutable(path: &Path) -> Result<Connection> {
    use std::fmt::Write as _;
    use std::os::unix::ffi::OsStrExt as _;
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'/' | b'-' | b'_' | b'.' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => uri.push(char::from(*byte)),
            other => write!(uri, "%{other:02X}").expect("writing to a string cannot fail"),
        }
    }
    uri.push_str("?immutable=1");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(uri, flags).to("open")
}

fn has_log(path: &Path) -> bool {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    std::fs::metadata(log).is_ok_and(|found| found.len() > 0)
}

pub(super) fn set_patience(connection: &Connection, waiting: &Waiting) -> Result<()> {
    let wait = waiting.limit.map_or(SHORT_WAIT, |limit| limit.min(SHORT_WAIT));
    connection.busy_timeout(wait).to("set up")
}
