//! The shell's text on real sockets: three processes on loopback, one of which is killed and
//! started again.

use std::io::{BufRead, BufReader};
use std::net::UdpSocket;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use crate::user_crate::without_flags;

/// A node's process, and what it says. It ends when its standard input does, so none outlives this.
struct Process {
    child: Child,
    lines: Receiver<String>,
}

impl Process {
    fn start(program: &Path, me: usize, disk: &Path, ports: &[u16]) -> Process {
        let mut command = Command::new(program);
        command.arg(me.to_string()).arg(disk).args(ports.iter().map(u16::to_string));
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the example starts");
        let output = BufReader::new(child.stdout.take().expect("it is piped"));
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        Process { child, lines }
    }

    /// All lines up to the first that contains these words.
    fn until(&self, words: &str) -> Vec<String> {
        let deadline = Instant::now() + Duration::from_secs(30);
        let mut seen: Vec<String> = Vec::new();
        while seen.last().is_none_or(|line| !line.contains(words)) {
            let left = deadline.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left);
            seen.push(line.unwrap_or_else(|_| panic!("no `{words}` after {seen:#?}")));
        }
        seen
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the calls returned, in the order in which the lines say so.
fn counts(lines: &[String]) -> Vec<u32> {
    let ends = lines.iter().filter_map(|line| line.split_once("ends: Ok("));
    ends.map(|(_, count)| count.trim_end_matches(')').parse().unwrap()).collect()
}

#[test]
fn three_processes_answer_every_call_and_a_killed_one_comes_back() {
    let program = without_flags().join("node");
    let free = [(); 3].map(|()| UdpSocket::bind("127.0.0.1:0").expect("a port is free"));
    let ports = free.each_ref().map(|socket| socket.local_addr().unwrap().port());
    drop(free);
    let disk = tempfile::tempdir().unwrap();
    let start = |me| Process::start(&program, me, disk.path(), &ports);
    let (counter, asker) = (start(0), start(1));
    let mut seen = counts(&counter.until("program 0 is done"));
    seen.extend(counts(&asker.until("program 1 is done")));
    drop(counter);
    // The third asks before the counter is back, which goes on from its disk.
    let late = start(2);
    late.until("timer");
    let counter = start(0);
    seen.extend(counts(&late.until("program 2 is done")));
    drop(counter);
    seen.sort_unstable();
    assert_eq!(seen, (1..=15).collect::<Vec<_>>(), "each of 15 calls counts once");
}
