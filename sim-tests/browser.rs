//! What a person sees, in headless Chromium: the page of guarantees from a file, its filters and
//! its drawings; the explorer at a trace, one step back, and at the violation. `.ci/run` installs
//! Debian's `chromium`; where there is none, these tests say so and try nothing.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

/// The page as the browser has made it, or `None` where there is no browser.
fn rendered(url: &str) -> Option<String> {
    let profile = tempfile::tempdir().expect("a temporary folder");
    let output = Command::new("chromium")
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=8000"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .args(["--dump-dom", url])
        .stderr(Stdio::null())
        .output();
    let Ok(output) = output else {
        println!("there is no chromium here; `.ci/run` installs it");
        return None;
    };
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn seedbed(args: &[&str]) -> std::process::Output {
    Command::new(env!("CARGO_BIN_EXE_seedbed")).args(args).output().expect("seedbed runs")
}

/// The text between two marks.
fn between<'a>(text: &'a str, begin: &str, end: &str) -> &'a str {
    let rest = text.split_once(begin).map_or("", |(_, rest)| rest);
    rest.split_once(end).map_or("", |(inner, _)| inner)
}

#[test]
fn the_page_works_from_a_file() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().display().to_string();
    let args = ["run", "abd/no-write-back", "abd/volatile", "--seeds", "0..5", "--out", &out];
    let ran = seedbed(&args);
    assert!(ran.status.code().is_some_and(|code| code != 2), "{ran:?}");
    let page = format!("file://{out}/guarantees.html");
    let Some(whole) = rendered(&page) else { return };
    let table = between(&whole, "<tbody>", "</tbody>");
    assert!(table.contains("abd/no-write-back") && table.contains("abd/volatile"), "{table}");
    assert!(table.contains("class=\"broken\""), "{table}");
    assert!(between(&whole, "<aside", "</aside>").contains("hidden"), "the panel is closed");
    let filtered = rendered(&format!("{page}#q=volatile")).expect("it was there");
    let table = between(&filtered, "<tbody>", "</tbody>");
    assert!(table.contains("abd/volatile") && !table.contains("abd/no-write-back"), "{table}");
    let opened = rendered(&format!("{page}#open=abd/volatile~crash")).expect("it was there");
    let panel = between(&opened, "<aside", "</aside>");
    assert!(panel.contains("class=\"sd\"") && panel.contains("crashes"), "{panel}");
    assert!(
        panel.contains("linearizable") && panel.contains("seedbed check abd/volatile"),
        "{panel}"
    );
}

/// The explorer, stopped when the test ends.
struct Explorer(std::process::Child);

impl Drop for Explorer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_explorer_follows_a_counterexample() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let trace = root.join("reports/regressions/abd-volatile.json").display().to_string();
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = free.local_addr().expect("it is bound").to_string();
    drop(free);
    let child = Command::new(env!("CARGO_BIN_EXE_seedbed"))
        .args(["explore", "abd/volatile", "--trace", &trace, "--address", &address])
        .stdout(Stdio::piped())
        .spawn()
        .expect("seedbed runs");
    let mut explorer = Explorer(child);
    let mut lines = BufReader::new(explorer.0.stdout.take().expect("it is piped")).lines();
    let url = lines.next().expect("it says where it is").expect("it is text");
    // It prints its address just before it listens there.
    for _ in 0..100 {
        if std::net::TcpStream::connect(&address).is_ok() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let Some(end) = rendered(&url) else { return };
    assert!(end.contains("BROKEN linearizable"), "the last step tells what is broken: {end}");
    assert!(end.contains("n1 crashes") && end.contains("class=\"sd\""), "{end}");
    let (earlier, _) = url.rsplit_once('/').expect("steps are parts of a path");
    let before = rendered(earlier).expect("it was there");
    assert!(!before.contains("BROKEN linearizable: no order"), "one step back it is not: {before}");
    let steps = |page: &str| page.matches("data-step").count();
    assert!(steps(&before) < steps(&end), "the diagram changes with the step");
}
