//! The words for coming from Julia, and for going on using both.

use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueEnum};
use ohmyartifacts::PlatformChoice;

/// Whose store it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Program {
    /// OhMyArtifacts.jl
    Julia,
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct Attach {
    /// Whose store: julia
    pub(in crate::cli) program: Option<Program>,
    /// The depot, or the scratch space itself [default: the first of JULIA_DEPOT_PATH, else ~/.julia]
    #[arg(long, value_name = "DIR", requires = "program")]
    pub(in crate::cli) depot: Option<PathBuf>,
    /// Let changes here go there too
    #[arg(long, requires = "program")]
    pub(in crate::cli) write: bool,
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct Detach {
    /// Whose store: julia
    pub(in crate::cli) program: Program,
    /// The depot, or the scratch space itself [default: the first of JULIA_DEPOT_PATH, else ~/.julia]
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) depot: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct Sync {
    /// Say what would be done; change nothing
    #[arg(short = 'n', long)]
    pub(in crate::cli) dry_run: bool,
    /// Put back what a torn file lost, without asking
    #[arg(long)]
    pub(in crate::cli) restore: bool,
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct Export {
    /// Write a scratch space of OhMyArtifacts.jl into this folder: the owner's part, or all
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) dir: Option<PathBuf>,
    /// Write what the names stand for too, so that Julia can use the folder
    #[arg(long, requires = "dir")]
    pub(in crate::cli) artifacts: bool,
    /// Write over bindings and logs there that say something else
    #[arg(long, requires = "dir")]
    pub(in crate::cli) force: bool,
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct Fetch {
    /// The declared names
    #[arg(required = true, value_name = "NAME")]
    pub(in crate::cli) names: Vec<String>,
    /// Where to look for installed artifacts [default: JULIA_DEPOT_PATH, else ~/.julia]
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) depot: Vec<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct Import {
    /// An Artifacts.toml, a package's folder, a scratch space of OhMyArtifacts.jl, or a depot
    #[arg(required = true, value_name = "PATH")]
    pub(in crate::cli) paths: Vec<PathBuf>,
    /// Say what would become of each name; change nothing
    #[arg(short = 'n', long)]
    pub(in crate::cli) dry_run: bool,
    /// Take names from what they stand for here
    #[arg(short, long)]
    pub(in crate::cli) force: bool,
    /// For which platform built-in artifacts are chosen: a triplet, or all [default: this machine's]
    #[arg(long, value_name = "TRIPLET")]
    pub(in crate::cli) platform: Option<PlatformChoice>,
    /// Where to look for installed artifacts [default: JULIA_DEPOT_PATH, else ~/.julia]
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) depot: Vec<PathBuf>,
}
