//! The judges against the definitions, on random histories; and the models against each other.

use std::collections::BTreeMap;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use super::brute::{Brute, Guards};
use super::litmus::Litmus;
use super::memory::{self, Found, Given, Memory, Source};
use super::model::{Judge, Model, Need, Ruling, Weak, model_named, models};
use super::staleness::{Amount, MEASURES, Measure};
use super::subject::{Calls, Subject};
use crate::history::{Call, Clock, Happening, History, Mark, Sync, SyncKind};
use crate::object::kv::{Kv, Op, Ret};

type Drawn = History<Op, Ret>;

/// What random histories look like.
#[derive(Clone, Copy, Debug)]
struct Taste {
    sessions: usize,
    keys: usize,
    /// From 0 to 20: how long histories are, and how many reads return something at random, rather
    /// than what a memory gives in which each session has a copy and hears of writes late. It
    /// adapts itself, so that about half of the histories satisfy a model.
    strain: usize,
    /// In a hundred histories: how many may read what nobody wrote.
    thin: usize,
    /// In a hundred calls: how many write.
    writes: usize,
    /// Whether a third key, `s`, is for synchronisation.
    labels: bool,
    /// In a hundred calls: how many are fences.
    fences: usize,
    /// Whether values are written more than once.
    repeats: bool,
    /// So many calls more than it takes.
    more: usize,
}

const PLAIN: Taste = Taste {
    sessions: 3,
    keys: 2,
    strain: 10,
    thin: 0,
    writes: 50,
    labels: false,
    fences: 0,
    repeats: false,
    more: 0,
};

/// A taste for each model, in which there is something to be violated.
fn taste(model: &Model) -> Taste {
    match model.name {
        "linearizable" | "regular" | "safe" | "eventual" => Taste { keys: 1, ..PLAIN },
        "read-your-writes" => Taste { keys: 1, sessions: 2, ..PLAIN },
        "monotonic-reads" => Taste { keys: 1, sessions: 2, writes: 35, ..PLAIN },
        "monotonic-writes" => Taste { thin: 50, ..PLAIN },
        _ if model.needs.contains(&Need::Labels) => Taste { labels: true, ..PLAIN },
        _ => PLAIN,
    }
}

/// What guards what: one key by accesses that are labelled, another by fences, a third by nothing.
const GUARDS: Guards = &[("x", "s"), ("y", "l")];

struct Draw(ChaCha8Rng);

impl Draw {
    fn below(&mut self, n: usize) -> usize {
        self.0.next_u32() as usize % n
    }

    fn percent(&mut self, n: usize) -> bool {
        self.below(100) < n
    }
}

/// A random history. Sessions hear of each other's writes late, and in any order; so some histories
/// satisfy a lot, and some nothing.
fn history(draw: &mut Draw, taste: Taste) -> Drawn {
    let sessions = 2 + draw.below(taste.sessions - 1);
    let keys = ["x", "y", "z"];
    let mut written: Vec<(&str, String)> = Vec::new();
    let mut copies: Vec<Vec<usize>> = vec![Vec::new(); sessions];
    let mut ends = vec![0; sessions];
    let mut calls = Vec::new();
    let (fifo, thin, slow) = (draw.below(2) == 0, draw.percent(taste.thin), 1 + draw.below(3));
    let size = 3 + draw.below(3) + taste.strain / 5 + taste.more;
    let mut fences = Fences::default();
    for at in 0..size {
        let session = draw.below(sessions);
        if draw.percent(taste.fences) {
            let made = fences.make(session, &mut copies, draw);
            for call in made {
                let invoked = (2 * at as u64).max(ends[call.process as usize]);
                ends[call.process as usize] = invoked + 2;
                calls.push(Call { invoked, returned: Some(invoked + 1), ..call });
            }
            continue;
        }
        let key = match taste.labels && draw.percent(40) {
            true => "s",
            false => keys[draw.below(taste.keys)],
        };
        hear(&mut copies, written.len(), (slow, fifo), draw);
        let kind = if draw.percent(taste.writes) { SyncKind::Release } else { SyncKind::Acquire };
        let (op, ret) = if kind == SyncKind::Release {
            let value = if taste.repeats { draw.below(2) + 1 } else { at + 1 }.to_string();
            copies[session].push(written.len());
            written.push((key, value.clone()));
            (Op::put(key, value), Ret::Done)
        } else {
            let of_key = |write: &&usize| written[**write].0 == key;
            let mut value =
                copies[session].iter().rfind(of_key).map(|write| written[*write].1.clone());
            if draw.percent(5 * taste.strain) {
                // Some will be written only later, or never.
                let guess = (1 + draw.below(size)).to_string();
                let guess = if taste.repeats { (1 + draw.below(2)).to_string() } else { guess };
                value = (draw.below(4) > 0).then_some(guess);
            } else if thin && draw.below(3) == 0 {
                value = Some("99".to_owned());
            }
            (Op::get(key), Ret::Value(value))
        };
        let invoked = (2 * at as u64).max(ends[session]) + draw.below(2) as u64;
        let returned = invoked + draw.below(8) as u64;
        ends[session] = returned + 1;
        let sync = (key == "s").then(|| Box::new(Sync { kind, object: key.to_owned(), grant: 0 }));
        let call = Call::done(session as u32, op, Some(ret), invoked, returned);
        calls.push(Call { sync, ..call });
    }
    let wrote = calls.iter().filter(|call: &&Call<Op, Ret>| call.ret == Some(Ret::Done));
    let quiet = wrote.filter_map(|call| call.returned).max().unwrap_or(0) + 1;
    if draw.below(2) == 0 {
        late_reads(&mut calls, &written, quiet, draw);
    }
    drop_thin_air(&mut calls, thin, draw);
    let quiet = Mark { time: quiet, what: Happening::Quiescence, node: None, line: None };
    History::new(calls).expect("a history").beside(Vec::new(), vec![quiet])
}

/// Sessions hear of some of the writes so far, in their order or in any.
fn hear(copies: &mut [Vec<usize>], written: usize, (slow, fifo): (usize, bool), draw: &mut Draw) {
    for copy in copies {
        for write in 0..written {
            if !copy.contains(&write) {
                if draw.below(slow) == 0 {
                    copy.push(write);
                } else if fifo {
                    break;
                }
            }
        }
    }
}

/// Locks, a flag and a barrier, and what writes those who let others go on had heard of.
#[derive(Default)]
struct Fences {
    /// For each lock who holds it, and its grant.
    locks: [(Option<usize>, u64); 2],
    known: [Vec<usize>; 2],
    flag: (u64, Vec<usize>),
    episode: u64,
}

impl Fences {
    /// One or, at a barrier, several calls. Whoever goes on mostly hears of what whoever let
    /// it go on had heard of; and sometimes a grant is not the one that it should be.
    fn make(
        &mut self,
        session: usize,
        copies: &mut [Vec<usize>],
        draw: &mut Draw,
    ) -> Vec<Call<Op, Ret>> {
        let wrong = if draw.below(12) == 0 { 1 + draw.below(2) as u64 } else { 0 };
        let hears = |copy: &mut Vec<usize>, known: &[usize], draw: &mut Draw| {
            let news = known.iter().filter(|write| !copy.contains(write)).copied();
            let news: Vec<usize> = news.filter(|_| draw.below(3) > 0).collect();
            copy.extend(news);
        };
        let call = |session: usize, kind: SyncKind, object: &str, grant: u64| {
            let sync = Some(Box::new(Sync { kind, object: object.to_owned(), grant }));
            let op = Op::cas(object, None, None);
            Call { sync, ..Call::done(session as u32, op, Some(Ret::Swapped(true)), 0, 0) }
        };
        let lock = usize::from(draw.below(4) == 0);
        match draw.below(8) {
            0 if self.episode == 0 => {
                self.episode = 1;
                let all: Vec<usize> = copies.concat();
                let here = (0..copies.len()).filter(|_| draw.below(8) > 0).collect::<Vec<_>>();
                here.iter().for_each(|one| hears(&mut copies[*one], &all, draw));
                here.iter().map(|one| call(*one, SyncKind::Barrier, "b", 1)).collect()
            }
            1 => {
                hears(&mut copies[session], &self.flag.1, draw);
                self.flag = (self.flag.0 + 1, copies[session].clone());
                vec![call(session, SyncKind::Both, "f", self.flag.0 + wrong)]
            }
            _ => {
                let (name, (holder, grant)) = (["l", "m"][lock], &mut self.locks[lock]);
                if let Some(session) = holder.take() {
                    self.known[lock].clone_from(&copies[session]);
                    return vec![call(session, SyncKind::Release, name, *grant + wrong)];
                }
                (*holder, *grant) = (Some(session), *grant + 1);
                hears(&mut copies[session], &self.known[lock], draw);
                vec![call(session, SyncKind::Acquire, name, *grant + wrong)]
            }
        }
    }
}

/// Reads after quiescence; most of them return the last write.
fn late_reads(
    calls: &mut Vec<Call<Op, Ret>>,
    written: &[(&str, String)],
    quiet: u64,
    draw: &mut Draw,
) {
    let end = calls.iter().filter_map(|call| call.returned).max().unwrap_or(0).max(quiet) + 1;
    for process in 0..2 {
        let of_key: Vec<&String> =
            written.iter().filter(|(key, _)| *key == "x").map(|(_, value)| value).collect();
        let some = draw.below(of_key.len() + 1);
        let value = if draw.below(3) == 0 { of_key.get(some) } else { of_key.last() };
        let ret = Ret::Value(value.map(|value| (*value).clone()));
        calls.push(Call::done(process, Op::get("x"), Some(ret), end, end + 1));
    }
}

/// Reads of what nobody wrote read something else instead, mostly: else little would be tested.
fn drop_thin_air(calls: &mut [Call<Op, Ret>], thin: bool, draw: &mut Draw) {
    if thin {
        return;
    }
    let puts: Vec<(String, String)> = calls
        .iter()
        .filter_map(|call| match &call.op.act {
            crate::object::kv::Act::Put(value) => Some((call.op.key.clone(), value.clone())),
            _ => None,
        })
        .collect();
    for call in calls {
        let of_key: Vec<_> = puts.iter().filter(|(key, _)| *key == call.op.key).collect();
        if let Some(Ret::Value(Some(value))) = &mut call.ret
            && of_key.iter().all(|(_, written)| written != value)
        {
            let other = (!of_key.is_empty()).then(|| of_key[draw.below(of_key.len())].1.clone());
            call.ret = Some(Ret::Value(other));
        }
    }
}

fn given() -> Given {
    let guards = GUARDS.iter().map(|(key, lock)| ((*key).to_owned(), (*lock).to_owned()));
    Given { untimed: false, guards: guards.collect() }
}

/// How many cases, of so many in every run of the tests: `SEEDBED_CASES` multiplies.
fn cases(usual: usize) -> usize {
    let times = std::env::var("SEEDBED_CASES").ok().and_then(|times| times.parse().ok());
    usual * times.unwrap_or(1)
}

/// The models that are tested: all, or those that `SEEDBED_MODELS` names.
fn chosen() -> impl Iterator<Item = &'static Model> {
    let named = std::env::var("SEEDBED_MODELS").ok();
    let is_named = move |name: &str| {
        named.as_ref().is_none_or(|named| named.split(',').any(|one| one == name))
    };
    models().iter().copied().filter(move |model| is_named(model.name))
}

fn judge(model: &Model, history: &Drawn) -> Ruling {
    model.judge(&Calls::new(&Kv, history, given()), 1_000_000)
}

fn part(history: &Drawn, kept: &[usize]) -> Drawn {
    let calls = kept.iter().map(|call| history.calls()[*call].clone()).collect();
    History::new(calls).expect("a part is a history").beside(Vec::new(), history.marks().to_vec())
}

/// Some calls without one; where that is a write, the reads that may have returned it go with it.
fn without(history: &Drawn, calls: &[usize], gone: usize) -> Vec<usize> {
    let out = &history.calls()[gone].op;
    let reads_it = |call: usize| {
        let call = &history.calls()[call];
        match (&out.act, &call.ret) {
            (crate::object::kv::Act::Put(value), Some(Ret::Value(Some(read)))) => {
                call.op.key == out.key && value == read
            }
            _ => false,
        }
    };
    calls.iter().copied().filter(|call| *call != gone && !reads_it(*call)).collect()
}

/// A core contradicts the model by definition, and without any one of its calls it does not: where
/// that is a write, the reads that may have returned it go with it.
fn is_minimal_core(model: &Model, history: &Drawn, core: &[usize]) {
    let allowed = |calls: &[usize]| Brute::new(&part(history, calls), GUARDS).allows(model.name);
    assert!(!allowed(core), "{}: {core:?} is no core of {history:#?}", model.name);
    for gone in core {
        let rest = without(history, core, *gone);
        assert!(allowed(&rest), "{}: {gone} can go from {core:?}: {history:#?}", model.name);
    }
}

/// Judges random histories, and returns how many of them satisfy the model.
fn compare(model: &Model, mut taste: Taste, rounds: usize) -> usize {
    let mut draw = Draw(ChaCha8Rng::seed_from_u64(11));
    let (mut holds, mut sizes, mut decisive) = (0, 0, 0);
    for round in 0..rounds {
        let history = history(&mut draw, taste);
        let brute = Brute::new(&history, GUARDS);
        let expected = brute.allows(model.name);
        decisive += usize::from(!expected && brute.without_grants().allows(model.name));
        taste.strain = if expected { taste.strain + 1 } else { taste.strain.saturating_sub(1) };
        taste.strain = taste.strain.min(20);
        match judge(model, &history) {
            Ruling::Holds { .. } => {
                assert!(expected, "{} {round}: {history:#?} is forbidden", model.name);
                holds += 1;
            }
            Ruling::Violated { core, minimal, story, free, .. } => {
                assert!(!expected, "{} {round}: {history:#?} is allowed", model.name);
                assert!(!story.is_empty(), "{round}");
                sizes += core.len();
                if model.name != "linearizable" {
                    assert!(minimal && free.is_empty(), "{} {round}", model.name);
                    is_minimal_core(model, &history, &core);
                }
            }
            Ruling::NotApplicable(_) if model.needs.contains(&Need::Labels) => {
                assert!(history.calls().iter().all(|call| call.sync.is_none()));
                holds += usize::from(expected);
            }
            other => panic!("{} {round}: {other:?}", model.name),
        }
    }
    let violated = rounds - holds;
    let fences = match taste.fences {
        0 => String::new(),
        _ => format!(", {decisive} of them only because of fences"),
    };
    println!(
        "{}: {rounds} histories, {holds} hold, {violated} violated{fences}, {:.1} calls a core",
        model.name,
        sizes as f64 / violated.max(1) as f64
    );
    assert!(taste.fences == 0 || decisive * 100 > rounds, "{}: {decisive}", model.name);
    holds
}

/// The number of a history by definition.
fn by_definition(measure: &Measure, history: &Drawn) -> Option<u64> {
    let mut brute = Brute::new(history, GUARDS);
    match measure.name {
        "k-atomicity" => brute.smallest_k(),
        "delta-atomicity" => brute.smallest_delta(),
        other => panic!("{other} has no definition here"),
    }
}

/// Measures random histories; how many have which number, and how many need it by fewer calls.
fn measure(measure: &Measure, taste: Taste, rounds: usize) -> BTreeMap<Option<u64>, usize> {
    let mut draw = Draw(ChaCha8Rng::seed_from_u64(23));
    let mut found = BTreeMap::new();
    for round in 0..rounds {
        let strain = draw.below(18);
        let history = history(&mut draw, Taste { strain, ..taste });
        let history = history.measured(Clock::default());
        let expected = by_definition(measure, &history);
        let subject = Calls::new(&Kv, &history, given());
        let (number, core) = match measure.of(&subject, 1_000_000) {
            Amount::Exactly { number, core, .. } => (Some(number), core),
            Amount::Never { core, .. } => (None, core),
            other => panic!("{} {round}: {other:?} of {history:#?}", measure.name),
        };
        assert_eq!(number, expected, "{} {round}: {history:#?}", measure.name);
        if number != Some(measure.least) {
            needs_as_much(measure, &history, &core, expected);
        }
        *found.entry(number).or_default() += 1;
    }
    println!("{} of {rounds} histories: {found:?}", measure.name);
    found
}

/// A core has the number of the whole, by definition, and without any one call a smaller one.
fn needs_as_much(measure: &Measure, history: &Drawn, core: &[usize], number: Option<u64>) {
    let of = |calls: &[usize]| by_definition(measure, &part(history, calls));
    assert_eq!(of(core), number, "{}: {core:?} of {history:#?}", measure.name);
    for gone in core {
        let less = of(&without(history, core, *gone));
        let is_less = less.is_some_and(|less| number.is_none_or(|number| less < number));
        assert!(is_less, "{}: {gone} can go from {core:?} of {history:#?}", measure.name);
    }
}

/// Both numbers are what their definitions say; many histories are stale, and many are not.
#[test]
fn every_number_agrees_with_its_definition() {
    for one in MEASURES {
        for (taste, share) in [
            (Taste { keys: 1, ..PLAIN }, 2),
            (Taste { keys: 1, writes: 70, sessions: 5, ..PLAIN }, 2),
            (PLAIN, 4),
            (Taste { keys: 1, repeats: true, ..PLAIN }, 8),
            (Taste { keys: 1, thin: 30, ..PLAIN }, 8),
        ] {
            let rounds = cases(300) / share;
            let found = measure(one, taste, rounds);
            let fresh = found.get(&Some(one.least)).copied().unwrap_or(0);
            assert!(fresh * 10 >= rounds && fresh * 10 <= 9 * rounds, "{}: {found:?}", one.name);
            assert!(found.len() > 3, "{}: {found:?}", one.name);
        }
    }
}

/// 1-atomic, 0-atomic in time and linearizable are one and the same.
#[test]
fn the_least_numbers_are_linearizability() {
    let mut draw = Draw(ChaCha8Rng::seed_from_u64(29));
    for _ in 0..cases(1_000) {
        let strain = draw.below(18);
        let history = history(&mut draw, Taste { strain, ..PLAIN }).measured(Clock::default());
        let subject = Calls::new(&Kv, &history, given());
        let holds = quick(model_named("linearizable").unwrap(), &subject);
        for measure in MEASURES {
            let amount = measure.of(&subject, 1_000_000);
            let least = matches!(amount, Amount::Exactly { number, .. } if number == measure.least);
            assert_eq!(Some(least), holds, "{}: {amount:?} of {history:#?}", measure.name);
        }
    }
}

#[test]
fn every_model_agrees_with_its_definition() {
    for model in chosen() {
        let rounds = cases(400);
        let holds = compare(model, taste(model), rounds);
        let balanced = holds * 5 >= rounds && (rounds - holds) * 5 >= rounds;
        assert!(balanced, "{}: {holds} of {rounds} hold", model.name);
    }
}

/// Locks, barriers and fences that do both count for these models as their definitions say; and
/// for others not at all.
#[test]
fn fences_and_guards_count_as_the_definitions_say() {
    for model in chosen() {
        let labelled = model.needs.contains(&Need::Labels);
        let counts = labelled || ["sequential", "processor"].contains(&model.name);
        // For `entry` there is a key that nothing guards.
        let keys = if model.name == "entry" { 3 } else { 2 };
        // What is seen by acquires alone takes more calls to be violated.
        let more = if ["lazy-release", "entry"].contains(&model.name) { 2 } else { 0 };
        let taste = Taste { fences: 40, labels: labelled, keys, more, ..taste(model) };
        if !counts {
            ignores_fences(model, taste, cases(60));
            continue;
        }
        // Where labels mean something, half of the histories have some.
        let kinds: &[bool] = if labelled { &[false, true] } else { &[false] };
        for &labels in kinds {
            let rounds = cases(400) / kinds.len();
            let holds = compare(model, Taste { labels, ..taste }, rounds);
            let balanced = holds * 5 >= rounds && (rounds - holds) * 5 >= rounds;
            assert!(balanced, "{}: {holds} of {rounds} hold", model.name);
        }
    }
}

/// On histories that are too long to try everything, every faster way says what the solver says.
#[test]
fn faster_ways_agree_with_the_solver() {
    let mut draw = Draw(ChaCha8Rng::seed_from_u64(37));
    for model in chosen() {
        let Judge::Memory(Weak { views, ignores: None, .. }) = &model.judge else { continue };
        let (mut counts, mut strain, rounds) = ([0, 0], 3, cases(200));
        for round in 0..rounds {
            let more = 8 + draw.below(12);
            let taste = Taste { more, strain, thin: 0, sessions: 4, ..taste(model) };
            let history = history(&mut draw, taste);
            let memory = Memory::of(&Kv, &history, &given()).expect("reads and writes");
            let solved = match memory::solve(&memory, &views(&memory), 10_000_000) {
                Found::Orders(_) => true,
                Found::Contradiction(_) => false,
                Found::Spent => continue,
            };
            let found = quick(model, &Calls::new(&Kv, &history, given()));
            assert!(found.is_none_or(|f| f == solved), "{} {round}: {history:#?}", model.name);
            counts[usize::from(solved)] += 1;
            strain = if solved { (strain + 1).min(20) } else { strain.saturating_sub(1) };
        }
        println!("{}: {} violated, {} hold of {rounds}", model.name, counts[0], counts[1]);
        let vacuous = model.name == "monotonic-writes";
        assert!(vacuous || counts.iter().all(|count| 20 * count >= rounds), "{}", model.name);
    }
}

/// What a late read returned can fall below what another read made of it: P1 reads `a1` last, and
/// `a1` was written before `c1`, so `a2`, and with it `b2`, is due by the read of `c1`. Only then
/// the second read of `d1` brings `a1` forward, and `b2` must come before the read of `b1`, too.
#[test]
fn a_deadline_that_falls_is_looked_at_again() {
    let line = "P1 r d1; r b1; r c1; r d1; r e1; r a1 | P2 w a1; w d2; w c1 | P3 w b2; w a2; w e1 \
                | P4 w d1 | P5 w b1";
    for (line, holds) in [(line, true), (&line.replace("r b1", "r b2; r b1; r b2"), false)] {
        let rulings = Litmus::parse(line).expect("a line").rulings();
        for name in ["pram", "causal", "processor"] {
            let found = rulings.iter().find(|(model, _)| *model == name).map(|(_, ruling)| ruling);
            let found = matches!(found, Some(Ruling::Holds { .. }));
            assert_eq!(found, holds, "{name}: {line}");
        }
    }
}

/// Only what a release wrote is handed over to an acquire.
#[test]
fn what_is_no_release_hands_over_nothing() {
    for (line, holds) in [
        ("P1 w x1; w s1 | P2 ACQ s1; r x0 | guard x=s", true),
        ("P1 w x1; REL s1 | P2 r s1; r x0 | guard x=s", true),
        ("P1 w x1; REL s1 | P2 ACQ s1; r x0 | guard x=s", false),
    ] {
        let rulings = Litmus::parse(line).expect("a line").rulings();
        for name in ["lazy-release", "entry"] {
            let found = rulings.iter().find(|(model, _)| *model == name).map(|(_, ruling)| ruling);
            let found = matches!(found, Some(Ruling::Holds { .. }));
            assert_eq!(found, holds, "{name}: {line}");
        }
    }
}

/// Which write is last where times say nothing: in one session the later one, and of two any.
#[test]
fn without_times_only_a_session_overwrites_its_own_writes() {
    let put = |process, value: &str, at| {
        Call::done(process, Op::put("x", value), Some(Ret::Done), at, at + 1)
    };
    let read = Call::done(2, Op::get("x"), Some(Ret::Value(Some("1".to_owned()))), 20, 21);
    let quiet = Mark { time: 10, what: Happening::Quiescence, node: None, line: None };
    for (other, untimed, holds) in
        [(0, true, false), (0, false, false), (1, true, true), (1, false, false)]
    {
        let history = History::new(vec![put(0, "1", 0), put(other, "2", 3), read.clone()]);
        let history = history.expect("a history").beside(Vec::new(), vec![quiet.clone()]);
        let subject = Calls::new(&Kv, &history, Given { untimed, ..Given::default() });
        let found = quick(model_named("eventual").unwrap(), &subject);
        assert_eq!(found, Some(holds), "{other} {untimed}");
    }
}

/// A model that fences mean nothing to says the same without them.
fn ignores_fences(model: &Model, mut taste: Taste, rounds: usize) {
    let mut draw = Draw(ChaCha8Rng::seed_from_u64(31));
    for round in 0..rounds {
        taste.strain = draw.below(20);
        let history = history(&mut draw, taste);
        let bare: Vec<usize> = (0..history.calls().len())
            .filter(|call| history.calls()[*call].sync.is_none())
            .collect();
        let rulings = [judge(model, &history), judge(model, &part(&history, &bare))];
        let headings = rulings.each_ref().map(Ruling::heading);
        assert_eq!(headings[0], headings[1], "{} {round}: {history:#?}", model.name);
    }
}

#[test]
fn repeated_values_agree_with_the_definitions() {
    for model in chosen() {
        let taste = Taste { repeats: true, ..taste(model) };
        compare(model, taste, cases(100));
    }
}

/// What a model implies holds wherever it does, unless it is not applicable. Most implications that
/// are not claimed have a counterexample among these histories; the others are printed.
#[test]
fn implications_hold_and_no_others_do() {
    let mut draw = Draw(ChaCha8Rng::seed_from_u64(5));
    let mut refuted = std::collections::BTreeSet::new();
    let tastes: Vec<Taste> = models()
        .iter()
        .map(|model| taste(model))
        .chain([Taste { labels: true, ..PLAIN }, Taste { writes: 70, ..PLAIN }])
        .collect();
    for round in 0..cases(3_000) {
        let strain = draw.below(21);
        let taste = Taste { thin: 0, strain, ..tastes[round % tastes.len()] };
        let history = history(&mut draw, taste);
        let subject = Calls::new(&Kv, &history, given());
        let verdicts: Vec<Option<bool>> =
            models().iter().map(|model| quick(model, &subject)).collect();
        for (one, holds) in models().iter().zip(&verdicts) {
            for (other, also) in models().iter().zip(&verdicts) {
                if (*holds, *also) == (Some(true), Some(false)) {
                    let claimed = one.implied().iter().any(|model| model.name == other.name);
                    assert!(!claimed, "{} without {}: {history:#?}", one.name, other.name);
                    refuted.insert((one.name, other.name));
                }
            }
        }
    }
    let mut unknown = Vec::new();
    for one in models() {
        for other in models().iter().filter(|other| other.name != one.name) {
            let claimed = one.implied().iter().any(|model| model.name == other.name);
            // What every history satisfies that reads nothing out of thin air.
            let vacuous = other.name == "monotonic-writes";
            if !claimed && !vacuous && !refuted.contains(&(one.name, other.name)) {
                unknown.push(format!("{} and {}", one.name, other.name));
            }
        }
    }
    println!("neither claimed nor refuted: {}", unknown.join(", "));
    assert!(refuted.len() > 200, "only {} implications are refuted", refuted.len());
}

/// Whether a model holds, without the trouble of a core; nothing if it is not applicable.
fn quick(model: &Model, subject: &dyn Subject) -> Option<bool> {
    match model.judge(subject, 1_000_000) {
        Ruling::Holds { .. } => Some(true),
        Ruling::Violated { .. } => Some(false),
        Ruling::NotApplicable(_) => None,
        Ruling::Unknown(why) => panic!("{why}"),
    }
}

/// What was added to a history, reads and all, can't make it satisfy more; and a judge that takes a
/// read of another value for granted would be noticed.
#[test]
fn what_a_history_does_not_say_is_not_judged() {
    let call = |op: Op, ret: Ret, at: u64| Call::done(0, op, Some(ret), at, at + 1);
    let history = History::new(vec![call(Op::put("x", "1"), Ret::Done, 0)]).unwrap();
    let bare = Calls::new(&Kv, &history, Given { untimed: true, ..Given::default() });
    for model in models() {
        let ruling = model.judge(&bare, 1_000);
        match model.needs.is_empty() {
            true => assert!(matches!(ruling, Ruling::Holds { .. }), "{}: {ruling:?}", model.name),
            false => assert!(matches!(ruling, Ruling::NotApplicable(_)), "{}", model.name),
        }
    }
    let swap = call(Op::cas("x", None, Some("1")), Ret::Swapped(true), 0);
    let history = History::new(vec![swap]).unwrap();
    let swaps = Calls::new(&Kv, &history, given());
    let ruling = |name: &str| model_named(name).unwrap().judge(&swaps, 1_000);
    assert!(
        matches!(ruling("causal"), Ruling::NotApplicable(why) if why.contains("reads and writes"))
    );
    assert!(matches!(ruling("sequential"), Ruling::Holds { .. }));
}

/// A write of unknown outcome that nobody read need not have happened; one that was read did.
#[test]
fn unknown_outcomes_are_placed_by_their_readers() {
    let read = |process, value: Option<&str>, at: u64| {
        let ret = Ret::Value(value.map(str::to_owned));
        Call::done(process, Op::get("x"), Some(ret), at, at + 1)
    };
    let open = Call::open(0, Op::put("x", "1"), 0);
    let history = |calls| History::new(calls).unwrap();
    let unseen = history(vec![open.clone(), read(1, None, 5)]);
    let memory = Memory::of(&Kv, &unseen, &given()).unwrap();
    assert_eq!(memory.sources, [Source::Initial]);
    let seen = history(vec![open.clone(), read(1, Some("1"), 5)]);
    for model in models().iter().filter(|model| model.needs.is_empty()) {
        assert!(matches!(judge(model, &seen), Ruling::Holds { .. }), "{}", model.name);
    }
    let seen = history(vec![open, read(1, Some("1"), 5), read(1, None, 7)]);
    for name in ["sequential", "causal", "slow", "monotonic-reads"] {
        assert!(
            matches!(judge(model_named(name).unwrap(), &unseen), Ruling::Holds { .. }),
            "{name}"
        );
        let ruling = judge(model_named(name).unwrap(), &seen);
        assert!(matches!(ruling, Ruling::Violated { .. }), "{name}: {ruling:?}");
    }
}
