//! Errors as people and scripts see them: a sentence, its causes, a hint, an exit code.

use std::error::Error as StdError;
use std::io::{self, Write as _};

use anstyle::{AnsiColor, Style};
use ohmyartifacts::{Error, ErrorKind, LinkProblem, printable, printable_path};

use crate::cli::Exit;

const ERROR: Style = AnsiColor::Red.on_default().bold();
const HINT: Style = AnsiColor::Cyan.on_default();

const OTHER_BYTES: &str =
    "nothing was stored; `oma import` takes a corrected declaration, `--depot DIR` an artifact that Julia installed";

/// A command that could not do what it was asked.
#[derive(Debug)]
pub(super) struct Failure {
    kind: &'static str,
    exit: Exit,
    message: String,
    causes: Vec<String>,
    hint: Option<String>,
    broken_pipe: bool,
}

impl Failure {
    fn new(kind: &'static str, exit: Exit, message: &str) -> Self {
        let message = message.to_owned();
        Self { kind, exit, message, causes: Vec::new(), hint: None, broken_pipe: false }
    }

    /// The request itself is wrong.
    pub(super) fn usage(message: &str) -> Self {
        Self::new("usage", Exit::Usage, message)
    }

    /// Something failed that is not the library's.
    pub(super) fn failed(message: &str) -> Self {
        Self::new("failed", Exit::Failed, message)
    }

    /// A person stopped it.
    pub(super) fn stopped(message: &str) -> Self {
        Self::new("interrupted", Exit::Interrupted, message)
    }

    /// A command that was to be run could not be; `code` is what a shell ends with then.
    pub(super) fn unstartable(message: &str, code: u8) -> Self {
        Self::new("failed", Exit::Command(code), message)
    }

    /// What was asked for does not exist.
    pub(super) fn not_found(message: &str) -> Self {
        Self::new("not_found", Exit::NotFound, message)
    }

    /// A system call of the program itself failed.
    pub(super) fn io(message: &str, error: &io::Error) -> Self {
        let missing = error.kind() == io::ErrorKind::NotFound;
        let (kind, exit) = if missing { ("not_found", Exit::NotFound) } else { ("failed", Exit::Failed) };
        Self::new(kind, exit, message).cause(&error.to_string())
    }

    /// Standard output cannot be written.
    pub(super) fn output(error: &io::Error) -> Self {
        let broken_pipe = error.kind() == io::ErrorKind::BrokenPipe;
        Self { broken_pipe, ..Self::failed("could not write to standard output").cause(&error.to_string()) }
    }

    pub(super) fn hint(mut self, hint: &str) -> Self {
        self.hint = Some(hint.to_owned());
        self
    }

    pub(super) fn cause(mut self, cause: &str) -> Self {
        self.causes.push(cause.to_owned());
        self
    }

    pub(super) fn is_broken_pipe(&self) -> bool {
        self.broken_pipe
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let (kind, exit) = match error.kind() {
            ErrorKind::NotFound => ("not_found", Exit::NotFound),
            ErrorKind::Conflict => ("conflict", Exit::Conflict),
            ErrorKind::Busy => ("busy", Exit::Busy),
            ErrorKind::Damaged => ("damaged", Exit::Damaged),
            ErrorKind::Usage => ("usage", Exit::Usage),
            ErrorKind::OutOfSpace => ("out_of_space", Exit::OutOfSpace),
            ErrorKind::Interrupted => ("interrupted", Exit::Interrupted),
            _ => ("failed", Exit::Failed),
        };
        let mut causes = Vec::new();
        if let Error::Unfetched { attempts, .. } = &error {
            causes.extend(attempts.iter().map(in_one_line));
        }
        let mut source = error.source();
        while let Some(cause) = source {
            // A command line is safe already: it is written so that a shell takes it.
            let safe = cause.is::<CommandError>();
            let cause_text = cause.to_string();
            causes.push(if safe { cause_text } else { printable(cause_text.as_bytes()) });
            source = cause.source();
        }
        let hint = hint(&error);
        Self { kind, exit, message: error.to_string(), causes, hint, broken_pipe: false }
    }
}

fn in_one_line(error: &Error) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        line = format!("{line}: {}", printable(cause.to_string().as_bytes()));
        source = cause.source();
    }
    line
}

/// Returns what may help, with a command that works when pasted.
fn hint(error: &Error) -> Option<String> {
    if let Some(hint) = hint_of_download(error) {
        return Some(hint);
    }
    Some(match error {
        Error::UnknownReference { .. } => "`oma ls` lists all names; a bare name needs `--owner KEY`".to_owned(),
        Error::NoSuchBinding { owner, .. } => format!("`oma ls --owner {}` lists its names", quoted(owner)),
        Error::NoSuchOwner { .. } => "`oma owner list` lists them, each with its version".to_owned(),
        Error::NoSuchEntry { hash, .. } | Error::StoredLink { hash, .. } => {
            format!("`oma ls {}` lists what it holds", hash.short())
        }
        Error::NoFolder { path } => format!("`mkdir -p {}` makes it", quoted(&path.to_string_lossy())),
        Error::NoSample => "`oma gc` notes it, and so does the first command of a day that writes".to_owned(),
        Error::NoSuchLease { .. } => "`oma lease list` shows those there are".to_owned(),
        Error::NoSuchObject { .. } => "`oma ls` lists what is bound".to_owned(),
        Error::AmbiguousPrefix { candidates, .. } => {
            let some: Vec<String> = candidates.iter().take(4).map(ohmyartifacts::Digest::short).collect();
            format!("give more digits, such as {}", some.join(", "))
        }
        Error::BindingExists { owner, name, .. } => {
            format!("`oma unbind --owner {} {}` frees the name, `--force` takes it", quoted(owner), quoted(name))
        }
        Error::OwnerExists { owner } => {
            format!("`oma owner show {}` shows it; `oma owner delegate` hands bindings over to it", quoted(owner))
        }
        Error::HeldElsewhere { space, .. } => {
            format!("`oma detach julia --depot {}` ends that", quoted(&space.to_string_lossy()))
        }
        Error::OverBudget { owner, needed, .. } => {
            let (owner, needed) = (quoted(owner), ohmyartifacts::format_size(*needed));
            format!(
                "`oma ls --owner {owner} --sort size` shows what is large; \
                 `oma owner add {owner} --hard-budget {needed}` gives it room"
            )
        }
        Error::Link { problem: LinkProblem::Leaves | LinkProblem::Dangles | LinkProblem::Loops, .. } => {
            "`--links keep` stores such links as they are, `--links skip` leaves them out".to_owned()
        }
        Error::IndexLost { path } => {
            let index = quoted(&path.join("index.sqlite").to_string_lossy());
            format!("put `{index}` back from a backup; until then nothing here is changed")
        }
        Error::NotAStore { .. } => "name another folder with `--store DIR`".to_owned(),
        Error::Config { path, line, .. } => {
            format!("`sed -n {line}p {}` shows the line", quoted(&path.to_string_lossy()))
        }
        Error::StoreExists { path } => format!("`oma --store {} stats` shows it", quoted(&path.to_string_lossy())),
        Error::NoRoomToUpgrade { path, .. } => {
            let folder = path.parent().unwrap_or(path);
            format!("`df -h {}` shows the disk; make some room there first", quoted(&folder.to_string_lossy()))
        }
        Error::SchemaTooNew { .. } => "a newer oma made this store; update oma".to_owned(),
        Error::Busy { .. } => "wait longer with `--wait 60s`, or for ever by leaving `--wait` out".to_owned(),
        Error::WrongHash { .. } => OTHER_BYTES.to_owned(),
        Error::NotAFile { reference } => {
            format!("`oma cat {}:PATH` prints a file in it, `oma checkout` takes it out", quoted(reference))
        }
        Error::InTheWay { .. } => "name another place, or replace what is there with `--force`".to_owned(),
        Error::CannotShare { .. } => "`--mode copy` works everywhere".to_owned(),
        Error::Unfetched { .. } if error.kind() == ErrorKind::Damaged => OTHER_BYTES.to_owned(),
        Error::Unfetched { attempts, .. } if attempts.is_empty() => {
            "its package makes it; install it with Julia and name the depot with `--depot DIR`".to_owned()
        }
        Error::Unwritable { .. } => {
            "`oma unbind` lets the name go, `oma bind --force` gives it other metadata".to_owned()
        }
        Error::Damaged { hash, .. } => format!("`oma verify {}` shows what is wrong", hash.short()),
        Error::BadPack { .. } => "nothing was stored; bring the pack again from where it was made".to_owned(),
        Error::NotATree { hash, .. } => format!("`oma pack {} -f FILE.tar.zst` packs files too", hash.short()),
        Error::ReadOnly { path } => format!("`ls -ld {}` shows who may write there", quoted(&path.to_string_lossy())),
        Error::CannotUndo { .. } => "`oma history` tells what each run took; `oma gc --trash 7d` keeps it".to_owned(),
        Error::BadPlan { .. } => "`oma gc --plan-out FILE` makes a plan of this store as it is now".to_owned(),
        Error::Query { .. } => "`oma schema` lists the views there are, and what their columns hold".to_owned(),
        Error::QueryTimeout { .. } => "`oma sql --timeout 5m QUERY` gives it more time".to_owned(),
        Error::OutsideWorkdir { .. } => {
            "name a path inside the command's directory, which is in `$OMA_WORKDIR`".to_owned()
        }
        Error::NoRoom { path, .. } => {
            let path = quoted(&path.to_string_lossy());
            format!("`df -h {path}` shows the disk; if the store lies on it, `oma gc --collect-delay 0 -y` frees room")
        }
        _ if error.kind() == ErrorKind::OutOfSpace => {
            "make some room on that disk; if the store lies on it, `oma gc --collect-delay 0 -y` frees what nothing uses"
                .to_owned()
        }
        _ => return None,
    })
}

/// Returns what may help where data was to come from elsewhere.
fn hint_of_download(error: &Error) -> Option<String> {
    Some(match error {
        Error::Download { reason, .. } if reason.contains("answers 401") || reason.contains("answers 403") => {
            "`--header @FILE` sends what is in FILE along, such as `Authorization: Bearer …`; it is never stored"
                .to_owned()
        }
        Error::Download { location, .. } if location.ends_with("?…") => {
            "`oma download --force URL NAME` brings it again, with the whole address".to_owned()
        }
        Error::NotDownloaded { owner, name, location } => {
            let url = location.as_deref().map_or_else(|| "URL".to_owned(), quoted);
            format!("`oma download --force --owner {} {url} {}` binds it to a download", quoted(owner), quoted(name))
        }
        Error::WrongHash { algorithm: "sha256", found, .. } => {
            format!(
                "nothing was stored; if these are the right bytes, say so with `--sha256 {found}`, or in what declares them"
            )
        }
        _ => return None,
    })
}

/// Returns a word as a shell takes it.
pub(super) fn quoted(word: &str) -> String {
    ohmyartifacts::shell_word(word)
}

/// Tells the person, and with JSON the script too.
pub(super) fn report(failure: &Failure, json: bool) -> Exit {
    tell!("{ERROR}error:{ERROR:#} {}", failure.message);
    for cause in &failure.causes {
        tell!("  caused by: {cause}");
    }
    if let Some(hint) = &failure.hint {
        tell!("{HINT}hint:{HINT:#} {hint}");
    }
    if json {
        let message = failure.causes.iter().fold(failure.message.clone(), |all, cause| format!("{all}: {cause}"));
        print_json(failure.kind, &message, failure.hint.as_deref());
    }
    failure.exit
}

pub(super) fn print_json(kind: &str, message: &str, hint: Option<&str>) {
    // Nobody is left to tell if this fails.
    let _ = writeln!(
        anstream::stdout(),
        "{}",
        serde_json::json!({"error": {"kind": kind, "message": message, "hint": hint}})
    );
}

/// The command that should have made an artifact did not.
#[derive(Debug, thiserror::Error)]
pub(super) enum CommandError {
    #[error("`{0}` could not be started: {1}")]
    Start(String, io::Error),
    #[error("`{0}` ended with {1}")]
    Status(String, std::process::ExitStatus),
}

/// Returns a path for a sentence.
pub(super) fn shown(path: &std::path::Path) -> String {
    printable_path(path)
}
