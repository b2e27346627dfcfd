//! Writes a platform as text, in the places where Julia writes its tags.
//!
//! The order is `triplet` of Julia's `base/binaryplatforms.jl`; the tags at the end are sorted.

use std::fmt;

use super::Platform;
use super::version::Version;

/// What has its own place in a triplet and is not printed as `-tag+value`.
const PLACED: [&str; 8] =
    ["arch", "call_abi", "cxxstring_abi", "libc", "libgfortran_version", "libstdcxx_version", "os", "os_version"];

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.tag("arch").unwrap_or_default())?;
        self.write_os(f)?;
        match self.tag("libc") {
            Some("glibc") => f.write_str("-gnu")?,
            Some(libc) => write!(f, "-{libc}")?,
            None => {}
        }
        f.write_str(self.tag("call_abi").unwrap_or_default())?;
        self.write_compiler(f)?;
        let mut others = self.tags().filter(|(tag, _)| !PLACED.contains(tag));
        others.try_for_each(|(tag, value)| write!(f, "-{tag}+{value}"))
    }
}

impl Platform {
    fn write_os(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = self.tag("os_version").and_then(Version::parse);
        match (self.tag("os").unwrap_or_default(), version) {
            ("linux", _) => f.write_str("-linux"),
            ("windows", _) => f.write_str("-w64-mingw32"),
            ("macos", Some(version)) => write!(f, "-apple-darwin{}", version.major),
            ("macos", None) => f.write_str("-apple-darwin"),
            ("freebsd", Some(version)) => write!(f, "-unknown-freebsd{}.{}", version.major, version.minor),
            ("freebsd", None) => f.write_str("-unknown-freebsd"),
            ("openbsd", _) => f.write_str("-unknown-openbsd"),
            _ => f.write_str("-unknown"),
        }
    }

    /// Writes what a compiler adds; a version that cannot be read as one is left out.
    fn write_compiler(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(version) = self.tag("libgfortran_version").and_then(Version::parse) {
            write!(f, "-libgfortran{}", version.major)?;
        }
        if let Some(abi) = self.tag("cxxstring_abi") {
            write!(f, "-{abi}")?;
        }
        if let Some(version) = self.tag("libstdcxx_version").and_then(Version::parse) {
            write!(f, "-libstdcxx{}", version.patch)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(arch: &str, os: &str, others: &[(&str, &str)]) -> Platform {
        Platform::new(arch, os, others.iter().copied()).expect("a platform")
    }

    // Most cases are those of Julia's own `test/binaryplatforms.jl`.

    #[test]
    fn triplets_are_printed_as_julia_prints_them() {
        let cases: &[(Platform, &str)] = &[
            (made("armv6l", "linux", &[("libc", "musl"), ("call_abi", "eabihf")]), "armv6l-linux-musleabihf"),
            (made("armv7l", "Linux", &[("libgfortran_version", "3")]), "armv7l-linux-gnueabihf-libgfortran3"),
            (made("x86_64", "macos", &[("os_version", "16.2")]), "x86_64-apple-darwin16"),
            (made("i686", "freebsd", &[("os_version", "13")]), "i686-unknown-freebsd13.0"),
            (made("x86_64", "openbsd", &[("os_version", "7.4")]), "x86_64-unknown-openbsd"),
            (made("x86_64", "netbsd", &[]), "x86_64-unknown"),
            (
                made(
                    "x86_64",
                    "linux",
                    &[("libstdcxx_version", "3.4.26"), ("mpi", "mpich"), ("cxxstring_abi", "cxx11"), ("cuda", "12")],
                ),
                "x86_64-linux-gnu-cxx11-libstdcxx26-cuda+12-mpi+mpich",
            ),
        ];
        for (platform, expected) in cases {
            assert_eq!(platform.to_string(), *expected);
        }
        let long = "x86_64-linux-gnu-libgfortran5-cxx11-julia_version+1.10.0";
        assert_eq!(long.parse::<Platform>().expect("a triplet").to_string(), long);
    }
}
