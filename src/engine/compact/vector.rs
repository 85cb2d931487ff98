//! A state as a vector of numbers, and as the string of bytes that is stored.
//!
//! The numbers are the names of what the world's parts hold, by the parts' numbers, and then the
//! names of the messages in flight. Each is written in as few bytes as it takes, seven bits to a
//! byte. Where the order of messages carries no meaning they are sorted by name, and only the
//! differences are written. A record says where it ends, so none is the beginning of another.

/// In which order a vector keeps the messages in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// By name: equal messages have equal names.
    ByName,
    /// As the world does.
    AsInTheWorld,
}

/// A state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vector {
    /// What each part holds.
    pub parts: Vec<u32>,
    /// What is in flight.
    pub flights: Vec<u32>,
}

impl Vector {
    /// Writes the record.
    pub fn write(&self, order: Order, record: &mut Vec<u8>) {
        record.clear();
        for part in &self.parts {
            push(*part, record);
        }
        push(self.flights.len() as u32, record);
        let mut last = 0;
        for flight in &self.flights {
            push(flight - last, record);
            if order == Order::ByName {
                last = *flight;
            }
        }
    }

    /// Writes the record of a state with other parts and, in place of one message, some copies of
    /// it and some that were sent; by name, as all messages are.
    pub fn write_after(
        &self,
        parts: &[u32],
        (subject, copies): (Option<usize>, u8),
        sent: &[u32],
        record: &mut Vec<u8>,
    ) {
        let (before, subject, after) = match subject {
            Some(n) => (&self.flights[..n], Some(self.flights[n]), &self.flights[n + 1..]),
            None => (&self.flights[..], None, &[][..]),
        };
        let copies = subject.into_iter().flat_map(|name| (0..copies).map(move |_| name));
        let staying = before.iter().copied().chain(copies).chain(after.iter().copied());
        let flights = staying.clone().count() + sent.len();
        record.resize((parts.len() + 1 + flights) * LONGEST, 0);
        let mut place = 0;
        for part in parts {
            put(*part, record, &mut place);
        }
        put(flights as u32, record, &mut place);
        let (mut last, mut sent) = (0, sent.iter().copied().peekable());
        for name in staying {
            while let Some(new) = sent.next_if(|new| *new < name) {
                put(new - last, record, &mut place);
                last = new;
            }
            put(name - last, record, &mut place);
            last = name;
        }
        for new in sent {
            put(new - last, record, &mut place);
            last = new;
        }
        record.truncate(place);
    }

    /// Reads a state of so many parts from the beginning of a string of records, and returns where
    /// it ends.
    pub fn read(&mut self, parts: usize, order: Order, records: &[u8]) -> usize {
        let mut place = 0;
        self.parts.clear();
        self.parts.extend((0..parts).map(|_| pull(records, &mut place)));
        let flights = pull(records, &mut place);
        self.flights.clear();
        let mut last = 0;
        for _ in 0..flights {
            let flight = last + pull(records, &mut place);
            self.flights.push(flight);
            if order == Order::ByName {
                last = flight;
            }
        }
        place
    }
}

/// The bytes of the greatest number.
const LONGEST: usize = 5;

#[inline]
fn put(mut number: u32, record: &mut [u8], place: &mut usize) {
    while number >= 0x80 {
        record[*place] = number as u8 | 0x80;
        *place += 1;
        number >>= 7;
    }
    record[*place] = number as u8;
    *place += 1;
}

#[inline]
fn push(mut number: u32, record: &mut Vec<u8>) {
    while number >= 0x80 {
        record.push(number as u8 | 0x80);
        number >>= 7;
    }
    record.push(number as u8);
}

#[inline]
fn pull(record: &[u8], place: &mut usize) -> u32 {
    let mut byte = record[*place];
    *place += 1;
    let mut number = u32::from(byte & 0x7f);
    let mut shift = 7;
    while byte >= 0x80 {
        byte = record[*place];
        *place += 1;
        number |= u32::from(byte & 0x7f) << shift;
        shift += 7;
    }
    number
}

/// A hash of a record. Those of two records differ but by chance.
pub fn hash_of(record: &[u8]) -> u64 {
    const KEYS: [u64; 3] = [0x9e37_79b9_7f4a_7c15, 0xd1b5_4a32_d192_ed03, 0x8cb9_2ba7_2f3d_8dd7];
    let mix = |a: u64, b: u64| {
        let product = u128::from(a) * u128::from(b);
        (product >> 64) as u64 ^ product as u64
    };
    let mut hash = KEYS[0] ^ record.len() as u64;
    let (pairs, rest) = record.as_chunks::<16>();
    for pair in pairs {
        let (one, two) = pair.split_at(8);
        let word = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().expect("it is a word"));
        hash = mix(word(one) ^ hash, word(two) ^ KEYS[1]);
    }
    let mut last = [0; 16];
    last[..rest.len()].copy_from_slice(rest);
    let word = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().expect("it is a word"));
    hash = mix(word(&last[..8]) ^ hash, word(&last[8..]) ^ KEYS[1]);
    mix(hash, KEYS[2])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_back_and_none_begins_another() {
        let numbers = [0, 1, 127, 128, 300, 16_384, u32::MAX];
        let mut records: Vec<Vec<u8>> = Vec::new();
        for order in [Order::ByName, Order::AsInTheWorld] {
            records.clear();
            for part in numbers {
                for flight in numbers {
                    for copies in 0..3 {
                        let parts = vec![part, 7];
                        let vector = Vector { parts, flights: vec![flight; copies] };
                        let mut record = Vec::new();
                        vector.write(order, &mut record);
                        let mut again = Vector::default();
                        assert_eq!(again.read(2, order, &record), record.len());
                        assert_eq!(again, vector);
                        records.push(record);
                    }
                }
            }
            records.sort();
            records.dedup();
            for pair in records.windows(2) {
                assert!(!pair[1].starts_with(&pair[0]), "{pair:?}");
            }
        }
    }
}
