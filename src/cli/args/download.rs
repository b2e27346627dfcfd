//! The words for bringing data from elsewhere.

use std::convert::Infallible;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::Args as ClapArgs;
use ohmyartifacts::{LinkPolicy, Sha256Sum, parse_duration, parse_size};

use crate::cli::args::{Meta, owner};

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct Download {
    /// Where the data is: https://, http:// or file://
    pub(in crate::cli) url: String,
    /// The name to bind it to
    pub(in crate::cli) name: String,
    /// Accept these bytes only: their plain SHA-256, as `sha256sum` prints it
    #[arg(long, value_name = "HEX")]
    pub(in crate::cli) sha256: Option<Sha256Sum>,
    #[command(flatten)]
    pub(in crate::cli) unpack: Unpack,
    /// The file is a program: store it with the execute bit
    #[arg(long)]
    pub(in crate::cli) executable: bool,
    /// Another place that has the same data, tried when those before fail; repeatable
    #[arg(long = "mirror", value_name = "URL")]
    pub(in crate::cli) mirrors: Vec<String>,
    /// If the name is bound already, to bytes of the hash that --sha256 wants, print that and download nothing
    #[arg(long, conflicts_with = "force")]
    pub(in crate::cli) if_missing: bool,
    /// Take the name even if it is bound
    #[arg(long)]
    pub(in crate::cli) force: bool,
    #[command(flatten)]
    pub(in crate::cli) meta: Meta,
    #[command(flatten)]
    pub(in crate::cli) on_behalf: owner::OnBehalf,
    #[command(flatten)]
    pub(in crate::cli) transfer: Transfer,
}

/// What becomes of an archive.
#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct Unpack {
    /// Unpack what arrives: tar, zip, or what gzip, bzip2, xz or zstd packed
    #[arg(long)]
    pub(in crate::cli) extract: bool,
    /// Drop the one folder that everything in the archive lies in
    #[arg(long, requires = "extract")]
    pub(in crate::cli) strip_top: bool,
    /// Links in the archive that leave its tree or point to nothing: error, keep or skip
    #[arg(long, value_name = "POLICY", default_value = "error", requires = "extract")]
    pub(in crate::cli) links: LinkPolicy,
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct Refresh {
    /// The names; one of another owner as OWNER:NAME
    #[arg(required = true, value_name = "NAME")]
    pub(in crate::cli) names: Vec<String>,
    #[command(flatten)]
    pub(in crate::cli) transfer: Transfer,
}

/// How long and how often it is tried.
#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct Transfer {
    /// Send a header along, to the hosts named and to no other; never stored. @FILE has one a line
    #[arg(long = "header", value_name = "NAME: VALUE|@FILE")]
    pub(in crate::cli) headers: Vec<Headers>,
    /// Try so often again when a transfer makes no progress
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub(in crate::cli) retries: u32,
    /// Give a connection up on which so long nothing, or next to nothing, comes
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = parse_duration)]
    pub(in crate::cli) timeout: Duration,
    /// Take no more bytes than this
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub(in crate::cli) max_size: Option<u64>,
}

/// One header, or a file of them: what is in a file no other user of the machine sees. It is looked at later
/// on, because a word that is refused here is shown, and this one may be secret.
#[derive(Debug, Clone)]
pub(in crate::cli) enum Headers {
    One(String),
    File(PathBuf),
}

impl FromStr for Headers {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text.strip_prefix('@') {
            Some(file) => Self::File(file.into()),
            None => Self::One(text.to_owned()),
        })
    }
}

/// Reads `NAME: VALUE`; what else a name or a value cannot hold, the protocol says.
pub(in crate::cli) fn header(line: &str) -> Result<(String, String), &'static str> {
    match line.split_once(':') {
        Some((name, value)) if !name.trim().is_empty() && !line.contains(char::is_control) => {
            Ok((name.trim().to_owned(), value.trim().to_owned()))
        }
        _ => Err("a header is one line, `NAME: VALUE`"),
    }
}
