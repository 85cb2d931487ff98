//! How fast the compact engine is, beside stateright: on the Paxos yardstick, whose text for
//! stateright is its own `ActorModel`; on that very `ActorModel`, run here, with the property known
//! to read only the history, and without; on the same world of ours; beside SPIN, on a text of the
//! yardstick packed by hand; and on a toy whose number of states is known by a formula. And what a
//! state costs as there are more of them.
//!
//! Each measurement runs in a process of its own, so that its peak of memory is its own. All of a
//! table are made in one run, in turn, so that the ratios hold whatever else the machine does.
//! `CLIENTS=2,3,6 cargo bench --bench checker` says which sizes; by default 2 and 3. `WAYS` names
//! those that are to be measured, `compact;spin` say; by default all. With 6 clients stateright
//! takes minutes for each.

mod actors;
mod spin;
mod toy;

use std::collections::BTreeMap;
use std::process::Command;

use seedbed::engine::check::{CheckOptions, Search};
use seedbed::protocols::catalogue;
use seedbed::report::peak_bytes;

/// The published counts: clients, states and transitions.
const YARDSTICK: [(usize, usize, usize); 4] = [
    (2, 16_668, 32_971),
    (3, 1_194_428, 2_420_477),
    (4, 2_372_188, 4_807_983),
    (6, 9_357_525, 18_972_647),
];

/// What is measured: its name, and how it is done, for so many clients on so many threads.
const WAYS: [&str; 8] = [
    "compact",
    "actors, breadth",
    "actors, depth",
    "actors here",
    "actors here, whole",
    "stateright-bfs",
    "stateright-dfs",
    SPIN,
];

/// It searches on one thread.
const SPIN: &str = "spin";

const REPETITIONS: usize = 3;

/// In a process of its own: what is measured, the clients and the threads.
const ONE: &str = "SEEDBED_MEASURES";

/// Measures one way; returns states, transitions, seconds and bytes.
fn measure(way: &str, clients: usize, threads: usize) -> (usize, usize, f64, f64) {
    let search = match way {
        SPIN => return spin::exhaust(clients),
        "actors, breadth" | "actors, depth" => {
            let (states, transitions, seconds) = actors::exhaust(clients, way == WAYS[1], threads);
            return (states, transitions, seconds, peak_bytes() as f64);
        }
        "actors here" | "actors here, whole" => {
            let (states, transitions, seconds) =
                actors::exhaust_here(clients, way == WAYS[3], threads);
            return (states, transitions, seconds, peak_bytes() as f64);
        }
        "compact" => Search::Compact,
        "stateright-bfs" => Search::StaterightBfs,
        _ => Search::StaterightDfs,
    };
    let catalogue = catalogue();
    let yardstick = catalogue.get("paxos/yardstick").expect("it is in the catalogue");
    let mut numbers = yardstick.card().small.clone();
    numbers.set(&format!("clients={clients}")).expect("a yardstick has clients");
    let options = CheckOptions { search, threads, ..CheckOptions::default() };
    let report = yardstick.check(&numbers, options).expect("it is checkable");
    (report.states, report.transitions, report.seconds, peak_bytes() as f64)
}

/// Measures one way in another process; returns seconds and bytes.
fn measured(
    way: &str,
    (clients, states, transitions): (usize, usize, usize),
    threads: usize,
) -> (f64, f64) {
    let program = std::env::current_exe().expect("a program has a path");
    let run = || {
        let mut command = Command::new(&program);
        let output = command.env(ONE, format!("{way};{clients};{threads}")).output();
        let output = output.expect("a program runs twice").stdout;
        let output = String::from_utf8(output).expect("it writes numbers");
        let numbers: Vec<f64> =
            output.split_whitespace().map(|n| n.parse().expect("a number")).collect();
        let [found, steps, seconds, bytes] = numbers[..] else { panic!("{way}: {output}") };
        assert_eq!((found as usize, steps as usize), (states, transitions), "{way}");
        (seconds, bytes)
    };
    let repetitions = if states > 2_000_000 { 1 } else { REPETITIONS };
    let mut runs: Vec<_> = (0..repetitions).map(|_| run()).collect();
    runs.sort_by(|one, other| one.0.total_cmp(&other.0));
    runs[runs.len() / 2]
}

fn main() {
    if let Ok(what) = std::env::var(ONE) {
        let words: Vec<&str> = what.split(';').collect();
        let number = |n: usize| words[n].parse().expect("a number");
        let (states, transitions, seconds, bytes) = measure(words[0], number(1), number(2));
        println!("{states} {transitions} {seconds} {bytes}");
        return;
    }
    let sizes = std::env::var("CLIENTS").unwrap_or_else(|_| "2,3".to_owned());
    let wanted = |clients: usize| sizes.split(',').any(|size| size == clients.to_string());
    let chosen = std::env::var("WAYS").unwrap_or_else(|_| WAYS.join(";"));
    if !spin::is_there() {
        println!("spin or gcc is not installed: without SPIN");
    }
    println!("the Paxos yardstick; ratios to the first row on as many threads");
    println!("clients threads way                  seconds   ratio   MB  bytes/state");
    for size in YARDSTICK.into_iter().filter(|size| wanted(size.0)) {
        for threads in [1, 2] {
            let (mut first, mut times) = (None, BTreeMap::new());
            let runs = |way: &str| {
                let can = way != SPIN || threads == 1 && spin::is_there();
                can && chosen.split(';').any(|chosen| chosen == way)
            };
            for way in WAYS.into_iter().filter(|way| runs(way)) {
                let (seconds, bytes) = measured(way, size, threads);
                times.insert(way, (seconds, bytes));
                let ratio = seconds / *first.get_or_insert(seconds);
                let each = bytes / size.1 as f64;
                println!(
                    "{:>7}{threads:>8} {way:18}{seconds:>10.3}{ratio:>8.1}{:>6.0}{each:>12.0}",
                    size.0,
                    bytes / 1e6
                );
            }
            for (here, there) in [(3, 1), (3, 2), (4, 1), (4, 2)] {
                let (here, there) = (WAYS[here], WAYS[there]);
                let both = times.get(here).zip(times.get(there));
                let Some((other, one)) = both else { continue };
                let (faster, smaller) = (one.0 / other.0, one.1 / other.1);
                println!(
                    "                {here}: {faster:.1} times as fast as {there}, in \
                     {smaller:.1} times less memory"
                );
            }
        }
    }
    growth();
    toy::table();
}

/// What a state costs the compact engine, on one thread, from ten thousand of them to ten million.
fn growth() {
    println!("the compact engine on one thread; ratios to the smallest of its kind");
    println!("clients    states  seconds  ns/state   ratio   MB  bytes/state");
    let mut first = None;
    for size in YARDSTICK {
        let (seconds, bytes) = measured("compact", size, 1);
        let each = seconds * 1e9 / size.1 as f64;
        println!(
            "{:>7}{:>10}{seconds:>9.3}{each:>10.0}{:>8.2}{:>5.0}{:>13.0}",
            size.0,
            size.1,
            each / *first.get_or_insert(each),
            bytes / 1e6,
            bytes / size.1 as f64
        );
    }
}
