//! One step, told: what it changed in nodes, disks, calls and messages, and what it marked.

use std::fmt::Write;

use crate::protocol::Checkable;
use crate::world::{Action, Flight, World};

use super::value::{Value, brief, difference, parse};

/// What a step changed, a line for each change.
pub fn changes<P: Checkable>(before: &World<P>, after: &World<P>) -> Vec<String> {
    let mut lines = Vec::new();
    for (n, (old, new)) in before.system.nodes.iter().zip(&after.system.nodes).enumerate() {
        if old.status != new.status {
            lines.push(format!("n{n} is {}", format!("{:?}", new.status).to_lowercase()));
        }
        if let (Some(old), Some(new)) = (&old.state, &new.state) {
            lines.extend(parts(&format!("n{n}"), old, new));
        }
        lines.extend(parts(&format!("n{n}'s disk"), old.durable(), new.durable()));
    }
    let programs = before.system.programs.iter().zip(&after.system.programs);
    for (n, (old, new)) in programs.enumerate() {
        match (old.open, new.open) {
            (None, Some((call, node))) => lines.push(format!("{call} is open at {node}")),
            (Some((call, _)), None) => {
                let how = new.last.as_ref().map(|(_, outcome)| brief(&format!("{outcome:?}")));
                lines.push(format!("{call} ends: {}", how.unwrap_or_default()));
            }
            (None, None) if old.made != new.made => {
                let how = new.last.as_ref().map(|(_, outcome)| brief(&format!("{outcome:?}")));
                lines.push(format!("p{n}'s call ends at once: {}", how.unwrap_or_default()));
            }
            _ => {}
        }
    }
    let (old, new) = (&before.waiting.flights, &after.waiting.flights);
    lines.extend(missing(new, old).map(|flight| format!("sent: {flight}")));
    lines
}

/// The parts in which two values differ.
fn parts<T: std::fmt::Debug + PartialEq>(whose: &str, old: &T, new: &T) -> Vec<String> {
    if old == new {
        return Vec::new();
    }
    let (old, new) = (parse(&format!("{old:?}")), parse(&format!("{new:?}")));
    let told = difference(&old, &new).into_iter().map(|(at, old, new)| match at.as_str() {
        "" => format!("{whose}: {old} -> {new}"),
        at => format!("{whose}.{at}: {old} -> {new}"),
    });
    told.collect()
}

/// The messages of one list that are not in another, in words.
fn missing<M: PartialEq + Clone + std::fmt::Debug>(
    all: &[Flight<M>],
    without: &[Flight<M>],
) -> impl Iterator<Item = String> {
    let mut left = without.to_vec();
    let fresh = all.iter().filter(move |flight| {
        let same = |f: &Flight<M>| (f.from, f.to, &f.msg) == (flight.from, flight.to, &flight.msg);
        let at = left.iter().position(same);
        at.map(|at| left.remove(at)).is_none()
    });
    let words =
        fresh.map(|f| format!("{} from {} to {}", brief(&format!("{:?}", f.msg)), f.from, f.to));
    words.collect::<Vec<_>>().into_iter()
}

/// A step as the explorer shows it: what changed, what was marked, and then where everything
/// stands, without what a person does not need.
pub fn tell<P: Checkable>(before: &World<P>, action: &Action<P>, after: &World<P>) -> String {
    let mut text = format!("{action}\n");
    for line in changes(before, after) {
        let _ = writeln!(text, "  {line}");
    }
    let again = before.after(action).ok();
    for (node, mark) in again.iter().flat_map(|world| &world.waiting.marks) {
        let _ = writeln!(text, "  mark at {node}: {} {}", mark.name, mark.value);
    }
    text + "\n" + &state(after)
}

/// A world, readable.
pub fn state<P: Checkable>(world: &World<P>) -> String {
    let mut text = String::new();
    for (n, node) in world.system.nodes.iter().enumerate() {
        let shown = match &node.state {
            Some(state) => fields(&parse(&format!("{state:?}"))),
            None => format!("{:?}", node.status).to_lowercase(),
        };
        let paused = if node.status == crate::world::Status::Paused { " (paused)" } else { "" };
        let _ = writeln!(text, "n{n}{paused}  {shown}");
    }
    let open = world.system.programs.iter().filter_map(|program| program.open);
    let open: Vec<_> = open.map(|(call, node)| format!("{call} at {node}")).collect();
    let _ = writeln!(
        text,
        "open calls: {}",
        if open.is_empty() { "none".into() } else { open.join(", ") }
    );
    if let Some(cut) = world.system.cut {
        let _ = writeln!(text, "partition: {cut}");
    }
    for flight in &world.waiting.flights {
        let msg = brief(&format!("{:?}", flight.msg));
        let _ = writeln!(text, "in flight: {msg} from {} to {}", flight.from, flight.to);
    }
    for (node, timer, wait, _) in &world.waiting.timers {
        let _ = writeln!(text, "armed at {node}: {timer:?} {wait:?}");
    }
    text
}

/// A struct as `field value, field value`; anything else briefly.
fn fields(value: &Value) -> String {
    match value {
        Value::Struct(_, fields) => {
            let shown = fields.iter().map(|(name, value)| format!("{name} {value}"));
            shown.collect::<Vec<_>>().join(", ")
        }
        // Nodes of several roles are one enum: the role, and its fields.
        Value::Tuple(role, values) if !role.is_empty() => {
            let shown = values.iter().map(fields).collect::<Vec<_>>();
            format!("{role}: {}", shown.join("; "))
        }
        value => value.to_string(),
    }
}
