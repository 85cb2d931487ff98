//! The election of a leader by a majority of votes, each of which is one node's to give.
//!
//! Votes are those of Gifford, "Weighted Voting for Replicated Data" (SOSP 1979), one a node; that
//! a lower candidate makes way for a higher one is Garcia-Molina's bully, "Elections in a
//! Distributed Computing System" (1982). A node that is asked who leads, and has not given its
//! vote, votes for itself and asks the others. A candidate with a majority leads, and says so; one
//! without gives its votes back and stands again after a while.
//!
//! Guarantees: no two nodes lead, since a vote is given back only once all answers of its round
//! are in, and links keep their order. Every call returns, over links that lose nothing and
//! between nodes that don't crash, if a candidate gives its own vote to a higher one that asks
//! for it (`ranked`): that is a promise, so no finite run shows it, and only the checker can
//! judge it.
//!
//! Broken: candidates that all keep their own votes may go on in step for ever (`polite`): each
//! asks, is refused, and makes way. Under the simulator's delays one soon gets ahead, so that
//! seeds meet no harm. A voter that votes for all who ask (`votes-twice`) gives two candidates a
//! majority, as a node of Elasticsearch did that could see two others which could not see each
//! other (its issue 2488, 2012).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::catalogue::{Card, Catalogue};
use crate::protocol::{CallId, Input, NodeId, Outbox, Protocol};
use crate::world::{
    CALLS_END, Expect, Interchange, Links, Numbers, Property, Renaming, Setup, Symmetry, Turn,
};

/// How candidates behave.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// How many nodes vote.
    pub nodes: u8,
    /// Whether a candidate gives its vote to a higher one that asks for it.
    pub ranked: bool,
    /// Broken: a vote that is given is given again.
    pub votes_twice: bool,
}

/// What nodes say to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Msg {
    /// A candidate asks for a vote.
    Ask,
    /// It is the candidate's.
    Yes,
    /// It is another's.
    No,
    /// The candidate gives the vote back.
    Back,
    /// The sender leads.
    Lead,
}

/// A node's only timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Timer {
    /// It is time to stand again.
    Stand,
}

/// A question: who leads?
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct WhoLeads;

/// A node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Election {
    me: NodeId,
    /// Whose its vote is.
    vote: Option<NodeId>,
    /// Its candidature: who voted for it, and how many have still to answer.
    stands: Option<(BTreeSet<NodeId>, u8)>,
    leader: Option<NodeId>,
    asked: BTreeSet<CallId>,
}

impl Protocol for Election {
    type Config = Config;
    type Msg = Msg;
    type Timer = Timer;
    type Disk = ();
    type Op = WhoLeads;
    type Ret = NodeId;

    fn boot(_: &Config, me: NodeId, (): (), _: &mut Outbox<Self>) -> Self {
        Election { me, vote: None, stands: None, leader: None, asked: BTreeSet::new() }
    }

    fn step(&mut self, cfg: &Config, input: Input<Self>, out: &mut Outbox<Self>) {
        match input {
            Input::Call(call, WhoLeads) => {
                self.asked.insert(call);
                match self.leader {
                    Some(leader) => self.follow(leader, out),
                    None => self.stand(cfg, out),
                }
            }
            Input::Fired(Timer::Stand) => {
                out.mark("stands again", self.me.0.into());
                self.stand(cfg, out);
            }
            Input::Recv(from, Msg::Ask) => self.answer(cfg, from, out),
            Input::Recv(from, Msg::Yes) => self.counted(cfg, Some(from), out),
            Input::Recv(_, Msg::No) => self.counted(cfg, None, out),
            Input::Recv(from, Msg::Back) if self.vote == Some(from) => {
                self.vote = None;
                self.free(out);
            }
            Input::Recv(_, Msg::Back) => {}
            Input::Recv(from, Msg::Lead) => self.follow(from, out),
            Input::Cancel(call) => drop(self.asked.remove(&call)),
        }
    }
}

impl Interchange for Election {
    fn renamed(&self, by: &Renaming) -> Self {
        let name = |node: Option<NodeId>| node.map(|node| by.node(node));
        Election {
            me: by.node(self.me),
            vote: name(self.vote),
            stands: self.stands.as_ref().map(|(votes, left)| (by.nodes(votes), *left)),
            leader: name(self.leader),
            asked: by.calls(&self.asked),
        }
    }

    fn renamed_ret(leader: &NodeId, by: &Renaming) -> NodeId {
        by.node(*leader)
    }
}

impl Election {
    /// Stands for election, if its vote is still its own to give.
    fn stand(&mut self, cfg: &Config, out: &mut Outbox<Self>) {
        if self.vote.is_none() && self.stands.is_none() && self.leader.is_none() {
            self.vote = Some(self.me);
            self.stands = Some((BTreeSet::new(), cfg.nodes - 1));
            out.broadcast(others(cfg, self.me), Msg::Ask);
        }
    }

    /// Gives its vote to a candidate, if it still has it, or takes it from itself.
    fn answer(&mut self, cfg: &Config, candidate: NodeId, out: &mut Outbox<Self>) {
        let makes_way = cfg.ranked && self.vote == Some(self.me) && candidate > self.me;
        let free = self.vote.is_none() || cfg.votes_twice;
        if self.leader.is_none() && (free || makes_way) {
            if makes_way {
                out.mark("makes way", candidate.0.into());
            }
            self.vote = Some(candidate);
            out.disarm(Timer::Stand);
            out.send(candidate, Msg::Yes);
        } else {
            out.send(candidate, Msg::No);
        }
    }

    /// Counts an answer. Once all are in it leads, or gives its votes back.
    fn counted(&mut self, cfg: &Config, vote: Option<NodeId>, out: &mut Outbox<Self>) {
        let Some((votes, left)) = &mut self.stands else { return };
        votes.extend(vote);
        *left -= 1;
        if *left > 0 {
            return;
        }
        let own = usize::from(self.vote == Some(self.me));
        let (votes, _) = self.stands.take().expect("it stands");
        if votes.len() + own > usize::from(cfg.nodes) / 2 {
            out.mark("is elected", self.me.0.into());
            out.broadcast(others(cfg, self.me), Msg::Lead);
            self.follow(self.me, out);
            return;
        }
        out.broadcast(votes, Msg::Back);
        if own > 0 {
            self.vote = None;
        }
        self.free(out);
    }

    /// Its vote may be its own again: then it stands again after a while.
    fn free(&mut self, out: &mut Outbox<Self>) {
        let free = self.vote.is_none() && self.stands.is_none() && self.leader.is_none();
        if free && !self.asked.is_empty() {
            out.arm(Timer::Stand, 1..=20);
        }
    }

    fn follow(&mut self, leader: NodeId, out: &mut Outbox<Self>) {
        self.leader = Some(leader);
        self.stands = None;
        out.disarm(Timer::Stand);
        for call in std::mem::take(&mut self.asked) {
            out.reply(call, leader);
        }
    }
}

fn others(cfg: &Config, me: NodeId) -> impl Iterator<Item = NodeId> + use<> {
    NodeId::all(cfg.nodes).filter(move |node| *node != me)
}

/// Nodes at which as many programs ask are interchangeable.
fn nodes_are_alike(numbers: &Numbers) -> Option<Symmetry<Election>> {
    let nodes = numbers.nodes as u8;
    let homes: Vec<_> = (0..numbers.clients).map(|n| NodeId((n % numbers.nodes) as u8)).collect();
    Symmetry::of(&NodeId::all(nodes).collect::<Vec<_>>(), nodes, &homes)
}

const ONE_LEADER: &str = "one leader";

/// Every node is asked, by a process of its own.
fn setup(numbers: &Numbers, config: Config, expect: Expect) -> Setup<Election> {
    let (nodes, ranked) = (numbers.nodes as u8, config.ranked);
    let calls = numbers.calls;
    let script = move |turn: &Turn<'_, Election>| {
        let node = NodeId((turn.program % u16::from(nodes)) as u8);
        (u32::from(turn.number) < calls).then_some((node, WhoLeads))
    };
    let agree = |_: &Config, (_, one): (NodeId, &Election), (_, other): (NodeId, &Election)| {
        one.leader.is_none() || other.leader.is_none() || one.leader == other.leader
    };
    Setup {
        links: Links::Fifo,
        properties: vec![Property::each_pair(ONE_LEADER, agree), Property::calls_return()],
        sometimes: vec!["is elected", "makes way", "stands again"],
        finishes: ranked,
        // A rank tells nodes apart.
        symmetry: nodes_are_alike(numbers).filter(|_| !ranked),
        expect,
        ..Setup::new(Config { nodes, ..config }, numbers, script)
    }
}

/// The scenarios of this file.
pub fn scenarios(catalogue: &mut Catalogue) {
    let size = |nodes| Numbers { nodes, clients: nodes, calls: 1, ..Numbers::default() };
    let ranked = Config { nodes: 0, ranked: true, votes_twice: false };
    let variants = [
        (
            "election/ranked",
            "A candidate makes way for a higher one: every call returns, in every fair run.",
            (ranked, Expect::Holds),
        ),
        (
            "election/polite",
            "All candidates keep their votes, and then make way: they may do so in step for ever.",
            (Config { ranked: false, ..ranked }, Expect::Breaks(CALLS_END)),
        ),
        (
            "election/votes-twice",
            "A voter votes for all who ask: two candidates have a majority, and lead.",
            (Config { votes_twice: true, ..ranked }, Expect::Breaks(ONE_LEADER)),
        ),
    ];
    for (name, about, (config, expect)) in variants {
        let card = Card { name, about, small: size(3), large: size(5) };
        catalogue.add(card, move |numbers| setup(numbers, config, expect));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::engine::check::{CheckOptions, check};
    use crate::engine::reduce::Reduce;

    /// Without its promise, by which each state is met for itself.
    fn found(ranked: bool, symmetry: bool, reduce: Reduce) -> (String, usize, Option<usize>) {
        let numbers = Numbers { nodes: 3, clients: 3, calls: 1, ..Numbers::default() };
        let config = Config { nodes: 0, ranked, votes_twice: false };
        let mut setup = setup(&numbers, config, Expect::Holds);
        setup.properties.truncate(1);
        setup.symmetry = nodes_are_alike(&numbers).filter(|_| symmetry);
        let found = check(&Arc::new(setup), CheckOptions { reduce, ..CheckOptions::default() });
        let whole = found.reduction.map(|reduction| reduction.states);
        (format!("{:?}", found.verdict), found.states, whole)
    }

    #[test]
    fn candidates_without_a_rank_are_alike() {
        let (verdict, all, _) = found(false, true, Reduce::None);
        let (reduced, states, whole) = found(false, true, Reduce::Symmetry);
        assert_eq!((verdict, Some(all)), (reduced, whole));
        assert!(states * 5 < all, "{states} of {all}");
    }

    #[test]
    fn who_makes_way_for_a_higher_one_tells_names_apart() {
        let (verdict, ..) = found(true, true, Reduce::Symmetry);
        assert!(verdict.contains("not interchangeable"), "{verdict}");
        assert!(verdict.contains("gets Ask from"), "the step is named: {verdict}");
    }
}
