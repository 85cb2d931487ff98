//! stateright's actors on the compact engine: the same states, transitions, depths and verdicts as
//! stateright's own search finds, and as a search that compares whole states where stateright's
//! own fingerprints collide.

mod random;
mod systems;

#[allow(dead_code, reason = "benches measure it, and tests only check the model")]
#[path = "../../benches/checker/actors.rs"]
mod yardstick;

use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed};

use seedbed::engine::actors::{Acting, ActionOf, Actors, Discovery, Found, Past};
use seedbed::engine::check::CheckOptions;
use stateright::actor::{
    Actor, ActorModel, ActorModelAction, ActorModelState, Id, LossyNetwork, Network, Out,
};
use stateright::{Checker, Expectation, Model, Path, Property};

use systems::*;

/// What a search counts.
type Counts = (usize, usize, usize);

fn ours<T>(found: &Found<T>) -> Counts {
    assert_eq!(found.incomplete, None);
    (found.states, found.transitions, found.depth)
}

fn theirs<A, C, H>(model: ActorModel<A, C, H>) -> Counts
where
    A: Acting + 'static,
    C: Send + Sync + 'static,
    H: Past + 'static,
{
    let done = model.checker().spawn_bfs().join();
    (done.unique_state_count(), done.state_count(), done.max_depth())
}

/// Every state whole, by stateright's own rules: what its searches would count if no two states had
/// the same fingerprint.
fn whole<A: Acting, C, H: Past>(model: &ActorModel<A, C, H>) -> Counts {
    let mut known = HashMap::<u64, Vec<ActorModelState<A, H>>>::new();
    let mut is_new = |state: &ActorModelState<A, H>| {
        let mut hasher = DefaultHasher::new();
        state.hash(&mut hasher);
        let same = known.entry(hasher.finish()).or_default();
        let is_new = !same.contains(state);
        is_new.then(|| same.push(state.clone()));
        is_new
    };
    let (mut states, mut transitions, mut depth) = (0, 0, 0);
    let mut queue: VecDeque<_> = model.init_states().into_iter().map(|s| (s, 1)).collect();
    queue.retain(|(state, _)| Model::within_boundary(model, state));
    transitions += queue.len();
    queue.iter().for_each(|(state, _)| assert!(is_new(state)));
    while let Some((state, deep)) = queue.pop_front() {
        (states, depth) = (states + 1, deep);
        for (_, next) in model.next_steps(&state) {
            if Model::within_boundary(model, &next) {
                transitions += 1;
                if is_new(&next) {
                    queue.push_back((next, deep + 1));
                }
            }
        }
    }
    (states, transitions, depth)
}

fn check<A: Acting, C: Sync, H: Past>(model: ActorModel<A, C, H>) -> Found<ActionOf<A>> {
    let actors = Actors::new(model);
    let found = actors.check(CheckOptions::default());
    for property in &actors.model().properties {
        if let Some(discovery) = found.discoveries.get(property.name) {
            goes_there(actors.model(), property, discovery);
        }
    }
    found
}

/// stateright goes the path, and it decides the property.
fn goes_there<A: Acting, C, H: Past>(
    model: &ActorModel<A, C, H>,
    property: &Property<ActorModel<A, C, H>>,
    discovery: &Discovery<ActionOf<A>>,
) {
    let start = model.init_states().pop().expect("there is one start");
    let whole = discovery.actions.iter().chain(&discovery.cycle);
    let path = Path::from_actions(model, start.clone(), whole).expect("stateright can go it");
    let stem = Path::from_actions(model, start, &discovery.actions).expect("and its beginning");
    let says = |state: &ActorModelState<A, H>| (property.condition)(model, state);
    match property.expectation {
        Expectation::Always => assert!(!says(path.last_state())),
        Expectation::Sometimes => assert!(says(path.last_state())),
        Expectation::Eventually => {
            assert!(stem.last_state() == path.last_state(), "it goes round");
            assert!(!path.into_states().iter().any(says));
        }
    }
}

#[test]
fn registers_have_the_states_that_stateright_counts() {
    let found = check(single_copy(1, 2));
    assert_eq!(ours(&found), (93, 121, 9));
    found.assert_properties();
    let found = check(single_copy(1, 3));
    assert_eq!(ours(&found), (4_243, 6_778, 13));
    assert_eq!(ours(&found), theirs(single_copy(1, 3)));
    let found = check(single_copy(2, 2));
    assert_eq!(found.holds("linearizable"), Some(false));
    assert_eq!(found.incomplete.as_deref(), Some("every property is decided"));
    let found = check(abd(2, 2));
    assert_eq!(ours(&found), theirs(abd(2, 2)));
    found.assert_properties();
}

#[test]
fn paxos_is_the_yardstick() {
    let model = || yardstick::model(2);
    for (threads, by_history) in [(1, false), (1, true), (2, true)] {
        let mut actors = Actors::new(model());
        if by_history {
            actors = actors.reads_history("linearizable");
        }
        let found = actors.check(CheckOptions { threads, ..CheckOptions::default() });
        assert_eq!(ours(&found), (16_668, 32_971, 21));
        found.assert_properties();
    }
    assert_eq!(theirs(model()), (16_668, 32_971, 21));
}

#[test]
fn every_network_and_its_losses() {
    let networks = [
        Network::new_unordered_duplicating([]),
        Network::new_unordered_nonduplicating([]),
        Network::new_ordered([]),
    ];
    for network in networks {
        for lossy in [LossyNetwork::No, LossyNetwork::Yes] {
            let model = || counters(5, network.clone(), lossy);
            let found = check(model());
            assert_eq!(ours(&found), theirs(model()), "{network:?}");
            assert_eq!(found.holds("near"), Some(true));
            assert_eq!(found.holds("full"), Some(true));
            assert_eq!(found.holds("begun"), Some(lossy == LossyNetwork::No), "{network:?}");
        }
    }
    for network in [Network::new_ordered([]), Network::new_unordered_nonduplicating([])] {
        let found = check(dice(6, network.clone()));
        assert_eq!(found.holds("small"), Some(false));
        assert_eq!(whole(&dice(6, network.clone())), ours(&found), "{network:?}");
    }
}

/// stateright's fingerprints leave out how many timers each actor has, so that one timer of one
/// actor looks like one of another: of the eight states of three sleepers it counts four, and does
/// not see that the last of them may wake first.
#[test]
fn timers_collide_there_and_not_here() {
    for n in 1..=5 {
        let (here, there) = (check(sleepers(n)), theirs(sleepers(n)));
        assert_eq!(here.states, 1 << n);
        assert_eq!(there.0, n + 1);
        assert_eq!(ours(&here), whole(&sleepers(n)));
    }
    let found = check(sleepers(2));
    assert_eq!(found.holds("the last wakes last"), Some(false));
    assert_eq!(found.discoveries["the last wakes last"].actions.len(), 1);
    let done = sleepers(2).checker().spawn_bfs().join();
    assert!(done.discovery("the last wakes last").is_none());

    let (here, there) = (check(pingers(3, 1)), theirs(pingers(3, 1)));
    here.assert_properties();
    assert_eq!(ours(&here), whole(&pingers(3, 1)));
    assert!(there.0 < here.states, "{} of {} states", there.0, here.states);
    assert_eq!(ours(&check(pingers(2, 1))), whole(&pingers(2, 1)));
}

#[test]
fn two_phase_commit_with_choices() {
    let found = check(two_phase_commit(3, false));
    assert_eq!(ours(&found), whole(&two_phase_commit(3, false)));
    found.assert_properties();
    let found = check(two_phase_commit(2, true));
    assert_eq!(found.holds("agreement"), Some(false));
    let done = two_phase_commit(2, true).checker().spawn_bfs().join();
    let theirs = done.discovery("agreement").expect("it breaks there, too").into_actions();
    assert!(found.discoveries["agreement"].actions.len() <= theirs.len());
}

/// A crash between handing out and keeping can't be: stateright's crashes fall between steps.
#[test]
fn storage_survives_crashes() {
    for down in 0..=2 {
        let found = check(tickets(2, true, down));
        assert_eq!(ours(&found), whole(&tickets(2, true, down)), "{down}");
        found.assert_properties();
    }
    let found = check(tickets(2, false, 1));
    let path = &found.discoveries["no ticket twice"].actions;
    assert!(path.iter().any(|action| matches!(action, ActorModelAction::Recover(_))));
    assert_eq!(path.len(), 4);
    assert_eq!(found.holds("no ticket twice"), Some(false));
}

#[test]
fn seeds_walk_the_same_model() {
    let actors = Actors::new(two_phase_commit(3, true));
    let [one, two] = [(); 2].map(|()| actors.simulate(0..1_000, 100));
    assert_eq!(one, two);
    let walk = one.broken.expect("one of a thousand seeds breaks agreement");
    assert_eq!(walk.broken, Some("agreement"));
    let small = actors.shrink(&walk);
    let shortest = actors.check(CheckOptions::default()).discoveries["agreement"].actions.len();
    assert!(small.actions.len() <= walk.actions.len() && small.actions.len() >= shortest);
    for n in 0..small.actions.len() {
        let mut less = small.clone();
        less.actions.remove(n);
        assert!(
            actors.shrink(&less).actions.len() >= small.actions.len() - 1,
            "step {n} is needed"
        );
    }
    let property = &actors.model().properties[0];
    let discovery = Discovery { actions: small.actions.clone(), cycle: Vec::new() };
    goes_there(actors.model(), property, &discovery);

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("walk.json");
    small.write(&file).unwrap();
    assert_eq!(actors.read_walk(&file).unwrap(), small);
    let other = Actors::new(two_phase_commit(2, true)).read_walk(&file).unwrap_err().to_string();
    assert!(other.contains("step") && other.contains("is not enabled"), "{other}");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("\"seed\"", "\"sead\"")).unwrap();
    let error = actors.read_walk(&file).unwrap_err().to_string();
    assert!(error.contains("walk.json:3: unknown field `sead`"), "{error}");
}

/// A walk meets only states that the search counts, and every example of `sometimes` here.
#[test]
fn walks_see_what_there_is() {
    let walked = Actors::new(two_phase_commit(3, false)).simulate(0..200, 100);
    assert_eq!((walked.broken, walked.seeds), (None, 200));
    assert_eq!(walked.seen, ["committed"].into());
    let full = Actors::new(counters(3, Network::new_ordered([]), LossyNetwork::Yes));
    let walk = full.simulate(0..200, 100).broken.expect("the only message is lost");
    assert_eq!((walk.broken, walk.actions.len()), (Some("begun"), 1));
}

/// A property that is said to read only the history, and reads more.
#[test]
fn a_false_declaration_is_found() {
    let model = || {
        abd(2, 2).property(Expectation::Always, "unsound", |_, state| {
            !state.actor_states.iter().any(|state| format!("{state:?}").contains("Telling"))
        })
    };
    assert_eq!(Actors::new(model()).check(CheckOptions::default()).holds("unsound"), Some(false));
    let found = Actors::new(model()).reads_history("unsound").check(CheckOptions::default());
    let reason = found.incomplete.expect("it is noticed");
    assert_eq!(reason, "`unsound` reads more than the history");
}

/// An actor whose answers depend on how often it was asked.
#[derive(Default)]
struct Moody(AtomicU32);

impl Actor for Moody {
    types!(u32, u32);

    fn on_start(&self, me: Id, _: &Option<()>, out: &mut Out<Self>) -> u32 {
        out.send(Id::from(1 - usize::from(me)), 0);
        0
    }

    fn on_msg(&self, _: Id, state: &mut Cow<u32>, from: Id, msg: u32, out: &mut Out<Self>) {
        let mood = self.0.fetch_add(1, Relaxed);
        *state.to_mut() = mood % 3;
        if msg < 4 {
            out.send(from, msg + 1);
        }
    }
}

#[test]
fn impure_actors_are_found() {
    let model = || ActorModel::new((), ()).actors([Moody::default(), Moody::default()]);
    let found = Actors::new(model()).check(CheckOptions::default());
    let reason = found.incomplete.expect("it is noticed");
    assert!(reason.contains("had another outcome when tried again"), "{reason}");
    for expectation in [Expectation::Always, Expectation::Eventually] {
        let model = model().property(expectation, "even", |_, state| {
            state.actor_states.iter().all(|state| **state % 2 == 0)
        });
        let found = Actors::new(model).check(CheckOptions::default());
        assert!(found.incomplete.is_some(), "{:?}", found.discoveries);
    }
}

/// A float that is no number is not equal to itself, so it would be a new state for ever.
#[derive(Debug)]
struct Nan;

#[derive(Clone, Debug, PartialEq)]
struct Float(f64);

impl Hash for Float {
    fn hash<S: Hasher>(&self, hasher: &mut S) {
        self.0.to_bits().hash(hasher);
    }
}

impl Actor for Nan {
    types!((), Float);

    fn on_start(&self, me: Id, _: &Option<()>, out: &mut Out<Self>) -> Float {
        out.send(me, ());
        Float(0.0)
    }

    fn on_msg(&self, _: Id, state: &mut Cow<Float>, _: Id, (): (), _: &mut Out<Self>) {
        *state.to_mut() = Float(f64::NAN);
    }
}

#[test]
fn a_value_that_is_not_itself_is_named() {
    let found = Actors::new(ActorModel::new((), ()).actor(Nan)).check(CheckOptions::default());
    assert_eq!(
        found.incomplete.as_deref(),
        Some("a value is not equal to itself: Same(Float(NaN))")
    );
}

#[test]
fn limits_and_fingerprints_are_never_complete() {
    let actors = Actors::new(abd(2, 2));
    let default = CheckOptions::default();
    let short = actors.check(CheckOptions { depth_max: Some(5), ..default });
    assert_eq!(short.incomplete.as_deref(), Some("it looked no deeper than 5"));
    assert_eq!(short.holds("linearizable"), None);
    let few = actors.check(CheckOptions { states_max: Some(100), ..default });
    assert!(few.incomplete.is_some_and(|reason| reason.starts_with("it stopped at 100 states")));
    // Nothing at all fits in these.
    for (states_max, bytes_max) in [(Some(0), None), (None, Some(1))] {
        let none = actors.check(CheckOptions { states_max, bytes_max, ..default });
        let reason = none.incomplete.expect("it is noticed");
        assert!(reason.contains("what lies deeper than 1 is not counted"), "{reason}");
        assert_eq!((none.states, none.depth), (1, 1));
    }
    let by_fingerprint = Actors::new(abd(2, 2).property(Expectation::Always, "true", |_, _| true));
    let found = by_fingerprint.check(CheckOptions { fingerprints: true, ..default });
    assert_eq!(found.holds("true"), None);
    assert_eq!(found.states, actors.check(default).states);
    let broken = Actors::new(two_phase_commit(2, true));
    let found = broken.check(CheckOptions { fingerprints: true, ..default });
    assert_eq!(found.holds("agreement"), Some(false));
}

/// A search looks at its limits within a level, however wide; and what it counts then is what lies
/// before, whoever was first.
#[test]
fn a_search_that_is_cut_short_amid_a_level_counts_what_lies_before() {
    static JUDGED: AtomicUsize = AtomicUsize::new(0);
    let most = 100_000;
    let counts = [1, 2, 4].map(|threads| {
        let model = choosers(2_000).property(Expectation::Always, "judged", |_, _| {
            JUDGED.fetch_add(1, Relaxed);
            true
        });
        JUDGED.store(0, Relaxed);
        let options = CheckOptions { threads, states_max: Some(most), ..Default::default() };
        let found = Actors::new(model).check(options);
        let judged = JUDGED.load(Relaxed);
        assert!((49..=49 + 4 * threads).contains(&judged), "{judged} states on {threads} threads");
        (found.states, found.transitions, found.depth, found.histories, found.incomplete)
    });
    assert_eq!((counts[0].0, counts[0].1, counts[0].2, counts[0].3), (4_001, 4_001, 2, 1));
    let reason = counts[0].4.as_deref().expect("it is cut short");
    let said = "it stopped at 100000 states; what lies deeper than 2 is not counted; actor 0";
    assert!(reason.starts_with(said), "{reason}");
    assert!(counts.iter().all(|other| *other == counts[0]), "{counts:#?}");
}

#[test]
fn paths_are_the_same_on_any_number_of_threads() {
    let actors = Actors::new(tickets(3, false, 2));
    let paths = [1, 2, 4].map(|threads| {
        actors.check(CheckOptions { threads, ..CheckOptions::default() }).discoveries
    });
    assert!(!paths[0].is_empty());
    assert_eq!(paths[0], paths[1]);
    assert_eq!(paths[0], paths[2]);
}

/// stateright's `eventually` gives up a path that joins another or goes round; ours doesn't.
#[test]
fn eventually_is_sound_where_paths_join_and_go_round() {
    let found = check(round(false));
    let there = round(false).checker().spawn_bfs().join();
    assert!(there.discovery("rests").is_none(), "it misses it");
    assert_eq!(found.holds("rests"), Some(false));
    assert_eq!(found.discoveries["rests"].cycle.len(), 2);
    let found = check(round(true));
    assert_eq!(found.holds("rests"), Some(true), "a timer that can always fire does fire");
}
