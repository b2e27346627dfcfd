//! Hands bindings over to another owner: when that one goes, what it holds can go.

use serde::Serialize;

use crate::cache::bind::Parting;
use crate::cache::budget::Allowance;
use crate::cache::owners::require;
use crate::cache::{Binding, Cache};
use crate::error::{Error, Result};
use crate::index::{BindingRow, ReadTx, What, WriteTx};
use crate::model::{BindingName, OwnerId};

/// What was handed over.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Delegation {
    /// The bindings, as they are now.
    pub delegated: Vec<Binding>,
    /// The bindings of the other owner that gave way.
    pub replaced: Vec<Binding>,
}

impl Cache {
    /// Hands bindings over, all or those named, with what is noted beside them and their times. The other
    /// owner is made if it is not known. All are handed over, or none.
    ///
    /// # Errors
    /// [`Error::NoSuchOwner`] and [`Error::NoSuchBinding`] if there is nothing of the kind;
    /// [`Error::BindingExists`] if the other owner has a name already and it is not to be taken by `force`;
    /// [`Error::OverBudget`] if it would hold too much; [`Error::HeldElsewhere`] if an attached space has the
    /// names of one of them too.
    pub fn delegate(
        &self,
        from: &OwnerId,
        to: &OwnerId,
        names: Option<&[BindingName]>,
        force: bool,
    ) -> Result<Delegation> {
        if from == to {
            return Err(Error::invalid("owner to hand over to", &to.to_string(), "it is the owner that has them"));
        }
        self.refuse_held_elsewhere(from)?;
        self.refuse_held_elsewhere(to)?;
        self.write(|tx| {
            let bindings = bindings_to_go(tx, from, names)?;
            if bindings.is_empty() {
                return Ok(Delegation { delegated: Vec::new(), replaced: Vec::new() });
            }
            let to_id = tx.ensure_owner(to)?;
            let allowance = Allowance::of(tx, to_id, to)?;
            let replaced = make_way(tx, to, to_id, &bindings, force)?;
            for binding in &bindings {
                self.hand_over(tx, binding, from, (to_id, to))?;
            }
            // What gave way may be what was handed over.
            replaced.iter().try_for_each(|old| tx.mark_if_orphan(old.object_id))?;
            if let Some(allowance) = allowance {
                allowance.check(tx)?;
            }
            let delegated = bindings.into_iter().map(|row| as_it_is_now(row, from, to)).collect();
            Ok(Delegation { delegated, replaced: replaced.into_iter().map(Binding::from).collect() })
        })
    }

    fn hand_over(&self, tx: &WriteTx<'_>, binding: &BindingRow, from: &OwnerId, to: (i64, &OwnerId)) -> Result<()> {
        let (to_id, to) = to;
        let from = from.to_string();
        tx.hand_over(binding.id, to_id, &from)?;
        // An owner that is gone may have let go of it.
        tx.clear_orphan(binding.object_id)?;
        let by = binding.bound_by.as_deref().unwrap_or(&from);
        self.change_hands(tx, binding, to, What::Delegate, Some(by))
    }
}

fn bindings_to_go(tx: &ReadTx<'_>, from: &OwnerId, names: Option<&[BindingName]>) -> Result<Vec<BindingRow>> {
    let id = require(tx, from)?;
    let Some(names) = names else { return tx.bindings(Some(id)) };
    let mut bindings: Vec<BindingRow> = Vec::new();
    for name in names {
        let missing = || Error::NoSuchBinding { owner: from.to_string(), name: name.to_string() };
        let binding = tx.find_binding(id, name)?.ok_or_else(missing)?;
        if bindings.iter().all(|known| known.id != binding.id) {
            bindings.push(binding);
        }
    }
    Ok(bindings)
}

/// Lets go of the names that are to be taken, if they may be.
fn make_way(
    tx: &WriteTx<'_>,
    to: &OwnerId,
    to_id: i64,
    bindings: &[BindingRow],
    force: bool,
) -> Result<Vec<BindingRow>> {
    let mut replaced = Vec::new();
    for binding in bindings {
        let Some(old) = tx.find_binding(to_id, &BindingName::new(&binding.name)?)? else { continue };
        if !force {
            let (owner, name) = (to.to_string(), old.name);
            return Err(Error::BindingExists { owner, name, existing: old.artifact.hash });
        }
        tx.delete_binding(old.id)?;
        Parting::of(What::Rebind).note(tx, &old)?;
        replaced.push(old);
    }
    Ok(replaced)
}

fn as_it_is_now(row: BindingRow, from: &OwnerId, to: &OwnerId) -> Binding {
    let bound_by = row.bound_by.clone().or_else(|| Some(from.to_string()));
    Binding::from(BindingRow { owner: to.clone(), bound_by, ..row })
}
