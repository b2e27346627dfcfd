//! The public views of random stores against what the library counts itself.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Duration;

use ohmyartifacts::{BindOptions, Cache, GcPolicy, LinkStyle, Source, SqlOptions, SqlPart};
use serde_json::{Value, json};

use crate::support::{Env, make_executable};

/// Asks through the library.
fn ask(cache: &Cache, query: &str) -> Vec<BTreeMap<String, Value>> {
    let (mut names, mut rows) = (Vec::new(), Vec::new());
    let each = |part| {
        match part {
            SqlPart::Columns(columns) => names = columns,
            SqlPart::Row(values) => {
                let values = values.into_iter().map(|value| serde_json::to_value(value).unwrap());
                rows.push(names.iter().cloned().zip(values).collect());
            }
        }
        ControlFlow::Continue(())
    };
    cache.sql(query, &SqlOptions::default(), each).unwrap();
    rows
}

/// Draws numbers, the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

/// Directories that share files of odd sizes, bound by several owners under few names and let go again.
fn random_store(env: &Env, seed: u64) -> Cache {
    const SIZES: [usize; 9] = [0, 1, 2, 3, 5, 7, 11, 13, 17];
    let (cache, mut dice) = (env.open(), Dice(seed));
    for step in 0..40 {
        let owner = ["a", "b@1", "b@2", "c"][usize::try_from(dice.below(4)).unwrap()];
        let (owner, name) = (cache.owner(owner).unwrap(), format!("n{}", dice.below(4)));
        if dice.below(3) == 0 {
            owner.unbind([name.as_str()]).unwrap();
            continue;
        }
        let source = env.path(format!("s{step}"));
        std::fs::create_dir(&source).unwrap();
        for size in SIZES {
            let file = source.join(format!("f{size}"));
            if dice.below(3) == 0 {
                std::fs::write(&file, vec![b'x'; size]).unwrap();
                if dice.below(4) == 0 {
                    make_executable(&file);
                }
            }
        }
        let file = source.join("f5");
        let source = if file.exists() && dice.below(2) == 0 { file } else { source };
        let got = cache.ingest(&Source::copy(source)).unwrap();
        owner.bind(&name, &got, &BindOptions::new().force(true)).unwrap();
        env.pass(Duration::from_secs(1));
    }
    cache
}

#[test]
fn random_stores_are_counted_as_usage_and_gc_count_them() {
    for seed in 0..12 {
        let env = Env::in_memory(LinkStyle::default());
        let cache = random_store(&env, seed);
        let usage = cache.usage().unwrap();
        assert_eq!(json!(ask(&cache, "SELECT * FROM v1_usage")), json!(usage.owners), "seed {seed}");
        let report = cache.gc_plan(&GcPolicy::default().collect_delay(Duration::ZERO)).unwrap().preview();
        let mut taken: Vec<_> = report.artifacts.iter().map(|item| (item.hash.to_string(), item.freed_bytes)).collect();
        taken.sort();
        let garbage = ask(&cache, "SELECT hash, freed_bytes FROM v1_garbage ORDER BY hash, freed_bytes");
        let item = |row: &BTreeMap<String, Value>| {
            (row["hash"].as_str().unwrap().to_owned(), row["freed_bytes"].as_u64().unwrap())
        };
        assert_eq!(garbage.iter().map(item).collect::<Vec<_>>(), taken, "seed {seed}");
        assert_eq!(usage.orphan_bytes, report.freed_bytes, "seed {seed}");
    }
}
