//! What a person does, in headless Chromium: on the page of guarantees filters, clicks at a broken
//! cell and sees its trace drawn; in the explorer follows a counterexample step by step, goes back
//! and forth, and sees the drawing and the difference change. Each walk must also fail on pages
//! that are broken on purpose.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use seedbed::engine::trace::TraceFile;
use serde_json::json;

use crate::chromium::Browser;

/// How many steps a drawing on the page has.
const DRAWN: &str = "document.querySelectorAll('svg.sd [data-step]').length";

const CELL: &str = "document.querySelector('[data-key=\"abd/volatile~crash\"]')";

/// A page's text is what is shown of it.
fn shows(text: &str) -> String {
    format!("document.body.innerText.includes({})", json!(text))
}

fn seedbed(args: &[&str]) -> std::process::Output {
    Command::new(env!("CARGO_BIN_EXE_seedbed")).args(args).output().expect("seedbed runs")
}

fn made_page(folder: &Path) -> PathBuf {
    let out = folder.display().to_string();
    let scenarios = ["abd/no-write-back", "abd/volatile"];
    let ran = seedbed(&["run", scenarios[0], scenarios[1], "--seeds", "0..5", "--out", &out]);
    assert!(ran.status.code().is_some_and(|code| code != 2), "{ran:?}");
    folder.join("guarantees.html")
}

/// Filters by words and by verdicts, opens a broken cell, and closes it again.
fn looks_at_the_page(browser: &mut Browser, page: &Path) -> Result<(), String> {
    let rows = |n: usize| format!("document.querySelectorAll('tbody tr').length === {n}");
    let panel = "document.querySelector('aside')";
    browser.open(&format!("file://{}", page.display()));
    browser.waits_for("a loaded page", "document.readyState === 'complete' && data");
    browser.sees("both scenarios", &rows(2))?;
    browser.sees("a closed panel", &format!("{panel}.getClientRects().length === 0"))?;
    browser.click("document.querySelector('#query')")?;
    browser.types("volatile crash");
    browser.sees("the filter's one scenario", &rows(1))?;
    browser.sees("how many there are", &shows("1 of 2 scenarios"))?;
    let chip = |kind: &str| format!("document.querySelector('.chip.{kind}')");
    browser.click(&chip("broken"))?;
    let faded = format!("getComputedStyle({CELL}).opacity < 0.5");
    browser.sees("no broken cell any more", &format!("{} || {faded}", rows(0)))?;
    browser.click(&chip("broken"))?;
    browser.click(CELL)?;
    browser
        .sees("the panel", &format!("!{panel}.hidden && {panel}.innerText.includes('crashes')"))?;
    let steps = format!("document.querySelectorAll('aside li').length === {DRAWN}");
    browser.sees("every step drawn", &format!("{DRAWN} > 4 && {steps}"))?;
    let size = "document.querySelector('aside svg').getBoundingClientRect()";
    browser
        .sees("a drawing that has room", &format!("{size}.height > 200 && {size}.width > 300"))?;
    browser.sees("what is broken", "document.querySelector('aside svg .verdict')")?;
    browser.sees("the command", &shows("seedbed replay abd-volatile-crash.json"))?;
    browser.presses("Escape", 27);
    browser.sees("the panel closed again", &format!("{panel}.hidden"))
}

#[test]
fn the_page_works_from_a_file() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let page = made_page(folder.path());
    let text = std::fs::read_to_string(&page).expect("it was written");
    let mut browser = Browser::start();
    looks_at_the_page(&mut browser, &page).expect("the page works");
    browser.click(CELL).expect("the panel opens again");
    let link = "document.querySelector('aside a[download]').href.split(',')[1]";
    let saved = browser.value(&format!("decodeURIComponent({link})"));
    let trace = folder.path().join("saved.json");
    std::fs::write(&trace, saved.as_str().expect("a file")).expect("it can be written");
    let replayed = seedbed(&["replay", &trace.display().to_string()]);
    assert!(replayed.status.success(), "what the page offers to save is a trace: {replayed:?}");
    for (part, broken, noticed) in [
        ("const rows = data.rows.filter(matches)", "const rows = []", "both scenarios"),
        ("box.hidden = !cell", "box.hidden = false", "a closed panel"),
        ("data.rows.filter(matches)", "data.rows", "the filter's one scenario"),
        ("${rows.length} of", "some of", "how many there are"),
        ("state.show.delete(kind)", "0", "no broken cell any more"),
        (".bar{", ".frame{pointer-events:none}.bar{", "hidden, or covered"),
        ("box.hidden = !cell", "box.hidden = true", "the panel"),
        ("data.drawings[cell.drawing]", "''", "every step drawn"),
        ("aside .draw svg{", "aside .draw svg{height:20px;", "a drawing that has room"),
        ("seedbed replay ${name}", "", "the command"),
        ("event.key === 'Escape'", "false", "the panel closed again"),
    ] {
        assert!(text.contains(part), "the page has no {part}");
        std::fs::write(&page, text.replacen(part, broken, 1)).expect("it can be written");
        let failure = looks_at_the_page(&mut browser, &page).expect_err(noticed);
        assert!(failure.contains(noticed), "{part} was broken, and {failure}");
    }
}

/// The explorer, stopped when the test ends.
struct Explorer {
    child: Child,
    url: String,
}

impl Explorer {
    fn at(scenario: &str, trace: &Path) -> Explorer {
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = free.local_addr().expect("it is bound").to_string();
        drop(free);
        let mut child = Command::new(env!("CARGO_BIN_EXE_seedbed"))
            .args(["explore", scenario, "--trace", &trace.display().to_string()])
            .args(["--address", &address])
            .stdout(Stdio::piped())
            .spawn()
            .expect("seedbed runs");
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let url = lines.next().expect("it says where it is").expect("it is text");
        // It prints its address just before it listens there.
        while std::net::TcpStream::connect(&address).is_err() {
            assert!(child.try_wait().expect("it is ours").is_none(), "the explorer has ended");
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        Explorer { child, url }
    }
}

impl Drop for Explorer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The step that is selected, as the difference from the one before tells it.
const TOLD: &str = "document.querySelectorAll('.main-flex-right .font-code')[1].innerText";

/// What can be done next.
const NEXT: &str = "[...[...document.querySelectorAll('h2')].find(e => \
                    e.innerText.startsWith('Next')).nextElementSibling.querySelectorAll('a')]";

/// Waits until the explorer stands at a step, and looks at what it shows.
fn sees_step(browser: &mut Browser, n: usize, trace: &[String]) -> Result<(), String> {
    // The path begins before the start.
    let stands = format!(
        "[...document.querySelectorAll('.path-list a')]\
         .findIndex(e => e.classList.contains('is-selected-state')) === {}",
        n + 1
    );
    browser.waits_for(&format!("the explorer at step {n}"), &stands);
    if n == 0 {
        return Ok(());
    }
    let words = json!(trace[n]);
    let told = format!("{TOLD}.replace(/^BROKEN.*\\n\\n/, '').startsWith({words} + '\\n  ')");
    browser.sees(&format!("the difference that step {n} made: {words}"), &told)?;
    browser.sees(&format!("{n} steps drawn"), &format!("{DRAWN} === {n}"))?;
    let broken = format!("{TOLD}.includes('BROKEN linearizable: ')");
    if n < trace.len() - 1 {
        return browser.sees("that nothing is broken yet", &format!("!{broken}"));
    }
    browser.sees("what is broken, told", &broken)?;
    browser.sees("what is broken, drawn", "document.querySelector('svg.sd .broken')")?;
    browser.sees("from where it had to be", "document.querySelector('svg.sd .turn')")
}

/// From the trace's end to its start, forth through the choices, back by keys, forth by a click.
fn follows(browser: &mut Browser, url: &str, trace: &[String]) -> Result<(), String> {
    let last = trace.len() - 1;
    browser.open(url);
    sees_step(browser, last, trace)?;
    let (start, _) = url.split_once('#').expect("it leads to a step");
    browser.open(&format!("{start}#/steps"));
    browser.waits_for("the choice of a start", &format!("{NEXT}[0].innerText === 'Init 0'"));
    for (n, words) in trace.iter().enumerate() {
        let words = if n == 0 { "Init 0" } else { words };
        browser.click(&format!("{NEXT}.find(e => e.innerText === {})", json!(words)))?;
        sees_step(browser, n, trace)?;
    }
    for n in (last - 2..last).rev() {
        browser.presses("ArrowUp", 38);
        sees_step(browser, n, trace)?;
    }
    browser.click(&format!("document.querySelectorAll('.path-list a')[{}]", last + 1))?;
    sees_step(browser, last, trace)
}

#[test]
fn the_explorer_follows_a_counterexample() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = root.join("reports/regressions/abd-volatile.json");
    let trace = TraceFile::read(&path).expect("it is kept").trace;
    let explorer = Explorer::at("abd/volatile", &path);
    let mut browser = Browser::start();
    follows(&mut browser, &explorer.url, &trace).expect("the explorer works");
    for (broken, noticed) in [
        ("step.outcome = 'nothing'", "the difference that step"),
        ("step.outcome = step.outcome.replace(/^BROKEN.*\\n\\n/, '')", "what is broken, told"),
        ("step.outcome = step.outcome.replace(/\\n {2}.*/g, '')", "the difference that step"),
        ("step.svg = step.svg.replace('data-step', 'data-lost')", "steps drawn"),
        ("step.svg = step.svg.replace(/class='turn'/g, '')", "from where it had to be"),
        ("step.svg = step.svg.replace(/class='broken'/g, '')", "what is broken, drawn"),
        ("step.action = step.action.replace('Query', 'Quarry')", "not there"),
    ] {
        browser.new_page(&format!(
            "const real = Response.prototype.json; Response.prototype.json = async function () {{ \
             const got = await real.call(this); if (Array.isArray(got)) for (const step of got) {{ \
             if (step.outcome) {broken}; }} return got; }}"
        ));
        let failure = follows(&mut browser, &explorer.url, &trace).expect_err(noticed);
        assert!(failure.contains(noticed), "{broken}, and {failure}");
    }
}
