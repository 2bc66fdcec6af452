//! Whether test rows have another mix of classes than the data before. Pure.

use std::collections::BTreeMap;

use statrs::function::gamma::checked_gamma_ur;

use crate::base::shortened;

use super::Truth;

/// The chance of a shift where there is none.
const ALPHA: f64 = 0.05;

/// Shares that move by less than this in all are no shift that matters.
const MIN_EFFECT: f64 = 0.05;

/// How the classes of today's test rows differ from those of the data that the champion was made of.
#[derive(Debug, Clone, PartialEq)]
pub struct PrevalenceShift {
    /// Of "both are drawn from the same mix"; in [0, 1].
    pub p: f64,
    /// The share of rows that would have to be of another class: the total variation distance, in [0, 1].
    pub effect: f64,
    /// The class whose share moved most, and its shares.
    pub class: String,
    pub before: f64,
    pub now: f64,
    /// Significant at 5 % and at least five points in all.
    pub shifted: bool,
}

/// Rows of each class, by name.
pub type ClassCounts = BTreeMap<String, u64>;

/// Rows of each class of a truth; nothing for numbers. Codes beyond the labels do not count.
pub fn class_counts(truth: &Truth) -> ClassCounts {
    let mut counts = ClassCounts::new();
    if let Truth::Classes { codes, labels } = truth {
        let named = codes.iter().filter_map(|code| labels.get(usize::try_from(*code).ok()?));
        for label in named {
            *counts.entry(label.clone()).or_default() += 1;
        }
    }
    counts
}

/// Compares the mix of classes of two sets of rows. `None` when either has no row.
///
/// Rows of both sides make p too great, never too small: the same rows are no shift.
///
/// p is that of χ² of homogeneity over the classes that occur, times (N − 1)/N, which holds down to small expected counts;
/// 1 with one class. Source: Campbell, *Chi-squared and Fisher–Irwin tests of two-by-two tables* (2007). Oracle: scipy
/// `chi2_contingency(correction=False)`, in the tests.
pub fn prevalence_shift(before: &ClassCounts, now: &ClassCounts) -> Option<PrevalenceShift> {
    let total = |counts: &ClassCounts| counts.values().map(|n| *n as f64).sum::<f64>();
    let (n_before, n_now) = (total(before), total(now));
    if n_before <= 0.0 || n_now <= 0.0 {
        return None;
    }
    let names: std::collections::BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    let count = |counts: &ClassCounts, name: &String| counts.get(name).copied().unwrap_or(0) as f64;
    let (mut chi2, mut n_classes, mut distance) = (0.0, 0.0, 0.0);
    let mut most: Option<(&String, f64, f64)> = None;
    for name in names {
        let (old, new) = (count(before, name), count(now, name));
        if old + new <= 0.0 {
            continue;
        }
        n_classes += 1.0;
        let (was, is) = (old / n_before, new / n_now);
        // Both sides' terms together: (difference of shares)² over the pooled count, times n · m.
        chi2 += (was - is).powi(2) / (old + new) * n_before * n_now;
        distance += 0.5 * (was - is).abs();
        if most.is_none_or(|(_, old, new)| (was - is).abs() > (old - new).abs()) {
            most = Some((name, was, is));
        }
    }
    let (class, was, is) = most?;
    let all = n_before + n_now;
    let p = if n_classes < 2.0 {
        1.0
    } else {
        let half = 0.5 * chi2 * (all - 1.0) / all;
        upper_gamma(0.5 * (n_classes - 1.0), half)
    };
    let effect = distance.min(1.0);
    Some(PrevalenceShift {
        p,
        effect,
        class: class.clone(),
        before: was,
        now: is,
        shifted: p <= ALPHA && effect >= MIN_EFFECT,
    })
}

/// Q(a, x), at 0 its limit.
fn upper_gamma(a: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 1.0;
    }
    checked_gamma_ur(a, x).map_or(0.0, |p| p.clamp(0.0, 1.0))
}

impl PrevalenceShift {
    /// What it means for whoever reads two values of a metric.
    pub fn sentence(&self) -> String {
        let percent = |share: f64| format!("{:.1}", 100.0 * share);
        format!(
            "the classes of the test rows are mixed otherwise than in the data of the champion: `{}` went from {}\u{a0}% to \
             {}\u{a0}% of the rows (p {}), so that values of then and of now can not be compared with each other; both \
             models were scored on today's rows",
            shortened(&self.class),
            percent(self.before),
            percent(self.now),
            if self.p < 1e-4 {
                "below 0.0001".to_owned()
            } else {
                format!("= {:.4}", self.p)
            }
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn counts(of: &[(&str, u64)]) -> ClassCounts {
        of.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect()
    }

    #[test]
    fn the_test_is_that_of_scipy() {
        // scipy 1.17.1: chi2_contingency([[40, 60], [70, 50]], correction=False) and of [[5, 9, 30], [0, 14, 22]];
        // p from chi2.sf(statistic * (N - 1) / N, df).
        let two = prevalence_shift(&counts(&[("no", 40), ("yes", 60)]), &counts(&[("no", 70), ("yes", 50)])).unwrap();
        assert!(
            (two.p - TWO).abs() < 1e-12 && (two.effect - 11.0 / 60.0).abs() < 1e-12,
            "{two:?}"
        );
        assert!(two.shifted);
        let before = counts(&[("a", 5), ("b", 9), ("c", 30)]);
        let three = prevalence_shift(&before, &counts(&[("b", 14), ("c", 22)])).unwrap();
        assert!((three.p - THREE).abs() < 1e-12, "{three:?}");
        insta::assert_snapshot!(two.sentence(), @"the classes of the test rows are mixed otherwise than in the data of the champion: `no` went from 40.0 % to 58.3 % of the rows (p = 0.0069), so that values of then and of now can not be compared with each other; both models were scored on today's rows");
    }

    const TWO: f64 = 0.006_895_461_063_618_973;
    const THREE: f64 = 0.038_749_655_073_692_296;

    #[test]
    fn little_and_nothing_are_no_shift() {
        let one = counts(&[("yes", 50)]);
        let same = prevalence_shift(&one, &one).unwrap();
        assert_eq!((same.p, same.effect, same.shifted), (1.0, 0.0, false));
        assert!(
            prevalence_shift(&one, &counts(&[])).is_none() && prevalence_shift(&counts(&[("yes", 0)]), &one).is_none()
        );
        // Two points of a million rows are sure, and nothing that matters.
        let small = prevalence_shift(
            &counts(&[("no", 500_000), ("yes", 500_000)]),
            &counts(&[("no", 480_000), ("yes", 520_000)]),
        );
        assert!(small.is_some_and(|small| small.p < 1e-6 && !small.shifted));
    }

    #[test]
    fn classes_are_counted_by_name() {
        let truth = Truth::Classes {
            codes: vec![0, 1, 1, 7],
            labels: vec!["no".into(), "yes".into()],
        };
        assert_eq!(class_counts(&truth), counts(&[("no", 1), ("yes", 2)]));
        assert!(class_counts(&Truth::Numbers(vec![1.0])).is_empty());
    }

    proptest! {
        #[test]
        fn it_is_symmetric_and_never_nan(
            before in prop::collection::vec(0_u64..60, 1..6),
            now in prop::collection::vec(0_u64..60, 1..6),
        ) {
            let named = |counts: &[u64]| -> ClassCounts {
                counts.iter().enumerate().map(|(class, n)| (class.to_string(), *n)).collect()
            };
            let (one, other) = (prevalence_shift(&named(&before), &named(&now)), prevalence_shift(&named(&now), &named(&before)));
            prop_assert_eq!(one.is_some(), other.is_some());
            if let (Some(one), Some(other)) = (one, other) {
                prop_assert!((one.p - other.p).abs() < 1e-9 && (0.0..=1.0).contains(&one.p));
                prop_assert!((one.effect - other.effect).abs() < 1e-9 && (0.0..=1.0).contains(&one.effect));
            }
        }
    }
}
