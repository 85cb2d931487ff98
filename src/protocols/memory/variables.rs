//! Shared variables as the judges of `src/consistency` see them: a map in which a missing key reads
//! as 0. A lock is a variable, too: a release writes the number of the grant that it ends, and an
//! acquire reads that of the grant before its own, so the history itself says which release each
//! acquire waited for. Both are labelled as what they are, for the models that need to know what
//! synchronises (Gharachorloo et al., ISCA 1990; Keleher, Cox and Zwaenepoel, ISCA 1992).

use crate::history::{Sync, SyncKind};
use crate::object::kv::{Op, Ret};

/// The name of a variable.
pub type Var = u8;
/// What a variable holds; 0 at first.
pub type Data = u32;

/// A call as one of the map's, and its answer.
pub type Called = (Op, Option<Ret>);

/// A write, and whether it returned.
pub fn write(var: Var, data: Data, returned: bool) -> Called {
    (Op::put(var.to_string(), data.to_string()), returned.then_some(Ret::Done))
}

/// A read, and what it returned.
pub fn read(var: Var, data: Option<Data>) -> Called {
    (Op::get(var.to_string()), data.map(value))
}

/// An acquire, and the number of its grant, from 1.
pub fn acquire(lock: Var, grant: Option<u32>) -> Called {
    (Op::get(name(lock)), grant.map(|grant| value(grant - 1)))
}

/// The release that ends this grant.
pub fn release(lock: Var, grant: u32) -> Called {
    (Op::put(name(lock), grant.to_string()), Some(Ret::Done))
}

/// The label of what synchronises through a lock.
pub fn label(lock: Var, kind: SyncKind) -> Sync {
    // Which release an acquire waited for is told by the values.
    Sync { kind, object: name(lock), grant: 0 }
}

fn value(data: u32) -> Ret {
    Ret::Value((data > 0).then(|| data.to_string()))
}

fn name(lock: Var) -> String {
    format!("lock {lock}")
}
