//! What the release family has in common: synchronisation, and what it brings along.

use super::frontier::{Search, interleaving};
use super::views::{Because, Edge, Mode, View, Views, program_order, returns};
use super::{Access, Act, Memory, Source};

/// Which of two accesses of a session, the first and a later one, to different keys keep their
/// order.
pub type Rule = fn(&Access, &Access) -> bool;

/// From each fence to those that it lets go on, among what is seen.
pub fn synchronised(memory: &Memory, sees: impl Fn(usize) -> bool) -> Vec<Edge> {
    let seen = memory.grants.iter().filter(|(from, to)| sees(*from) && sees(*to));
    let edge = |&(from, to): &(usize, usize)| Edge { from, to, because: Because::Synchronised };
    seen.map(edge).collect()
}

/// The views of a model that keeps only some of the sessions' order: for each process, of all
/// writes and releases, and of its own accesses; `agreed` says that all also see, and agree on,
/// everything that synchronises.
pub fn labelled_views(memory: &Memory, rule: Rule, agreed: bool) -> Views {
    let special = memory.special();
    let all_see = |access: usize| agreed && special[access];
    let view = |session: usize| {
        let sees = |access: usize| memory.reaches(access, session) || all_see(access);
        let explained = |read: &usize| memory.accesses[*read].session == session || all_see(*read);
        let mut edges = kept(memory, rule, sees);
        edges.extend(synchronised(memory, sees));
        edges.extend(returns(memory, memory.reads().filter(|read| explained(read))));
        View {
            title: memory.title(session),
            members: (0..memory.accesses.len()).filter(|access| sees(*access)).collect(),
            edges,
            reads: memory.reads().filter(|read| explained(read)).collect(),
            mode: Mode::Placed,
        }
    };
    let mut groups = memory.writes_by_key();
    if agreed {
        groups.push((0..memory.accesses.len()).filter(|access| special[*access]).collect());
    }
    Views { views: memory.lookers().map(view).collect(), agreed: groups }
}

/// The pairs of each session whose order is kept, by the rule, or because they touch one key; but
/// for those that others imply.
fn kept(memory: &Memory, rule: Rule, sees: impl Fn(usize) -> bool) -> Vec<Edge> {
    let mut edges = Vec::new();
    for program in memory.programs() {
        let seen: Vec<usize> = program.filter(|access| sees(*access)).collect();
        // What comes after each, from the last to the first.
        let mut after: Vec<Vec<bool>> = vec![Vec::new(); seen.len()];
        for (at, &from) in seen.iter().enumerate().rev() {
            let one = &memory.accesses[from];
            let mut later = vec![false; seen.len()];
            for (next, &to) in seen.iter().enumerate().skip(at + 1) {
                let two = &memory.accesses[to];
                let one_key = one.key == two.key && one.act != Act::Fence && two.act != Act::Fence;
                if !later[next] && (one_key || rule(one, two)) {
                    edges.push(Edge { from, to, because: Because::Program });
                    later[next] = true;
                    later.iter_mut().zip(&after[next]).for_each(|(one, two)| *one |= two);
                }
            }
            after[at] = later;
        }
    }
    edges
}

/// The views of a model in which a read sees what happened before it, and nothing more: one for
/// each read that does not synchronise, with the edges across sessions that count for it, and one
/// of all that synchronises.
pub fn hidden_from(memory: &Memory, brings: impl Fn(usize) -> Option<Vec<Edge>>) -> Views {
    let special = memory.special();
    let view = |read: usize| {
        let mut edges = program_order(memory, |_| true);
        edges.extend(brings(read)?);
        edges.extend(returns(memory, std::iter::once(read)));
        Some(View {
            title: memory.name(read),
            members: (0..memory.accesses.len()).collect(),
            edges,
            reads: vec![read],
            mode: Mode::Seen,
        })
    };
    let mut views: Vec<View> =
        memory.reads().filter(|read| !special[*read]).filter_map(view).collect();
    let mut edges = program_order(memory, |access| special[access]);
    edges.extend(synchronised(memory, |access| special[access]));
    let reads: Vec<usize> = memory.reads().filter(|read| special[*read]).collect();
    edges.extend(returns(memory, reads.iter().copied()));
    views.push(View {
        title: "synchronisation".to_owned(),
        members: (0..memory.accesses.len()).filter(|access| special[*access]).collect(),
        edges,
        reads,
        mode: Mode::Placed,
    });
    let mut agreed = memory.writes_by_key();
    agreed.iter_mut().for_each(|group| group.retain(|write| special[*write]));
    Views { views, agreed }
}

/// Whether what synchronises is sequentially consistent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Synchronised {
    /// It is.
    Holds,
    /// It is not.
    Violated,
    /// The budget ran out.
    Spent,
}

/// Finds out whether what synchronises is sequentially consistent.
pub fn synchronisation(memory: &Memory, budget: u64) -> Synchronised {
    let special = memory.special();
    let program = |program: std::ops::Range<usize>| program.filter(|one| special[*one]).collect();
    let programs: Vec<Vec<usize>> = memory.programs().into_iter().map(program).collect();
    match interleaving(memory, &programs, budget) {
        Search::Order(_) => Synchronised::Holds,
        Search::None => Synchronised::Violated,
        Search::Spent => Synchronised::Spent,
    }
}

impl Memory {
    /// For each access whether it synchronises, or touches a key through which others do.
    pub fn special(&self) -> Vec<bool> {
        let mut keys = vec![false; self.keys.len()];
        for one in self.accesses.iter().filter(|one| one.syncs() && one.act != Act::Fence) {
            keys[one.key] = true;
        }
        let special = |one: &Access| one.syncs() || (one.act != Act::Fence && keys[one.key]);
        self.accesses.iter().map(special).collect()
    }

    /// From each release to the acquires that waited for it, through objects of these names.
    pub fn handovers(&self, through: impl Fn(&String) -> bool) -> Vec<Edge> {
        let mut edges = Vec::new();
        for read in self.reads().filter(|read| self.accesses[*read].acquires) {
            let Source::Write(from) = self.sources[read] else { continue };
            if self.accesses[from].releases {
                edges.push((from, read));
            }
        }
        edges.extend(&self.grants);
        let known = |access: usize| self.objects.get(&access).is_some_and(&through);
        let kept = edges.into_iter().filter(|(_, to)| known(*to));
        kept.map(|(from, to)| Edge { from, to, because: Because::Synchronised }).collect()
    }
}
