//! What threads coordinate with: two or three threads each.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use super::explore::{Case, Inside, NO_HANG, NO_RACE, Thread, always, case, spawn, test, together};
use super::trace::say;
use crate::primitives::barrier::Barrier;
use crate::primitives::buffer::Buffer;
use crate::primitives::channel::{Channel, Closed};
use crate::primitives::condvar::Condvar;
use crate::primitives::mutex::Mutex;
use crate::primitives::once::Once;
use crate::primitives::rendezvous::Rendezvous;
use crate::primitives::select::Select;
use crate::primitives::wait_group::WaitGroup;
use crate::primitives::workers::Workers;
use crate::sync::Ordering::Relaxed;
use crate::sync::{AtomicBool, mark, spin_until};

/// A count that loom does not see, so that it adds no interleavings.
#[derive(Default)]
struct Tally(AtomicUsize);

impl Tally {
    fn bump(&self) -> usize {
        self.0.fetch_add(1, Relaxed) + 1
    }

    fn get(&self) -> usize {
        self.0.load(Relaxed)
    }
}

#[test]
fn condition_variables() {
    let about = "one thread waits for a flag that the other raises";
    let raised = case("condvar", about, || flag(false));
    let about = "one thread waits for a flag, and is told once before it is raised";
    let in_vain = case("condvar", about, || flag(true)).preemptions(3);
    test(
        "condvar.txt",
        &[
            raised.reaches(&["a thread slept"]).breaks("condvar/lets-go-first", NO_HANG),
            in_vain.reaches(&["a thread slept"]),
            told_at_once(),
        ],
    );
}

/// One thread waits for a flag; the other tells it when the flag is raised, and maybe before.
fn flag(in_vain: bool) {
    let shared = Arc::new((Mutex::new(false), Condvar::new()));
    let theirs = Arc::clone(&shared);
    let raiser = spawn("raiser", move || {
        if in_vain {
            theirs.1.notify_one();
        }
        *theirs.0.lock().expect("nobody panics") = true;
        theirs.1.notify_one();
    });
    let flag = shared.0.lock().expect("nobody panics");
    let flag = shared.1.wait_while(flag, |flag| !*flag).expect("nobody panics");
    always("who waited sees the change", *flag);
    drop(flag);
    raiser.join();
}

fn told_at_once() -> Case {
    case("condvar", "two threads wait for a flag, and are told at once", || {
        let shared = Arc::new((Mutex::new(false), Condvar::new()));
        let waiter = |name| {
            let shared = Arc::clone(&shared);
            spawn(name, move || {
                let flag = shared.0.lock().expect("nobody panics");
                let flag = shared.1.wait_while(flag, |flag| !*flag).expect("nobody panics");
                always("who waited sees the change", *flag);
            })
        };
        let waiters = [waiter("waiter 1"), waiter("waiter 2")];
        *shared.0.lock().expect("nobody panics") = true;
        shared.1.notify_all();
        waiters.into_iter().for_each(Thread::join);
    })
    .preemptions(2)
    .reaches(&["a thread slept"])
}

#[test]
fn once() {
    let twice = case("once", "two threads want the value, whoever comes first makes it", || {
        together(
            &["a", "b"],
            |(once, made)| {
                let value = once.get_or_make(|| {
                    say("makes the value");
                    always("it is made once", made.bump() == 1);
                    made.get()
                });
                always("all of it is seen", *value == 1);
            },
            (Once::new(), Tally::default()),
        );
    });
    let thrice = case("once", "three threads want the value", || {
        let once = together(
            &["a", "b", "c"],
            |once| {
                once.get_or_make(|| 1);
            },
            Once::new(),
        );
        always("it is there", once.get() == Some(&1));
    });
    test(
        "once.txt",
        &[
            twice
                .reaches(&["a thread slept"])
                .breaks("once/two-steps", "it is made once")
                .breaks("once/relaxed-look", NO_RACE)
                .breaks("once/says-so-first", NO_RACE),
            thrice.preemptions(2).reaches(&["a thread slept"]).breaks("once/wakes-one", NO_HANG),
        ],
    );
}

#[test]
fn wait_groups() {
    test("wait_group.txt", &[two_tasks(), next_round(), two_waiters()]);
}

fn two_tasks() -> Case {
    case("wait-group", "one waits for two tasks", || {
        let shared = Arc::new((WaitGroup::new(), Tally::default()));
        shared.0.add(1);
        shared.0.add(1);
        let task = |name| {
            let shared = Arc::clone(&shared);
            spawn(name, move || {
                shared.1.bump();
                shared.0.done();
            })
        };
        let tasks = [task("task 1"), task("task 2")];
        shared.0.wait();
        always("all tasks are done", shared.1.get() == 2);
        tasks.into_iter().for_each(Thread::join);
    })
    .reaches(&["a thread slept"])
}

/// The task ends the round that somebody waits for, begins the next one at once, and ends that when
/// it knows that the first wait is over.
fn next_round() -> Case {
    case("wait-group", "the next round begins before the waiter has woken", || {
        let groups = Arc::new((WaitGroup::new(), WaitGroup::new()));
        groups.0.add(1);
        groups.1.add(1);
        let theirs = Arc::clone(&groups);
        let task = spawn("task", move || {
            spin_until(|| theirs.0.waiting() == 1);
            theirs.0.done();
            theirs.0.add(1);
            theirs.1.wait();
            theirs.0.done();
        });
        groups.0.wait();
        groups.1.done();
        task.join();
    })
    .reaches(&["a thread slept"])
    .breaks("wait-group/no-rounds", NO_HANG)
}

fn two_waiters() -> Case {
    case("wait-group", "two wait for one task", || {
        let group = Arc::new(WaitGroup::new());
        group.add(1);
        let waiter = |name| {
            let group = Arc::clone(&group);
            spawn(name, move || group.wait())
        };
        let waiters = [waiter("waiter 1"), waiter("waiter 2")];
        group.done();
        waiters.into_iter().for_each(Thread::join);
    })
    .reaches(&["a thread slept"])
    .breaks("wait-group/wakes-one", NO_HANG)
}

#[test]
fn barriers() {
    let two_rounds = case("barrier", "two threads meet twice", || {
        let shared = together(
            &["a", "b"],
            |(barrier, came, last)| {
                for round in 1..=2 {
                    came.bump();
                    if barrier.wait() {
                        last.bump();
                    }
                    always("all have come before one leaves", came.get() >= 2 * round);
                }
            },
            (Barrier::new(2), Tally::default(), Tally::default()),
        );
        always("one thread of each round comes last", shared.2.get() == 2);
    });
    let three = case("barrier", "three threads meet", || {
        together(
            &["a", "b", "c"],
            |(barrier, came)| {
                came.bump();
                barrier.wait();
                always("all have come before one leaves", came.get() == 3);
            },
            (Barrier::new(3), Tally::default()),
        );
    });
    test(
        "barrier.txt",
        &[
            two_rounds.reaches(&["a thread slept"]).breaks("barrier/no-rounds", NO_HANG),
            three.reaches(&["a thread slept"]).breaks("barrier/wakes-one", NO_HANG),
        ],
    );
}

/// Two producers with room for one item, and a consumer: the smallest in which a woken thread may
/// be the wrong one.
#[test]
fn buffers() {
    let about = "two producers, room for one item, which is taken at first, and a consumer";
    let two_producers = case("buffer", about, || {
        let buffer = Arc::new(Buffer::new(1));
        buffer.put(3);
        let producer = |name, item| {
            let buffer = Arc::clone(&buffer);
            spawn(name, move || {
                buffer.put(item);
                always("never more items than fit", buffer.count() <= 1);
            })
        };
        let producers = [producer("producer 1", 1), producer("producer 2", 2)];
        let items = buffer.take() + buffer.take() + buffer.take();
        always("no item is lost or doubled", items == 6);
        producers.into_iter().for_each(Thread::join);
    });
    let in_order = case("buffer", "a producer, room for two items, a consumer", || {
        let buffer = Arc::new(Buffer::new(2));
        let theirs = Arc::clone(&buffer);
        let producer = spawn("producer", move || (1..=3).for_each(|item| theirs.put(item)));
        always("first in, first out", [(); 3].map(|()| buffer.take()) == [1, 2, 3]);
        producer.join();
    });
    let two_each = case("buffer", "two producers, room for one item, two consumers", || {
        let buffer = Arc::new(Buffer::new(1));
        let producer = |name| {
            let buffer = Arc::clone(&buffer);
            spawn(name, move || buffer.put(1))
        };
        let consumer = |name| {
            let buffer = Arc::clone(&buffer);
            spawn(name, move || assert_eq!(buffer.take(), 1))
        };
        let threads = [consumer("consumer 1"), consumer("consumer 2"), producer("producer 1")];
        buffer.put(1);
        threads.into_iter().for_each(Thread::join);
    });
    test(
        "buffer.txt",
        &[
            two_producers
                .preemptions(3)
                .reaches(&["a thread slept"])
                .breaks("buffer/if", "never more items than fit"),
            in_order.reaches(&["a thread slept"]),
            two_each
                .preemptions(3)
                .reaches(&["a thread slept"])
                .breaks("buffer/one-queue", NO_HANG),
        ],
    );
}

#[test]
fn channels() {
    let closed = [close_and_receivers(), close_and_sender(), close_alone()];
    let cases: Vec<Case> = [to_the_end(), in_order()].into_iter().chain(closed).collect();
    test("channel.txt", &cases);
}

/// The sender sends two items through room for one and closes; the receiver reads to the end.
fn to_the_end() -> Case {
    case("channel", "a sender sends two items and closes, a receiver reads to the end", || {
        let channel = Arc::new(Channel::new(1));
        let theirs = Arc::clone(&channel);
        let sender = spawn("sender", move || {
            let sent = [1, 2].map(|item| theirs.send(item));
            always("nobody closed it", sent == [Ok(()), Ok(())]);
            theirs.close();
        });
        let mut received = Vec::new();
        while let Some(item) = channel.receive() {
            received.push(item);
        }
        always("what was sent is received in order", received == [1, 2]);
        sender.join();
    })
    .reaches(&["a thread slept"])
    .breaks("channel/close-drops", "what was sent is received in order")
}

fn in_order() -> Case {
    case("channel", "a sender sends two items through room for two, a receiver reads both", || {
        let channel = Arc::new(Channel::new(2));
        let theirs = Arc::clone(&channel);
        let sender = spawn("sender", move || {
            always("nobody closes it", theirs.send(1).is_ok() && theirs.send(2).is_ok());
        });
        let received = [channel.receive(), channel.receive()];
        always("what was sent is received in order", received == [Some(1), Some(2)]);
        sender.join();
    })
    .reaches(&["a thread slept"])
}

fn close_and_receivers() -> Case {
    case("channel", "two receivers wait, and the channel is closed", || {
        let channel = Arc::new(Channel::<usize>::new(1));
        let receiver = |name| {
            let channel = Arc::clone(&channel);
            spawn(name, move || always("there was nothing", channel.receive().is_none()))
        };
        let receivers = [receiver("receiver 1"), receiver("receiver 2")];
        channel.close();
        receivers.into_iter().for_each(Thread::join);
    })
    .reaches(&["a thread slept"])
    .breaks("channel/close-wakes-one", NO_HANG)
}

/// The channel is full, a sender waits, and it is closed and read to its end meanwhile.
fn close_and_sender() -> Case {
    case("channel", "a sender waits for room, and the channel is closed and read", || {
        let channel = Arc::new(Channel::new(1));
        always("there was room", channel.send(1).is_ok());
        let theirs = Arc::clone(&channel);
        let sender = spawn("sender", move || theirs.send(2));
        channel.close();
        let mut received = Vec::new();
        while let Some(item) = channel.receive() {
            received.push(item);
        }
        let refused = sender.join() == Err(Closed(2));
        if refused {
            mark("a sender was refused");
        }
        always("what is accepted is received", refused || received == [1, 2]);
        always("nothing comes after the end", channel.receive().is_none());
    })
    .reaches(&["a thread slept", "a sender was refused"])
    .breaks("channel/sends-after-close", "what is accepted is received")
}

/// As before, but nobody makes room by reading: the sender is woken by the end alone.
fn close_alone() -> Case {
    case("channel", "a sender waits for room, and the channel is closed and not read", || {
        let channel = Arc::new(Channel::new(1));
        always("there was room", channel.send(1).is_ok());
        let theirs = Arc::clone(&channel);
        let sender = spawn("sender", move || theirs.send(2));
        channel.close();
        always("what does not fit is given back", sender.join() == Err(Closed(2)));
    })
    .reaches(&["a thread slept"])
}

#[test]
fn rendezvous() {
    let cases = [pair(), two_senders(), closed_table(), closed_to_a_receiver(), closed_to_one()];
    test("rendezvous.txt", &cases);
}

fn pair() -> Case {
    case("rendezvous", "a sender and a receiver meet", || {
        let began = AtomicBool::new(false);
        let shared = Arc::new((Rendezvous::new(), began));
        let theirs = Arc::clone(&shared);
        let sender = spawn("sender", move || {
            let sent = theirs.0.send(1);
            always("a send ends after its receive began", theirs.1.load(Relaxed) && sent.is_ok());
        });
        shared.1.store(true, Relaxed);
        always("what was sent is received", shared.0.receive() == Some(1));
        sender.join();
    })
    .reaches(&["a thread slept"])
    .breaks("rendezvous/sender-leaves", "a send ends after its receive began")
}

fn two_senders() -> Case {
    case("rendezvous", "two senders, and one receives twice", || {
        let table = Arc::new(Rendezvous::new());
        let sender = |name, item| {
            let table = Arc::clone(&table);
            spawn(name, move || always("it was taken", table.send(item).is_ok()))
        };
        let senders = [sender("sender 1", 1), sender("sender 2", 2)];
        let items = [table.receive(), table.receive()];
        let sum: usize = items.into_iter().flatten().sum();
        always("each item is taken once", sum == 3);
        senders.into_iter().for_each(Thread::join);
    })
    .preemptions(3)
    .reaches(&["a thread slept"])
    .breaks("rendezvous/wakes-one", NO_HANG)
}

fn closed_table() -> Case {
    case("rendezvous", "the channel is closed while a sender waits for a receiver", || {
        let table = Arc::new(Rendezvous::new());
        let theirs = Arc::clone(&table);
        let sender = spawn("sender", move || theirs.send(1));
        table.close();
        let received = table.receive();
        let given_back = sender.join() == Err(Closed(1));
        if given_back {
            mark("an item was given back");
        }
        always("an item is taken or given back", given_back == received.is_none());
    })
    .reaches(&["an item was given back", "a thread slept"])
}

fn closed_to_a_receiver() -> Case {
    case("rendezvous", "the channel is closed while a receiver waits for a sender", || {
        let table = Arc::new(Rendezvous::<usize>::new());
        let theirs = Arc::clone(&table);
        let receiver = spawn("receiver", move || always("nobody sent", theirs.receive().is_none()));
        table.close();
        receiver.join();
    })
    .reaches(&["a thread slept"])
    .breaks("rendezvous/closes-silently", NO_HANG)
}

/// One sender's item is taken; the other's may lie on the table when the channel is closed.
fn closed_to_one() -> Case {
    case("rendezvous", "two senders; one item is taken, and the channel is closed", || {
        let table = Arc::new(Rendezvous::new());
        let sender = |name, item| {
            let table = Arc::clone(&table);
            spawn(name, move || (item, table.send(item)))
        };
        let senders = [sender("sender 1", 1), sender("sender 2", 2)];
        let received = table.receive();
        table.close();
        for (item, sent) in senders.map(Thread::join) {
            let right = if received == Some(item) { Ok(()) } else { Err(Closed(item)) };
            always("each item is taken or given back", sent == right);
        }
    })
    .reaches(&["a thread slept"])
    .breaks("rendezvous/gives-back-another", "each item is taken or given back")
}

#[test]
fn selects() {
    let late = case("select", "one waits for two channels, another sends into one of them", || {
        let channels = Arc::new([Channel::new(1), Channel::new(1)]);
        let theirs = Arc::clone(&channels);
        let sender = spawn("sender", move || theirs[1].send(7).is_ok());
        let all = [&channels[0], &channels[1]];
        always("the item is received", Select::new(&all).receive() == (1, Some(7)));
        sender.join();
    });
    let ended = case("select", "one waits for two channels, another closes one of them", || {
        let channels = Arc::new([Channel::<usize>::new(1), Channel::new(1)]);
        let theirs = Arc::clone(&channels);
        let closer = spawn("closer", move || theirs[1].close());
        let all = [&channels[0], &channels[1]];
        always("the end is received", Select::new(&all).receive() == (1, None));
        closer.join();
    });
    let fair = case("select", "two channels have two items each", || {
        let channels = [Channel::new(2), Channel::new(2)];
        for channel in &channels {
            always("there is room", channel.send(1).is_ok() && channel.send(2).is_ok());
        }
        let all = [&channels[0], &channels[1]];
        let mut select = Select::new(&all);
        let served = [select.receive().0, select.receive().0];
        always("each ready channel has its turn", served == [0, 1]);
    });
    test(
        "select.txt",
        &[
            late.reaches(&["a thread slept"]).breaks("select/looks-once", NO_HANG),
            ended.reaches(&["a thread slept"]).breaks("channel/close-tells-no-select", NO_HANG),
            fair.breaks("select/biased", "each ready channel has its turn"),
        ],
    );
}

#[test]
fn workers() {
    test("workers.txt", &[blocking_call(), pinned_task(), tasks_in_order(), task_at_once()]);
}

fn task_at_once() -> Case {
    case("workers", "one worker; somebody waits for what a task sends", || {
        let workers = Workers::start(1);
        let channel = Arc::new(Channel::new(1));
        let theirs = Arc::clone(&channel);
        workers.run(move |_| always("there is room", theirs.send(1).is_ok()));
        always("the task is run before the end", channel.receive() == Some(1));
        workers.finish();
    })
    .reaches(&["a thread slept"])
}

fn tasks_in_order() -> Case {
    case("workers", "one worker runs two tasks", || {
        let workers = Workers::start(1);
        let begun = Arc::new(Tally::default());
        for number in 1..=2 {
            let begun = Arc::clone(&begun);
            workers.run(move |_| always("tasks begin in order", begun.bump() == number));
        }
        workers.finish();
        always("all tasks were run", begun.get() == 2);
    })
    .reaches(&["a thread slept"])
    .breaks("workers/last-first", "tasks begin in order")
}

/// One worker: the first task waits for what the second does.
fn blocking_call() -> Case {
    case("workers", "one worker; a task blocks until the next one has run", || {
        let workers = Workers::start(1);
        let channel = Arc::new(Channel::new(1));
        let theirs = Arc::clone(&channel);
        workers.run(move |worker| {
            let got = worker.blocking(|| theirs.receive());
            always("the call returns what the other task sent", got == Some(1));
        });
        workers.run(move |_| always("there is room", channel.send(1).is_ok()));
        always("every blocking call is counted", workers.finish() == 1);
    })
    .preemptions(3)
    .reaches(&["a thread slept"])
    .breaks("workers/no-substitute", NO_HANG)
}

fn pinned_task() -> Case {
    case("workers", "two workers; a task is pinned to each", || {
        let workers = Workers::start(2);
        let together = Arc::new(Inside::at_most(2));
        for number in 0..2 {
            let together = Arc::clone(&together);
            workers.run_on(number, move |worker| {
                always("a pinned task never migrates", worker.number() == Some(number));
                together.visit("two workers", || ());
            });
        }
        workers.finish();
        if together.seen() == 2 {
            mark("two tasks ran at once");
        }
    })
    .preemptions(3)
    .reaches(&["two tasks ran at once"])
    .breaks("workers/unpins", "a pinned task never migrates")
}
