//! A drawing of a core: a lane for each process, an interval for each call, and an arrow for each
//! edge of the circle that contradicts itself. Times are drawn as ranks, so that nothing is too
//! narrow to be read.

use std::fmt::{Debug, Write};

use super::Core;
use super::reason::{Edge, in_words};
use crate::history::{Call, Happening, History};

/// The most calls, marks and edges that are drawn: more are no drawing, and no small file.
const MOST: usize = 60;

/// The most characters of a call's text.
const LONGEST: usize = 40;

/// The most characters of what is told under the pointer.
const TOLD: usize = 280;

/// The most edges that are told below, and the most characters of each.
const REASONS: usize = 12;
const REASON: usize = 180;

const LANE: usize = 64;
/// A column's width; of a wide drawing the least.
const STEP: usize = 46;
/// A line's height, and about a letter's width.
const LINE: usize = 18;
const LETTER: usize = 7;
const LEFT: usize = 110;
const TOP: usize = 56;

/// Draws a core as SVG: with the reason edge by edge, or sentence by sentence if it is no circle.
/// What does not fit is left out, and that is said.
pub fn svg<Op: Debug, Ret: Debug>(
    history: &History<Op, Ret>,
    core: &Core,
    reason: &[Edge],
    words: &str,
    story: &[String],
) -> String {
    let calls = history.calls();
    let mut shown: Vec<usize> = core.calls.iter().chain(&core.helpless).copied().collect();
    let all = shown.len();
    shown.truncate(MOST);
    shown.sort_unstable();
    let told = reason.iter().take(REASONS).map(|edge| shortened(&in_words(edge, calls), REASON));
    let mut reasons: Vec<String> = told.collect();
    if reasons.is_empty() {
        reasons = story.iter().take(REASONS).flat_map(|line| wrapped(line)).take(REASONS).collect();
    }
    let stage = Stage::of(shown.iter().map(|call| &calls[*call]), &reasons);
    let mut out = stage.opening(words, reason.iter().any(|edge| edge.circle), all - shown.len());
    stage.lanes(&mut out);
    for mark in history.marks().iter().filter(|mark| stage.within(mark.time)).take(MOST) {
        let what = match &mark.what {
            Happening::Fault(what) => shortened(what, LONGEST),
            Happening::Quiescence => "quiescence".to_owned(),
        };
        let node = mark.node.map_or(String::new(), |node| format!(" at node {node}"));
        stage.mark(&mut out, mark.time, &format!("{what}{node}"));
    }
    for call in &shown {
        stage.call(&mut out, &calls[*call], core.helpless.contains(call));
    }
    let mut number = 0;
    for (line, why) in reasons.iter().enumerate() {
        let circle = reason.get(line).is_some_and(|edge| edge.circle);
        number += usize::from(circle);
        stage.reason(&mut out, line + 1, circle.then_some(number), why);
    }
    for (number, edge) in (1..).zip(reason.iter().filter(|edge| edge.circle)).take(MOST) {
        if let (Some(before), Some(after)) = (edge.before, edge.after)
            && shown.contains(&before)
            && shown.contains(&after)
        {
            stage.arrow(&mut out, number, &calls[before], &calls[after], &edge.why);
        }
    }
    out.push_str("</svg>\n");
    out
}

/// Where things stand.
struct Stage {
    processes: Vec<u32>,
    /// The times that matter, in order; a time's place is its rank.
    times: Vec<u64>,
    /// How wide a rank is.
    step: usize,
    /// How many reasons are told below, and how long the longest is.
    reasons: usize,
    longest: usize,
}

impl Stage {
    fn of<'a, Op: Debug + 'a, Ret: Debug + 'a>(
        calls: impl Iterator<Item = &'a Call<Op, Ret>> + Clone,
        reasons: &[String],
    ) -> Stage {
        // A call takes at least a column and a half, in which its text should fit.
        let letters = calls.clone().map(|call| text(call, false).chars().count().min(LONGEST));
        let wide = (letters.max().unwrap_or(0) * LETTER + 10) * 2 / 3;
        let mut processes: Vec<u32> = calls.clone().map(|call| call.process).collect();
        processes.sort_unstable();
        processes.dedup();
        let mut times: Vec<u64> =
            calls.flat_map(|call| [call.invoked].into_iter().chain(call.returned)).collect();
        times.sort_unstable();
        times.dedup();
        let step = if times.len() > 30 { STEP } else { wide.max(STEP) };
        let longest = reasons.iter().map(|why| why.chars().count()).max().unwrap_or(0);
        Stage { processes, times, step, reasons: reasons.len(), longest }
    }

    fn width(&self) -> usize {
        let below = (self.longest + 4) * LETTER;
        (LEFT + self.step * (self.times.len() + 1) + 40).max(below).max(720)
    }

    fn height(&self) -> usize {
        self.bottom() + LINE * self.reasons + 10
    }

    fn bottom(&self) -> usize {
        TOP + LANE * self.processes.len() + 10
    }

    fn x(&self, time: Option<u64>) -> usize {
        let rank = |time| self.times.partition_point(|other| *other < time);
        LEFT + self.step * time.map_or(self.times.len(), rank)
    }

    fn y(&self, process: u32) -> usize {
        TOP + LANE * self.processes.partition_point(|other| *other < process) + LANE / 2
    }

    fn within(&self, time: u64) -> bool {
        self.times.first().is_some_and(|first| *first <= time)
            && self.times.last().is_some_and(|last| time <= *last)
    }

    fn opening(&self, words: &str, circle: bool, left_out: usize) -> String {
        let red = "; red is what must come before what, in a circle";
        let circle = if circle { red } else { "" };
        let words = escaped(&shortened(words, TOLD));
        let (width, height) = (self.width(), self.height());
        let more = match left_out {
            0 => String::new(),
            more => format!("; {more} more calls are not drawn"),
        };
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             font-family=\"sans-serif\" font-size=\"12\">\n<defs><marker id=\"tip\" \
             viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" \
             orient=\"auto\"><path d=\"M0 0L8 4L0 8z\" fill=\"#c22\"/></marker></defs>\n\
             <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
             <text x=\"10\" y=\"20\">{words}. \
             Time runs to the right, not to scale{circle}{more}.</text>\n"
        )
    }

    fn lanes(&self, out: &mut String) {
        for &process in &self.processes {
            let (y, end) = (self.y(process), self.width() - 10);
            // Writing to a text can't fail.
            let _ = writeln!(
                out,
                "<text x=\"10\" y=\"{}\" fill=\"#555\">process {process}</text>\
                 <path d=\"M{LEFT} {y}H{end}\" stroke=\"#ddd\"/>",
                y + 4
            );
        }
    }

    fn mark(&self, out: &mut String, time: u64, what: &str) {
        let (x, bottom) = (self.x(Some(time)), self.bottom());
        let _ = writeln!(
            out,
            "<path d=\"M{x} 30V{bottom}\" stroke=\"#b80\" stroke-dasharray=\"3 3\"/>\
             <text x=\"{}\" y=\"40\" fill=\"#b80\">{}</text>",
            x + 3,
            escaped(what)
        );
    }

    /// A call's interval; one of unknown end, or that is free, is open to the right.
    fn call<Op: Debug, Ret: Debug>(&self, out: &mut String, call: &Call<Op, Ret>, free: bool) {
        let end = call.returned.filter(|_| !free);
        let (x, y) = (self.x(Some(call.invoked)), self.y(call.process) - 11);
        let width = self.x(end) - x + self.step / 2;
        let text = text(call, free);
        let never = if free { "; whenever it took effect, if it did" } else { "" };
        let (fill, dash) =
            if end.is_none() { ("#eef", " stroke-dasharray=\"4 3\"") } else { ("#cdf", "") };
        let lines = match (call.line, call.return_line) {
            (Some(from), Some(to)) => format!(", lines {from} to {to}"),
            (Some(line), None) => format!(", line {line}"),
            _ => String::new(),
        };
        let (whole, short) = (escaped(&shortened(&text, TOLD)), shortened(&text, LONGEST));
        let _ = writeln!(
            out,
            "<g><title>{whole}{never}{lines}</title><rect x=\"{x}\" y=\"{y}\" width=\"{width}\" \
             height=\"22\" rx=\"4\" fill=\"{fill}\" stroke=\"#36a\"{dash}/><text x=\"{}\" \
             y=\"{}\">{}</text></g>",
            x + 5,
            y + 15,
            escaped(&short)
        );
    }

    /// What an arrow says, below the lanes; and in grey what it rests on.
    fn reason(&self, out: &mut String, line: usize, number: Option<usize>, why: &str) {
        let (y, why) = (self.bottom() + LINE * line, escaped(why));
        let (number, colour) = match number {
            Some(number) => (format!("{number}: "), "#c22"),
            None => (String::new(), "#777"),
        };
        let _ = writeln!(out, "<text x=\"10\" y=\"{y}\" fill=\"{colour}\">{number}{why}</text>");
    }

    fn arrow<Op, Ret>(
        &self,
        out: &mut String,
        number: usize,
        before: &Call<Op, Ret>,
        after: &Call<Op, Ret>,
        why: &str,
    ) {
        // There and back again go side by side.
        let back = before.invoked > after.invoked;
        let aside = if back { 36 } else { 12 };
        let (from, to) =
            (self.x(Some(before.invoked)) + aside, self.x(Some(after.invoked)) + aside);
        let (up, down) = (self.y(before.process), self.y(after.process));
        let bend = match (up == down, back) {
            (true, _) => up + 32 + usize::from(back) * 14,
            (false, false) => up.midpoint(down) - 24,
            (false, true) => up.midpoint(down) + 24,
        };
        let (up, down) = if up <= down { (up + 11, down - 11) } else { (up - 11, down + 11) };
        let down = if before.process == after.process { down + 22 } else { down };
        let middle = from.midpoint(to);
        // The middle of the curve.
        let at = (up + 2 * bend + down) / 4 + 4;
        let _ = writeln!(
            out,
            "<g fill=\"#c22\"><title>{number}: {}</title><path d=\"M{from} {up}Q{middle} {bend} \
             {to} {down}\" fill=\"none\" stroke=\"#c22\" stroke-width=\"1.5\" \
             marker-end=\"url(#tip)\"/><text x=\"{middle}\" y=\"{at}\" text-anchor=\"middle\" \
             paint-order=\"stroke\" stroke=\"#fff\" stroke-width=\"5\" \
             font-weight=\"bold\">{number}</text></g>",
            escaped(&shortened(why, TOLD))
        );
    }
}

/// What is called, and what came back.
fn text<Op: Debug, Ret: Debug>(call: &Call<Op, Ret>, free: bool) -> String {
    let ret = call.ret.as_ref().filter(|_| !free);
    let never = if free { ", or never" } else { "" };
    format!("{:?}{}{never}", call.op, ret.map_or(String::new(), |ret| format!(" → {ret:?}")))
}

/// A text in lines.
fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.last_mut().expect("there is one");
        if last.chars().count() + word.chars().count() < REASON {
            last.extend([word, " "]);
        } else {
            lines.push(shortened(word, REASON) + " ");
        }
    }
    lines
}

/// A text, or its beginning if it is longer.
pub fn shortened(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        Some(_) => text.chars().take(longest - 1).chain(['…']).collect(),
        None => text.to_owned(),
    }
}

/// A text as it stands in XML, SVG and HTML. Control characters have no place there, but for ends
/// of lines.
pub fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c if c.is_control() && c != '\n' => safe.push(' '),
            c => safe.push(c),
        }
    }
    safe
}
