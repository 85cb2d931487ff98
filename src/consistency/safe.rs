//! Safeness (Lamport, "On Interprocess Communication", 1986): a read that is concurrent with no
//! write of its key returns the last one; any other may return anything, even what nobody wrote.
//!
//! With several writers, they have one order for all reads, as in `regular`.

use super::memory::Memory;
use super::model::{Judge, Model, Need, Shortcut, Weak};
use super::regular;

/// The model.
pub const MODEL: Model = Model {
    name: "safe",
    about: "a read that is concurrent with no write of its key returns the last one",
    implies: &[],
    needs: &[Need::Timing],
    judge: Judge::Memory(Weak {
        views: regular::views,
        fast: Some(Shortcut { name: "sorting writes by their readers", decide: regular::decide }),
        ignores: Some(disturbed),
    }),
};

/// For each access whether it is a read that is concurrent with a write of its key.
fn disturbed(memory: &Memory) -> Vec<bool> {
    // The writes of each key by invocation, each with the last return up to it.
    let mut writes: Vec<Vec<(u64, u64)>> = vec![Vec::new(); memory.keys.len()];
    for write in memory.writes() {
        let one = &memory.accesses[write];
        writes[one.key].push((one.invoked, one.returned.unwrap_or(u64::MAX)));
    }
    for writes in &mut writes {
        writes.sort_unstable();
        let mut last = 0;
        writes.iter_mut().for_each(|(_, returned)| {
            last = last.max(*returned);
            *returned = last;
        });
    }
    let mut disturbed = vec![false; memory.accesses.len()];
    for read in memory.reads() {
        let one = &memory.accesses[read];
        let begun = |write: &(u64, u64)| one.returned.is_none_or(|end| write.0 <= end);
        let writes = &writes[one.key];
        let last = writes.partition_point(begun).checked_sub(1);
        disturbed[read] = last.is_some_and(|last| writes[last].1 >= one.invoked);
    }
    disturbed
}
