//! The synod: one instance of Paxos, as a part of a node's state.
//!
//! Lamport, "The Part-Time Parliament" (1998), section 2, and "Paxos Made Simple" (2001). An
//! instance is an acceptor, whose state must survive crashes, and sometimes a proposer, whose
//! state need not. It guarantees that at most one value is ever decided, over any network that
//! delays, loses, repeats and reorders messages, provided that every server saves its acceptor
//! before it sends what `hear` and `propose` tell it to send. It does not guarantee that anything
//! is decided: two proposers may overtake one another for ever.
//!
//! Whoever owns instances (one for a single decree, one for each slot of a log) carries their
//! messages, saves their acceptors, and decides when to propose again.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::protocol::{NodeId, Value};

/// What all instances share: the servers, and the switches of the broken variants.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// The servers are the nodes below this.
    pub servers: u8,
    /// Whether a server that knows the decision tells it to a proposer that does not.
    pub teaches: bool,
    /// Broken: a promise counts for the present ballot, whichever ballot it was given to.
    pub stale_promise: bool,
    /// Broken: a proposer keeps to its own value, whatever has been accepted.
    pub ignores_accepted: bool,
}

impl Rules {
    /// Correct rules for so many servers.
    pub fn of(servers: u8) -> Rules {
        Rules { servers, teaches: true, stale_promise: false, ignores_accepted: false }
    }

    /// More than half of the servers.
    pub fn quorum(&self) -> usize {
        usize::from(self.servers / 2) + 1
    }

    /// All servers but one.
    pub fn others(&self, me: NodeId) -> impl Iterator<Item = NodeId> + use<> {
        NodeId::all(self.servers).filter(move |server| *server != me)
    }
}

/// A ballot: unique to its proposer, and greater than every ballot that the proposer has heard of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Ballot {
    /// Counts up.
    pub round: u16,
    /// Whose ballot it is.
    pub proposer: NodeId,
}

impl Default for Ballot {
    fn default() -> Self {
        Ballot { round: 0, proposer: NodeId(0) }
    }
}

/// A value, and the ballot in which it was accepted.
pub type Vote<V> = (Ballot, V);

/// What servers say to each other about one instance.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Msg<V> {
    /// Phase 1a: will you follow this ballot?
    Prepare(Ballot),
    /// Phase 1b: I follow no older ballot from now on, and this is what I last accepted.
    Prepared(Ballot, Option<Vote<V>>),
    /// Phase 2a: accept this.
    Accept(Ballot, V),
    /// Phase 2b: I have.
    Accepted(Ballot),
    /// A majority has.
    Decided(Ballot, V),
}

/// The part of an instance that must survive a crash.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Acceptor<V> {
    /// The greatest ballot heard of: no older one is followed.
    pub ballot: Ballot,
    /// The last vote.
    pub accepted: Option<Vote<V>>,
    /// Whether that vote is known to be the decision.
    pub decided: bool,
}

impl<V> Default for Acceptor<V> {
    fn default() -> Self {
        Acceptor { ballot: Ballot::default(), accepted: None, decided: false }
    }
}

/// The part of an instance that leads a ballot.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Proposer<V> {
    /// What is proposed: the own value, until an older one has to be adopted.
    pub value: V,
    prepares: BTreeMap<NodeId, Option<Vote<V>>>,
    accepts: BTreeSet<NodeId>,
}

/// One instance at one server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Synod<V> {
    /// What must survive a crash.
    pub acceptor: Acceptor<V>,
    /// The ballot that this server leads, if it leads one.
    pub proposer: Option<Proposer<V>>,
}

/// What a server has to do after a message; first it saves its acceptor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer<V> {
    /// Nothing.
    Silence,
    /// Send this back.
    Back(Msg<V>),
    /// Send this to all others: a quorum follows the ballot.
    All(Msg<V>),
    /// Send this to all others: the value is decided, and this server is the first to know.
    Chosen(Msg<V>),
}

impl<V> Msg<V> {
    /// The same about other values.
    pub fn map(&self, to: &impl Fn(&V) -> V) -> Self {
        match self {
            Msg::Prepare(ballot) => Msg::Prepare(*ballot),
            Msg::Prepared(ballot, vote) => Msg::Prepared(*ballot, map_vote(vote.as_ref(), to)),
            Msg::Accept(ballot, value) => Msg::Accept(*ballot, to(value)),
            Msg::Accepted(ballot) => Msg::Accepted(*ballot),
            Msg::Decided(ballot, value) => Msg::Decided(*ballot, to(value)),
        }
    }
}

impl<V> Acceptor<V> {
    /// The same about other values.
    pub fn map(&self, to: &impl Fn(&V) -> V) -> Self {
        Acceptor { accepted: map_vote(self.accepted.as_ref(), to), ..*self }
    }
}

impl<V> Synod<V> {
    /// The same about other values.
    pub fn map(&self, to: &impl Fn(&V) -> V) -> Self {
        let vote =
            |(server, vote): (&NodeId, &Option<Vote<V>>)| (*server, map_vote(vote.as_ref(), to));
        let proposer = self.proposer.as_ref().map(|proposer| Proposer {
            value: to(&proposer.value),
            prepares: proposer.prepares.iter().map(vote).collect(),
            accepts: proposer.accepts.clone(),
        });
        Synod { acceptor: self.acceptor.map(to), proposer }
    }
}

fn map_vote<V>(vote: Option<&Vote<V>>, to: &impl Fn(&V) -> V) -> Option<Vote<V>> {
    vote.map(|(ballot, value)| (*ballot, to(value)))
}

impl<V: Value> Synod<V> {
    /// An instance as its disk kept it; nothing is proposed yet.
    pub fn of(acceptor: Acceptor<V>) -> Self {
        Synod { acceptor, proposer: None }
    }

    /// What has been decided, as far as this server knows.
    pub fn decision(&self) -> Option<&V> {
        self.acceptor.accepted.as_ref().filter(|_| self.acceptor.decided).map(|(_, value)| value)
    }

    /// Starts a ballot of this server's own, above all that it has followed. The promise to itself
    /// is durable before the ballot is heard of, so no ballot is used twice.
    pub fn propose(&mut self, me: NodeId, value: V) -> Msg<V> {
        let ballot = Ballot { round: self.acceptor.ballot.round + 1, proposer: me };
        self.acceptor.ballot = ballot;
        let prepares = BTreeMap::from([(me, self.acceptor.accepted.clone())]);
        self.proposer = Some(Proposer { value, prepares, accepts: BTreeSet::new() });
        Msg::Prepare(ballot)
    }

    /// Takes a message from another server.
    pub fn hear(&mut self, rules: &Rules, me: NodeId, from: NodeId, msg: Msg<V>) -> Answer<V> {
        if self.acceptor.decided {
            return self.teach(rules, &msg);
        }
        match msg {
            Msg::Prepare(ballot) if self.acceptor.ballot < ballot => {
                self.acceptor.ballot = ballot;
                Answer::Back(Msg::Prepared(ballot, self.acceptor.accepted.clone()))
            }
            Msg::Prepared(ballot, vote) => self.prepared(rules, me, from, ballot, vote),
            Msg::Accept(ballot, value) if self.acceptor.ballot <= ballot => {
                self.acceptor.ballot = ballot;
                self.acceptor.accepted = Some((ballot, value));
                Answer::Back(Msg::Accepted(ballot))
            }
            Msg::Accepted(ballot) => self.accepted(rules, from, ballot),
            Msg::Decided(ballot, value) => {
                let accepted = Some((ballot, value));
                self.acceptor = Acceptor { ballot, accepted, decided: true };
                Answer::Silence
            }
            Msg::Prepare(_) | Msg::Accept(..) => Answer::Silence,
        }
    }

    /// A quorum of promises opens phase 2: the youngest vote among them, if there is one, may have
    /// been decided, and takes the place of the proposer's own value.
    fn prepared(
        &mut self,
        rules: &Rules,
        me: NodeId,
        from: NodeId,
        ballot: Ballot,
        vote: Option<Vote<V>>,
    ) -> Answer<V> {
        let present = self.acceptor.ballot;
        let current = ballot == present || rules.stale_promise;
        let Some(proposer) = self.proposer.as_mut().filter(|_| current) else {
            return Answer::Silence;
        };
        let heard_before = proposer.prepares.insert(from, vote).is_some();
        if heard_before || proposer.prepares.len() != rules.quorum() {
            return Answer::Silence;
        }
        let youngest = proposer.prepares.values().flatten().max_by_key(|(ballot, _)| *ballot);
        if let Some((_, value)) = youngest.filter(|_| !rules.ignores_accepted) {
            proposer.value = value.clone();
        }
        proposer.accepts.insert(me);
        let value = proposer.value.clone();
        self.acceptor.accepted = Some((present, value.clone()));
        Answer::All(Msg::Accept(present, value))
    }

    fn accepted(&mut self, rules: &Rules, from: NodeId, ballot: Ballot) -> Answer<V> {
        let current = ballot == self.acceptor.ballot;
        let Some(proposer) = self.proposer.as_mut().filter(|_| current) else {
            return Answer::Silence;
        };
        let heard_before = !proposer.accepts.insert(from);
        if heard_before || proposer.accepts.len() != rules.quorum() {
            return Answer::Silence;
        }
        let value = proposer.value.clone();
        self.acceptor = Acceptor { ballot, accepted: Some((ballot, value.clone())), decided: true };
        Answer::Chosen(Msg::Decided(ballot, value))
    }

    /// What is decided does not change. Only a proposer that does not know it needs an answer.
    fn teach(&self, rules: &Rules, msg: &Msg<V>) -> Answer<V> {
        match (&self.acceptor.accepted, msg) {
            (Some((ballot, value)), Msg::Prepare(_)) if rules.teaches => {
                Answer::Back(Msg::Decided(*ballot, value.clone()))
            }
            _ => Answer::Silence,
        }
    }
}
