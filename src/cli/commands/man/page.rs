//! One page of the manual.

use clap::{Arg, Command};
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, italic, roman};

use super::text::{ABOUT, ENVIRONMENT, EXAMPLES, EXIT_CODES, FILES, Said};

/// Makes help say what clap's manual leaves out: the other spellings of an option.
pub(super) fn complete(verb: Command) -> Command {
    let with_aliases = |arg: Arg| match (arg.get_visible_aliases(), arg.get_help()) {
        (Some(aliases), Some(help)) if !aliases.is_empty() => {
            let aliases: Vec<String> = aliases.iter().map(|alias| format!("--{alias}")).collect();
            let help = format!("{help} [also: {}]", aliases.join(", "));
            arg.help(help)
        }
        _ => arg,
    };
    verb.mut_args(with_aliases).mut_subcommands(complete)
}

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Returns the name of a verb's page as a file, such as `oma-owner-add.1`.
pub(super) fn name_of(verb: &Command) -> String {
    format!("{}.1", title(verb))
}

fn title(verb: &Command) -> &str {
    verb.get_display_name().unwrap_or_else(|| verb.get_name())
}

/// Returns a verb's page; the verb is part of a command that is built.
pub(super) fn of(verb: &Command) -> String {
    let is_oma = !title(verb).contains('-');
    let man = Man::new(verb.clone().subcommand_help_heading("SUBCOMMANDS"));
    // Without a date, which only quotes can say, what follows would be taken for it.
    let heading = format!(".TH {} 1 \"\" \"oma {VERSION}\" \"User Commands\"\n", title(verb));
    let mut page = Page { text: Roff::new().render() + &heading };
    page.of_clap(|out| man.render_name_section(out));
    page.add(synopsis(verb));
    if is_oma {
        page.add(about());
    } else {
        page.of_clap(|out| man.render_description_section(out));
    }
    if let Some(notes) = verb.get_after_help().filter(|_| !is_oma) {
        page.add(notes_of(&notes.to_string()));
    }
    page.of_clap(|out| man.render_options_section(out));
    if verb.has_subcommands() {
        page.of_clap(|out| man.render_subcommands_section(out));
    }
    if is_oma {
        page.add(list("EXIT STATUS", "", &EXIT_CODES));
        page.add(list("ENVIRONMENT", "", &ENVIRONMENT));
        page.add(list("FILES", "In the store's folder:", &FILES));
        page.add(examples());
    }
    if !is_oma {
        page.add(see_also(verb));
    }
    page.text
}

/// The parts of a page. Each begins by saying which apostrophe is meant, which once is enough.
struct Page {
    text: String,
}

impl Page {
    fn of_clap(&mut self, render: impl FnOnce(&mut dyn std::io::Write) -> std::io::Result<()>) {
        let mut part = Vec::new();
        render(&mut part).expect("memory can be written");
        self.push(&String::from_utf8_lossy(&part));
    }

    fn add(&mut self, roff: Roff) {
        self.push(&roff.render());
    }

    fn push(&mut self, part: &str) {
        let preamble = Roff::new().render();
        let part = part.strip_prefix(&preamble).unwrap_or(part);
        part.chars().for_each(|c| self.push_char(c));
    }

    /// Not everyone who sets a page takes it for UTF-8.
    fn push_char(&mut self, c: char) {
        if c.is_ascii() {
            self.text.push(c);
        } else {
            let escaped = format!("\\[u{:04X}]", u32::from(c));
            self.text.push_str(&escaped);
        }
    }
}

/// As help has it: clap's manual would name all options here, those of every verb among them.
fn synopsis(verb: &Command) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["SYNOPSIS"]);
    let usage = verb.clone().render_usage().to_string();
    let name = verb.get_bin_name().unwrap_or_else(|| verb.get_name());
    for (number, line) in usage.lines().enumerate() {
        let line = line.trim_start_matches("Usage:").trim();
        if number > 0 {
            roff.control("br", []);
        }
        let rest = line.strip_prefix(name).unwrap_or(line);
        roff.text([bold(name), roman(rest)]);
    }
    roff
}

fn about() -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["DESCRIPTION"]);
    for (number, text) in ABOUT.iter().enumerate() {
        if number > 0 {
            roff.control("PP", []);
        }
        roff.text(marked(text));
    }
    roff
}

/// Options stand out, and what stands for something else.
fn marked(text: &str) -> Vec<Inline> {
    let is_place = |word: &str| word.len() > 1 && word.chars().all(|c| c.is_ascii_uppercase() || c == ':');
    let mut inlines = Vec::new();
    for (number, piece) in text.split(' ').enumerate() {
        let word = piece.trim_end_matches(['.', ',', ';', ':', ')']);
        let space = if number > 0 { " " } else { "" };
        let is_option = word.starts_with('-') && word.len() > 1;
        inlines.push(roman(space));
        if is_option {
            inlines.push(bold(word));
        } else if is_place(word) && ["REF", "NAME", "OWNER:NAME"].contains(&word) {
            inlines.push(italic(word));
        } else {
            inlines.push(roman(word));
        }
        inlines.push(roman(&piece[word.len()..]));
    }
    inlines
}

/// What help says at its end: lines that are set in columns stay as they are, sentences are filled anew.
fn notes_of(text: &str) -> Roff {
    if text.lines().any(|line| line.contains("  ")) {
        return as_it_is("", text);
    }
    let mut roff = Roff::new();
    roff.control("PP", []);
    roff.text(marked(&text.replace('\n', " ")));
    roff
}

fn as_it_is(indent: &str, text: &str) -> Roff {
    let mut roff = Roff::new();
    roff.control("PP", []);
    if !indent.is_empty() {
        roff.control("RS", [indent]);
    }
    roff.control("nf", []);
    for line in text.lines() {
        roff.text([roman(line)]);
    }
    roff.control("fi", []);
    if !indent.is_empty() {
        roff.control("RE", []);
    }
    roff
}

fn list(heading: &str, intro: &str, entries: &[Said]) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", [heading]);
    if !intro.is_empty() {
        roff.text([roman(intro)]);
    }
    for (name, text) in entries {
        roff.control("TP", []);
        roff.text([bold(*name)]);
        roff.text(marked(text));
    }
    roff
}

fn examples() -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["EXAMPLES"]);
    for (number, (what, command)) in EXAMPLES.iter().enumerate() {
        if number > 0 {
            roff.control("PP", []);
        }
        roff.text([roman(*what)]);
        roff.extend([as_it_is("4", command)]);
    }
    roff
}

/// The pages above; what holds for every verb stands in that of oma.
fn see_also(verb: &Command) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["SEE ALSO"]);
    let title = title(verb);
    for (dash, _) in title.match_indices('-').skip(1) {
        roff.text([bold(&title[..dash]), roman("(1),")]);
    }
    roff.text([bold("oma"), roman("(1), which has the exit codes, the environment and the files")]);
    roff
}
