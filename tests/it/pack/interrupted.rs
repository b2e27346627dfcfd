//! Packing and unpacking stop at any change to the disk: a pack is whole or not there, its names are bound
//! all or none, and another try works.

use std::fs;

use ohmyartifacts::{Durability, Fault, UnpackOptions};

use super::{Env, assert_sound, everything, fill, listing};
use crate::support::{STYLES, gc, leftovers, shelves};

#[test]
fn a_pack_appears_whole_or_not_at_all() {
    let env = Env::in_memory(ohmyartifacts::LinkStyle::Relative);
    fill(&env, false).pack(&everything(), &env.path("good"), false).unwrap();
    let good = fs::read(env.path("good")).unwrap();
    for replace in [false, true] {
        let mut points = 0;
        for at in 1.. {
            if replace {
                fs::write(env.path("p"), "before").unwrap();
            }
            let fault: Fault = format!("fail@{at}").parse().unwrap();
            let cache = env.open_with(&fault);
            let packed = cache.and_then(|cache| cache.pack(&everything(), &env.path("p"), replace));
            let found = fs::read(env.path("p")).ok();
            let before = if replace { Some(&b"before"[..]) } else { None };
            assert!(found.as_deref() == before || found.as_ref() == Some(&good), "fail@{at}: half a pack");
            assert!(packed.is_err() || found.as_ref() == Some(&good), "fail@{at}: it said that it was done");
            let _ = fs::remove_file(env.path("p"));
            if fault.count() < at {
                break;
            }
            points += 1;
        }
        assert!(points >= 5, "only {points} points");
    }
    assert_sound(&env.open());
}

#[test]
fn names_are_bound_all_or_none() {
    let source = Env::in_memory(ohmyartifacts::LinkStyle::Absolute);
    let full = fill(&source, false);
    full.pack(&everything(), &source.path("p"), false).unwrap();
    let after = listing(&full);
    for style in STYLES {
        let mut points = 0;
        for at in 1.. {
            let env = Env::in_memory(style);
            drop(env.open());
            let fault: Fault = format!("fail@{at}").parse().unwrap();
            let cache = env.open_with(&fault);
            let outcome = cache.and_then(|cache| cache.unpack(&source.path("p"), &UnpackOptions::new()));
            let hit = fault.count() >= at;
            let found = listing(&env.open());
            assert!(found.is_empty() || found == after, "fail@{at}: half of it is bound");
            assert!(outcome.is_err() || found == after, "fail@{at}: it said that it was done");
            assert_sound(&env.open());
            if !hit {
                break;
            }
            points += 1;
            if at % 3 == 0 {
                env.open().unpack(&source.path("p"), &UnpackOptions::new()).unwrap();
                assert_eq!(listing(&env.open()), after, "fail@{at}, retried");
                assert_sound(&env.open());
            } else if found.is_empty() {
                env.pass(crate::support::DAY * 2);
                gc(&env.open(), std::time::Duration::ZERO);
                assert_eq!(shelves(&env.root()), Vec::<String>::new(), "fail@{at}: something leaked");
                assert_eq!(leftovers(&env.root()), Vec::<String>::new(), "fail@{at}: something leaked");
            }
        }
        assert!(points >= 25, "only {points} points, {style}");
    }
}

impl Env {
    fn open_with(&self, fault: &Fault) -> ohmyartifacts::Result<ohmyartifacts::Cache> {
        ohmyartifacts::Cache::open(self.options().durability(Durability::Full).fault(fault.clone()))
    }
}

/// The real program is killed at each of its changes.
#[cfg(feature = "cli")]
mod killed {
    use crate::crash_kill::{in_each_style, nothing_more, words};
    use crate::support::oma::Oma;

    #[test]
    fn unpack() {
        let prepare = |oma: &Oma| {
            let other = oma.at("other");
            oma.ok(&["--store", &other, "-o", "n", "add", &oma.at("src"), "--bind", "new"]);
            oma.ok(&["--store", &other, "-o", "n", "add", &oma.at("src/b"), "--bind", "file"]);
            oma.ok(&["--store", &other, "-o", "n", "pack", "-f", &oma.at("p.tar.zst")]);
            words(&["unpack", &oma.at("p.tar.zst")])
        };
        in_each_style(20, prepare, nothing_more);
    }

    #[test]
    fn pack() {
        let prepare = |oma: &Oma| {
            oma.ok(&["-o", "o", "pack", "-f", &oma.at("good.tar.zst")]);
            words(&["-o", "o", "pack", "--force", "-f", &oma.at("p.tar.zst")])
        };
        in_each_style(4, prepare, |oma, when| {
            let found = std::fs::read(oma.path("p.tar.zst")).unwrap();
            assert!(found == std::fs::read(oma.path("good.tar.zst")).unwrap(), "{when}: half a pack");
        });
    }
}
