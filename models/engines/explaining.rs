//! Explaining a violation: its causal past, and the step from which on there was no way back.

use std::sync::Arc;

use seedbed::engine::trace::{Replayed, replay};
use seedbed::engine::turning::{STATES_MAX, drawn as explained, point_of_no_return};
use seedbed::engine::verify::{Examiner, Violation};
use seedbed::protocol::{Input, NodeId, Outbox};
use seedbed::report::diagram::{Diagram, Fate, diagram};
use seedbed::report::svg;
use seedbed::world::{Faults, Numbers, Property, Setup};

use crate::toys::{N0, N1, Toy, idle, listen, toys};

/// A call draws a lot; a bad one is sent to the next node, which must not hear of it.
fn lots(toy: &mut Toy, input: Input<Toy>, out: &mut Outbox<Toy>) {
    if let Input::Call(call, op) = input {
        if out.choose(2) == 1 {
            out.send(if toy.me == N0 { N1 } else { N0 }, 7);
        }
        out.reply(call, op);
    } else {
        listen(toy, input, out);
    }
}

fn setup(clients: u32) -> Arc<Setup<Toy>> {
    let faults = Faults { losses: 1, ..Faults::default() };
    let numbers = Numbers { nodes: 3, clients, calls: 1, faults, ..Numbers::default() };
    let mut setup = toys(numbers, idle, lots);
    let deaf = |_: &_, me: NodeId, toy: &Toy| me != N1 || toy.log.is_empty();
    setup.properties = vec![Property::each_node("hears nothing", deaf)];
    Arc::new(setup)
}

fn replayed(setup: &Arc<Setup<Toy>>, steps: &[&str]) -> Replayed<Toy> {
    let words: Vec<_> = steps.iter().map(|words| (*words).to_owned()).collect();
    replay(setup, &words).expect("the steps are enabled")
}

const UNRELATED: &str = "p2#0 calls 0 at n2, drawing 1";
const BAD: [&str; 2] = ["p0#0 calls 0 at n0, drawing 1", "n1 gets 7 from n0"];

#[test]
fn there_is_no_way_back_once_the_message_is_on_its_way() {
    let setup = setup(3);
    let found = replayed(&setup, &["start", UNRELATED, BAD[0], "n0 gets 7 from n2", BAD[1]]);
    assert!(found.violation.is_some());
    // Losses may save it, but a fault is nothing to rely on.
    assert_eq!(point_of_no_return(&found.path, &Examiner::new(&setup), STATES_MAX), Some(2));
    let sound = replayed(&setup, &["start", UNRELATED]);
    assert_eq!(point_of_no_return(&sound.path, &Examiner::new(&setup), STATES_MAX), None);
}

fn drawn(steps: &[&str]) -> Diagram {
    let found = replayed(&setup(3), steps);
    diagram(&found.path, found.violation.as_ref())
}

#[test]
fn what_did_not_lead_there_is_greyed() {
    let drawn = drawn(&["start", UNRELATED, BAD[0], BAD[1]]);
    let matters: Vec<_> = drawn.rows.iter().map(|row| row.matters).collect();
    assert_eq!(matters, [true, false, true, true]);
    let carried: Vec<_> = drawn.messages.iter().map(|m| drawn.carries(m)).collect();
    assert_eq!(carried, [false, true]);
    assert_eq!(drawn.broken.as_deref(), Some("hears nothing: n1 breaks it"));
}

#[test]
fn whoever_the_reason_names_matters() {
    let found = replayed(&setup(3), &["start", UNRELATED, BAD[0], BAD[1]]);
    for (reason, matters) in [("process 2's call", true), ("p2 0 -> 0", true), ("p0#0", false)] {
        let violation = Violation::new("hears nothing", reason);
        assert_eq!(diagram(&found.path, Some(&violation)).rows[1].matters, matters, "{reason}");
    }
}

#[test]
fn the_drawing_marks_the_point_of_no_return() {
    let setup = setup(3);
    let found = replayed(&setup, &["start", UNRELATED, BAD[0], BAD[1]]);
    let within = |states_max| {
        explained(&found.path, found.violation.as_ref(), &Examiner::new(&setup), states_max)
    };
    let (drawn, turn) = within(STATES_MAX);
    assert_eq!((drawn.no_return, turn), (Some(2), Some(2)));
    let picture = svg::draw(&drawn, svg::Scale::Step);
    assert!(picture.contains("no way back") && picture.contains("class='past'"), "{picture}");
    assert_eq!(within(0).1, None, "what takes more states is not said");
}

#[test]
fn a_diagram_knows_what_became_of_messages_and_calls() {
    let drawn = drawn(&["start", UNRELATED, "lost: 7 from n2 to n0", BAD[0], BAD[1]]);
    let fates: Vec<_> = drawn.messages.iter().map(|m| (m.from, m.to, m.sent, m.fate)).collect();
    assert_eq!(fates, [(2, 0, 1, Fate::Lost(2)), (0, 1, 3, Fate::Arrived(4))]);
    let calls: Vec<_> =
        drawn.calls.iter().map(|c| (c.program, c.node, c.from, c.end.clone())).collect();
    assert_eq!(calls, [(2, 2, 1, Some((1, "0".into()))), (0, 0, 3, Some((3, "0".into())))]);
}
