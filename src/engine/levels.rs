//! The search of the compact engine, level by level, on any number of threads: of our own world
//! (`compact`) and of stateright's actors (`actors`), each of which brings a [`Worker`].
//!
//! A level is the same set of states whatever the order in which it was found, so what is counted
//! does not depend on the number of threads, nor do the ways that lead back. States know nothing of
//! how they were reached; a level is only known to be a range of records. So a search goes back
//! from the states that it found, level by level, to all states from which they can be reached in
//! time, and then forth from the start by the first step that stays among these.
//!
//! A limit may cut a search short in the midst of a level. Which successors it has met by then
//! depends on who was first; so of these none is counted, and the reason says where that begins.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::check::CheckOptions;
use super::compact::sleep::Seats;
use super::compact::store::{BLOCK, Batch, Store};
use super::compact::vector::hash_of;
use super::progress::{self, Progress};

/// A level of fewer bytes is not worth a thread.
const SMALL_LEVEL: usize = 1 << 14;

/// Between two looks at the limits a thread meets so many successors.
const PATIENCE: usize = 1 << 12;

/// One in so many states is expanded again by the rules themselves,
const AUDITED: usize = 1_009;

/// and so are the first, of so many successors in all.
const AUDITED_FIRST: usize = 1_000;

/// What is known of a step beside where it leads.
pub trait Step: Copy {
    /// Whether the state after it may break something that is not judged again of the whole state.
    fn is_suspect(self) -> bool {
        false
    }

    /// What sleeps in the state after it, where steps may sleep.
    fn asleep(self) -> Seats {
        0
    }
}

/// Nothing is known.
impl Step for () {}

/// What somebody does with a state's successors.
pub trait Sink<S> {
    /// Takes the record of a successor, and what is known of the step there.
    fn take(&mut self, record: &[u8], step: S);
}

/// Expands states. Each thread has one, with a memory of its own.
pub trait Worker: Send {
    /// What it knows of its steps.
    type Step: Step;

    /// Hands over the successors of the state at the beginning of a string of records, and returns
    /// where that state's record ends.
    fn expand(&mut self, records: &[u8], sink: &mut impl Sink<Self::Step>) -> usize;

    /// Says what sleeps in the state that is expanded next, where steps may sleep.
    fn let_sleep(&mut self, _: Seats) {
        // A worker's steps need not sleep.
    }

    /// Puts out the numbers of the properties that the state that was expanded last may decide.
    fn judge(&mut self, decides: impl FnMut(usize));

    /// Expands a state once more by the rules themselves, and says how that differs.
    fn audit(&mut self, record: &[u8]) -> Option<String>;

    /// What the types of the model disagree about, if they do.
    fn disagreement(&self) -> Option<String>;

    /// Who has the most states in the levels that count, and one of these: where a search does not
    /// end, that may be what goes on for ever.
    fn most_varied(&self) -> String;
}

/// What was found in one level.
#[derive(Debug, Default)]
pub struct Found {
    /// States of this level that may decide a property, by its number.
    pub here: Vec<(usize, Vec<u8>)>,
    /// States of the next level that may break something.
    pub ahead: Vec<Vec<u8>>,
}

/// What a search counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Distinct states.
    pub states: usize,
    /// States that were met, the initial ones included.
    pub transitions: usize,
}

/// The states of a search that is under way, level by level.
pub struct Levels {
    /// All states.
    pub store: Store,
    options: CheckOptions,
    progress: Progress,
    /// Where each level begins, and where the last one ends.
    ends: Vec<Vec<usize>>,
    /// The states that were met so far.
    met: AtomicUsize,
    /// What there was before the last level was expanded.
    before: Counts,
    is_cut: bool,
    stop: AtomicBool,
    /// How the memory was found to differ from the rules.
    impure: Mutex<Option<String>>,
}

/// States of one shard that are expanded one after the other.
struct Block {
    shard: usize,
    /// Where their records begin and end.
    from: usize,
    to: usize,
    /// What sleeps in them, where steps may sleep.
    asleep: Vec<Seats>,
}

/// Where a thread keeps the successors of one level until it hands them to the store.
struct Keep<'a> {
    levels: &'a Levels,
    batches: Vec<Batch>,
    found: Found,
    /// Successors that were not reported yet.
    met: usize,
}

impl<S: Step> Sink<S> for Keep<'_> {
    #[inline]
    fn take(&mut self, record: &[u8], step: S) {
        let hash = hash_of(record);
        let shard = self.levels.store.shard_of(hash);
        let batch = &mut self.batches[shard];
        if self.levels.options.reduce.order() {
            batch.push_asleep(hash, record, step.asleep());
        } else {
            batch.push(hash, record);
        }
        self.met += 1;
        if batch.is_full() {
            self.levels.store.shard(shard).take(batch);
        }
        if step.is_suspect() {
            self.found.ahead.push(record.to_vec());
        }
    }
}

impl<'a> Keep<'a> {
    fn new(levels: &'a Levels) -> Self {
        let batches = std::iter::repeat_with(Batch::default).take(levels.store.shards()).collect();
        Keep { levels, batches, found: Found::default(), met: 0 }
    }

    /// Looks at the limits.
    fn report(&mut self) {
        let met = std::mem::take(&mut self.met);
        let all = self.levels.met.fetch_add(met, Ordering::Relaxed) + met;
        self.levels.progress.at(all as u64);
        if self.levels.limit().is_some() {
            self.levels.stop.store(true, Ordering::Relaxed);
        }
    }

    fn finish(mut self) -> Found {
        self.levels.met.fetch_add(self.met, Ordering::Relaxed);
        for (shard, batch) in self.batches.iter_mut().enumerate() {
            if !batch.is_empty() {
                self.levels.store.shard(shard).take(batch);
            }
        }
        self.found
    }
}

impl Levels {
    /// The first level: the states that there are at the start.
    pub fn new(options: CheckOptions, starts: impl IntoIterator<Item = Vec<u8>>) -> Self {
        let store = Store::new(options.threads, options.fingerprints);
        let mut levels = Levels {
            ends: vec![store.ends()],
            store,
            options,
            progress: Progress::start("states", None, options.progress),
            met: AtomicUsize::new(0),
            before: Counts::default(),
            is_cut: false,
            stop: AtomicBool::new(false),
            impure: Mutex::default(),
        };
        let mut keep = Keep::new(&levels);
        starts.into_iter().for_each(|record| keep.take(&record, ()));
        keep.finish();
        levels.go_on();
        levels
    }

    /// Begins a level with the states that are new.
    pub fn go_on(&mut self) {
        self.store.let_go(self.ends.last().expect("there is a level"));
        self.ends.push(self.store.ends());
        self.before = self.met();
    }

    fn met(&self) -> Counts {
        let transitions = self.met.load(Ordering::Relaxed);
        Counts { states: self.store.states(), transitions }
    }

    /// What counts: all that was met, but for what lies deeper than the last level of a search that
    /// was cut short.
    pub fn counts(&self) -> Counts {
        if self.is_cut { self.before } else { self.met() }
    }

    /// How many levels there are.
    pub fn depth(&self) -> usize {
        self.ends.len() - 1
    }

    fn is_too_deep(&self) -> bool {
        self.options.depth_max.is_some_and(|deepest| self.depth() >= deepest)
    }

    /// Whether the last level has led to no new states.
    pub fn is_done(&self) -> bool {
        self.ends.last() == Some(&self.store.ends())
    }

    /// Expands the last level, unless it lies too deep, block by block.
    pub fn expand<W: Worker>(&self, workers: &mut [W]) -> Found {
        if self.is_too_deep() {
            return Found::default();
        }
        let [.., begins, ends] = &self.ends[..] else { unreachable!("there is a level") };
        let bytes = ends.iter().sum::<usize>() - begins.iter().sum::<usize>();
        let blocks = self.blocks();
        let next = AtomicUsize::new(0);
        let work = |worker: &mut W| {
            let mut keep = Keep::new(self);
            while let Some(block) = blocks.get(next.fetch_add(1, Ordering::Relaxed)) {
                self.expand_block(worker, block, &mut keep);
            }
            keep.finish()
        };
        if workers.len() == 1 || bytes < SMALL_LEVEL {
            return work(&mut workers[0]);
        }
        let founds: Vec<Found> = std::thread::scope(|scope| {
            let running: Vec<_> =
                workers.iter_mut().map(|worker| scope.spawn(|| work(worker))).collect();
            running.into_iter().map(|thread| thread.join().expect("no worker panics")).collect()
        });
        founds.into_iter().fold(Found::default(), |mut all, found| {
            all.here.extend(found.here);
            all.ahead.extend(found.ahead);
            all
        })
    }

    /// The blocks of the last level, of all shards in turn. So states are expanded about in the
    /// order in which they were found; what is alike is near, and so is in the cache what the
    /// worker remembers of it.
    fn blocks(&self) -> Vec<Block> {
        let mut turns = Vec::new();
        for (shard, end) in self.ends.last().expect("there is a level").iter().enumerate() {
            let (begins, asleep) = self.store.shard(shard).take_level();
            let ends = begins.iter().skip(1).chain([end]);
            for (turn, (from, to)) in begins.iter().zip(ends).enumerate() {
                let asleep = asleep.chunks(BLOCK).nth(turn).unwrap_or_default().to_vec();
                turns.push((turn, Block { shard, from: *from, to: *to, asleep }));
            }
        }
        turns.sort_by_key(|(turn, _)| *turn);
        turns.into_iter().map(|(_, block)| block).collect()
    }

    fn expand_block<W: Worker>(&self, worker: &mut W, block: &Block, keep: &mut Keep<'_>) {
        let records = self.store.shard(block.shard).records(block.from, block.to).to_vec();
        let (mut begin, mut asleep) = (0, block.asleep.iter());
        while begin < records.len() && !self.stop.load(Ordering::Relaxed) {
            worker.let_sleep(asleep.next().copied().unwrap_or(0));
            let end = begin + worker.expand(&records[begin..], keep);
            let record = &records[begin..end];
            worker.judge(|property| keep.found.here.push((property, record.to_vec())));
            if self.is_sampled(block.from + end, keep.met)
                && let Some(difference) = worker.audit(record)
            {
                *self.impure.lock().expect("no thread panics with this") = Some(difference);
                self.stop.store(true, Ordering::Relaxed);
            }
            if keep.met >= PATIENCE {
                keep.report();
            }
            begin = end;
        }
    }

    /// Whether the state whose record ends there is expanded again: the first few, and then some.
    fn is_sampled(&self, end: usize, met: usize) -> bool {
        end.is_multiple_of(AUDITED) || self.met.load(Ordering::Relaxed) + met < AUDITED_FIRST
    }

    /// Which limit is reached.
    fn limit(&self) -> Option<String> {
        let CheckOptions { states_max, bytes_max, .. } = self.options;
        let met = self.met.load(Ordering::Relaxed);
        if let Some(most) = states_max.filter(|most| met >= *most) {
            return Some(format!("it stopped at {most} states"));
        }
        if self.store.is_full() {
            return Some(
                "it stopped since there is no room in its tables for more states".to_owned(),
            );
        }
        progress::within_budget(bytes_max).err()
    }

    /// What cuts the search short after the last level was expanded, or in its midst, if anything
    /// does.
    pub fn cut_short(&mut self, worker: &impl Worker) -> Option<String> {
        let impure = self.impure.get_mut().expect("no thread panics with this").take();
        let reason = worker.disagreement().or(impure);
        let depth = self.depth();
        let reason = reason.or_else(|| {
            let limit = self.limit()?;
            let varied = worker.most_varied();
            Some(format!("{limit}; what lies deeper than {depth} is not counted; {varied}"))
        });
        self.is_cut = reason.is_some();
        reason.or_else(|| self.is_too_deep().then(|| format!("it looked no deeper than {depth}")))
    }

    /// Whether the last level was expanded to its end.
    pub fn is_whole(&self) -> bool {
        !self.is_cut
    }

    /// The probability that, by fingerprint, some two states were taken for one.
    pub fn omission(&self) -> f64 {
        let states = self.store.states() as f64;
        (states * states / 2.0 / 2.0_f64.powi(64)).min(1.0)
    }

    /// The first of the shortest ways to one of these states, which are of the last level: what is
    /// done first, second and so on. `steps` lists what can be done in a state and what comes of
    /// it, or how there are starts. `None` where the way back can't be gone forth, since the rules
    /// are not what they were.
    pub fn shortest<T, A, I: IntoIterator<Item = (A, T)>>(
        &self,
        worker: &mut impl Worker,
        goals: HashSet<Vec<u8>>,
        steps: impl Fn(Option<&T>) -> I,
        record_of: impl Fn(&T) -> Vec<u8>,
    ) -> Option<Vec<A>> {
        let (mut ways, mut way, mut here) = (self.ways(worker, goals), Vec::new(), None);
        while let Some(on_the_way) = ways.pop() {
            let stays = |(_, next): &(A, T)| on_the_way.contains(&record_of(next));
            let (action, next) = steps(here.as_ref()).into_iter().find(stays)?;
            way.push(action);
            here = Some(next);
        }
        Some(way)
    }

    /// These states of the last level, and those of each level before from which they can be
    /// reached in time.
    fn ways(&self, worker: &mut impl Worker, goals: HashSet<Vec<u8>>) -> Vec<HashSet<Vec<u8>>> {
        let mut ways = vec![goals];
        for level in self.ends.windows(2).rev().skip(1) {
            let ahead = ways.last().expect("there are goals");
            let mut here = HashSet::new();
            let [begins, ends] = level else { unreachable!("a window has two ends") };
            for (shard, (begin, end)) in begins.iter().zip(ends).enumerate() {
                let records = self.store.shard(shard).records(*begin, *end).to_vec();
                let mut begin = 0;
                while begin < records.len() {
                    let mut among = Among(ahead, false);
                    let end = begin + worker.expand(&records[begin..], &mut among);
                    if among.1 {
                        here.insert(records[begin..end].to_vec());
                    }
                    begin = end;
                }
            }
            ways.push(here);
        }
        ways
    }
}

/// Whether one of a state's successors is among these.
struct Among<'a>(&'a HashSet<Vec<u8>>, bool);

impl<S> Sink<S> for Among<'_> {
    fn take(&mut self, record: &[u8], _: S) {
        self.1 = self.1 || self.0.contains(record);
    }
}

/// All successors, for who compares them.
#[derive(Debug, Default)]
pub struct All(Vec<Vec<u8>>);

impl<S> Sink<S> for All {
    fn take(&mut self, record: &[u8], _: S) {
        self.0.push(record.to_vec());
    }
}

impl All {
    /// How these differ from what comes of the steps that there are by the rules themselves.
    pub fn difference<A>(
        self,
        steps: impl IntoIterator<Item = (A, Vec<u8>)>,
        show: impl Fn(&A) -> String,
    ) -> Option<String> {
        let (mut remembered, mut enabled) = (self.0, Vec::new());
        for (action, record) in steps {
            match remembered.iter().position(|other| *other == record) {
                Some(n) => drop(remembered.swap_remove(n)),
                None => {
                    let action = show(&action);
                    return Some(format!("`{action}` had another outcome when tried again"));
                }
            }
            enabled.push(action);
        }
        (!remembered.is_empty()).then(|| {
            let enabled = enabled.iter().map(show).collect::<Vec<_>>().join("; ");
            format!("a step that was enabled is enabled no more; those that are: {enabled}")
        })
    }
}
