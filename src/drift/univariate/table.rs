//! All tests of one column by name. Pure.

use std::fmt;
use std::fmt::Write as _;

use crate::base::nearest;

use super::{
    Kind, Op, ScoreKind, Test, anderson, bins, chi_square, cramer_von_mises, energy, epps_singleton, fisher, g, ks,
    mann_whitney, mmd, t_test, text, tvd, wasserstein, z,
};

/// In the order in which people read them.
pub const TESTS: &[&Test] = &[
    &ks::ROW,
    &chi_square::ROW,
    &z::ROW,
    &wasserstein::ROW,
    &bins::JENSENSHANNON,
    &bins::PSI,
    &bins::KL_DIV,
    &bins::HELLINGER,
    &energy::ROW,
    &anderson::ROW,
    &cramer_von_mises::ROW,
    &mann_whitney::ROW,
    &t_test::ROW,
    &epps_singleton::ROW,
    &mmd::ROW,
    &g::ROW,
    &fisher::ROW,
    &tvd::ROW,
    &text::PERCENTILE,
    &text::ABSOLUTE,
];

/// The test of this name, exactly as written.
pub fn test(name: &str) -> Option<&'static Test> {
    TESTS.iter().copied().find(|test| test.name == name)
}

/// The name that was meant, if it is near enough to be a slip.
pub fn nearest_test(written: &str) -> Option<&'static str> {
    let names = || TESTS.iter().map(|test| test.name);
    names()
        .find(|name| name.eq_ignore_ascii_case(written))
        .or_else(|| nearest(written, names()))
}

/// Tests are told apart by their names.
impl PartialEq for Test {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl fmt::Debug for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// The table of all tests for the documentation, in Markdown.
pub fn markdown() -> String {
    let mut table = String::from(
        "| name | test | columns | threshold | drifted when | score |\n| --- | --- | --- | --- | --- | --- |\n",
    );
    for test in TESTS {
        let kinds: Vec<&str> = test.kinds.iter().map(|kind| kind_name(*kind)).collect();
        let (score, rule) = (score_name(test.score), rule(test));
        // Writing to a string can not fail.
        let _ = writeln!(
            table,
            "| `{}` | {} | {} | {} | {rule} | {score} |",
            test.name,
            test.title,
            kinds.join(", "),
            test.threshold,
        );
    }
    table
}

fn rule(test: &Test) -> String {
    if *test == text::PERCENTILE {
        return "above that percentile of random scores".to_owned();
    }
    let sign = match test.op {
        Op::AtMost => "≤",
        Op::Below => "<",
        Op::AtLeast => "≥",
        Op::Above => ">",
    };
    format!("{sign} threshold")
}

/// As configurations and results name a kind.
pub fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Num => "num",
        Kind::Cat => "cat",
        Kind::Text => "text",
        Kind::Datetime => "datetime",
        Kind::Unknown => "unknown",
    }
}

fn score_name(score: ScoreKind) -> &'static str {
    match score {
        ScoreKind::PValue => "p-value",
        ScoreKind::Distance => "distance",
        ScoreKind::RocAuc => "ROC AUC",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drift::golden;

    #[test]
    fn all_twenty_are_there_once() {
        let mut names: Vec<&str> = TESTS.iter().map(|test| test.name).collect();
        assert_eq!(names.len(), 20);
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 20);
        for test in TESTS {
            assert!(super::test(test.name) == Some(test) && !test.kinds.is_empty());
        }
        assert!(super::test("KS").is_none());
    }

    #[test]
    fn slips_are_told() {
        for (written, meant) in [
            ("KS", Some("ks")),
            ("tvd", Some("TVD")),
            ("wassertein", Some("wasserstein")),
            ("chi_square", Some("chisquare")),
            ("kldiv", Some("kl_div")),
            ("something", None),
        ] {
            assert_eq!(nearest_test(written), meant, "{written}");
        }
    }

    /// Names, scores, directions and thresholds are those of the golden values.
    #[test]
    fn rows_are_those_of_evidently() {
        let mut seen = std::collections::BTreeSet::new();
        for pair in golden::pairs() {
            for check in &pair.checks {
                let Some(name) = &check.test else { continue };
                let test = super::test(name).unwrap();
                assert!(check.is_default || test.kinds.contains(&check.kind), "{name}");
                if let (Some(score), Some(op), Some(threshold)) = (check.score_kind, check.op, check.threshold) {
                    assert_eq!((score, op), (test.score, test.op), "{name}");
                    assert_eq!(threshold.to_bits(), test.threshold.to_bits(), "{name}");
                    seen.insert(test.name);
                }
            }
            for column in pair.dataset["columns"].as_array().into_iter().flatten() {
                let title = column["display_name"].as_str().unwrap();
                assert!(TESTS.iter().any(|test| test.title == title), "{title}");
            }
        }
        assert_eq!(seen.len(), 20);
    }

    #[test]
    fn the_table_of_the_documentation() {
        insta::assert_snapshot!(markdown(), @"
        | name | test | columns | threshold | drifted when | score |
        | --- | --- | --- | --- | --- | --- |
        | `ks` | K-S p_value | num | 0.05 | ≤ threshold | p-value |
        | `chisquare` | chi-square p_value | cat | 0.05 | < threshold | p-value |
        | `z` | Z-test p_value | cat | 0.05 | < threshold | p-value |
        | `wasserstein` | Wasserstein distance (normed) | num | 0.1 | ≥ threshold | distance |
        | `jensenshannon` | Jensen-Shannon distance | num, cat | 0.1 | ≥ threshold | distance |
        | `psi` | PSI | num, cat | 0.1 | ≥ threshold | distance |
        | `kl_div` | Kullback-Leibler divergence | num, cat | 0.1 | ≥ threshold | distance |
        | `hellinger` | Hellinger distance | num, cat | 0.1 | ≥ threshold | distance |
        | `ed` | Energy-distance | num | 0.1 | > threshold | distance |
        | `anderson` | Anderson-Darling | num | 0.1 | < threshold | p-value |
        | `cramer_von_mises` | Cramer-von Mises | num | 0.1 | ≤ threshold | p-value |
        | `mannw` | Mann-Whitney U-rank test | num | 0.05 | < threshold | p-value |
        | `t_test` | t_test | num | 0.05 | < threshold | p-value |
        | `es` | Epps-Singleton | num | 0.05 | < threshold | p-value |
        | `empirical_mmd` | empirical_mmd | num | 0.1 | < threshold | p-value |
        | `g_test` | g_test | cat | 0.1 | < threshold | p-value |
        | `fisher_exact` | Fisher's Exact test | cat | 0.1 | < threshold | p-value |
        | `TVD` | Total-Variation-Distance | cat | 0.1 | < threshold | p-value |
        | `perc_text_content_drift` | Percentile text content drift | text | 0.95 | above that percentile of random scores | ROC AUC |
        | `abs_text_content_drift` | Absolute text content drift | text | 0.55 | > threshold | ROC AUC |
        ");
    }
}
