//! Does to a scratch space what OhMyArtifacts.jl does, as a second writer for tests.
//!
//! Written after the description of the original's formats and rules, and of nothing else: it shares
//! no code with the library it is to catch out. It rewrites files in place, locks as Pidfile.jl
//! does, never breaks a lock and holds no lease between create and bind.
#![expect(clippy::disallowed_methods, clippy::print_stdout, clippy::print_stderr, reason = "a program of its own")]

mod gc;
mod lock;
mod logs;
mod tree;

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use lock::Lock;
use sha2::{Digest as _, Sha256};

pub(crate) type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

const USAGE: &str = "create R TEXT | create-dir R N SEED | bind R UUID NAME ID | unbind R UUID NAME | \
                     lookup R UUID NAME | gc R SECONDS | hold-lock R UUID MILLIS";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match run(&words) {
        Ok(answer) => {
            println!("{answer}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("julia-stand-in: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[&str]) -> Outcome<String> {
    match *words {
        ["create", root, text] => create(&Space::new(root), text.as_bytes()),
        ["create-dir", root, count, seed] => tree::create_dir(&Space::new(root), count.parse()?, seed),
        ["bind", root, uuid, name, id] | ["bind", root, uuid, name, id, "dir"] => {
            bind(&Space::new(root), uuid, name, id)
        }
        ["unbind", root, uuid, name] => unbind(&Space::new(root), uuid, name),
        ["lookup", root, uuid, name] => lookup(&Space::new(root), uuid, name),
        ["gc", root, seconds] => gc::collect(&Space::new(root), Duration::from_secs(seconds.parse()?)),
        ["hold-lock", root, uuid, millis] => {
            let _lock = Lock::beside(&Space::new(root).bindings(uuid)?, "artifact_lock")?;
            std::thread::sleep(Duration::from_millis(millis.parse()?));
            Ok("held".to_owned())
        }
        _ => Err(USAGE.into()),
    }
}

/// Where things lie.
pub(crate) struct Space {
    pub(crate) root: PathBuf,
}

impl Space {
    fn new(root: &str) -> Self {
        Self { root: PathBuf::from(root) }
    }

    pub(crate) fn artifacts(&self) -> PathBuf {
        self.root.join("artifacts")
    }

    /// Returns an artifact's place, making the folder it lies in, as the original does.
    pub(crate) fn artifact(&self, id: &str) -> Outcome<PathBuf> {
        let folder = self.artifacts().join(id.get(..2).ok_or("no id")?);
        fs::create_dir_all(&folder)?;
        Ok(folder.join(id))
    }

    pub(crate) fn logs(&self) -> Outcome<PathBuf> {
        let folder = self.root.join("logs");
        fs::create_dir_all(&folder)?;
        Ok(folder)
    }

    fn bindings(&self, uuid: &str) -> Outcome<PathBuf> {
        let folder = self.root.join(uuid);
        fs::create_dir_all(&folder)?;
        Ok(folder.join("Artifacts.toml"))
    }

    /// Makes a working directory in the artifacts, as the original does.
    pub(crate) fn workdir(&self) -> Outcome<PathBuf> {
        let random = getrandom::u32().map_err(|error| error.to_string())?;
        let dir = self.artifacts().join(format!("jl_{:06x}", random & 0xff_ffff));
        fs::create_dir_all(dir.join("source"))?;
        fs::create_dir_all(dir.join("shadow"))?;
        Ok(dir)
    }
}

pub(crate) fn object_id(kind: &str, content: &[u8]) -> [u8; 32] {
    let mut sha = Sha256::new();
    sha.update(format!("{kind} {}\0", content.len()));
    sha.update(content);
    sha.finalize().into()
}

pub(crate) fn hex(id: [u8; 32]) -> String {
    let digits = |byte: &u8| [byte >> 4, byte & 15].map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)]));
    id.iter().flat_map(digits).collect()
}

/// Moves a file or directory to its place unless there is one, and takes its write bits away.
pub(crate) fn store(space: &Space, from: &Path, id: &str) -> Outcome<()> {
    let target = space.artifact(id)?;
    let _lock = Lock::take(&space.artifacts().join(format!("{id}.lock")))?;
    if !target.exists() {
        fs::rename(from, &target)?;
        let mode = fs::metadata(&target)?.permissions().mode();
        fs::set_permissions(&target, fs::Permissions::from_mode(mode & !0o222))?;
    }
    Ok(())
}

fn create(space: &Space, content: &[u8]) -> Outcome<String> {
    let dir = space.workdir()?;
    let file = dir.join("source/data");
    fs::write(&file, content)?;
    let id = hex(object_id("blob", content));
    let stored = store(space, &file, &id);
    fs::remove_dir_all(&dir)?;
    stored.map(|()| id)
}

fn bind(space: &Space, uuid: &str, name: &str, id: &str) -> Outcome<String> {
    let artifact = space.artifact(id)?;
    if !artifact.exists() {
        return Err(format!("there is no artifact {id}").into());
    }
    let file = space.bindings(uuid)?;
    {
        let _lock = Lock::beside(&file, "artifact_lock")?;
        let mut table = logs::read(&file)?;
        if table.contains_key(name) {
            return Err(format!("`{name}` is taken").into());
        }
        let mut entry = toml::Table::new();
        entry.insert("sha256".to_owned(), id.into());
        entry.insert("isdir".to_owned(), artifact.is_dir().into());
        table.insert(name.to_owned(), entry.into());
        logs::write(&file, &table)?;
    }
    logs::track(space, &file, name, &artifact)?;
    if artifact.is_dir() {
        for target in tree::links(&artifact)? {
            logs::track(space, &file, name, &target)?;
        }
    }
    Ok("bound".to_owned())
}

fn unbind(space: &Space, uuid: &str, name: &str) -> Outcome<String> {
    let file = space.bindings(uuid)?;
    let _lock = Lock::beside(&file, "artifact_lock")?;
    let mut table = logs::read(&file)?;
    if table.remove(name).is_some() {
        logs::write(&file, &table)?;
    }
    Ok("unbound".to_owned())
}

fn lookup(space: &Space, uuid: &str, name: &str) -> Outcome<String> {
    let file = space.bindings(uuid)?;
    let _lock = Lock::beside(&file, "artifact_lock")?;
    let table = logs::read(&file)?;
    let id = table.get(name).and_then(|entry| entry.get("sha256")).and_then(toml::Value::as_str);
    Ok(id.unwrap_or("none").to_owned())
}

/// Fails unless nothing is there: absent is as good as removed.
pub(crate) fn absent_is_fine(outcome: io::Result<()>) -> io::Result<()> {
    match outcome {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
