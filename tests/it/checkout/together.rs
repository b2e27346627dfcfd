//! Others at work meanwhile: gc, and another checkout into the same place.

use std::fs;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use ohmyartifacts::{BindOptions, CheckoutMode, CheckoutOptions, Error, ErrorKind, GcPolicy, Reference, Source};

use super::{assert_clean, assert_same, bound, take};
use crate::support::oma::Oma;

/// What nothing keeps is taken out whole, or was gone before.
#[test]
fn gc_takes_nothing_out_of_a_hand() {
    const ROUNDS: usize = 30;
    let oma = Oma::new();
    let files: Vec<(String, String)> = (0..40).map(|n| (format!("f{n}"), format!("content {n}"))).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(path, content)| (path.as_str(), content.as_str())).collect();
    let source = oma.tree("many", &files);
    let (mut whole, mut gone) = (0, 0);
    for round in 0..ROUNDS {
        let cache = oma.open();
        let owner = cache.owner("o").unwrap();
        let put = owner.ingest("many", &Source::copy(&source), &BindOptions::new()).unwrap();
        owner.unbind(["many"]).unwrap();
        let start = Barrier::new(2);
        let out = oma.path(format!("out-{round}"));
        // Now this one comes later by so much, now that one.
        let late = Duration::from_micros(400 * round as u64);
        let (collector_waits, user_waits) =
            if round % 3 == 0 { (Duration::ZERO, late) } else { (late, Duration::ZERO) };
        let outcome = thread::scope(|scope| {
            scope.spawn(|| {
                let collector = oma.open();
                start.wait();
                thread::sleep(collector_waits);
                let plan = collector.gc_plan(&GcPolicy::default().collect_delay(Duration::ZERO)).unwrap();
                assert_eq!(collector.gc_apply(&plan).unwrap().failed, []);
            });
            let mode = [CheckoutMode::Copy, CheckoutMode::Hardlink][round % 2];
            let hash = put.artifact.hash.to_string();
            let user = oma.open();
            start.wait();
            thread::sleep(user_waits);
            user.checkout(Reference::new(&hash, None), &out, &CheckoutOptions::new().mode(mode))
        });
        match outcome {
            Ok(_) => {
                assert_same(&source, &out, "beside gc");
                whole += 1;
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
                assert!(!out.exists());
                gone += 1;
            }
        }
        assert_clean(&oma);
    }
    crate::support::oma::tell(&format!("beside gc: {whole} whole, {gone} gone before"));
}

#[test]
fn one_of_many_gets_the_place() {
    const MANY: usize = 8;
    let oma = Oma::new();
    bound(&oma);
    for forced in [false, true] {
        let start = Barrier::new(MANY);
        let place = oma.path(format!("place-{forced}"));
        let outcomes: Vec<_> = thread::scope(|scope| {
            let workers = (0..MANY).map(|number| {
                let (oma, start, place) = (&oma, &start, &place);
                scope.spawn(move || {
                    let cache = oma.open();
                    start.wait();
                    let reference = Reference::new(["o:t", "o:t:deep"][number % 2], None);
                    cache.checkout(reference, place, &CheckoutOptions::new().force(forced))
                })
            });
            let workers: Vec<_> = workers.collect();
            workers.into_iter().map(|worker| worker.join().unwrap()).collect()
        });
        let done = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        assert_eq!(done, if forced { MANY } else { 1 }, "{outcomes:#?}");
        let others = outcomes.iter().filter_map(|outcome| outcome.as_ref().err());
        others.for_each(|error| assert!(matches!(error, Error::InTheWay { .. }), "{error}"));
        let whole = if place.join("large").exists() { oma.path("src") } else { oma.path("src/deep") };
        if whole.ends_with("src") {
            assert_same(&whole, &place, "one of many");
        } else {
            assert_eq!(super::shape(&whole), super::shape(&place));
        }
        assert_clean(&oma);
    }
}

/// What is left of a process that died is removed by the next one; what lives, and what only looks so, is not.
#[test]
fn what_dead_ones_left_is_swept() {
    let oma = Oma::new();
    bound(&oma);
    let dead = oma.tree(".oma-checkout-0123456789abcdef", &[("lock", ""), ("top/a", "half"), ("top/d/b", "half")]);
    let young = oma.tree(".oma-checkout-00000000000000ff", &[]);
    let strange = oma.tree(".oma-checkout-mine", &[("lock", "")]);
    let unlocked = oma.tree(".oma-checkout-0000000000000001", &[("mine", "mine")]);
    let alive = oma.tree(".oma-checkout-0000000000000002", &[("lock", ""), ("top/a", "half")]);
    let lock = fs::File::open(alive.join("lock")).unwrap();
    lock.lock().unwrap();
    take(&oma.open(), &oma.path("out"), CheckoutMode::Copy).unwrap();
    assert!(!dead.exists() && !young.exists());
    assert!(strange.exists() && unlocked.join("mine").exists() && alive.join("top/a").exists());
    drop(lock);
    take(&oma.open(), &oma.path("again"), CheckoutMode::Copy).unwrap();
    assert!(!alive.exists());
}
