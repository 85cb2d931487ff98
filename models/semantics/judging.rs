//! What the history of a world may lack: each reason by which a judge says so, in its words, from
//! the property and from the checker, which takes none of them for a pass.

use std::sync::Arc;

use seedbed::engine::check::{CheckOptions, Verdict, check};
use seedbed::history::{Sync, SyncKind};
use seedbed::object::{Mutex, Register, mutex, register};
use seedbed::protocol::{Input, Outbox};
use seedbed::world::{HistoryForm, Judged, Numbers, Property, Setup};

use crate::toys::{Toy, go, idle, quiet, start, toys};

const UNTIMED: &str = "the history does not say which calls returned before which others were made";

/// A program writes, and its node answers at once.
fn setup(form: HistoryForm) -> Setup<Toy> {
    let answers = |_: &mut Toy, input: Input<Toy>, out: &mut Outbox<Toy>| {
        if let Input::Call(call, _) = input {
            out.reply(call, 7);
        }
    };
    let mut setup = toys(Numbers { clients: 1, calls: 1, ..quiet(1) }, idle, answers);
    setup.history = form;
    setup
}

fn judged(form: HistoryForm, property: &Property<Toy>) -> Judged {
    let Property::History(_, judge) = property else { panic!("it reads the history") };
    judge(&go(&start(setup(form)), &["p0#0 calls 0 at n0"]).system.history)
}

type OfRegister = (register::Op<u8>, Option<register::Ret<u8>>);

fn writes(op: &u8, ret: Option<&u8>) -> Option<OfRegister> {
    Some((register::Op::Write(*op), ret.map(|_| register::Ret::Done)))
}

fn locks(op: &u8, ret: Option<&u8>) -> Option<(mutex::Op, Option<mutex::Ret>)> {
    Some((mutex::Op::Lock((*op).into()), ret.map(|_| mutex::Ret::Done)))
}

fn of_register(model: &str) -> Property<Toy> {
    Property::consistent(model, Register { initial: 0 }, writes)
}

#[test]
fn what_a_history_lacks_is_said_and_is_no_pass() {
    use HistoryForm::{ProgramOrder, RealTime};
    let linearizable = || Property::linearizable(Register { initial: 0 }, writes);
    let lock = Property::consistent("pram", Mutex, locks);
    let neither = "the model is about reads and writes, and Lock(0) is neither";
    for (property, form, expected) in [
        (linearizable(), RealTime, Ok(())),
        (linearizable(), ProgramOrder, Err(UNTIMED)),
        (of_register("regular"), RealTime, Ok(())),
        (of_register("regular"), ProgramOrder, Err(UNTIMED)),
        (of_register("linearizable"), ProgramOrder, Err(UNTIMED)),
        (of_register("sequential"), ProgramOrder, Ok(())),
        (Property::consistent("sequential", Mutex, locks), ProgramOrder, Ok(())),
        (lock, RealTime, Err(neither)),
    ] {
        let expected = match expected {
            Ok(()) => Judged::Holds,
            Err(why) => Judged::NotApplicable(why.to_owned()),
        };
        assert_eq!(judged(form, &property), expected, "{} by {form:?}", property.name());
        let name = property.name();
        let mut setup = setup(form);
        setup.properties = vec![property];
        match (check(&Arc::new(setup), CheckOptions::default()).verdict, expected) {
            (Verdict::Holds, Judged::Holds) => (),
            (Verdict::Violated(found), Judged::NotApplicable(why)) => {
                assert_eq!((found.property, found.reason), (format!("{name} can be judged"), why));
            }
            other => panic!("{name} by {form:?}: {other:?}"),
        }
    }
}

/// Before anything has synchronised there is nothing to judge yet; then there is.
#[test]
fn labels_are_needed_once_something_synchronises() {
    let labelled = |synchronises: bool| {
        let label = move |_: &u8| {
            let sync = Sync { kind: SyncKind::Release, object: "l".to_owned(), grant: 0 };
            synchronises.then_some(sync)
        };
        Property::labelled("release-sc", Register { initial: 0 }, writes, label)
    };
    for synchronises in [false, true] {
        let verdict = judged(HistoryForm::ProgramOrder, &labelled(synchronises));
        assert_eq!(verdict, Judged::Holds);
    }
}

/// What no history of a world provides is refused when the scenario is made.
#[test]
fn what_no_history_could_provide_is_refused_at_once() {
    for (model, why) in [
        ("release-sc", "the history does not say which calls synchronise"),
        ("entry", "the history does not say which calls synchronise"),
        ("eventual", "the history does not say when the system was quiescent"),
        ("strong", "there is no model strong"),
    ] {
        let refused = std::panic::catch_unwind(|| of_register(model)).err().expect("a refusal");
        let words = refused.downcast_ref::<String>().expect("words");
        assert!(words.ends_with(why), "{model}: {words}");
    }
    let guards = || {
        let label = |_: &u8| None;
        Property::<Toy>::labelled("entry", Register { initial: 0 }, writes, label)
    };
    let refused = std::panic::catch_unwind(guards).err().expect("a refusal");
    let words = refused.downcast_ref::<String>().expect("words");
    assert!(words.ends_with("the history does not say which lock guards which key"), "{words}");
}
