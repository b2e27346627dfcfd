//! Questions in SQL, and what can be asked.

use std::ops::ControlFlow;
use std::time::Duration;

use crate::cache::Cache;
use crate::error::Result;
use crate::index::View;
use crate::model::SqlPart;

/// How a question in SQL is answered.
#[derive(Debug, Clone, Copy)]
#[must_use]
pub struct SqlOptions {
    timeout: Duration,
}

impl Default for SqlOptions {
    /// It may take 30 seconds.
    fn default() -> Self {
        Self { timeout: Duration::from_secs(30) }
    }
}

impl SqlOptions {
    /// How long the answer may take, what is done with its rows meanwhile included.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

impl Cache {
    /// Answers one query over the public views, see [`Cache::schema`], and changes nothing. `each` is told
    /// the columns first and then row after row, until it wants no more. What is asked of the store is one
    /// state of it; others may write meanwhile, and this cache may be used.
    ///
    /// # Errors
    /// [`Error::Query`](crate::Error::Query) for what is no query, is wrong or asks for more than the views,
    /// [`Error::QueryTimeout`](crate::Error::QueryTimeout) if it takes too long,
    /// [`Error::Interrupted`](crate::Error::Interrupted), and what the index says.
    pub fn sql(&self, query: &str, options: &SqlOptions, each: impl FnMut(SqlPart) -> ControlFlow<()>) -> Result<()> {
        self.index.ask(query, options.timeout, each)
    }

    /// Returns the public views, by name: what [`Cache::sql`] and every other program may read in the index.
    ///
    /// # Errors
    /// What the index says.
    pub fn schema(&self) -> Result<Vec<View>> {
        self.read(|tx| tx.views())
    }
}
