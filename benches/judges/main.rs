//! How fast the judges of linearizability are, on one core: each fast procedure on histories of
//! always busy clients with values used once, from a thousand calls to a million; the general
//! search on what real systems recorded; and both beside what others have (see `peers.rs`). At the
//! end, what the project aims at, and what was measured. Ratios are within one run, so that the
//! machine cancels out. With the word `stream`, `grows`, `peers` or `recorded`, only that is run.

mod peers;

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::Instant;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use seedbed::consistency::linearizable::{self, Effort, stream::Stream};
use seedbed::consistency::memory::Given;
use seedbed::consistency::{Calls, Verdict, model_named, witness};
use seedbed::history::import::{Datum, read_file};
use seedbed::history::{Call, History};
use seedbed::object::{
    CasRegister, Kv, Object, PriorityQueue, Queue, Register, Set, Stack, cas_register, pool,
    register, set,
};

const BUDGET: u64 = 50_000_000;
const CLIENTS: u32 = 20;
const SIZES: [usize; 4] = [1_000, 10_000, 100_000, 1_000_000];

/// What is aimed at: what, how many milliseconds, and what was measured.
type Aim = (&'static str, f64, f64);

fn main() {
    let parts = ["stream", "grows", "peers", "recorded"];
    let asked: Vec<String> = std::env::args().filter(|arg| parts.contains(&&**arg)).collect();
    let runs = |part: &str| asked.is_empty() || asked.iter().any(|one| one == part);
    let mut aims: Vec<Aim> = Vec::new();
    if runs("stream") {
        stream(&mut aims);
    }
    if runs("grows") {
        all_grow(&mut aims);
    }
    if runs("peers") {
        beside_peers();
    }
    if runs("recorded") {
        recorded(&mut aims);
    }
    println!("\n{:<64} {:>8} {:>10}", "milliseconds", "aim", "measured");
    for (what, aim, measured) in aims {
        let met = if measured <= aim { "" } else { "  missed" };
        println!("{what:<64} {aim:>8.0} {measured:>10.2}{met}");
    }
}

fn all_grow(aims: &mut Vec<Aim>) {
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
    let queue = grows("queue", &Queue::default(), pools);
    aims.push(("FIFO queue, values once, 100,000 operations", 1_000.0, queue[2]));
    grows("stack", &Stack::default(), pools);
    let scattered = |n: u64, draw: u64| {
        if draw.is_multiple_of(2) {
            pool::Op::Take
        } else {
            pool::Op::Put(n.wrapping_mul(0x9E37_79B9_7F4A_7C15))
        }
    };
    grows("priority-queue", &PriorityQueue::default(), scattered);
}

/// Calls of clients that are always busy, each taking effect somewhere within.
fn busy<O: Object>(
    object: &O,
    size: usize,
    clients: u32,
    op: impl Fn(u64, u64) -> O::Op,
) -> Vec<Call<O::Op, O::Ret>> {
    let mut draw = ChaCha8Rng::seed_from_u64(5);
    let mut idle: Vec<u32> = (0..clients).collect();
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

fn stream(aims: &mut Vec<Aim>) {
    println!("milliseconds for a register's events as they come, {CLIENTS} clients");
    for size in SIZES {
        let object = Register { initial: 0 };
        let calls = busy(&object, size, CLIENTS, |n, draw| {
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
        if size == SIZES[3] {
            let what = "register, values once, 1,000,000 operations, 20 clients, streaming";
            aims.push((what, 60.0, time));
        }
    }
}

fn grows<O: Object>(name: &str, object: &O, op: impl Fn(u64, u64) -> O::Op) -> [f64; 4] {
    print!("{name:<16}");
    let (mut before, mut times): (Option<f64>, _) = (None, [0.0; 4]);
    for (size, measured) in SIZES.into_iter().zip(&mut times) {
        let history = History::new(busy(object, size, CLIENTS, &op)).expect("a history");
        let mut by = String::new();
        let time = milliseconds(|| {
            let judged = linearizable::judge(object, &history, BUDGET);
            by = judged.procedures.iter().copied().collect::<Vec<_>>().join(" + ");
            let Verdict::Holds(found) = judged.verdict else { panic!("{:?}", judged.verdict) };
            witness::confirms(object, &history, &found.order).expect("a witness");
        });
        let ratio = before.map_or(String::new(), |before| format!(" x{:<5.1}", time / before));
        print!("{time:10.2}{ratio}");
        (before, *measured) = (Some(time), time);
        if size == SIZES[3] {
            println!("  {by}");
        }
    }
    times
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

/// The same histories for the judges and for others; those that others can't do are left out.
fn beside_peers() {
    const MOST: usize = 20_000_000;
    println!("\nmilliseconds for a register beside others, and how many times as long they take");
    println!("clients   calls  this judge    Wing-Gong-Lowe      stateright's tester");
    let object = Register { initial: 0 };
    for (clients, size) in
        [(3, 12), (3, 24), (3, 1_000), (10, 100), (10, 1_000), (10, 10_000), (20, 1_000)]
    {
        let calls = busy(&object, size, clients, |n, draw| {
            if draw.is_multiple_of(2) { register::Op::Read } else { register::Op::Write(n) }
        });
        let history = History::new(calls.clone()).expect("a history");
        let own = milliseconds(|| linearizable::linearizable(&object, &history, BUDGET));
        let started = Instant::now();
        let plain = peers::plain_search(&object, &calls, MOST);
        let plain_time = started.elapsed().as_secs_f64() * 1_000.0;
        assert_ne!(plain, Some(false));
        let plain = match plain {
            Some(_) => format!("{plain_time:9.3} x{:<8.0}", plain_time / own),
            None => format!("no answer in {plain_time:.0}"),
        };
        let theirs = if size <= 24 {
            let time = milliseconds(|| assert!(peers::stateright_linearizable(&calls)));
            format!("{time:9.3} x{:<8.0}", time / own)
        } else {
            "-".to_owned()
        };
        println!("{clients:>7} {size:>7} {own:11.4} {plain:>20} {theirs:>20}");
    }
    println!("\nmilliseconds for sequential consistency of a register");
    for size in [9, 12, 15] {
        let calls = busy(&object, size, 3, |n, draw| {
            if draw.is_multiple_of(2) { register::Op::Read } else { register::Op::Write(n) }
        });
        let history = History::new(calls.clone()).expect("a history");
        let subject = Calls::new(&object, &history, Given::default());
        let model = model_named("sequential").expect("a model");
        let own = milliseconds(|| model.judge(&subject, BUDGET));
        let time = milliseconds(|| assert!(peers::stateright_sequential(&calls)));
        println!("{size:>7} calls {own:11.4}, stateright {time:9.3} x{:.0}", time / own);
    }
}

fn recorded(aims: &mut Vec<Aim>) {
    let Some(folder) = histories() else {
        println!("\nno recorded histories here");
        return;
    };
    println!("\nmilliseconds for recorded histories");
    for name in ["etcd", "cas-register"] {
        let files = files(&folder.join(name));
        let read =
            || files.iter().filter_map(|file| read_file::<CasRegister<Datum>>(file, None).ok());
        let histories: Vec<_> = read().collect();
        let object = CasRegister::default();
        let reading = milliseconds(|| read().count());
        let own = milliseconds(|| {
            histories
                .iter()
                .map(|one| linearizable::linearizable(&object, one, BUDGET))
                .collect::<Vec<_>>()
        });
        let plain = milliseconds(|| {
            let plain = |one: &History<_, _>| peers::plain_search(&object, one.calls(), 10_000_000);
            histories.iter().map(plain).collect::<Vec<_>>()
        });
        println!(
            "{name:<16} {:>4} histories, read in {reading:.2} ms, judged in {own:.2} ms, cores and \
             all; Wing-Gong-Lowe, verdict only: {plain:.2} ms, x{:.1}",
            histories.len(),
            plain / own
        );
        if name == "etcd" {
            aims.push(("50 etcd logs, read and judged, with cores", 15.0, reading + own));
        }
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
    maps(&folder, aims);
}

/// Maps, key by key and without that: by the search alone, first with the object's word that calls
/// on different keys never influence each other, then without.
fn maps(folder: &Path, aims: &mut Vec<Aim>) {
    for file in files(&folder.join("kv")) {
        let name = file.file_name().unwrap_or_default().display().to_string();
        let history = read_file::<Kv>(&file, None).expect("a history");
        let effort = Effort::steps(BUDGET);
        let split = milliseconds(|| linearizable::linearizable(&Kv, &history, BUDGET));
        let joint = milliseconds(|| linearizable::judge_as_a_whole(&Kv, &history, effort));
        let blind = milliseconds(|| linearizable::judge_as_a_whole(&Whole(Kv), &history, effort));
        let started = Instant::now();
        let plain = peers::plain_search(&Kv, history.calls(), 3_000_000);
        let time = started.elapsed().as_secs_f64() * 1_000.0;
        let plain = plain.map_or("no answer in", |_| "answers in");
        println!(
            "{name:<16} {:>4} calls, key by key {split:.2} ms, as a whole {joint:.2} ms, knowing \
             nothing of keys {blind:.2} ms; Wing-Gong-Lowe {plain} {time:.2} ms",
            history.calls().len()
        );
        match name.as_str() {
            "c10-ok.txt" => aims.push(("kv c10-ok without key partition", 100.0, joint)),
            "c10-bad.txt" => aims.push(("kv c10-bad without key partition", 100.0, joint)),
            _ => (),
        }
        match name.as_str() {
            "c10-ok.txt" => aims.push(("kv c10-ok, nothing known of keys", 100.0, blind)),
            "c10-bad.txt" => aims.push(("kv c10-bad, nothing known of keys", 100.0, blind)),
            _ => (),
        }
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
