//! Random stores: few contents in many directories, owners that share them, and times of every age.

use std::path::Path;
use std::time::Duration;

use ohmyartifacts::{Artifact, BindOptions, Cache, GcPolicy, LinkStyle};
use proptest::prelude::*;
use rusqlite::Connection;

use crate::support::{DAY, Env, make_executable};

/// Each content is as long as a power of two, so that a sum of bytes tells which files are in it.
const CONTENTS: usize = 10;
const PATHS: [&str; 5] = ["a", "b", "d/a", "d/e/c", "f"];
pub(crate) const OWNERS: [&str; 4] = ["p", "p@1", "q", "r@2"];
pub(crate) const NAMES: [&str; 3] = ["l", "m", "n"];
/// How old things are, in hours. Few, so that many are of one age.
pub(crate) const AGES: [i64; 9] = [0, 1, 2, 12, 24, 48, 96, 240, 1_000];
const KINDS: [&str; 4] = ["url", "command", "path", "archive"];
const HOUR: i64 = 60 * 60 * 1_000;

/// The room on the disk that tests give it.
pub(crate) const FREE: u64 = 1_000;
pub(crate) const TOTAL: u64 = 10_000;

pub(crate) type Name = (&'static str, &'static str);
type File = (usize, bool);

#[derive(Debug, Clone)]
pub(crate) enum What {
    File(File),
    Tree(Vec<(usize, File)>),
}

/// What happens before the time that counts.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Bind(prop::sample::Index, Name),
    Unbind(Name),
    Pin(prop::sample::Index),
    Lease(prop::sample::Index),
    /// What nothing holds goes into the trash.
    Trash,
    /// Leases that run out are taken note of.
    Settle,
}

/// A random store.
#[derive(Debug, Clone)]
pub(crate) struct Story {
    puts: Vec<(What, Option<Name>)>,
    steps: Vec<Step>,
    /// Ages, kinds of sources and budgets are dealt out row by row.
    dice: Vec<u16>,
}

pub(crate) fn name() -> impl Strategy<Value = Name> {
    (prop::sample::select(&OWNERS[..]), prop::sample::select(&NAMES[..]))
}

fn file() -> impl Strategy<Value = File> {
    (0..CONTENTS, prop::bool::weighted(0.2))
}

/// What people may do between a plan and the run.
pub(crate) fn change() -> impl Strategy<Value = Step> {
    step().prop_filter("time stands still", |step| !matches!(step, Step::Trash | Step::Settle))
}

fn step() -> impl Strategy<Value = Step> {
    let which = any::<prop::sample::Index>;
    prop_oneof![
        6 => (which(), name()).prop_map(|(which, name)| Step::Bind(which, name)),
        5 => name().prop_map(Step::Unbind),
        1 => which().prop_map(Step::Pin),
        1 => which().prop_map(Step::Lease),
        1 => Just(Step::Trash),
        2 => Just(Step::Settle),
    ]
}

pub(crate) fn story() -> impl Strategy<Value = Story> {
    let tree = prop::collection::btree_map(0..PATHS.len(), file(), 1..5);
    let tree = tree.prop_map(|files| What::Tree(files.into_iter().collect()));
    let put = |what| (what, prop::option::weighted(0.8, name()));
    let puts = (
        prop::collection::vec(put(tree.boxed()), 2..9),
        prop::collection::vec(put(file().prop_map(What::File).boxed()), 0..4),
    );
    let steps = prop::collection::vec(step(), 0..14);
    (puts, steps, prop::collection::vec(any::<u16>(), 64)).prop_map(|((mut puts, files), steps, dice)| {
        puts.extend(files);
        Story { puts, steps, dice }
    })
}

/// The story told to a store, and the time that counts.
pub(crate) struct Told {
    pub(crate) env: Env,
    pub(crate) cache: Cache,
    pub(crate) artifacts: Vec<Artifact>,
}

impl Story {
    pub(crate) fn tell(&self, style: LinkStyle) -> Told {
        let env = Env::in_memory(style);
        let cache = Cache::open(env.options().disk_room(FREE, TOTAL)).unwrap();
        let artifacts: Vec<Artifact> = self.puts.iter().map(|(what, name)| put(&cache, what, *name)).collect();
        for step in &self.steps {
            act(&env, &cache, &artifacts, step);
        }
        env.pass(DAY * 100);
        self.set_what_the_interface_cannot(&env);
        Told { env, cache, artifacts }
    }

    /// Kinds of sources, exact times and budgets.
    fn set_what_the_interface_cannot(&self, env: &Env) {
        let index = Connection::open(env.root().join("index.sqlite")).unwrap();
        let now = env.clock.now().as_millis();
        let mut rolls =
            self.dice.iter().cycle().zip(0_usize..).map(|(die, turn)| usize::from(*die).wrapping_add(turn / 64 * 7));
        let mut roll = |sides: usize| rolls.next().unwrap() % sides;
        let ids = |table: &str, column: &str| -> Vec<i64> {
            let mut rows = index.prepare(&format!("SELECT {column} FROM {table} ORDER BY 1")).unwrap();
            rows.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
        };
        let age = |roll: &mut dyn FnMut(usize) -> usize| now - AGES[roll(AGES.len())] * HOUR;
        let set = |sql: &str, id: i64, value: Option<i64>| {
            index.execute(sql, (id, value)).unwrap();
        };
        index.execute("DELETE FROM sources", []).unwrap();
        for id in ids("objects", "id") {
            set("UPDATE objects SET created_at = ?2 WHERE id = ?1", id, Some(age(&mut roll)));
            let at = Some(age(&mut roll));
            set("UPDATE objects SET orphaned_at = ?2 WHERE id = ?1 AND orphaned_at IS NOT NULL", id, at);
            for _ in 0..roll(3) {
                let kind = KINDS[roll(KINDS.len())];
                let sql =
                    "INSERT OR IGNORE INTO sources (object_id, kind, location, created_at) VALUES (?1, ?2, 'x', 0)";
                index.execute(sql, (id, kind)).unwrap();
            }
        }
        for id in ids("bindings", "id") {
            set("UPDATE bindings SET bound_at = ?2 WHERE id = ?1", id, Some(age(&mut roll)));
            let used = (roll(3) > 0).then(|| age(&mut roll));
            set("UPDATE bindings SET last_used_at = ?2 WHERE id = ?1", id, used);
        }
        // An end may lie ahead, be now, or be over.
        let end = |roll: &mut dyn FnMut(usize) -> usize| now + [-24, -1, 0, 1, 24][roll(5)] * HOUR;
        for id in ids("leases", "id") {
            set("UPDATE leases SET expires_at = ?2 WHERE id = ?1", id, Some(end(&mut roll)));
        }
        for id in ids("pins", "object_id") {
            let until = (roll(3) > 0).then(|| end(&mut roll));
            set("UPDATE pins SET until = ?2 WHERE object_id = ?1", id, until);
        }
        for id in ids("gc_runs", "id") {
            let until = Some(end(&mut roll));
            set("UPDATE gc_runs SET keep_until = ?2 WHERE id = ?1 AND keep_until IS NOT NULL", id, until);
        }
        for id in ids("owners", "id") {
            let budget = (roll(3) == 0).then(|| [0, 20, 100, 400][roll(4)]);
            set("UPDATE owners SET soft_budget = ?2 WHERE id = ?1", id, budget);
        }
    }
}

fn put(cache: &Cache, what: &What, name: Option<Name>) -> Artifact {
    let make = |workdir: &Path| write(&workdir.join("made"), what).map(|()| "made");
    let put = match name {
        None => cache.create(make),
        Some((owner, name)) => cache.owner(owner).unwrap().create(name, &BindOptions::new().force(true), make),
    };
    put.unwrap().artifact
}

pub(crate) fn act(env: &Env, cache: &Cache, artifacts: &[Artifact], step: &Step) {
    let there = |which: &prop::sample::Index| {
        let artifact = which.get(artifacts);
        cache.is_present(artifact).unwrap().then_some(artifact)
    };
    match step {
        Step::Bind(which, (owner, name)) => {
            let Some(artifact) = there(which) else { return };
            cache.owner(owner).unwrap().bind(name, artifact, &BindOptions::new().force(true)).unwrap();
        }
        Step::Unbind((owner, name)) => drop(cache.owner(owner).unwrap().unbind([name]).unwrap()),
        Step::Pin(which) => there(which).into_iter().for_each(|artifact| cache.pin(artifact, "needed", None).unwrap()),
        Step::Lease(which) => {
            let Some(artifact) = there(which) else { return };
            cache.lease(artifact, DAY, "at work").unwrap();
        }
        Step::Trash => collect(cache, &GcPolicy::default().collect_delay(Duration::ZERO).trash(Some(DAY * 200))),
        Step::Settle => {
            env.pass(DAY * 2);
            collect(cache, &GcPolicy::default());
        }
    }
}

fn collect(cache: &Cache, policy: &GcPolicy) {
    cache.gc_apply(&cache.gc_plan(policy).unwrap()).unwrap();
}

fn write(at: &Path, what: &What) -> std::io::Result<()> {
    let file = |at: &Path, (content, executable): File| {
        std::fs::create_dir_all(at.parent().expect("a parent"))?;
        std::fs::write(at, vec![b'x'; 1 << content])?;
        if executable {
            make_executable(at);
        }
        Ok(())
    };
    match what {
        What::File(content) => file(at, *content),
        What::Tree(files) => files.iter().try_for_each(|(path, content)| file(&at.join(PATHS[*path]), *content)),
    }
}
