//! The definitions of the models, tried literally: all matchings of reads with writes, all orders,
//! all visible sets. It shares nothing with the judges but the history type, and serves only to
//! test them on small histories.

use crate::history::{History, Sync, SyncKind};
use crate::object::kv::{Act, Op, Ret};

/// An access, read off a call.
#[derive(Clone, Debug)]
pub struct One {
    session: u32,
    place: usize,
    key: String,
    value: Option<String>,
    writes: bool,
    /// It neither reads nor writes.
    fence: bool,
    acquires: bool,
    releases: bool,
    object: String,
    /// A fence lets those go on that wait for its grant.
    grant: u64,
    waits_for: Option<u64>,
    invoked: u64,
    returned: u64,
}

/// Which object of synchronisation guards which key.
pub type Guards = &'static [(&'static str, &'static str)];

/// A history as the definitions see it.
pub struct Brute {
    all: Vec<One>,
    quiet: Option<u64>,
    /// By so much earlier reads count as invoked.
    early: u64,
    /// So many writes may come between a read and the one that it returned.
    lag: usize,
    guards: Guards,
}

/// For each access the write that it returned, if it is a read of one.
type Sources = Vec<Option<usize>>;

impl Brute {
    pub fn new(history: &History<Op, Ret>, guards: Guards) -> Brute {
        let quiet = history.marks().first().map(|mark| mark.time);
        let mut all: Vec<One> = Vec::new();
        for call in history.calls() {
            let (writes, fence, value) = match (&call.op.act, &call.ret) {
                (Act::Put(value), _) => (true, false, Some(value.clone())),
                (Act::Get, Some(Ret::Value(value))) => (false, false, value.clone()),
                (Act::Cas { from: None, to: None }, _) => (false, true, None),
                other => panic!("{other:?} is not drawn"),
            };
            let Sync { kind, object, grant } = call.sync.as_deref().cloned().unwrap_or(Sync {
                kind: SyncKind::Both,
                object: String::new(),
                grant: 0,
            });
            let syncs = call.sync.is_some();
            let one = One {
                session: call.session,
                place: all.iter().filter(|one| one.session == call.session).count(),
                key: call.op.key.clone(),
                value,
                writes,
                fence,
                acquires: syncs && matches!(kind, SyncKind::Acquire | SyncKind::Both),
                releases: syncs && kind != SyncKind::Acquire,
                object,
                grant,
                waits_for: grant.checked_sub(1),
                invoked: call.invoked,
                returned: call.returned.expect("all calls return here"),
            };
            let place = one.place + 1;
            let departs = syncs && kind == SyncKind::Barrier;
            all.push(one.clone());
            if departs {
                // All arrive, then all depart.
                let waits_for = Some(grant);
                all.push(One { place, acquires: true, releases: false, waits_for, ..one });
            }
        }
        Brute { all, quiet, early: 0, lag: 0, guards }
    }

    /// The same history, in which no fence waits for another.
    pub fn without_grants(&self) -> Brute {
        let waits_for_nobody = |one: &One| One { waits_for: None, ..one.clone() };
        Brute { all: self.all.iter().map(waits_for_nobody).collect(), ..*self }
    }

    /// Whether a model allows the history.
    pub fn allows(&self, model: &str) -> bool {
        if model == "safe" {
            return self.safe();
        }
        self.matchings(&|sources| match model {
            "linearizable" => self.serial(sources, &|_| true, &|_| true, &|a, b| self.rb(a, b)),
            "sequential" => self.serial(sources, &|_| true, &|_| true, &|a, b| self.waits(a, b)),
            "causal" => self.causal(sources),
            "causal-convergence" => self.convergent(sources),
            "weak-causal" => self.weak_causal(sources),
            "pram" => self.per_session(sources, None, &|a, b| self.so(a, b)),
            "processor" => self.coherent(sources, &|_| false, &|a, b| self.waits(a, b)),
            "cache" => self.each_key(|key| {
                let of = |a: usize| self.all[a].key == key;
                self.serial(sources, &of, &of, &|a, b| self.so(a, b))
            }),
            "slow" => {
                self.each_key(|key| self.per_session(sources, Some(key), &|a, b| self.so(a, b)))
            }
            "prefix" => self.prefix(sources),
            "read-your-writes" | "monotonic-reads" | "monotonic-writes" | "writes-follow-reads" => {
                self.guarantee(model, sources)
            }
            "regular" => self.regular(sources, &|_| true),
            "eventual" => self.eventual(sources),
            "weak-ordering" => self.synchronised(sources, &|a, b| self.sync(a) || self.sync(b)),
            "release-sc" => self.synchronised(sources, &|a, b| self.release_rule(a, b)),
            "release-pc" => {
                let kept = |a: usize, b: usize| {
                    (self.so(a, b) && (self.same_key(a, b) || self.release_rule(a, b)))
                        || self.granted(a, b)
                };
                self.coherent(sources, &|_| false, &kept)
            }
            "lazy-release" => self.lazy(sources, false),
            "entry" => self.lazy(sources, true),
            other => panic!("{other} has no definition here"),
        })
    }

    /// The smallest k for which the history is k-atomic.
    pub fn smallest_k(&mut self) -> Option<u64> {
        (0..=self.all.len()).find_map(|lag| {
            self.lag = lag;
            self.allows("linearizable").then_some(lag as u64 + 1)
        })
    }

    /// The smallest time by which reads must count as invoked earlier to be linearizable.
    pub fn smallest_delta(&mut self) -> Option<u64> {
        let end = self.all.iter().map(|one| one.returned).max().unwrap_or(0);
        (0..=end + 1).find(|early| {
            self.early = *early;
            self.allows("linearizable")
        })
    }

    fn so(&self, a: usize, b: usize) -> bool {
        self.all[a].session == self.all[b].session && self.all[a].place < self.all[b].place
    }

    /// Whether one fence waits for another.
    fn granted(&self, a: usize, b: usize) -> bool {
        let (one, other) = (&self.all[a], &self.all[b]);
        let fences = one.fence && one.releases && other.fence && other.acquires;
        fences && one.object == other.object && other.waits_for == Some(one.grant)
    }

    fn waits(&self, a: usize, b: usize) -> bool {
        self.so(a, b) || self.granted(a, b)
    }

    fn rb(&self, a: usize, b: usize) -> bool {
        let early = if self.all[b].writes { 0 } else { self.early };
        self.all[a].returned + early < self.all[b].invoked
    }

    fn sync(&self, a: usize) -> bool {
        self.all[a].acquires || self.all[a].releases
    }

    fn same_key(&self, a: usize, b: usize) -> bool {
        let (one, other) = (&self.all[a], &self.all[b]);
        one.key == other.key && !one.fence && !other.fence
    }

    fn release_rule(&self, a: usize, b: usize) -> bool {
        self.all[a].acquires || self.all[b].releases || (self.sync(a) && self.sync(b))
    }

    fn each_key(&self, holds: impl Fn(&str) -> bool) -> bool {
        self.all.iter().all(|one| holds(&one.key))
    }

    fn sessions(&self) -> Vec<u32> {
        let mut sessions: Vec<u32> = self.all.iter().map(|one| one.session).collect();
        sessions.sort_unstable();
        sessions.dedup();
        sessions
    }

    fn writes(&self) -> Vec<usize> {
        (0..self.all.len()).filter(|a| self.all[*a].writes).collect()
    }

    fn reads(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.all.len()).filter(|a| !self.all[*a].writes && !self.all[*a].fence)
    }

    /// Whether some matching of reads with writes will do.
    fn matchings(&self, holds: &dyn Fn(&Sources) -> bool) -> bool {
        fn next(
            brute: &Brute,
            at: usize,
            sources: &mut Sources,
            holds: &dyn Fn(&Sources) -> bool,
        ) -> bool {
            let Some(one) = brute.all.get(at) else { return holds(sources) };
            if one.writes || one.fence {
                return next(brute, at + 1, sources, holds);
            }
            let from = (0..brute.all.len()).filter(|w| {
                let write = &brute.all[*w];
                write.writes && write.key == one.key && write.value == one.value
            });
            let choices: Vec<Option<usize>> =
                one.value.is_none().then_some(None).into_iter().chain(from.map(Some)).collect();
            choices.into_iter().any(|choice| {
                sources[at] = choice;
                next(brute, at + 1, sources, holds)
            })
        }
        next(self, 0, &mut vec![None; self.all.len()], holds)
    }

    /// Whether the members have an order that respects another, and explains some reads.
    fn serial(
        &self,
        sources: &Sources,
        member: &dyn Fn(usize) -> bool,
        explained: &dyn Fn(usize) -> bool,
        before: &dyn Fn(usize, usize) -> bool,
    ) -> bool {
        let members: Vec<usize> = (0..self.all.len()).filter(|a| member(*a)).collect();
        self.prolong(sources, &members, explained, before, &mut Vec::new())
    }

    fn prolong(
        &self,
        sources: &Sources,
        members: &[usize],
        explained: &dyn Fn(usize) -> bool,
        before: &dyn Fn(usize, usize) -> bool,
        order: &mut Vec<usize>,
    ) -> bool {
        let rest: Vec<usize> = members.iter().copied().filter(|a| !order.contains(a)).collect();
        rest.is_empty()
            || rest.iter().any(|&next| {
                let last =
                    order.iter().rev().filter(|a| self.all[**a].writes && self.same_key(**a, next));
                let mut last = last.map(|write| Some(*write)).chain([None]).take(self.lag + 1);
                let legal = self.all[next].writes
                    || self.all[next].fence
                    || !explained(next)
                    || last.any(|write| write == sources[next]);
                if !legal || rest.iter().any(|other| before(*other, next)) {
                    return false;
                }
                order.push(next);
                let found = self.prolong(sources, members, explained, before, order);
                order.pop();
                found
            })
    }

    /// For each session an order of all writes and its own reads, of all keys or of one.
    fn per_session(
        &self,
        sources: &Sources,
        key: Option<&str>,
        before: &dyn Fn(usize, usize) -> bool,
    ) -> bool {
        self.sessions().into_iter().all(|session| {
            let member = |a: usize| {
                let one = &self.all[a];
                (one.writes || one.session == session) && key.is_none_or(|key| one.key == key)
            };
            self.serial(sources, &member, &|_| true, before)
        })
    }

    /// What comes before what by program order and other steps, transitively.
    fn closure(&self, step: &dyn Fn(usize, usize) -> bool) -> Vec<Vec<bool>> {
        let n = self.all.len();
        let mut before: Vec<Vec<bool>> =
            (0..n).map(|a| (0..n).map(|b| self.so(a, b) || step(a, b)).collect()).collect();
        for middle in 0..n {
            for a in 0..n {
                for b in 0..n {
                    before[a][b] |= before[a][middle] && before[middle][b];
                }
            }
        }
        before
    }

    fn causality(&self, sources: &Sources) -> Option<Vec<Vec<bool>>> {
        let causality = self.closure(&|a, b| sources[b] == Some(a));
        (0..self.all.len()).all(|a| !causality[a][a]).then_some(causality)
    }

    fn causal(&self, sources: &Sources) -> bool {
        self.causality(sources).is_some_and(|co| self.per_session(sources, None, &|a, b| co[a][b]))
    }

    /// Whether some order of the writes that respects another will do.
    fn some_order(
        &self,
        before: &dyn Fn(usize, usize) -> bool,
        holds: &mut dyn FnMut(&[usize]) -> bool,
    ) -> bool {
        permutations(&self.writes(), before, &mut Vec::new(), holds)
    }

    fn convergent(&self, sources: &Sources) -> bool {
        let Some(co) = self.causality(sources) else { return false };
        self.some_order(&|a, b| co[a][b], &mut |order| {
            self.reads().all(|read| self.last_of(order, read, &|w| co[w][read]) == sources[read])
        })
    }

    fn last_of(&self, order: &[usize], read: usize, sees: &dyn Fn(usize) -> bool) -> Option<usize> {
        order.iter().rev().copied().find(|w| self.same_key(*w, read) && sees(*w))
    }

    fn weak_causal(&self, sources: &Sources) -> bool {
        let Some(co) = self.causality(sources) else { return false };
        self.reads().all(|read| {
            self.some_order(&|a, b| co[a][b], &mut |order| {
                self.last_of(order, read, &|w| co[w][read]) == sources[read]
            })
        })
    }

    /// For each session an order of the writes and releases, its own accesses and what all see; all
    /// orders agree on the writes to each key.
    fn coherent(
        &self,
        sources: &Sources,
        all_see: &dyn Fn(usize) -> bool,
        before: &dyn Fn(usize, usize) -> bool,
    ) -> bool {
        let mut seen = std::collections::BTreeSet::new();
        self.some_order(&|_, _| false, &mut |order| {
            let at = |a: usize| order.iter().position(|w| *w == a);
            let mut by_key = order.to_vec();
            by_key.sort_by_key(|a| (self.all[*a].key.clone(), at(*a)));
            seen.insert(by_key)
                && self.sessions().into_iter().all(|session| {
                    let member = |a: usize| {
                        let one = &self.all[a];
                        let gives = one.writes || (one.fence && one.releases);
                        gives || one.session == session || all_see(a)
                    };
                    let agreed = |a: usize, b: usize| {
                        self.all[a].writes
                            && self.all[b].writes
                            && self.same_key(a, b)
                            && at(a) < at(b)
                    };
                    self.serial(sources, &member, &|_| true, &|a, b| before(a, b) || agreed(a, b))
                })
        })
    }

    fn prefix(&self, sources: &Sources) -> bool {
        self.some_order(&|a, b| self.so(a, b), &mut |order| {
            self.sessions().into_iter().all(|session| {
                let mut reads: Vec<usize> =
                    self.reads().filter(|read| self.all[*read].session == session).collect();
                reads.sort_by_key(|read| self.all[*read].place);
                let mut seen = 0;
                // The shortest prefix that explains a read leaves most to the next.
                reads.into_iter().all(|read| {
                    let fits = (seen..=order.len()).find(|upto| {
                        self.last_of(&order[..*upto], read, &|_| true) == sources[read]
                    });
                    seen = fits.unwrap_or(seen);
                    fits.is_some()
                })
            })
        })
    }

    /// By arbitration: each session has an order of the writes, and each of its reads sees a set of
    /// them.
    fn guarantee(&self, model: &str, sources: &Sources) -> bool {
        let follows = |a: usize, b: usize| {
            // Some read of a comes before b in the session of b.
            self.reads().any(|read| sources[read] == Some(a) && self.so(read, b))
        };
        let order_of = |a: usize, b: usize| match model {
            "monotonic-writes" => self.so(a, b),
            "writes-follow-reads" => follows(a, b),
            _ => false,
        };
        let sessions = self.sessions().into_iter();
        sessions.into_iter().all(|session| {
            let mut reads: Vec<usize> =
                self.reads().filter(|read| self.all[*read].session == session).collect();
            reads.sort_by_key(|read| self.all[*read].place);
            self.some_order(&order_of, &mut |order| {
                self.sees(model, sources, &order_of, order, &reads, &[])
            })
        })
    }

    fn sees(
        &self,
        model: &str,
        sources: &Sources,
        order_of: &dyn Fn(usize, usize) -> bool,
        order: &[usize],
        reads: &[usize],
        before: &[usize],
    ) -> bool {
        let Some((&read, rest)) = reads.split_first() else { return true };
        (0..1_u32 << order.len()).any(|set| {
            let set: Vec<usize> =
                (0..order.len()).filter(|at| set >> at & 1 == 1).map(|at| order[at]).collect();
            let own = || order.iter().all(|w| !self.so(*w, read) || set.contains(w));
            let old = || before.iter().all(|w| set.contains(w));
            let closed = order
                .iter()
                .all(|w| set.contains(w) || !set.iter().any(|later| order_of(*w, *later)));
            closed
                && (model != "read-your-writes" || own())
                && (model != "monotonic-reads" || old())
                && self.last_of(order, read, &|w| set.contains(&w)) == sources[read]
                && self.sees(model, sources, order_of, order, rest, &set)
        })
    }

    fn regular(&self, sources: &Sources, judged: &dyn Fn(usize) -> bool) -> bool {
        self.some_order(&|a, b| self.rb(a, b), &mut |order| {
            self.reads().filter(|read| judged(*read)).all(|read| {
                let of_key: Vec<usize> =
                    order.iter().copied().filter(|w| self.same_key(*w, read)).collect();
                (0..=of_key.len()).any(|upto| {
                    let (before, after) = of_key.split_at(upto);
                    before.last().copied() == sources[read]
                        && before.iter().all(|w| !self.rb(read, *w))
                        && after.iter().all(|w| !self.rb(*w, read))
                })
            })
        })
    }

    fn safe(&self) -> bool {
        let disturbed = |read: usize| {
            self.writes()
                .into_iter()
                .any(|w| self.same_key(w, read) && !self.rb(w, read) && !self.rb(read, w))
        };
        let kept = |a: usize| self.all[a].writes || !disturbed(a);
        let all = (0..self.all.len()).filter(|a| kept(*a)).map(|a| self.all[a].clone()).collect();
        let rest = Brute { all, quiet: None, early: 0, lag: 0, guards: self.guards };
        rest.matchings(&|sources| rest.regular(sources, &|_| true))
    }

    fn eventual(&self, sources: &Sources) -> bool {
        let quiet = self.quiet.expect("a mark");
        let late = |read: &usize| self.all[*read].invoked > quiet;
        self.causality(sources).is_some()
            && self.reads().filter(late).all(|read| {
                let mut others = self.reads().filter(late);
                let agreed = others.all(|o| !self.same_key(o, read) || sources[o] == sources[read]);
                let mut writes = self.writes().into_iter().filter(|w| self.same_key(*w, read));
                agreed
                    && match sources[read] {
                        Some(last) => writes.all(|w| !self.so(last, w) && !self.rb(last, w)),
                        None => writes.next().is_none(),
                    }
            })
    }

    /// With one order for all of what synchronises.
    fn synchronised(&self, sources: &Sources, rule: &dyn Fn(usize, usize) -> bool) -> bool {
        let syncs: Vec<usize> = (0..self.all.len()).filter(|a| self.sync(*a)).collect();
        permutations(&syncs, &|a, b| self.waits(a, b), &mut Vec::new(), &mut |order| {
            let at = |a: usize| order.iter().position(|s| *s == a);
            let before = |a: usize, b: usize| {
                (self.so(a, b) && (self.same_key(a, b) || rule(a, b)))
                    || (self.sync(a) && self.sync(b) && at(a) < at(b))
            };
            self.coherent(sources, &|a| self.sync(a), &before)
        })
    }

    fn lazy(&self, sources: &Sources, guarded: bool) -> bool {
        let syncs = |a: usize| self.sync(a);
        let sequential = self.serial(sources, &syncs, &|_| true, &|a, b| self.waits(a, b));
        sequential
            && self.reads().filter(|read| !self.sync(*read)).all(|read| {
                let key = self.all[read].key.as_str();
                let lock = self.guards.iter().find(|guard| guard.0 == key).map(|guard| guard.1);
                let before = self.closure(&|a, b| {
                    let brings = !guarded || Some(self.all[b].object.as_str()) == lock;
                    let returned = self.sync(b) && sources[b] == Some(a) && self.sync(a);
                    brings && (returned || self.granted(a, b))
                });
                let mut others = self.writes().into_iter().filter(|w| self.same_key(*w, read));
                match sources[read] {
                    None => others.all(|w| !before[w][read]),
                    Some(own) => {
                        !before[read][own] && others.all(|w| !(before[own][w] && before[w][read]))
                    }
                }
            })
    }
}

fn permutations(
    rest: &[usize],
    before: &dyn Fn(usize, usize) -> bool,
    order: &mut Vec<usize>,
    holds: &mut dyn FnMut(&[usize]) -> bool,
) -> bool {
    if rest.is_empty() {
        return holds(order);
    }
    rest.iter().any(|&next| {
        if rest.iter().any(|other| before(*other, next)) {
            return false;
        }
        let left: Vec<usize> = rest.iter().copied().filter(|a| *a != next).collect();
        order.push(next);
        let found = permutations(&left, before, order, holds);
        order.pop();
        found
    })
}
