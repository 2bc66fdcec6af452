//! Puts cases together: one a test, however often its tool wrote it. Pure.

use std::collections::HashMap;

use super::names::stable;
use super::result::{Counts, MAX_CASES, Outcome, TestCase};

/// What it means that a name comes again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// It is the same test: its teardown, or another attempt.
    Same,
    /// It is another test of the same name; it gets a number.
    Another,
}

#[derive(Debug, Default)]
pub struct Collected {
    pub cases: Vec<TestCase>,
    pub counts: Counts,
    /// More came than are kept.
    pub is_cut: bool,
    by_name: HashMap<String, Seen>,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    index: usize,
    n: usize,
}

impl Collected {
    pub fn add(&mut self, mut case: TestCase, again: Again) {
        if let Some(seen) = self.by_name.get_mut(&case.name) {
            seen.n += 1;
            match again {
                Again::Same => {
                    let before = &mut self.cases[seen.index];
                    let outcome = before.outcome;
                    merge(before, case);
                    *self.counts.of(outcome) -= 1;
                    *self.counts.of(self.cases[seen.index].outcome) += 1;
                    return;
                }
                Again::Another => case.name = stable(&format!("{} #{}", case.name, seen.n)),
            }
        }
        *self.counts.of(case.outcome) += 1;
        if self.cases.len() >= MAX_CASES {
            self.is_cut = true;
            return;
        }
        let seen = Seen {
            index: self.cases.len(),
            n: 1,
        };
        self.by_name.entry(case.name.clone()).or_insert(seen);
        self.cases.push(case);
    }

    pub fn get_mut(&mut self, name: &str) -> Option<&mut TestCase> {
        let seen = self.by_name.get(name)?;
        self.cases.get_mut(seen.index)
    }

    /// Says anew how a test ended.
    pub fn turn(&mut self, name: &str, outcome: Outcome) {
        let Some(seen) = self.by_name.get(name) else { return };
        let case = &mut self.cases[seen.index];
        *self.counts.of(case.outcome) -= 1;
        case.outcome = outcome;
        *self.counts.of(outcome) += 1;
    }
}

/// The first failure stays. Two passes of one test are two attempts, of which the last counts; so a failure after them
/// is a failure.
fn merge(before: &mut TestCase, again: TestCase) {
    before.seconds = match (before.seconds, again.seconds) {
        (Some(a), Some(b)) => Some(a + b),
        (a, b) => a.or(b),
    };
    if before.outcome.is_failure() {
        return;
    }
    let is_attempt = before.outcome != Outcome::Skipped && again.outcome == Outcome::Passed;
    let TestCase {
        suite: _,
        name: _,
        outcome,
        seconds: _,
        path,
        line,
        message,
    } = again;
    before.outcome = if is_attempt { Outcome::Flaky } else { outcome };
    if message.is_some() {
        (before.path, before.line, before.message) = (path, line, message);
    }
}
