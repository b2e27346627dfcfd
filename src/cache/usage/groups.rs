//! Usage by artifact, kind, age and class: each artifact belongs to one group.

use std::collections::{BTreeSet, HashMap, HashSet};

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

use crate::cache::Cache;
use crate::cache::usage::divide::{Group, Holders, Share, divide};
use crate::digest::Digest;
use crate::error::Result;
use crate::index::{ArtifactFacts, BoundObject, ReadTx};
use crate::model::{AgeBand, Class, ObjectKind, OwnerId};
use crate::time::Timestamp;

/// What artifacts are grouped by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UsageBy {
    /// Each artifact for itself.
    Artifact,
    /// Files and directories.
    Kind,
    /// When somebody last used the artifact.
    Age,
    /// How the artifact can be had again.
    Class,
}

impl UsageBy {
    /// Returns the field of the JSON document that has the groups.
    #[must_use]
    pub const fn plural(self) -> &'static str {
        match self {
            Self::Artifact => "artifacts",
            Self::Kind => "kinds",
            Self::Age => "ages",
            Self::Class => "classes",
        }
    }
}

/// What the artifacts of a group have in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum UsageGroup {
    /// It is one artifact.
    Artifact {
        /// Its name.
        hash: Digest,
        /// File or directory.
        kind: ObjectKind,
        /// What it is bound to, as `OWNER:NAME`.
        names: Vec<String>,
    },
    /// Their kind.
    Kind {
        /// File or directory.
        kind: ObjectKind,
    },
    /// When they were last used.
    Age {
        /// The stretch of time.
        age: AgeBand,
    },
    /// How they can be had again.
    Class {
        /// The class.
        class: Class,
    },
}

/// What one group of artifacts takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GroupUsage {
    /// What it is.
    #[serde(flatten)]
    pub group: UsageGroup,
    /// How many owners have one of them.
    pub owners: u64,
    /// How many names stand for them.
    pub bindings: u64,
    /// How many artifacts they are.
    pub artifacts: u64,
    /// How many stored files they reach, each once.
    pub files: u64,
    /// Bytes of everything they reach, each once.
    pub total_bytes: u64,
    /// Of these, what no other group reaches.
    pub exclusive_bytes: u64,
    /// Of these, what other groups reach too.
    pub shared_bytes: u64,
    /// Shared bytes divided by the number of groups that reach them, plus the exclusive ones.
    pub fair_bytes: u64,
    /// When one of them was last looked up or bound.
    pub last_used_at: Timestamp,
}

/// What this store takes, by something else than owners.
///
/// Of all owners, `stored_bytes` = the groups' `fair_bytes` + `orphan_bytes`, to the byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupedUsage {
    /// Bytes of all stored files, each once.
    pub stored_bytes: u64,
    /// Bytes the bindings would take without sharing.
    pub logical_bytes: u64,
    /// Bytes that no owner's binding reaches.
    pub orphan_bytes: u64,
    /// What the artifacts are grouped by.
    pub by: UsageBy,
    /// The groups that hold something.
    pub groups: Vec<GroupUsage>,
}

impl Serialize for GroupedUsage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(4))?;
        map.serialize_entry("stored_bytes", &self.stored_bytes)?;
        map.serialize_entry("logical_bytes", &self.logical_bytes)?;
        map.serialize_entry("orphan_bytes", &self.orphan_bytes)?;
        map.serialize_entry(self.by.plural(), &self.groups)?;
        map.end()
    }
}

impl Cache {
    /// Counts what groups of artifacts take in this store; with an owner, of what that one has bound, and
    /// then what others have bound is one more group, which is not listed.
    ///
    /// # Errors
    /// What the index says.
    pub fn usage_by(&self, by: UsageBy, owner: Option<&OwnerId>) -> Result<GroupedUsage> {
        let now = self.now();
        self.read(|tx| {
            let now = tx.store_time(now)?;
            let only = owner.map(|owner| tx.find_owner(owner).map(|id| id.unwrap_or(NOBODY))).transpose()?;
            let gathered = Gathered::new(tx, by, only, now)?;
            let groups = gathered.labels.len();
            let division = divide(tx, &gathered.holders, groups + 1)?;
            let rows = gathered.labels.into_iter().zip(gathered.counts).zip(division.shares);
            Ok(GroupedUsage {
                stored_bytes: division.stored_bytes,
                logical_bytes: tx.logical_bytes()?,
                orphan_bytes: division.unreached_bytes,
                by,
                groups: rows.map(|((group, counts), share)| row(group, &counts, share)).collect(),
            })
        })
    }
}

/// No row has this id.
const NOBODY: i64 = -1;

/// What can be counted without following edges.
#[derive(Debug, Clone, Default)]
struct Counts {
    owners: BTreeSet<i64>,
    bindings: u64,
    artifacts: HashSet<i64>,
    last_used_at: Option<Timestamp>,
}

/// The groups, and which artifact belongs to which.
struct Gathered {
    labels: Vec<UsageGroup>,
    counts: Vec<Counts>,
    holders: Holders,
}

impl Gathered {
    fn new(tx: &ReadTx<'_>, by: UsageBy, only: Option<i64>, now: Timestamp) -> Result<Self> {
        let bound = tx.bound_objects()?;
        let is_meant = |bound: &&BoundObject| only.is_none_or(|owner| bound.owner == owner);
        let last_used = last_used(bound.iter().filter(is_meant));
        let artifacts = tx.bound_artifacts()?;
        let mut names = if by == UsageBy::Artifact { names(tx)? } else { HashMap::new() };
        let mut keyed: Vec<(UsageGroup, i64)> = Vec::with_capacity(artifacts.len());
        for facts in artifacts {
            if let Some(used_at) = last_used.get(&facts.id) {
                keyed.push((label(by, &facts, *used_at, now, &mut names), facts.id));
            }
        }
        let (labels, group_of) = number(keyed);
        let mut counts = vec![Counts::default(); labels.len()];
        bound.iter().filter(is_meant).for_each(|bound| counts[group_of[&bound.object]].add(bound));
        // What others have is one more group, so that it counts as shared.
        let others = labels.len();
        let group = |bound: &BoundObject| if is_meant(&bound) { group_of[&bound.object] } else { others };
        let pairs = bound.iter().map(|bound| (bound.object, group(bound))).collect();
        Ok(Self { labels, counts, holders: Holders::new(pairs) })
    }
}

impl Counts {
    fn add(&mut self, bound: &BoundObject) {
        self.owners.insert(bound.owner);
        self.bindings += 1;
        self.artifacts.insert(bound.object);
        self.last_used_at = self.last_used_at.max(Some(bound.used_at));
    }
}

fn last_used<'b>(bound: impl Iterator<Item = &'b BoundObject>) -> HashMap<i64, Timestamp> {
    let mut last = HashMap::new();
    for bound in bound {
        let used = last.entry(bound.object).or_insert(bound.used_at);
        *used = (*used).max(bound.used_at);
    }
    last
}

fn names(tx: &ReadTx<'_>) -> Result<HashMap<i64, Vec<String>>> {
    let mut names: HashMap<i64, Vec<String>> = HashMap::new();
    for (object, owner, name) in tx.names_of_bound()? {
        names.entry(object).or_default().push(format!("{owner}:{name}"));
    }
    Ok(names)
}

fn label(
    by: UsageBy,
    facts: &ArtifactFacts,
    used_at: Timestamp,
    now: Timestamp,
    names: &mut HashMap<i64, Vec<String>>,
) -> UsageGroup {
    let artifact = &facts.artifact;
    match by {
        UsageBy::Artifact => UsageGroup::Artifact {
            hash: artifact.hash,
            kind: artifact.kind,
            names: names.remove(&facts.id).unwrap_or_default(),
        },
        // The same bytes as an executable are a file too.
        UsageBy::Kind if artifact.kind.is_file() => UsageGroup::Kind { kind: ObjectKind::Blob },
        UsageBy::Kind => UsageGroup::Kind { kind: artifact.kind },
        UsageBy::Age => UsageGroup::Age { age: AgeBand::of(now.since(used_at)) },
        UsageBy::Class => UsageGroup::Class { class: facts.class },
    }
}

/// Numbers the groups in their order: the first get what does not divide evenly.
fn number(keyed: Vec<(UsageGroup, i64)>) -> (Vec<UsageGroup>, HashMap<i64, Group>) {
    let mut keyed = keyed;
    keyed.sort_by(|(a, _), (b, _)| a.order().cmp(&b.order()));
    let mut labels: Vec<UsageGroup> = Vec::new();
    let mut group_of = HashMap::with_capacity(keyed.len());
    for (label, object) in keyed {
        if labels.last() != Some(&label) {
            labels.push(label);
        }
        group_of.insert(object, labels.len() - 1);
    }
    (labels, group_of)
}

impl UsageGroup {
    fn order(&self) -> impl Ord {
        match self {
            Self::Artifact { hash, kind, .. } => (Some(*hash), Some(*kind), None, None),
            Self::Kind { kind } => (None, Some(*kind), None, None),
            Self::Age { age } => (None, None, Some(*age), None),
            Self::Class { class } => (None, None, None, Some(*class)),
        }
    }
}

fn row(group: UsageGroup, counts: &Counts, share: Share) -> GroupUsage {
    GroupUsage {
        group,
        owners: counts.owners.len() as u64,
        bindings: counts.bindings,
        artifacts: counts.artifacts.len() as u64,
        files: share.files,
        total_bytes: share.total(),
        exclusive_bytes: share.exclusive,
        shared_bytes: share.shared,
        fair_bytes: share.fair,
        last_used_at: counts.last_used_at.unwrap_or(Timestamp::from_millis(0)),
    }
}
