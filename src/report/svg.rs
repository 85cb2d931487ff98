//! The space-time diagram as SVG: a lane for each program and each node, time downwards. It stands
//! alone: colours for light and dark, no script, no font of its own.

use std::fmt::Write;

use crate::consistency::drawing::{escaped, shortened};
use crate::world::Status;

use super::diagram::{Call, Diagram, Fate, Kind, Message, Row};
use super::value::brief;

/// How far apart steps are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Scale {
    /// Each step as far as the next.
    #[default]
    Step,
    /// As far as the ticks between them, but no two on one line.
    Time,
}

const TOP: f64 = 58.0;
const ROW: f64 = 30.0;
const GAP: f64 = 24.0;
const GUTTER: f64 = 84.0;
const LETTER: f64 = 6.3;
const LABEL_MAX: usize = 34;

const STYLE: &str = "\
.sd{--paper:#fff;--ink:#1d2129;--soft:#6b7280;--line:#c9ced6;--call:#2f6fde;--msg:#0f8a6d;\
--bad:#c93a3a;--warn:#b7791f;--cut:#f6c65b;--down:#e5484d;background:var(--paper);\
font:12px ui-monospace,'DejaVu Sans Mono',Menlo,monospace}\
@media(prefers-color-scheme:dark){.sd{--paper:#14171c;--ink:#e6e9ee;--soft:#98a1ae;--line:#3a414c;\
--call:#7aa7ff;--msg:#4cc9a5;--bad:#ff7b72;--warn:#e3b341;--cut:#8a6d1f;--down:#a33}}\
.sd text{fill:var(--ink)}.sd .halo{paint-order:stroke;stroke:var(--paper);stroke-width:4px;\
stroke-linejoin:round}.sd .soft{fill:var(--soft)}.sd .head{font-weight:700;font-size:13px}\
.sd .lane{stroke:var(--line);stroke-width:1.5}.sd .rule{stroke:var(--line);stroke-dasharray:1 5}\
.sd .msg{stroke:var(--msg);stroke-width:1.6;fill:none}.sd .lost{stroke:var(--bad);\
stroke-dasharray:5 4}.sd .fly{stroke:var(--soft);stroke-dasharray:2 4}\
.sd .tip{fill:var(--msg)}.sd .ask{stroke:var(--call);stroke-width:1.4;stroke-dasharray:3 3;\
fill:none}.sd .call{fill:var(--call);fill-opacity:.22;stroke:var(--call)}\
.sd .dot{fill:var(--msg)}.sd .dot.Call{fill:var(--call)}.sd .dot.Fault{fill:var(--bad)}\
.sd .dot.Timer{fill:var(--warn)}.sd .dot.Recovery{fill:var(--soft)}.sd text.Fault{fill:var(--bad)}\
.sd text.Timer{fill:var(--warn)}.sd text.Call{fill:var(--call)}\
.sd .down{fill:var(--down);fill-opacity:.2}.sd .paused{fill:var(--soft);fill-opacity:.22}\
.sd .cut{fill:var(--cut);fill-opacity:.18;stroke:var(--cut);stroke-dasharray:6 4}\
.sd .broken{fill:var(--bad);fill-opacity:.1;stroke:var(--bad)}.sd text.verdict{fill:var(--bad);\
font-weight:700}.sd .turn{stroke:var(--bad);stroke-width:1.4;stroke-dasharray:8 4}\
.sd .past{opacity:.28}";

/// Draws a diagram.
pub fn draw(diagram: &Diagram, scale: Scale) -> String {
    let sheet = Sheet::new(diagram, scale);
    let (width, height) = (sheet.width(), sheet.height());
    let mut svg = format!(
        "<svg xmlns='http://www.w3.org/2000/svg' class='sd' width='{width:.0}' \
         height='{height:.0}' viewBox='0 0 {width:.0} {height:.0}' role='img'>\
         <style>{STYLE}</style><defs><marker id='tip' markerWidth='7' markerHeight='6' refX='6' \
         refY='3' orient='auto'><path class='tip' d='M0 0L7 3L0 6z'/></marker></defs>\
         <rect width='100%' height='100%' fill='var(--paper)'/>"
    );
    sheet.shades(&mut svg);
    sheet.lanes(&mut svg);
    diagram.calls.iter().for_each(|call| sheet.call(&mut svg, call));
    diagram.messages.iter().for_each(|message| sheet.message(&mut svg, message));
    diagram.rows.iter().enumerate().skip(1).for_each(|(n, row)| sheet.row(&mut svg, n, row));
    sheet.verdict(&mut svg);
    svg + "</svg>"
}

/// Where everything stands.
struct Sheet<'a> {
    diagram: &'a Diagram,
    /// The middle of each lane, programs first; one more for the right edge.
    x: Vec<f64>,
    /// Where each row is.
    y: Vec<f64>,
}

impl<'a> Sheet<'a> {
    fn new(diagram: &'a Diagram, scale: Scale) -> Self {
        let lanes = diagram.programs + diagram.nodes;
        let mut widths = vec![70.0; lanes];
        let mut widen = |lane: usize, text: usize| {
            widths[lane] = f64::max(widths[lane], text as f64 * LETTER + 34.0);
        };
        for (n, row) in diagram.rows.iter().enumerate() {
            if let Some(node) = row.node {
                widen(diagram.programs + node, label_of(diagram, n, row).chars().count());
            }
        }
        for call in &diagram.calls {
            let texts = [&call.op, call.end.as_ref().map_or(&call.op, |end| &end.1)];
            texts.iter().for_each(|text| widen(call.program, short(text).chars().count() + 2));
        }
        let mut x = vec![GUTTER + 24.0];
        for width in widths {
            x.push(x[x.len() - 1] + width);
        }
        Sheet { diagram, x, y: places(diagram, scale) }
    }

    fn width(&self) -> f64 {
        let verdict = self.diagram.broken.as_ref().map_or(0, |text| text.chars().count().min(110));
        self.x[self.x.len() - 1].max(verdict as f64 * LETTER + GUTTER + 30.0) + 12.0
    }

    fn height(&self) -> f64 {
        self.bottom() + if self.diagram.broken.is_some() { 52.0 } else { 26.0 }
    }

    fn bottom(&self) -> f64 {
        let last = self.y.len() - 1;
        let gap = if self.diagram.no_return == Some(last) { GAP } else { 0.0 };
        self.y[last] + 14.0 + gap
    }

    fn node(&self, node: usize) -> f64 {
        self.x[self.diagram.programs + node]
    }

    /// Partitions and the times in which a node took no inputs.
    fn shades(&self, svg: &mut String) {
        let (left, right) = (self.node(0) - 22.0, self.x[self.x.len() - 1]);
        for (from, to, cut) in &self.diagram.cuts {
            let (top, height) = (self.y[*from] - 6.0, self.y[*to] - self.y[*from] + 12.0);
            let (width, text) = (right - left, escaped(cut));
            let _ = write!(
                svg,
                "<rect class='cut' x='{left:.0}' y='{top:.0}' width='{width:.0}' \
                 height='{height:.0}' rx='6'><title>partition: {text}</title></rect>"
            );
        }
        for span in &self.diagram.spans {
            let (class, why) = match span.status {
                Status::Paused => ("paused", "paused"),
                Status::Absent => ("paused", "not there yet"),
                _ => ("down", "down"),
            };
            let (x, y) = (self.node(span.node) - 9.0, self.y[span.from]);
            let height = (self.y[span.to] - y).max(8.0);
            let _ = write!(
                svg,
                "<rect class='{class}' x='{x:.0}' y='{y:.0}' width='18' height='{height:.0}' \
                 rx='4'><title>n{} is {why}</title></rect>",
                span.node
            );
        }
    }

    fn lanes(&self, svg: &mut String) {
        let Diagram { programs, nodes, .. } = *self.diagram;
        for lane in 0..programs + nodes {
            let name =
                if lane < programs { format!("p{lane}") } else { format!("n{}", lane - programs) };
            let (x, bottom) = (self.x[lane], self.bottom());
            let _ = write!(
                svg,
                "<text class='head' x='{x:.0}' y='30' text-anchor='middle'>{name}</text>\
                 <line class='lane' x1='{x:.0}' y1='40' x2='{x:.0}' y2='{bottom:.0}'/>"
            );
        }
        let what = if self.diagram.timed { "step · tick" } else { "step" };
        let _ = write!(svg, "<text class='soft' x='10' y='30'>{what}</text>");
    }

    /// A call: a bar on its program's lane from its call to its return, a link to its node.
    fn call(&self, svg: &mut String, call: &Call) {
        let x = self.x[call.program];
        let top = self.y[call.from];
        let last = self.y.len() - 1;
        let (end, open) = call.end.as_ref().map_or((last, true), |(row, _)| (*row, false));
        let height = (self.y[end] - top).max(9.0);
        let grey = self.grey(self.diagram.rows[call.from].matters);
        let title = match &call.end {
            Some((_, how)) => format!("{} {} returns {how}", call.name, call.op),
            None => format!("{} {} is open", call.name, call.op),
        };
        let dash = if open { " stroke-dasharray='3 3'" } else { "" };
        let _ = write!(
            svg,
            "<g{grey}><rect class='call' x='{:.0}' y='{top:.0}' width='10' height='{height:.0}' \
             rx='5'{dash}><title>{}</title></rect><line class='ask' x1='{:.0}' y1='{top:.0}' \
             x2='{:.0}' y2='{top:.0}'/><text class='halo Call' x='{:.0}' y='{:.0}'>{}</text>",
            x - 5.0,
            escaped(&title),
            x + 5.0,
            self.node(call.node),
            x + 9.0,
            top - 4.0,
            escaped(&short(&call.op)),
        );
        if let Some((row, how)) = &call.end {
            let (y, from) = (self.y[*row], self.node(call.node));
            // An answer within the step of the call needs no line of its own.
            if *row != call.from {
                let _ = write!(
                    svg,
                    "<line class='ask' x1='{from:.0}' y1='{y:.0}' x2='{:.0}' y2='{y:.0}'/>",
                    x + 5.0
                );
            }
            let below = if *row == call.from { y + 13.0 } else { y + 12.0 };
            let _ = write!(
                svg,
                "<text class='halo Call' x='{:.0}' y='{below:.0}'>→ {}</text>",
                x + 9.0,
                escaped(&short(how))
            );
        }
        svg.push_str("</g>");
    }

    fn message(&self, svg: &mut String, message: &Message) {
        let (x1, y1) = (self.node(message.from), self.y[message.sent]);
        let (row, class, note) = match message.fate {
            Fate::Arrived(row) => (row, "msg", ""),
            Fate::Lost(row) => (row, "msg lost", ", lost"),
            Fate::InFlight => ((message.sent + 1).min(self.y.len() - 1), "msg fly", ", in flight"),
        };
        let part = if message.fate == Fate::Arrived(row) { 1.0 } else { 0.45 };
        let drop = (self.y[row] - y1).max(14.0);
        let (x2, y2) = (x1 + (self.node(message.to) - x1) * part, y1 + drop * part);
        let path = if message.from == message.to {
            let (out, turn) = (x1 - 26.0, (y1 + y2) / 2.0);
            format!("M{x1:.0} {y1:.0}Q{out:.0} {turn:.0} {x2:.0} {y2:.0}")
        } else {
            // A line ends where the circle of the step begins.
            let back = if x2 > x1 { x2 - 5.0 } else { x2 + 5.0 };
            format!("M{x1:.0} {y1:.0}L{back:.0} {y2:.0}")
        };
        let tip = if part == 1.0 { " marker-end='url(#tip)'" } else { "" };
        let grey = self.grey(self.diagram.carries(message));
        let title =
            escaped(&format!("n{} to n{}: {}{note}", message.from, message.to, message.text));
        let _ = write!(
            svg,
            "<g{grey}><path class='{class}' d='{path}'{tip}><title>{title}</title></path>"
        );
        if let Fate::Lost(_) = message.fate {
            let _ = write!(
                svg,
                "<path class='msg lost' style='stroke-dasharray:none' \
                 d='M{:.0} {:.0}l8 8m0 -8l-8 8'/>",
                x2 - 4.0,
                y2 - 4.0
            );
        }
        svg.push_str("</g>");
    }

    fn row(&self, svg: &mut String, n: usize, row: &Row) {
        let y = self.y[n];
        let grey = self.grey(row.matters);
        let words = escaped(&row.words);
        let (kind, step) = (row.kind, row.step);
        let time = if self.diagram.timed { format!(" · {}", row.time) } else { String::new() };
        let _ = write!(
            svg,
            "<g{grey} data-step='{step}'><title>{step}. {words}</title>\
             <text class='soft' x='10' y='{:.0}'>{step}{time}</text>",
            y + 4.0
        );
        let text = escaped(&label_of(self.diagram, n, row));
        match row.node {
            Some(node) => {
                let x = self.node(node);
                // A label stands below a line that comes from the right, and above others.
                let from_right = |m: &Message| m.fate == Fate::Arrived(n) && m.from > m.to;
                let below = self.diagram.messages.iter().any(from_right);
                let beside = if below { y + 13.0 } else { y - 5.0 };
                let _ = write!(
                    svg,
                    "<circle class='dot {kind:?}' cx='{x:.0}' cy='{y:.0}' r='4.5'/>\
                     <text class='halo {kind:?}' x='{:.0}' y='{beside:.0}'>{text}</text>",
                    x + 10.0
                );
            }
            None => {
                let (x, end) = (self.node(0) + 8.0, self.x[self.x.len() - 1]);
                let _ = write!(
                    svg,
                    "<line class='rule' x1='{GUTTER:.0}' y1='{y:.0}' x2='{end:.0}' y2='{y:.0}'/>\
                     <text class='halo soft {kind:?}' x='{x:.0}' y='{:.0}'>{text}</text>",
                    y + 4.0
                );
            }
        }
        svg.push_str("</g>");
    }

    /// What is broken, at the end, and from where on it had to be.
    fn verdict(&self, svg: &mut String) {
        let right = self.width() - 8.0;
        if let Some(row) = self.diagram.no_return {
            // There is more room after that row.
            let y = self.y[row] + 20.0;
            let _ = write!(
                svg,
                "<line class='turn' x1='8' y1='{y:.0}' x2='{right:.0}' y2='{y:.0}'/>\
                 <text class='verdict halo' x='10' y='{:.0}'>no way back</text>",
                y + 13.0
            );
        }
        if let Some(broken) = &self.diagram.broken {
            let y = self.bottom() + 10.0;
            let shown: String = broken.chars().take(110).collect();
            let _ = write!(
                svg,
                "<rect class='broken' x='8' y='{y:.0}' width='{:.0}' height='30' rx='6'/>\
                 <text class='verdict' x='20' y='{:.0}'><title>{}</title>{}</text>",
                right - 8.0,
                y + 19.0,
                escaped(broken),
                escaped(&shown)
            );
        }
    }

    fn grey(&self, matters: bool) -> &'static str {
        if matters { "" } else { " class='past'" }
    }
}

/// Where the rows are: there is a gap where it is said that there is no way back.
fn places(diagram: &Diagram, scale: Scale) -> Vec<f64> {
    let gap = |n: usize| if diagram.no_return.is_some_and(|turn| turn < n) { GAP } else { 0.0 };
    if scale == Scale::Step || !diagram.timed {
        let rows = 0..diagram.rows.len();
        return rows.map(|n| TOP + ROW * n as f64 + gap(n)).collect();
    }
    // The whole takes about as much room as it would by steps.
    let last = diagram.rows.last().map_or(1, |row| row.time.max(1));
    let tick = ROW * diagram.rows.len() as f64 / last as f64;
    let mut y: Vec<f64> = Vec::with_capacity(diagram.rows.len());
    for (n, row) in diagram.rows.iter().enumerate() {
        let due = TOP + tick * row.time as f64 + gap(n);
        let least = 17.0 + gap(n) - gap(n.saturating_sub(1));
        y.push(y.last().map_or(due, |above| due.max(above + least)));
    }
    y
}

/// What stands beside a step: what came, or what happened, and the marks that it put out.
fn label_of(diagram: &Diagram, n: usize, row: &Row) -> String {
    let arrived = diagram.messages.iter().find(|m| m.fate == Fate::Arrived(n));
    let text = match (row.kind, arrived) {
        (Kind::Call, _) => String::new(),
        (_, Some(message)) => short(&brief(&message.text)),
        (Kind::Timer, _) => {
            let timer = row.words.split_once("'s timer ").map_or("", |(_, timer)| timer);
            short(&format!("◷ {}", timer.trim_end_matches(" fires")))
        }
        (_, None) => {
            let words = row.node.map_or(row.words.as_str(), |node| {
                row.words.strip_prefix(&format!("n{node} ")).unwrap_or(&row.words)
            });
            words.to_owned()
        }
    };
    let torn = row.words.split_once(", and crashes after ").filter(|_| row.kind == Kind::Fault);
    let torn = torn.filter(|_| arrived.is_some()).map_or("", |_| "  ⚡ torn");
    let marks = row.marks.iter().map(|mark| format!("  ⚑ {mark}")).collect::<String>();
    format!("{text}{torn}{marks}")
}

fn short(text: &str) -> String {
    shortened(text, LABEL_MAX)
}
