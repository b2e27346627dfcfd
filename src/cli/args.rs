//! The words of the command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args as ClapArgs, Parser, Subcommand, ValueEnum};
use ohmyartifacts::{Durability, LinkStyle, OwnerId, parse_duration};

use crate::cli::render::Format;

mod checkout;
mod clean;
mod config;
mod copy;
mod download;
mod julia;
mod lease;
mod look;
pub(super) mod owner;
mod pack;
mod put_in;
mod relocate;
mod sql;
mod words;

pub(super) use checkout::{Cat, Checkout};
pub(super) use clean::{Gc, GcVerb, Undo};
pub(super) use config::{Config, ConfigSet, ConfigUnset};
pub(super) use copy::CopyTo;
pub(super) use download::{Download, Headers, Refresh, Transfer, header};
pub(super) use julia::{Attach, Detach, Export, Fetch, Import, Sync};
pub(super) use lease::{History, Lease, LeaseAdd, LeaseArg, LeaseRenew, LeaseRun, Pin};
pub(super) use look::{By, Diff, Dup, Find, Ls, Usage, WhatIf};
pub(super) use owner::Owner;
pub(super) use pack::{Archive, Pack, Unpack};
pub(super) use put_in::{Add, BindTo, Create, Get, Meta};
pub(super) use relocate::Relocate;
pub(super) use sql::{Schema, Sql};
pub(super) use words::{Completions, Man, Shell};

/// One content-addressed store for everything programs cache at run time
#[derive(Debug, Parser)]
#[command(name = "oma", version, max_term_width = 100, arg_required_else_help = true)]
#[command(after_help = "A REF is a hash, a unique prefix of one, OWNER:NAME, or a NAME with --owner.\n\
Exit codes: 0 ok, 1 failed, 2 usage, 3 not found, 4 damage found, 5 conflict, 6 busy,\n\
7 out of space, 8 done in part, 130 interrupted.")]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) verb: Verb,
}

#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Global options")]
pub(super) struct Global {
    /// The store's folder [default: $XDG_DATA_HOME/ohmyartifacts]
    #[arg(long, global = true, env = "OMA_STORE", value_name = "DIR", hide_env_values = true)]
    pub(super) store: Option<PathBuf>,
    /// Whose names are meant: a package's UUID or any key
    #[arg(short, long, global = true, env = "OMA_OWNER", value_name = "KEY[@VERSION]", hide_env_values = true)]
    pub(super) owner: Option<OwnerId>,
    /// Print one JSON document
    #[arg(long, global = true)]
    pub(super) json: bool,
    /// Say less; lists print ids only
    #[arg(short, long, global = true)]
    pub(super) quiet: bool,
    /// Say more
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(super) verbose: u8,
    /// When to colour
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", hide_possible_values = true)]
    pub(super) color: Color,
    /// How long to wait for another process, such as 30s; 0 fails at once [default: for ever]
    #[arg(long, global = true, value_name = "DURATION", value_parser = parse_duration)]
    pub(super) wait: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Make a store
    Init(Init),
    /// Put a file or directory in and print its hash
    Add(Add),
    /// Run a command in a fresh directory and put in what it leaves
    Create(Create),
    /// Print the path of an artifact; make it first if it is missing
    Get(Get),
    /// Download data, check it, unpack it if asked to, and bind it
    Download(Download),
    /// Ask where names were downloaded from whether there is something newer, and bring it
    Refresh(Refresh),
    /// Take an artifact, or a part of it, out of the store
    Checkout(Checkout),
    /// Print the content of a file
    Cat(Cat),
    /// Give an artifact a name
    Bind(Bind),
    /// Let names go; nothing is deleted before gc
    Unbind(Unbind),
    /// Print the hash a name stands for
    Hash(NameArg),
    /// Print where an artifact lies
    Path(RefArg),
    /// Print the hash if there is such an artifact
    Exists(RefArg),
    /// Protect an artifact from gc; without a REF, list what is pinned
    Pin(Pin),
    /// Let a pinned artifact go
    Unpin(RefArg),
    /// Protect artifacts for a while, or for as long as a command runs
    #[command(subcommand)]
    Lease(Lease),
    /// Say who owns artifacts, how it is known whether they exist, and what they may hold
    #[command(subcommand)]
    Owner(Owner),
    /// List bindings, or the entries of one artifact
    Ls(Ls),
    /// Show all that is known of an artifact
    Show(RefArg),
    /// Show what keeps an artifact, or since when nothing does
    Why(RefArg),
    /// Tell what was bound, let go and collected: when, by whom, why, and where it came from
    History(History),
    /// Show who uses how much
    Usage(Usage),
    /// Tell exactly what would come free if names were let go; nothing changes
    WhatIf(WhatIf),
    /// Find the artifacts that hold a file of this name
    Find(Find),
    /// Show in what two artifacts differ
    Diff(Diff),
    /// Show what sharing saves: which files stand in several places, and whose they are
    Dup(Dup),
    /// Show the store in numbers
    Stats,
    /// Show the whole store as one page: who has what, what is shared, what gc would free
    Report(Report),
    /// Answer a query over the public views of the index
    Sql(Sql),
    /// Show the public views, and what their columns hold
    Schema(Schema),
    /// Remove what nobody needs any more, or bring it back
    Gc(Gc),
    /// Show and change how the store is run
    #[command(subcommand)]
    Config(Config),
    /// Check that everything stored is what its name says
    Verify(Verify),
    /// Import bindings of Julia's programs, with what they stand for
    Import(Import),
    /// Follow another program's store; without a word, list what is followed
    Attach(Attach),
    /// Follow another program's store no longer; nothing in it or here changes
    Detach(Detach),
    /// Bring this store and those it follows together
    Sync(Sync),
    /// Print an owner's Artifacts.toml for Julia, or write all as a scratch space
    Export(Export),
    /// Make links lead to where the store is now, or change how directories refer to their files
    Relocate(Relocate),
    /// Bring what is declared, and bind it
    Fetch(Fetch),
    /// Copy artifacts to another store on this machine, with all that travels with them
    Copy(CopyTo),
    /// Write artifacts into one file, with all that travels with them
    Pack(Pack),
    /// Check a pack, and take in what it holds
    Unpack(Unpack),
    /// Write a directory into an archive as Julia's `archive_artifact` does
    Archive(Archive),
    /// Print a script that lets a shell complete owners, names and hashes
    Completions(Completions),
    /// Print a manual page, or write them all
    Man(Man),
}

impl Verb {
    /// Tells whether it changes the store in the course of ordinary work: then is the time to clean up
    /// as well, if that is due. What cleans up or brings together itself is not ordinary work.
    pub(super) fn writes(&self) -> bool {
        matches!(
            self,
            Self::Add(_)
                | Self::Create(_)
                | Self::Get(_)
                | Self::Download(_)
                | Self::Refresh(_)
                | Self::Bind(_)
                | Self::Unbind(_)
                | Self::Pin(_)
                | Self::Unpin(_)
                | Self::Owner(Owner::Remove(_) | Owner::Delegate(_))
                | Self::Import(_)
                | Self::Fetch(_)
                | Self::Unpack(_)
        )
    }
}

#[derive(Debug, ClapArgs)]
pub(super) struct Init {
    /// The store's folder, if not given by --store
    pub(super) dir: Option<PathBuf>,
    /// How directories refer to their files: absolute or relative links, or hardlink
    #[arg(long, value_name = "STYLE", default_value = "absolute")]
    pub(super) link_style: LinkStyle,
    /// What survives a power cut: full, batch or none
    #[arg(long, value_name = "LEVEL", default_value = "batch")]
    pub(super) durability: Durability,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Bind {
    /// The name
    pub(super) name: String,
    /// The artifact
    pub(super) reference: String,
    /// Take the name even if it is bound
    #[arg(long)]
    pub(super) force: bool,
    #[command(flatten)]
    pub(super) meta: Meta,
    #[command(flatten)]
    pub(super) on_behalf: owner::OnBehalf,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Unbind {
    /// The names
    #[arg(required = true, value_name = "NAME")]
    pub(super) names: Vec<String>,
}

#[derive(Debug, ClapArgs)]
pub(super) struct NameArg {
    /// The name, or OWNER:NAME
    pub(super) name: String,
}

#[derive(Debug, ClapArgs)]
pub(super) struct RefArg {
    /// The artifact
    #[arg(value_name = "REF")]
    pub(super) reference: String,
}

#[derive(Debug, Clone, ClapArgs)]
pub(super) struct ListArgs {
    /// Only rows that meet a condition, such as size>100MB, used>30d or name=model*, as the list has them (an
    /// unknown key is answered with those there are); repeatable
    #[arg(short, long = "filter", value_name = "EXPR")]
    pub(super) filters: Vec<String>,
    /// Sort by a column of the JSON output
    #[arg(long, value_name = "KEY[:asc|desc]")]
    pub(super) sort: Option<String>,
    /// Show only so many rows
    #[arg(long, value_name = "N")]
    pub(super) limit: Option<usize>,
    /// How to write the rows: table, json, jsonl (a document a line) or csv
    #[arg(long, value_name = "FORMAT", hide_possible_values = true)]
    pub(super) format: Option<Format>,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Report {
    /// Write the page to this file; `-` is standard output, the default where that is no terminal
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// Whose names are meant; the page is about all of them
    // Of the same name as the global word, and instead of it: here `-o` is the file.
    #[arg(long, value_name = "KEY[@VERSION]", help_heading = "Global options")]
    pub(super) owner: Option<OwnerId>,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Verify {
    /// Only these artifacts and the files they need
    #[arg(value_name = "REF")]
    pub(super) references: Vec<String>,
    /// Look at sizes, modes and links, read no content
    #[arg(long)]
    pub(super) quick: bool,
    /// Stop after this long; the next run goes on
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub(super) max_time: Option<Duration>,
}
