//! The words for copying from store to store.

use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueHint};

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct CopyTo {
    /// The artifacts; by a name, that name goes along [default: all that the owner binds]
    #[arg(value_name = "REF")]
    pub(in crate::cli) references: Vec<String>,
    /// The other store's folder; made if there is none
    #[arg(long, value_name = "STORE", value_hint = ValueHint::DirPath)]
    pub(in crate::cli) to: PathBuf,
    /// Bind no names; what arrives is kept for a day
    #[arg(long, conflicts_with = "force")]
    pub(in crate::cli) no_bind: bool,
    /// Take names from what they stand for there
    #[arg(long)]
    pub(in crate::cli) force: bool,
}
