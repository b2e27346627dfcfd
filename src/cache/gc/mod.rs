//! Finds what nobody needs and removes it: policy, plan, report.
//!
//! Preview and execution are one path: [`Cache::gc_plan`] selects, [`Cache::gc_apply`] takes of the
//! plan what still may go. A plan changes nothing and works on a read-only store.

mod apply;
mod auto;
mod forecast;
mod grounds;
mod kept;
mod plan;
mod plan_file;
mod record;
mod recover;
mod remove;
mod report;
mod room;
mod select;
mod undo;
mod what_if;

pub use forecast::{GcForecast, GcYield};
pub use report::{GcFailure, GcHeldBack, GcItem, GcLimit, GcPlan, GcReport, GcSkipped, GcSpared, GcUnbound};
pub(super) use select::{Planned, Seen, select};
pub use undo::{UndoReport, UndoneBinding, UndoneObject};
pub use what_if::{WhatIf, WhatIfItem, WhatIfKept, WhatIfReport};

#[cfg(doc)]
use crate::Cache;
