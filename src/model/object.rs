//! What the store holds, and the few ways it can hold it.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use crate::digest::Digest;
use crate::error::{Error, Result};

/// What an object is. The execute bit belongs to the entry in a tree, not to the content, so the
/// same bytes may be stored twice: once as a plain and once as an executable file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectKind {
    /// A file.
    Blob,
    /// A file that can be executed.
    Executable,
    /// A directory.
    Tree,
}

impl ObjectKind {
    /// Returns the kind of a file with or without the execute bit.
    #[must_use]
    pub const fn file(executable: bool) -> Self {
        if executable { Self::Executable } else { Self::Blob }
    }

    /// Tells whether this is a file of either sort.
    #[must_use]
    pub const fn is_file(self) -> bool {
        !matches!(self, Self::Tree)
    }

    /// Returns `file`, `executable` or `tree`: which of the objects of one hash is meant.
    pub(crate) const fn form(self) -> &'static str {
        match self {
            Self::Blob => "file",
            Self::Executable => "executable",
            Self::Tree => "tree",
        }
    }

    /// Returns `file` or `tree`, as listings show it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Blob | Self::Executable => "file",
            Self::Tree => "tree",
        }
    }
}

impl Serialize for ObjectKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// An object somebody created or bound on purpose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Artifact {
    /// Its name.
    pub hash: Digest,
    /// File or directory.
    pub kind: ObjectKind,
    /// Bytes of its files, each entry counted.
    pub size: u64,
    /// How many files it has; 1 for a file.
    pub files: u64,
}

/// How a stored directory refers to the files it holds. Chosen when the store is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LinkStyle {
    /// Symbolic links with absolute targets, as OhMyArtifacts.jl writes and expects them.
    #[default]
    Absolute,
    /// Symbolic links with relative targets: the store can be moved or mounted elsewhere.
    Relative,
    /// Plain files that share the blob's inode: half the cost a file.
    Hardlink,
}

/// What must survive a power cut. Chosen when the store is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// Every file and directory is flushed on its own.
    Full,
    /// One flush of the filesystem a batch (the default): as safe as `Full`, much faster.
    #[default]
    Batch,
    /// Nothing is flushed; a power cut may leave damaged objects that `verify` finds.
    None,
}

/// What happens to symbolic links that leave the tree or point to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LinkPolicy {
    /// They are an error that names the link (the default): nothing is lost in silence.
    #[default]
    Error,
    /// They are stored to the letter and count in the hash.
    Keep,
    /// They are left out, of the stored tree and of the hash.
    Skip,
}

/// How files come out of a store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CheckoutMode {
    /// As reflinks where the filesystem has them, else as copies (the default).
    #[default]
    Auto,
    /// They share their bytes with the stored ones until one of both is changed.
    Reflink,
    /// They are the stored files under other names: read-only, and not to be changed by force.
    Hardlink,
    /// They are symbolic links to the stored files, good as long as those are kept.
    Symlink,
    /// They are copies, checked while they are made.
    Copy,
}

macro_rules! choice {
    ($type:ident, $what:literal, $($variant:ident => $text:literal),+) => {
        impl $type {
            /// Returns the word for it, as the command line and the index spell it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl FromStr for $type {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    _ => Err(Error::invalid($what, text, concat!("expected one of", $(" `", $text, "`"),+))),
                }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
    };
}

choice!(LinkStyle, "link style", Absolute => "absolute", Relative => "relative", Hardlink => "hardlink");
choice!(Durability, "durability", Full => "full", Batch => "batch", None => "none");
choice!(CheckoutMode, "checkout mode", Auto => "auto", Reflink => "reflink", Hardlink => "hardlink",
    Symlink => "symlink", Copy => "copy");
choice!(LinkPolicy, "link policy", Error => "error", Keep => "keep", Skip => "skip");

pub(super) use choice;
