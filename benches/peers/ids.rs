//! Sets of event ids, exact and small: which were acknowledged, and which arrived.

/// A half-open range of ids.
pub type Range = (u64, u64);

/// Ids from `first` on, a bit each.
#[derive(Debug, Default)]
pub struct Ids {
    first: u64,
    words: Vec<u64>,
    /// How many are in it.
    pub distinct: u64,
}

// === impl Ids ===

impl Ids {
    /// An empty set that takes ids from `first` on; those below it are of another run, and are not kept.
    pub fn from(first: u64) -> Self {
        Self { first, ..Self::default() }
    }

    /// Adds an id. Whether it is not in it already.
    pub fn insert(&mut self, id: u64) -> bool {
        let Some(place) = id.checked_sub(self.first) else { return true };
        let (word, bit) = ((place / 64) as usize, 1 << (place % 64));
        if word >= self.words.len() {
            // An id that is far off is not one of ours, and must not fill the memory.
            if word > 1 << 24 {
                return true;
            }
            self.words.resize((word + 1).next_power_of_two(), 0);
        }
        let new = self.words[word] & bit == 0;
        self.words[word] |= bit;
        self.distinct += u64::from(new);
        new
    }

    /// What is in it.
    pub fn ranges(&self) -> Vec<Range> {
        let mut ranges: Vec<Range> = Vec::new();
        for (index, &word) in self.words.iter().enumerate().filter(|(_, word)| **word != 0) {
            for bit in (0..64).filter(|bit| word & (1 << bit) != 0) {
                let id = self.first + index as u64 * 64 + bit;
                match ranges.last_mut() {
                    Some(last) if last.1 == id => last.1 = id + 1,
                    _ => ranges.push((id, id + 1)),
                }
            }
        }
        ranges
    }
}

/// How many ids of `wanted` are not in `found`; both are in order.
pub fn missing(wanted: &[Range], found: &[Range]) -> u64 {
    let total: u64 = wanted.iter().map(|(from, to)| to - from).sum();
    let (mut both, mut left, mut right) = (0, 0, 0);
    while let (Some(&(from, to)), Some(&(other_from, other_to))) = (wanted.get(left), found.get(right)) {
        both += to.min(other_to).saturating_sub(from.max(other_from));
        if to < other_to { left += 1 } else { right += 1 }
    }
    total - both
}
