//! Makes an artifact by running code in a fresh working directory.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::cache::claim::Claim;
use crate::cache::ingest::Origin;
use crate::cache::{Cache, Ingested};
use crate::error::{BoxError, Error, PathContext as _, Result};
use crate::fs::lstat;
use crate::model::LinkPolicy;
use crate::store::Intake;

/// What of a working directory becomes the artifact.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Keep {
    /// All of it, as a directory.
    #[default]
    All,
    /// One file or directory inside it; a relative path starts in the working directory.
    Path(PathBuf),
}

impl From<()> for Keep {
    fn from((): ()) -> Self {
        Self::All
    }
}

impl From<PathBuf> for Keep {
    fn from(path: PathBuf) -> Self {
        Self::Path(path)
    }
}

impl From<&Path> for Keep {
    fn from(path: &Path) -> Self {
        Self::Path(path.to_owned())
    }
}

impl From<&str> for Keep {
    fn from(path: &str) -> Self {
        Self::Path(path.into())
    }
}

impl From<Option<PathBuf>> for Keep {
    fn from(path: Option<PathBuf>) -> Self {
        path.map_or(Self::All, Self::Path)
    }
}

impl Cache {
    /// Runs `make` in a fresh working directory and puts in what it says to keep.
    ///
    /// If `make` fails, nothing is put in. The working directory is gone afterwards in any case.
    ///
    /// ```
    /// # let root = std::env::temp_dir().join(format!("oma-doc-create-{}", std::process::id()));
    /// # let cache = ohmyartifacts::Cache::open(ohmyartifacts::CacheOptions::new(&root))?;
    /// let made = cache.create(|workdir| {
    ///     std::fs::write(workdir.join("scratch"), "not kept")?;
    ///     std::fs::write(workdir.join("answer.txt"), "42\n")?;
    ///     Ok::<_, std::io::Error>("answer.txt")
    /// })?;
    /// assert_eq!(std::fs::read_to_string(&made.path).unwrap(), "42\n");
    /// # drop(cache);
    /// # std::fs::remove_dir_all(&root).unwrap();
    /// # Ok::<(), ohmyartifacts::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Create`] with what `make` said; [`Error::OutsideWorkdir`] if the path to keep lies
    /// elsewhere once links are followed; else as [`Cache::ingest`].
    pub fn create<K: Into<Keep>, E: Into<BoxError>>(
        &self,
        make: impl FnOnce(&Path) -> Result<K, E>,
    ) -> Result<Ingested> {
        self.create_with(&Claim::Lease, None, make)
    }

    /// As [`Cache::create`], noting the command that makes it.
    ///
    /// # Errors
    /// As [`Cache::create`].
    pub fn create_by_command<K: Into<Keep>, E: Into<BoxError>>(
        &self,
        command: &str,
        make: impl FnOnce(&Path) -> Result<K, E>,
    ) -> Result<Ingested> {
        self.create_with(&Claim::Lease, Some(command), make)
    }

    pub(super) fn create_with<K: Into<Keep>, E: Into<BoxError>>(
        &self,
        claim: &Claim<'_>,
        command: Option<&str>,
        make: impl FnOnce(&Path) -> Result<K, E>,
    ) -> Result<Ingested> {
        self.claiming(claim, |claim| self.make_and_take_in(claim, command, make))
    }

    fn make_and_take_in<K: Into<Keep>, E: Into<BoxError>>(
        &self,
        claim: &Claim<'_>,
        command: Option<&str>,
        make: impl FnOnce(&Path) -> Result<K, E>,
    ) -> Result<Ingested> {
        self.check_claim(claim)?;
        let session = self.session()?;
        let made_in = session.stage_dir()?;
        let workdir = made_in.path().join("work");
        self.store.disk.create_dir(&workdir)?;
        let given = Identity::of(&workdir)?;
        let keep = make(&workdir).map_err(|error| Error::Create { source: error.into() })?.into();
        self.waiting.interrupt.check()?;
        // A command may have put a link to somebody's data in its place.
        if Identity::of(&workdir)? != given {
            return Err(Error::OutsideWorkdir { path: workdir.clone(), workdir });
        }
        // Files are renamed out of their directories, which only root can do where they are read-only.
        self.store.disk.open_up(&workdir)?;
        let result = inside(&workdir, keep)?;
        let staged_in = session.stage_dir()?;
        let origin = Origin::new("command", command.unwrap_or("(a program's own code)"));
        self.take_in(&result, Intake::Take, LinkPolicy::Error, &staged_in, claim, origin)
    }
}

/// Which directory it is, whatever it is called.
#[derive(Debug, PartialEq, Eq)]
struct Identity(Option<(u64, u64)>);

impl Identity {
    fn of(path: &Path) -> Result<Self> {
        let found = lstat(path)?.filter(std::fs::Metadata::is_dir);
        Ok(Self(found.map(|found| (found.dev(), found.ino()))))
    }
}

/// Returns the path to keep, all links followed, if it lies inside the working directory.
fn inside(workdir: &Path, keep: Keep) -> Result<PathBuf> {
    let workdir = std::fs::canonicalize(workdir).at("open", workdir)?;
    let Keep::Path(path) = keep else { return Ok(workdir) };
    let given = workdir.join(path);
    let path = match std::fs::canonicalize(&given) {
        Ok(path) => path,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(Error::NoSuchPath { path: given });
        }
        Err(error) => return Err(Error::io("open", &given, error)),
    };
    if path.starts_with(&workdir) { Ok(path) } else { Err(Error::OutsideWorkdir { path: given, workdir }) }
}
