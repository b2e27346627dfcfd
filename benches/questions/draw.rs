//! Numbers that look drawn and are the same in every run.

/// `SplitMix64`: enough for sizes and shares, and it needs no crate.
pub(crate) struct Draw(u64);

impl Draw {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ (word >> 31)
    }

    /// Each number below `end` as often as any other.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    /// A number below `end`, small ones far more often: the `power`-th power of an even draw.
    pub(crate) fn skewed(&mut self, end: u64, power: u32) -> u64 {
        const BITS: u32 = 20;
        let even = u128::from(self.below(1 << BITS));
        let bent = (u128::from(end) * even.pow(power)) >> (BITS * power);
        u64::try_from(bent).unwrap_or(0)
    }

    pub(crate) fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// A name for an object.
    pub(crate) fn hash(&mut self) -> [u8; 32] {
        let mut hash = [0; 32];
        hash.chunks_exact_mut(8).for_each(|part| part.copy_from_slice(&self.next().to_le_bytes()));
        hash
    }
}
