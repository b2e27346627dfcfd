//! Stops the program, or fails a call, at the n-th change to the disk. For tests.
//!
//! Without the feature `failpoints` this is an empty type whose check compiles to nothing.

#[cfg(feature = "failpoints")]
pub use counting::Fault;

/// Never stops anything in this build.
#[cfg(not(feature = "failpoints"))]
#[derive(Debug, Clone, Default)]
pub(crate) struct Fault(());

#[cfg(not(feature = "failpoints"))]
impl Fault {
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "the other build needs both")]
    pub(crate) fn hit(&self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(feature = "failpoints")]
mod counting {
    use std::io;
    use std::str::FromStr;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// Counts changes to the disk down to the one that goes wrong.
    #[derive(Debug, Clone, Default)]
    pub struct Fault(Option<Arc<Plan>>);

    #[derive(Debug)]
    struct Plan {
        count: AtomicU64,
        at: u64,
        effect: Effect,
    }

    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Effect {
        /// The process ends at once, as by a power cut.
        Abort,
        /// This one call fails.
        Fail(Reason),
        /// This call and all later ones fail.
        FailFromThenOn(Reason),
    }

    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Reason {
        /// The disk is broken (`EIO`).
        Broken,
        /// The disk is full (`ENOSPC`).
        Full,
    }

    impl Reason {
        fn error(self) -> io::Error {
            match self {
                Self::Broken => rustix::io::Errno::IO.into(),
                Self::Full => rustix::io::Errno::NOSPC.into(),
            }
        }
    }

    impl Fault {
        pub(crate) fn hit(&self) -> io::Result<()> {
            let Some(plan) = &self.0 else { return Ok(()) };
            let count = plan.count.fetch_add(1, Ordering::SeqCst) + 1;
            match plan.effect {
                Effect::Abort if count == plan.at => std::process::abort(),
                Effect::Fail(reason) if count == plan.at => Err(reason.error()),
                Effect::FailFromThenOn(reason) if count >= plan.at => Err(reason.error()),
                _ => Ok(()),
            }
        }

        /// Returns how many changes have been counted.
        #[must_use]
        pub fn count(&self) -> u64 {
            self.0.as_ref().map_or(0, |plan| plan.count.load(Ordering::SeqCst))
        }
    }

    /// Parses `abort@17`, `fail@17` or `full@17`; a `+` at the end means "and all later ones".
    impl FromStr for Fault {
        type Err = String;

        fn from_str(text: &str) -> Result<Self, String> {
            let bad = || format!("`{text}` is not a fault such as `abort@17`, `fail@17` or `full@17+`");
            let (effect, at) = text.split_once('@').ok_or_else(bad)?;
            let (effect, at) = match (effect, at.strip_suffix('+')) {
                ("abort", None) => (Effect::Abort, at),
                ("fail", None) => (Effect::Fail(Reason::Broken), at),
                ("fail", Some(at)) => (Effect::FailFromThenOn(Reason::Broken), at),
                ("full", None) => (Effect::Fail(Reason::Full), at),
                ("full", Some(at)) => (Effect::FailFromThenOn(Reason::Full), at),
                _ => return Err(bad()),
            };
            let at = at.parse().map_err(|_| bad())?;
            Ok(Self(Some(Arc::new(Plan { count: AtomicU64::new(0), at, effect }))))
        }
    }
}
