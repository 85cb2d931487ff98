//! Memory: the form in which the models below linearizability see a history.
//!
//! They speak of sessions that read and write the values of keys, and of accesses that synchronise
//! (Steinke and Nutt, JACM 2004; Viotti and Vukolic, ACM Computing Surveys 2016). Whatever object
//! was called, its reads and writes are numbered here, and each read is matched with the write that
//! it returned. What has no such form, a compare-and-set for one, has no verdict of these models.
//!
//! * A read whose answer nobody heard observes nothing, and is left out.
//! * A write of unknown outcome took effect if some read may have returned it; if none may, leaving
//!   it out is as good as any place for it. If its session went on, its place there is not known,
//!   and it stands alone.
//! * A call that synchronises without reading or writing is a *fence*. A barrier is two of them:
//!   all arrive, then all depart.

mod clock;
mod deadlines;
mod frontier;
mod labels;
mod shrink;
mod solver;
mod sources;
mod story;
mod views;

pub use clock::{Clocks, sorted};
pub use deadlines::{Respect, deadlines, forced};
pub use frontier::{Search, interleaving};
pub use labels::{Rule, Synchronised, hidden_from, labelled_views, synchronisation, synchronised};
pub use shrink::{Core, shrink};
pub use solver::{Found, solve};
pub use sources::{Settled, Verdict, settle};
pub use story::Told;
pub use views::{
    Because, Edge, Mode, View, Views, confirms, neighbours, program_order, real_time, returns,
};

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::history::{Call, Happening, History, SyncKind};
use crate::object::{Deed, Object};

/// What an access does to its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Act {
    /// Learns the value.
    Read,
    /// Sets the value.
    Write,
    /// Neither: it only synchronises.
    Fence,
}

/// Where the value of a read comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// It is no read.
    None,
    /// It is what the key held at first.
    Initial,
    /// This access wrote it.
    Write(usize),
    /// Nobody wrote it.
    Nobody,
    /// More than one may have: the read is not matched yet.
    Unclear,
}

/// One access.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Access {
    /// The index of the call in the history.
    pub call: usize,
    /// Who called.
    pub process: u32,
    /// Its session, from 0.
    pub session: usize,
    /// What it does.
    pub act: Act,
    /// The key, from 0; of a fence it means nothing.
    pub key: usize,
    /// The value, from 0, among those of its key; 0 is the first value of a key.
    pub value: usize,
    /// Whether it gets what others released.
    pub acquires: bool,
    /// Whether it gives what others acquire.
    pub releases: bool,
    /// When it was invoked.
    pub invoked: u64,
    /// When it returned, if it did.
    pub returned: Option<u64>,
}

impl Access {
    /// Whether it synchronises.
    pub fn syncs(&self) -> bool {
        self.acquires || self.releases
    }

    /// Whether it reads.
    pub fn reads(&self) -> bool {
        self.act == Act::Read
    }

    /// Whether it writes.
    pub fn writes(&self) -> bool {
        self.act == Act::Write
    }

    /// Whether it returned before the other was invoked.
    pub fn precedes(&self, other: &Access) -> bool {
        self.returned.is_some_and(|returned| returned < other.invoked)
    }
}

/// What a judge is told beside the history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Given {
    /// Whether the times of calls mean nothing across sessions: only program order was kept.
    pub untimed: bool,
    /// Which object of synchronisation guards which key, for entry consistency.
    pub guards: BTreeMap<String, String>,
}

/// A history as accesses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Memory {
    /// The accesses: session by session, and in program order within each.
    pub accesses: Vec<Access>,
    /// For each access where its value comes from.
    pub sources: Vec<Source>,
    /// The names of the keys.
    pub keys: Arc<Vec<String>>,
    /// For each key the names of its values; the first is the initial one.
    pub values: Arc<Vec<Vec<String>>>,
    /// How many sessions there are; some may have no access.
    pub sessions: usize,
    /// Fences that let others go on: a release, and an acquire that waited for it.
    pub grants: Vec<(usize, usize)>,
    /// For each fence that has one, the number of the object that it synchronises through.
    pub objects: BTreeMap<usize, String>,
    /// Which object guards which key.
    pub guards: BTreeMap<usize, String>,
    /// Whether it was told what guards what.
    pub guarded: bool,
    /// Whether times order accesses of different sessions.
    pub timed: bool,
    /// When the system was quiescent, if it was told.
    pub quiet: Option<u64>,
}

impl Memory {
    /// Sees a history as accesses to a memory, or says why it can't be seen so.
    pub fn of<O: Object>(
        object: &O,
        history: &History<O::Op, O::Ret>,
        given: &Given,
    ) -> Result<Memory, String> {
        let (timed, guarded) = (!given.untimed, !given.guards.is_empty());
        let mut memory = Memory { timed, guarded, ..Memory::default() };
        let quiet = |mark: &&crate::history::Mark| mark.what == Happening::Quiescence;
        memory.quiet = history.marks().iter().rfind(quiet).map(|mark| mark.time);
        let mut names = Names::default();
        for (index, call) in history.calls().iter().enumerate() {
            memory.see(object, index, call, &mut names)?;
        }
        memory.arrange(&names);
        for (key, guard) in &given.guards {
            if let Some(index) = names.keys.get(key) {
                memory.guards.insert(*index, guard.clone());
            }
        }
        memory.match_reads();
        Ok(memory.without_lost_writes())
    }

    /// Adds a call.
    fn see<O: Object>(
        &mut self,
        object: &O,
        index: usize,
        call: &Call<O::Op, O::Ret>,
        names: &mut Names,
    ) -> Result<(), String> {
        let (mut act, mut key, mut value) = (Act::Fence, 0, 0);
        match object.deed(&call.op, call.ret.as_ref()) {
            Some(Deed::Read(None)) => return Ok(()),
            Some(Deed::Read(Some(read))) => {
                key = self.key(object, &call.op, names);
                (act, value) = (Act::Read, self.value(key, plain(&read), names));
            }
            Some(Deed::Write(written)) => {
                key = self.key(object, &call.op, names);
                (act, value) = (Act::Write, self.value(key, plain(&written), names));
            }
            _ if call.sync.is_some() => {}
            _ => {
                return Err(format!(
                    "the model is about reads and writes, and {:?} is neither",
                    call.op
                ));
            }
        }
        let kind = call.sync.as_ref().map(|sync| sync.kind);
        let session = names.session(call.session, index);
        if call.returned.is_none() {
            names.unknown.push(index);
        }
        let access = Access {
            call: index,
            process: call.process,
            session,
            act,
            key,
            value,
            acquires: matches!(kind, Some(SyncKind::Acquire | SyncKind::Both)),
            releases: kind.is_some_and(|kind| kind != SyncKind::Acquire),
            invoked: call.invoked,
            returned: call.returned,
        };
        let depart = Access { acquires: true, releases: false, ..access.clone() };
        self.accesses.push(access);
        let fence = call.sync.as_ref().filter(|_| act == Act::Fence);
        if let Some(sync) = fence {
            names.fences.push((self.accesses.len() - 1, sync.object.clone(), sync.grant));
            if sync.kind == SyncKind::Barrier {
                self.accesses.push(depart);
                names.fences.push((self.accesses.len() - 1, sync.object.clone(), sync.grant));
            }
        } else if let Some(sync) = &call.sync {
            names.labels.insert(self.accesses.len() - 1, sync.object.clone());
        }
        Ok(())
    }

    fn key<O: Object>(&mut self, object: &O, op: &O::Op, names: &mut Names) -> usize {
        let name = object.part(op).unwrap_or_default();
        if let Some(key) = names.keys.get(&name) {
            return *key;
        }
        let initial = object.initial().map_or("nothing".to_owned(), |held| plain(&held));
        let key = self.keys.len();
        names.values.push(BTreeMap::from([(initial.clone(), 0)]));
        names.keys.insert(name.clone(), key);
        Arc::make_mut(&mut self.keys).push(name);
        Arc::make_mut(&mut self.values).push(vec![initial]);
        key
    }

    fn value(&mut self, key: usize, name: String, names: &mut Names) -> usize {
        let next = self.values[key].len();
        let value = *names.values[key].entry(name.clone()).or_insert(next);
        if value == next {
            Arc::make_mut(&mut self.values)[key].push(name);
        }
        value
    }

    /// Sorts the accesses by session, and finds out which fences wait for which.
    fn arrange(&mut self, names: &Names) {
        let lonely: Vec<usize> = names.lonely().collect();
        self.sessions = names.sessions.len() + lonely.len();
        for (extra, call) in lonely.iter().enumerate() {
            let mut own = self.accesses.iter_mut().filter(|access| access.call == *call);
            own.by_ref().for_each(|access| access.session = names.sessions.len() + extra);
        }
        let mut order: Vec<usize> = (0..self.accesses.len()).collect();
        order.sort_by_key(|index| self.accesses[*index].session);
        let mut place = vec![0; order.len()];
        order.iter().enumerate().for_each(|(now, before)| place[*before] = now);
        let accesses = order.iter().map(|before| self.accesses[*before].clone()).collect();
        self.accesses = accesses;
        let mut given: BTreeMap<(&str, u64), Vec<usize>> = BTreeMap::new();
        for (fence, object, grant) in &names.fences {
            let fence = place[*fence];
            self.objects.insert(fence, object.clone());
            if self.accesses[fence].releases {
                given.entry((object, *grant)).or_default().push(fence);
            }
        }
        for (label, object) in &names.labels {
            self.objects.insert(place[*label], object.clone());
        }
        for (fence, object, grant) in &names.fences {
            let fence = place[*fence];
            let access = &self.accesses[fence];
            let departs = fence > 0 && self.accesses[fence - 1].call == access.call;
            let waited_for = if departs { Some(*grant) } else { grant.checked_sub(1) };
            let givers = waited_for.and_then(|grant| given.get(&(object.as_str(), grant)));
            for giver in givers.into_iter().flatten().filter(|_| access.acquires) {
                self.grants.push((*giver, fence));
            }
        }
    }

    /// The accesses that are kept, as a memory of their own, and what they were called before.
    pub fn keep(&self, kept: impl Fn(usize) -> bool) -> (Memory, Vec<usize>) {
        let old: Vec<usize> = (0..self.accesses.len()).filter(|access| kept(*access)).collect();
        let mut new = vec![usize::MAX; self.accesses.len()];
        old.iter().enumerate().for_each(|(now, before)| new[*before] = now);
        let stays = |access: usize| (new[access] != usize::MAX).then(|| new[access]);
        let both = |(a, b): &(usize, usize)| Some((stays(*a)?, stays(*b)?));
        let source = |before: &usize| match self.sources[*before] {
            Source::Write(write) => stays(write).map_or(Source::Nobody, Source::Write),
            other => other,
        };
        let objects =
            self.objects.iter().filter_map(|(at, name)| Some((stays(*at)?, name.clone())));
        let memory = Memory {
            accesses: old.iter().map(|before| self.accesses[*before].clone()).collect(),
            sources: old.iter().map(source).collect(),
            grants: self.grants.iter().filter_map(both).collect(),
            objects: objects.collect(),
            keys: self.keys.clone(),
            values: self.values.clone(),
            guards: self.guards.clone(),
            ..*self
        };
        (memory, old)
    }

    /// The calls that the accesses are: indices into the history.
    pub fn calls(&self) -> Vec<usize> {
        let mut calls: Vec<usize> = self.accesses.iter().map(|one| one.call).collect();
        calls.sort_unstable();
        calls.dedup();
        calls
    }

    /// The same reads and writes as those of other sessions: of the old one and the new number of
    /// each, session by session. Nothing synchronises any more.
    pub fn moved(&self, order: &[usize], session: impl Fn(usize) -> usize) -> Memory {
        let mut new = vec![usize::MAX; self.accesses.len()];
        order.iter().enumerate().for_each(|(now, before)| new[*before] = now);
        let moved = |before: &usize| {
            let session = session(*before);
            Access { session, acquires: false, releases: false, ..self.accesses[*before].clone() }
        };
        let accesses: Vec<Access> = order.iter().map(moved).collect();
        let source = |before: &usize| match self.sources[*before] {
            Source::Write(write) => Source::Write(new[write]),
            other => other,
        };
        Memory {
            sessions: accesses.iter().map(|one| one.session + 1).max().unwrap_or(0),
            accesses,
            sources: order.iter().map(source).collect(),
            keys: self.keys.clone(),
            values: self.values.clone(),
            ..Memory::default()
        }
    }

    /// The accesses of each session, as a range.
    pub fn programs(&self) -> Vec<std::ops::Range<usize>> {
        let mut programs = vec![0..0; self.sessions];
        let mut start = 0;
        for run in self.accesses.chunk_by(|one, next| one.session == next.session) {
            programs[run[0].session] = start..start + run.len();
            start += run.len();
        }
        programs
    }

    /// All writes.
    pub fn writes(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.accesses.len()).filter(|access| self.accesses[*access].writes())
    }

    /// All reads.
    pub fn reads(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.accesses.len()).filter(|access| self.accesses[*access].reads())
    }

    /// The reads of a session.
    pub fn reads_of(&self, session: usize) -> impl Iterator<Item = usize> + '_ {
        self.reads().filter(move |read| self.accesses[*read].session == session)
    }

    /// The writes to each key.
    pub fn writes_by_key(&self) -> Vec<Vec<usize>> {
        let mut groups = vec![Vec::new(); self.keys.len()];
        self.writes().for_each(|write| groups[self.accesses[write].key].push(write));
        groups
    }

    /// The sessions, each of which looks at the memory.
    pub fn lookers(&self) -> std::ops::Range<usize> {
        0..self.sessions
    }

    /// Whether an access reads or writes a key.
    pub fn touches(&self, access: usize, key: usize) -> bool {
        self.accesses[access].act != Act::Fence && self.accesses[access].key == key
    }

    /// Whether a session sees an access: its own, and what others give.
    pub fn reaches(&self, access: usize, session: usize) -> bool {
        let one = &self.accesses[access];
        one.session == session || one.writes() || (one.act == Act::Fence && one.releases)
    }

    /// A session, as one that looks.
    pub fn title(&self, session: usize) -> String {
        let own = self.accesses.iter().find(|one| one.session == session);
        own.map_or("a session".to_owned(), |one| format!("process {}", one.process))
    }

    /// An access in words.
    pub fn name(&self, access: usize) -> String {
        let one = &self.accesses[access];
        let who = format!("process {}'s", one.process);
        let sync = match (one.acquires, one.releases) {
            (true, true) => " synchronising",
            (true, false) => " acquiring",
            (false, true) => " releasing",
            (false, false) => "",
        };
        if one.act == Act::Fence {
            let object = self.objects.get(&access).map_or("", String::as_str);
            let what = if one.acquires { "acquire" } else { "release" };
            return format!("{who} {what} of {object}");
        }
        let (key, value) = (&self.keys[one.key], &self.values[one.key][one.value]);
        match (one.act, key.as_str()) {
            (Act::Write, "") => format!("{who}{sync} write of {value}"),
            (Act::Write, key) => format!("{who}{sync} write of {value} to {key}"),
            (_, "") => format!("{who}{sync} read of {value}"),
            (_, key) => format!("{who}{sync} read of {value} from {key}"),
        }
    }
}

/// What is known by name while a history is read.
#[derive(Default)]
struct Names {
    keys: BTreeMap<String, usize>,
    values: Vec<BTreeMap<String, usize>>,
    /// For each session its number, and its last call.
    sessions: BTreeMap<u32, (usize, usize)>,
    /// For each call that has a successor in its session.
    followed: Vec<usize>,
    /// Calls of unknown outcome.
    unknown: Vec<usize>,
    /// Fences: the access, its object and its grant.
    fences: Vec<(usize, String, u64)>,
    /// Reads and writes that synchronise, and their objects.
    labels: BTreeMap<usize, String>,
}

impl Names {
    fn session(&mut self, name: u32, call: usize) -> usize {
        let next = self.sessions.len();
        let (session, last) = self.sessions.entry(name).or_insert((next, usize::MAX));
        if *last != usize::MAX && *last != call {
            self.followed.push(*last);
        }
        *last = call;
        *session
    }

    /// Calls of unknown outcome after which their session went on.
    fn lonely(&self) -> impl Iterator<Item = usize> + '_ {
        let followed: std::collections::BTreeSet<_> = self.followed.iter().copied().collect();
        self.unknown.iter().copied().filter(move |call| followed.contains(call))
    }
}

/// A value as people write it.
fn plain(value: &impl std::fmt::Debug) -> String {
    let text = format!("{value:?}");
    let inner = text.strip_prefix("Some(").and_then(|rest| rest.strip_suffix(')'));
    match inner.unwrap_or(&text) {
        "None" => "nothing".to_owned(),
        inner => inner.trim_matches('"').to_owned(),
    }
}
