//! Sizes, counts, ages.

use ohmyartifacts::{Artifact, ObjectKind, Timestamp, printable};

const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

/// Returns a size with one decimal, such as `8.9 KiB`.
pub(in crate::cli) fn human_size(bytes: u64) -> String {
    scaled(bytes, 1)
}

/// Returns by how much something has grown, such as `+8.9 KiB`.
pub(in crate::cli) fn human_growth(bytes: i64) -> String {
    match bytes {
        0 => "0 B".to_owned(),
        more if more > 0 => format!("+{}", human_size(more.unsigned_abs())),
        less => format!("-{}", human_size(less.unsigned_abs())),
    }
}

/// Returns a bar that shows a part of the whole, in eighths of a character; anything at all shows.
pub(in crate::cli) fn bar(part: u64, whole: u64) -> String {
    const WIDTH: u128 = 10;
    const EIGHTHS: [char; 8] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];
    if part == 0 || whole == 0 {
        return String::new();
    }
    let eighths = (u128::from(part) * WIDTH * 8 / u128::from(whole)).clamp(1, WIDTH * 8);
    let (full, rest) = (usize::try_from(eighths / 8).unwrap_or(0), usize::try_from(eighths % 8).unwrap_or(0));
    let last = Some(EIGHTHS[rest]).filter(|_| rest > 0);
    std::iter::repeat_n('█', full).chain(last).collect()
}

/// Returns a size with three decimals, such as `8.889 KiB`.
pub(in crate::cli) fn exact_size(bytes: u64) -> String {
    scaled(bytes, 3)
}

fn scaled(bytes: u64, decimals: usize) -> String {
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    #[expect(clippy::cast_precision_loss, reason = "people read three digits")]
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    // What would be printed as 1024 belongs to the next unit.
    while value >= 1023.95 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.decimals$} {}", UNITS[unit])
}

/// Returns a number with its noun, such as `1 file` or `41,476 files`.
pub(in crate::cli) fn count(number: u64, noun: &str) -> String {
    let after_vowel = |stem: &&str| stem.ends_with(['a', 'e', 'i', 'o', 'u']);
    let plural = match (number, noun.strip_suffix('y').filter(|stem| !after_vowel(stem))) {
        (1, _) => noun.to_owned(),
        (_, Some(stem)) => format!("{stem}ies"),
        _ => format!("{noun}s"),
    };
    format!("{} {plural}", grouped(number))
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Returns how long ago or ahead a time lies, such as `3 days ago` or `in 24 hours`.
pub(in crate::cli) fn age(now: Timestamp, time: Timestamp) -> String {
    if time > now { format!("in {}", span(time.since(now).as_secs())) } else { past(now.since(time).as_secs()) }
}

/// Returns a time to the minute, in UTC: months later the day says more than how long ago it was.
pub(in crate::cli) fn day_and_time(time: Timestamp) -> String {
    const MINUTES: usize = "2026-01-31T12:00".len();
    let text = time.to_string();
    text.get(..MINUTES).map_or(text.clone(), |minutes| minutes.replace('T', " "))
}

fn past(seconds: u64) -> String {
    if seconds < 5 { "now".to_owned() } else { format!("{} ago", span(seconds)) }
}

fn span(seconds: u64) -> String {
    match seconds {
        0..120 => count(seconds, "second"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => count(seconds / 3_600, "hour"),
        172_800..5_184_000 => count(seconds / 86_400, "day"),
        5_184_000..63_072_000 => count(seconds / 2_592_000, "month"),
        _ => count(seconds / 31_536_000, "year"),
    }
}

/// Returns an artifact's size and content in words, such as `tree of 3 files, 11.8 KiB`.
pub(in crate::cli) fn facts(artifact: &Artifact) -> String {
    match artifact.kind {
        ObjectKind::Tree => format!("tree of {}, {}", count(artifact.files, "file"), human_size(artifact.size)),
        _ => format!("file, {}", human_size(artifact.size)),
    }
}

/// Returns the kind for a table; an executable is marked.
pub(in crate::cli) fn short_kind(kind: ObjectKind) -> String {
    match kind {
        ObjectKind::Executable => "file*".to_owned(),
        other => other.as_str().to_owned(),
    }
}

/// Returns a name for a table whose other columns matter too: a long one is cut.
pub(in crate::cli) fn short_name(name: &str) -> String {
    const LONGEST: usize = 48;
    let shown = printable(name.as_bytes());
    if shown.chars().count() <= LONGEST {
        return shown;
    }
    shown.chars().take(LONGEST - 1).chain(['…']).collect()
}

/// Returns the first of several names, and how many more there are.
pub(in crate::cli) fn first_name(names: &[String]) -> String {
    match names {
        [] => "-".to_owned(),
        [name] => short_name(name),
        [name, more @ ..] => format!("{} and {} more", short_name(name), more.len()),
    }
}

/// Returns git's mode in octal.
pub(in crate::cli) fn mode_text(mode: u32) -> String {
    format!("{mode:06o}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_well() {
        assert_eq!(human_size(0), "0 B");
        assert_eq!(human_size(1_023), "1023 B");
        assert_eq!(human_size(9_102), "8.9 KiB");
        assert_eq!(exact_size(9_102), "8.889 KiB");
        assert_eq!(human_size(1_048_575), "1.0 MiB");
        assert_eq!(human_size(u64::MAX), "16.0 EiB");
    }

    #[test]
    fn a_bar_shows_a_part() {
        assert_eq!((bar(0, 8), bar(1, 1_000_000)), (String::new(), "▏".to_owned()));
        assert_eq!((bar(1, 2), bar(9, 20)), ("█████".to_owned(), "████▌".to_owned()));
        assert_eq!(bar(u64::MAX, u64::MAX), "██████████");
        assert_eq!((human_growth(-1_024), human_growth(1)), ("-1.0 KiB".to_owned(), "+1 B".to_owned()));
    }

    #[test]
    fn one_is_singular() {
        assert_eq!(count(1, "file"), "1 file");
        assert_eq!(count(0, "file"), "0 files");
        assert_eq!(count(1_234_567, "entry"), "1,234,567 entries");
    }

    #[test]
    fn times_are_told_from_now() {
        let now = Timestamp::from_millis(1_000_000_000_000);
        let ago = |seconds: i64| age(now, Timestamp::from_millis(1_000_000_000_000 - seconds * 1_000));
        assert_eq!(ago(0), "now");
        assert_eq!(ago(90), "90 seconds ago");
        assert_eq!(ago(600), "10 min ago");
        assert_eq!(ago(3 * 86_400), "3 days ago");
        assert_eq!(ago(-86_400), "in 24 hours");
    }
}
