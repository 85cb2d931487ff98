//! What one actor has, and what one event makes of it: stateright's rules for a single actor. All
//! the rest of its rules are about what is in flight, and the worker's.

use std::borrow::Cow;
use std::fmt::Debug;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use stateright::actor::{
    Actor, ActorModelAction, ActorModelState, Command, Envelope, Id, Out, RandomChoices, Timers,
    is_no_op, is_no_op_with_timer,
};

use super::{Acting, ActionOf};

/// All that belongs to one actor.
pub struct Local<A: Actor> {
    state: Arc<A::State>,
    timers: Timers<A::Timer>,
    choices: RandomChoices<A::Random>,
    storage: Option<A::Storage>,
    /// Whether it is crashed. It keeps the state that it had.
    pub down: bool,
}

/// What an event made of an actor.
pub struct After<A: Actor> {
    /// What it has then.
    pub local: Local<A>,
    /// What it sent, in this order.
    pub sent: Vec<Envelope<A::Msg>>,
}

impl<A: Acting> Local<A> {
    /// What an actor has in a state.
    pub fn of<H>(system: &ActorModelState<A, H>, actor: usize) -> Self {
        Local {
            state: Arc::clone(&system.actor_states[actor]),
            timers: system.timers_set[actor].clone(),
            choices: system.random_choices[actor].clone(),
            storage: system.actor_storages[actor].clone(),
            down: system.crashed[actor],
        }
    }

    /// Adds it to a state, as the next actor.
    pub fn add_to<H>(&self, system: &mut ActorModelState<A, H>) {
        system.actor_states.push(Arc::clone(&self.state));
        system.timers_set.push(self.timers.clone());
        system.random_choices.push(self.choices.clone());
        system.actor_storages.push(self.storage.clone());
        system.crashed.push(self.down);
    }

    /// A message arrives. Where it changes nothing and nothing is sent, nothing happened, unless
    /// others wait behind it.
    pub fn hear(
        &self,
        actor: &A,
        envelope: &Envelope<A::Msg>,
        is_awaited: bool,
    ) -> Option<After<A>> {
        if self.down {
            return None;
        }
        let (mut state, mut out) = (Cow::Borrowed(&*self.state), Out::new());
        actor.on_msg(envelope.dst, &mut state, envelope.src, envelope.msg.clone(), &mut out);
        let happens = is_awaited || !is_no_op(&state, &out);
        happens.then(|| self.with(state).done(envelope.dst, out))
    }

    /// All that can happen to an actor by itself.
    pub fn own(&self, actor: &A, me: Id) -> Vec<(ActionOf<A>, After<A>)> {
        let mut all = Vec::new();
        let mut timers: Vec<_> = self.timers.iter().collect();
        timers.sort_unstable();
        for timer in timers {
            let after = self.fire(actor, me, timer);
            all.extend(after.map(|after| (ActorModelAction::Timeout(me, timer.clone()), after)));
        }
        let mut choices: Vec<_> = self.choices.map.iter().collect();
        choices.sort_unstable();
        for (key, randoms) in choices {
            for random in randoms {
                let (key, random) = (key.clone(), random.clone());
                let after = self.choose(actor, me, &key, &random);
                all.push((ActorModelAction::SelectRandom { actor: me, key, random }, after));
            }
        }
        all.push(match self.down {
            false => (ActorModelAction::Crash(me), self.crash()),
            true => (ActorModelAction::Recover(me), self.recover(actor, me)),
        });
        all
    }

    fn fire(&self, actor: &A, me: Id, timer: &A::Timer) -> Option<After<A>> {
        let (mut state, mut out) = (Cow::Borrowed(&*self.state), Out::new());
        actor.on_timeout(me, &mut state, timer, &mut out);
        if is_no_op_with_timer(&state, &out, timer) {
            return None;
        }
        let mut local = self.with(state);
        local.timers.cancel(timer);
        Some(local.done(me, out))
    }

    fn choose(&self, actor: &A, me: Id, key: &String, random: &A::Random) -> After<A> {
        let (mut state, mut out) = (Cow::Borrowed(&*self.state), Out::new());
        actor.on_random(me, &mut state, random, &mut out);
        let mut local = self.with(state);
        local.choices.remove(key);
        local.done(me, out)
    }

    fn crash(&self) -> After<A> {
        let mut local = Local { down: true, ..self.clone() };
        local.timers.cancel_all();
        local.choices = RandomChoices::default();
        After { local, sent: Vec::new() }
    }

    fn recover(&self, actor: &A, me: Id) -> After<A> {
        let mut out = Out::new();
        let state = Arc::new(actor.on_start(me, &self.storage, &mut out));
        Local { state, down: false, ..self.clone() }.done(me, out)
    }

    /// With another state, if it is another.
    fn with(&self, state: Cow<A::State>) -> Self {
        match state {
            Cow::Borrowed(_) => self.clone(),
            Cow::Owned(state) => Local { state: Arc::new(state), ..self.clone() },
        }
    }

    /// After the commands that an actor gave.
    fn done(mut self, me: Id, out: Out<A>) -> After<A> {
        let mut sent = Vec::new();
        for command in out {
            match command {
                Command::Send(dst, msg) => sent.push(Envelope { src: me, dst, msg }),
                Command::SetTimer(timer, _) => drop(self.timers.set(timer)),
                Command::CancelTimer(timer) => drop(self.timers.cancel(&timer)),
                Command::ChooseRandom(key, randoms) if randoms.is_empty() => {
                    self.choices.remove(&key);
                }
                Command::ChooseRandom(key, randoms) => self.choices.insert(key, randoms),
                Command::Save(storage) => self.storage = Some(storage),
            }
        }
        After { local: self, sent }
    }
}

impl<A: Actor> Clone for Local<A> {
    fn clone(&self) -> Self {
        Local {
            state: Arc::clone(&self.state),
            timers: self.timers.clone(),
            choices: self.choices.clone(),
            storage: self.storage.clone(),
            down: self.down,
        }
    }
}

impl<A: Actor> PartialEq for Local<A> {
    fn eq(&self, other: &Self) -> bool {
        self.state == other.state
            && self.timers == other.timers
            && self.choices == other.choices
            && self.storage == other.storage
            && self.down == other.down
    }
}

impl<A: Actor> Hash for Local<A> {
    fn hash<S: Hasher>(&self, hasher: &mut S) {
        self.state.hash(hasher);
        self.timers.hash(hasher);
        self.choices.hash(hasher);
        self.storage.hash(hasher);
        self.down.hash(hasher);
    }
}

impl<A: Actor> Debug for Local<A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.state.fmt(f)
    }
}
