//! Questions about what artifacts consist of: who holds a file of this name, in what two differ, what
//! stands in several places. Changes nothing.

mod diff;
mod duplicates;
mod search;

pub use diff::{Change, Diff, DiffSide, DiffedPath};
pub use duplicates::{Duplicate, Duplicates};
pub use search::{FileHit, FilePattern};
