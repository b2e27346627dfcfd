//! Completion: answers a shell that asks what may come next on the line being typed.
//!
//! Guarantees: it only reads, waits for nobody, and says nothing but candidates; what a terminal would not
//! show as it is, nobody can type, and is not offered.

mod bash;
mod line;
mod source;

use std::ffi::OsString;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use clap::{CommandFactory as _, ValueEnum as _};
use clap_complete::engine::{CompletionCandidate, complete};
use clap_complete::env::{Elvish, EnvCompleter, Fish, Powershell, Zsh};
use ohmyartifacts::printable;

use crate::cli::args::{Args, Shell};
use line::Line;
use source::Source;

/// The variable by which a shell's script asks, as other programs have it. Anything but a shell in it is
/// not meant for us.
const ASKED: &str = "COMPLETE";

/// Answers a shell, if it is one that asks.
pub(super) fn answer() -> bool {
    let Some(shell) = std::env::var_os(ASKED).and_then(|name| shell_of(&name)) else { return false };
    let words: Vec<OsString> = std::env::args_os().skip_while(|word| word != "--").skip(1).collect();
    let answer = if words.is_empty() { script(shell) } else { candidates(shell, words) };
    // A shell that does not listen any more needs no answer.
    let _ = std::io::stdout().write_all(&answer);
    true
}

/// A shell may be named by its path, as in `$SHELL`.
fn shell_of(name: &std::ffi::OsStr) -> Option<Shell> {
    let stem = Path::new(name).file_stem()?.to_str()?;
    Shell::from_str(if stem == "pwsh" { "powershell" } else { stem }, false).ok()
}

/// Returns the script that makes a shell ask this very program.
pub(super) fn script(shell: Shell) -> Vec<u8> {
    let program = program();
    let adapter: &dyn EnvCompleter = match shell {
        Shell::Bash => return bash::script(&program).into_bytes(),
        Shell::Elvish => &Elvish,
        Shell::Fish => &Fish,
        Shell::Powershell => &Powershell,
        Shell::Zsh => &Zsh,
    };
    let mut script = Vec::new();
    adapter.write_registration(ASKED, "oma", "oma", &program, &mut script).expect("memory can be written");
    script
}

/// As it was called: by name, so that an update is noticed, or by a path that holds wherever the shell goes.
fn program() -> String {
    let called = std::env::args_os().next().unwrap_or_else(|| "oma".into());
    let called = Path::new(&called);
    let path = if called.components().count() > 1 { std::path::absolute(called).ok() } else { None };
    path.as_deref().unwrap_or(called).to_string_lossy().into_owned()
}

fn candidates(shell: Shell, words: Vec<OsString>) -> Vec<u8> {
    let raw = if shell == Shell::Bash { bash::Raw::from_env() } else { None };
    let words = match &raw {
        Some(raw) => raw.words.iter().map(OsString::from).collect(),
        None => as_read(shell, words),
    };
    let last = words.len() - 1;
    let index = match shell {
        Shell::Fish | Shell::Powershell => last,
        _ if raw.is_some() => last,
        _ => number_of("_CLAP_COMPLETE_INDEX").unwrap_or(last),
    };
    let found = fitting(words, index);
    match (shell, raw) {
        (Shell::Bash, Some(raw)) => joined(found.iter().map(|found| raw.reply(&found.value)), &separator()),
        (Shell::Bash | Shell::Elvish, _) => joined(found.into_iter().map(|found| found.value), &separator()),
        (Shell::Zsh, _) => joined(found.iter().map(Candidate::for_zsh), &separator()),
        (Shell::Fish | Shell::Powershell, _) => found.iter().map(Candidate::with_tab).collect::<String>().into_bytes(),
    }
}

/// Zsh hands words over as typed, Fish the last one; both quote by themselves what they are offered.
fn as_read(shell: Shell, mut words: Vec<OsString>) -> Vec<OsString> {
    let as_typed = match shell {
        Shell::Zsh => 0,
        Shell::Fish => words.len() - 1,
        _ => words.len(),
    };
    for word in &mut words[as_typed..] {
        *word = bash::unquoted(std::mem::take(word));
    }
    words
}

fn number_of(variable: &str) -> Option<usize> {
    std::env::var(variable).ok()?.parse().ok()
}

fn separator() -> String {
    std::env::var("_CLAP_IFS").unwrap_or_else(|_| "\n".to_owned())
}

fn joined(lines: impl Iterator<Item = String>, separator: &str) -> Vec<u8> {
    lines.collect::<Vec<_>>().join(separator).into_bytes()
}

/// What may stand at a place of the line, safe to show.
struct Candidate {
    value: String,
    help: Option<String>,
}

impl Candidate {
    fn of(found: &CompletionCandidate) -> Option<Self> {
        let value = found.get_value().to_str().filter(|value| is_typeable(value))?.to_owned();
        let help = found.get_help().map(ToString::to_string);
        let help = help.and_then(|help| help.lines().next().map(|line| printable(line.as_bytes())));
        Some(Self { value, help })
    }

    /// `VALUE:HELP`, where a colon of the value is escaped.
    fn for_zsh(&self) -> String {
        let escaped = |text: &str| text.replace('\\', "\\\\");
        let value = escaped(&self.value).replace(':', "\\:");
        self.help.as_ref().map_or(value.clone(), |help| format!("{value}:{}", escaped(help)))
    }

    /// `VALUE`, a tab and the help, as a line.
    fn with_tab(&self) -> String {
        let (value, tab) = (&self.value, if self.help.is_some() { "\t" } else { "" });
        format!("{value}{tab}{}\n", self.help.as_deref().unwrap_or_default())
    }
}

/// Tells whether a terminal shows it as it is; a backslash, which is made visible elsewhere, it does.
fn is_typeable(value: &str) -> bool {
    !value.is_empty() && value.split('\\').all(|part| printable(part.as_bytes()) == part)
}

fn fitting(mut words: Vec<OsString>, index: usize) -> Vec<Candidate> {
    // Some shells leave out the word that is not begun yet.
    if words.len() == index {
        words.push(OsString::new());
    }
    let Some(current) = words.get(index).cloned() else { return Vec::new() };
    let source = Arc::new(Source::new(Line::read(&words[..index])));
    let mut command = source::informed(Args::command(), &source);
    let here = std::env::current_dir().ok();
    let found = complete(&mut command, words, index, here.as_deref()).unwrap_or_default();
    let mut fitting: Vec<_> = found.iter().filter_map(Candidate::of).collect();
    // Who typed nothing yet wants a thing; options are for who types a dash, or where nothing else goes.
    let is_option = |found: &Candidate| found.value.starts_with('-');
    if current.is_empty() && !fitting.iter().all(is_option) {
        fitting.retain(|found| !is_option(found));
    }
    fitting
}
