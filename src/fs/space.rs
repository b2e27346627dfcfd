//! What kind of filesystem a path lies on, and how much room it has.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::error::{PathContext as _, Result};

/// Filesystem types (`statfs(2)`, `f_type`) on which several machines may write at once. SQLite's
/// write-ahead log needs memory shared by all writers, which these cannot give.
const NETWORK: [u64; 12] = [
    0x6969,      // NFS
    0x517b,      // SMB
    0xff53_4d42, // CIFS
    0xfe53_4d42, // SMB2
    0x5346_414f, // OpenAFS
    0x7375_7245, // Coda
    0x0102_1997, // 9P
    0x0bd0_0bd0, // Lustre
    0x4750_4653, // GPFS
    0x00c3_6400, // Ceph
    0x0116_1970, // GFS2
    0x7461_636f, // OCFS2
];

/// Tells whether `path` lies on a network filesystem.
pub(crate) fn is_network(path: &Path) -> Result<bool> {
    let found = rustix::fs::statfs(path).at("ask for the filesystem of", path)?;
    #[expect(clippy::cast_sign_loss, reason = "a bit pattern, sign-extended on some platforms")]
    let kind = found.f_type as u64 & 0xffff_ffff;
    Ok(NETWORK.contains(&kind))
}

/// Tells whether two paths lie on one filesystem, so that files can be renamed between them.
pub(crate) fn same_filesystem(a: &Path, b: &Path) -> Result<bool> {
    let device = |path: &Path| std::fs::metadata(path).at("read", path).map(|found| found.dev());
    Ok(device(a)? == device(b)?)
}

/// Room on a filesystem, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DiskRoom {
    /// What people who are not root may still take.
    pub(crate) free: u64,
    pub(crate) total: u64,
}

/// Returns the room on the filesystem that `path` lies on.
pub(crate) fn room(path: &Path) -> Result<DiskRoom> {
    let found = rustix::fs::statvfs(path).at("ask for free space at", path)?;
    let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
    Ok(DiskRoom { free: bytes(found.f_bavail), total: bytes(found.f_blocks) })
}
