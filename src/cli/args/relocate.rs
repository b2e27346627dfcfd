//! The words for a store that was moved, or is to refer to its files in another way.

use clap::Args as ClapArgs;
use ohmyartifacts::LinkStyle;

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct Relocate {
    /// How directories refer to their files from now on: absolute or relative links, or hardlink [default: as now]
    #[arg(long, value_name = "STYLE")]
    pub(in crate::cli) link_style: Option<LinkStyle>,
    /// Say what would be done; change nothing
    #[arg(short = 'n', long)]
    pub(in crate::cli) dry_run: bool,
}
