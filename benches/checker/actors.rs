//! The Paxos yardstick once more, for stateright's own `ActorModel` with its own clients, history
//! and network: what its users would write, and what the compact engine is measured against.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use seedbed::engine::actors::Actors;
use seedbed::engine::check::CheckOptions;
use stateright::actor::register::{RegisterActor, RegisterMsg};
use stateright::actor::{Actor, ActorModel, Id, Network, Out};
use stateright::semantics::LinearizabilityTester;
use stateright::semantics::register::Register;
use stateright::{Checker, Expectation, Model};

const SERVERS: usize = 3;
const MAJORITY: usize = 2;

pub type Ballot = (u32, Id);
/// A request, its client, and the value that it writes.
pub type Proposal = (u64, Id, char);
type Vote = Option<(Ballot, Proposal)>;
type Msg = RegisterMsg<u64, char, Internal>;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Internal {
    Prepare(Ballot),
    Promise(Ballot, Vote),
    Accept(Ballot, Proposal),
    Accepted(Ballot),
    Decided(Ballot, Proposal),
}

/// A server that proposes what its clients write, and votes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Books {
    ballot: Ballot,
    proposal: Option<Proposal>,
    promises: BTreeMap<Id, Vote>,
    voters: BTreeSet<Id>,
    vote: Vote,
    decided: bool,
}

fn others(me: Id) -> Vec<Id> {
    (0..SERVERS).map(Id::from).filter(|id| *id != me).collect()
}

impl Actor for Server {
    type Msg = Msg;
    type State = Books;
    type Timer = ();
    type Random = ();
    type Storage = ();

    fn on_start(&self, _: Id, _: &Option<()>, _: &mut Out<Self>) -> Books {
        Books {
            ballot: (0, Id::from(0)),
            proposal: None,
            promises: BTreeMap::new(),
            voters: BTreeSet::new(),
            vote: None,
            decided: false,
        }
    }

    fn on_msg(&self, me: Id, books: &mut Cow<Books>, from: Id, msg: Msg, out: &mut Out<Self>) {
        if books.decided {
            if let (RegisterMsg::Get(request), Some((_, (.., value)))) = (&msg, &books.vote) {
                out.send(from, RegisterMsg::GetOk(*request, *value));
            }
            return;
        }
        match msg {
            RegisterMsg::Put(request, value) if books.proposal.is_none() => {
                let books = books.to_mut();
                books.ballot = (books.ballot.0 + 1, me);
                books.proposal = Some((request, from, value));
                books.voters.clear();
                books.promises = BTreeMap::from([(me, books.vote)]);
                out.broadcast(&others(me), &RegisterMsg::Internal(Internal::Prepare(books.ballot)));
            }
            RegisterMsg::Internal(internal) => hear(me, books, from, internal, out),
            _ => {}
        }
    }
}

fn hear(me: Id, books: &mut Cow<Books>, from: Id, msg: Internal, out: &mut Out<Server>) {
    use Internal::*;
    match msg {
        Prepare(ballot) if books.ballot < ballot => {
            books.to_mut().ballot = ballot;
            out.send(from, RegisterMsg::Internal(Promise(ballot, books.vote)));
        }
        Promise(ballot, vote) if books.ballot == ballot => {
            let books = books.to_mut();
            books.promises.insert(from, vote);
            if books.promises.len() == MAJORITY {
                let greatest = books.promises.values().flatten().max();
                let proposal = greatest.map(|vote| vote.1).or(books.proposal);
                let proposal = proposal.expect("a proposer has a proposal");
                (books.proposal, books.vote) = (Some(proposal), Some((ballot, proposal)));
                books.voters.insert(me);
                out.broadcast(&others(me), &RegisterMsg::Internal(Accept(ballot, proposal)));
            }
        }
        Accept(ballot, proposal) if books.ballot <= ballot => {
            let books = books.to_mut();
            (books.ballot, books.vote) = (ballot, Some((ballot, proposal)));
            out.send(from, RegisterMsg::Internal(Accepted(ballot)));
        }
        Accepted(ballot) if books.ballot == ballot => {
            let books = books.to_mut();
            books.voters.insert(from);
            if books.voters.len() == MAJORITY {
                books.decided = true;
                let proposal = books.proposal.expect("a proposer has a proposal");
                out.broadcast(&others(me), &RegisterMsg::Internal(Decided(ballot, proposal)));
                out.send(proposal.1, RegisterMsg::PutOk(proposal.0));
            }
        }
        Decided(ballot, proposal) => {
            let books = books.to_mut();
            (books.ballot, books.vote) = (ballot, Some((ballot, proposal)));
            books.decided = true;
        }
        _ => {}
    }
}

/// The servers, their clients, what these see, and what has to be true of it.
pub type System = ActorModel<RegisterActor<Server>, (), Seen>;
type Seen = LinearizabilityTester<Id, Register<char>>;

/// The yardstick for so many clients.
pub fn model(clients: usize) -> System {
    let client = RegisterActor::Client { put_count: 1, server_count: SERVERS };
    ActorModel::new((), LinearizabilityTester::new(Register(char::default())))
        .actors((0..SERVERS).map(|_| RegisterActor::Server(Server)))
        .actors((0..clients).map(|_| client.clone()))
        .init_network(Network::new_unordered_nonduplicating([]))
        .property(Expectation::Always, "linearizable", |_, state| {
            state.history.serialized_history().is_some()
        })
        .record_msg_in(RegisterMsg::record_returns)
        .record_msg_out(RegisterMsg::record_invocations)
}

/// Exhausts the yardstick on stateright; returns states, transitions and seconds.
pub fn exhaust(clients: usize, breadth_first: bool, threads: usize) -> (usize, usize, f64) {
    let checker = model(clients).checker().threads(threads);
    let begin = Instant::now();
    let (states, transitions) =
        if breadth_first { counts(checker.spawn_bfs()) } else { counts(checker.spawn_dfs()) };
    (states, transitions, begin.elapsed().as_secs_f64())
}

/// Exhausts the very same model here, with and without knowing that its property reads only what
/// the clients saw.
pub fn exhaust_here(clients: usize, reads_history: bool, threads: usize) -> (usize, usize, f64) {
    let mut actors = Actors::new(model(clients));
    if reads_history {
        actors = actors.reads_history("linearizable");
    }
    let found = actors.check(CheckOptions { threads, ..CheckOptions::default() });
    found.assert_properties();
    (found.states, found.transitions, found.seconds)
}

fn counts<M: Model>(checker: impl Checker<M>) -> (usize, usize)
where
    M::State: std::hash::Hash,
{
    let done = checker.join();
    (done.unique_state_count(), done.state_count())
}
