//! The proof that the index's write transaction is running.
//!
//! Files enter and leave `artifacts/` only inside that transaction, so the functions that move them
//! ask for this token. It lives below both floors because files and rows never import each other.

use std::marker::PhantomData;

/// Held only while a write transaction of the index runs; cannot outlive it.
#[derive(Clone, Copy)]
pub(crate) struct WriteToken<'tx>(PhantomData<&'tx ()>);

impl WriteToken<'_> {
    /// Made by the index alone, from a running write transaction; a test watches over that.
    pub(crate) fn issue<T>(_running: &T) -> WriteToken<'_> {
        WriteToken(PhantomData)
    }
}
