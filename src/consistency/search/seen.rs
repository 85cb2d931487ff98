//! The configurations that a search has met. They are kept whole and compared whole, so that no
//! verdict rests on a hash.
//!
//! Of two configurations that differ only in the calls of unknown outcome that are still pending,
//! the one with more of them can do whatever the other can: nobody has to take such a call. So a
//! configuration is met before if one that is not poorer was.

/// Spreads numbers over all 64 bits.
pub fn mix(hash: u64, word: u64) -> u64 {
    let mixed = (hash ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed ^ (mixed >> 29)
}

/// Configurations, each a fixed number of words.
#[derive(Debug)]
pub struct Seen {
    /// How many words of a configuration have to be the same.
    same: usize,
    /// How many there are: the rest are sets of calls that need not be taken.
    width: usize,
    /// One after the other, each followed by the number of the next with the same beginning.
    words: Vec<u64>,
    /// Open addressing: 0 is empty, n the first configuration with a beginning, number n - 1.
    table: Vec<u32>,
    beginnings: usize,
}

impl Seen {
    /// None is met yet.
    pub fn new(same: usize, width: usize) -> Self {
        Seen { same, width, words: Vec::new(), table: vec![0; 64], beginnings: 0 }
    }

    /// What they begin with, word by word the first ones of each.
    pub fn first_words(&self) -> impl Iterator<Item = u64> + '_ {
        self.words.chunks_exact(self.width + 1).map(|words| words[0])
    }

    /// How many bytes they take.
    pub fn bytes(&self) -> usize {
        8 * self.words.capacity() + 4 * self.table.len()
    }

    fn start(&self, entry: u32) -> usize {
        (entry as usize - 1) * (self.width + 1)
    }

    /// Where a beginning is in the table, or where it would be.
    fn place(&self, words: &[u64]) -> usize {
        let mask = self.table.len() - 1;
        let mut place = words.iter().fold(0, |hash, word| mix(hash, *word)) as usize & mask;
        loop {
            let entry = self.table[place];
            if entry == 0 {
                return place;
            }
            let start = self.start(entry);
            if words.iter().zip(&self.words[start..]).all(|(word, known)| word == known) {
                return place;
            }
            place = (place + 1) & mask;
        }
    }

    /// True if it wasn't met, nor one that is as rich.
    pub fn insert(&mut self, words: &[u64]) -> bool {
        let place = self.place(&words[..self.same]);
        let first = self.table[place];
        let mut entry = first;
        while entry != 0 {
            let start = self.start(entry);
            let known = &mut self.words[start..=start + self.width];
            let pairs = || words[self.same..].iter().zip(&known[self.same..]);
            if pairs().all(|(new, known)| new & !known == 0) {
                return false;
            }
            if pairs().all(|(new, known)| known & !new == 0) {
                known[self.same..self.width].copy_from_slice(&words[self.same..]);
                return true;
            }
            entry = known[self.width] as u32;
        }
        self.words.extend_from_slice(words);
        self.words.push(u64::from(first));
        self.table[place] = (self.words.len() / (self.width + 1)) as u32;
        self.beginnings += usize::from(first == 0);
        if self.beginnings * 2 > self.table.len() {
            self.grow();
        }
        true
    }

    fn grow(&mut self) {
        let larger = vec![0; self.table.len() * 2];
        for entry in std::mem::replace(&mut self.table, larger) {
            if entry != 0 {
                let start = self.start(entry);
                let place = self.place(&self.words[start..start + self.same]);
                self.table[place] = entry;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Seen;

    #[test]
    fn the_richer_stands_for_the_poorer() {
        let mut seen = Seen::new(1, 2);
        assert!(seen.insert(&[7, 0b011]));
        assert!(!seen.insert(&[7, 0b001]) && !seen.insert(&[7, 0b011]));
        assert!(seen.insert(&[7, 0b110]) && seen.insert(&[8, 0b001]));
        assert!(seen.insert(&[7, 0b111]));
        assert!(!seen.insert(&[7, 0b101]) && !seen.insert(&[7, 0b110]));
        for number in 100..1_000 {
            assert!(seen.insert(&[number, 1]));
        }
        assert!((100..1_000).all(|number| !seen.insert(&[number, 0])));
        assert!((100..1_000).all(|number| seen.insert(&[number, 2])));
    }
}
