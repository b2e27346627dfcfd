//! Finds what a scratch space stores and nobody there uses: it comes over as the orphan it is.

use std::collections::BTreeSet;

use crate::compat::import::locate::InputSpace;
use crate::compat::import::plan::{PlannedOrphan, Planner};
use crate::compat::import::read::Times;
use crate::compat::import::survey::{Finding, Survey};
use crate::compat::import::{ImportRow, ImportStatus};
use crate::digest::Digest;
use crate::error::Result;
use crate::text::printable_path;

impl Planner<'_> {
    /// What no binding reaches comes over as what it is: an orphan, as old as it is there.
    pub(super) fn orphans(
        &self,
        survey: &Survey,
        space: &InputSpace,
        bound: &BTreeSet<Digest>,
        times: &Times,
    ) -> Result<Vec<PlannedOrphan>> {
        let in_trees = self.files_of_trees(survey)?;
        let unused = survey.findings.iter().filter(|(id, _)| !bound.contains(id) && !in_trees.contains(id));
        let orphans = unused.filter_map(|(&id, finding)| {
            let since = times.orphaned.get(&id).copied();
            let age = since.map_or("in use by nobody".to_owned(), |since| format!("in use by nobody since {since}"));
            let (status, detail) = match finding {
                Finding::Missing => return None,
                Finding::Ours(_) => (ImportStatus::Unchanged, age),
                Finding::Corrupt(reason) => {
                    let path = space.space.artifact(id);
                    (ImportStatus::Corrupt, format!("`{}`: {reason}", printable_path(&path)))
                }
                Finding::File(_) => (ImportStatus::Imported, age),
                Finding::Tree(_) => match finding.doubt() {
                    Some(doubt) => (ImportStatus::Unverifiable, format!("{age}; {doubt}")),
                    None => (ImportStatus::Imported, age),
                },
            };
            let row =
                ImportRow { owner: None, name: None, hash: Some(id), version: None, status, detail: Some(detail) };
            Some(PlannedOrphan { row, id, since })
        });
        Ok(orphans.collect())
    }

    fn files_of_trees(&self, survey: &Survey) -> Result<BTreeSet<Digest>> {
        let mut files = BTreeSet::new();
        for finding in survey.findings.values() {
            match finding {
                Finding::Tree(tree) => files.extend(tree.entries.iter().filter_map(|entry| entry.node.blob())),
                Finding::Ours(artifact) if !artifact.kind.is_file() => {
                    files.extend(self.known.files_of(artifact)?);
                }
                _ => {}
            }
        }
        Ok(files.into_iter().map(|blob| blob.digest).collect())
    }
}
