//! A second opinion on the histories of this folder's worlds, by searches of its own: `pram`,
//! `sequential` and `lazy-release` are judged in the catalogue by `src/consistency`, and here by
//! what Lipton and Sandberg (1988), Lamport (1979) and Keleher, Cox and Zwaenepoel (1992) wrote,
//! taken by the word. Both must say the same of every distinct history of the small worlds, broken
//! variants' included, and of random ones.

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet, HashSet};
    use std::sync::Arc;

    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::{RngCore, SeedableRng};

    use crate::consistency::memory::Given;
    use crate::consistency::{Calls, model_named};
    use crate::history::{Call, History, Sync, SyncKind};
    use crate::object::Kv;
    use crate::protocol::Checkable;
    use crate::world::{Judge, Judged, Links, Property, Record, Setup, World};

    use super::super::lazy_release::{self, LazyRelease};
    use super::super::pram::{self, Pram};
    use super::super::variables::{self, Data, Var};

    /// One event of a process.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Event {
        Read(Var, Data),
        /// A write, and whether it returned: one that did not may have happened or not.
        Write(Var, Data, bool),
        Acquire(Var, u32),
        Release(Var, u32),
    }

    use Event::{Acquire, Read, Release, Write};

    type Programs = Vec<Vec<Event>>;
    type Opinion = fn(&Programs) -> bool;

    /// Whether one order of all accesses, with each program's in its own order, explains every
    /// read. A read is taken as soon as it is true: it changes nothing, so it never has to wait.
    fn explains(programs: &[Vec<Event>]) -> bool {
        let mut seen = BTreeSet::new();
        let mut open = vec![(vec![0; programs.len()], BTreeMap::new())];
        while let Some((mut at, memory)) = open.pop() {
            for (n, program) in programs.iter().enumerate() {
                let is_true = |event: &Event| match event {
                    Read(var, data) => memory.get(var).copied().unwrap_or(0) == *data,
                    Write(..) => false,
                    Acquire(..) | Release(..) => true,
                };
                at[n] += program[at[n]..].iter().take_while(|event| is_true(event)).count();
            }
            let next = |n: usize| programs[n].get(at[n]).copied();
            if (0..programs.len()).all(|n| matches!(next(n), None | Some(Write(.., false)))) {
                return true;
            }
            if !seen.insert((at.clone(), memory.clone())) {
                continue;
            }
            for n in 0..programs.len() {
                if let Some(Write(var, data, _)) = next(n) {
                    let (mut at, mut memory) = (at.clone(), memory.clone());
                    at[n] += 1;
                    memory.insert(var, data);
                    open.push((at, memory));
                }
            }
        }
        false
    }

    /// Whether for each process one order of its own accesses and everybody's writes explains it.
    fn is_pipelined(programs: &Programs) -> bool {
        let writes = |program: &Vec<Event>| -> Vec<Event> {
            program.iter().filter(|event| matches!(event, Write(..))).copied().collect()
        };
        (0..programs.len()).all(|me| {
            let view = programs.iter().enumerate();
            let view =
                view.map(|(n, program)| if n == me { program.clone() } else { writes(program) });
            explains(&view.collect::<Vec<_>>())
        })
    }

    /// Whether no read returns a write that comes after it, or one that another overwrote before
    /// it. Before is program order, and each release before the acquires of later grants.
    fn is_lazily_released(programs: &Programs) -> bool {
        let numbered = programs.iter().enumerate();
        let events: Vec<(usize, Event)> = numbered
            .flat_map(|(n, program)| program.iter().map(move |event| (n, *event)))
            .collect();
        let follows = |one: usize, two: usize| match (events[one], events[two]) {
            ((a, _), (b, _)) if a == b => one < two,
            ((_, Release(ours, end)), (_, Acquire(theirs, start))) => ours == theirs && end < start,
            _ => false,
        };
        let after = |one: usize| {
            let (mut reached, mut open) = (BTreeSet::new(), vec![one]);
            while let Some(n) = open.pop() {
                let next = (0..events.len()).filter(|two| follows(n, *two));
                open.extend(next.filter(|two| reached.insert(*two)));
            }
            reached
        };
        let after: Vec<_> = (0..events.len()).map(after).collect();
        (0..events.len()).all(|read| {
            let (_, Read(var, data)) = events[read] else { return true };
            let wrote = |n: &usize| matches!(events[*n].1, Write(of, ..) if of == var);
            let writes: Vec<usize> = (0..events.len()).filter(wrote).collect();
            let source =
                writes.iter().find(|n| matches!(events[**n].1, Write(_, what, _) if what == data));
            let later = |n: usize| source.is_none_or(|source| after[*source].contains(&n));
            let overwritten = writes.iter().any(|n| later(*n) && after[*n].contains(&read));
            let exists = source.is_some() || data == 0;
            exists && !overwritten && source.is_none_or(|source| !after[read].contains(source))
        })
    }

    fn programs<P: Checkable>(
        record: &Record<P>,
        as_event: fn(&P::Op, Option<&P::Ret>) -> Option<Event>,
    ) -> Programs {
        let mut programs: BTreeMap<_, Vec<Event>> = BTreeMap::new();
        for entry in record.entries() {
            let events = programs.entry(entry.call.process).or_default();
            events.extend(as_event(&entry.op, entry.ret.as_ref()));
        }
        programs.into_values().collect()
    }

    fn of_pram(op: &pram::Op, ret: Option<&pram::Ret>) -> Option<Event> {
        match (*op, ret) {
            (pram::Op::Write(var, data), ret) => Some(Write(var, data, ret.is_some())),
            (pram::Op::Read(var), Some(pram::Ret::Value(data))) => Some(Read(var, *data)),
            _ => None,
        }
    }

    fn of_lazy_release(op: &lazy_release::Op, ret: Option<&lazy_release::Ret>) -> Option<Event> {
        use lazy_release::{Op, Ret};
        match (*op, ret) {
            (Op::Write(var, data), ret) => Some(Write(var, data, ret.is_some())),
            (Op::Read(var), Some(Ret::Value(data))) => Some(Read(var, *data)),
            (Op::Acquire(lock), Some(Ret::Acquired(grant))) => Some(Acquire(lock, *grant)),
            (Op::Release(lock), Some(Ret::Released(grant))) => Some(Release(lock, *grant)),
            _ => None,
        }
    }

    /// Every distinct history of a world.
    #[expect(clippy::mutable_key_type, reason = "what a step has looked at is no part of a world")]
    fn histories<P: Checkable>(setup: &Arc<Setup<P>>) -> HashSet<Arc<Record<P>>> {
        let mut seen: HashSet<World<P>> = World::starts(setup).map(|(world, _)| world).collect();
        let mut open: Vec<World<P>> = seen.iter().cloned().collect();
        let mut histories = HashSet::new();
        while let Some(world) = open.pop() {
            histories.insert(Arc::clone(&world.system.history));
            for action in world.actions() {
                let next = world.after(&action).expect("an enabled action can be done");
                if seen.insert(next.clone()) {
                    open.push(next);
                }
            }
        }
        histories
    }

    /// Compares the property's judge with an opinion: how many histories both allow, and how many
    /// both don't.
    fn compared<P: Checkable>(
        histories: &HashSet<Arc<Record<P>>>,
        property: &Property<P>,
        opinion: impl Fn(&Record<P>) -> bool,
    ) -> (usize, usize) {
        let Property::History(name, judge) = property else { panic!("it judges histories") };
        let judge: &Judge<P> = judge;
        let allowed = histories.iter().filter(|history| {
            let judged = judge(history);
            assert_eq!(
                judged == Judged::Holds,
                opinion(history),
                "{name}: {judged:?}: {history:?}"
            );
            judged == Judged::Holds
        });
        let allowed = allowed.count();
        (allowed, histories.len() - allowed)
    }

    #[test]
    fn both_say_the_same_of_every_history_of_the_small_worlds() {
        let world: Arc<Setup<Pram>> = Arc::new(pram::setup(&pram::small(), Links::Unordered));
        let (fine, broken) = compared(&histories(&world), &world.properties[0], |record| {
            is_pipelined(&programs(record, of_pram))
        });
        assert!(fine > 20 && broken > 5, "pram: {fine} and {broken}");
        // Notices that get lost, and reads under another variable's lock.
        let variants: [fn(lazy_release::Config) -> lazy_release::Config; 2] = [
            |config| lazy_release::Config { transitive: false, ..config },
            |config| lazy_release::Config { guarded_reads: false, ..config },
        ];
        let mut told = [(0, 0); 2];
        for variant in variants {
            let setup = lazy_release::setup(&lazy_release::small(), variant);
            let all: HashSet<Arc<Record<LazyRelease>>> = histories(&Arc::new(setup));
            let lazy = compared(&all, &lazy_release::lazily_released(), |record| {
                is_lazily_released(&programs(record, of_lazy_release))
            });
            let sequential = compared(&all, &lazy_release::sequential(), |record| {
                explains(&programs(record, of_lazy_release))
            });
            for (sum, (fine, broken)) in told.iter_mut().zip([lazy, sequential]) {
                *sum = (sum.0 + fine, sum.1 + broken);
            }
        }
        assert!(told.iter().all(|(fine, broken)| *fine > 20 && *broken > 5), "{told:?}");
    }

    /// Sections of random accesses by three processes under two locks, in a random order; what is
    /// read is any of the first values written, or 0.
    fn random(rng: &mut ChaCha8Rng, locks: bool) -> Programs {
        let mut below = |n: u32| rng.next_u32() % n;
        let (mut programs, mut data) = (vec![Vec::new(); 3], 0);
        let mut grants = [0; 2];
        for _ in 0..2 + below(5) {
            let process = below(3) as usize;
            let lock = below(2) as Var;
            if locks {
                grants[usize::from(lock)] += 1;
                programs[process].push(Acquire(lock, grants[usize::from(lock)]));
            }
            for _ in 0..1 + below(2) {
                let var = below(2) as Var;
                let event =
                    if below(2) == 0 { Read(var, below(4)) } else { Write(var, data + 1, true) };
                data += u32::from(matches!(event, Write(..)));
                programs[process].push(event);
            }
            if locks {
                programs[process].push(Release(lock, grants[usize::from(lock)]));
            }
        }
        programs
    }

    /// What a model of `src/consistency` says of programs.
    fn judged(model: &str, programs: &Programs) -> bool {
        let called = |event: Event| -> (variables::Called, Option<Sync>) {
            match event {
                Read(var, data) => (variables::read(var, Some(data)), None),
                Write(var, data, returned) => (variables::write(var, data, returned), None),
                Acquire(lock, grant) => (
                    variables::acquire(lock, Some(grant)),
                    Some(variables::label(lock, SyncKind::Acquire)),
                ),
                Release(lock, grant) => (
                    variables::release(lock, grant),
                    Some(variables::label(lock, SyncKind::Release)),
                ),
            }
        };
        let mut calls = Vec::new();
        for (process, program) in (0..).zip(programs) {
            for (time, event) in (0..).zip(program) {
                let ((op, ret), sync) = called(*event);
                let sync = sync.map(Box::new);
                let returned = ret.as_ref().map(|_| 2 * time + 1);
                calls.push(Call { sync, ret, returned, ..Call::open(process, op, 2 * time) });
            }
        }
        let history = History::new(calls).expect("one call at a time");
        let given = Given { untimed: true, ..Given::default() };
        let ruling = model_named(model)
            .expect("a model")
            .judge(&Calls::new(&Kv, &history, given), 1_000_000);
        match ruling.heading() {
            "holds" => true,
            "violated" => false,
            other => panic!("{model} is {other}: {programs:?}"),
        }
    }

    #[test]
    fn both_say_the_same_of_random_histories() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let opinions: [(&str, bool, Opinion); 3] = [
            ("pram", false, is_pipelined),
            ("sequential", false, |programs| explains(programs)),
            ("lazy-release", true, is_lazily_released),
        ];
        for (model, locks, opinion) in opinions {
            let (mut fine, mut broken) = (0, 0);
            for _ in 0..3_000 {
                let programs = random(&mut rng, locks);
                let holds = opinion(&programs);
                assert_eq!(judged(model, &programs), holds, "{model}: {programs:?}");
                if holds { fine += 1 } else { broken += 1 }
            }
            assert!(fine > 200 && broken > 200, "{model}: {fine} and {broken}");
        }
    }

    #[test]
    fn the_classical_histories_are_told_apart() {
        let stores_cross =
            vec![vec![Write(0, 1, true), Read(1, 0)], vec![Write(1, 1, true), Read(0, 0)]];
        assert!(!explains(&stores_cross) && is_pipelined(&stores_cross));
        let new_then_old =
            vec![vec![Write(0, 1, true), Write(0, 2, true)], vec![Read(0, 2), Read(0, 1)]];
        assert!(!explains(&new_then_old) && !is_pipelined(&new_then_old));
        let message =
            vec![vec![Write(0, 1, true), Write(1, 1, true)], vec![Read(1, 1), Read(0, 0)]];
        assert!(!is_pipelined(&message) && is_lazily_released(&message));
        let released = vec![
            vec![Acquire(0, 1), Write(0, 1, true), Release(0, 1)],
            vec![Acquire(0, 2), Read(0, 0), Release(0, 2)],
        ];
        assert!(!is_lazily_released(&released));
        let open = |read: Data| vec![vec![Write(0, 1, false)], vec![Read(0, read)]];
        assert!(explains(&open(1)) && explains(&open(0)) && !explains(&open(2)));
    }
}
