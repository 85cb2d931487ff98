//! The rules of `docs/semantics.md`, each with the smallest world that obeys it.

mod calls;
mod chance;
mod crashes;
mod histories;
mod judging;
mod messages;
mod partitions;
mod resting;
mod time;

/// The chapter names tests that are there.
#[test]
fn every_rule_names_a_test_that_exists() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let chapter = std::fs::read_to_string(root.join("docs/semantics.md")).unwrap();
    let names = chapter.split('`').skip(1).step_by(2).filter_map(|code| code.split_once("::"));
    let (mut rules, mut named) = (0, 0);
    for (file, test) in names {
        let folder = if file.contains('/') { "models" } else { "models/semantics" };
        let path = root.join(folder).join(format!("{file}.rs"));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path:?}: {e}"));
        assert!(text.contains(&format!("fn {test}(")), "{path:?} has no test `{test}`");
        named += 1;
    }
    for line in chapter.lines() {
        rules += usize::from(line.split_once(". ").is_some_and(|(n, _)| n.parse::<u32>().is_ok()));
    }
    assert!(rules > 80 && named >= rules, "{rules} rules name {named} tests");
}
