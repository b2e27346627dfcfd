//! Which objects nobody needs: the choice of gc.
//!
//! The work grows with the garbage: it starts at the partial index over `orphaned_at`, and a blob is
//! looked at only through the edges of trees that go, or if it is an orphan itself. Rules about size
//! alone look at everything, and only when a limit is exceeded. A selection has these steps:
//!
//! 1. `aged`: orphans that are due, bindings that count no longer, bindings that are idle
//! 2. `doom`: the directories that nothing holds then
//! 3. `purge`: what leaves the trash for good
//! 4. `doom`: the files that only those directories had, or that are nobody's themselves
//! 5. `evict`: one artifact after the other, until there is room enough
//! 6. `taken`: what that comes to

mod aged;
mod beyond;
mod doom;
mod evict;
mod purge;
mod scratch;
mod taken;

pub(crate) use aged::{Orphan, Protection, Use};
pub(crate) use beyond::Loosened;
pub(crate) use doom::Start;
pub(crate) use evict::Gone;
pub(crate) use purge::TrashRun;
pub(super) use scratch::{class, prepare_scratch};
pub(crate) use taken::{Doomed, Spared, Totals};

/// Every query of the selection.
#[cfg(test)]
pub(super) fn all() -> Vec<(&'static str, &'static str)> {
    [aged::ALL, beyond::ALL, doom::ALL, evict::ALL, purge::ALL, taken::ALL].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::Index;
    use crate::time::Timestamp;

    /// The work must grow with the garbage: no query may walk all objects, bindings or edges.
    #[test]
    fn no_query_walks_what_is_kept() {
        let index = Index::empty(Timestamp::from_millis(0)).expect("an index in memory");
        let connection = index.lock();
        prepare_scratch(&connection).expect("scratch tables");
        let around = [crate::index::owners::ALL, crate::index::probes::ALL].concat();
        let around = around.into_iter().filter(|(name, _)| ["EMPTY", "PROBED"].contains(name));
        let all = [aged::ALL, beyond::ALL, doom::ALL, purge::ALL, taken::ALL].concat().into_iter().chain(around);
        for (name, sql) in all {
            let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).expect(name);
            let steps = statement.raw_query().mapped(|row| row.get::<_, String>(3));
            for step in steps.map(|step| step.expect(name)) {
                let Some(table) = step.strip_prefix("SCAN ").and_then(|rest| rest.split(' ').next()) else { continue };
                let kept = ["o", "objects", "b", "bindings", "m", "members", "t", "n", "w", "owners"].contains(&table);
                // These hold only what nobody keeps, and what is on its way in or out.
                let partial = ["_orphaned", "_unsettled", "_trashed", "_ending", "_empty"]
                    .iter()
                    .any(|index| step.contains(index));
                assert!(!kept || partial, "{name}: {step}");
            }
        }
    }
}
