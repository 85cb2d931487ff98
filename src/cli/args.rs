//! The arguments.

use std::net::SocketAddr;
use std::ops::Range;
use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::consistency::judge;
use crate::engine::Runner;
use crate::engine::check::Search;
use crate::engine::reduce::Reduce;
use crate::engine::shrink::ShrinkOptions;
use crate::report::svg::Scale;

/// A testbed for the primitives and consistency models of distributed systems.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Args {
    #[command(subcommand)]
    pub command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// The main job: checks and simulates every scenario, and writes what each guarantees
    Run(Run),
    /// Every scenario: what it shows, its sizes, and what is expected
    List {
        /// One JSON object
        #[arg(long)]
        json: bool,
    },
    /// Runs seeds of one scenario's large world
    Simulate(Simulate),
    /// Tries every interleaving of one scenario's small world
    Check(Check),
    /// Serves the web explorer
    Explore(Explore),
    /// Shows a run, step by step
    Replay(Replay),
    /// Makes a failing trace small; or fills the regression corpus with every variant's
    Shrink(Shrink),
    /// How much of each small world seeds visit, and how many seeds each broken variant needs
    Cover(Cover),
    /// What the checker's reductions save, and whether they find what a full search does
    Reduce(Many),
    /// Draws a trace, or writes it for other tools
    Export(Export),
    /// Judges a recorded history of a real system
    Judge(Judge),
}

#[derive(Debug, clap::Args)]
pub struct Run {
    #[command(flatten)]
    pub many: Many,
    /// Which seeds, the end excluded
    #[arg(long, value_parser = seeds, default_value = "0..1000")]
    pub seeds: Range<u64>,
    /// How many seeds under each kind of fault alone, at the most
    #[arg(long, default_value = "200")]
    pub cell_seeds: u64,
}

impl Default for Run {
    fn default() -> Self {
        let many = Many { globs: Vec::new(), out: None, jobs: cores(), json: false };
        Run { many, seeds: 0..1000, cell_seeds: 200 }
    }
}

/// What a command is about that reports on many scenarios.
#[derive(Debug, clap::Args)]
pub struct Many {
    /// Which scenarios, as in `abd/*`; all if none is given
    pub globs: Vec<String>,
    /// Where reports go: `reports` for all scenarios, nowhere for some if it is not given
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// Threads
    #[arg(long, default_value_t = cores(), value_parser = threads)]
    pub jobs: usize,
    /// One JSON object
    #[arg(long)]
    pub json: bool,
}

impl Many {
    /// Where reports go, if anywhere.
    pub fn folder(&self) -> Option<PathBuf> {
        self.out.clone().or_else(|| self.globs.is_empty().then(|| PathBuf::from("reports")))
    }
}

#[derive(Debug, clap::Args)]
pub struct Simulate {
    /// `protocol/variant`, or a protocol for all of its variants
    pub scenario: String,
    /// Which seeds, the end excluded
    #[arg(long, value_parser = seeds, default_value = "0..100")]
    pub seeds: Range<u64>,
    /// Who runs them
    #[arg(long, value_enum, default_value_t)]
    pub runner: Runner,
    /// Threads; the results don't depend on it
    #[arg(long, default_value_t = cores(), value_parser = threads)]
    pub jobs: usize,
    /// Ends at the first seed that fails
    #[arg(long)]
    pub until_failure: bool,
    /// Lifts every log into the checker's world
    #[arg(long)]
    pub lift: bool,
    /// Runs every seed twice, and shows the first event that differs
    #[arg(long)]
    pub check_determinism: bool,
    /// Saves the trace of the first seed that fails; without a file, shrinks it into the corpus
    #[arg(long, value_name = "FILE", num_args = 0..=1)]
    pub save: Option<Option<PathBuf>>,
    /// Changes a number, as in `--set crashes=2`
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// One JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, clap::Args)]
pub struct Check {
    /// `protocol/variant`, or a protocol for all of its variants
    pub scenario: String,
    /// Which search
    #[arg(long, value_enum, default_value_t)]
    pub engine: Search,
    /// Threads; on more than one stateright's counterexamples may not be shortest
    #[arg(long, default_value = "1", value_parser = threads)]
    pub threads: usize,
    /// Gives up after so many generated states
    #[arg(long)]
    pub max_states: Option<usize>,
    /// Looks no deeper than this
    #[arg(long)]
    pub max_depth: Option<usize>,
    /// Gives up once the process has used so many bytes
    #[arg(long)]
    pub max_bytes: Option<u64>,
    /// Keeps 64 bits of each state: says how likely it is that one was lost, and never that a
    /// property holds
    #[arg(long)]
    pub fingerprints: bool,
    /// Leaves out what follows from the rest, with the compact engine; verdicts stay the same
    #[arg(long, value_enum, default_value_t)]
    pub reduce: Reduce,
    /// Saves the trace of the violation
    #[arg(long, value_name = "FILE")]
    pub save: Option<PathBuf>,
    /// Changes a number, as in `--set clients=3`
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// One JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, clap::Args)]
pub struct Explore {
    /// `protocol/variant`
    pub scenario: String,
    /// Where to serve
    #[arg(long, default_value = "127.0.0.1:3000")]
    pub address: SocketAddr,
    /// Opens at the last step of this trace
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,
    /// Opens at the last step of this seed's run of the large world
    #[arg(long, conflicts_with = "trace")]
    pub seed: Option<u64>,
    /// Changes a number
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}

#[derive(Debug, clap::Args)]
pub struct Replay {
    /// A trace file, or with `--seed` a scenario
    pub what: String,
    /// Shows this seed of the scenario
    #[arg(long, conflicts_with = "against")]
    pub seed: Option<u64>,
    /// Replays the trace against another variant
    #[arg(long, value_name = "SCENARIO")]
    pub against: Option<String>,
    /// Looks for times within these bounds, as in `drift=1`, at which it happens
    #[arg(long, value_name = "KEY=VALUE", conflicts_with_all = ["seed", "against"])]
    pub within: Vec<String>,
    /// Draws the trace
    #[arg(long, value_name = "FILE", conflicts_with = "seed")]
    pub svg: Option<PathBuf>,
    /// Changes a number, with `--seed`
    #[arg(long, value_name = "KEY=VALUE", requires = "seed")]
    pub set: Vec<String>,
    /// One JSON object
    #[arg(long)]
    pub json: bool,
}

/// What a trace may be written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Form {
    /// A space-time diagram
    Svg,
    /// A space-time diagram for terminals
    Text,
    /// A log with vector clocks, for ShiViz
    Shiviz,
    /// States in the Informal Trace Format of Apalache and Quint
    Itf,
}

#[derive(Debug, clap::Args)]
pub struct Export {
    /// A trace file
    pub file: PathBuf,
    /// As what
    #[arg(long, value_enum)]
    pub to: Form,
    /// Where to; standard output if it is not given
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// How far apart an SVG's steps are
    #[arg(long, value_enum, default_value_t)]
    pub scale: Scale,
}

#[derive(Debug, clap::Args)]
pub struct Shrink {
    /// A trace file; or which broken variants, as in `abd/*`; all of them if none is given
    pub what: Vec<String>,
    /// Where the small trace goes (FILE.min.json), or the corpus and its table (reports)
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// How many seeds of a variant to run until one fails
    #[arg(long, default_value = "20000")]
    pub seeds: u64,
    /// How many steps all smaller candidates of a trace may take
    #[arg(long, default_value_t = ShrinkOptions::default().steps_max)]
    pub max_steps: u64,
    /// How many states the checker may generate to find a shortest run; 0 leaves that out
    #[arg(long, default_value_t = ShrinkOptions::default().states_max)]
    pub max_states: usize,
    /// Threads
    #[arg(long, default_value_t = cores(), value_parser = threads)]
    pub jobs: usize,
    /// One JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, clap::Args)]
pub struct Cover {
    #[command(flatten)]
    pub many: Many,
    /// How many seeds
    #[arg(long, default_value = "1000")]
    pub seeds: u64,
}

#[derive(Clone, Debug, clap::Args)]
pub struct Judge {
    /// The recorded history
    pub file: PathBuf,
    /// What was called: register, cas-register, kv, queue, mutex, channel:64, ...
    #[arg(long)]
    pub object: String,
    /// Which consistency models, or `k-atomicity` and `delta-atomicity`; `all` for every one
    #[arg(long, default_value = "linearizable")]
    pub model: Vec<String>,
    /// Which lock guards a key, for `entry`: KEY=LOCK
    #[arg(long, value_name = "KEY=LOCK", value_parser = guard)]
    pub guard: Vec<(String, String)>,
    /// The order of lines says nothing about calls of different sessions
    #[arg(long)]
    pub untimed: bool,
    /// The file's format, if it is not to be guessed
    #[arg(long)]
    pub format: Option<String>,
    /// Draws the calls that contradict a model here; of several models, the strongest
    #[arg(long)]
    pub svg: Option<PathBuf>,
    /// Shows the whole history here, as a page
    #[arg(long)]
    pub html: Option<PathBuf>,
    /// Writes the history here, in Jepsen's EDN, for other checkers
    #[arg(long)]
    pub edn: Option<PathBuf>,
    /// How many steps a judge may take
    #[arg(long, default_value_t = judge::BUDGET)]
    pub budget: u64,
    /// One JSON object
    #[arg(long)]
    pub json: bool,
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn guard(text: &str) -> Result<(String, String), String> {
    let both = text.split_once('=').filter(|(key, lock)| !key.is_empty() && !lock.is_empty());
    let (key, lock) = both.ok_or("a guard is KEY=LOCK, as in x=l")?;
    Ok((key.to_owned(), lock.to_owned()))
}

fn threads(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(threads @ 1..=1024) => Ok(threads),
        _ => Err("that is no number of threads from 1 to 1024".to_owned()),
    }
}

/// A range of seeds, `A..B`.
fn seeds(text: &str) -> Result<Range<u64>, String> {
    let (first, end) = text.split_once("..").ok_or("a range of seeds is A..B, as in 0..100")?;
    let number =
        |text: &str| text.parse::<u64>().map_err(|error| format!("`{text}` is no seed: {error}"));
    let (first, end) = (number(first)?, number(end)?);
    if first >= end {
        return Err(format!("there is no seed in {first}..{end}"));
    }
    if end - first > 1_000_000_000 {
        return Err("that is more than 1,000,000,000 seeds".to_owned());
    }
    Ok(first..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silly_ranges_of_seeds_are_refused() {
        assert_eq!(seeds("3..5"), Ok(3..5));
        for silly in ["", "5", "5..5", "5..3", "a..b", "-1..3", "0..99999999999", "1..2..3"] {
            assert!(seeds(silly).is_err(), "{silly} was taken");
        }
    }

    #[test]
    fn a_guard_names_a_key_and_a_lock() {
        assert_eq!(guard("x=l"), Ok(("x".to_owned(), "l".to_owned())));
        for silly in ["", "x", "=l", "x="] {
            assert!(guard(silly).is_err(), "{silly} was taken");
        }
    }

    #[test]
    fn the_arguments_are_consistent() {
        <Args as clap::CommandFactory>::command().debug_assert();
    }
}
