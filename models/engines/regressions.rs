//! The corpus: a kept trace of a scenario that is to hold must not break it, now or ever again, and
//! a log of the shell is followed in the world that the shell was configured for.

use std::path::Path;

use seedbed::catalogue::{Card, Catalogue};
use seedbed::engine::regressions::replay_file;
use seedbed::engine::trace::{TraceFile, VERSION};
use seedbed::protocol::{Input, NodeId, Outbox};
use seedbed::world::{Numbers, Property};

use crate::toys::{N0, N1, Step, Toy, idle, listen, toys};

/// A call at node 0 tells node 1, which must not hear of it.
fn tells(toy: &mut Toy, input: Input<Toy>, out: &mut Outbox<Toy>) {
    if let Input::Call(call, op) = input {
        out.send(N1, 7);
        out.reply(call, op);
    } else {
        listen(toy, input, out);
    }
}

/// The same without the bug.
fn keeps_quiet(_: &mut Toy, input: Input<Toy>, out: &mut Outbox<Toy>) {
    if let Input::Call(call, op) = input {
        // Something happens, so that the trace can be followed.
        out.send(N0, 7);
        out.reply(call, op);
    }
}

fn numbers() -> Numbers {
    Numbers { nodes: 2, clients: 1, calls: 1, ..Numbers::default() }
}

/// One scenario, which is to hold; whether it has the bug depends on its numbers.
fn catalogue(has_the_bug: fn(&Numbers) -> bool) -> Catalogue {
    let (small, large) = (numbers(), numbers());
    let card = Card { name: "toy/quiet", about: "node 1 hears nothing", small, large };
    let mut catalogue = Catalogue::new();
    catalogue.add(card, move |numbers| {
        let step: Step = if has_the_bug(numbers) { tells } else { keeps_quiet };
        let mut setup = toys(numbers.clone(), idle, step);
        let deaf = |_: &_, me: NodeId, toy: &Toy| me != N1 || toy.log.is_empty();
        setup.properties = vec![Property::each_node("hears nothing", deaf)];
        setup
    });
    catalogue
}

fn kept(folder: &Path, hosted: Option<Numbers>) -> std::path::PathBuf {
    let file = TraceFile {
        version: VERSION,
        scenario: "toy/quiet".to_owned(),
        from: "a person".to_owned(),
        violation: None,
        kept_by: None,
        numbers: numbers(),
        hosted,
        trace: ["start", "p0#0 calls 0 at n0", "n1 gets 7 from n0"].map(str::to_owned).to_vec(),
        cycle: None,
    };
    let path = folder.join("kept.json");
    file.write(&path).expect("it can be written");
    path
}

#[test]
fn what_is_mended_stays_mended() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = kept(folder.path(), None);
    assert_eq!(replay_file(&catalogue(|_| false), &path).expect("it is mended"), "toy/quiet");
    let refused = replay_file(&catalogue(|_| true), &path).expect_err("it breaks again");
    assert!(refused.reason.contains("toy/quiet breaks hears nothing"), "{refused}");
}

#[test]
fn a_log_of_the_shell_is_followed_as_the_shell_was_configured() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = kept(folder.path(), Some(Numbers { patience: 3, ..numbers() }));
    let refused = replay_file(&catalogue(|numbers| numbers.patience == 3), &path);
    let refused = refused.expect_err("with that patience it breaks");
    assert!(refused.reason.contains("toy/quiet breaks hears nothing"), "{refused}");
    assert!(replay_file(&catalogue(|numbers| numbers.patience == 0), &path).is_ok());
}
