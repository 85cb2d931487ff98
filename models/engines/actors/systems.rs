//! Systems of stateright's actors, as its users write them.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::hash::Hash;

use stateright::Expectation;
use stateright::actor::register::{RegisterActor, RegisterMsg};
use stateright::actor::{
    Actor, ActorModel, ActorModelState, Envelope, Id, LossyNetwork, Network, Out, Timers,
    model_timeout,
};
use stateright::semantics::LinearizabilityTester;
use stateright::semantics::register::Register;

/// The types of an actor that has messages and a state, and nothing else.
macro_rules! types {
    ($msg:ty, $state:ty) => {
        type Msg = $msg;
        type Timer = ();
        type State = $state;
        type Storage = ();
        type Random = ();
    };
}

pub(super) use types;

type Seen = LinearizabilityTester<Id, Register<char>>;

/// A model of a register's servers and of clients that each write once and then read.
fn register<S, I>(
    servers: impl IntoIterator<Item = S>,
    clients: usize,
) -> ActorModel<RegisterActor<S>, (), Seen>
where
    S: Actor<Msg = RegisterMsg<u64, char, I>, Timer: Ord> + Clone,
    I: Clone + Debug + Ord + Hash,
{
    let servers: Vec<S> = servers.into_iter().collect();
    let client = RegisterActor::Client { put_count: 1, server_count: servers.len() };
    ActorModel::new((), LinearizabilityTester::new(Register(char::default())))
        .actors(servers.into_iter().map(RegisterActor::Server))
        .actors((0..clients).map(|_| client.clone()))
        .init_network(Network::new_unordered_nonduplicating([]))
        .property(Expectation::Always, "linearizable", |_, state| {
            state.history.serialized_history().is_some()
        })
        .property(Expectation::Sometimes, "a value is read", |_, state| {
            let is_read = |msg: &RegisterMsg<u64, char, I>| match msg {
                RegisterMsg::GetOk(_, value) => *value != char::default(),
                _ => false,
            };
            state.network.iter_deliverable().any(|envelope| is_read(envelope.msg))
        })
        .record_msg_in(RegisterMsg::record_returns)
        .record_msg_out(RegisterMsg::record_invocations)
}

/// A register that only its server keeps. Two of them are two registers.
#[derive(Clone, Debug)]
pub struct SingleCopy;

impl Actor for SingleCopy {
    types!(RegisterMsg<u64, char, ()>, char);

    fn on_start(&self, _: Id, _: &Option<()>, _: &mut Out<Self>) -> char {
        char::default()
    }

    fn on_msg(&self, _: Id, value: &mut Cow<char>, from: Id, msg: Self::Msg, out: &mut Out<Self>) {
        match msg {
            RegisterMsg::Put(request, new) => {
                *value.to_mut() = new;
                out.send(from, RegisterMsg::PutOk(request));
            }
            RegisterMsg::Get(request) => out.send(from, RegisterMsg::GetOk(request, **value)),
            _ => {}
        }
    }
}

/// So many single copies.
pub fn single_copy(
    servers: usize,
    clients: usize,
) -> ActorModel<RegisterActor<SingleCopy>, (), Seen> {
    register(vec![SingleCopy; servers], clients)
}

/// Attiya, Bar-Noy and Dolev's register, "Sharing Memory Robustly in Message-Passing Systems"
/// (1995), for many writers: a server asks a majority first, and then tells a majority.
#[derive(Clone, Debug)]
pub struct Abd {
    servers: usize,
}

type Tag = (u64, Id);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AbdMsg {
    Ask(u64),
    Say(u64, Tag, char),
    Tell(u64, Tag, char),
    Heard(u64),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Round {
    Asking { request: u64, client: Id, write: Option<char>, said: BTreeMap<Id, (Tag, char)> },
    Telling { request: u64, client: Id, read: Option<char>, heard: BTreeSet<Id> },
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Copy {
    tag: Tag,
    value: char,
    round: Option<Round>,
}

impl Abd {
    fn others(&self, me: Id) -> Vec<Id> {
        (0..self.servers).map(Id::from).filter(|id| *id != me).collect()
    }

    fn begin(&self, me: Id, copy: &mut Copy, (request, client): (u64, Id), write: Option<char>) {
        let said = BTreeMap::from([(me, (copy.tag, copy.value))]);
        copy.round = Some(Round::Asking { request, client, write, said });
    }

    fn hear(&self, me: Id, copy: &mut Cow<Copy>, from: Id, msg: AbdMsg, out: &mut Out<Self>) {
        let send = |to: Id, msg, out: &mut Out<Self>| out.send(to, RegisterMsg::Internal(msg));
        match msg {
            AbdMsg::Ask(request) => send(from, AbdMsg::Say(request, copy.tag, copy.value), out),
            AbdMsg::Tell(request, tag, value) => {
                send(from, AbdMsg::Heard(request), out);
                if copy.tag < tag {
                    (copy.to_mut().tag, copy.to_mut().value) = (tag, value);
                }
            }
            AbdMsg::Say(request, tag, value) => {
                let is_mine =
                    matches!(&copy.round, Some(Round::Asking { request: r, .. }) if *r == request);
                if is_mine {
                    self.is_said(me, copy.to_mut(), (from, tag, value), out);
                }
            }
            AbdMsg::Heard(request) => {
                let Some(Round::Telling { request: mine, heard, .. }) = &copy.round else { return };
                if *mine == request && !heard.contains(&from) {
                    self.is_heard(copy.to_mut(), from, out);
                }
            }
        }
    }

    fn is_said(&self, me: Id, copy: &mut Copy, said: (Id, Tag, char), out: &mut Out<Self>) {
        let Some(Round::Asking { request, client, write, said: all }) = &mut copy.round else {
            return;
        };
        all.insert(said.0, (said.1, said.2));
        if all.len() != self.servers / 2 + 1 {
            return;
        }
        let (tag, value) = *all.values().max().expect("somebody said something");
        let (tag, value) = write.map_or((tag, value), |value| ((tag.0 + 1, me), value));
        let read = write.is_none().then_some(value);
        let (request, client) = (*request, *client);
        copy.round = Some(Round::Telling { request, client, read, heard: BTreeSet::from([me]) });
        (copy.tag, copy.value) = (copy.tag, copy.value).max((tag, value));
        out.broadcast(&self.others(me), &RegisterMsg::Internal(AbdMsg::Tell(request, tag, value)));
    }

    fn is_heard(&self, copy: &mut Copy, from: Id, out: &mut Out<Self>) {
        let Some(Round::Telling { request, client, read, heard }) = &mut copy.round else { return };
        heard.insert(from);
        if heard.len() == self.servers / 2 + 1 {
            let answer = match *read {
                None => RegisterMsg::PutOk(*request),
                Some(value) => RegisterMsg::GetOk(*request, value),
            };
            out.send(*client, answer);
            copy.round = None;
        }
    }
}

impl Actor for Abd {
    types!(RegisterMsg<u64, char, AbdMsg>, Copy);

    fn on_start(&self, me: Id, _: &Option<()>, _: &mut Out<Self>) -> Copy {
        Copy { tag: (0, me), value: char::default(), round: None }
    }

    fn on_msg(&self, me: Id, copy: &mut Cow<Copy>, from: Id, msg: Self::Msg, out: &mut Out<Self>) {
        let (request, write) = match msg {
            RegisterMsg::Internal(msg) => return self.hear(me, copy, from, msg, out),
            RegisterMsg::Put(request, value) => (request, Some(value)),
            RegisterMsg::Get(request) => (request, None),
            _ => return,
        };
        if copy.round.is_none() {
            self.begin(me, copy.to_mut(), (request, from), write);
            let ask = RegisterMsg::Internal(AbdMsg::Ask(request));
            out.broadcast(&self.others(me), &ask);
        }
    }
}

/// So many copies for so many clients.
pub fn abd(servers: usize, clients: usize) -> ActorModel<RegisterActor<Abd>, (), Seen> {
    register(vec![Abd { servers }; servers], clients)
}

/// Counts up in turn with its peer. The history counts what came in and what went out.
pub struct Counter;

impl Actor for Counter {
    types!(u32, u32);

    fn on_start(&self, me: Id, _: &Option<()>, out: &mut Out<Self>) -> u32 {
        if me == Id::from(0) {
            out.send(Id::from(1), 0);
        }
        0
    }

    fn on_msg(&self, me: Id, count: &mut Cow<u32>, from: Id, n: u32, out: &mut Out<Self>) {
        if **count == n {
            *count.to_mut() += 1;
            out.send(from, if me == Id::from(0) { n + 1 } else { n });
        }
    }
}

/// Two that count up to a limit, which is the model's boundary.
pub fn counters(
    most: u32,
    network: Network<u32>,
    lossy: LossyNetwork,
) -> ActorModel<Counter, u32, (u32, u32)> {
    ActorModel::new(most, (0, 0))
        .actors([Counter, Counter])
        .init_network(network)
        .lossy_network(lossy)
        .record_msg_in(|_, history, _| Some((history.0 + 1, history.1)))
        .record_msg_out(|_, history, _| Some((history.0, history.1 + 1)))
        .within_boundary(|most, state| state.actor_states.iter().all(|count| **count <= *most))
        .property(Expectation::Always, "near", |_, state| {
            let [one, two] = [&*state.actor_states[0], &*state.actor_states[1]];
            one.abs_diff(*two) <= 1
        })
        .property(Expectation::Sometimes, "full", |model, state| {
            state.actor_states.iter().any(|count| **count == model.cfg)
        })
        .property(Expectation::Eventually, "begun", |_, state| *state.actor_states[1] > 0)
}

/// Does nothing but wait for one timer, which it starts with.
pub struct Sleeper;

impl Actor for Sleeper {
    types!((), ());

    fn on_start(&self, _: Id, _: &Option<()>, out: &mut Out<Self>) {
        out.set_timer((), model_timeout());
    }
}

type Sleeps = fn(&Timers<()>) -> bool;

/// So many, who wake in any order.
pub fn sleepers(n: usize) -> ActorModel<Sleeper, Sleeps, ()> {
    let sleeps: Sleeps = |timers| timers.iter().next().is_some();
    ActorModel::new(sleeps, ())
        .actors((0..n).map(|_| Sleeper))
        .property(Expectation::Always, "the last wakes last", |model, state| {
            let mut all = state.timers_set.iter();
            all.next_back().is_none_or(model.cfg) || !all.any(model.cfg)
        })
        .property(Expectation::Sometimes, "two timers", |_, state| {
            state.timers_set.iter().any(|timers| timers.iter().count() > 1)
        })
}

/// Asks its peers by a timer of one of two kinds, so many times; an answer cancels the other kind.
pub struct Pinger {
    pub rounds: u8,
    pub peers: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Wait {
    Short,
    Long,
}

impl Actor for Pinger {
    type Msg = bool;
    type Timer = Wait;
    type State = (u8, u8);
    type Storage = ();
    type Random = ();

    fn on_start(&self, _: Id, _: &Option<()>, out: &mut Out<Self>) -> (u8, u8) {
        out.set_timer(Wait::Short, model_timeout());
        out.set_timer(Wait::Long, model_timeout());
        (0, 0)
    }

    fn on_msg(
        &self,
        _: Id,
        books: &mut Cow<(u8, u8)>,
        from: Id,
        is_ping: bool,
        out: &mut Out<Self>,
    ) {
        if is_ping {
            out.send(from, false);
        } else {
            books.to_mut().1 += 1;
            out.cancel_timer(Wait::Long);
        }
    }

    fn on_timeout(&self, me: Id, books: &mut Cow<(u8, u8)>, wait: &Wait, out: &mut Out<Self>) {
        if books.0 < self.rounds {
            books.to_mut().0 += 1;
            out.broadcast(
                (0..self.peers).map(Id::from).filter(|id| *id != me).collect::<Vec<_>>().iter(),
                &true,
            );
        }
        if books.0 < self.rounds {
            out.set_timer(*wait, model_timeout());
        }
    }
}

/// Pingers of so many rounds each.
pub fn pingers(n: usize, rounds: u8) -> ActorModel<Pinger, (), ()> {
    ActorModel::new((), ())
        .actors((0..n).map(|_| Pinger { rounds, peers: n }))
        .init_network(Network::new_unordered_nonduplicating([]))
        .property(Expectation::Always, "no more answers than pings", |model, state| {
            let most = model.actors.len() as u8 - 1;
            state.actor_states.iter().all(|books| books.1 <= books.0 * most)
        })
}

/// Two-phase commit (Gray, 1978): the first actor asks the others, who decide for themselves.
pub struct Commit {
    pub members: usize,
    /// Whether the coordinator forgets to wait for the last vote.
    pub hasty: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Vote {
    Prepare,
    Yes,
    No,
    Commit,
    Abort,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Member {
    Coordinator { yes: BTreeSet<Id>, decision: Option<bool> },
    Working,
    Prepared,
    Decided(bool),
}

impl Actor for Commit {
    type Msg = Vote;
    type Timer = ();
    type State = Member;
    type Storage = ();
    type Random = bool;

    fn on_start(&self, me: Id, _: &Option<()>, out: &mut Out<Self>) -> Member {
        if me != Id::from(0) {
            return Member::Working;
        }
        let members: Vec<Id> = (1..=self.members).map(Id::from).collect();
        out.broadcast(&members, &Vote::Prepare);
        Member::Coordinator { yes: BTreeSet::new(), decision: None }
    }

    fn on_msg(&self, _: Id, member: &mut Cow<Member>, from: Id, vote: Vote, out: &mut Out<Self>) {
        let members: Vec<Id> = (1..=self.members).map(Id::from).collect();
        let decide = |commit: bool, out: &mut Out<Self>| {
            out.broadcast(&members, if commit { &Vote::Commit } else { &Vote::Abort });
        };
        match (&**member, vote) {
            (Member::Working, Vote::Prepare) => out.choose_random("vote", vec![false, true]),
            (Member::Coordinator { yes, decision: None }, Vote::Yes) => {
                let mut yes = yes.clone();
                yes.insert(from);
                let enough = yes.len() + usize::from(self.hasty) >= self.members;
                if enough {
                    decide(true, out);
                }
                let decision = enough.then_some(true);
                *member.to_mut() = Member::Coordinator { yes, decision };
            }
            (Member::Coordinator { yes, decision: None }, Vote::No) => {
                decide(false, out);
                let yes = yes.clone();
                *member.to_mut() = Member::Coordinator { yes, decision: Some(false) };
            }
            (Member::Working | Member::Prepared, Vote::Commit) => {
                *member.to_mut() = Member::Decided(true);
            }
            (Member::Working | Member::Prepared, Vote::Abort) => {
                out.remove_random("vote");
                *member.to_mut() = Member::Decided(false);
            }
            _ => {}
        }
    }

    fn on_random(&self, _: Id, member: &mut Cow<Member>, yes: &bool, out: &mut Out<Self>) {
        *member.to_mut() = if *yes { Member::Prepared } else { Member::Decided(false) };
        out.send(Id::from(0), if *yes { Vote::Yes } else { Vote::No });
    }
}

/// So many members.
pub fn two_phase_commit(members: usize, hasty: bool) -> ActorModel<Commit, (), ()> {
    ActorModel::new((), ())
        .actors((0..=members).map(|_| Commit { members, hasty }))
        .init_network(Network::new_unordered_nonduplicating([]))
        .property(Expectation::Always, "agreement", |_, state| {
            let decided =
                |commit| state.actor_states.iter().any(|m| **m == Member::Decided(commit));
            !decided(true) || !decided(false)
        })
        .property(Expectation::Sometimes, "committed", |_, state| {
            state.actor_states.iter().skip(1).all(|m| **m == Member::Decided(true))
        })
        .property(Expectation::Eventually, "decided", |_, state| {
            let is_decided = |m: &Member| {
                matches!(m, Member::Decided(_) | Member::Coordinator { decision: Some(_), .. })
            };
            state.actor_states.iter().all(|m| is_decided(m))
        })
}

/// Hands out numbers, and keeps the next one on disk, before or after it hands one out.
pub struct Tickets {
    pub most: u8,
    pub saves: bool,
}

impl Actor for Tickets {
    type Msg = u8;
    type Timer = ();
    type State = u8;
    type Storage = u8;
    type Random = ();

    fn on_start(&self, me: Id, kept: &Option<u8>, out: &mut Out<Self>) -> u8 {
        let next = kept.unwrap_or(0);
        if me == Id::from(0) && next < self.most {
            out.set_timer((), model_timeout());
        }
        next
    }

    fn on_timeout(&self, _: Id, next: &mut Cow<u8>, (): &(), out: &mut Out<Self>) {
        out.send(Id::from(1), **next);
        let after = **next + 1;
        *next.to_mut() = after;
        if self.saves {
            out.save(after);
        }
        if after < self.most {
            out.set_timer((), model_timeout());
        }
    }

    fn on_msg(&self, _: Id, got: &mut Cow<u8>, _: Id, ticket: u8, out: &mut Out<Self>) {
        *got.to_mut() |= 1 << ticket;
        out.save(**got);
    }
}

/// One who hands out tickets, and one who gets them; so many are down at a time.
pub fn tickets(most: u8, saves: bool, down: usize) -> ActorModel<Tickets, (), Vec<u8>> {
    ActorModel::new((), Vec::new())
        .actors([Tickets { most, saves }, Tickets { most, saves }])
        .init_network(Network::new_unordered_nonduplicating([]))
        .max_crashes(down)
        .record_msg_out(|_, history, envelope: Envelope<&u8>| {
            let mut history = history.clone();
            history.push(*envelope.msg);
            Some(history)
        })
        .within_boundary(|(), state: &ActorModelState<Tickets, Vec<u8>>| state.history.len() < 5)
        .property(Expectation::Always, "no ticket twice", |_, state| {
            let distinct: BTreeSet<_> = state.history.iter().collect();
            distinct.len() == state.history.len()
        })
}

/// Rolls a die by every message, and tells its peer, until the faces that fell add up to enough.
pub struct Die(pub u8);

impl Actor for Die {
    type Msg = u8;
    type Timer = ();
    type State = u8;
    type Storage = ();
    type Random = u8;

    fn on_start(&self, me: Id, _: &Option<()>, out: &mut Out<Self>) -> u8 {
        out.choose_random(if me == Id::from(0) { "first" } else { "second" }, vec![1, 2, 3]);
        0
    }

    fn on_msg(&self, _: Id, sum: &mut Cow<u8>, _: Id, face: u8, out: &mut Out<Self>) {
        if **sum < self.0 {
            *sum.to_mut() += face;
            out.choose_random("again", vec![face, 1]);
        }
    }

    fn on_random(&self, me: Id, sum: &mut Cow<u8>, face: &u8, out: &mut Out<Self>) {
        *sum.to_mut() += face;
        out.send(Id::from(1 - usize::from(me)), *face);
    }
}

/// Two dice, on this network.
pub fn dice(enough: u8, network: Network<u8>) -> ActorModel<Die, (), ()> {
    ActorModel::new((), ())
        .actors([Die(enough), Die(enough)])
        .init_network(network)
        .property(Expectation::Always, "small", |_, state| {
            state.actor_states.iter().all(|sum| **sum < 8)
        })
        .property(Expectation::Sometimes, "large", |_, state| {
            state.actor_states.iter().any(|sum| **sum > 99)
        })
}

/// Makes one choice of very many.
pub struct Chooser(pub u32);

impl Actor for Chooser {
    type Msg = ();
    type Timer = ();
    type State = u32;
    type Storage = ();
    type Random = u32;

    fn on_start(&self, _: Id, _: &Option<()>, out: &mut Out<Self>) -> u32 {
        out.choose_random("once", (1..=self.0).collect());
        0
    }

    fn on_random(&self, _: Id, chosen: &mut Cow<u32>, choice: &u32, _: &mut Out<Self>) {
        *chosen.to_mut() = *choice;
    }
}

/// Two choosers: a start, a wide level, and one that is as wide as its square.
pub fn choosers(choices: u32) -> ActorModel<Chooser, (), ()> {
    ActorModel::new((), ()).actors([Chooser(choices), Chooser(choices)])
}

/// Two who hand a token back and forth for ever; the first may be woken, and then keeps it.
pub struct Juggler {
    pub wakes: bool,
}

impl Actor for Juggler {
    types!((), bool);

    fn on_start(&self, me: Id, _: &Option<()>, out: &mut Out<Self>) -> bool {
        if me == Id::from(0) {
            out.send(Id::from(1), ());
            if self.wakes {
                out.set_timer((), model_timeout());
            }
        }
        false
    }

    fn on_msg(&self, _: Id, rests: &mut Cow<bool>, from: Id, (): (), out: &mut Out<Self>) {
        if !**rests {
            out.send(from, ());
        }
    }

    fn on_timeout(&self, _: Id, rests: &mut Cow<bool>, (): &(), _: &mut Out<Self>) {
        *rests.to_mut() = true;
    }
}

/// Two jugglers, of whom one is to rest in the end.
pub fn round(wakes: bool) -> ActorModel<Juggler, (), ()> {
    ActorModel::new((), ())
        .actors([Juggler { wakes }, Juggler { wakes }])
        .init_network(Network::new_unordered_nonduplicating([]))
        .property(Expectation::Eventually, "rests", |_, state| *state.actor_states[0])
}
