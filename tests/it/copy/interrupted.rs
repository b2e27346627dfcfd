//! Copying stops at any change to the disk, in either store: all names are bound there or none, nothing is
//! lost here, and another try works.

use std::time::Duration;

use ohmyartifacts::{Cache, Durability, Fault, UnpackOptions};

use super::{assert_same, assert_sound, beside, everything, fill, listing};
use crate::support::{DAY, Env, STYLES, gc, leftovers, shelves};

#[test]
fn names_are_bound_all_or_none() {
    for (style, back) in STYLES.into_iter().zip([STYLES[2], STYLES[0], STYLES[1]]) {
        for in_source in [false, true] {
            let mut points = 0;
            for at in 1.. {
                let env = Env::in_memory(style);
                let after = listing(&fill(&env, false));
                let to = beside(&env, back);
                drop(Cache::open(to.clone()).unwrap());
                let fault: Fault = format!("fail@{at}").parse().unwrap();
                let failing = |options: ohmyartifacts::CacheOptions, fails: bool| {
                    if fails { options.durability(Durability::Full).fault(fault.clone()) } else { options }
                };
                let cache = Cache::open(failing(env.options(), in_source));
                let target = failing(to.clone(), !in_source);
                let outcome = cache.and_then(|cache| cache.copy_to(target, &everything(), &UnpackOptions::new()));
                let hit = fault.count() >= at;
                let there = Cache::open(to.clone()).unwrap();
                let found = listing(&there);
                assert!(found.is_empty() || found == after, "fail@{at}: half of it is bound");
                assert!(outcome.is_err() || found == after, "fail@{at}: it said that it was done");
                assert_eq!(listing(&env.open()), after, "fail@{at}: something is lost");
                assert_sound(&there);
                assert_sound(&env.open());
                if !hit {
                    break;
                }
                points += 1;
                if at % 3 == 0 {
                    env.open().copy_to(to, &everything(), &UnpackOptions::new()).unwrap();
                    assert_same(&env.open(), &there);
                } else if found.is_empty() {
                    drop(there);
                    env.pass(DAY * 2);
                    gc(&Cache::open(to).unwrap(), Duration::ZERO);
                    let root = env.path("beside");
                    assert_eq!(shelves(&root), Vec::<String>::new(), "fail@{at}: something leaked");
                    assert_eq!(leftovers(&root), Vec::<String>::new(), "fail@{at}: something leaked");
                }
            }
            assert!(points >= if in_source { 3 } else { 20 }, "only {points} points, {style}, here: {in_source}");
        }
    }
}

/// The real program is killed at each of its changes.
#[cfg(feature = "cli")]
mod killed {
    use crate::crash_kill::{in_each_style, words};
    use crate::support::oma::Oma;

    /// The other store lies where sources do, so that it begins anew with each kill too.
    const OTHER: &str = "src/other";

    fn other_is_whole(oma: &Oma, when: &str) {
        if oma.path(OTHER).exists() {
            let found = oma.run(&["--store", &oma.at(OTHER), "verify"]);
            assert_eq!(found.code, Some(0), "{when}: {found:#?}");
        }
    }

    #[test]
    fn into_a_store() {
        let prepare = |oma: &Oma| {
            let other = oma.at(OTHER);
            let source = oma.tree("more", &[("a", "new a"), ("deep/again", "new a"), ("b", "new b"), ("s", "shared")]);
            crate::support::make_executable(&source.join("a"));
            oma.ok(&["--store", &other, "-o", "n", "add", &oma.at("more"), "--bind", "new"]);
            oma.ok(&["--store", &other, "-o", "n", "add", &oma.at("more/b"), "--bind", "file"]);
            words(&["--store", &other, "-o", "n", "copy", "--to", &oma.at("store")])
        };
        in_each_style(20, prepare, other_is_whole);
    }

    #[test]
    fn out_of_a_store() {
        let prepare = |oma: &Oma| words(&["-o", "o", "copy", "--to", &oma.at(OTHER)]);
        in_each_style(20, prepare, other_is_whole);
    }
}
