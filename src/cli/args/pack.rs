//! The words for carrying artifacts in a file.

use std::path::PathBuf;

use clap::Args as ClapArgs;

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct Pack {
    /// The artifacts; by a name, that name goes along [default: all that the owner binds]
    #[arg(value_name = "REF")]
    pub(in crate::cli) references: Vec<String>,
    /// The file to write, a .tar.zst; `-` is standard output
    #[arg(short, long, value_name = "FILE")]
    pub(in crate::cli) file: PathBuf,
    /// Write over a file that is there
    #[arg(long)]
    pub(in crate::cli) force: bool,
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct Unpack {
    /// The pack
    pub(in crate::cli) file: PathBuf,
    /// Check the pack and say what would become of it; change nothing
    #[arg(short = 'n', long)]
    pub(in crate::cli) dry_run: bool,
    /// Bind no names; what arrives is kept for a day
    #[arg(long, conflicts_with = "force")]
    pub(in crate::cli) no_bind: bool,
    /// Take names from what they stand for here
    #[arg(long)]
    pub(in crate::cli) force: bool,
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct Archive {
    /// The artifact, a directory
    #[arg(value_name = "REF")]
    pub(in crate::cli) reference: String,
    /// The file to write, a .tar.gz
    #[arg(short, long, value_name = "FILE")]
    pub(in crate::cli) file: PathBuf,
    /// Write over a file that is there
    #[arg(long)]
    pub(in crate::cli) force: bool,
    /// Print the entry of an Artifacts.toml that declares it under this name
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) toml: Option<String>,
    /// Where the archive will be, for that entry; repeatable
    #[arg(long, value_name = "URL", requires = "toml")]
    pub(in crate::cli) url: Vec<String>,
}
