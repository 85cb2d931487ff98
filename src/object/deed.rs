//! Deeds: what a call does to one value, in a vocabulary that all objects share.
//!
//! A judge that is faster than search knows some kind of object by heart: what writing and reading
//! mean, or pushing and popping. It is written once, over deeds, for every object that has them.

/// What a call does, and what it learns. What is optional is unknown if nobody heard the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Deed<V> {
    /// To a memory: learns its value.
    Read(Option<V>),
    /// To a memory: sets its value.
    Write(V),
    /// To a memory: sets its value if it is another, and learns whether that was so.
    Swap {
        /// What is expected.
        from: V,
        /// What replaces it.
        to: V,
        /// Was it as expected?
        done: Option<bool>,
    },
    /// To a set: adds a value, and learns whether it was new.
    Add(V, Option<bool>),
    /// To a set: removes a value, and learns whether it was there.
    Remove(V, Option<bool>),
    /// To a set: learns whether a value is there.
    Has(V, Option<bool>),
    /// To a stack or a queue of any kind: puts a value in.
    Put(V),
    /// To a stack or a queue of any kind: takes out the value whose turn it is, or learns that
    /// there is none.
    Take(Option<Option<V>>),
}

impl<V> Deed<V> {
    /// The same deed with other names for values.
    pub fn map<W>(self, mut name: impl FnMut(V) -> W) -> Deed<W> {
        match self {
            Deed::Read(value) => Deed::Read(value.map(name)),
            Deed::Write(value) => Deed::Write(name(value)),
            Deed::Swap { from, to, done } => Deed::Swap { from: name(from), to: name(to), done },
            Deed::Add(value, new) => Deed::Add(name(value), new),
            Deed::Remove(value, there) => Deed::Remove(name(value), there),
            Deed::Has(value, there) => Deed::Has(name(value), there),
            Deed::Put(value) => Deed::Put(name(value)),
            Deed::Take(value) => Deed::Take(value.map(|value| value.map(name))),
        }
    }
}

/// The orders in which objects give back what was put into them, and what else there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// One value: reads, writes, swaps.
    Memory,
    /// Membership.
    Set,
    /// Last in, first out.
    Stack,
    /// First in, first out.
    Queue,
    /// The least value is first out.
    PriorityQueue,
    /// None of these.
    Other,
}
