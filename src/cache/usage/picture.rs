//! Divides what is stored among owners, and the share of each among its artifacts, for a picture of it all.
//!
//! Why: an area is honest only if it is as large as what it stands for, so each byte has one place.
//! Guarantees: an owner's cells add up to its `fair_bytes` of `oma usage`; all of them and what no owner
//! reaches add up to what is stored, to the byte; one pass over objects and edges.
//! Must not know: how it is drawn, and what gc would take.

use std::collections::{BTreeMap, HashMap};

use crate::cache::usage::divide::{Group, Holders, Share, each_held};
use crate::error::Result;
use crate::index::{LooseArtifact, NamedOwner, ReadTx, StoredObject};
use crate::model::{AgeBand, Artifact};
use crate::time::Timestamp;

/// One artifact of one owner.
#[derive(Debug, Clone)]
pub(in crate::cache) struct Cell {
    /// Whose it is: a place in the list of owners.
    pub(in crate::cache) owner: usize,
    pub(in crate::cache) artifact: Artifact,
    /// What the owner calls it, sorted.
    pub(in crate::cache) names: Vec<String>,
    /// When the owner last looked it up or bound it.
    pub(in crate::cache) used_at: Timestamp,
    /// Its part of the owner's fair share.
    pub(in crate::cache) fair: u64,
}

/// The whole store, in areas that add up.
#[derive(Debug, Default)]
pub(in crate::cache) struct Picture {
    pub(in crate::cache) owners: Vec<NamedOwner>,
    /// What each owner reaches.
    pub(in crate::cache) shares: Vec<Share>,
    /// By owner, then by hash.
    pub(in crate::cache) cells: Vec<Cell>,
    /// What nobody has bound, each with its part of what no owner reaches.
    pub(in crate::cache) loose: Vec<(LooseArtifact, u64)>,
    pub(in crate::cache) stored_bytes: u64,
    pub(in crate::cache) unreached_bytes: u64,
    /// What artifacts take by when anybody last used them.
    pub(in crate::cache) ages: BTreeMap<AgeBand, AgeShare>,
    /// Bytes by the owners who reach them together, of two and more.
    together: HashMap<Vec<usize>, u64>,
    /// The band of each cell: of its artifact, whoever used that last.
    bands: Vec<AgeBand>,
}

/// What the artifacts of a band take.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::cache) struct AgeShare {
    pub(in crate::cache) artifacts: u64,
    pub(in crate::cache) fair: u64,
}

impl Picture {
    /// Looks at everything stored.
    pub(in crate::cache) fn of(tx: &ReadTx<'_>, now: Timestamp) -> Result<Self> {
        let owners = tx.owners_by_key()?;
        let (cells, mut pairs) = cells(tx, &owners)?;
        let loose = tx.loose_artifacts()?;
        pairs.extend(loose.iter().enumerate().map(|(at, loose)| (loose.id, cells.len() + at)));
        let mut picture = Self {
            shares: vec![Share::default(); owners.len()],
            owners,
            cells,
            loose: loose.into_iter().map(|loose| (loose, 0)).collect(),
            ..Self::default()
        };
        picture.note_bands(now);
        let mut owners = Vec::new();
        let groups = picture.cells.len() + picture.loose.len();
        each_held(tx, &Holders::new(pairs), groups, |object, held| picture.add(object, held, &mut owners))?;
        Ok(picture)
    }

    /// Returns the bytes that two owners both reach; of one with itself, all it reaches.
    pub(in crate::cache) fn both_reach(&self, places: &[usize]) -> Vec<Vec<u64>> {
        let mut bytes = vec![vec![0; places.len()]; places.len()];
        for (owners, weight) in &self.together {
            let held: Vec<usize> = (0..places.len()).filter(|at| owners.binary_search(&places[*at]).is_ok()).collect();
            for (a, b) in held.iter().flat_map(|a| held.iter().map(move |b| (*a, *b))).filter(|(a, b)| a != b) {
                bytes[a][b] += weight;
            }
        }
        for (at, place) in places.iter().enumerate() {
            bytes[at][at] = self.shares[*place].total();
        }
        bytes
    }

    /// An artifact is as young as its latest use by anybody, as where usage is told by age.
    fn note_bands(&mut self, now: Timestamp) {
        let key = |cell: &Cell| (cell.artifact.hash, cell.artifact.kind);
        let mut last = HashMap::new();
        for cell in &self.cells {
            let used = last.entry(key(cell)).or_insert(cell.used_at);
            *used = cell.used_at.max(*used);
        }
        for used in last.values() {
            self.ages.entry(AgeBand::of(now.since(*used))).or_default().artifacts += 1;
        }
        self.bands = self.cells.iter().map(|cell| AgeBand::of(now.since(last[&key(cell)]))).collect();
    }

    /// Adds an object that these cells reach; `owners` is scratch room.
    fn add(&mut self, object: StoredObject, groups: &[Group], owners: &mut Vec<usize>) {
        let bytes = object.own_bytes;
        self.stored_bytes += bytes;
        // What somebody has bound is not loose, even if something loose needs it too.
        let bound = groups.partition_point(|group| *group < self.cells.len());
        let (bound, loose) = groups.split_at(bound);
        if bound.is_empty() {
            self.unreached_bytes += bytes;
            let first = self.cells.len();
            for (group, part) in loose.iter().zip(parts(bytes, loose.len())) {
                self.loose[*group - first].1 += part;
            }
            return;
        }
        let is_of_one = |a: &Group, b: &Group| self.cells[*a].owner == self.cells[*b].owner;
        owners.clear();
        owners.extend(bound.chunk_by(is_of_one).map(|mine| self.cells[mine[0]].owner));
        let mut rest = bound;
        for ((place, owner), part) in (0u64..).zip(owners.iter()).zip(parts(bytes, owners.len())) {
            self.shares[*owner].add(object, place, owners.len() as u64);
            let mine = rest.iter().take_while(|group| self.cells[**group].owner == *owner).count();
            let (mine, others) = rest.split_at(mine);
            for (group, part) in mine.iter().zip(parts(part, mine.len())) {
                self.cells[*group].fair += part;
            }
            rest = others;
        }
        if owners.len() > 1 {
            match self.together.get_mut(owners.as_slice()) {
                Some(weight) => *weight += bytes,
                None => drop(self.together.insert(owners.clone(), bytes)),
            }
        }
        self.add_ages(bytes, bound);
    }

    fn add_ages(&mut self, bytes: u64, bound: &[Group]) {
        let holds = |band: &AgeBand| bound.iter().any(|group| self.bands[*group] == *band);
        let bands: Vec<AgeBand> = AgeBand::ALL.into_iter().filter(holds).collect();
        for (band, part) in bands.iter().zip(parts(bytes, bands.len())) {
            self.ages.entry(*band).or_default().fair += part;
        }
    }
}

/// Divides bytes evenly; what does not divide goes to the first ones, a byte each.
fn parts(bytes: u64, among: usize) -> impl Iterator<Item = u64> {
    let number = among as u64;
    (0..number).map(move |place| bytes / number + u64::from(place < bytes % number))
}

/// Which artifact belongs to which cell.
type Pairs = Vec<(i64, Group)>;

/// Makes the cells, by owner and hash, and says which artifact belongs to which.
fn cells(tx: &ReadTx<'_>, owners: &[NamedOwner]) -> Result<(Vec<Cell>, Pairs)> {
    let place_of: HashMap<i64, usize> = owners.iter().enumerate().map(|(at, owner)| (owner.id, at)).collect();
    let artifacts = tx.bound_artifacts()?;
    let order: HashMap<i64, usize> = artifacts.iter().enumerate().map(|(at, facts)| (facts.id, at)).collect();
    let mut made: BTreeMap<(usize, usize), Cell> = BTreeMap::new();
    for (bound, name) in tx.bound_names()? {
        let (owner, at) = (place_of[&bound.owner], order[&bound.object]);
        let artifact = artifacts[at].artifact.clone();
        let new = || Cell { owner, artifact, names: Vec::new(), used_at: bound.used_at, fair: 0 };
        let cell = made.entry((owner, at)).or_insert_with(new);
        cell.used_at = cell.used_at.max(bound.used_at);
        cell.names.push(name);
    }
    let pairs = made.keys().enumerate().map(|(group, (_, at))| (artifacts[*at].id, group)).collect();
    Ok((made.into_values().collect(), pairs))
}
