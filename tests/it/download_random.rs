//! Any run of cuts, errors and new versions: what comes in the end is one version, whole.

use ohmyartifacts::{Cache, Download, Durability, Error, LinkStyle};
use proptest::prelude::*;

use crate::support::Env;
use crate::support::downloads::{bring_as, content, hasty, sha256};
use crate::support::server::{Answer, Server};

#[derive(Debug, Clone, Copy)]
enum Proof {
    Strong,
    Weak,
    Date,
    Nothing,
}

/// One request's answer.
#[derive(Debug, Clone)]
struct Step {
    version: usize,
    proof: Proof,
    ranges: bool,
    chunked: bool,
    /// Ends after so many bytes; or says that it is busy.
    cut: Option<u64>,
    busy: bool,
}

const VERSIONS: usize = 3;
const LENGTHS: [usize; VERSIONS] = [90_000, 90_000, 70_001];

/// The versions differ in every byte, so that a join of two is none of them.
fn version(number: usize) -> Vec<u8> {
    let mask = [0, 0x55, 0xaa][number];
    content(LENGTHS[number]).into_iter().map(|byte| byte ^ mask).collect()
}

fn answer(step: &Step) -> Answer {
    if step.busy {
        return Answer::status(503);
    }
    let number = step.version;
    let answer = Answer::bytes(version(number));
    let date = format!("Wed, 0{} Jan 2025 00:00:00 GMT", number + 1);
    let answer = match step.proof {
        Proof::Strong => answer.etag(&format!("\"v{number}\"")).last_modified(&date),
        Proof::Weak => answer.etag(&format!("W/\"v{number}\"")).last_modified(&date),
        Proof::Date => answer.last_modified(&date),
        Proof::Nothing => answer,
    };
    let answer = if step.ranges { answer } else { answer.no_ranges() };
    let answer = if step.chunked { answer.chunked() } else { answer };
    match step.cut {
        Some(bytes) => answer.cut_after(bytes),
        None => answer,
    }
}

fn step() -> impl Strategy<Value = Step> {
    let proof = prop::sample::select(vec![Proof::Strong, Proof::Strong, Proof::Weak, Proof::Date, Proof::Nothing]);
    let cut = prop_oneof![8 => (0..95_000_u64).prop_map(Some), 1 => Just(None)];
    let flags = (prop::bool::weighted(0.8), prop::bool::weighted(0.2), prop::bool::weighted(0.1));
    (0..VERSIONS, proof, flags, cut).prop_map(|(version, proof, (ranges, chunked, busy), cut)| Step {
        version,
        proof,
        ranges,
        chunked,
        cut,
        busy,
    })
}

fn story() -> impl Strategy<Value = Vec<Step>> {
    (prop::collection::vec(step(), 0..6), step())
        .prop_map(|(steps, last)| steps.into_iter().chain([Step { cut: None, busy: false, ..last }]).collect())
}

/// Calls until it works, as a person would.
fn insist(cache: &Cache, what: &Download, patience: usize) -> Vec<u8> {
    for _ in 0..patience {
        match bring_as(cache, "n", what) {
            Ok(brought) => return std::fs::read(brought.path).unwrap(),
            Err(Error::Download { .. } | Error::WrongHash { .. }) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
    panic!("it never comes");
}

/// Which answer the last request got.
fn last_answer<'a>(server: &Server, steps: &'a [Step]) -> &'a Step {
    &steps[server.requests().len().min(steps.len()) - 1]
}

fn world(steps: &[Step]) -> (Env, Cache, Server) {
    let env = Env::in_memory(LinkStyle::default());
    let cache = Cache::open(env.options().durability(Durability::None)).unwrap();
    let server = Server::start();
    server.script("/n", steps.iter().map(answer).collect());
    (env, cache, server)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn what_comes_is_what_the_server_had_last(steps in story()) {
        let (_env, cache, server) = world(&steps);
        let what = Download::from(&server.url("/n")).transfer(hasty().retries(0));
        let came = insist(&cache, &what, 2 * steps.len() + 2);
        prop_assert!(came == version(last_answer(&server, &steps).version), "parts of two versions");
    }

    #[test]
    fn with_a_hash_nothing_else_comes(steps in story()) {
        let (_env, cache, server) = world(&steps);
        let wanted = version(steps.last().unwrap().version);
        let what = Download::from(&server.url("/n")).sha256(sha256(&wanted).parse().ok()).transfer(hasty().retries(0));
        prop_assert!(insist(&cache, &what, 2 * steps.len() + 2) == wanted);
    }

    #[test]
    fn of_one_version_that_is_proven_no_byte_comes_twice(cuts in prop::collection::vec(0..90_000_u64, 0..5)) {
        let cut = |bytes| Step { version: 0, proof: Proof::Strong, ranges: true, chunked: false, cut: bytes, busy: false };
        let steps: Vec<Step> = cuts.into_iter().map(Some).chain([None]).map(cut).collect();
        let (_env, cache, server) = world(&steps);
        let what = Download::from(&server.url("/n")).transfer(hasty().retries(0));
        prop_assert!(insist(&cache, &what, steps.len()) == version(0));
        prop_assert_eq!(server.sent(), LENGTHS[0] as u64);
    }
}
