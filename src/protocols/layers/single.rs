//! A service with one server: node 0 holds the object, the other nodes ask it.
//!
//! Guarantees: the object is linearizable over links that lose, repeat and reorder, and across
//! crashes of any node, since a request carries the name of its call, the server applies each once
//! (Birrell and Nelson, "Implementing Remote Procedure Calls", 1984), and saves what it applied
//! before it answers. A node asks again a bounded number of times, and then gives up without
//! knowing. The broken variant applies a repeated request again.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::hash::Hash;

use serde::{Deserialize, Serialize};

use crate::object::Object;
use crate::protocol::{CallId, Input, NodeId, Outbox, Protocol};

use super::Service;
use super::sessions::{Sessions, SessionsOf};

const SERVER: NodeId = NodeId(0);

/// The configuration.
#[derive(Clone, Copy, Debug)]
pub struct Config<O> {
    /// What the server holds.
    pub object: O,
    /// How often a node asks again before it gives up; 0: it asks once, and waits.
    pub retries: u8,
    /// Broken: a repeated request is applied again.
    pub forgets: bool,
}

/// What nodes say to each other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Msg<Op, Ret> {
    /// To the server.
    Request(CallId, Op),
    /// From the server.
    Answer(CallId, Ret),
}

/// A node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Single<O: Object> {
    /// Node 0.
    Server(SessionsOf<O>),
    /// Every other node: what it waits for, and how often it has asked again.
    Client(BTreeMap<CallId, (O::Op, u8)>),
}

impl<O: Object + Eq + Hash> Protocol for Single<O> {
    type Config = Config<O>;
    type Msg = Msg<O::Op, O::Ret>;
    type Timer = CallId;
    type Disk = Option<SessionsOf<O>>;
    type Op = O::Op;
    type Ret = O::Ret;

    fn boot(cfg: &Config<O>, me: NodeId, disk: Self::Disk, _: &mut Outbox<Self>) -> Self {
        if me == SERVER {
            Single::Server(disk.unwrap_or_else(|| Sessions::new(cfg.object.init())))
        } else {
            Single::Client(BTreeMap::new())
        }
    }

    fn step(&mut self, cfg: &Config<O>, input: Input<Self>, out: &mut Outbox<Self>) {
        match self {
            Single::Server(sessions) => serve(sessions, cfg, input, out),
            Single::Client(open) => ask(open, cfg, input, out),
        }
    }
}

impl<O: Object + Eq + Hash> Service for Single<O> {
    type Of = O;
}

fn serve<O: Object + Eq + Hash>(
    sessions: &mut SessionsOf<O>,
    cfg: &Config<O>,
    input: Input<Single<O>>,
    out: &mut Outbox<Single<O>>,
) {
    match input {
        Input::Recv(from, Msg::Request(id, op)) => {
            let before = sessions.clone();
            let Some(ret) = sessions.apply(&cfg.object, id, &op, cfg.forgets) else { return };
            if *sessions == before {
                out.mark("answers again", id.process.0.into());
            } else {
                out.save(Some(sessions.clone()));
                out.sync();
            }
            out.send(from, Msg::Answer(id, ret));
        }
        Input::Call(id, _) => out.fail(id),
        _ => {}
    }
}

fn ask<O: Object + Eq + Hash>(
    open: &mut BTreeMap<CallId, (O::Op, u8)>,
    cfg: &Config<O>,
    input: Input<Single<O>>,
    out: &mut Outbox<Single<O>>,
) {
    match input {
        Input::Call(id, op) => {
            open.insert(id, (op.clone(), 0));
            request(id, op, cfg, out);
        }
        Input::Recv(_, Msg::Answer(id, ret)) => {
            if open.remove(&id).is_some() {
                if cfg.retries > 0 {
                    out.disarm(id);
                }
                out.reply(id, ret);
            }
        }
        Input::Fired(id) => match open.get_mut(&id) {
            Some((op, asked)) if *asked < cfg.retries => {
                *asked += 1;
                request(id, op.clone(), cfg, out);
            }
            Some(_) => {
                open.remove(&id);
                out.give_up(id);
            }
            None => {}
        },
        Input::Cancel(id) => {
            if open.remove(&id).is_some() && cfg.retries > 0 {
                out.disarm(id);
            }
        }
        Input::Recv(_, Msg::Request(..)) => {}
    }
}

fn request<O: Object + Eq + Hash>(
    id: CallId,
    op: O::Op,
    cfg: &Config<O>,
    out: &mut Outbox<Single<O>>,
) {
    out.send(SERVER, Msg::Request(id, op));
    if cfg.retries > 0 {
        out.arm(id, 10..=20);
    }
}
