//! The words about how a store is run.

use clap::{Args as ClapArgs, Subcommand};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Config {
    /// List every value that counts, and where it comes from
    List,
    /// Print one value
    Get(ConfigKey),
    /// Set a value in the store's file
    Set(ConfigSet),
    /// Take a key out of the store's file
    Unset(ConfigUnset),
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct ConfigKey {
    /// The key, such as gc.auto
    #[arg(value_name = "KEY")]
    pub(in crate::cli) key: String,
}

#[derive(Debug, ClapArgs)]
#[command(
    after_help = "Keys: gc.auto (a duration or never), gc.collect_delay, gc.owner_grace, gc.min_age, gc.trash,\n\
lease.duration, gc.rules. A rule is one VALUE, such as 'class=refetchable unused_for=30d'; it knows owner, class,\n\
dead_for, unused_for, max_size, min_free and min_age."
)]
pub(in crate::cli) struct ConfigSet {
    /// The key, such as gc.auto
    #[arg(value_name = "KEY")]
    pub(in crate::cli) key: String,
    /// The value; of gc.rules each rule in one line, which replace the file's list
    #[arg(value_name = "VALUE", required = true)]
    pub(in crate::cli) values: Vec<String>,
    /// In the user's file, which counts for every store
    #[arg(long)]
    pub(in crate::cli) user: bool,
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct ConfigUnset {
    /// The key, such as gc.auto
    #[arg(value_name = "KEY")]
    pub(in crate::cli) key: String,
    /// In the user's file
    #[arg(long)]
    pub(in crate::cli) user: bool,
}
