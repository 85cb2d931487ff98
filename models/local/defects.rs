//! Defects of the documents' programs that are not about a lock's inside: memory of another
//! language, a node that is copied, a counter that two tasks share, a channel that has ended.
//!
//! Each is written as it was meant, and as it stands there: that is the broken variant.

use std::sync::Arc;

use super::explore::{Case, NO_HANG, NO_RACE, always, case, spawn, test};
use crate::primitives::channel::Channel;
use crate::primitives::condvar::Condvar;
use crate::primitives::mutex::Mutex;
use crate::sync::Ordering::Relaxed;
use crate::sync::{AtomicBool, AtomicUsize, Plain, broken};

/// A text in another language's memory, which is there until somebody frees it.
struct Foreign {
    text: AtomicUsize,
    allocated: AtomicBool,
}

impl Foreign {
    fn allocate(text: usize) -> Arc<Self> {
        let text = AtomicUsize::new(text);
        let allocated = AtomicBool::new(true);
        Arc::new(Foreign { text, allocated })
    }

    fn read(&self) -> usize {
        always("nothing is read after it was freed", self.allocated.load(Relaxed));
        self.text.load(Relaxed)
    }

    fn free(&self) {
        always("nothing is freed twice", self.allocated.swap(false, Relaxed));
    }
}

/// The document passes a text to C and never frees it. C may keep it for longer than the call.
fn foreign_memory() -> Case {
    case("foreign-memory", "a text is handed to another language, which reads it later", || {
        let text = Foreign::allocate(42);
        let theirs = Arc::clone(&text);
        let reader = spawn("reader", move || {
            always("it is the text", theirs.read() == 42);
            if broken("foreign-memory/both-free") {
                theirs.free();
            }
        });
        let early = broken("foreign-memory/frees-early");
        if early {
            text.free();
        }
        reader.join();
        if !early && !broken("foreign-memory/leaks") {
            text.free();
        }
        always("what was allocated is freed", !text.allocated.load(Relaxed));
    })
    .breaks("foreign-memory/leaks", "what was allocated is freed")
    .breaks("foreign-memory/frees-early", "nothing is read after it was freed")
    .breaks("foreign-memory/both-free", "nothing is freed twice")
}

/// A node of the document's Raft: its task finds that it is the leader, and the main task waits to
/// be told. There nobody tells it; it does not look before it waits; and `Start` works on a copy of
/// the node, because its receiver is a value.
fn raft_node() -> Case {
    case("raft-node", "a node becomes the leader, and the main task waits to be told", || {
        let node = Arc::new((Mutex::new(false), Condvar::new()));
        let theirs = Arc::clone(&node);
        let election = spawn("election", move || {
            let copy = Mutex::new(false);
            let by_value = broken("raft-node/by-value");
            let leader = if by_value { &copy } else { &theirs.0 };
            *leader.lock().expect("nobody panics") = true;
            if !broken("raft-node/never-tells") {
                theirs.1.notify_all();
            }
        });
        let mut leader = node.0.lock().expect("nobody panics");
        let looks = !broken("raft-node/does-not-look");
        while !looks || !*leader {
            leader = node.1.wait(leader).expect("nobody panics");
            if !looks {
                break;
            }
        }
        always("the node is the leader", *leader);
        drop(leader);
        election.join();
    })
    .reaches(&["a thread slept"])
    .breaks("raft-node/never-tells", NO_HANG)
    .breaks("raft-node/does-not-look", NO_HANG)
    .breaks("raft-node/by-value", NO_HANG)
}

/// Two tasks of one program count their elections in one variable.
fn election_count() -> Case {
    case("election-count", "two tasks count in one variable, under a lock", || {
        let count = Plain::new(0);
        let shared = Arc::new((Mutex::new(()), count));
        let bump = |name| {
            let shared = Arc::clone(&shared);
            spawn(name, move || {
                let (lock, count) = &*shared;
                let guard = lock.lock().expect("nobody panics");
                let guard = (!broken("election-count/unlocked")).then_some(guard);
                count.set(count.get() + 1);
                drop(guard);
            })
        };
        let tasks = [bump("elect"), bump("proclaim")];
        tasks.into_iter().for_each(|task| task.join());
        always("no update is lost", shared.1.get() == 2);
    })
    .breaks("election-count/unlocked", NO_RACE)
}

/// To receive from a channel that has ended yields a zero in Go, and the document takes that for an
/// event, whose first part it then reads.
fn watch() -> Case {
    case("watch", "one task sends an event and closes, another takes what comes", || {
        let events = Arc::new(Channel::new(1));
        let theirs = Arc::clone(&events);
        let store = spawn("store", move || {
            always("it is open", theirs.send(7).is_ok());
            theirs.close();
        });
        let takes_the_end = broken("watch/takes-the-end");
        let mut taken = 0;
        while let Some(event) = events.receive().or(takes_the_end.then_some(0)) {
            always("what is taken for an event was sent", event == 7);
            taken += 1;
        }
        always("every event is taken", taken == 1);
        store.join();
    })
    .breaks("watch/takes-the-end", "what is taken for an event was sent")
}

/// The document makes its file with the mode 0x777, which is 3567 in the base that was meant: read
/// and execute for its owner, who can't write it again.
fn mode() -> Case {
    case("file-mode", "a task makes a file and writes it again", || {
        let mode = if broken("file-mode/wrong-base") { 0x777 } else { 0o777 };
        let may_write = |mode: u32| mode & 0o200 != 0;
        always("the owner may write again", may_write(mode));
    })
    .breaks("file-mode/wrong-base", "the owner may write again")
}

#[test]
fn defects() {
    test("defects.txt", &[foreign_memory(), raft_node(), election_count(), watch(), mode()]);
}
