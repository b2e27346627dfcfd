//! One transfer from one address, alone in the whole store.

use crate::cache::Cache;
use crate::error::{Error, ErrorKind, Result};
use crate::fetch::{Address, Brought, Errand, Order, Outcome, Partial, bring};
use crate::model::DownloadRecord;
use crate::store::Reserved;
use crate::text::printable;

/// The sole right to an address, until it is dropped.
pub(crate) struct Transfer<'a> {
    cache: &'a Cache,
    address: &'a Address,
    errand: &'a Errand,
    partial: Partial<'a>,
    reserved: Option<Reserved>,
    /// Whether a hash will be held against what comes.
    checked: bool,
}

impl<'a> Transfer<'a> {
    /// Waits for other processes that transfer from the same address.
    pub(crate) fn begin(cache: &'a Cache, address: &'a Address, errand: &'a Errand, checked: bool) -> Result<Self> {
        let what = format!("the download of `{}`", printable(address.kept().as_bytes()));
        let reserved = cache.store.reserve_partial(address.kept(), &what, &mut cache.waiting.patience())?;
        let partial = Partial::open(&cache.store.disk, &reserved.path, checked, &cache.waiting.interrupt)?;
        Ok(Self { cache, address, errand, partial, reserved: Some(reserved), checked })
    }

    /// Tells whether another process was at it.
    pub(crate) fn waited(&self) -> bool {
        self.reserved.as_ref().is_some_and(|reserved| reserved.waited)
    }

    /// Brings the bytes, unless they are still those that are known.
    pub(crate) fn run(&mut self, known: Option<&DownloadRecord>) -> Result<Outcome> {
        let validators = known.map(|record| crate::fetch::Validators {
            etag: record.etag.clone(),
            last_modified: record.last_modified.clone(),
        });
        let order = Order {
            address: self.address,
            errand: self.errand,
            known: validators.as_ref(),
            room: &|needed| self.cache.check_room(self.address, needed),
            observer: &*self.cache.waiting.observer,
            interrupt: &self.cache.waiting.interrupt,
        };
        bring(&order, &mut self.partial)
    }

    /// Judges the bytes; those that were joined from two attempts and are wrong get a second chance, whole.
    pub(crate) fn checked(
        &mut self,
        brought: &Brought,
        check: impl Fn(&Brought) -> Result<()>,
    ) -> Result<Option<Brought>> {
        match check(brought) {
            Ok(()) => Ok(None),
            Err(error) => {
                self.partial.discard()?;
                if !self.checked || brought.resumed == 0 {
                    return Err(error);
                }
                match self.run(None)? {
                    Outcome::Brought(again) => {
                        if let Err(error) = check(&again) {
                            self.partial.discard()?;
                            return Err(error);
                        }
                        Ok(Some(again))
                    }
                    Outcome::Unchanged => Err(error),
                }
            }
        }
    }

    /// Returns where the bytes are.
    pub(crate) fn path(&self) -> &std::path::Path {
        self.partial.path()
    }

    /// Ends it: the bytes are safe, or are of no use.
    pub(crate) fn finish(mut self) -> Result<()> {
        self.partial.discard()
    }
}

impl Drop for Transfer<'_> {
    fn drop(&mut self) {
        if let Some(reserved) = self.reserved.take() {
            reserved.release();
        }
    }
}

impl Cache {
    fn check_room(&self, address: &Address, needed: u64) -> Result<()> {
        let free = self.disk_room()?.free;
        if needed <= free {
            return Ok(());
        }
        Err(Error::NoRoom { what: address.kept().to_owned(), path: self.root().to_owned(), needed, free })
    }
}

/// Lets through what another place may do better; everything else stops the whole.
pub(crate) fn of_the_place(error: Error) -> Result<Error> {
    let here = matches!(
        error,
        Error::Io { .. }
            | Error::Download { .. }
            | Error::Invalid { .. }
            | Error::Unsupported { .. }
            | Error::Archive { .. }
            | Error::WrongHash { .. }
            | Error::Link { .. }
    );
    if here && error.kind() != ErrorKind::OutOfSpace { Ok(error) } else { Err(error) }
}

/// Sums up what went wrong at all places; a wrong hash at the only one says more by itself.
pub(crate) fn only_error(mut failed: Vec<Error>, name: &str) -> Error {
    match failed.pop() {
        Some(error @ Error::WrongHash { .. }) if failed.is_empty() => error,
        last => {
            failed.extend(last);
            Error::Unfetched { name: name.to_owned(), attempts: failed }
        }
    }
}
