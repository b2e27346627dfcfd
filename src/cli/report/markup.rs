//! Builds markup in which nothing from outside can be taken for markup.
//!
//! Guarantees: text and attributes are escaped, control and bidirectional characters are shown, not obeyed.

use std::fmt::Write as _;

use ohmyartifacts::printable;

/// An element with its attributes and what is in it.
#[derive(Debug, Clone)]
pub(super) struct Element {
    name: &'static str,
    head: String,
    content: String,
}

/// Elements that have no end.
const VOID: [&str; 2] = ["meta", "rect"];

impl Element {
    pub(super) fn new(name: &'static str) -> Self {
        Self { name, head: String::new(), content: String::new() }
    }

    /// Adds an attribute.
    pub(super) fn with(mut self, name: &str, value: impl std::fmt::Display) -> Self {
        push(&mut self.head, format_args!(" {name}=\"{}\"", escape(&value.to_string())));
        self
    }

    pub(super) fn class(self, class: &str) -> Self {
        if class.is_empty() { self } else { self.with("class", class) }
    }

    /// Adds text, as it is to be read.
    pub(super) fn text(mut self, text: &str) -> Self {
        self.content.push_str(&escape(text));
        self
    }

    /// Adds a name from outside: cut if it is long, and then whole in a title.
    pub(super) fn name(self, name: &str, longest: usize) -> Self {
        let shown = printable(name.as_bytes());
        let short = clip(&cut(&shown, longest), longest * 6);
        if short == shown { self.text(&shown) } else { self.with("title", clip(&shown, WHOLE)).text(&short) }
    }

    pub(super) fn child(mut self, child: Element) -> Self {
        child.write(&mut self.content);
        self
    }

    pub(super) fn children(mut self, children: impl IntoIterator<Item = Element>) -> Self {
        for child in children {
            child.write(&mut self.content);
        }
        self
    }

    fn write(&self, out: &mut String) {
        let Self { name, head, content } = self;
        if content.is_empty() && VOID.contains(name) {
            // What is drawn needs an end even so.
            push(out, format_args!("<{name}{head}{}>", if *name == "meta" { "" } else { "/" }));
        } else {
            push(out, format_args!("<{name}{head}>{content}</{name}>"));
        }
        if matches!(*name, "tr" | "section" | "p" | "h2" | "meta" | "thead" | "svg") {
            out.push('\n');
        }
    }

    pub(super) fn render(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }
}

/// A name in a title is no longer than this, in bytes of markup.
const WHOLE: usize = 600;

/// Cuts text to so many letters; what was cut is marked.
fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most - 1).chain(['…']).collect()
}

/// Cuts text so that it takes at most so many bytes of markup; what was cut is marked.
pub(super) fn clip(text: &str, most: usize) -> String {
    let mut size = 0;
    let mut end = 0;
    for (at, c) in text.char_indices() {
        let next = size + escaped(c).map_or(c.len_utf8(), str::len);
        if next > most {
            return format!("{}…", &text[..end]);
        }
        size = next;
        // Room for the mark.
        if size + '…'.len_utf8() <= most {
            end = at + c.len_utf8();
        }
    }
    text.to_owned()
}

fn escaped(c: char) -> Option<&'static str> {
    match c {
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        '"' => Some("&quot;"),
        '\'' => Some("&#39;"),
        _ => None,
    }
}

/// Escapes text for content and attributes alike.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match escaped(c) {
            Some(escape) => out.push_str(escape),
            None => out.push(c),
        }
    }
    out
}

fn push(out: &mut String, arguments: std::fmt::Arguments<'_>) {
    out.write_fmt(arguments).expect("writing to a string cannot fail");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_outside_is_markup() {
        let element = Element::new("b").with("title", "\"'><script>").text("</b><script>&");
        let html = "<b title=\"&quot;&#39;&gt;&lt;script&gt;\">&lt;/b&gt;&lt;script&gt;&amp;</b>";
        assert_eq!(element.render(), html);
        assert_eq!(Element::new("td").name("a\n\u{202e}b", 40).render(), "<td>a\\n\\u{202e}b</td>");
    }

    #[test]
    fn long_names_are_cut_and_whole_in_the_title() {
        let name = "n".repeat(50);
        let cut = Element::new("td").name(&name, 10).render();
        assert_eq!(cut, format!("<td title=\"{name}\">nnnnnnnnn…</td>"));
        assert_eq!(clip("short", 5), "short");
        assert_eq!(clip("<<<<<<", 12), "&lt;&lt;".replace("&lt;", "<") + "…");
        assert!(escape(&clip(&"\"é&<".repeat(99), 64)).len() <= 64);
    }
}
