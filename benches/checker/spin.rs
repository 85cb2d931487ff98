//! The Paxos yardstick as a text for SPIN: packed by hand into bit-fields, without the history and
//! the properties that the others carry along, and with every rule unrolled over the nodes, so that
//! SPIN has the best of it.
//!
//! A ballot is 3 times its round plus its server, an acceptance is 8 times its ballot plus its
//! proposal, and a proposal is its client plus 1; 0 is none of these. No link ever holds two
//! messages of a kind, so a field is a link's message, and 0 is none.

use std::fmt::Write;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

const SERVERS: usize = 3;

/// Whether SPIN and a C compiler are installed.
pub fn is_there() -> bool {
    let runs = |program: &str, flag: &str| Command::new(program).arg(flag).output().is_ok();
    runs("spin", "-V") && runs("gcc", "--version")
}

/// Exhausts the yardstick with SPIN's fastest exact search; returns states, transitions, seconds
/// and bytes.
pub fn exhaust(clients: usize) -> (usize, usize, f64, f64) {
    let folder = tempfile::tempdir().expect("a folder for SPIN");
    let run = |program: &Path, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).current_dir(folder.path()).output();
        let output = output.unwrap_or_else(|e| panic!("{} can't be run: {e}", program.display()));
        assert!(output.status.success(), "{}: {output:?}", program.display());
        String::from_utf8(output.stdout).expect("it writes text")
    };
    std::fs::write(folder.path().join("paxos.pml"), promela(clients)).expect("it can be written");
    run(Path::new("spin"), &["-a", "paxos.pml"]);
    let flags = ["-O2", "-DSAFETY", "-DNOREDUCE", "-DNOFAIR", "-o", "pan", "pan.c"];
    run(Path::new("gcc"), &flags);
    let table = if clients > 3 { "-w24" } else { "-w22" };
    let begin = Instant::now();
    let told = run(&folder.path().join("pan"), &["-m1000", table]);
    let seconds = begin.elapsed().as_secs_f64();
    let number = |what: &str| {
        let line =
            told.lines().find(|line| line.contains(what)).unwrap_or_else(|| panic!("{told}"));
        line.split_whitespace().next().and_then(|n| n.parse::<f64>().ok()).expect("a number")
    };
    let (states, transitions) = (number("states, stored"), number("transitions ("));
    let bytes = number("total actual memory usage") * 1_048_576.0;
    (states as usize, transitions as usize, seconds, bytes)
}

/// A process for each server and each client; what they share is what is in flight.
fn promela(clients: usize) -> String {
    let mut text = String::new();
    let out = &mut text;
    for (s, t) in (0..SERVERS).flat_map(|s| others(s).map(move |t| (s, t))) {
        say(out, format!("unsigned prepare{s}{t}:4, prepared{s}{t}:4, with{s}{t}:7;"));
        say(out, format!("unsigned accept{s}{t}:4, value{s}{t}:3, agreed{s}{t}:4;"));
        say(out, format!("unsigned decided{s}{t}:4, chosen{s}{t}:3;"));
    }
    for c in 0..clients {
        say(out, format!("unsigned put{c}:1 = 1, stored{c}:3, get{c}:1, got{c}:3;"));
    }
    for s in 0..SERVERS {
        let knows = format!(
            "unsigned ballot{s}:4, proposal{s}:3, accepted{s}:7, accepts{s}:3, done{s}:1, \
             promise{s}0:7, promise{s}1:7, promise{s}2:7;"
        );
        process(out, &format!("server{s}"), &knows, &server(s, clients));
    }
    for c in 0..clients {
        process(out, &format!("client{c}"), &format!("unsigned waits{c}:2;"), &client(c));
    }
    text
}

fn process(out: &mut String, name: &str, knows: &str, rules: &[String]) {
    say(out, format!("active proctype {name}() {{ {knows} end: do"));
    rules.iter().for_each(|rule| say(out, format!(":: d_step {{ {rule} }}")));
    say(out, "od }".to_owned());
}

fn say(out: &mut String, line: String) {
    writeln!(out, "{line}").expect("a string takes every line");
}

fn others(s: usize) -> impl Iterator<Item = usize> {
    (0..SERVERS).filter(move |t| *t != s)
}

/// The rules of a server, each a guard and what follows.
fn server(s: usize, clients: usize) -> Vec<String> {
    let mut rules = Vec::new();
    for c in (s..clients).step_by(SERVERS) {
        let prepares: String =
            others(s).map(|t| format!("promise{s}{t} = 0; prepare{s}{t} = ballot{s}; ")).collect();
        rules.push(format!(
            "(!done{s} && !proposal{s} && put{c}) -> put{c} = 0; proposal{s} = {}; \
             accepts{s} = 0; ballot{s} = 3 * (ballot{s} / 3 + 1) + {s}; \
             promise{s}{s} = accepted{s} + 1; {prepares}",
            c + 1
        ));
    }
    for t in others(s) {
        let third = SERVERS - s - t;
        let majority: String = others(s)
            .map(|u| format!("accept{s}{u} = ballot{s}; value{s}{u} = proposal{s}; "))
            .collect();
        let decides: String = others(s)
            .map(|u| format!("decided{s}{u} = ballot{s}; chosen{s}{u} = proposal{s}; "))
            .collect();
        let answers: String = (0..clients)
            .map(|c| {
                format!(":: (proposal{s} == {}) -> stored{c} = stored{c} | {} ", c + 1, 1 << s)
            })
            .collect();
        rules.extend([
            format!(
                "(!done{s} && prepare{t}{s} > ballot{s}) -> ballot{s} = prepare{t}{s}; \
                 prepared{s}{t} = prepare{t}{s}; with{s}{t} = accepted{s}; prepare{t}{s} = 0"
            ),
            format!(
                "(!done{s} && prepared{t}{s} && prepared{t}{s} == ballot{s}) -> \
                 promise{s}{t} = with{t}{s} + 1; prepared{t}{s} = 0; with{t}{s} = 0; \
                 if :: (!promise{s}{third}) -> \
                   if :: (promise{s}{s} >= promise{s}{t} && promise{s}{s} > 1) -> \
                         proposal{s} = (promise{s}{s} - 1) % 8 \
                      :: (promise{s}{t} > promise{s}{s} && promise{s}{t} > 1) -> \
                         proposal{s} = (promise{s}{t} - 1) % 8 \
                      :: else fi; \
                   accepted{s} = 8 * ballot{s} + proposal{s}; accepts{s} = {}; {majority} \
                 :: else fi",
                1 << s
            ),
            format!(
                "(!done{s} && accept{t}{s} && accept{t}{s} >= ballot{s}) -> \
                 ballot{s} = accept{t}{s}; accepted{s} = 8 * ballot{s} + value{t}{s}; \
                 agreed{s}{t} = accept{t}{s}; accept{t}{s} = 0; value{t}{s} = 0"
            ),
            format!(
                "(!done{s} && agreed{t}{s} && agreed{t}{s} == ballot{s}) -> agreed{t}{s} = 0; \
                 accepts{s} = accepts{s} | {}; done{s} = 1; {decides} if {answers} fi",
                1 << t
            ),
            format!(
                "(!done{s} && decided{t}{s}) -> ballot{s} = decided{t}{s}; \
                 accepted{s} = 8 * ballot{s} + chosen{t}{s}; done{s} = 1; decided{t}{s} = 0; \
                 chosen{t}{s} = 0"
            ),
        ]);
    }
    let asked = (0..clients).filter(|c| (c + 1) % SERVERS == s);
    rules.extend(
        asked.map(|c| format!("(done{s} && get{c}) -> get{c} = 0; got{c} = accepted{s} % 8")),
    );
    rules
}

/// The rules of a client.
fn client(c: usize) -> Vec<String> {
    let stored = (0..SERVERS).map(|s| 1 << s).map(|bit| {
        format!(
            "(!waits{c} && (stored{c} & {bit})) -> stored{c} = stored{c} & {}; waits{c} = 1; \
             get{c} = 1",
            7 - bit
        )
    });
    let got = format!("(waits{c} == 1 && got{c}) -> got{c} = 0; waits{c} = 2");
    stored.chain([got]).collect()
}
