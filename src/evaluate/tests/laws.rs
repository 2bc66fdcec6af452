//! What holds for any rows.

use proptest::prelude::*;

use super::super::{
    CompareRule, Comparison, Margin, MetricKind, Ordered, Predictions, Together, Truth, compare, compare_repeats,
    compare_slices, evaluate, metrics_for, plots,
};
use super::labels;
use crate::base::{Task, Verdict};

const TASKS: [Task; 3] = [Task::Regression, Task::Binary, Task::Multiclass];

#[derive(Debug, Clone)]
struct Sides {
    task: Task,
    truth: Truth,
    champion: Predictions,
    challenger: Predictions,
}

/// Few different values, so that ties, equal rows and missing classes are common; sometimes huge ones.
fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        6 => (-4_i8..5).prop_map(f64::from),
        2 => -100.0..100.0_f64,
        1 => prop_oneof![Just(1e300), Just(-1e300), Just(1e-300), Just(0.0)],
    ]
}

fn class_sides(task: Task, n_labels: usize, n: std::ops::Range<usize>) -> BoxedStrategy<Sides> {
    let code = 0..u32::try_from(n_labels).unwrap();
    let weights = move || prop::collection::vec(0_u8..4, n_labels);
    prop::collection::vec((code, weights(), weights()), n)
        .prop_map(move |rows| {
            let side = |weights: &dyn Fn(usize) -> Vec<u8>| {
                let (mut codes, mut probabilities) = (Vec::new(), Vec::new());
                for row in 0..rows.len() {
                    let weights: Vec<f64> = weights(row).iter().map(|w| f64::from(*w) + 1e-3).collect();
                    let total: f64 = weights.iter().sum();
                    let best = (0..n_labels)
                        .max_by(|a, b| weights[*a].total_cmp(&weights[*b]))
                        .unwrap();
                    codes.push(u32::try_from(best).unwrap());
                    probabilities.extend(weights.iter().map(|w| w / total));
                }
                Predictions::Classes {
                    codes,
                    labels: labels(n_labels),
                    probabilities,
                }
            };
            let codes = rows.iter().map(|row| row.0).collect();
            Sides {
                task,
                truth: Truth::Classes {
                    codes,
                    labels: labels(n_labels),
                },
                champion: side(&|row| rows[row].1.clone()),
                challenger: side(&|row| rows[row].2.clone()),
            }
        })
        .boxed()
}

fn sides(n: std::ops::Range<usize>) -> impl Strategy<Value = Sides> {
    let regression = prop::collection::vec((number(), number(), number()), n.clone()).prop_map(|rows| Sides {
        task: Task::Regression,
        truth: Truth::Numbers(rows.iter().map(|row| row.0).collect()),
        champion: Predictions::Numbers(rows.iter().map(|row| row.1).collect()),
        challenger: Predictions::Numbers(rows.iter().map(|row| row.2).collect()),
    });
    prop_oneof![
        regression,
        class_sides(Task::Binary, 2, n.clone()),
        class_sides(Task::Multiclass, 4, n)
    ]
}

impl Sides {
    fn select(&self, rows: &[usize]) -> Self {
        Self {
            task: self.task,
            truth: self.truth.select(rows),
            champion: self.champion.select(rows),
            challenger: self.challenger.select(rows),
        }
    }

    fn compare(&self, kind: &MetricKind, margin: f64) -> Comparison {
        let rule = CompareRule {
            margin: Margin {
                relative: None,
                absolute: Some(margin),
            },
            min_rows: 2,
            ..CompareRule::default()
        };
        compare(&self.truth, &self.champion, &self.challenger, kind, &rule, 5)
    }

    fn swapped(&self) -> Self {
        Self {
            champion: self.challenger.clone(),
            challenger: self.champion.clone(),
            ..self.clone()
        }
    }
}

fn finite(comparison: &Comparison) -> bool {
    let Comparison {
        champion,
        challenger,
        difference,
        gain,
        lower,
        upper,
        ..
    } = comparison;
    let ends = comparison.difference_interval.map_or([0.0; 2], |ends| ends);
    [champion, challenger, difference, gain, lower, upper]
        .iter()
        .all(|x| x.is_none_or(f64::is_finite))
        && ends.iter().all(|x| x.is_finite())
        && comparison.margin.is_finite()
}

fn shuffled(n: usize, seed: u64) -> Vec<usize> {
    let mut rows: Vec<usize> = (0..n).collect();
    crate::stats::Rng::new(seed).shuffle(&mut rows);
    rows
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_order_of_the_rows_does_not_matter(sides in sides(2..25), seed in 0_u64..1000) {
        let other = sides.select(&shuffled(sides.truth.len(), seed));
        let kinds: Vec<&MetricKind> = metrics_for(sides.task).collect();
        let of = |sides: &Sides| evaluate(&sides.truth, &sides.champion, &kinds, Together::default(), 5);
        prop_assert_eq!(of(&sides), of(&other));
        prop_assert_eq!(plots(&sides.truth, &sides.champion), plots(&other.truth, &other.champion));
        for kind in kinds {
            prop_assert_eq!(sides.compare(kind, 0.1), other.compare(kind, 0.1));
        }
    }

    #[test]
    fn nothing_is_nan(sides in sides(0..12)) {
        let kinds: Vec<&MetricKind> = TASKS.into_iter().flat_map(metrics_for).collect();
        for result in evaluate(&sides.truth, &sides.champion, &kinds, Together::default(), 5) {
            prop_assert!(result.value.is_none_or(f64::is_finite), "{:?}", result);
            prop_assert!(result.value.is_some() || result.note.is_some(), "{:?}", result);
            prop_assert!(result.interval.is_none_or(|[low, high]| low.is_finite() && high.is_finite() && low < high));
        }
        for kind in kinds {
            let comparison = sides.compare(kind, 0.01);
            prop_assert!(finite(&comparison), "{:?}", comparison);
            prop_assert!(comparison.lower.is_some() || comparison.verdict == Verdict::Inconclusive);
            prop_assert!(comparison.lower.is_some() || comparison.note.is_some(), "{:?}", comparison);
            prop_assert!(comparison.lower <= comparison.upper);
        }
        let plots = plots(&sides.truth, &sides.champion);
        let points = plots.roc.iter().chain(&plots.precision_recall);
        prop_assert!(points.into_iter().all(|p| (0.0..=1.0).contains(&p.x) && (0.0..=1.0).contains(&p.y)));
        prop_assert!(plots.residual_edges.windows(2).all(|pair| pair[0] < pair[1]));
        let all = vec![("all".to_owned(), (0..sides.truth.len()).collect())];
        for slice in compare_slices(&sides.truth, &sides.champion, &sides.challenger, &all, None, Margin::default(), 2) {
            let numbers = [slice.champion, slice.challenger, slice.gain, slice.p_worse, slice.p_adjusted];
            prop_assert!(numbers.iter().all(|x| x.is_none_or(f64::is_finite)));
        }
    }

    #[test]
    fn a_model_is_the_same_as_itself(sides in sides(2..25)) {
        let twin = Sides { challenger: sides.champion.clone(), ..sides };
        for kind in metrics_for(twin.task) {
            let comparison = twin.compare(kind, 0.0);
            if comparison.lower.is_some() {
                prop_assert_eq!(comparison.verdict, Verdict::Same, "{:?}", comparison);
                prop_assert_eq!((comparison.gain, comparison.difference), (Some(0.0), Some(0.0)));
            }
        }
    }

    #[test]
    fn exchanging_the_models_turns_the_gain(sides in sides(3..25)) {
        for kind in metrics_for(sides.task) {
            let (one, other) = (sides.compare(kind, 0.0), sides.swapped().compare(kind, 0.0));
            let (Some(gain), Some(turned)) = (one.gain, other.gain) else { continue };
            let size = gain.abs() + one.champion.unwrap().abs() + one.challenger.unwrap().abs();
            prop_assert!((gain + turned).abs() <= 1e-12 * size, "{:?} {:?}", one, other);
            if one.method.starts_with("BCa bootstrap") {
                // Other draws: only never both better.
                prop_assert!(!(one.verdict == Verdict::Better && other.verdict == Verdict::Better));
            } else {
                prop_assert_eq!(one.lower.is_some(), other.lower.is_some());
                let (Some(lower), Some(upper)) = (one.lower, other.upper) else { continue };
                prop_assert!((lower + upper).abs() <= 1e-9 * (size + lower.abs()), "{:?} {:?}", one, other);
                prop_assert_eq!(one.verdict == Verdict::Better, other.verdict == Verdict::Worse);
            }
        }
    }

    #[test]
    fn rows_in_time_are_compared_whatever_their_order_in_the_file(
        sides in sides(2..25),
        times in prop::collection::vec(prop_oneof![(0_u8..30).prop_map(f64::from), Just(-0.0), Just(1e300)], 25),
        horizon in 0_usize..6,
        seed in 0_u64..1000,
    ) {
        let n = sides.truth.len();
        let rows = shuffled(n, seed);
        let ordered = |sides: &Sides, times: &[f64], kind: &MetricKind| {
            let rule = CompareRule {
                min_rows: 2,
                order: Some(Ordered { horizon, times }),
                ..CompareRule::default()
            };
            compare(&sides.truth, &sides.champion, &sides.challenger, kind, &rule, 5)
        };
        let moved: Vec<f64> = rows.iter().map(|row| times[*row]).collect();
        let other = sides.select(&rows);
        for kind in metrics_for(sides.task) {
            let one = ordered(&sides, &times[..n], kind);
            prop_assert!(finite(&one) && one.lower <= one.upper, "{:?}", one);
            prop_assert!(one.secondary.iter().all(|test| (0.0..=1.0).contains(&test.p)), "{:?}", one);
            prop_assert_eq!(one, ordered(&other, &moved, kind));
        }
    }

    #[test]
    fn repeats_are_never_nan_and_in_no_order(sides in sides(2..15)) {
        let n = sides.truth.len();
        let third = sides.champion.select(&(0..n).rev().collect::<Vec<_>>());
        let rule = CompareRule { min_rows: 2, ..CompareRule::default() };
        for kind in metrics_for(sides.task) {
            let of = |challengers: &[&Predictions]| {
                compare_repeats(&sides.truth, &sides.champion, challengers, kind, &rule, 5)
            };
            let (one, other) = (of(&[&sides.challenger, &third]), of(&[&third, &sides.challenger]));
            prop_assert!(finite(&one) && one.lower <= one.upper, "{:?}", one);
            prop_assert!(one.lower.is_some() || one.note.is_some());
            // Why there are none depends on which challenger is met first.
            prop_assert_eq!(one.lower.is_some(), other.lower.is_some());
            if one.lower.is_some() {
                prop_assert_eq!(one, other);
            }
        }
    }

    #[test]
    fn a_greater_margin_never_makes_it_worse(sides in sides(3..25), margin in 0.0..3.0_f64) {
        for kind in metrics_for(sides.task) {
            let (strict, loose) = (sides.compare(kind, 0.0), sides.compare(kind, margin));
            prop_assert!(loose.verdict <= strict.verdict, "{:?} {:?}", strict, loose);
            prop_assert_eq!((strict.gain, strict.lower), (loose.gain, loose.lower));
        }
    }
}

/// How often two models of equal quality are told apart, of 400 times 100 rows each.
#[test]
fn equal_models_are_called_better_no_more_often_than_allowed() {
    let n = 100;
    let mut rng = crate::stats::Rng::new(11);
    // Sums of uniform numbers: bell-shaped enough.
    let noise = |rng: &mut crate::stats::Rng| (0..4).map(|_| rng.unit() - 0.5).sum::<f64>();
    let mut better = std::collections::BTreeMap::<&str, u32>::new();
    for _ in 0..400 {
        let signal: Vec<f64> = (0..n).map(|_| noise(&mut rng)).collect();
        let mut side = || -> Vec<f64> { signal.iter().map(|s| s + noise(&mut rng)).collect() };
        let (target, champion, challenger) = (side(), side(), side());
        let classes = |scores: &[f64]| {
            let probabilities: Vec<f64> = scores.iter().map(|s| (0.5 + s / 5.0).clamp(0.01, 0.99)).collect();
            super::binary(
                &scores.iter().map(|s| u32::from(*s > 0.0)).collect::<Vec<_>>(),
                &probabilities,
            )
        };
        let codes: Vec<u32> = target.iter().map(|y| u32::from(*y > 0.0)).collect();
        let numbers = Sides {
            task: Task::Regression,
            truth: Truth::Numbers(target),
            champion: Predictions::Numbers(champion.clone()),
            challenger: Predictions::Numbers(challenger.clone()),
        };
        let binary = Sides {
            task: Task::Binary,
            truth: super::class_truth(&codes, 2),
            champion: classes(&champion),
            challenger: classes(&challenger),
        };
        for (sides, names) in [
            (&numbers, &["mae", "rmse", "r2"][..]),
            (&binary, &["roc_auc", "accuracy", "f1"][..]),
        ] {
            for name in names {
                let verdict = sides.compare(super::super::metric(name).unwrap(), 0.0).verdict;
                *better.entry(name).or_default() += u32::from(verdict == Verdict::Better);
            }
        }
    }
    // 5 % of 400 are 20 with a standard deviation of 4.4: three of them to either side.
    assert!(better.values().all(|n| (7..=33).contains(n)), "{better:?}");
}
