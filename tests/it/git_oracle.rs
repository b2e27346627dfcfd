//! git itself computes the id: `git add` and `git write-tree` in a SHA-256 repository.
//!
//! git runs without anybody's configuration, attributes and ignore files, and its own data lies
//! outside the tree, which it only reads.

pub(crate) mod random;
mod real;
mod shapes;

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use ohmyartifacts::Digest;
use tempfile::TempDir;

/// A repository that lends its hash function.
struct Git {
    dir: TempDir,
}

impl Git {
    /// Makes a repository; none, with a word about it, if there is no git that knows SHA-256.
    fn new() -> Option<Self> {
        let git = Self { dir: tempfile::tempdir().unwrap() };
        let mut init = git.command(git.dir.path());
        let made = init
            .env_remove("GIT_WORK_TREE")
            .args(["init", "--quiet", "--template=", "--object-format=sha256"])
            .output();
        let trouble = match &made {
            Ok(made) if made.status.success() => None,
            Ok(made) => Some(String::from_utf8_lossy(&made.stderr).into_owned()),
            Err(error) => Some(error.to_string()),
        };
        if let Some(trouble) = trouble {
            // Any other trouble must not let the tests pass by checking nothing.
            let missing = made.is_err_and(|error| error.kind() == ErrorKind::NotFound);
            let too_old = trouble.contains("object-format") || trouble.contains("unknown hash algorithm");
            assert!(missing || too_old, "git: {trouble}");
            eprintln!("skipped: no git that can use SHA-256: {trouble}");
            return None;
        }
        // No attribute of the tree may change what is read.
        let info = git.repository().join("info");
        fs::create_dir_all(&info).unwrap();
        fs::write(info.join("attributes"), "* -text -filter -ident !working-tree-encoding\n").unwrap();
        Some(git)
    }

    /// The id that git gives the directory `tree`.
    fn id_of(&self, tree: &Path) -> Digest {
        let tree = fs::canonicalize(tree).unwrap();
        let _ = fs::remove_file(self.repository().join("index"));
        run(self.command(&tree).args(["add", "--all", "--force", "."]));
        let written = run(self.command(&tree).arg("write-tree"));
        String::from_utf8(written.stdout).unwrap().trim_end().parse().unwrap()
    }

    fn repository(&self) -> PathBuf {
        self.dir.path().join("repository")
    }

    fn command(&self, tree: &Path) -> Command {
        let mut command = Command::new("git");
        // Loose objects are not compressed: the ids are all that is wanted of them.
        for setting in [
            "core.fileMode=true",
            "core.symlinks=true",
            "core.autocrlf=false",
            "core.protectNTFS=false",
            "core.protectHFS=false",
            "core.precomposeUnicode=false",
            "core.looseCompression=0",
            "core.fsync=none",
            "core.bare=false",
            "core.excludesFile=/dev/null",
            "core.attributesFile=/dev/null",
            "advice.addEmbeddedRepo=false",
        ] {
            command.args(["-c", setting]);
        }
        command
            .current_dir(tree)
            .env("GIT_DIR", self.repository())
            .env("GIT_WORK_TREE", tree)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_ATTR_NOSYSTEM", "1")
            .env("GIT_OPTIONAL_LOCKS", "0")
            .env("LC_ALL", "C")
            .stdin(Stdio::null());
        for variable in ["GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_PREFIX"] {
            command.env_remove(variable);
        }
        command
    }
}

fn run(command: &mut Command) -> Output {
    let done = command.output().unwrap();
    assert!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
    done
}

/// git takes no entry of this name, in whatever case.
fn is_gits_own(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b".git")
}
