//! The profile of a history: the strongest models that it satisfies, and for each stronger one why
//! not.

use std::fmt;

use serde::Serialize;

use super::model::model_named;

/// A history's place among the models that it was judged by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Profile {
    /// The models that hold and that no other that holds implies.
    pub strongest: Vec<String>,
    /// The models that don't, weakest first where one implies the other.
    pub beyond: Vec<Beyond>,
    /// How stale reads are, as far as the history tells: each measure and its number.
    pub numbers: Vec<String>,
}

/// A model that a history does not satisfy, or is not known to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Beyond {
    /// The model.
    pub model: String,
    /// Why not.
    pub why: String,
}

/// What is known of one model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known<'a> {
    /// It holds.
    Holds,
    /// It does not, or nobody knows; and why.
    Fails(&'a str),
    /// The history does not provide what it needs.
    NotApplicable,
}

impl Profile {
    /// Draws up the profile of a history from what was found for each model, and its numbers.
    pub fn of(found: &[(&str, Known<'_>)], numbers: Vec<String>) -> Profile {
        let implies = |one: &str, other: &str| {
            let model = model_named(one);
            model.is_some_and(|model| model.implied().iter().any(|weaker| weaker.name == other))
        };
        let with = |wanted: fn(&Known<'_>) -> bool| -> Vec<&str> {
            found.iter().filter(|(_, known)| wanted(known)).map(|(name, _)| *name).collect()
        };
        let holding = with(|known| *known == Known::Holds);
        let mut failing = with(|known| matches!(known, Known::Fails(_)));
        let strongest = holding
            .iter()
            .filter(|name| !holding.iter().any(|other| implies(other, name)))
            .map(|name| (*name).to_owned())
            .collect();
        failing.sort_by_key(|name| model_named(name).map_or(0, |model| model.implied().len()));
        let beyond = failing.iter().map(|name| {
            let weaker = failing.iter().find(|weaker| implies(name, weaker));
            let own = found.iter().find_map(|(other, known)| match known {
                Known::Fails(why) if other == name => Some(why.replace('\n', " ")),
                _ => None,
            });
            let why = match weaker {
                Some(weaker) => format!("it implies {weaker}"),
                None => own.unwrap_or_default(),
            };
            Beyond { model: (*name).to_owned(), why }
        });
        Profile { strongest, beyond: beyond.collect(), numbers }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.strongest.as_slice() {
            [] => writeln!(f, "No model that was asked for is known to hold.")?,
            names => writeln!(f, "The strongest models that hold: {}.", names.join(", "))?,
        }
        if !self.numbers.is_empty() {
            writeln!(f, "How stale reads are: {}.", self.numbers.join(", "))?;
        }
        for Beyond { model, why } in &self.beyond {
            writeln!(f, "Not {model}: {why}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_names_what_is_strongest_and_what_fails_first() {
        let found = [
            ("sequential", Known::Fails("a circle")),
            ("causal", Known::Fails("another circle")),
            ("pram", Known::Holds),
            ("slow", Known::Holds),
            ("cache", Known::Holds),
            ("regular", Known::NotApplicable),
        ];
        let profile = Profile::of(&found, vec!["k-atomicity: 2".to_owned()]);
        assert_eq!(profile.strongest, ["pram", "cache"]);
        let beyond: Vec<_> = profile.beyond.iter().map(|b| (&*b.model, &*b.why)).collect();
        assert_eq!(beyond, [("causal", "another circle"), ("sequential", "it implies causal")]);
        let text = profile.to_string();
        assert!(text.starts_with("The strongest models that hold: pram, cache.\n"), "{text}");
        assert!(text.contains("How stale reads are: k-atomicity: 2.\n"), "{text}");
    }
}
