//! Export to the Informal Trace Format (Apalache's ADR 015): the states of a run as JSON, for tools
//! of the TLA+ and Quint families.

use serde_json::{Value as Json, json};

use crate::protocol::Checkable;
use crate::world::{Action, World};

use super::value::{Value, parse};

/// Writes a path of worlds and the actions between them; `source` says what it came from.
pub fn export<P: Checkable>(path: &[(World<P>, Option<Action<P>>)], source: &str) -> String {
    let mut last = "start".to_owned();
    let mut states = Vec::with_capacity(path.len());
    for (index, (world, action)) in path.iter().enumerate() {
        let mut state = state_of(world, &last);
        state["#meta"] = json!({ "index": index });
        states.push(state);
        last = action.as_ref().map_or(String::new(), Action::to_string);
    }
    let trace = json!({
        "#meta": {
            "format": "ITF",
            "format-description": "https://apalache-mc.org/docs/adr/015adr-trace.html",
            "source": source,
        },
        "vars": ["action", "nodes", "inFlight", "timers", "calls", "partition"],
        "states": states,
    });
    serde_json::to_string_pretty(&trace).expect("a trace is plain data") + "\n"
}

fn state_of<P: Checkable>(world: &World<P>, action: &str) -> Json {
    let nodes = world.system.nodes.iter().enumerate().map(|(n, node)| {
        let state = node.state.as_ref().map(|state| itf(&parse(&format!("{state:?}"))));
        let status = format!("{:?}", node.status);
        let disk = itf(&parse(&format!("{:?}", node.durable())));
        let state = state.unwrap_or_else(|| json!(status));
        json!([format!("n{n}"), { "status": status, "state": state, "disk": disk }])
    });
    let flights = world.waiting.flights.iter().map(|flight| {
        let msg = itf(&parse(&format!("{:?}", flight.msg)));
        json!({ "from": flight.from.to_string(), "to": flight.to.to_string(), "msg": msg })
    });
    let timers = world.waiting.timers.iter().map(|(node, timer, ..)| {
        json!({ "node": node.to_string(), "timer": itf(&parse(&format!("{timer:?}"))) })
    });
    let calls = world.system.programs.iter().filter_map(|program| program.open);
    let calls =
        calls.map(|(call, node)| json!({ "call": call.to_string(), "node": node.to_string() }));
    json!({
        "action": action,
        "nodes": { "#map": nodes.collect::<Vec<_>>() },
        "inFlight": flights.collect::<Vec<_>>(),
        "timers": timers.collect::<Vec<_>>(),
        "calls": calls.collect::<Vec<_>>(),
        "partition": world.system.cut.map_or("none".to_owned(), |cut| cut.to_string()),
    })
}

/// A value in the format: integers are big, tuples, sets and maps are named; a struct is a record,
/// and a variant with values is a record with its tag.
pub fn itf(value: &Value) -> Json {
    let all = |values: &[Value]| values.iter().map(itf).collect::<Vec<_>>();
    match value {
        Value::Word(word) if word == "true" || word == "false" => json!(word == "true"),
        Value::Word(word) if word.parse::<i128>().is_ok() => json!({ "#bigint": word }),
        Value::Word(word) => {
            let bare = word.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
            json!(bare.unwrap_or(word))
        }
        Value::Struct(name, fields) => {
            let mut record = serde_json::Map::new();
            record.insert("tag".to_owned(), json!(name));
            record.extend(fields.iter().map(|(name, value)| (name.clone(), itf(value))));
            Json::Object(record)
        }
        Value::Tuple(name, values) if name.is_empty() => json!({ "#tup": all(values) }),
        Value::Tuple(name, values) => match &values[..] {
            [one] => json!({ "tag": name, "value": itf(one) }),
            _ => json!({ "tag": name, "value": { "#tup": all(values) } }),
        },
        Value::List(values) => json!(all(values)),
        Value::Set(values) => json!({ "#set": all(values) }),
        Value::Map(pairs) => {
            let pairs = pairs.iter().map(|(key, value)| json!([itf(key), itf(value)]));
            json!({ "#map": pairs.collect::<Vec<_>>() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_as_the_format_wants_them() {
        let value = parse("N { n: 3, up: true, seen: {n1}, of: {p0#1: Some((1, [2]))}, on: None }");
        let expected = json!({
            "tag": "N", "n": { "#bigint": "3" }, "up": true, "seen": { "#set": ["n1"] },
            "of": { "#map": [["p0#1", { "tag": "Some", "value": {
                "#tup": [{ "#bigint": "1" }, [{ "#bigint": "2" }]] } }]] },
            "on": "None",
        });
        assert_eq!(itf(&value), expected);
    }
}
