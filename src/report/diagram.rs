//! A run as a space-time diagram, before anybody draws it: lanes for client programs and nodes, a
//! row for each step, calls as intervals, messages from the step that sent them to the step that
//! took them in, and what nodes and links were not able to do in between.

use crate::engine::verify::Violation;
use crate::protocol::{CallId, Checkable, NodeId, Outcome};
use crate::world::{Action, Flight, Happening, Status, World};

use super::value::brief;

/// A run, ready to be drawn.
#[derive(Clone, Debug, Default)]
pub struct Diagram {
    /// How many client programs.
    pub programs: usize,
    /// How many nodes.
    pub nodes: usize,
    /// Whether ticks pass.
    pub timed: bool,
    /// What happened, the start first.
    pub rows: Vec<Row>,
    /// The messages, in the order in which they were sent.
    pub messages: Vec<Message>,
    /// The calls, in the order in which they were made.
    pub calls: Vec<Call>,
    /// When nodes were down, paused or not there.
    pub spans: Vec<Span>,
    /// The partitions: from which row to which, and which.
    pub cuts: Vec<(usize, usize, String)>,
    /// What is broken in the end.
    pub broken: Option<String>,
    /// The row after which it could not be avoided any more.
    pub no_return: Option<usize>,
}

/// One step.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its number in the trace; 0 is the start.
    pub step: usize,
    /// The ticks that have passed.
    pub time: u64,
    /// What happened, in plain words.
    pub words: String,
    /// The node at which it happened, if it did at one.
    pub node: Option<usize>,
    /// What kind of thing it is.
    pub kind: Kind,
    /// The marks that it put out.
    pub marks: Vec<String>,
    /// Whether it is in the causal past of what is broken; all are where nothing is.
    pub matters: bool,
}

/// The kinds of step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The world starts.
    Start,
    /// A message arrives.
    Arrival,
    /// A timer fires.
    Timer,
    /// A call is made.
    Call,
    /// A node starts, or goes on.
    Recovery,
    /// A fault.
    Fault,
    /// Time passes.
    Time,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It arrived at this row.
    Arrived(usize),
    /// It was lost at this row.
    Lost(usize),
    /// It is still in flight.
    InFlight,
}

/// One message.
#[derive(Clone, Debug)]
pub struct Message {
    /// Who sent it.
    pub from: usize,
    /// Whom it was for.
    pub to: usize,
    /// What it says.
    pub text: String,
    /// The row that sent it.
    pub sent: usize,
    /// What became of it.
    pub fate: Fate,
    /// Whether it is a copy.
    pub copy: bool,
}

/// One call.
#[derive(Clone, Debug)]
pub struct Call {
    /// The program that made it.
    pub program: usize,
    /// Its name.
    pub name: String,
    /// The node at which it was made.
    pub node: usize,
    /// What was asked.
    pub op: String,
    /// The row that made it.
    pub from: usize,
    /// The row that ended it, and how; `None` if it is still open.
    pub end: Option<(usize, String)>,
}

/// A time in which a node took no inputs.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// The node.
    pub node: usize,
    /// From which row.
    pub from: usize,
    /// To which row.
    pub to: usize,
    /// Why.
    pub status: Status,
}

/// The diagram of a path of worlds and the actions between them.
pub fn diagram<P: Checkable>(
    path: &[(World<P>, Option<Action<P>>)],
    violation: Option<&Violation>,
) -> Diagram {
    let Some((first, _)) = path.first() else { return Diagram::default() };
    let mut drawn = Diagram {
        programs: first.system.programs.len(),
        nodes: first.system.nodes.len(),
        timed: first.system.setup.timed(),
        ..Diagram::default()
    };
    drawn.rows.push(Row::new(0, 0, "start".to_owned(), Kind::Start));
    drawn.sends(&[], &first.waiting.flights, 0, false);
    drawn.statuses(None, first, 0);
    let mut time = 0;
    for (n, step) in path.windows(2).enumerate() {
        let [(before, Some(action)), (after, _)] = step else { continue };
        if let Happening::Tick(ticks) = action.did {
            time += u64::from(ticks);
            if drawn.ticks_on(n + 1, time, ticks) {
                continue;
            }
        }
        drawn.step(n + 1, time, before, action, after);
    }
    drawn.end();
    drawn.broken = violation.map(Violation::to_string);
    if let Some(violation) = violation {
        drawn.find_what_matters(&violation.reason);
    }
    drawn
}

impl Row {
    fn new(step: usize, time: u64, words: String, kind: Kind) -> Row {
        Row { step, time, words, node: None, kind, marks: Vec::new(), matters: true }
    }
}

fn kind_of<P: Checkable>(action: &Action<P>) -> Kind {
    match action.did {
        _ if action.is_fault() && !matches!(action.did, Happening::Join(_)) => Kind::Fault,
        Happening::Start => Kind::Start,
        Happening::Deliver(..) => Kind::Arrival,
        Happening::Fire(..) => Kind::Timer,
        Happening::Call(..) => Kind::Call,
        Happening::Tick(_) => Kind::Time,
        _ => Kind::Recovery,
    }
}

impl Diagram {
    /// Lets more time pass in the last row, if that is what it is about.
    fn ticks_on(&mut self, step: usize, time: u64, ticks: u32) -> bool {
        let Some(last) = self.rows.last_mut().filter(|row| row.kind == Kind::Time) else {
            return false;
        };
        let before = last.words.trim_start_matches("tick ").parse().unwrap_or(0u32);
        (last.step, last.time) = (step, time);
        last.words = format!("tick {}", before + ticks);
        true
    }

    fn step<P: Checkable>(
        &mut self,
        step: usize,
        time: u64,
        before: &World<P>,
        action: &Action<P>,
        after: &World<P>,
    ) {
        let row = self.rows.len();
        let mut this = Row::new(step, time, action.to_string(), kind_of(action));
        this.node = action.node().map(NodeId::index);
        // The path's own worlds may have had their marks taken.
        if let Ok(again) = before.after(action) {
            let marks = again.waiting.marks.iter();
            this.marks = marks.map(|(_, mark)| format!("{} {}", mark.name, mark.value)).collect();
        }
        self.rows.push(this);
        let mut old = before.waiting.flights.clone();
        let copy = matches!(action.did, Happening::Duplicate(..));
        match &action.did {
            Happening::Deliver(from, to, msg) => {
                take(&mut old, *from, *to, msg);
                self.ends(*from, *to, &format!("{msg:?}"), Fate::Arrived(row));
            }
            Happening::Lose(from, to, msg) => {
                take(&mut old, *from, *to, msg);
                self.ends(*from, *to, &format!("{msg:?}"), Fate::Lost(row));
            }
            _ => {}
        }
        let mut left = old.clone();
        for flight in &after.waiting.flights {
            take(&mut left, flight.from, flight.to, &flight.msg);
        }
        for gone in left {
            self.ends(gone.from, gone.to, &format!("{:?}", gone.msg), Fate::Lost(row));
        }
        self.sends(&old, &after.waiting.flights, row, copy);
        self.statuses(Some(before), after, row);
        self.called(before, action, after, row);
    }

    /// Notes the messages that are in flight and were not before.
    fn sends<M: Ord + Clone + std::fmt::Debug>(
        &mut self,
        before: &[Flight<M>],
        after: &[Flight<M>],
        row: usize,
        copy: bool,
    ) {
        let mut old = before.to_vec();
        for Flight { from, to, msg, .. } in after {
            if !take(&mut old, *from, *to, msg) {
                self.messages.push(Message {
                    from: from.index(),
                    to: to.index(),
                    text: format!("{msg:?}"),
                    sent: row,
                    fate: Fate::InFlight,
                    copy,
                });
            }
        }
    }

    /// Of equal messages the oldest arrives.
    fn ends(&mut self, from: NodeId, to: NodeId, text: &str, fate: Fate) {
        let (from, to) = (from.index(), to.index());
        let this = |m: &&mut Message| {
            m.fate == Fate::InFlight && (m.from, m.to, m.text.as_str()) == (from, to, text)
        };
        if let Some(message) = self.messages.iter_mut().find(this) {
            message.fate = fate;
        }
    }

    fn statuses<P: Checkable>(&mut self, before: Option<&World<P>>, after: &World<P>, row: usize) {
        for (node, new) in after.system.nodes.iter().enumerate() {
            let old = before.map(|world| world.system.nodes[node].status);
            if old == Some(new.status) {
                continue;
            }
            let open = |span: &&mut Span| span.node == node && span.to == usize::MAX;
            if let Some(span) = self.spans.iter_mut().find(open) {
                span.to = row;
            }
            if new.status != Status::Up {
                self.spans.push(Span { node, from: row, to: usize::MAX, status: new.status });
            }
        }
        let old = before.and_then(|world| world.system.cut);
        if old != after.system.cut {
            if let Some(cut) = self.cuts.iter_mut().find(|cut| cut.1 == usize::MAX) {
                cut.1 = row;
            }
            self.cuts.extend(after.system.cut.map(|cut| (row, usize::MAX, cut.to_string())));
        }
    }

    fn called<P: Checkable>(
        &mut self,
        before: &World<P>,
        action: &Action<P>,
        after: &World<P>,
        row: usize,
    ) {
        let asked = match &action.did {
            Happening::Call(call, _, op) => Some((*call, brief(&format!("{op:?}")))),
            _ => None,
        };
        let programs = before.system.programs.iter().zip(&after.system.programs);
        for (program, (old, new)) in programs.enumerate() {
            let made = asked.as_ref().filter(|(call, _)| call.process == old.process);
            if let (Some((call, op)), Some(node)) = (made, action.node()) {
                self.call(program, *call, node, op.clone(), row);
            }
            let was_open = old.open.map(|(call, _)| call).or(made.map(|(call, _)| *call));
            let is_open = new.open.map(|(call, _)| call);
            if let (Some(call), true) = (was_open, was_open != is_open) {
                let how = match new.last.as_ref().map(|(_, outcome)| outcome) {
                    Some(Outcome::Ok(ret)) => brief(&format!("{ret:?}")),
                    Some(Outcome::Failed) => "failed".to_owned(),
                    Some(Outcome::Unknown) | None => "?".to_owned(),
                };
                let name = call.to_string();
                let this = |c: &&mut Call| c.name == name && c.end.is_none();
                if let Some(ended) = self.calls.iter_mut().find(this) {
                    ended.end = Some((row, how));
                }
            }
            // In eager worlds the next call is made in the step in which the last one ended.
            if let (Some((call, node)), true) = (new.open, is_open != was_open) {
                self.call(program, call, node, String::new(), row);
            }
        }
    }

    fn call(&mut self, program: usize, call: CallId, node: NodeId, op: String, from: usize) {
        let name = call.to_string();
        self.calls.push(Call { program, name, node: node.index(), op, from, end: None });
    }

    /// What has not ended lasts to the last row.
    fn end(&mut self) {
        let last = self.rows.len() - 1;
        self.spans.iter_mut().for_each(|span| span.to = span.to.min(last));
        self.cuts.iter_mut().for_each(|cut| cut.1 = cut.1.min(last));
    }

    /// Marks the causal past of a violation: the last row, and the last ones of whoever the reason
    /// names, with all that they depend on through messages, calls and the order at each node.
    fn find_what_matters(&mut self, reason: &str) {
        let last = self.rows.len() - 1;
        let mut wanted = vec![last];
        let words = reason.split(|c: char| !c.is_alphanumeric() && c != '#');
        let mut before = "";
        for word in words.filter(|word| !word.is_empty()) {
            if let Some(node) = word.strip_prefix('n').and_then(|n| n.parse::<usize>().ok()) {
                wanted.extend(self.rows.iter().rposition(|row| row.node == Some(node)));
            }
            // As in `p1#0`, and as in `process 1`.
            let short = word.strip_prefix('p').and_then(|rest| rest.split('#').next());
            let process = if before == "process" { Some(word) } else { short };
            before = word;
            if let Some(process) = process.and_then(|p| p.parse::<usize>().ok()) {
                let program = process % self.programs.max(1);
                let calls = self.calls.iter().filter(|call| call.program == program);
                let rows = calls.flat_map(|call| [Some(call.from), call.end.as_ref().map(|e| e.0)]);
                wanted.extend(rows.flatten());
            }
        }
        let mut past = vec![false; self.rows.len()];
        while let Some(row) = wanted.pop() {
            if !std::mem::replace(&mut past[row], true) {
                wanted.extend(self.causes(row));
            }
        }
        for (row, matters) in self.rows.iter_mut().zip(past) {
            let everywhere = matches!(row.kind, Kind::Start | Kind::Time);
            row.matters = matters || everywhere;
        }
    }

    /// The rows on which a row depends at once.
    pub fn causes(&self, row: usize) -> Vec<usize> {
        let mut causes = Vec::new();
        if let Some(node) = self.rows[row].node {
            causes.extend(self.rows[..row].iter().rposition(|other| other.node == Some(node)));
        }
        let arrived = self.messages.iter().filter(|m| m.fate == Fate::Arrived(row));
        causes.extend(arrived.map(|message| message.sent));
        if self.rows[row].words.starts_with("duplicated: ") {
            let copies = self.messages.iter().filter(|m| m.copy && m.sent == row);
            let originals = copies.flat_map(|copy| {
                let same = move |m: &&Message| {
                    m.sent < row && (m.from, m.to, &m.text) == (copy.from, copy.to, &copy.text)
                };
                self.messages.iter().filter(same).map(|m| m.sent)
            });
            causes.extend(originals);
        }
        for call in self.calls.iter().filter(|call| call.from == row) {
            let ends = self.calls.iter().filter(|other| other.program == call.program);
            let ends = ends.filter_map(|other| other.end.as_ref().map(|end| end.0));
            causes.extend(ends.filter(|end| *end < row).max());
        }
        causes
    }

    /// Whether a message matters: it is on the way from one row that does to another.
    pub fn carries(&self, message: &Message) -> bool {
        let matters = |row: usize| self.rows[row].matters;
        match message.fate {
            Fate::Arrived(row) => matters(row) && matters(message.sent),
            Fate::Lost(_) | Fate::InFlight => self.rows.iter().all(|row| row.matters),
        }
    }
}

/// Takes a message out of a list, if it is there.
fn take<M: PartialEq>(flights: &mut Vec<Flight<M>>, from: NodeId, to: NodeId, msg: &M) -> bool {
    let at = flights.iter().position(|f| (f.from, f.to, &f.msg) == (from, to, msg));
    at.map(|at| flights.remove(at)).is_some()
}
