//! Headless Chromium, driven as a person drives it: real clicks at the place where a thing is, keys
//! and typing. It speaks the DevTools protocol through two pipes, so it needs no port and no crate.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// Chromium reads commands from its descriptor 3 and answers on 4; a shell puts our pipes there.
const START: &str = "exec chromium \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>/dev/null";

/// How long a person waits for something to show.
const PATIENCE: Duration = Duration::from_secs(30);

const FLAGS: [&str; 8] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--remote-debugging-pipe",
    "--window-size=1500,1500",
];

/// A browser with a page that it looks at, closed when it is dropped.
pub struct Browser {
    child: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
    session: Option<String>,
    asked: u64,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// Starts it, with an empty page.
    ///
    /// # Panics
    /// If there is no `chromium`.
    pub fn start() -> Browser {
        let profile = tempfile::tempdir().expect("a temporary folder");
        let mut child = Command::new("sh")
            .args(["-c", START, "sh"])
            .args(FLAGS)
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("there is a shell");
        let commands = child.stdin.take().expect("it is piped");
        let answers = BufReader::new(child.stdout.take().expect("it is piped"));
        let session = None;
        let mut browser =
            Browser { child, commands, answers, session, asked: 0, _profile: profile };
        browser.new_page("");
        browser
    }

    /// Goes on in a page of its own, on which this runs before the page's own scripts.
    pub fn new_page(&mut self, script: &str) {
        self.session = None;
        let page = self.ask("Target.createTarget", json!({ "url": "about:blank" }));
        let target = json!({ "targetId": page["targetId"], "flatten": true });
        let attached = self.ask("Target.attachToTarget", target);
        self.session = attached["sessionId"].as_str().map(str::to_owned);
        self.ask("Page.enable", json!({}));
        self.ask("Page.addScriptToEvaluateOnNewDocument", json!({ "source": script }));
    }

    /// Gives one command of the protocol, and returns its result.
    fn ask(&mut self, method: &str, params: Value) -> Value {
        self.asked += 1;
        let mut command = json!({ "id": self.asked, "method": method, "params": params });
        if let Some(session) = &self.session {
            command["sessionId"] = json!(session);
        }
        // If it has ended, there is no answer, and that is told below.
        let _ = write!(self.commands, "{command}\0").and_then(|()| self.commands.flush());
        loop {
            let mut answer = Vec::new();
            let read =
                self.answers.by_ref().read_until(0, &mut answer).expect("a pipe can be read");
            assert!(
                read > 0 && answer.pop() == Some(0),
                "there is no working `chromium` here: install it as .ci/run does (apt-get install \
                 chromium), for these tests are not left out"
            );
            let answer: Value = serde_json::from_slice(&answer).expect("answers are JSON");
            if answer["id"] == self.asked {
                assert!(answer["error"].is_null(), "{method}: {}", answer["error"]);
                return answer["result"].clone();
            }
        }
    }

    /// Opens an address.
    pub fn open(&mut self, url: &str) {
        let opened = self.ask("Page.navigate", json!({ "url": url }));
        assert!(opened["errorText"].is_null(), "{url}: {opened}");
    }

    /// The value of an expression on the page; `null` if it can't be had, as before it is loaded.
    pub fn value(&mut self, expression: &str) -> Value {
        let params = json!({ "expression": expression, "returnByValue": true });
        self.ask("Runtime.evaluate", params)["result"]["value"].clone()
    }

    /// Waits until something is so.
    ///
    /// # Panics
    /// If it does not come to be so.
    pub fn waits_for(&mut self, what: &str, condition: &str) {
        let begin = Instant::now();
        while self.sees(what, condition).is_err() {
            assert!(begin.elapsed() < PATIENCE, "nobody saw {what}: {condition}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Looks whether something is so now.
    ///
    /// # Errors
    /// If it is not.
    pub fn sees(&mut self, what: &str, condition: &str) -> Result<(), String> {
        let so = self.value(&format!("!!({condition})")) == true;
        if so { Ok(()) } else { Err(format!("not seen: {what}")) }
    }

    /// Clicks in the middle of an element that an expression names.
    ///
    /// # Errors
    /// If there is no such element, or something is in front of it.
    pub fn click(&mut self, element: &str) -> Result<(), String> {
        let place = self.value(&format!(
            "(() => {{ const e = {element}; e.scrollIntoView({{ block: 'center' }}); \
             const box = e.getClientRects()[0]; \
             const x = box.x + box.width / 2, y = box.y + box.height / 2; \
             return e.contains(document.elementFromPoint(x, y)) ? [x, y] : null; }})()"
        ));
        let Some([x, y]) = place.as_array().map(Vec::as_slice) else {
            return Err(format!("not there, or hidden, or covered: {element}"));
        };
        for kind in ["mousePressed", "mouseReleased"] {
            let params = json!({ "type": kind, "x": x, "y": y, "button": "left", "clickCount": 1 });
            self.ask("Input.dispatchMouseEvent", params);
        }
        Ok(())
    }

    /// Types a text where the cursor is.
    pub fn types(&mut self, text: &str) {
        self.ask("Input.insertText", json!({ "text": text }));
    }

    /// Presses a key, as in `ArrowUp` with code 38.
    pub fn presses(&mut self, key: &str, code: u32) {
        for kind in ["rawKeyDown", "keyUp"] {
            let params = json!({ "type": kind, "key": key, "code": key,
                "windowsVirtualKeyCode": code });
            self.ask("Input.dispatchKeyEvent", params);
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
