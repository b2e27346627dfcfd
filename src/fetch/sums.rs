//! Hashes bytes as they come: plainly, as servers publish it, and in the form of an object's name.

use sha2::{Digest as _, Sha256};

use crate::digest::{Digest, ObjectHasher, Sha256Sum};

/// Below this many bytes, handing work to another core costs more than it saves.
const WORTH_SHARING: usize = 64 * 1024;

/// Two hashes over the same bytes.
#[derive(Clone)]
pub(crate) struct Sums {
    plain: Sha256,
    /// git's form puts the length in front, so it can be made on the way only where that is known.
    object: Option<(ObjectHasher, u64)>,
    length: u64,
}

impl Sums {
    /// `announced` is how many bytes will come, if somebody said so.
    pub(crate) fn new(announced: Option<u64>) -> Self {
        Self { plain: Sha256::new(), object: announced.map(|length| (ObjectHasher::blob(length), length)), length: 0 }
    }

    /// Takes the next bytes, while `beside` does something else with them.
    pub(crate) fn update<T: Send>(&mut self, bytes: &[u8], beside: impl FnOnce() -> T + Send) -> T {
        self.length += bytes.len() as u64;
        let (plain, object) = (&mut self.plain, &mut self.object);
        let mut hash_object = || {
            if let Some((hasher, _)) = object {
                hasher.update(bytes);
            }
        };
        if bytes.len() < WORTH_SHARING {
            plain.update(bytes);
            hash_object();
            return beside();
        }
        let ((), ((), done)) = rayon::join(|| plain.update(bytes), || rayon::join(hash_object, beside));
        done
    }

    /// How many bytes came.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Returns the plain SHA-256, and the object's name unless the announced length was wrong.
    pub(crate) fn finish(self) -> (Sha256Sum, Option<Digest>) {
        let right = self.object.filter(|(_, announced)| *announced == self.length);
        (Sha256Sum::from_bytes(self.plain.finalize().into()), right.map(|(hasher, _)| hasher.finish()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sums(announced: Option<u64>, pieces: &[&[u8]]) -> (String, Option<Digest>) {
        let mut sums = Sums::new(announced);
        for piece in pieces {
            sums.update(piece, || ());
        }
        let (plain, object) = sums.finish();
        (plain.to_string(), object)
    }

    #[test]
    fn both_hashes_are_those_of_public_tools() {
        // FIPS 180-2, appendix B.1.
        let plain = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sums(Some(3), &[b"a", b"bc"]), (plain.to_owned(), Some(Digest::of_blob(b"abc"))));
        assert_eq!(sums(None, &[b"abc"]), (plain.to_owned(), None));
        assert_eq!(sums(Some(4), &[b"abc"]), (plain.to_owned(), None));
        let large = vec![7; 300_000];
        assert_eq!(sums(Some(300_000), &[&large]).1, Some(Digest::of_blob(&large)));
    }
}
