//! Asks the source of an artifact whether it has something newer.

use crate::cache::download::wanted::Wanted;
use crate::cache::{BindOptions, Ingested, OwnerHandle, TransferOptions};
use crate::digest::Sha256Sum;
use crate::error::{Error, Result};
use crate::fetch::Address;
use crate::index::{BindingRow, Provenance};
use crate::model::{BindingName, DownloadRecord};

/// What asking the source led to.
#[derive(Debug, Clone, PartialEq)]
pub struct Refreshed {
    /// What the name stands for now.
    pub artifact: Ingested,
    /// Whether that is something else than before.
    pub changed: bool,
}

impl OwnerHandle<'_> {
    /// Asks where the artifact of a name was downloaded from whether there is something newer; if so, brings
    /// it and binds the name to it, with the metadata it has. A source that has no validators is read whole.
    ///
    /// # Errors
    /// [`Error::NoSuchBinding`]; [`Error::NotDownloaded`] if it came from elsewhere; [`Error::WrongHash`] if the
    /// source has other bytes than had been demanded; else as [`OwnerHandle::download`]. The name then stands
    /// for what it stood for.
    pub fn refresh(&self, name: &str, options: &TransferOptions) -> Result<Refreshed> {
        let name = BindingName::new(name)?;
        let unknown = || Error::NoSuchBinding { owner: self.id().to_string(), name: name.to_string() };
        let row = self.cache.look_up(self.id(), &name)?.ok_or_else(unknown)?;
        let (own, sources) = self.cache.read(|tx| Ok((tx.downloaded_name(row.id)?, tx.sources_of(row.object_id)?)))?;
        let (own, demanded) = own.map_or((None, false), |(location, demanded)| (Some(location), demanded));
        let known = sources.iter().find(|source| source.kind == "url").map(|source| source.location.clone());
        let Some((location, record)) = source_of(own.as_deref(), sources) else {
            let (owner, name) = (self.id().to_string(), name.to_string());
            return Err(Error::NotDownloaded { owner, name, location: known });
        };
        let sha256 = demanded.then_some(record.sha256);
        let wanted = again(location, &record, sha256, options)?;
        let artifact = self.cache.download(self.id(), &name, &wanted, &as_bound(&row))?;
        let changed = artifact.artifact.hash != row.artifact.hash || artifact.artifact.kind != row.artifact.kind;
        Ok(Refreshed { artifact, changed })
    }
}

/// Returns the download that the name stands for. Where that is not known, or its address was not kept whole, equal
/// bytes may be had from where they were found last.
fn source_of(own: Option<&str>, sources: Vec<Provenance>) -> Option<(String, DownloadRecord)> {
    let downloads = sources.into_iter().filter_map(|source| Some((source.location, source.download?)));
    downloads.max_by_key(|(location, record)| (is_whole(location), own == Some(location.as_str()), record.checked_at))
}

/// Tells whether an address leads somewhere as it was kept.
fn is_whole(kept: &str) -> bool {
    !kept.ends_with("?…")
}

/// Wants the same again: the place that had it first, then the others.
fn again(
    location: String,
    record: &DownloadRecord,
    sha256: Option<Sha256Sum>,
    options: &TransferOptions,
) -> Result<Wanted> {
    let others = record.places.iter().filter(|place| **place != location);
    let kept_whole = std::iter::once(&location).chain(others).filter(|place| is_whole(place));
    let places: Vec<Address> = kept_whole.filter_map(|place| Address::parse(place).ok()).collect();
    if places.is_empty() {
        let reason = "its query was not kept, because it may be secret".to_owned();
        return Err(Error::Download { location, reason });
    }
    Ok(Wanted { places, sha256, making: record.making(), errand: options.errand().clone(), ask: true })
}

/// The name keeps what stands beside it.
fn as_bound(row: &BindingRow) -> BindOptions {
    let by = row.bound_by.as_ref().and_then(|by| by.parse().ok());
    BindOptions { force: true, meta: row.meta.clone(), extra: row.extra.clone(), bound_by: by, ..BindOptions::new() }
}
