//! What a long file costs: one of ten million lines is made, read and judged, and the time and the
//! process's peak memory are printed. `cargo bench --bench histories -- 1000000` takes fewer lines.
//!
//! Ten clients write values of their own to one register and read them, as fast as they can; the
//! register is atomic, so the history is linearizable. It is made in a folder of its own, which is
//! removed.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Instant;

use seedbed::consistency::judge::{BUDGET, judge_file};
use seedbed::history::import::{Datum, read_file};
use seedbed::object::Register;

const CLIENTS: u64 = 10;

fn main() {
    let told = std::env::args().skip(1).find_map(|word| word.parse::<u64>().ok());
    let lines = told.unwrap_or(10_000_000);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("long.jsonl");
    let started = Instant::now();
    write(&file, lines).expect("the file is written");
    let bytes = std::fs::metadata(&file).map_or(0, |about| about.len());
    let (seconds, before) = (started.elapsed().as_secs_f64(), peak());
    println!("{lines} lines, {} MB, made in {seconds:.1} s, peak {before} MB", bytes >> 20);
    if std::env::args().any(|word| word == "read") {
        let started = Instant::now();
        let history = read_file::<Register<Datum>>(&file, None).expect("a history");
        let (calls, seconds) = (history.calls().len(), started.elapsed().as_secs_f64());
        println!("read: {calls} calls in {seconds:.1} s, peak {} MB", peak());
        return;
    }
    let started = Instant::now();
    match judge_file(&file, "register", &["linearizable"], None, BUDGET) {
        Ok(judged) => print!("{judged}"),
        Err(error) => println!("{error}"),
    }
    println!("read and judged in {:.1} s, peak {} MB", started.elapsed().as_secs_f64(), peak());
}

/// Clients take turns: each is invoked, then each returns.
fn write(file: &Path, lines: u64) -> std::io::Result<()> {
    let mut out = BufWriter::new(File::create(file)?);
    let mut held = "null".to_owned();
    for line in 0..lines {
        let (round, at) = (line / (2 * CLIENTS), line % (2 * CLIENTS));
        let client = at % CLIENTS;
        let (kind, writes) = (if at < CLIENTS { "invoke" } else { "ok" }, client.is_multiple_of(2));
        let value = match (writes, at < CLIENTS) {
            (true, _) => (round * CLIENTS + client).to_string(),
            (false, true) => "null".to_owned(),
            (false, false) => held.clone(),
        };
        let f = if writes { "write" } else { "read" };
        writeln!(
            out,
            "{{\"process\":{client},\"type\":\"{kind}\",\"f\":\"{f}\",\"value\":{value}}}"
        )?;
        if writes && at >= CLIENTS {
            held = value;
        }
    }
    out.flush()
}

/// The process's peak memory so far, in megabytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) >> 10
}
