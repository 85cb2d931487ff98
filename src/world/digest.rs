//! A digest that is the same on every run, process and machine.

use std::hash::{Hash, Hasher};

/// Where a digest starts, and what its words are blurred with: digits of pi.
const START: u64 = 0x243f_6a88_85a3_08d3;
const BLUR: [u64; 2] = [0x1319_8a2e_0370_7344, 0xa409_3822_299f_31d0];

/// A 64-bit hasher with a fixed start, independent of byte order. Not for adversaries.
///
/// Words are taken in pairs, a multiplication each, since every event of a simulation waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest {
    /// Kept blurred for the next pair, so that each waits a little less for the one before it.
    blurred: u64,
    half: Option<u64>,
}

impl Default for Digest {
    fn default() -> Self {
        Digest { blurred: START ^ BLUR[0], half: None }
    }
}

impl Digest {
    #[inline]
    fn mix(&mut self, word: u64) {
        match self.half.take() {
            None => self.half = Some(word),
            Some(first) => self.fold(first, word),
        }
    }

    #[inline]
    fn fold(&mut self, first: u64, second: u64) {
        let product = u128::from(self.blurred ^ first) * u128::from(second ^ BLUR[1]);
        let beside = (first ^ BLUR[0].rotate_right(29)).rotate_left(29);
        self.blurred = (product >> 64) as u64 ^ product as u64 ^ beside;
    }
}

impl Hasher for Digest {
    fn finish(&self) -> u64 {
        let mut last = *self;
        match self.half {
            None => last.fold(0, 1),
            Some(first) => last.fold(first, 2),
        }
        last.fold(0, 3);
        last.blurred ^ BLUR[0]
    }

    fn write(&mut self, bytes: &[u8]) {
        self.mix(bytes.len() as u64);
        let (words, rest) = bytes.as_chunks();
        // The first may end a pair that is begun; of the others each two make one.
        let (first, others) = words.split_at(words.len().min(self.half.is_some().into()));
        let (pairs, last) = others.as_chunks();
        first.iter().for_each(|word| self.mix(u64::from_le_bytes(*word)));
        for [one, other] in pairs {
            self.fold(u64::from_le_bytes(*one), u64::from_le_bytes(*other));
        }
        last.iter().for_each(|word| self.mix(u64::from_le_bytes(*word)));
        if !rest.is_empty() {
            let mut word = [0; 8];
            word[..rest.len()].copy_from_slice(rest);
            self.mix(u64::from_le_bytes(word));
        }
    }

    #[inline]
    fn write_u8(&mut self, n: u8) {
        self.mix(n.into());
    }

    #[inline]
    fn write_u16(&mut self, n: u16) {
        self.mix(n.into());
    }

    #[inline]
    fn write_u32(&mut self, n: u32) {
        self.mix(n.into());
    }

    #[inline]
    fn write_u64(&mut self, n: u64) {
        self.mix(n);
    }

    #[inline]
    fn write_usize(&mut self, n: usize) {
        self.mix(n as u64);
    }
}

/// The digest of one value.
pub fn digest_of(value: &impl Hash) -> u64 {
    let mut digest = Digest::default();
    value.hash(&mut digest);
    digest.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Constants: they change only if the digest does, and then every recorded digest does too.
    #[test]
    fn digests_are_the_same_everywhere() {
        assert_ne!(digest_of(&(1u8, 2u8)), digest_of(&(2u8, 1u8)));
        assert_ne!(digest_of(&vec![vec![1u8], vec![]]), digest_of(&vec![vec![], vec![1u8]]));
        assert_ne!(digest_of(&vec![0u64; 3]), digest_of(&vec![0u64; 4]));
        assert_eq!(digest_of(&"seedbed"), digest_of(&String::from("seedbed")));
    }

    /// Small numbers, as states are made of, stay apart.
    #[test]
    fn near_values_have_far_digests() {
        let mut seen = std::collections::BTreeSet::new();
        for a in 0u64..64 {
            for b in 0u64..64 {
                for c in 0u64..16 {
                    assert!(seen.insert(digest_of(&(a, b, c))), "{a} {b} {c}");
                }
            }
        }
    }
}
