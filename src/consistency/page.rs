//! A whole history as one page that needs nothing else: lanes that can be moved and stretched, the
//! core in red, faults as lines, and each call's text under the pointer.
//!
//! It stays below two megabytes at 100,000 calls, so everything is told once and briefly: times as
//! differences, numbers with as many bytes as they need, and texts cut to what is left of the
//! space. Of a longer history the 100,000 calls around the core are shown, and the page says so.

use std::collections::BTreeSet;
use std::fmt::Debug;

use serde_json::json;

use super::Core;
use super::drawing::escaped;
use crate::history::{Call, Happening, History};

/// The most calls that a page shows.
const MOST_CALLS: usize = 100_000;

/// The bytes of a page stay below this.
const LARGEST: usize = 2_000_000;

/// The most bytes of all calls' texts, and of all marks'.
const TEXTS: usize = 1_100_000;
const MARKS: usize = 100_000;

/// The most bytes of a call's text, and how many calls of a core have so many in any case.
const LONGEST: usize = 60;
const FULL_TEXTS: usize = 1_000;

/// How finely time is told.
const MOMENTS: u64 = 1 << 22;

/// The page without its data.
const TEMPLATE: &str = include_str!("page.html");

/// Shows a history, with the core if there is one, and what was found out in words. If so many
/// calls make too large a page, it shows fewer.
pub fn html<Op: Debug, Ret: Debug>(
    title: &str,
    history: &History<Op, Ret>,
    core: Option<&Core>,
    words: &str,
) -> String {
    let mut most = MOST_CALLS;
    loop {
        let page = page(title, history, core, words, most);
        if page.len() < LARGEST || most < 1_000 {
            return page;
        }
        most /= 2;
    }
}

/// A page of so many calls at the most.
fn page<Op: Debug, Ret: Debug>(
    title: &str,
    history: &History<Op, Ret>,
    core: Option<&Core>,
    words: &str,
    most: usize,
) -> String {
    let core: Vec<usize> =
        core.iter().flat_map(|core| core.calls.iter().chain(&core.helpless)).copied().collect();
    let shown = around(history.calls().len(), &core, most);
    let calls = &history.calls()[shown.clone()];
    let begin = calls.first().map_or(0, |call| call.invoked);
    let ends = calls.iter().map(|call| call.returned.unwrap_or(call.invoked));
    let end = ends.max().unwrap_or(begin);
    let mut processes: Vec<u32> = calls.iter().map(|call| call.process).collect();
    processes.sort_unstable();
    processes.dedup();
    let longest = (TEXTS / calls.len().max(1)).min(LONGEST);
    // The core is what matters, so its texts have room.
    let members: BTreeSet<usize> = core.iter().take(FULL_TEXTS).copied().collect();
    let room = |call: usize| if members.contains(&call) { LONGEST } else { longest };
    let texts = calls.iter().zip(shown.start..).map(|(call, place)| text(call, room(place)));
    let texts: Vec<String> = texts.collect();
    let marks = history.marks().iter().filter(|mark| (begin..=end).contains(&mark.time));
    let marks = marks.map(|mark| {
        let what = match &mark.what {
            Happening::Fault(what) => what.chars().take(60).collect(),
            Happening::Quiescence => "quiescence".to_owned(),
        };
        (scaled(mark.time, begin, end), what, mark.node)
    });
    let mut space = MARKS;
    let marks = marks.take_while(|(_, what, _)| {
        space = space.saturating_sub(what.len() + 30);
        space > 0
    });
    let data = json!({
        "processes": processes,
        "columns": base64(&columns(calls, &processes, (begin, end))),
        "texts": texts.join("\n"),
        "core": core.iter().filter(|call| shown.contains(call)).map(|call| call - shown.start)
            .collect::<Vec<_>>(),
        "marks": marks.collect::<Vec<_>>(),
    });
    let cut = match history.calls().len() - calls.len() {
        0 => String::new(),
        cut => format!(" {cut} more calls, further from the core, are not shown."),
    };
    // Within a script nothing may look like the end of it.
    let data = data.to_string().replace('<', "\\u003c");
    let words: String = words.chars().take(20_000).collect();
    let words: Vec<String> = format!("{words}{cut}").lines().map(escaped).collect();
    TEMPLATE
        .replacen("{title}", &escaped(title), 2)
        .replacen("{words}", &words.join("\n"), 1)
        .replacen("{data}", &data, 1)
}

/// Which calls are shown: all, or as many as may be, with the core in their middle.
fn around(calls: usize, core: &[usize], most: usize) -> std::ops::Range<usize> {
    let (first, last) =
        (core.iter().min().copied().unwrap_or(0), core.iter().max().copied().unwrap_or(0));
    let spare = most.saturating_sub(last + 1 - first) / 2;
    let start = first.saturating_sub(spare).min(calls.saturating_sub(most));
    start..calls.min(start + most)
}

/// What is called and answered, without what all such texts have in common.
fn text<Op: Debug, Ret: Debug>(call: &Call<Op, Ret>, longest: usize) -> String {
    let ret = call.ret.as_ref().map(|ret| format!("{ret:?}"));
    let ret = ret.filter(|ret| ret != "Done").map_or(String::new(), |ret| format!("→{ret}"));
    let text = format!("{:?}{ret}", call.op).replace(char::is_control, " ").replace('"', "'");
    match text.len() > longest {
        true => format!("{}…", &text[..text.floor_char_boundary(longest - 3)]),
        false => text,
    }
}

/// Times in the page's unit.
fn scaled(time: u64, begin: u64, end: u64) -> u64 {
    (time - begin) / ((end - begin) / MOMENTS + 1)
}

/// For each call: its process's place, how long after the one before it was invoked, and how long
/// it took, plus one; 0 if it never returned.
fn columns<Op, Ret>(
    calls: &[Call<Op, Ret>],
    processes: &[u32],
    (begin, end): (u64, u64),
) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut number = |mut number: u64| {
        while number >= 0x80 {
            bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        bytes.push(number as u8);
    };
    let mut before = 0;
    for call in calls {
        let from = scaled(call.invoked, begin, end);
        let to = call.returned.map(|returned| scaled(returned, begin, end));
        number(processes.partition_point(|process| *process < call.process) as u64);
        number(from - before);
        number(to.map_or(0, |to| to - from + 1));
        before = from;
    }
    bytes
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let word = three.iter().fold(0, |word, byte| word << 8 | u32::from(*byte));
        let word = word << (8 * (3 - three.len()));
        for digit in 0..4 {
            let is_there = digit <= three.len();
            let digit = DIGITS[(word >> (18 - 6 * digit)) as usize & 63];
            text.push(if is_there { char::from(digit) } else { '=' });
        }
    }
    text
}
