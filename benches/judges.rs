//! How fast the judges of linearizability are, on one core: each fast procedure on histories of
//! always busy clients with values used once, from a thousand calls to a million; the general
//! search on what real systems recorded. Ratios are within one run, so that the machine cancels
//! out.

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::Instant;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use seedbed::consistency::linearizable::{self, stream::Stream};
use seedbed::consistency::{Verdict, witness};
use seedbed::history::import::{Datum, read_file};
use seedbed::history::{Call, History};
use seedbed::object::{
    CasRegister, Kv, Object, PriorityQueue, Queue, Register, Set, Stack, cas_register, pool,
    register, set,
};

const BUDGET: u64 = 50_000_000;
const CLIENTS: u32 = 20;
const SIZES: [usize; 4] = [1_000, 10_000, 100_000, 1_000_000];

fn main() {
    stream();
    if std::env::args().any(|arg| arg == "stream") {
        return;
    }
    println!("\nmilliseconds to judge so many calls of {CLIENTS} clients, witness and all");
    let ops = |n: u64, draw: u64| {
        if draw.is_multiple_of(2) { register::Op::Read } else { register::Op::Write(n) }
    };
    grows("register", &Register { initial: 0 }, ops);
    let swaps = |n: u64, draw: u64| match draw % 3 {
        0 => cas_register::Op::Read,
        1 => cas_register::Op::Write(n),
        _ => cas_register::Op::cas(n - 1, n),
    };
    grows("cas-register", &CasRegister { initial: 0 }, swaps);
    let members = |n: u64, draw: u64| match draw % 4 {
        0 => set::Op::Add(n / 8),
        1 => set::Op::Remove(n / 8),
        _ => set::Op::Has(n / 8),
    };
    grows("set", &Set::default(), members);
    let pools =
        |n: u64, draw: u64| if draw.is_multiple_of(2) { pool::Op::Take } else { pool::Op::Put(n) };
    grows("queue", &Queue::default(), pools);
    grows("stack", &Stack::default(), pools);
    let scattered = |n: u64, draw: u64| {
        if draw.is_multiple_of(2) {
            pool::Op::Take
        } else {
            pool::Op::Put(n.wrapping_mul(0x9E37_79B9_7F4A_7C15))
        }
    };
    grows("priority-queue", &PriorityQueue::default(), scattered);
    recorded();
}

/// Calls of clients that are always busy, each taking effect somewhere within.
fn busy<O: Object>(
    object: &O,
    size: usize,
    op: impl Fn(u64, u64) -> O::Op,
) -> Vec<Call<O::Op, O::Ret>> {
    let mut draw = ChaCha8Rng::seed_from_u64(5);
    let mut idle: Vec<u32> = (0..CLIENTS).collect();
    let (mut calls, mut open) = (Vec::<Call<_, _>>::with_capacity(size), Vec::<usize>::new());
    let (mut state, mut now) = (object.init(), 0);
    while calls.len() < size || !open.is_empty() {
        now += 1;
        if let Some(process) = idle.pop_if(|_| calls.len() < size) {
            open.push(calls.len());
            calls.push(Call::open(process, op(calls.len() as u64 + 1, draw.next_u64() >> 8), now));
            continue;
        }
        let chosen = draw.next_u32() as usize % open.len();
        let call = &mut calls[open[chosen]];
        if call.ret.is_none() {
            call.ret = Some(object.apply(&mut state, &call.op));
        } else {
            call.returned = Some(now);
            idle.push(call.process);
            open.swap_remove(chosen);
        }
    }
    calls
}

fn milliseconds<T>(mut work: impl FnMut() -> T) -> f64 {
    let times = (0..5).map(|_| {
        let started = Instant::now();
        black_box(work());
        started.elapsed().as_secs_f64() * 1_000.0
    });
    times.fold(f64::INFINITY, f64::min)
}

fn stream() {
    println!("milliseconds for a register's events as they come, {CLIENTS} clients");
    for size in SIZES {
        let object = Register { initial: 0 };
        let calls = busy(&object, size, |n, draw| {
            if draw.is_multiple_of(2) { register::Op::Read } else { register::Op::Write(n) }
        });
        let mut events: Vec<(u64, usize)> = Vec::new();
        for (index, call) in calls.iter().enumerate() {
            events.extend([(call.invoked, index), (call.returned.expect("a return"), index)]);
        }
        events.sort_unstable();
        let events: Vec<(u32, bool, Option<u64>)> = events
            .iter()
            .map(|(time, index)| {
                let call = &calls[*index];
                let value = match (&call.op, &call.ret, call.invoked == *time) {
                    (register::Op::Write(value), _, true) => Some(*value),
                    (register::Op::Read, Some(register::Ret::Value(value)), false) => Some(*value),
                    _ => None,
                };
                (call.process, call.invoked == *time, value)
            })
            .collect();
        let time = milliseconds(|| {
            let mut stream = Stream::new(0);
            for &(process, begins, value) in &events {
                let told = match (begins, value) {
                    (true, Some(value)) => stream.writes(process, value),
                    (true, None) => stream.reads(process),
                    (false, value) => stream.returns(process, value),
                };
                told.expect("events in turn");
            }
            assert_eq!(stream.finish(), Ok(()));
        });
        println!("{size:>9} calls {time:9.3} ms {:6.1} ns a call", time * 1e6 / size as f64);
    }
}

fn grows<O: Object>(name: &str, object: &O, op: impl Fn(u64, u64) -> O::Op) {
    print!("{name:<16}");
    let mut before: Option<f64> = None;
    for size in SIZES {
        let history = History::new(busy(object, size, &op)).expect("a history");
        let mut by = String::new();
        let time = milliseconds(|| {
            let judged = linearizable::judge(object, &history, BUDGET);
            by = judged.procedures.iter().copied().collect::<Vec<_>>().join(" + ");
            let Verdict::Holds(found) = judged.verdict else { panic!("{:?}", judged.verdict) };
            witness::confirms(object, &history, &found.order).expect("a witness");
        });
        let ratio = before.map_or(String::new(), |before| format!(" x{:<5.1}", time / before));
        print!("{time:10.2}{ratio}");
        before = Some(time);
        if size == SIZES[3] {
            println!("  {by}");
        }
    }
}

fn histories() -> Option<PathBuf> {
    let named = std::env::var("SEEDBED_HISTORIES").ok();
    let here = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/histories");
    Some(PathBuf::from(named.as_deref().unwrap_or(here))).filter(|folder| folder.is_dir())
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = files.map(|file| file.path()).collect();
    files.sort();
    files
}

fn recorded() {
    let Some(folder) = histories() else {
        println!("\nno recorded histories here");
        return;
    };
    println!("\nmilliseconds for recorded histories");
    let read_cas = |name: &str| {
        files(&folder.join(name))
            .iter()
            .filter_map(|file| read_file::<CasRegister<Datum>>(file, None).ok())
            .collect::<Vec<_>>()
    };
    for name in ["etcd", "cas-register"] {
        let read = read_cas(name);
        let time = milliseconds(|| {
            read.iter()
                .filter(|history| {
                    matches!(
                        linearizable::linearizable(&CasRegister::default(), history, BUDGET),
                        Verdict::Holds(_)
                    )
                })
                .count()
        });
        println!("{name:<16} {:>4} histories {time:9.2} ms", read.len());
    }
    for file in files(&folder.join("redis")) {
        let history = read_file::<Register<Datum>>(&file, None).expect("a history");
        let time =
            milliseconds(|| linearizable::linearizable(&Register::default(), &history, BUDGET));
        println!(
            "{:<26} {:>6} calls {time:9.2} ms",
            file.file_name().unwrap_or_default().display(),
            history.calls().len()
        );
    }
    for file in files(&folder.join("kv")) {
        let history = read_file::<Kv>(&file, None).expect("a history");
        let split = milliseconds(|| linearizable::linearizable(&Kv, &history, BUDGET));
        let whole = milliseconds(|| linearizable::linearizable(&Whole(Kv), &history, BUDGET));
        println!(
            "{:<16} {:>5} calls, key by key {split:9.2} ms, as a whole {whole:9.2} ms",
            file.file_name().unwrap_or_default().display(),
            history.calls().len()
        );
    }
}

/// An object that says nothing of its parts.
#[derive(Clone, Debug)]
struct Whole<O>(O);

impl<O: Object> Object for Whole<O> {
    type State = O::State;
    type Op = O::Op;
    type Ret = O::Ret;
    type Held = O::Held;

    fn init(&self) -> O::State {
        self.0.init()
    }

    fn apply(&self, state: &mut O::State, op: &O::Op) -> O::Ret {
        self.0.apply(state, op)
    }

    fn reads(&self, op: &O::Op) -> bool {
        self.0.reads(op)
    }

    fn silent(&self, op: &O::Op, ret: &O::Ret) -> bool {
        self.0.silent(op, ret)
    }
}
