//! The services by themselves: processes call a map directly, and its histories are judged. This is
//! the lower boundary of every recipe that runs over them.
//!
//! `one-step`, `one-server` and `replicated` are linearizable under losses, repeats and crashes.
//! `forgets-requests` takes a repeated request for a new one, and `leaps` proposes a command in a
//! second slot while the first may still decide it: both apply a command twice, and a text to which
//! every process adds its letter shows it.

use crate::catalogue::{Card, Catalogue};
use crate::object::{Kv, kv};
use crate::protocol::NodeId;
use crate::protocols::consensus::synod::Rules;
use crate::world::{Expect, Faults, HistoryForm, Numbers, Property, Setup, Turn};

use super::{Atomic, Replicated, Service, Single, replicated, single};

/// Every process adds its letter to one text and looks at it, in turn: a letter that is added
/// twice, or not at all, shows.
fn setup<S: Service<Of = Kv>>(
    config: S::Config,
    numbers: &Numbers,
    home: impl Fn(u16) -> NodeId + Send + Sync + 'static,
) -> Setup<S> {
    let calls = numbers.calls;
    let script = move |turn: &Turn<'_, S>| {
        let letter = char::from(b'a' + (turn.program % 26) as u8);
        let op = if turn.number.is_multiple_of(2) {
            kv::Op::append("text", letter)
        } else {
            kv::Op::get("text")
        };
        (u32::from(turn.number) < calls).then(|| (home(turn.program), op))
    };
    Setup {
        history: HistoryForm::RealTime,
        properties: vec![Property::linearizable(Kv, |op: &kv::Op, ret: Option<&kv::Ret>| {
            Some((op.clone(), ret.cloned()))
        })],
        ..Setup::new(config, numbers, script)
    }
}

/// As many further attempts as there are faults that can swallow one.
pub fn retries(numbers: &Numbers) -> u8 {
    let faults = &numbers.faults;
    u8::try_from(faults.losses + faults.crashes).unwrap_or(u8::MAX)
}

fn one_step(numbers: &Numbers) -> Setup<Atomic<Kv>> {
    setup(Kv, &Numbers { nodes: 1, ..numbers.clone() }, |_| NodeId(0))
}

fn one_server(numbers: &Numbers, forgets: bool) -> Setup<Single<Kv>> {
    let numbers = Numbers { nodes: numbers.clients + 1, ..numbers.clone() };
    let config = single::Config { object: Kv, retries: retries(&numbers), forgets };
    let sometimes = vec!["answers again"];
    Setup { sometimes, ..setup(config, &numbers, |n| NodeId(n as u8 + 1)) }
}

fn replicated(numbers: &Numbers, leaps: bool) -> Setup<Replicated<Kv>> {
    let servers = numbers.nodes as u8;
    let rules = Rules::of(servers);
    let config = replicated::Config { object: Kv, rules, retries: retries(numbers), leaps };
    let home = move |n| NodeId((n % u16::from(servers)) as u8);
    Setup { sometimes: vec!["follows"], ..setup(config, numbers, home) }
}

/// The scenarios of this file.
pub fn scenarios(catalogue: &mut Catalogue) {
    let size = |nodes, clients, calls, faults| Numbers {
        nodes,
        clients,
        calls,
        faults,
        ..Numbers::default()
    };
    let crashes = |crashes| Faults { crashes, torn: crashes, ..Faults::default() };
    let rough = Faults { losses: 3, duplicates: 3, ..crashes(2) };
    let broken = Expect::Breaks("linearizable");
    let card = Card {
        name: "service/one-step",
        about: "A map that applies every call at once: linearizable, crashes or not.",
        small: size(1, 3, 2, crashes(1)),
        large: size(1, 4, 6, crashes(3)),
    };
    catalogue.add(card, one_step);
    let servers = [
        ("service/one-server", "A map at one server: each request is applied once.", false),
        ("service/forgets-requests", "Repeated requests are applied again.", true),
    ];
    for (name, about, forgets) in servers {
        let small = size(3, 2, 2, Faults { losses: 1, ..Faults::default() });
        let card = Card { name, about, small, large: size(4, 3, 4, rough.clone()) };
        let expect = if forgets { broken } else { Expect::Holds };
        catalogue.add(card, move |n| Setup { expect, ..one_server(n, forgets) });
    }
    let logs = [
        (
            "service/replicated",
            "A map as a log decided by Paxos: each command is in one slot.",
            false,
        ),
        ("service/leaps", "Commands are tried again in a later slot, and are applied twice.", true),
    ];
    for (name, about, leaps) in logs {
        let small = size(2, 1, 2, Faults { losses: 1, ..Faults::default() });
        let card = Card { name, about, small, large: size(3, 3, 4, rough.clone()) };
        let expect = if leaps { broken } else { Expect::Holds };
        catalogue.add(card, move |n| Setup { expect, ..replicated(n, leaps) });
    }
}
