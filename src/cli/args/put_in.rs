//! The words for putting artifacts in, and for what is noted beside a name.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args as ClapArgs;
use ohmyartifacts::LinkPolicy;

use crate::cli::args::owner;

/// A name to bind to, with what is noted beside it.
#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct BindTo {
    /// Bind the artifact to this name of the owner
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) bind: Option<String>,
    /// Take the name even if it is bound
    #[arg(long, requires = "bind")]
    pub(in crate::cli) force: bool,
    #[command(flatten)]
    pub(in crate::cli) meta: Meta,
    #[command(flatten)]
    pub(in crate::cli) on_behalf: owner::OnBehalf,
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct Meta {
    /// Note something beside the binding
    #[arg(long = "meta", value_name = "KEY=VALUE", value_parser = parse_pair)]
    pub(in crate::cli) pairs: Vec<(String, String)>,
    /// Note the content of a TOML file beside the binding
    #[arg(long = "meta-file", value_name = "TOML")]
    pub(in crate::cli) file: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct Add {
    /// The file or directory
    pub(in crate::cli) path: PathBuf,
    /// Move it in instead of copying
    #[arg(long = "move")]
    pub(in crate::cli) consume: bool,
    #[command(flatten)]
    pub(in crate::cli) bind: BindTo,
    /// Links that leave the tree or point to nothing: error, keep or skip
    #[arg(long, value_name = "POLICY", default_value = "error")]
    pub(in crate::cli) links: LinkPolicy,
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct Create {
    /// Keep only this file or directory of the working directory
    #[arg(long, value_name = "PATH")]
    pub(in crate::cli) result: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) bind: BindTo,
    /// The command and its arguments; its directory is also in $OMA_WORKDIR
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub(in crate::cli) command: Vec<OsString>,
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct Get {
    /// The name of the artifact
    pub(in crate::cli) name: String,
    /// Keep only this file or directory of the working directory
    #[arg(long, value_name = "PATH")]
    pub(in crate::cli) result: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) meta: Meta,
    #[command(flatten)]
    pub(in crate::cli) on_behalf: owner::OnBehalf,
    /// The command that makes it, and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub(in crate::cli) command: Vec<OsString>,
}

fn parse_pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("expected KEY=VALUE".to_owned()),
    }
}
