//! The space-time diagram for terminals: a column for each program and each node, a line for each
//! step, and its plain words at the right.

use crate::world::Status;

use super::diagram::{Diagram, Fate};

const LANE: usize = 6;

/// Draws a diagram with so many columns for lanes; what is not in the causal past of a violation
/// is bracketed.
pub fn draw(diagram: &Diagram) -> String {
    let lanes = diagram.programs + diagram.nodes;
    let names = (0..lanes).map(|lane| match lane.checked_sub(diagram.programs) {
        None => format!("p{lane}"),
        Some(node) => format!("n{node}"),
    });
    let names: String = names.map(|name| format!("{name:^LANE$}")).collect();
    let time = if diagram.timed { "  tick" } else { "" };
    let mut text = format!("step{time}  {}\n", names.trim_end());
    for n in 1..diagram.rows.len() {
        let row = &diagram.rows[n];
        let time = if diagram.timed { format!("{:>6}", row.time) } else { String::new() };
        let lanes: String = line(diagram, n).into_iter().collect();
        let marks: String = row.marks.iter().map(|mark| format!(" [{mark}]")).collect();
        let words = if row.matters { row.words.clone() } else { format!("({})", row.words) };
        text += &format!("{:>4}{time}  {lanes}  {words}{marks}\n", row.step);
        if diagram.no_return == Some(n) {
            text += &format!("{}-- no way back from here --\n", " ".repeat(6));
        }
    }
    match &diagram.broken {
        Some(broken) => text + &format!("broken: {broken}\n"),
        None => text + "nothing is broken\n",
    }
}

/// The lanes at one row, as characters.
fn line(diagram: &Diagram, row: usize) -> Vec<char> {
    let at = |lane: usize| lane * LANE + LANE / 2 - 1;
    let node = |node: usize| at(diagram.programs + node);
    let mut line = vec![' '; (diagram.programs + diagram.nodes) * LANE];
    for lane in 0..diagram.nodes {
        let here = |s: &&super::diagram::Span| s.node == lane && s.from < row && row < s.to;
        line[node(lane)] = match diagram.spans.iter().find(here).map(|span| span.status) {
            None | Some(Status::Up) => '│',
            Some(Status::Paused) => '┊',
            Some(Status::Absent | Status::Down) => ' ',
        };
    }
    for call in &diagram.calls {
        let end = call.end.as_ref().map_or(usize::MAX, |end| end.0);
        line[at(call.program)] = match row {
            _ if row == call.from && row == end => '◆',
            _ if row == call.from => '┏',
            _ if row == end => '┗',
            _ if (call.from..end).contains(&row) => '┃',
            _ => line[at(call.program)],
        };
        if row == call.from || row == end {
            connect(&mut line, at(call.program), node(call.node), '╌');
        }
    }
    for message in &diagram.messages {
        let (Fate::Arrived(end) | Fate::Lost(end)) = message.fate else { continue };
        if end == row && message.from != message.to {
            let (from, to) = (node(message.from), node(message.to));
            connect(&mut line, from, to, '─');
            let arrow = if from < to { '▶' } else { '◀' };
            let tip = if from < to { to - 1 } else { to + 1 };
            line[tip] = if message.fate == Fate::Arrived(row) { arrow } else { '✗' };
        }
    }
    if let Some(here) = diagram.rows[row].node {
        line[node(here)] = '●';
    }
    line
}

/// Draws between two columns, over what is empty or only a lane.
fn connect(line: &mut [char], from: usize, to: usize, with: char) {
    let between = line.iter_mut().take(from.max(to)).skip(from.min(to) + 1);
    for place in between {
        *place = match *place {
            ' ' => with,
            '│' => '┼',
            other => other,
        };
    }
}
