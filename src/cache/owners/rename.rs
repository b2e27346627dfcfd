//! Gives an owner another key or version.

use crate::cache::Cache;
use crate::cache::attached::is_package;
use crate::cache::owners::require;
use crate::error::{Error, Result};
use crate::index::{ProbeKind, ReadTx, What};
use crate::model::OwnerId;

impl Cache {
    /// Calls an owner otherwise: its bindings, what is noted of it and what it bound on behalf of others go
    /// with it. Returns how many bindings it has.
    ///
    /// # Errors
    /// [`Error::NoSuchOwner`] if it is not known, [`Error::OwnerExists`] if the other one is,
    /// [`Error::HeldElsewhere`] if an attached space has its names too, [`Error::Invalid`] if it is a package
    /// of Julia and would not be one any more.
    pub fn rename_owner(&self, from: &OwnerId, to: &OwnerId) -> Result<u64> {
        self.refuse_held_elsewhere(from)?;
        self.refuse_held_elsewhere(to)?;
        self.write(|tx| {
            let id = require(tx, from)?;
            if tx.find_owner(to)?.is_some() {
                return Err(Error::OwnerExists { owner: to.to_string() });
            }
            refuse_no_package(tx, id, to)?;
            let bindings = tx.bindings(Some(id))?;
            tx.rename_owner(id, to)?;
            tx.rename_binder(from, to)?;
            for binding in &bindings {
                self.change_hands(tx, binding, to, What::Rename, binding.bound_by.as_deref())?;
            }
            Ok(bindings.len() as u64)
        })
    }
}

/// Under another key than a UUID nobody would find it in a depot any more.
fn refuse_no_package(tx: &ReadTx<'_>, id: i64, to: &OwnerId) -> Result<()> {
    let probed = tx.probed_owners()?.into_iter().filter(|probed| probed.id == id);
    let looked_for = probed.flat_map(|probed| probed.probes).any(|probe| probe.kind == ProbeKind::Julia);
    if looked_for && !is_package(to) {
        let reason = "it is looked for in a depot of Julia, where a package has a UUID";
        return Err(Error::invalid("package", to.key(), reason));
    }
    Ok(())
}
