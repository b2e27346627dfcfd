//! What a machine or a binary is made for, in Julia's words.
//!
//! Why: one name of a built-in `Artifacts.toml` may stand for dozens of trees, and Julia takes the
//! one that fits its host. Whoever imports, downloads or exports must take the same.
//! Guarantees: tags are normalised, matched and printed by the rules of Julia's
//! `Base.BinaryPlatforms` (read in `base/binaryplatforms.jl` and `base/cpuid.jl`); where Julia throws
//! in the middle of a choice, a platform here does not match; nothing panics.
//! Must not know: TOML, files, what is chosen from.

mod choose;
mod print;
mod triplet;
mod version;

use std::collections::BTreeMap;

#[cfg(test)]
use crate::error::Error;
use crate::error::Result;
use crate::text::printable;

pub(crate) use choose::best;
use version::Version;

/// A set of tags: `arch` and `os` always, then any of `libc`, `call_abi`, `libgfortran_version`,
/// `libstdcxx_version`, `cxxstring_abi`, `os_version`, `julia_version`, and whatever else a package
/// invented (`cuda`, `mpi`).
///
/// Displayed as its triplet, `x86_64-linux-gnu-libgfortran5-cxx11-julia_version+1.10.0`, and read from
/// one. The triplet is Julia's, which leaves out parts of versions: two platforms may have one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Platform {
    tags: BTreeMap<String, String>,
}

/// Characters that would break a triplet or a file name; Julia refuses the same ones.
const FORBIDDEN: &str = r#"+- /<>:"'\|?*"#;
/// Tags whose values are brought to three numbers, so that `5` equals `5.0.0`.
const VERSIONS: [&str; 3] = ["libgfortran_version", "libstdcxx_version", "os_version"];

impl Platform {
    /// Makes a platform of an architecture, an operating system and further tags, normalised; the
    /// error is the reason why there can be no such platform.
    pub(crate) fn new<'a>(
        arch: &str,
        os: &str,
        others: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, String> {
        let mut platform = Self { tags: BTreeMap::new() };
        platform.add("arch", &normal_arch(&arch.to_lowercase()))?;
        platform.add("os", os)?;
        for (tag, value) in others {
            platform.add(tag, value)?;
        }
        platform.add_defaults();
        Ok(platform)
    }

    /// Returns the platform of this machine, as an official Julia on it sees it, but for the versions
    /// that only a running Julia knows (`julia_version`, `libstdcxx_version`, `os_version`).
    pub(crate) fn host() -> Self {
        let arch = match std::env::consts::ARCH {
            "x86" => "i686",
            "powerpc64" => "powerpc64le",
            other => other,
        };
        let mut tags = BTreeMap::from([("arch", normal_arch(arch)), ("os", std::env::consts::OS.to_owned())]);
        // An official Julia brings libgfortran 5, and for Linux is built with the newer C++ strings.
        tags.insert("libgfortran_version", "5.0.0".to_owned());
        if cfg!(target_os = "linux") {
            tags.insert("libc", if is_musl() { "musl" } else { "glibc" }.to_owned());
            tags.insert("cxxstring_abi", "cxx11".to_owned());
        }
        let mut host = Self { tags: tags.into_iter().map(|(tag, value)| (tag.to_owned(), value)).collect() };
        host.add_defaults();
        host
    }

    #[cfg(test)]
    /// Says which Julia runs on it, as `1.10` or `1.10.4`; anything else is [`Error::Invalid`].
    pub(crate) fn with_julia_version(mut self, version: &str) -> Result<Self> {
        let Some(known) = Version::parse(version) else {
            return Err(Error::invalid("Julia version", version, "it looks like `1.10` or `1.10.4`"));
        };
        self.tags.insert("julia_version".to_owned(), known.to_string());
        Ok(self)
    }

    /// Returns a tag's value.
    pub(crate) fn tag(&self, name: &str) -> Option<&str> {
        self.tags.get(name).map(String::as_str)
    }

    /// Returns all tags, sorted by name.
    pub(crate) fn tags(&self) -> impl Iterator<Item = (&str, &str)> {
        self.tags.iter().map(|(tag, value)| (tag.as_str(), value.as_str()))
    }

    fn add(&mut self, tag: &str, value: &str) -> Result<(), String> {
        let tag = tag.to_lowercase();
        let mut value = value.to_lowercase();
        if VERSIONS.contains(&tag.as_str()) {
            value = Version::parse(&value).map_or(value, |version| version.to_string());
        }
        if let Some(bad) = forbidden_in(&tag) {
            return Err(format!("the name of the tag `{}` has {bad}", printable(tag.as_bytes())));
        }
        if let Some(bad) = forbidden_in(&value) {
            return Err(format!("the tag `{tag}` has {bad} in its value `{}`", printable(value.as_bytes())));
        }
        if self.tags.contains_key(&tag) {
            return Err(format!("the tag `{tag}` is given twice"));
        }
        self.tags.insert(tag, value);
        Ok(())
    }

    /// Adds what Linux has even if nobody says so.
    fn add_defaults(&mut self) {
        if self.tag("os") != Some("linux") {
            return;
        }
        self.tags.entry("libc".to_owned()).or_insert_with(|| "glibc".to_owned());
        if matches!(self.tag("arch"), Some("armv7l" | "armv6l")) {
            self.tags.entry("call_abi".to_owned()).or_insert_with(|| "eabihf".to_owned());
        }
    }
}

/// Brings the names that systems give an architecture to the one Julia uses.
fn normal_arch(arch: &str) -> String {
    match arch {
        "amd64" => "x86_64",
        "i386" | "i486" | "i586" => "i686",
        "armv6" => "armv6l",
        "arm" | "armv7" | "armv8" | "armv8l" => "armv7l",
        "arm64" => "aarch64",
        "ppc64le" => "powerpc64le",
        other => other,
    }
    .to_owned()
}

/// Names the first character that no tag may hold.
fn forbidden_in(text: &str) -> Option<String> {
    let bad = text.chars().find(|c| FORBIDDEN.contains(*c) || c.is_control())?;
    Some(format!("the character `{}`", printable(bad.to_string().as_bytes())))
}

/// Tells whether a Julia for this Linux is one for musl. A program linked to musl says nothing about
/// the system it runs on, one linked to glibc does.
fn is_musl() -> bool {
    const LOADERS_OF_GLIBC: [&str; 6] = [
        "/lib64/ld-linux-x86-64.so.2",
        "/lib/ld-linux-aarch64.so.1",
        "/lib/ld-linux.so.2",
        "/lib/ld-linux-armhf.so.3",
        "/lib64/ld64.so.2",
        "/lib/ld-linux-riscv64-lp64d.so.1",
    ];
    cfg!(target_env = "musl") && !LOADERS_OF_GLIBC.iter().any(|loader| std::path::Path::new(loader).exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn platform(arch: &str, os: &str, others: &[(&str, &str)]) -> Platform {
        Platform::new(arch, os, others.iter().copied()).expect("a platform")
    }

    #[test]
    fn names_are_brought_to_those_julia_uses() {
        // The table of `normalize_arch` in Julia's `base/cpuid.jl`, and its tests.
        for (given, normal) in [
            ("AMD64", "x86_64"),
            ("i386", "i686"),
            ("I586", "i686"),
            ("arm", "armv7l"),
            ("armv8l", "armv7l"),
            ("armv6", "armv6l"),
            ("arm64", "aarch64"),
            ("ppc64le", "powerpc64le"),
            ("loongarch64", "loongarch64"),
        ] {
            assert_eq!(platform(given, "freebsd", &[]).tag("arch"), Some(normal));
        }
        assert_eq!(platform("x86_64", "wiNDows", &[]).tag("os"), Some("windows"));
        let versions =
            platform("x86_64", "macos", &[("os_version", "14"), ("libgfortran_version", "v5.1"), ("cuda", "12")]);
        assert_eq!(versions.tag("os_version"), Some("14.0.0"));
        assert_eq!(versions.tag("libgfortran_version"), Some("5.1.0"));
        assert_eq!(versions.tag("cuda"), Some("12"), "only three tags are known to be versions");
    }

    #[test]
    fn linux_has_a_libc_and_arm_a_calling_convention() {
        assert_eq!(platform("x86_64", "linux", &[]).tag("libc"), Some("glibc"));
        assert_eq!(
            platform("x86_64", "linux", &[("libc", "gnu")]).tag("libc"),
            Some("gnu"),
            "kept, though it never fits"
        );
        assert_eq!(platform("x86_64", "macos", &[]).tag("libc"), None);
        assert_eq!(platform("arm", "linux", &[]).tag("call_abi"), Some("eabihf"));
        assert_eq!(platform("armv6l", "linux", &[("call_abi", "eabi")]).tag("call_abi"), Some("eabi"));
        assert_eq!(platform("arm", "windows", &[]).tag("call_abi"), None);
    }

    #[test]
    fn tags_that_would_break_a_triplet_are_refused() {
        for (tag, value) in [("cuda", "12-1"), ("a b", "c"), ("note", "two words"), ("bell", "\u{7}"), ("ARCH", "x")] {
            let reason = Platform::new("x86_64", "linux", [(tag, value)]).expect_err(tag);
            assert!(!reason.contains('\u{7}'), "{reason:?}");
        }
        assert!(Platform::new("x86_64", "linux", [("mpi", "a"), ("MPI", "b")]).is_err());
    }

    #[test]
    fn the_host_is_a_platform_that_julia_could_parse() {
        let host = Platform::host();
        let again = host.to_string().parse::<Platform>().expect("a triplet");
        assert_eq!(again, host);
        assert_eq!(host.tag("julia_version"), None);
        let with = host.with_julia_version("1.10").expect("a version");
        assert!(with.to_string().ends_with("-julia_version+1.10.0"), "{with}");
        assert!(with.with_julia_version("latest").is_err());
    }
}
