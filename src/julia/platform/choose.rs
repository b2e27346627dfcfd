//! Chooses among platforms as `select_platform` in Julia's `base/binaryplatforms.jl` does.

use std::cmp::Reverse;

use super::Platform;
use super::version::Version;

impl Platform {
    /// Tells whether what was built for this platform runs on `host`: every tag that both have must
    /// fit. A version that cannot be read as one never fits (Julia throws there).
    pub(crate) fn serves(&self, host: &Self) -> bool {
        self.tags().all(|(tag, built)| host.tag(tag).is_none_or(|has| fits(tag, built, has)))
    }

    /// Counts the tags that only one of the two has.
    fn loss(&self, host: &Self) -> usize {
        let common = self.tags.keys().filter(|tag| host.tags.contains_key(*tag)).count();
        self.tags.len() + host.tags.len() - 2 * common
    }
}

/// Returns the position of the platform that fits `host` best; none if none fits.
///
/// Best is the one with the fewest tags that only one side has, then the one with the greatest
/// triplet, then the last.
pub(crate) fn best<'a>(candidates: impl IntoIterator<Item = (usize, &'a Platform)>, host: &Platform) -> Option<usize> {
    candidates
        .into_iter()
        .filter(|(_, candidate)| candidate.serves(host))
        .max_by_key(|(_, candidate)| (Reverse(candidate.loss(host)), candidate.to_string()))
        .map(|(position, _)| position)
}

/// Tells whether something built with a tag's value runs where the host has the other.
fn fits(tag: &str, built: &str, has: &str) -> bool {
    match tag {
        "os_version" | "libstdcxx_version" => is_at_most(built, has),
        "julia_version" => is_same_minor(built, has),
        _ => built == has,
    }
}

fn is_at_most(built: &str, has: &str) -> bool {
    matches!((Version::parse(built), Version::parse(has)), (Some(built), Some(has)) if built <= has)
}

fn is_same_minor(built: &str, has: &str) -> bool {
    match (Version::parse_release(built), Version::parse_release(has)) {
        (Some(built), Some(has)) => (built.major, built.minor) == (has.major, has.minor),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn platform(triplet: &str) -> Platform {
        triplet.parse().expect("a triplet")
    }

    fn chosen<'a>(candidates: &[&'a str], host: &str) -> Option<&'a str> {
        let platforms: Vec<Platform> = candidates.iter().map(|triplet| platform(triplet)).collect();
        best(platforms.iter().enumerate(), &platform(host)).map(|position| candidates[position])
    }

    // The cases of these tests are those of Julia's own `test/binaryplatforms.jl`.

    #[test]
    fn a_missing_tag_fits_and_a_different_one_does_not() {
        let linux = platform("x86_64-linux-gnu");
        for other in ["-libgfortran3", "-libgfortran5-cxx03", "-cxx11-libstdcxx26", "-cuda+12"] {
            let other = platform(&format!("x86_64-linux-gnu{other}"));
            assert!(linux.serves(&other) && other.serves(&linux), "{other}");
        }
        for other in ["i686-linux-gnu", "x86_64-w64-mingw32", "x86_64-apple-darwin", "x86_64-linux-musl"] {
            assert!(!platform(other).serves(&linux), "{other}");
        }
        assert!(!platform("x86_64-linux-gnu-libgfortran5").serves(&platform("x86_64-linux-gnu-libgfortran4")));
        let gnu = Platform::new("x86_64", "linux", [("libc", "gnu")]).expect("a platform");
        assert!(!gnu.serves(&linux), "a C library of this name never fits, however much it looks like one");
    }

    #[test]
    fn the_hosts_versions_are_caps() {
        let host = Platform::new("x86_64", "macos", [("os_version", "14"), ("libstdcxx_version", "3.4.26")]);
        let host = host.expect("a platform");
        let serves = |tags: &[(&str, &str)]| {
            Platform::new("x86_64", "macos", tags.iter().copied()).expect("a platform").serves(&host)
        };
        assert!(serves(&[("os_version", "14")]) && serves(&[("os_version", "13")]));
        assert!(!serves(&[("os_version", "15")]));
        assert!(serves(&[("libstdcxx_version", "3.4.18")]) && serves(&[("libstdcxx_version", "3.4.9")]));
        assert!(!serves(&[("os_version", "10"), ("libstdcxx_version", "3.4.27")]));
        assert!(!serves(&[("os_version", "14"), ("libstdcxx_version", "4")]));
        assert!(!serves(&[("os_version", "sonoma")]), "not a version, not a match, not a panic");
    }

    #[test]
    fn julia_counts_by_major_and_minor() {
        let host = platform("x86_64-linux-gnu-julia_version+1.5.0");
        assert!(platform("x86_64-linux-gnu-julia_version+1.5.1").serves(&host));
        assert!(!platform("x86_64-linux-gnu-julia_version+1.6.0").serves(&host));
        assert!(!platform("x86_64-linux-gnu-julia_version+2.5.0").serves(&host));
        assert!(!platform("x86_64-linux-gnu-julia_version+nightly").serves(&host));
    }

    #[test]
    fn the_fewest_differing_tags_win_then_the_greatest_triplet() {
        let gfortrans =
            ["x86_64-linux-gnu-libgfortran3", "x86_64-linux-gnu-libgfortran5", "x86_64-linux-gnu-libgfortran4"];
        assert_eq!(chosen(&gfortrans, "x86_64-linux-gnu"), Some(gfortrans[1]));
        assert_eq!(chosen(&gfortrans, "x86_64-linux-gnu-libgfortran4"), Some(gfortrans[2]));
        assert_eq!(chosen(&gfortrans, "x86_64-unknown-freebsd"), None);

        let nested = [
            "aarch64-linux-gnu-libgfortran3-libstdcxx18-foo+bar",
            "aarch64-linux-gnu-libgfortran3-libstdcxx18",
            "aarch64-linux-gnu-libgfortran3",
        ];
        assert_eq!(chosen(&nested, "aarch64-linux-gnu"), Some(nested[2]));
        assert_eq!(chosen(&nested, "aarch64-linux-gnu-libgfortran3-libstdcxx18"), Some(nested[1]));
        assert_eq!(chosen(&nested, "aarch64-linux-gnu-libgfortran4"), None);

        let sanitized = ["x86_64-linux-gnu-sanitize+memory", "x86_64-linux-gnu"];
        assert_eq!(chosen(&sanitized, "x86_64-linux-gnu"), Some(sanitized[1]));
        assert_eq!(chosen(&sanitized, "x86_64-linux-gnu-sanitize+memory"), Some(sanitized[0]));
    }

    #[test]
    fn triplets_are_compared_as_text() {
        let cuda = ["x86_64-linux-gnu-cuda+13.0", "x86_64-linux-gnu-cuda+9.2"];
        assert_eq!(chosen(&cuda, "x86_64-linux-gnu"), Some(cuda[1]));
    }
}
