//! The space-time diagram of a path: a lane for each node and each process, time downwards, a row
//! for each step.

use std::fmt::Write;

use crate::protocol::{NodeId, Protocol};
use crate::world::{Action, Happening, World};

const LANE: usize = 150;
const ROW: usize = 34;
const TOP: usize = 40;

/// Draws a path of states and the actions between them.
pub fn draw<P: Protocol>(path: &[(World<P>, Option<Action<P>>)]) -> String {
    let Some((first, _)) = path.first() else { return String::new() };
    let nodes = first.system.setup.nodes();
    let lanes = usize::from(nodes) + first.system.programs.len();
    let (width, height) = (LANE * lanes + 20, TOP + ROW * path.len() + 20);
    let mut svg = format!(
        "<svg xmlns='http://www.w3.org/2000/svg' width='{width}' height='{height}' \
         font-family='sans-serif' font-size='12'><defs><marker id='tip' markerWidth='9' \
         markerHeight='8' refX='9' refY='4' orient='auto'><path d='M0 0L9 4L0 8z' fill='#d9a441'/>\
         </marker></defs>"
    );
    for lane in 0..lanes {
        let name = match lane.checked_sub(usize::from(nodes)) {
            None => format!("n{lane}"),
            Some(program) => format!("program {program}"),
        };
        let _ = write!(
            svg,
            "<text x='{x}' y='20' text-anchor='middle' fill='#888'>{name}</text>\
             <line x1='{x}' y1='28' x2='{x}' y2='{height}' stroke='#8884'/>",
            x = x_of(lane)
        );
    }
    let mut sent = Sent::default();
    sent.note(0, None, first);
    for (row, step) in path.windows(2).enumerate() {
        let [(before, Some(action)), (after, _)] = step else { continue };
        draw_step(&mut svg, row + 1, action, &mut sent, first);
        sent.note(row + 1, Some(before), after);
    }
    svg + "</svg>"
}

fn x_of(lane: usize) -> usize {
    LANE / 2 + lane * LANE
}

fn y_of(row: usize) -> usize {
    TOP + ROW * row
}

/// When each message in flight was sent, oldest first.
#[derive(Default)]
struct Sent(Vec<(NodeId, NodeId, String, usize)>);

impl Sent {
    /// Notes the messages that are in flight after a step and were not before.
    fn note<P: Protocol>(&mut self, row: usize, before: Option<&World<P>>, after: &World<P>) {
        let mut old: Vec<_> = before.map_or(Vec::new(), |w| w.waiting.flights.iter().collect());
        for flight in &after.waiting.flights {
            let same = |f: &&crate::world::Flight<P::Msg>| {
                (f.from, f.to, &f.msg) == (flight.from, flight.to, &flight.msg)
            };
            match old.iter().position(same) {
                Some(at) => drop(old.remove(at)),
                None => self.0.push((flight.from, flight.to, format!("{:?}", flight.msg), row)),
            }
        }
    }

    fn take(&mut self, from: NodeId, to: NodeId, msg: &str) -> Option<usize> {
        let at = self.0.iter().position(|(f, t, m, _)| (*f, *t, m.as_str()) == (from, to, msg))?;
        Some(self.0.remove(at).3)
    }
}

fn draw_step<P: Protocol>(
    svg: &mut String,
    row: usize,
    action: &Action<P>,
    sent: &mut Sent,
    world: &World<P>,
) {
    let y = y_of(row);
    let text = escape(&action.to_string());
    let color = if action.is_fault() { "#d2504b" } else { "#4b8fd2" };
    match &action.did {
        Happening::Deliver(from, to, msg) | Happening::Lose(from, to, msg) => {
            let begin = sent.take(*from, *to, &format!("{msg:?}")).unwrap_or(row - 1);
            let (x1, x2, y1) = (x_of(from.index()), x_of(to.index()), y_of(begin));
            let _ = write!(
                svg,
                "<line x1='{x1}' y1='{y1}' x2='{x2}' y2='{y}' stroke='#d9a441' \
                 marker-end='url(#tip)'><title>{text}</title></line>"
            );
            label(svg, x2, y, &escape(&format!("{row}. {msg:?}")), color);
        }
        Happening::Call(call, node, _) => {
            let program = usize::from(call.process.0) % world.system.programs.len();
            let (x1, x2) = (x_of(world.system.nodes.len() + program), x_of(node.index()));
            let _ = write!(
                svg,
                "<line x1='{x1}' y1='{y}' x2='{x2}' y2='{y}' stroke='{color}' \
                 stroke-dasharray='4 3' marker-end='url(#tip)'/>"
            );
            label(svg, x2, y, &format!("{row}. {text}"), color);
        }
        _ => {
            let x = action.node().map_or(8, |node| x_of(node.index()));
            label(svg, x, y, &format!("{row}. {text}"), color);
        }
    }
}

fn label(svg: &mut String, x: usize, y: usize, text: &str, color: &str) {
    let _ = write!(
        svg,
        "<circle cx='{x}' cy='{y}' r='3' fill='{color}'/>\
         <text x='{}' y='{}' fill='{color}'>{text}</text>",
        x + 6,
        y - 4
    );
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
