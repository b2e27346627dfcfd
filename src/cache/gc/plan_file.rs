//! Plans on paper: made now, looked at, carried out later, perhaps by somebody else.
//!
//! A plan comes from outside when it is read again, so nothing in it is believed: it only names what may
//! go, and every name is looked at again under the policy it was made by.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cache::Cache;
use crate::cache::gc::select::{MAX_SIZE, MIN_FREE, OWNER_GONE};
use crate::cache::gc::{GcItem, GcLimit, GcPlan, GcUnbound};
use crate::error::{Error, Result};
use crate::model::{GcPolicy, GcRule, ObjectKind};
use crate::time::Timestamp;

/// What a file that holds a plan says it is.
const FORMAT: &str = "ohmyartifacts gc plan";
const VERSION: u32 = 1;
/// The reasons a plan may name.
const REASONS: [&str; 7] = ["unused", OWNER_GONE, "idle", MAX_SIZE, MIN_FREE, "unfinished", "interrupted gc"];

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlanFile {
    format: String,
    version: u32,
    store: String,
    /// Which store it is, wherever it lies.
    store_created_at: i64,
    made_at: String,
    policy: PolicyFile,
    trash_seconds: Option<u64>,
    purges: Vec<i64>,
    freed_bytes: u64,
    artifacts: Vec<ItemFile>,
    unbound: Vec<NameFile>,
    limits: Vec<GcLimit>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyFile {
    collect_delay_seconds: u64,
    owner_grace_seconds: u64,
    min_age_seconds: u64,
    only: Option<OwnerFile>,
    rules: Vec<BTreeMap<String, String>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OwnerFile {
    owner: String,
    version: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ItemFile {
    hash: String,
    form: String,
    size: u64,
    freed_bytes: u64,
    orphaned_at: Option<i64>,
    reason: String,
    rule: Option<String>,
    names: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NameFile {
    owner: String,
    version: Option<String>,
    name: String,
    hash: String,
    form: String,
    used_at: i64,
    reason: String,
    rule: String,
    whole: bool,
}

impl Cache {
    /// Writes a plan down, as JSON.
    ///
    /// # Errors
    /// What the index says.
    pub fn gc_plan_document(&self, plan: &GcPlan) -> Result<String> {
        let (made_at, created_at) = self.read(|tx| Ok((tx.store_time(self.now())?, tx.created_at()?)))?;
        let file = PlanFile {
            format: FORMAT.to_owned(),
            version: VERSION,
            store: crate::text::printable_path(self.root()),
            store_created_at: created_at.as_millis(),
            made_at: made_at.to_string(),
            policy: PolicyFile::of(&plan.policy),
            trash_seconds: plan.trash.map(|keep| keep.as_secs()),
            purges: plan.purges.clone(),
            freed_bytes: plan.freed_bytes,
            artifacts: plan.artifacts.iter().map(ItemFile::of).collect(),
            unbound: plan.unbound.iter().map(NameFile::of).collect(),
            limits: plan.limits.clone(),
        };
        serde_json::to_string_pretty(&file)
            .map_err(|error| Error::Internal(format!("a plan cannot be written: {error}")))
    }

    /// Reads a plan, and finds what of it may still go. What became live meanwhile is skipped, and said.
    ///
    /// # Errors
    /// [`Error::BadPlan`] if it is none, of a newer program or of another store, and what the index says.
    pub fn gc_plan_from(&self, document: &str) -> Result<GcPlan> {
        let file: PlanFile = serde_json::from_str(document).map_err(|error| bad(&error.to_string()))?;
        if file.format != FORMAT || file.version != VERSION {
            return Err(bad(&format!("its format is `{}`, version {}", printable(&file.format), file.version)));
        }
        let created_at = self.read(|tx| tx.created_at())?;
        if created_at.as_millis() != file.store_created_at {
            let reason = format!("it was made for the store at `{}`", printable(&file.store));
            return Err(Error::BadPlan { reason, stale: true });
        }
        self.gc_replan(&file.plan()?)
    }
}

impl PlanFile {
    fn plan(self) -> Result<GcPlan> {
        let policy = self.policy.policy()?.trash(self.trash_seconds.map(Duration::from_secs));
        Ok(GcPlan {
            artifacts: self.artifacts.into_iter().map(ItemFile::item).collect::<Result<_>>()?,
            unbound: self.unbound.into_iter().map(NameFile::name).collect::<Result<_>>()?,
            deleted_artifacts: 0,
            deleted_files: 0,
            freed_bytes: 0,
            trashed_bytes: 0,
            purged_bytes: 0,
            owners_removed: Vec::new(),
            kept: Vec::new(),
            skipped: Vec::new(),
            limits: self.limits,
            attached: Vec::new(),
            trash: policy.trash,
            policy,
            purges: self.purges,
        })
    }
}

impl PolicyFile {
    fn of(policy: &GcPolicy) -> Self {
        let fields = |rule: &GcRule| rule.fields().into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        Self {
            collect_delay_seconds: policy.collect_delay.as_secs(),
            owner_grace_seconds: policy.owner_grace.as_secs(),
            min_age_seconds: policy.min_age.as_secs(),
            only: policy
                .only
                .as_ref()
                .map(|only| OwnerFile { owner: only.key().to_owned(), version: only.version().map(str::to_owned) }),
            rules: policy.rules.iter().map(fields).collect(),
        }
    }

    fn policy(self) -> Result<GcPolicy> {
        let mut policy = GcPolicy::default()
            .collect_delay(Duration::from_secs(self.collect_delay_seconds))
            .owner_grace(Duration::from_secs(self.owner_grace_seconds))
            .min_age(Duration::from_secs(self.min_age_seconds));
        if let Some(only) = self.only {
            policy = policy.only(crate::model::OwnerId::new(&only.owner, only.version.as_deref())?);
        }
        for fields in self.rules {
            let mut rule = GcRule::default();
            for (key, value) in fields {
                rule.set(&key, &value)?;
            }
            rule.check()?;
            policy = policy.rule(rule);
        }
        Ok(policy)
    }
}

impl ItemFile {
    fn of(item: &GcItem) -> Self {
        Self {
            hash: item.hash.to_string(),
            form: item.form.form().to_owned(),
            size: item.size,
            freed_bytes: item.freed_bytes,
            orphaned_at: item.orphaned_at.map(Timestamp::as_millis),
            reason: item.reason.to_owned(),
            rule: item.rule.clone(),
            names: item.names.clone(),
        }
    }

    fn item(self) -> Result<GcItem> {
        let form = form(&self.form)?;
        Ok(GcItem {
            hash: self.hash.parse().map_err(|_| bad(&format!("`{}` is no hash", printable(&self.hash))))?,
            kind: form,
            size: self.size,
            freed_bytes: self.freed_bytes,
            orphaned_at: self.orphaned_at.map(Timestamp::from_millis),
            reason: reason(&self.reason)?,
            rule: self.rule,
            names: self.names,
            sources: Vec::new(),
            form,
        })
    }
}

impl NameFile {
    fn of(name: &GcUnbound) -> Self {
        Self {
            owner: name.owner.clone(),
            version: name.version.clone(),
            name: name.name.clone(),
            hash: name.hash.to_string(),
            form: name.form.form().to_owned(),
            used_at: name.used_at.as_millis(),
            reason: name.reason.to_owned(),
            rule: name.rule.clone(),
            whole: name.whole,
        }
    }

    fn name(self) -> Result<GcUnbound> {
        let form = form(&self.form)?;
        Ok(GcUnbound {
            owner: self.owner,
            version: self.version,
            name: self.name,
            hash: self.hash.parse().map_err(|_| bad(&format!("`{}` is no hash", printable(&self.hash))))?,
            kind: form,
            form,
            used_at: Timestamp::from_millis(self.used_at),
            reason: reason(&self.reason)?,
            rule: self.rule,
            binding: 0,
            whole: self.whole,
        })
    }
}

fn form(text: &str) -> Result<ObjectKind> {
    let forms = [ObjectKind::Blob, ObjectKind::Executable, ObjectKind::Tree];
    let found = forms.into_iter().find(|form| form.form() == text);
    found.ok_or_else(|| bad(&format!("`{}` is neither `file`, `executable` nor `tree`", printable(text))))
}

fn reason(text: &str) -> Result<&'static str> {
    let found = REASONS.into_iter().find(|reason| *reason == text);
    found.ok_or_else(|| bad(&format!("`{}` is no reason for gc", printable(text))))
}

fn printable(text: &str) -> String {
    crate::text::printable(text.as_bytes())
}

fn bad(reason: &str) -> Error {
    Error::BadPlan { reason: printable(reason), stale: false }
}
