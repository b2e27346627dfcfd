//! Locks as Pidfile.jl takes them: waits for ever, breaks none.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::Outcome;

pub(crate) struct Lock {
    file: File,
    path: PathBuf,
}

impl Lock {
    pub(crate) fn take(path: &Path) -> Outcome<Self> {
        loop {
            match OpenOptions::new().read(true).write(true).create_new(true).mode(0o444).open(path) {
                Ok(mut file) => {
                    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
                    file.write_all(format!("{} {host}", std::process::id()).as_bytes())?;
                    return Ok(Self { file, path: path.to_owned() });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    std::thread::sleep(Duration::from_millis(2));
                }
                Err(error) => return Err(format!("{}: {error}", path.display()).into()),
            }
        }
    }

    /// Takes the lock in the folder of a file.
    pub(crate) fn beside(file: &Path, name: &str) -> Outcome<Self> {
        Self::take(&file.with_file_name(name))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let (Ok(here), Ok(there)) = (self.file.metadata(), fs::metadata(&self.path)) else { return };
        if (here.dev(), here.ino()) == (there.dev(), there.ino()) {
            let _ = fs::remove_file(&self.path);
        }
    }
}
