//! The documents' programs that live in one process, mistakes and all, every interleaving of each.
//!
//! They come from a chapter on data integrity in Go and from a post on Go's distributed patterns.
//! Each is written as it was meant and as it stands there; what stands there is a broken variant,
//! whose switch is in this file. The clock and the hundred thousand tasks run on virtual time, in
//! `sim-tests/documents.rs`.

use std::sync::Arc;

use super::explore::{Case, NO_HANG, NO_RACE, Thread, always, case, spawn, test};
use super::trace::say;
use crate::primitives::channel::Channel;
use crate::primitives::mutex::Mutex;
use crate::primitives::rendezvous::Rendezvous;
use crate::primitives::rw_lock::RwLock;
use crate::primitives::wait_group::WaitGroup;
use crate::sync::Ordering::{Acquire, Relaxed, Release};
use crate::sync::{AtomicBool, AtomicUsize, Plain, broken, mark};

/// A file: a name in a folder that leads to a few cells. To truncate it and to write each of its
/// cells are steps of their own, as they are in `WriteFile`; to rename a file is one step.
struct Disk {
    /// Which of the files the name leads to.
    name: AtomicUsize,
    files: Vec<File>,
    /// Once the machine has crashed, nothing is written any more.
    crashed: AtomicBool,
}

struct File {
    length: AtomicUsize,
    cells: [AtomicUsize; 2],
}

impl File {
    fn new(value: usize) -> Self {
        let length = AtomicUsize::new(2);
        let first = AtomicUsize::new(value);
        let second = AtomicUsize::new(value);
        File { length, cells: [first, second] }
    }
}

impl Disk {
    /// One file that holds this value, and as many others for use as wanted.
    fn new(value: usize, others: usize) -> Self {
        let files = (0..=others).map(|_| File::new(value)).collect();
        let name = AtomicUsize::new(0);
        Disk { name, files, crashed: AtomicBool::new(false) }
    }

    fn step(&self, step: impl FnOnce()) {
        if !self.crashed.load(Relaxed) {
            step();
        }
    }

    fn crash(&self) {
        say("crashes");
        self.crashed.store(true, Relaxed);
    }

    /// Truncates a file and writes the value.
    fn write(&self, file: usize, value: usize) {
        let file = &self.files[file];
        self.step(|| file.length.store(0, Relaxed));
        for (n, cell) in file.cells.iter().enumerate() {
            self.step(|| cell.store(value, Relaxed));
            self.step(|| file.length.store(n + 1, Relaxed));
        }
    }

    /// Lets the name lead to this file.
    fn rename(&self, file: usize) {
        self.step(|| self.name.store(file, Relaxed));
    }

    /// What the name leads to, after all is over.
    fn content(&self) -> Vec<usize> {
        let file = &self.files[self.name.load(Relaxed)];
        let cells = file.cells.iter().map(|cell| cell.load(Relaxed));
        cells.take(file.length.load(Relaxed)).collect()
    }
}

/// What two writers share.
struct Writers {
    lock: RwLock<()>,
    disk: Disk,
}

impl Writers {
    /// Writes the file as `i`; the document's program takes the lock for reading.
    fn write_file(&self, i: usize) {
        if broken("write-file/read-lock") {
            let _guard = self.lock.read();
            self.disk.write(0, i);
        } else {
            let _guard = self.lock.write();
            self.disk.write(0, i);
        }
    }
}

/// The document has ten writers; two show all that ten do.
fn two_writers() -> Case {
    case("write-file", "two tasks write one file, under a lock", || {
        let shared = Arc::new(Writers { lock: RwLock::new(()), disk: Disk::new(9, 0) });
        let writer = |name, i| {
            let shared = Arc::clone(&shared);
            spawn(name, move || shared.write_file(i))
        };
        let writers = [writer("writer 1", 1), writer("writer 2", 2)];
        writers.into_iter().for_each(Thread::join);
        let content = shared.disk.content();
        say(format!("reads {content:?}"));
        always("the file holds one whole value", content == [1, 1] || content == [2, 2]);
    })
    .breaks("write-file/read-lock", "the file holds one whole value")
}

/// The machine may crash at any step of a write. The repair writes another file,
/// syncs it and renames it.
fn crash() -> Case {
    case("write-file", "a task writes a file, and the machine crashes", || {
        let disk = Arc::new(Disk::new(9, 1));
        let theirs = Arc::clone(&disk);
        let writer = spawn("writer", move || {
            if broken("write-file/in-place") {
                theirs.write(0, 1);
            } else if broken("write-file/no-sync") {
                // What isn't synced reaches the disk in any order: here the new name is first.
                theirs.rename(1);
                theirs.write(1, 1);
            } else {
                theirs.write(1, 1);
                theirs.rename(1);
            }
        });
        disk.crash();
        writer.join();
        let content = disk.content();
        say(format!("reads {content:?}"));
        mark(if content == [1, 1] { "the new value is there" } else { "the old value is there" });
        always("after a crash the file is old or new", content == [9, 9] || content == [1, 1]);
    })
    .reaches(&["the new value is there", "the old value is there"])
    .breaks("write-file/in-place", "after a crash the file is old or new")
    .breaks("write-file/no-sync", "after a crash the file is old or new")
}

/// Each writer says that it is done, over a channel without room, and the main task must hear all.
fn acknowledged() -> Case {
    case("write-file", "two tasks say that they are done, and the main task listens", || {
        let done = Arc::new(Rendezvous::new());
        let writer = |name| {
            let done = Arc::clone(&done);
            spawn(name, move || always("nobody closes it", done.send(true).is_ok()))
        };
        let writers = [writer("writer 1"), writer("writer 2")];
        let heard = if broken("write-file/listens-once") { 1 } else { 2 };
        for _ in 0..heard {
            done.receive();
        }
        writers.into_iter().for_each(Thread::join);
    })
    .preemptions(3)
    .reaches(&["a thread slept"])
    .breaks("write-file/listens-once", NO_HANG)
}

/// A counter that is bumped by a call into another language: read, called, written back.
fn opaque_call() -> Case {
    case("increment", "two tasks bump a counter through an opaque call, under a lock", || {
        fn increment(number: usize) -> usize {
            number + 1
        }
        let my_number = AtomicUsize::new(0);
        let shared = Arc::new((Mutex::new(()), my_number));
        let bump = |name| {
            let shared = Arc::clone(&shared);
            spawn(name, move || {
                let (lock, my_number) = &*shared;
                let guard = lock.lock().expect("nobody panics");
                if broken("increment/unlocked") {
                    drop(guard);
                    my_number.store(increment(my_number.load(Relaxed)), Relaxed);
                } else {
                    my_number.store(increment(my_number.load(Relaxed)), Relaxed);
                    drop(guard);
                }
            })
        };
        let tasks = [bump("task 1"), bump("task 2")];
        tasks.into_iter().for_each(Thread::join);
        always("no update is lost", shared.1.load(Relaxed) == 2);
    })
    .breaks("increment/unlocked", "no update is lost")
}

/// A table of locks, which another task fills; the document sleeps a second and takes one out.
fn table_of_locks() -> Case {
    case("lock-table", "a task fills a table of locks, another takes one out", || {
        let table = Arc::new(Mutex::new(Vec::<Arc<Mutex<()>>>::new()));
        let filled = Arc::new(WaitGroup::new());
        filled.add(1);
        let (theirs, done) = (Arc::clone(&table), Arc::clone(&filled));
        let filler = spawn("filler", move || {
            theirs.lock().expect("nobody panics").push(Arc::new(Mutex::new(())));
            done.done();
        });
        // However long one sleeps, nothing says that the other one has run.
        if !broken("lock-table/sleeps") {
            filled.wait();
        }
        let found = table.lock().expect("nobody panics").first().cloned();
        always("the lock is there", found.is_some_and(|lock| lock.lock().is_ok()));
        filler.join();
    })
    .breaks("lock-table/sleeps", "the lock is there")
}

/// A task that adds itself to the group may do so after the main task has found nobody to wait for.
fn adds_itself() -> Case {
    case("clock-group", "a task is added to a wait group by whoever starts it", || {
        let finished = AtomicBool::new(false);
        let shared = Arc::new((WaitGroup::new(), finished));
        let theirs = Arc::clone(&shared);
        let inside = broken("clock-group/adds-itself");
        if !inside {
            shared.0.add(1);
        }
        let task = spawn("task", move || {
            if inside {
                theirs.0.add(1);
            }
            theirs.1.store(true, Relaxed);
            theirs.0.done();
        });
        shared.0.wait();
        always("who waits finds the task done", shared.1.load(Relaxed));
        task.join();
    })
    .reaches(&["a thread slept"])
    .breaks("clock-group/adds-itself", "who waits finds the task done")
}

/// The clock's task never says that it is done, which the document admits.
fn never_done() -> Case {
    case("clock-group", "the clock's task ends and says so", || {
        let group = Arc::new(WaitGroup::new());
        group.add(1);
        let theirs = Arc::clone(&group);
        let clock = spawn("clock", move || {
            if !broken("clock-group/never-done") {
                theirs.done();
            }
        });
        group.wait();
        clock.join();
    })
    .breaks("clock-group/never-done", NO_HANG)
}

/// The printer and the updater of the clock as tasks of their own: a print needs the read lock.
fn clock_reads() -> Case {
    case("clock-lock", "one task updates time and count, another prints both", || {
        let current_time = AtomicUsize::new(0);
        let total_changes = AtomicUsize::new(0);
        let shared = Arc::new((RwLock::new(()), (current_time, total_changes)));
        let theirs = Arc::clone(&shared);
        let updater = spawn("updater", move || {
            let (lock, (now, total_changes)) = &*theirs;
            let _guard = lock.write();
            now.store(10, Relaxed);
            total_changes.store(1, Relaxed);
        });
        let (lock, (now, total_changes)) = &*shared;
        let guard = (!broken("clock-lock/no-read-lock")).then(|| lock.read());
        let printed = (now.load(Relaxed), total_changes.load(Relaxed));
        drop(guard);
        say(format!("prints {printed:?}"));
        if printed == (10, 1) {
            mark("an update was printed");
        }
        always("no torn print", printed == (0, 0) || printed == (10, 1));
        updater.join();
    })
    .reaches(&["an update was printed"])
    .breaks("clock-lock/no-read-lock", "no torn print")
}

/// Ten values through a channel without room, then `done`: shortened to two. The main task may end
/// before the consumer has printed the last one, which is no mistake of any lock; the count tells.
fn producer_and_consumer() -> Case {
    case("producer-consumer", "a producer sends two values and says that it is done", || {
        let comm = Arc::new(Rendezvous::new());
        let done = Arc::new(Rendezvous::new());
        let printed = Arc::new(AtomicUsize::new(0));
        let (out, over) = (Arc::clone(&comm), Arc::clone(&done));
        let producer = spawn("producer", move || {
            for _ in 0..2 {
                always("somebody receives", out.send(true).is_ok());
            }
            always("somebody waits for the end", over.send(true).is_ok());
            out.close();
        });
        let (into, count) = (Arc::clone(&comm), Arc::clone(&printed));
        let consumer = spawn("consumer", move || {
            while into.receive().is_some() {
                count.fetch_add(1, Relaxed);
            }
        });
        done.receive();
        let at_the_end = printed.load(Relaxed);
        mark(if at_the_end == 2 { "all was printed" } else { "the last print was missed" });
        producer.join();
        consumer.join();
        always("all is received", printed.load(Relaxed) == 2);
    })
    .preemptions(3)
    .reaches(&["all was printed", "the last print was missed"])
}

/// A flag that publishes a value: the chapter's last word is on atomics.
fn publication() -> Case {
    case("publication", "one task writes a value and raises a flag, another reads it", || {
        let value = Plain::new(0);
        let ready = AtomicBool::new(false);
        let shared = Arc::new((value, ready));
        let theirs = Arc::clone(&shared);
        let writer = spawn("writer", move || {
            let (value, ready) = &*theirs;
            value.set(42);
            ready.store(true, if broken("publication/relaxed") { Relaxed } else { Release });
        });
        let (value, ready) = &*shared;
        if ready.load(Acquire) {
            mark("the flag was seen");
            always("all of it is seen", value.get() == 42);
        }
        writer.join();
    })
    .reaches(&["the flag was seen"])
    .breaks("publication/relaxed", NO_RACE)
}

/// A lock that is held while the other language calls back.
fn callback() -> Case {
    case("callback", "a call into another language calls back", || {
        let lock = Arc::new(Channel::new(1));
        always("it is free", lock.send(()).is_ok());
        let square = |number: usize| {
            lock.receive();
            let squared = number * number;
            always("it was held", lock.send(()).is_ok());
            squared
        };
        let held = broken("callback/holds-the-lock");
        if held {
            lock.receive();
        }
        always("five squared", square(5) == 25);
        if held {
            always("it was held", lock.send(()).is_ok());
        }
    })
    .breaks("callback/holds-the-lock", NO_HANG)
}

#[test]
fn files() {
    test("program_files.txt", &[two_writers(), crash(), acknowledged()]);
}

#[test]
fn other_programs() {
    let cases = [
        opaque_call(),
        callback(),
        table_of_locks(),
        adds_itself(),
        never_done(),
        clock_reads(),
        producer_and_consumer(),
        publication(),
    ];
    test("programs.txt", &cases);
}
