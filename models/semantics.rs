//! The rules of `docs/semantics.md`, each with the smallest world that obeys it.

mod calls;
mod chance;
mod crashes;
mod histories;
mod messages;
mod partitions;
mod time;
