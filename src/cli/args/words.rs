//! The words about the words: completion in a shell, and manual pages.

use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueEnum};

/// A shell that completes by asking a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Shell {
    Bash,
    Elvish,
    Fish,
    Powershell,
    Zsh,
}

#[derive(Debug, ClapArgs)]
#[command(after_help = "In ~/.bashrc:                  source <(oma completions bash)\n\
In ~/.zshrc, after compinit:   source <(oma completions zsh)\n\
In ~/.config/fish/config.fish: oma completions fish | source")]
pub(in crate::cli) struct Completions {
    /// The shell: bash, elvish, fish, powershell or zsh
    #[arg(hide_possible_values = true)]
    pub(in crate::cli) shell: Shell,
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct Man {
    /// The verb whose page to print, such as `gc` or `owner add` [default: that of oma]
    #[arg(value_name = "VERB", conflicts_with = "dir")]
    pub(in crate::cli) verb: Vec<String>,
    /// Write all pages into this folder instead: oma.1, oma-add.1, …
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) dir: Option<PathBuf>,
}
