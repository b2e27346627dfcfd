//! What was downloaded before need not be downloaded again.

use crate::cache::claim::{Claim, Claimed};
use crate::cache::download::wanted::Wanted;
use crate::cache::ingest::Origin;
use crate::cache::{Cache, Ingested};
use crate::error::Result;
use crate::fetch::Address;
use crate::index::{Downloaded, State};
use crate::model::DownloadRecord;

impl Cache {
    /// Takes what has the hash that is wanted and was made in the same way: no server can have anything else.
    pub(super) fn known_by_hash(&self, wanted: &Wanted, claim: &Claim<'_>) -> Result<Option<Ingested>> {
        let (Some(sum), Some(address)) = (wanted.sha256, wanted.places.first()) else { return Ok(None) };
        match self.read(|tx| tx.downloaded_as(sum, wanted.making))? {
            Some(known) => self.take_known(&known, address, wanted, claim),
            None => Ok(None),
        }
    }

    /// Returns what an address brought last, if it is here and can be what is wanted. Where part of an address
    /// is secret, nobody knows which bytes it stood for.
    pub(super) fn known_by_address(&self, address: &Address, wanted: &Wanted) -> Result<Option<Downloaded>> {
        if !address.is_whole() {
            return Ok(None);
        }
        let known = self.read(|tx| tx.downloaded_from(address.kept(), wanted.making))?;
        let Some(known) = known.filter(|known| wanted.accepts(&known.record)) else { return Ok(None) };
        let object = &known.object;
        let here = self.store.holds(object.kind, object.hash, object.size)?;
        Ok(here.then_some(known))
    }

    /// Claims what is here; none if it was collected in the mean time.
    pub(super) fn take_known(
        &self,
        known: &Downloaded,
        address: &Address,
        wanted: &Wanted,
        claim: &Claim<'_>,
    ) -> Result<Option<Ingested>> {
        let artifact = known.object.artifact();
        let record = DownloadRecord { places: wanted.kept_places(), ..known.record.clone() };
        let origin = Origin {
            kind: "url",
            location: address.kept(),
            download: Some(&record),
            demanded: wanted.sha256.is_some(),
        };
        let claimed = self.write(|tx| {
            let live = tx.find_form(artifact.hash, artifact.kind)?.filter(|row| row.state == State::Live);
            let Some(row) = live else { return Ok(None) };
            if !self.store.holds(artifact.kind, artifact.hash, artifact.size)? {
                return Ok(None);
            }
            self.note_and_claim(tx, claim, row.id, &artifact, origin).map(Some)
        })?;
        let Some(Claimed { lease, expires_at, binding }) = claimed else { return Ok(None) };
        Ok(Some(Ingested {
            path: self.path_of(&artifact),
            artifact,
            new_files: 0,
            new_bytes: 0,
            lease_expires_at: expires_at,
            binding,
            lease,
        }))
    }
}

impl Wanted {
    /// Returns the places as they may be written down.
    pub(super) fn kept_places(&self) -> Vec<String> {
        self.places.iter().map(|address| address.kept().to_owned()).collect()
    }
}
