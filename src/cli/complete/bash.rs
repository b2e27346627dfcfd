//! Bash, which splits words at colons too and takes what it is given as typed: the line is read as the shell
//! will read it, and what is offered is quoted, without what stands there already.

use std::ffi::OsString;

/// The script. It hands the line over as typed up to the cursor; what Bash makes of it says too little.
const SCRIPT: &str = r#"_oma_complete() {
    local IFS=$'\013'
    local space=true
    compopt +o nospace 2> /dev/null && space=false
    COMPREPLY=( $( \
        _OMA_LINE="${COMP_LINE:0:COMP_POINT}" \
        _OMA_BREAKS="$COMP_WORDBREAKS" \
        _CLAP_IFS="$IFS" \
        _CLAP_COMPLETE_INDEX="$COMP_CWORD" \
        COMPLETE=bash \
        PROGRAM -- "${COMP_WORDS[@]}" 2> /dev/null \
    ) )
    if [[ $space == false && ${COMPREPLY-} =~ [=/:]$ ]]; then
        compopt -o nospace
    fi
}
complete -o nospace -o bashdefault -o nosort -F _oma_complete oma 2> /dev/null ||
    complete -o nospace -o bashdefault -F _oma_complete oma
"#;

pub(super) fn script(program: &str) -> String {
    SCRIPT.replace("PROGRAM", &format!("'{}'", program.replace('\'', r"'\''")))
}

/// Returns a word as the shell will read it; one that is no text stays as it is.
pub(super) fn unquoted(word: OsString) -> OsString {
    let read = word.to_str().and_then(|word| Raw::read(word, "").words.pop());
    read.map_or(word, OsString::from)
}

/// A line as typed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Raw {
    /// The words as the shell will read them; the last one is being typed, and may be empty.
    pub(super) words: Vec<String>,
    /// The quote that the last word stands in.
    quote: Option<char>,
    /// How much of the last word, as it will be read, stays where it is: Bash replaces what follows.
    kept: usize,
}

impl Raw {
    /// Returns the line of a Bash that asks by our script.
    pub(super) fn from_env() -> Option<Self> {
        let line = std::env::var("_OMA_LINE").ok().filter(|line| !line.trim().is_empty())?;
        Some(Self::read(&line, &std::env::var("_OMA_BREAKS").unwrap_or_default()))
    }

    fn read(line: &str, breaks: &str) -> Self {
        let mut raw = Self { words: vec![String::new()], ..Self::default() };
        let mut begun = false;
        let mut characters = line.chars();
        while let Some(c) = characters.next() {
            match (raw.quote, c) {
                (None, c) if c.is_ascii_whitespace() => {
                    if std::mem::take(&mut begun) {
                        raw.words.push(String::new());
                        raw.kept = 0;
                    }
                    continue;
                }
                (None, '\'' | '"') => raw.quote_or_not(Some(c)),
                (Some(quote), c) if c == quote => raw.quote_or_not(None),
                (None, '\\') => raw.push(characters.next()),
                (Some('"'), '\\') => match characters.next() {
                    Some(c @ ('"' | '\\' | '$' | '`')) => raw.push(Some(c)),
                    other => {
                        raw.push(Some('\\'));
                        raw.push(other);
                    }
                },
                (quote, c) => {
                    raw.push(Some(c));
                    if quote.is_none() && breaks.contains(c) {
                        raw.kept = raw.last().len();
                    }
                }
            }
            begun = true;
        }
        raw
    }

    fn last(&self) -> &str {
        self.words.last().map_or("", String::as_str)
    }

    fn push(&mut self, c: Option<char>) {
        self.words.last_mut().expect("there is always a last word").extend(c);
    }

    /// A quote begins or ends; either way what stands before it stays.
    fn quote_or_not(&mut self, quote: Option<char>) {
        self.quote = quote;
        self.kept = self.last().len();
    }

    /// Returns what Bash is to put in place of the part of the last word that it replaces.
    pub(super) fn reply(&self, candidate: &str) -> String {
        let typed = self.last();
        let rest = candidate.get(self.kept..).unwrap_or_default();
        match self.quote {
            Some('\'') => rest.replace('\'', r"'\''"),
            Some(_) => escaped(rest, |c| "\"\\$`".contains(c)),
            // A tilde that was typed bare is the home folder.
            None if typed.starts_with('~') && self.kept == 0 => {
                format!("~{}", escaped(rest.get(1..).unwrap_or_default(), is_special))
            }
            None => escaped(rest, is_special),
        }
    }
}

fn is_special(c: char) -> bool {
    c.is_ascii_whitespace() || "\\'\"$`&|;<>()*?[]{}!#~^".contains(c)
}

fn escaped(text: &str, special: impl Fn(char) -> bool) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if special(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bash's own.
    const BREAKS: &str = " \t\n\"'@><=;|&(:";

    fn reply(line: &str, candidate: &str) -> (Vec<String>, String) {
        let raw = Raw::read(line, BREAKS);
        let reply = raw.reply(candidate);
        (raw.words, reply)
    }

    #[test]
    fn the_line_is_read_as_the_shell_reads_it() {
        assert_eq!(reply("oma path ", "x"), (["oma", "path", ""].map(String::from).into(), "x".to_owned()));
        let words = |line| reply(line, "").0;
        assert_eq!(words(r"oma  'a b'\ c"), ["oma", "a b c"]);
        assert_eq!(words(r#"oma "a\"b\n" --x=y z@1:"#), ["oma", "a\"b\\n", "--x=y", "z@1:"]);
        assert_eq!(words("oma '' x"), ["oma", "", "x"]);
        assert_eq!(words("oma \\"), ["oma", ""]);
    }

    #[test]
    fn what_stands_before_a_break_is_not_said_again() {
        assert_eq!(reply("oma path iris:da", "iris:data").1, "data");
        assert_eq!(reply("oma -o zoo@1", "zoo@1.2").1, "1.2");
        assert_eq!(reply("oma --owner=zo", "--owner=zoo").1, "zoo");
        assert_eq!(reply("oma path iris", "iris:data").1, "iris:data");
    }

    #[test]
    fn what_is_offered_is_quoted_as_it_was_begun() {
        assert_eq!(reply("oma path a", "a b$(x)'").1, r"a\ b\$\(x\)\'");
        assert_eq!(reply("oma path 'a", "a b'c").1, r"a b'\''c");
        assert_eq!(reply("oma path \"a", "a b\"$c").1, r#"a b\"\$c"#);
        assert_eq!(reply("oma add ~/a", "~/a b").1, r"~/a\ b");
    }
}
