//! What changed against an earlier run of the same tests, and the little that is kept of one. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::names::Names;
use super::result::{Counts, Outcome, Suite, Tool};

/// A run in so few bytes that it can be kept: names by how they ended. At most 1 MB of JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    pub tool: Tool,
    pub counts: Counts,
    /// Not every test of the run is here; nothing is said about one that is not.
    pub is_cut: bool,
    failed: Names,
    errored: Names,
    flaky: Names,
    skipped: Names,
    passed: Names,
}

/// The whole of a summary stays below a megabyte.
const MAX_BYTES: usize = 950_000;

impl Suite {
    /// What is kept of it for the next comparison. Failures come first if there is no room for all.
    pub fn summary(&self) -> Summary {
        let mut room = MAX_BYTES;
        let mut is_cut = self.is_cut;
        let mut keep = |outcome: Outcome| {
            let names = self
                .cases
                .iter()
                .filter(|case| case.outcome == outcome)
                .map(|case| case.name.as_str());
            let (names, n_bytes, is_whole) = Names::keep(names.collect(), room);
            room -= n_bytes;
            is_cut |= !is_whole;
            names
        };
        let (failed, errored) = (keep(Outcome::Failed), keep(Outcome::Errored));
        let (flaky, skipped, passed) = (keep(Outcome::Flaky), keep(Outcome::Skipped), keep(Outcome::Passed));
        Summary {
            tool: self.tool,
            counts: self.counts,
            is_cut,
            failed,
            errored,
            flaky,
            skipped,
            passed,
        }
    }
}

impl Summary {
    fn outcomes(&self) -> BTreeMap<String, Outcome> {
        [
            (&self.passed, Outcome::Passed),
            (&self.skipped, Outcome::Skipped),
            (&self.flaky, Outcome::Flaky),
            (&self.errored, Outcome::Errored),
            (&self.failed, Outcome::Failed),
        ]
        .into_iter()
        .flat_map(|(names, outcome)| names.list().into_iter().map(move |name| (name, outcome)))
        .collect()
    }
}

/// Tests by what became of them, in the order in which they ran; names that are gone in the order of the alphabet.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    /// Failing now, and not before: because they passed, or because they are new.
    pub newly_failing: Vec<String>,
    /// Failing before, and passing now.
    pub fixed: Vec<String>,
    /// Not there before.
    pub added: Vec<String>,
    /// There before, and not now. One that is skipped now is in `newly_skipped`.
    pub removed: Vec<String>,
    /// Ran before and skipped now: a quiet way to be green.
    pub newly_skipped: Vec<String>,
    pub before: Counts,
    pub after: Counts,
    /// Passed now only after they had failed.
    pub n_flaky: usize,
    /// One of the two does not name all its tests, or they were named by different runners: names may be missing here, and
    /// none is called added or removed.
    pub is_partial: bool,
}

/// Compares by name.
pub fn compare(base: &Summary, this: &Suite) -> Changes {
    let before = base.outcomes();
    let is_partial = base.is_cut || this.is_cut || base.tool != this.tool;
    let mut changes = Changes {
        before: base.counts,
        after: this.counts,
        n_flaky: this.counts.n_flaky,
        is_partial,
        ..Changes::default()
    };
    let mut gone: BTreeMap<&str, Outcome> = before.iter().map(|(name, outcome)| (name.as_str(), *outcome)).collect();
    for case in &this.cases {
        let was = before.get(&case.name).copied();
        gone.remove(case.name.as_str());
        let name = || case.name.clone();
        if was.is_none() && !is_partial {
            changes.added.push(name());
        }
        let was_failure = was.is_some_and(Outcome::is_failure);
        match case.outcome {
            // Of a test that the other side does not name nobody knows whether it failed there, unless failures are all named.
            Outcome::Failed | Outcome::Errored if !was_failure => changes.newly_failing.push(name()),
            Outcome::Passed | Outcome::Flaky if was_failure => changes.fixed.push(name()),
            Outcome::Skipped if was.is_some_and(|was| was != Outcome::Skipped) => changes.newly_skipped.push(name()),
            Outcome::Failed | Outcome::Errored | Outcome::Passed | Outcome::Flaky | Outcome::Skipped => {}
        }
    }
    if !is_partial {
        changes.removed = gone.into_keys().map(str::to_owned).collect();
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suites::result::TestCase;

    fn suite(cases: &[(&str, Outcome)]) -> Suite {
        let mut counts = Counts::default();
        let cases = cases
            .iter()
            .map(|(name, outcome)| {
                *counts.of(*outcome) += 1;
                TestCase {
                    suite: None,
                    name: (*name).to_owned(),
                    outcome: *outcome,
                    seconds: None,
                    path: None,
                    line: None,
                    message: None,
                }
            })
            .collect();
        Suite {
            tool: Tool::Pytest,
            version: None,
            cases,
            counts,
            seconds: None,
            is_cut: false,
        }
    }

    #[test]
    fn what_became_of_tests() {
        use Outcome::{Errored, Failed, Flaky, Passed, Skipped};
        let base = suite(&[
            ("a", Passed),
            ("b", Failed),
            ("c", Errored),
            ("d", Failed),
            ("gone", Passed),
            ("s", Passed),
            ("t", Skipped),
        ]);
        let this = suite(&[
            ("a", Failed),
            ("b", Passed),
            ("c", Flaky),
            ("d", Errored),
            ("new", Errored),
            ("s", Skipped),
            ("t", Skipped),
        ]);
        let json = serde_json::to_string(&base.summary()).unwrap();
        let kept: Summary = serde_json::from_str(&json).unwrap();
        let mut changes = compare(&kept, &this);
        assert_eq!((changes.before, changes.after), (base.counts, this.counts));
        (changes.before, changes.after) = (Counts::default(), Counts::default());
        insta::assert_debug_snapshot!(changes, @r#"
        Changes {
            newly_failing: [
                "a",
                "new",
            ],
            fixed: [
                "b",
                "c",
            ],
            added: [
                "new",
            ],
            removed: [
                "gone",
            ],
            newly_skipped: [
                "s",
            ],
            before: Counts {
                n_passed: 0,
                n_failed: 0,
                n_errored: 0,
                n_skipped: 0,
                n_flaky: 0,
            },
            after: Counts {
                n_passed: 0,
                n_failed: 0,
                n_errored: 0,
                n_skipped: 0,
                n_flaky: 0,
            },
            n_flaky: 1,
            is_partial: false,
        }
        "#);
        let cut = Suite { is_cut: true, ..this };
        let changes = compare(&kept, &cut);
        assert_eq!(
            (changes.added.len(), changes.removed.len(), changes.newly_failing.len()),
            (0, 0, 2)
        );
    }

    #[test]
    fn a_large_run_stays_small() {
        let names: Vec<String> = (0..20_000)
            .map(|n| {
                let (module, class) = (n / 200, n / 20);
                format!(
                    "tests/unit/features/test_module_{module:03}.py::TestSomething{class}::test_that_it_does_what_it_should\
                     [parameter-{n}-\"quoted\"]"
                )
            })
            .collect();
        let cases: Vec<(&str, Outcome)> = names
            .iter()
            .enumerate()
            .map(|(n, name)| {
                (
                    name.as_str(),
                    if n % 10 == 0 { Outcome::Failed } else { Outcome::Passed },
                )
            })
            .collect();
        let run = suite(&cases);
        let kept = run.summary();
        let json = serde_json::to_string(&kept).unwrap();
        assert!(!kept.is_cut && json.len() < 1_000_000, "{} bytes", json.len());
        let changes = compare(&kept, &run);
        assert_eq!(
            (changes.added.len(), changes.removed.len(), changes.newly_failing.len()),
            (0, 0, 0)
        );
    }

    #[test]
    fn a_run_without_room_keeps_its_failures() {
        let names: Vec<String> = (0..9_000_u64).map(|n| format!("{:0300}", n * 7_919)).rev().collect();
        let cases: Vec<(&str, Outcome)> = names
            .iter()
            .enumerate()
            .map(|(n, name)| {
                // Names that share nothing.
                (name.as_str(), if n < 100 { Outcome::Failed } else { Outcome::Passed })
            })
            .collect();
        let kept = suite(&cases).summary();
        assert!(kept.is_cut && serde_json::to_string(&kept).unwrap().len() < 1_000_000);
        assert_eq!(kept.failed.list().len(), 100);
    }
}
