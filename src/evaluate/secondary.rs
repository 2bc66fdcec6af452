//! Other tests of the same difference, beside the bounds that decide. Pure.

use crate::stats::{mcnemar, mean, normal_cdf, sd, signed_rank, t_cdf};

use super::compare::{Dependence, Scored};
use super::estimate;
use super::forecast::diebold_mariano;
use super::metrics::Method;
use super::result::Secondary;

/// Every name that a secondary test has.
pub const NAMES: [&str; 8] = [
    "paired t",
    "Wilcoxon signed-rank",
    "exact McNemar",
    "mid-p McNemar",
    "DeLong",
    "influence function, t",
    "Diebold–Mariano",
    "corrected resampled t",
];

/// What the usual tests say: paired t and Wilcoxon for means of losses, exact `McNemar` and its mid-p for accuracy, `DeLong` for
/// the area, t of the influence functions for smooth functions of means; Diebold–Mariano for rows in time. Nothing for
/// groups, where none of these holds. A test that is not defined on these rows is left out; nothing is NaN.
pub fn secondary(scored: &Scored<'_>) -> Vec<Secondary> {
    let contributions = scored.contributions.as_slice();
    let found = match scored.dependence {
        Dependence::Groups { .. } => Vec::new(),
        Dependence::Time { series, horizon } => {
            // As a series whose mean is the gain.
            let scale = series.n_moments as f64 / contributions.len() as f64;
            let sums = estimate::sums_by_unit(contributions, &series.of_row, series.n_moments);
            let sums: Vec<f64> = sums.iter().map(|sum| scored.gain + sum * scale).collect();
            let test = diebold_mariano(&sums, *horizon).ok();
            let told = test.map(|test| told("Diebold–Mariano", test.two_sided, test.better, test.statistic));
            told.into_iter().collect()
        }
        Dependence::Rows => match scored.metric.method {
            Method::MeanLoss(_) => student("paired t", mean(contributions), contributions)
                .into_iter()
                .chain(wilcoxon(contributions))
                .collect(),
            Method::Share(_) => of_rights(contributions),
            Method::Area(_) => area(scored).into_iter().collect(),
            Method::Influence(..) => student("influence function, t", scored.gain, contributions)
                .into_iter()
                .collect(),
            Method::Bootstrap => Vec::new(),
        },
    };
    let is_number = |test: &Secondary| {
        let numbers = [Some(test.p), test.p_better, test.statistic];
        numbers.into_iter().flatten().all(f64::is_finite)
    };
    found.into_iter().filter(is_number).collect()
}

fn told(name: &str, p: f64, p_better: f64, statistic: f64) -> Secondary {
    Secondary {
        name: name.to_owned(),
        p,
        p_better: Some(p_better),
        statistic: Some(statistic),
    }
}

/// The t test of a gain whose standard error is the spread of these contributions over √n.
fn student(name: &str, gain: f64, contributions: &[f64]) -> Option<Secondary> {
    let n = contributions.len() as f64;
    let t = gain / (sd(contributions) / n.sqrt());
    t.is_finite()
        .then(|| told(name, 2.0 * t_cdf(-t.abs(), n - 1.0), t_cdf(-t, n - 1.0), t))
}

fn wilcoxon(contributions: &[f64]) -> Option<Secondary> {
    let test = signed_rank(contributions)?;
    Some(told("Wilcoxon signed-rank", test.two_sided, test.better, test.positive))
}

/// `contributions` are 1 where only the challenger is right, −1 where only the champion is, else 0.
fn of_rights(contributions: &[f64]) -> Vec<Secondary> {
    let count = |wanted: fn(f64) -> bool| contributions.iter().filter(|d| wanted(**d)).count() as u64;
    let (champion, challenger) = (count(|d| d < 0.0), count(|d| d > 0.0));
    let test = mcnemar(champion, challenger);
    vec![
        told("exact McNemar", test.two_sided, test.better, challenger as f64),
        Secondary {
            name: "mid-p McNemar".to_owned(),
            p: test.mid,
            p_better: None,
            statistic: Some(challenger as f64),
        },
    ]
}

fn area(scored: &Scored<'_>) -> Option<Secondary> {
    let found = estimate::delong(scored.gain, scored.rows, super::compare::ALPHA).ok()?;
    let z = scored.gain / found.standard_error;
    z.is_finite()
        .then(|| told("DeLong", 2.0 * normal_cdf(-z.abs()), normal_cdf(-z), z))
}
