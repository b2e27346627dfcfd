//! Runs the program in an environment that holds nothing but what a test gives it.

use std::ffi::OsStr;
use std::ops::Deref;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use ohmyartifacts::LinkStyle;
use serde_json::Value;

use super::Env;

/// The program with a store, a home and a clock of its own.
pub(crate) struct Oma {
    env: Env,
}

impl Deref for Oma {
    type Target = Env;

    fn deref(&self) -> &Env {
        &self.env
    }
}

impl Oma {
    pub(crate) fn new() -> Self {
        Self::with_style(LinkStyle::default())
    }

    pub(crate) fn with_style(style: LinkStyle) -> Self {
        Self::in_env(Env::with_style(style))
    }

    #[cfg(feature = "failpoints")]
    /// See [`Env::in_memory`].
    pub(crate) fn in_memory(style: LinkStyle) -> Self {
        Self::in_env(Env::in_memory(style))
    }

    fn in_env(env: Env) -> Self {
        std::fs::create_dir(env.path("home")).expect("a new directory");
        Self { env }
    }

    /// A path in the temporary directory, as a word of the command line.
    pub(crate) fn at(&self, name: &str) -> String {
        self.path(name).to_str().expect("a temporary path is text").to_owned()
    }

    /// Writes a file and returns its path as a word of the command line.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        std::fs::write(self.path(name), content).expect("a new file");
        self.at(name)
    }

    /// The program, not started yet; no variable of the test's own environment but `PATH` is left.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        self.command_of(Path::new(env!("CARGO_BIN_EXE_oma")), words)
    }

    pub(crate) fn command_of(&self, program: &Path, words: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(words)
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .env("HOME", self.path("home"))
            .env("NO_COLOR", "1")
            .env("OMA_STORE", self.root())
            .env("OMA_TEST_NOW", self.clock.now().to_string())
            .current_dir(self.path(""))
            .stdin(Stdio::null());
        command
    }

    #[must_use]
    pub(crate) fn run(&self, words: &[&str]) -> Ran {
        Ran::of(self.command(words), words)
    }

    /// Runs what must succeed.
    pub(crate) fn ok(&self, words: &[&str]) -> Ran {
        self.run(words).expect(0)
    }

    /// Runs what must end with this code.
    pub(crate) fn fails(&self, code: i32, words: &[&str]) -> Ran {
        self.run(words).expect(code)
    }

    /// Runs with `--json` what must succeed and returns the document.
    pub(crate) fn json(&self, words: &[&str]) -> Value {
        self.ok(&[&["--json"], words].concat()).json()
    }

    /// Runs what prints one line.
    pub(crate) fn line(&self, words: &[&str]) -> String {
        let ran = self.ok(words);
        let line = ran.stdout.strip_suffix('\n').unwrap_or_else(|| panic!("no line end in {ran:?}"));
        assert!(!line.contains('\n'), "more than one line in {ran:?}");
        line.to_owned()
    }

    /// Starts the program in a process group of its own, so that a test can kill all it started.
    #[must_use]
    pub(crate) fn start(&self, words: &[&str]) -> Child {
        let mut command = self.command(words);
        command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("the program starts")
    }

    /// Returns text without what differs from run to run: the temporary directory, names of sessions.
    pub(crate) fn redacted(&self, text: &str) -> String {
        const SESSION_DIGITS: usize = 16;
        let here = self.at("").trim_end_matches('/').to_owned();
        let text = text.replace(&here, "[TMP]");
        let mut pieces = text.split("/store/tmp/");
        let mut redacted = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces {
            let rest = piece.get(SESSION_DIGITS..).unwrap_or_default();
            redacted.push_str("/store/tmp/[SESSION]");
            redacted.push_str(rest);
        }
        redacted
    }
}

/// What a run of the program left.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) words: String,
    /// The exit code; none if a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn of(mut command: Command, words: &[&str]) -> Self {
        Self::from_output(command.output().expect("the program starts"), words)
    }

    pub(crate) fn from_output(output: Output, words: &[&str]) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("the program prints UTF-8");
        Self {
            words: words.join(" "),
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    /// Fails the test unless the program ended so.
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "`oma {}` ended otherwise: {self:#?}", self.words);
        assert!(!self.stderr.contains("panicked"), "{self:#?}");
        self
    }

    /// Returns standard output as the one JSON document it must be.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("no JSON ({error}): {self:#?}"))
    }

    /// Returns the kind of the JSON error.
    pub(crate) fn error_kind(&self) -> String {
        let document = self.json();
        let error = &document["error"];
        assert_eq!(fields(error), ["hint", "kind", "message"], "{self:#?}");
        assert!(error["message"].is_string() && (error["hint"].is_string() || error["hint"].is_null()), "{self:#?}");
        error["kind"].as_str().expect("the kind is text").to_owned()
    }

    /// Fails the test if a control character other than the line end reached the terminal.
    pub(crate) fn assert_printable(&self) {
        for text in [&self.stdout, &self.stderr] {
            let raw = text.chars().find(|c| (c.is_control() && *c != '\n') || is_bidi(*c));
            assert_eq!(raw, None, "a raw character in {self:#?}");
        }
    }
}

fn is_bidi(c: char) -> bool {
    matches!(c, '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Returns the field names of a JSON object, sorted.
pub(crate) fn fields(object: &Value) -> Vec<String> {
    let object = object.as_object().unwrap_or_else(|| panic!("no object: {object}"));
    let mut names: Vec<String> = object.keys().cloned().collect();
    names.sort();
    names
}

/// Asks the index with the `sqlite3` program, which shares no code with ours; none without it.
pub(crate) fn index_rows(store: &Path, query: &str) -> Option<Vec<String>> {
    let output = Command::new("sqlite3")
        .args([OsStr::new("-readonly"), store.join("index.sqlite").as_os_str(), OsStr::new(query)])
        .stdin(Stdio::null())
        .output();
    let output = match output {
        Ok(output) => output,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            tell("there is no `sqlite3` program: the index is not looked at from outside");
            return None;
        }
        Err(error) => panic!("sqlite3: {error}"),
    };
    assert!(output.status.success(), "sqlite3 `{query}`: {}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect())
}

/// Waits for a program that a test started.
pub(crate) fn finish(child: Child) -> Ran {
    Ran::from_output(child.wait_with_output().expect("a child of ours"), &[])
}

/// Says something about a run of the tests.
#[expect(clippy::print_stderr, reason = "shown with the test's other output")]
pub(crate) fn tell(sentence: &str) {
    eprintln!("{sentence}");
}
