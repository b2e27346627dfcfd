//! Downloads: from an address to a bound artifact, in one call.
//!
//! Why: it is what people do most with a cache, and each program that does it by hand forgets the check, the
//! resume, the lock or the clean-up.
//! Guarantees: nothing is visible before its hash was checked; a name that is taken is noticed before a byte
//! is asked for; of many processes that ask for one address, one transfers it; what is cut off goes on the
//! next time; no password and no secret query is written down.
//! Must not know: HTTP, archives' formats.

mod known;
mod make;
mod options;
mod refresh;
mod transfer;
mod wanted;

pub use options::TransferOptions;
pub use refresh::Refreshed;
pub use wanted::Download;

pub(crate) use make::{named_after_place, named_inside};
pub(crate) use transfer::{Transfer, of_the_place, only_error};

use crate::cache::claim::Claim;
use crate::cache::download::wanted::Wanted;
use crate::cache::{BindOptions, Cache, Ingested, OwnerHandle};
use crate::error::{Error, Result};
use crate::event::Event;
use crate::fetch::{Address, Errand, Outcome};
use crate::index::{Downloaded, Provenance};
use crate::model::{BindingName, OwnerId};
use crate::time::Timestamp;

impl OwnerHandle<'_> {
    /// Downloads, checks, unpacks if asked to, stores and binds.
    ///
    /// ```
    /// # let dir = std::env::temp_dir().join(format!("oma-doc-download-{}", std::process::id()));
    /// # std::fs::create_dir_all(&dir)?;
    /// # std::fs::write(dir.join("iris.csv"), "5.1,3.5,1.4,0.2,setosa\n")?;
    /// # let url = format!("file://{}/iris.csv", dir.display());
    /// use ohmyartifacts::{BindOptions, Cache, CacheOptions, Download};
    ///
    /// let cache = Cache::open(CacheOptions::new(dir.join("store")))?;
    /// let flowers = cache.owner("flowers")?;
    /// let iris = flowers.download("iris", &Download::from(&url), &BindOptions::new())?;
    /// assert_eq!(std::fs::read_to_string(&iris.path)?, "5.1,3.5,1.4,0.2,setosa\n");
    /// # drop(cache);
    /// # std::fs::remove_dir_all(&dir)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::BindingExists`] if the name is taken and `options` do not force; [`Error::Download`] for what
    /// the other side does; [`Error::WrongHash`] for other bytes than were asked for; [`Error::Unfetched`] if
    /// none of several places has them; [`Error::Archive`] for what cannot be unpacked; [`Error::NoRoom`]; else
    /// as [`Cache::ingest`]. Nothing is then stored or bound.
    pub fn download(&self, name: &str, what: &Download, options: &BindOptions) -> Result<Ingested> {
        let name = BindingName::new(name)?;
        self.cache.download(self.id(), &name, &what.settle()?, options)
    }

    /// Returns what the name is bound to; downloads and binds it first if it is not, or if its files are
    /// gone. Of many processes that ask at once, one does it and all get it.
    ///
    /// # Errors
    /// As [`OwnerHandle::download`]; [`Error::BindingExists`] if a hash is demanded and the name is bound to what did
    /// not come as bytes of this hash; [`Error::Busy`] if another process takes too long.
    pub fn get_or_download(&self, name: &str, what: &Download, options: &BindOptions) -> Result<Ingested> {
        let name = BindingName::new(name)?;
        let wanted = what.settle()?;
        let cache = self.cache;
        let existing = || cache.get_downloaded(self.id(), &name, &wanted);
        cache.existing_or_made(self.id(), &name, existing, || {
            // A binding whose files are gone must give way; any other was found before.
            let broken = cache.find_binding(self.id(), &name)?.is_some();
            cache.download(self.id(), &name, &wanted, &options.clone().force(broken))
        })
    }
}

impl Cache {
    /// Returns what a name is bound to, if its files are there. One that is bound to other bytes than are demanded is
    /// taken.
    fn get_downloaded(&self, owner: &OwnerId, name: &BindingName, wanted: &Wanted) -> Result<Option<Ingested>> {
        let Some(got) = self.get_existing(owner, name)? else { return Ok(None) };
        let artifact = &got.binding.artifact;
        if let Some(sum) = wanted.sha256 {
            let sources = self.read(|tx| match tx.find_form(artifact.hash, artifact.kind)? {
                Some(row) => tx.sources_of(row.id),
                None => Ok(Vec::new()),
            })?;
            let came = |source: &Provenance| source.download.as_ref().is_some_and(|record| record.sha256 == sum);
            if !sources.iter().any(came) {
                return Err(Error::BindingExists {
                    owner: owner.to_string(),
                    name: name.to_string(),
                    existing: artifact.hash,
                });
            }
        }
        Ok(Some(got.into()))
    }

    fn download(
        &self,
        owner: &OwnerId,
        name: &BindingName,
        wanted: &Wanted,
        options: &BindOptions,
    ) -> Result<Ingested> {
        let claim = Claim::Bind { owner, name, options };
        self.claiming(&claim, |claim| self.bring_download(wanted, claim))
    }

    fn bring_download(&self, wanted: &Wanted, claim: &Claim<'_>) -> Result<Ingested> {
        self.check_claim(claim)?;
        self.session()?;
        if !wanted.ask
            && let Some(known) = self.known_by_hash(wanted, claim)?
        {
            return Ok(known);
        }
        let mut failed = Vec::new();
        for (number, address) in wanted.places.iter().enumerate() {
            let last = number + 1 == wanted.places.len();
            let errand = if last { wanted.errand.clone() } else { wanted.errand.among_others() };
            match self.bring_from(address, wanted, &errand, claim) {
                Ok(brought) => {
                    self.warn_of(&failed);
                    return Ok(brought);
                }
                Err(error) if wanted.places.len() == 1 => return Err(error),
                Err(error) => failed.push(of_the_place(error)?),
            }
        }
        Err(only_error(failed, &wanted.name()))
    }

    /// Another place had it, but somebody may want to know that these do not.
    pub(crate) fn warn_of(&self, failed: &[Error]) {
        for error in failed {
            let message = crate::error::error_line(error);
            self.waiting.observer.on(&Event::Warning { message: &message });
        }
    }

    fn bring_from(&self, address: &Address, wanted: &Wanted, errand: &Errand, claim: &Claim<'_>) -> Result<Ingested> {
        let asked_at = self.now();
        let transfer = Transfer::begin(self, address, errand, wanted.sha256.is_some())?;
        if transfer.waited()
            && let Some(brought) = self.brought_meanwhile(address, wanted, claim, asked_at)?
        {
            return Ok(brought);
        }
        let known = self.known_by_address(address, wanted)?;
        self.bring_unless_known(transfer, address, wanted, claim, known)
    }

    fn bring_unless_known(
        &self,
        mut transfer: Transfer<'_>,
        address: &Address,
        wanted: &Wanted,
        claim: &Claim<'_>,
        known: Option<Downloaded>,
    ) -> Result<Ingested> {
        if let Some(known) = known {
            match transfer.run(Some(&known.record))? {
                Outcome::Brought(brought) => return self.make_of_download(transfer, &brought, address, wanted, claim),
                Outcome::Unchanged => {
                    if let Some(taken) = self.take_known(&known, address, wanted, claim)? {
                        return Ok(taken);
                    }
                    // It was collected in the mean time: the bytes are needed after all.
                }
            }
        }
        match transfer.run(None)? {
            Outcome::Brought(brought) => self.make_of_download(transfer, &brought, address, wanted, claim),
            Outcome::Unchanged => Err(Error::Internal("nothing was known, and it did not change".to_owned())),
        }
    }

    /// Returns what another process brought from this address while this one waited for it.
    fn brought_meanwhile(
        &self,
        address: &Address,
        wanted: &Wanted,
        claim: &Claim<'_>,
        asked_at: Timestamp,
    ) -> Result<Option<Ingested>> {
        let Some(known) = self.known_by_address(address, wanted)? else { return Ok(None) };
        if known.record.checked_at < asked_at {
            return Ok(None);
        }
        if let Claim::Bind { owner, name, .. } = claim
            && let Some(bound) = self.get_existing(owner, name)?
            && bound.binding.artifact.hash == known.object.hash
        {
            return Ok(Some(bound.into()));
        }
        self.take_known(&known, address, wanted, claim)
    }
}
