//! Reads a platform from text: `arch-vendor-os-libc…`, then what a compiler adds, then `-tag+value`
//! for the rest.
//!
//! The grammar is `triplet_regex` of Julia's `base/binaryplatforms.jl`.

use std::str::FromStr;

use super::Platform;
use super::version::Version;
use crate::error::{Error, Result};
use crate::text::printable;

impl FromStr for Platform {
    type Err = Error;

    /// Reads a triplet; a text that Julia would not take is [`Error::Invalid`].
    fn from_str(text: &str) -> Result<Self> {
        parse(text).map_err(|reason| Error::invalid("platform triplet", text, reason))
    }
}

/// Tags as they are read, name and value.
type Tags<'a> = Vec<(&'a str, String)>;

fn parse(text: &str) -> Result<Platform, String> {
    let parts: Vec<&str> = text.split('-').collect();
    let arch = arch_of(parts[0]).ok_or_else(|| format!("`{}` is no processor Julia knows", shown(parts[0])))?;
    let mut reason = "it names no system Julia knows".to_owned();
    // The vendor may be anything, also the name of a system, so the last that reads well counts.
    for at in (1..parts.len()).rev() {
        let Some((os, rest)) = os_at(&parts, at) else { continue };
        match after_os(os, rest, &parts[at + 1..]) {
            Ok(tags) => {
                let tags = tags.iter().map(|(tag, value)| (*tag, value.as_str()));
                return Platform::new(arch, os, tags);
            }
            Err(why) => reason = why,
        }
    }
    Err(reason)
}

fn arch_of(part: &str) -> Option<&'static str> {
    Some(match part {
        "x86_64" | "amd64" => "x86_64",
        "aarch64" | "arm64" => "aarch64",
        "armv7l" | "arm" => "armv7l",
        "armv6l" => "armv6l",
        "powerpc64le" | "ppc64le" => "powerpc64le",
        "riscv64" | "rv64" => "riscv64",
        _ => match part.as_bytes() {
            [b'i', digit, b'8', b'6'] if digit.is_ascii_digit() => "i686",
            _ => return None,
        },
    })
}

/// Returns the system that a part names, and what follows its name within the part.
fn os_at<'a>(parts: &[&'a str], at: usize) -> Option<(&'static str, &'a str)> {
    let part = parts[at];
    let vendor = (at == 2).then(|| parts[1]);
    if let Some(rest) = part.strip_prefix("darwin").filter(|_| vendor == Some("apple")) {
        return Some(("macos", rest));
    }
    if let Some(rest) = part.strip_prefix("mingw32").filter(|_| vendor == Some("w64")) {
        return Some(("windows", rest));
    }
    let mut names = ["linux", "freebsd", "openbsd"].into_iter();
    names.find_map(|name| part.strip_prefix(name).map(|rest| (name, rest)))
}

/// Reads everything that follows the name of the system.
fn after_os<'a>(os: &str, rest: &'a str, parts: &[&'a str]) -> Result<Tags<'a>, String> {
    let mut tags = Vec::new();
    let digits = if matches!(os, "linux" | "windows") { 0 } else { version_length(rest) };
    let (version, abi) = rest.split_at(digits);
    if !version.is_empty() {
        let version = Version::parse(version).ok_or_else(|| format!("`{version}` is no version of {os}"))?;
        tags.push(("os_version", version.to_string()));
    }
    let parts = read_libc(abi, parts, &mut tags)?;
    let parts = read_compiler(parts, &mut tags);
    let mut named: Tags<'_> = Vec::new();
    for part in parts {
        let (tag, value) = extended(part).ok_or_else(|| not_understood(part))?;
        named.push((tag, value.to_owned()));
    }
    // What names a tag that has a place of its own wins over what stands in that place.
    tags.retain(|(tag, _)| !named.iter().any(|(known, _)| known == tag));
    tags.append(&mut named);
    Ok(tags)
}

fn version_length(text: &str) -> usize {
    text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len())
}

/// Reads the C library and the calling convention, which stand in one part (`gnueabihf`); without a
/// library the latter follows the system. Returns the parts that are left.
fn read_libc<'a, 'b>(abi: &str, parts: &'b [&'a str], tags: &mut Tags<'a>) -> Result<&'b [&'a str], String> {
    let (abi, parts) = match parts.split_first() {
        Some((first, left)) if abi.is_empty() => match libc_of(first) {
            Some((libc, abi)) => {
                tags.push(("libc", libc.to_owned()));
                (abi, left)
            }
            None => (abi, parts),
        },
        _ => (abi, parts),
    };
    match abi {
        "" => {}
        "eabi" | "eabihf" => tags.push(("call_abi", abi.to_owned())),
        other => return Err(not_understood(other)),
    }
    Ok(parts)
}

fn libc_of(part: &str) -> Option<(&'static str, &str)> {
    let gnu = part.strip_prefix("gnu").map(|abi| ("glibc", abi));
    gnu.or_else(|| part.strip_prefix("musl").map(|abi| ("musl", abi)))
}

/// Reads what a compiler adds, each at most once and in this order. Returns the parts that are left.
fn read_compiler<'a, 'b>(mut parts: &'b [&'a str], tags: &mut Tags<'a>) -> &'b [&'a str] {
    for (tag, read) in [
        ("libgfortran_version", libgfortran as fn(&str) -> Option<String>),
        ("cxxstring_abi", cxxstring),
        ("libstdcxx_version", libstdcxx),
    ] {
        let Some((first, left)) = parts.split_first() else { break };
        if let Some(value) = read(first) {
            tags.push((tag, value));
            parts = left;
        }
    }
    parts
}

fn libgfortran(part: &str) -> Option<String> {
    let major = match part {
        "libgfortran3" | "gcc4" => 3,
        "libgfortran4" | "gcc7" => 4,
        "libgfortran5" | "gcc8" => 5,
        _ => return None,
    };
    Some(format!("{major}.0.0"))
}

fn cxxstring(part: &str) -> Option<String> {
    matches!(part, "cxx03" | "cxx11").then(|| part.to_owned())
}

/// The number is the last of libstdc++'s three, which has been at 3.4 since 2004.
fn libstdcxx(part: &str) -> Option<String> {
    let patch = part.strip_prefix("libstdcxx")?;
    Version::parse(&format!("3.4.{patch}")).map(|version| version.to_string())
}

/// Reads `tag+value`.
fn extended(part: &str) -> Option<(&str, &str)> {
    let (tag, value) = part.split_once('+')?;
    (!tag.is_empty() && !value.is_empty()).then_some((tag, value))
}

fn not_understood(part: &str) -> String {
    format!("`{}` is not understood", shown(part))
}

fn shown(text: &str) -> String {
    printable(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(arch: &str, os: &str, others: &[(&str, &str)]) -> Platform {
        Platform::new(arch, os, others.iter().copied()).expect("a platform")
    }

    // Most cases are those of Julia's own `test/binaryplatforms.jl`.

    #[test]
    fn triplets_are_read_as_julia_reads_them() {
        let cases: &[(&str, Platform)] = &[
            ("x86_64-linux-gnu", made("x86_64", "linux", &[])),
            ("x86_64-linux-musl", made("x86_64", "linux", &[("libc", "musl")])),
            ("i686-unknown-linux-gnu", made("i686", "linux", &[])),
            ("i386-unknown-freebsd10.3", made("i686", "freebsd", &[("os_version", "10.3")])),
            ("amd64-unknown-freebsd12.0", made("x86_64", "freebsd", &[("os_version", "12")])),
            ("x86_64-unknown-openbsd7.4", made("x86_64", "openbsd", &[("os_version", "7.4")])),
            ("x86_64-apple-darwin", made("x86_64", "macos", &[])),
            ("x86_64-apple-darwin17.0.0", made("x86_64", "macos", &[("os_version", "17")])),
            ("arm64-apple-darwin20", made("aarch64", "macos", &[("os_version", "20.0.0")])),
            ("armv7l-pc-linux-gnueabihf", made("armv7l", "linux", &[])),
            ("armv7l-linux-musleabihf", made("armv7l", "linux", &[("libc", "musl")])),
            ("armv6l-linux-gnueabi", made("armv6l", "linux", &[("call_abi", "eabi")])),
            ("arm-linux-gnueabihf", made("armv7l", "linux", &[])),
            ("aarch64-linux-gnueabihf", made("aarch64", "linux", &[("call_abi", "eabihf")])),
            ("ppc64le-linux-gnu", made("powerpc64le", "linux", &[])),
            ("rv64-linux-gnu", made("riscv64", "linux", &[])),
            ("i686-w64-mingw32", made("i686", "windows", &[])),
            ("x86_64-linux-gnu-gcc7", made("x86_64", "linux", &[("libgfortran_version", "4")])),
            ("x86_64-linux-gnu-libstdcxx26", made("x86_64", "linux", &[("libstdcxx_version", "3.4.26")])),
            (
                "x86_64-linux-gnu-gcc4-cxx11",
                made("x86_64", "linux", &[("libgfortran_version", "3"), ("cxxstring_abi", "cxx11")]),
            ),
            (
                "x86_64-linux-gnu-march+x86_64-cuda+10.1",
                made("x86_64", "linux", &[("march", "x86_64"), ("cuda", "10.1")]),
            ),
        ];
        for (triplet, expected) in cases {
            assert_eq!(triplet.parse::<Platform>().expect(triplet), *expected, "{triplet}");
        }
    }

    #[test]
    fn what_julia_does_not_take_is_refused() {
        let nul = "x86_64-linux-gnu-a+b\0";
        for bad in [
            "",
            "-",
            "x86_64",
            "x86_64-",
            "totally FREEFORM text!!1!!!1!",
            "invalid-triplet-here",
            "x86_64-w32-mingw64",
            "X86_64-linux-gnu",
            "x86_64-linux-gnu-",
            "x86_64-linux-gnu-libgfortran9",
            "x86_64-linux-gnu-cxx11-libgfortran5",
            "x86_64-linux-gnu-tag+",
            "x86_64-linux-gnu-+value",
            "x86_64-linux-gnu-a+b+c",
            "x86_64-apple-darwin20.1.2.3",
            "x86_64-apple-darwin.",
            "x86_64-linux-gnueabihfx",
            "x86_64-linux-gnu-os+windows",
            "x86_64-linux-gnu-a+b-a+c",
            "x86_64-linux-gnu-libc+musl-libc+musl",
            "x86_64-linux-gnu-libstdcxx",
            "x86_64-linux-gnu-libstdcxx99999999999",
            "i68-linux-gnu",
            nul,
            "é-linux-gnu",
        ] {
            let error = bad.parse::<Platform>().expect_err(bad).to_string();
            assert!(error.contains("platform triplet"), "{error}");
        }
    }

    #[test]
    fn a_tag_that_is_named_wins_over_its_place() {
        let platform = "x86_64-apple-darwin20-os_version+20.3-libgfortran_version+5.1".parse::<Platform>();
        let expected = made("x86_64", "macos", &[("os_version", "20.3.0"), ("libgfortran_version", "5.1.0")]);
        assert_eq!(platform.expect("a triplet"), expected);
    }

    #[test]
    fn a_vendor_may_be_called_like_a_system() {
        let platform = "x86_64-linux-freebsd-linux-musl-a+linux".parse::<Platform>().expect("a triplet");
        assert_eq!(platform.to_string(), "x86_64-linux-musl-a+linux");
    }
}
