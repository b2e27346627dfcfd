//! The first entry of a pack: what it holds, as JSON.
//!
//! It comes from outside when it is read again, so nothing in it is believed that the content does not prove:
//! it has a limit, unknown keys and a wrong order are refused, every name is checked.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::cache::travel::{Parcel, SOURCE_KINDS, TravelName, TravelSource};
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::model::{Artifact, BindingName, IdRule, Metadata, ObjectKind, OwnerId};

/// What a pack says it is.
const FORMAT: &str = "ohmyartifacts pack";
const VERSION: u32 = 1;
/// The largest list of contents, in bytes.
pub(super) const LARGEST: u64 = 64 * 1024 * 1024;
/// The longest reason why a name cannot be proven, and the longest source.
const LONGEST_TEXT: usize = 65_536;

/// The part that every version has.
#[derive(Deserialize)]
struct Head {
    format: String,
    version: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PackFile {
    format: String,
    version: u32,
    /// Bytes of all files, each content once.
    bytes: u64,
    artifacts: Vec<ItemFile>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ItemFile {
    hash: Digest,
    /// `file`, `executable` or `tree`.
    form: String,
    size: u64,
    files: u64,
    /// How a tree's name follows from its entries; absent: as git's does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rule: Option<RuleFile>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    sources: Vec<SourceFile>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    bindings: Vec<NameFile>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "lowercase")]
enum RuleFile {
    Julia,
    Recorded { content: Digest, doubt: String },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SourceFile {
    kind: String,
    location: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NameFile {
    owner: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    meta: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    extra: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    by: Option<String>,
}

/// What a pack says it holds.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Contents {
    /// Sorted by hash and form; trees still without their entries.
    pub(super) parcels: Vec<Parcel>,
    /// Bytes of all files, each content once.
    pub(super) bytes: u64,
}

/// Writes the list down.
pub(super) fn print(parcels: &[Parcel], bytes: u64) -> Result<Vec<u8>> {
    let artifacts = parcels.iter().map(ItemFile::of).collect::<Result<_>>()?;
    let file = PackFile { format: FORMAT.to_owned(), version: VERSION, bytes, artifacts };
    let mut text = serde_json::to_vec_pretty(&file)
        .map_err(|error| Error::Internal(format!("a list of contents cannot be written: {error}")))?;
    text.push(b'\n');
    if text.len() as u64 > LARGEST {
        let reason = format!("its list of contents would be larger than {LARGEST} bytes; make several");
        return Err(Error::invalid("pack", &format!("{} artifacts", parcels.len()), reason));
    }
    Ok(text)
}

/// Reads the list; the error says what is wrong with it.
pub(super) fn parse(text: &[u8]) -> Result<Contents, String> {
    let broken = |error: serde_json::Error| {
        format!("its list of contents is broken: {}", crate::text::printable(error.to_string().as_bytes()))
    };
    let head: Head = serde_json::from_slice(text).map_err(broken)?;
    if head.format != FORMAT {
        return Err("it holds something else than artifacts".to_owned());
    }
    if head.version != VERSION {
        return Err(format!("it has version {}, this program knows {VERSION}", head.version));
    }
    let file: PackFile = serde_json::from_slice(text).map_err(broken)?;
    let parcels = file.artifacts.into_iter().map(ItemFile::parcel).collect::<Result<Vec<_>, _>>()?;
    let key = |parcel: &Parcel| (parcel.artifact.hash, parcel.artifact.kind);
    if let Some(pair) = parcels.windows(2).find(|pair| key(&pair[0]) >= key(&pair[1])) {
        return Err(format!("its list of contents has {} twice or out of order", pair[1].artifact.hash));
    }
    Ok(Contents { parcels, bytes: file.bytes })
}

impl ItemFile {
    fn of(parcel: &Parcel) -> Result<Self> {
        let Artifact { hash, kind, size, files } = parcel.artifact;
        let rule = match &parcel.rule {
            IdRule::Git => None,
            IdRule::Julia => Some(RuleFile::Julia),
            IdRule::Recorded { content, doubt } => Some(RuleFile::Recorded { content: *content, doubt: doubt.clone() }),
        };
        let source =
            |source: &TravelSource| SourceFile { kind: source.kind.clone(), location: source.location.clone() };
        let sources = parcel.sources.iter().map(source).collect();
        let bindings = parcel.names.iter().map(NameFile::of).collect::<Result<_>>()?;
        Ok(Self { hash, form: kind.form().to_owned(), size, files, rule, sources, bindings })
    }

    fn parcel(self) -> Result<Parcel, String> {
        let hash = self.hash;
        let wrong = |reason: &str| format!("its list of contents says of {hash} {reason}");
        let kind = match self.form.as_str() {
            "file" => ObjectKind::Blob,
            "executable" => ObjectKind::Executable,
            "tree" => ObjectKind::Tree,
            _ => return Err(wrong("that it is neither file nor tree")),
        };
        if kind.is_file() && (self.rule.is_some() || self.files != 1) {
            return Err(wrong("what no file can be"));
        }
        let rule = match self.rule {
            None => IdRule::Git,
            Some(RuleFile::Julia) => IdRule::Julia,
            Some(RuleFile::Recorded { doubt, .. }) if doubt.len() > LONGEST_TEXT => return Err(wrong("too much")),
            Some(RuleFile::Recorded { content, doubt }) => IdRule::Recorded { content, doubt },
        };
        let known = |source: &SourceFile| {
            // It is shown as it is kept, escapes and all.
            let plain = source.location.replace('\\', "");
            let is_plain = crate::text::printable(plain.as_bytes()) == plain;
            SOURCE_KINDS.contains(&source.kind.as_str()) && source.location.len() <= LONGEST_TEXT && is_plain
        };
        if !self.sources.iter().all(known) {
            return Err(wrong("that it comes from where nothing can come from"));
        }
        let source = |SourceFile { kind, location }| TravelSource { kind, location, download: None };
        let names = self.bindings.into_iter().map(NameFile::name).collect::<Result<_, Error>>();
        Ok(Parcel {
            artifact: Artifact { hash, kind, size: self.size, files: self.files },
            rule,
            entries: Vec::new(),
            sources: self.sources.into_iter().map(source).collect(),
            names: names.map_err(|error| wrong(&format!("that it has a name which is none: {error}")))?,
        })
    }
}

impl NameFile {
    fn of(name: &TravelName) -> Result<Self> {
        let stored = |meta: &Metadata| {
            serde_json::from_str(&meta.to_stored())
                .map_err(|error| Error::Internal(format!("stored metadata is not JSON: {error}")))
        };
        Ok(Self {
            owner: name.owner.key().to_owned(),
            version: name.owner.version().map(str::to_owned),
            name: name.name.to_string(),
            meta: name.meta.as_ref().map(stored).transpose()?,
            extra: name.extra.as_ref().map(stored).transpose()?,
            by: name.bound_by.as_ref().map(ToString::to_string),
        })
    }

    fn name(self) -> Result<TravelName> {
        let unreadable = |_| Error::invalid("binding", &self.name, "its metadata cannot be read");
        let metadata = |value: Option<Value>| {
            value.map(|value| Metadata::from_stored(&value.to_string())).transpose().map_err(unreadable)
        };
        Ok(TravelName {
            owner: OwnerId::new(&self.owner, self.version.as_deref())?,
            name: BindingName::new(&self.name)?,
            meta: metadata(self.meta)?,
            extra: metadata(self.extra)?,
            bound_by: self.by.map(|by| by.parse()).transpose()?,
        })
    }
}
