//! P-values adjusted for their number. Pure.
//!
//! `p_values` in [0, 1], a NaN counts as 1; the result has their order and range, and nothing where there are none. Rejecting
//! what is below α after [`bonferroni`], [`sidak`], [`holm`], [`holm_sidak`] or [`hochberg`] keeps the chance of any false
//! rejection below α, after [`benjamini_hochberg`] or [`benjamini_yekutieli`] the expected share of false ones among all.
//! Oracle for all of them: statsmodels `multipletests`, `fixtures/compare/multiplicity`.

/// p-values in, adjusted ones in the same order out.
pub type Adjust = fn(&[f64]) -> Vec<f64>;

/// Every correction by the name that people call it; the first is the usual one.
pub const ADJUSTMENTS: &[(&str, Adjust)] = &[
    ("holm", holm),
    ("bonferroni", bonferroni),
    ("sidak", sidak),
    ("holm-sidak", holm_sidak),
    ("hochberg", hochberg),
    ("bh", benjamini_hochberg),
    ("by", benjamini_yekutieli),
];

/// p · n: holds whatever the tests have to do with each other.
///
/// Source: Bonferroni's inequality.
fn bonferroni(p_values: &[f64]) -> Vec<f64> {
    let n = p_values.len() as f64;
    p_values.iter().map(|p| (n * known(*p)).min(1.0)).collect()
}

/// 1 − (1 − p)ⁿ: exact for independent tests.
///
/// Source: Šidák, *Rectangular confidence regions for the means of multivariate normal distributions* (1967).
fn sidak(p_values: &[f64]) -> Vec<f64> {
    let n = p_values.len() as f64;
    p_values.iter().map(|p| any_of(known(*p), n)).collect()
}

/// Bonferroni's step down: holds whatever the tests have to do with each other, and rejects no less than Bonferroni.
///
/// Source: Holm, *A simple sequentially rejective multiple test procedure* (1979).
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    step_down(p_values, |p, n_left| n_left * p)
}

/// Šidák's step down, for independent or positively dependent tests.
///
/// Source: Holland & Copenhaver, *An improved sequentially rejective Bonferroni test procedure* (1987).
fn holm_sidak(p_values: &[f64]) -> Vec<f64> {
    step_down(p_values, any_of)
}

/// Bonferroni's step up, for independent or positively dependent tests; rejects no less than Holm.
///
/// Source: Hochberg, *A sharper Bonferroni procedure for multiple tests of significance* (1988).
fn hochberg(p_values: &[f64]) -> Vec<f64> {
    let n = p_values.len() as f64;
    step_up(p_values, |p, rank| (n - rank + 1.0) * p)
}

/// The false discovery rate of independent or positively dependent tests.
///
/// Source: Benjamini & Hochberg, *Controlling the false discovery rate* (1995).
pub fn benjamini_hochberg(p_values: &[f64]) -> Vec<f64> {
    let n = p_values.len() as f64;
    step_up(p_values, |p, rank| p * n / rank)
}

/// The false discovery rate whatever the tests have to do with each other.
///
/// Source: Benjamini & Yekutieli, *The control of the false discovery rate in multiple testing under dependency* (2001).
fn benjamini_yekutieli(p_values: &[f64]) -> Vec<f64> {
    let n = p_values.len() as f64;
    let harmonic: f64 = (1..=p_values.len()).map(|i| 1.0 / i as f64).sum();
    step_up(p_values, |p, rank| p * n * harmonic / rank)
}

fn known(p: f64) -> f64 {
    if p.is_nan() { 1.0 } else { p }
}

/// The chance that one of `n` independent tests is as small as `p`; a small `p` keeps its digits, and rounding never helps.
fn any_of(p: f64, n: f64) -> f64 {
    (-(n * (-p).ln_1p()).exp_m1()).max(p)
}

/// Positions from the smallest p-value to the greatest.
fn ascending(p_values: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|a, b| known(p_values[*a]).total_cmp(&known(p_values[*b])));
    order
}

/// From the smallest on, none less than the one before; `adjust` gets how many are left, this one included.
fn step_down(p_values: &[f64], adjust: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    let mut adjusted = vec![1.0; p_values.len()];
    let mut largest: f64 = 0.0;
    for (rank, index) in ascending(p_values).into_iter().enumerate() {
        let n_left = (p_values.len() - rank) as f64;
        largest = largest.max(adjust(known(p_values[index]), n_left)).min(1.0);
        adjusted[index] = largest;
    }
    adjusted
}

/// From the greatest on, none more than the one before; `adjust` gets the rank from 1.
fn step_up(p_values: &[f64], adjust: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    let mut adjusted = vec![1.0; p_values.len()];
    let mut smallest: f64 = 1.0;
    for (rank, index) in ascending(p_values).into_iter().enumerate().rev() {
        smallest = smallest.min(adjust(known(p_values[index]), (rank + 1) as f64));
        adjusted[index] = smallest;
    }
    adjusted
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these results are exact")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn all_agree_with_statsmodels() {
        let case: serde_json::Value =
            serde_json::from_str(include_str!("../../fixtures/compare/multiplicity/expected.json")).unwrap();
        let list = |node: &serde_json::Value| -> Vec<f64> {
            node.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
        };
        let p_values = list(&case["p_values"]);
        for &(name, adjust) in ADJUSTMENTS {
            let (ours, theirs) = (adjust(&p_values), list(&case["adjusted"][name.replace('-', "_")]));
            assert_eq!(ours.len(), theirs.len());
            let near = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-13 * b;
            assert!(ours.iter().zip(&theirs).all(near), "{name}: {ours:?}");
        }
    }

    #[test]
    fn ends_and_nonsense_are_defined() {
        for &(name, adjust) in ADJUSTMENTS {
            assert!(adjust(&[]).is_empty());
            assert_eq!(adjust(&[0.25]), [0.25], "{name}");
            assert_eq!(adjust(&[0.0, 1.0]), [0.0, 1.0], "{name}");
            assert_eq!(adjust(&[f64::NAN, 1e-300])[0], 1.0, "{name}");
            let tiny = adjust(&[f64::NAN, 1e-300])[1];
            assert!((1e-300..=3.1e-300).contains(&tiny), "{name}: {tiny:e}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn adjusting_keeps_the_order_and_never_helps(p_values in prop::collection::vec(0.0..=1.0_f64, 0..30)) {
            for &(name, adjust) in ADJUSTMENTS {
                let adjusted = adjust(&p_values);
                for (p, one) in p_values.iter().zip(&adjusted) {
                    prop_assert!(*one >= p * (1.0 - 1e-12) && *one <= 1.0, "{name}");
                    for (q, other) in p_values.iter().zip(&adjusted) {
                        prop_assert!(p > q || one <= other, "{name}");
                    }
                }
            }
            let least = |smaller: Adjust, greater: Adjust| {
                smaller(&p_values).iter().zip(greater(&p_values)).all(|(a, b)| *a <= b + 1e-12)
            };
            prop_assert!(least(holm, bonferroni) && least(hochberg, holm) && least(holm_sidak, holm));
            prop_assert!(least(sidak, bonferroni) && least(benjamini_hochberg, hochberg));
            prop_assert!(least(benjamini_hochberg, benjamini_yekutieli));
        }
    }
}
