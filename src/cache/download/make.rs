//! Makes an artifact of bytes that arrived: check, unpack, enter.

use std::path::Path;

use crate::cache::claim::Claim;
use crate::cache::download::Transfer;
use crate::cache::download::wanted::Wanted;
use crate::cache::ingest::Origin;
use crate::cache::{Cache, Ingested};
use crate::digest::Digest;
use crate::error::{Error, PathContext as _, Result};
use crate::fetch::{Address, Brought, Limits, Shape, unpack};
use crate::fs::{hash_file, open_source};
use crate::model::{Blob, Unpacking};
use crate::store::{Intake, Staged};
use crate::text::printable_path;

impl Cache {
    pub(super) fn make_of_download(
        &self,
        mut transfer: Transfer<'_>,
        brought: &Brought,
        address: &Address,
        wanted: &Wanted,
        claim: &Claim<'_>,
    ) -> Result<Ingested> {
        let again = transfer.checked(brought, |brought| wanted.check(brought.sha256, address))?;
        let brought = again.as_ref().unwrap_or(brought);
        let record = brought.record(wanted.making, wanted.kept_places());
        let origin = Origin {
            kind: "url",
            location: address.kept(),
            download: Some(&record),
            demanded: wanted.sha256.is_some(),
        };
        let made = match wanted.making.unpacking {
            Unpacking::No => self.make_file(transfer.path(), brought, wanted, claim, origin),
            _ => self
                .make_tree(transfer.path(), wanted, claim, origin)
                .map_err(|error| named_after_place(error, address.kept())),
        };
        if matches!(made, Err(Error::Archive { .. } | Error::Link { .. } | Error::Unsupported { .. })) {
            // The same bytes would be refused again.
            drop(transfer.finish());
            return made;
        }
        let made = made?;
        // What the store has is safe, and all of it is bound: an error here would hide where.
        drop(transfer.finish());
        Ok(made)
    }

    fn make_file(
        &self,
        path: &Path,
        brought: &Brought,
        wanted: &Wanted,
        claim: &Claim<'_>,
        origin: Origin<'_>,
    ) -> Result<Ingested> {
        let digest = match brought.digest {
            Some(digest) => digest,
            None => digest_of(path)?,
        };
        let dir = self.session()?.stage_dir()?;
        let stager = self.stager(&dir, Intake::Take);
        let blob = Blob { digest, executable: wanted.making.executable };
        let staged = Staged { blobs: vec![stager.adopt(path, blob, brought.bytes)?], manifest: None };
        self.enter(staged, &stager, claim, origin)
    }

    fn make_tree(&self, path: &Path, wanted: &Wanted, claim: &Claim<'_>, origin: Origin<'_>) -> Result<Ingested> {
        let work = self.session()?.stage_dir()?;
        let tree = work.path().join("tree");
        let waiting = &self.waiting;
        let limits = Limits { strip_top: wanted.making.unpacking == Unpacking::Stripped, ..Limits::default() };
        let disk = &self.store.disk;
        let came = unpack(disk, path, &tree, &limits, &*waiting.observer, &waiting.interrupt)?;
        if came.shape == Shape::File && wanted.making.executable {
            disk.set_mode(&tree, 0o755)?;
        }
        let staged_in = self.session()?.stage_dir()?;
        self.take_in(&tree, Intake::Take, wanted.making.links, &staged_in, claim, origin)
            .map_err(|error| named_inside(error, &tree))
    }
}

/// Nobody had said how long the file would be, so its name could not be made on the way.
fn digest_of(path: &Path) -> Result<Digest> {
    let (mut file, _) = open_source(path)?;
    Ok(hash_file(&mut file, &|_| Ok(())).at("read", path)?.digest)
}

/// Nobody knows our folders: what is wrong inside an unpacked tree is said of its path in there.
pub(crate) fn named_inside(error: Error, tree: &Path) -> Error {
    let inside = |path: &Path| path.strip_prefix(tree).map_or_else(|_| path.to_owned(), Path::to_owned);
    match error {
        Error::Link { path, target, problem } => Error::Link { path: inside(&path), target, problem },
        Error::Unsupported { path, what } => Error::Unsupported { path: inside(&path), what },
        other => other,
    }
}

/// What is wrong with an archive is said of the place it is from.
pub(crate) fn named_after_place(error: Error, place: &str) -> Error {
    match error {
        Error::WrongHash { algorithm, found, expected, .. } => {
            Error::WrongHash { what: format!("`{}`", printable_path(Path::new(place))), algorithm, found, expected }
        }
        Error::Archive { reason, .. } => Error::Archive { path: place.into(), reason },
        Error::Link { path, target, problem } => Error::Link { path: Path::new(place).join(path), target, problem },
        other => other,
    }
}
