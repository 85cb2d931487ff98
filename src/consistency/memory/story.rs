//! Telling why there is no order: every step that was inferred, in a sentence, and what it rests
//! on before it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::super::reason;
use super::solver::Graph;
use super::views::{Because, Edge, Views};
use super::{Memory, Source};

/// An edge that can't be, since the opposite is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clash {
    /// In which view.
    pub view: usize,
    /// The edge.
    pub edge: Edge,
}

/// Why there is no order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Sentence by sentence.
    pub lines: Vec<String>,
    /// The circle of calls by itself, if there is one and it needs no distinction of cases.
    pub circle: Vec<reason::Edge>,
}

/// Tells why an edge can't be.
pub(super) fn tell(memory: &Memory, views: &Views, graphs: &[Graph], clash: Clash) -> Told {
    let mut story =
        Story { memory, views, graphs, lines: Vec::new(), told: BTreeSet::new(), many: false };
    story.many = views.views.len() > 1;
    story.infer(clash.view, usize::MAX, clash.edge);
    let Edge { from, to, .. } = clash.edge;
    let circle = story.circle(clash);
    let line = if from == to {
        format!("That would put {} before itself.", memory.name(from))
    } else {
        let chain = story.chain(clash.view, usize::MAX, to, from);
        match clash.edge.because {
            Because::Program | Because::Returned | Because::Synchronised => {
                let again = story.link(&clash.edge);
                format!("That is a circle: {chain}{again}.")
            }
            _ => format!("But the opposite is known: {chain}."),
        }
    };
    let place = story.place(clash.view);
    story.lines.push(format!("{place}{line}"));
    Told { lines: story.lines, circle }
}

struct Story<'a> {
    memory: &'a Memory,
    views: &'a Views,
    graphs: &'a [Graph],
    lines: Vec<String>,
    told: BTreeSet<(usize, usize, usize)>,
    many: bool,
}

impl Story<'_> {
    fn place(&self, view: usize) -> String {
        match self.many {
            true => format!("{}: ", self.views.views[view].title),
            false => String::new(),
        }
    }

    /// Tells why an inferred edge is one, unless that was told before.
    fn infer(&mut self, view: usize, until: usize, edge: Edge) {
        if !self.told.insert((view, edge.from, edge.to)) {
            return;
        }
        let memory = self.memory;
        let (from, to) = (memory.name(edge.from), memory.name(edge.to));
        let line = match edge.because {
            Because::Overwritten { read } => {
                let chain = self.chain(view, until, edge.from, read);
                let read = memory.name(read);
                format!(
                    "{from} comes before {to}, because {read} comes after the first and \
                         returned the second: {chain}."
                )
            }
            Because::Fresh => {
                let Source::Write(write) = memory.sources[edge.from] else { return };
                let chain = self.chain(view, until, write, edge.to);
                format!("{from} comes before {to}, which overwrites what it returned: {chain}.")
            }
            Because::Initial => {
                format!("{from} comes before {to}, because it returned the initial value.")
            }
            Because::Agreed { view: other } => {
                let chain = self.chain(other, until, edge.from, edge.to);
                let title = &self.views.views[other].title;
                format!("{from} comes before {to}, as {title} has it: {chain}.")
            }
            _ => return,
        };
        let place = self.place(view);
        self.lines.push(format!("{place}{line}"));
    }

    /// What leads from one access to another, in words; what is inferred on the way is told first.
    fn chain(&mut self, view: usize, until: usize, from: usize, to: usize) -> String {
        let path = self.path(view, until, from, to);
        let mut text = self.memory.name(from);
        for (stamp, edge) in path {
            self.infer(view, stamp, edge);
            text.push_str(&self.link(&edge));
        }
        text
    }

    fn link(&self, edge: &Edge) -> String {
        let to = self.memory.name(edge.to);
        match edge.because {
            Because::Program => format!(", then in the same session {to}"),
            Because::Returned => format!(", whose value came back from {to}"),
            Because::Synchronised => format!(", with which {to} synchronised"),
            Because::Earlier => format!(", which returned before {to} was invoked"),
            Because::Quiescent => format!(", which had arrived everywhere before {to}"),
            _ => format!(", which comes before {to}"),
        }
    }

    /// What leads from the end of the edge back to its beginning, and the edge, as calls.
    fn circle(&self, Clash { view, edge }: Clash) -> Vec<reason::Edge> {
        let call = |access: usize| self.memory.accesses[access].call;
        let path = match edge.from == edge.to {
            true => Vec::new(),
            false => self.path(view, usize::MAX, edge.to, edge.from),
        };
        let edges = path.into_iter().map(|(_, edge)| edge).chain([edge]);
        // A barrier is one call, and two accesses.
        let between = edges.filter(|edge| call(edge.from) != call(edge.to));
        let told = between.map(|edge| reason::Edge {
            before: Some(call(edge.from)),
            after: Some(call(edge.to)),
            why: self.why(&edge),
            circle: true,
        });
        told.collect()
    }

    fn why(&self, edge: &Edge) -> String {
        match edge.because {
            Because::Program => "one session made both, in this order".to_owned(),
            Because::Returned => "the second returned what the first wrote".to_owned(),
            Because::Synchronised => "the second synchronised with the first".to_owned(),
            Because::Earlier => "it returned before the other was invoked".to_owned(),
            Because::Quiescent => "it had arrived everywhere before the other".to_owned(),
            Because::Overwritten { read } => {
                format!("{} comes after it, and returned the other", self.memory.name(read))
            }
            Because::Fresh => "the other overwrites what it returned".to_owned(),
            Because::Initial => "it returned the initial value".to_owned(),
            Because::Agreed { view } => format!("{} has it so", self.views.views[view].title),
            Because::Supposed => "the other way round there is a contradiction, too".to_owned(),
        }
    }

    /// The shortest way from one access to another, by what was known before a moment.
    fn path(&self, view: usize, until: usize, from: usize, to: usize) -> Vec<(usize, Edge)> {
        let mut out: BTreeMap<usize, Vec<&(usize, Edge)>> = BTreeMap::new();
        for step in self.graphs[view].edges.iter().filter(|(stamp, _)| *stamp < until) {
            out.entry(step.1.from).or_default().push(step);
        }
        let mut came: BTreeMap<usize, &(usize, Edge)> = BTreeMap::new();
        let mut queue = VecDeque::from([from]);
        while let Some(at) = queue.pop_front().filter(|_| !came.contains_key(&to)) {
            for step in out.get(&at).into_iter().flatten() {
                if step.1.to != from && !came.contains_key(&step.1.to) {
                    came.insert(step.1.to, step);
                    queue.push_back(step.1.to);
                }
            }
        }
        let mut path = Vec::new();
        let mut at = to;
        while let Some(step) = came.get(&at).filter(|_| at != from) {
            path.push(**step);
            at = step.1.from;
        }
        path.reverse();
        path
    }
}
