//! Export to ShiViz (Beschastnikh and others, "Debugging Distributed Systems", 2016): a log of
//! events with vector clocks. Its parser's own expression reads it:
//! `(?<host>\S*) (?<clock>{.*})\n(?<event>.*)`.

use std::collections::BTreeMap;

use super::diagram::{Diagram, Fate, Kind};

type Clock = BTreeMap<String, u64>;

/// Writes a run as a log for ShiViz: hosts are programs, nodes and, for what no node does, the
/// network.
pub fn export(diagram: &Diagram) -> String {
    let mut log = Log { clocks: BTreeMap::new(), text: String::new() };
    let mut after_row: Vec<Clock> = Vec::with_capacity(diagram.rows.len());
    for (n, row) in diagram.rows.iter().enumerate() {
        let mut sources: Vec<Clock> = Vec::new();
        let ended = diagram.messages.iter().filter(|message| match message.fate {
            Fate::Arrived(at) | Fate::Lost(at) => at == n && message.sent < n,
            Fate::InFlight => false,
        });
        sources.extend(ended.map(|message| after_row[message.sent].clone()));
        for call in diagram.calls.iter().filter(|call| call.from == n) {
            let words = format!("calls {} at n{}", call.op, call.node);
            sources.push(log.event(&format!("p{}", call.program), &[], &words));
        }
        let clock = match (row.kind, row.node) {
            (Kind::Start | Kind::Time, _) => Clock::new(),
            (_, Some(node)) => log.event(&format!("n{node}"), &sources, &row.words),
            (_, None) => log.event("network", &sources, &row.words),
        };
        for call in &diagram.calls {
            if let Some((_, how)) = call.end.as_ref().filter(|end| end.0 == n) {
                let host = format!("p{}", call.program);
                log.event(&host, std::slice::from_ref(&clock), &format!("returns {how}"));
            }
        }
        after_row.push(clock);
    }
    log.text
}

struct Log {
    clocks: BTreeMap<String, Clock>,
    text: String,
}

impl Log {
    /// Notes an event that follows from others, and returns its clock.
    fn event(&mut self, host: &str, sources: &[Clock], words: &str) -> Clock {
        let clock = self.clocks.entry(host.to_owned()).or_default();
        for (other, count) in sources.iter().flatten() {
            let known = clock.entry(other.clone()).or_default();
            *known = (*known).max(*count);
        }
        *clock.entry(host.to_owned()).or_default() += 1;
        let clock = clock.clone();
        let shown = serde_json::to_string(&clock).expect("a clock is plain data");
        self.text += &format!("{host} {shown}\n{}\n", words.replace('\n', " "));
        clock
    }
}

#[cfg(test)]
mod tests {
    use super::super::diagram::{Call, Message, Row};
    use super::*;

    fn row(step: usize, words: &str, node: usize, kind: Kind) -> Row {
        let (words, marks) = (words.to_owned(), Vec::new());
        Row { step, time: 0, words, node: Some(node), kind, marks, matters: true }
    }

    #[test]
    fn clocks_follow_calls_and_messages() {
        let call = Call {
            program: 0,
            name: "p0#0".to_owned(),
            node: 0,
            op: "Get".to_owned(),
            from: 1,
            end: Some((2, "7".to_owned())),
        };
        let (fate, text) = (Fate::Arrived(2), "Ask".to_owned());
        let message = Message { from: 0, to: 1, text, sent: 1, fate, copy: false };
        let diagram = Diagram {
            programs: 1,
            nodes: 2,
            rows: vec![
                Row { node: None, ..row(0, "start", 0, Kind::Start) },
                row(1, "p0#0 calls Get at n0", 0, Kind::Call),
                row(2, "n1 gets Ask from n0", 1, Kind::Arrival),
            ],
            messages: vec![message],
            calls: vec![call],
            ..Diagram::default()
        };
        let expected = "p0 {\"p0\":1}\ncalls Get at n0\n\
            n0 {\"n0\":1,\"p0\":1}\np0#0 calls Get at n0\n\
            n1 {\"n0\":1,\"n1\":1,\"p0\":1}\nn1 gets Ask from n0\n\
            p0 {\"n0\":1,\"n1\":1,\"p0\":2}\nreturns 7\n";
        assert_eq!(export(&diagram), expected);
    }
}
