//! The words for taking artifacts out.

use std::path::PathBuf;

use clap::Args as ClapArgs;
use ohmyartifacts::CheckoutMode;

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct Checkout {
    /// The artifact, or a part of it
    #[arg(value_name = "REF[:PATH]")]
    pub(in crate::cli) reference: String,
    /// Where it is to lie, by its own name: nothing may be there; a directory may take the place of an empty one
    pub(in crate::cli) dest: PathBuf,
    /// How files come out: auto (reflink, else copy), reflink, hardlink, symlink or copy
    #[arg(long, value_name = "MODE", default_value = "auto")]
    pub(in crate::cli) mode: CheckoutMode,
    /// Let the files be changed: they share nothing with the store then
    #[arg(short, long)]
    pub(in crate::cli) writable: bool,
    /// Replace what is there, all at once
    #[arg(short, long)]
    pub(in crate::cli) force: bool,
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct Cat {
    /// A file, or one in a directory
    #[arg(value_name = "REF[:PATH]")]
    pub(in crate::cli) reference: String,
}
