//! How often comparisons are wrong, and whether their intervals cover, by simulation.
//!
//! Two models of equal quality with different, correlated errors (A/A), and a challenger that is better by an amount that
//! most tests find two times of three (A/B), compared as the product does.

use std::fmt;

use super::super::{
    CompareRule, Comparison, FoldScores, Margin, MetricKind, Ordered, Predictions, Together, Truth, compare,
    compare_folds, compare_repeats, evaluate, metric, verdict,
};
use super::{class_truth, labels};
use crate::base::{Direction, Verdict};
use crate::stats::Rng;

/// One kind of question.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Setting {
    /// Normal errors, both models share half of their variance.
    Regression,
    /// The same, and they share 95 of 100 parts, as do models of two neighboring commits.
    Relatives,
    /// The same with errors of Student's t with five degrees of freedom, nearly: sums of few heavy parts.
    HeavyTails,
    /// Two classes, so many of ten rows positive; calibrated probabilities.
    Binary(u8),
    /// Two of ten rows positive, by models that share 95 of 100 parts: they call few rows differently.
    BinaryRelatives,
    /// Three classes of equal size.
    Multiclass,
    /// The same by models that share 95 of 100 parts.
    MulticlassRelatives,
    /// Errors that remember half, or seven tenths of the one before; the horizon is 1.
    Forecast(u8),
}

const SETTINGS: [(&str, Setting, &[&str]); 11] = [
    ("regression", Setting::Regression, &["rmse", "mae", "r2", "medae"]),
    (
        "regression, relatives",
        Setting::Relatives,
        &["rmse", "mae", "r2", "medae"],
    ),
    ("regression, heavy tails", Setting::HeavyTails, &["rmse", "mae", "r2"]),
    (
        "binary",
        Setting::Binary(5),
        &["roc_auc", "accuracy", "log_loss", "brier", "f1"],
    ),
    (
        "binary, 20 % positive",
        Setting::Binary(2),
        &["roc_auc", "accuracy", "log_loss", "brier", "f1", "precision", "recall"],
    ),
    (
        "binary, relatives",
        Setting::BinaryRelatives,
        &["roc_auc", "accuracy", "log_loss", "f1", "precision", "recall", "mcc"],
    ),
    ("multiclass", Setting::Multiclass, &["accuracy", "log_loss", "f1_macro"]),
    (
        "multiclass, relatives",
        Setting::MulticlassRelatives,
        &["accuracy", "log_loss", "f1_macro"],
    ),
    ("forecast, no memory", Setting::Forecast(0), &["mae", "rmse", "medae"]),
    ("forecast, memory 0.5", Setting::Forecast(5), &["mae", "rmse", "medae"]),
    ("forecast, memory 0.7", Setting::Forecast(7), &["mae", "rmse"]),
];

impl Setting {
    /// The part of their variance that the errors of both models share.
    fn shared(self) -> f64 {
        match self {
            Self::Relatives | Self::BinaryRelatives | Self::MulticlassRelatives => 0.95,
            Self::Regression | Self::HeavyTails | Self::Binary(_) | Self::Multiclass | Self::Forecast(_) => 0.5,
        }
    }
}

struct World {
    truth: Truth,
    champion: Predictions,
    challenger: Predictions,
}

/// A standard normal number, by Box and Muller.
fn normal(rng: &mut Rng) -> f64 {
    let radius = (-2.0 * (1.0 - rng.unit()).ln()).sqrt();
    radius * (std::f64::consts::TAU * rng.unit()).cos()
}

fn heavy(rng: &mut Rng) -> f64 {
    let chi2: f64 = (0..5).map(|_| normal(rng).powi(2)).sum();
    normal(rng) / (chi2 / 5.0).sqrt()
}

/// Errors of champion and challenger, which share this part of their variance; the challenger's are `scale` times as large.
fn errors(n: usize, rng: &mut Rng, scale: f64, part: f64, one: fn(&mut Rng) -> f64) -> [Vec<f64>; 2] {
    let mut sides = [Vec::with_capacity(n), Vec::with_capacity(n)];
    for _ in 0..n {
        let shared = one(rng);
        for (side, scale) in sides.iter_mut().zip([1.0, scale]) {
            side.push(scale * (shared * part.sqrt() + one(rng) * (1.0 - part).sqrt()));
        }
    }
    sides
}

/// `better` 0 is A/A; above, the challenger's errors are smaller by that share.
fn world(setting: Setting, n: usize, better: f64, rng: &mut Rng) -> World {
    let (scale, part) = (1.0 - better, setting.shared());
    match setting {
        Setting::Regression | Setting::Relatives => numbers(&errors(n, rng, scale, part, normal), rng),
        Setting::HeavyTails => numbers(&errors(n, rng, scale, part, heavy), rng),
        Setting::Forecast(memory) => {
            let memory = f64::from(memory) / 10.0;
            let mut sides = errors(n + 30, rng, scale, part, normal);
            for side in &mut sides {
                for t in 1..side.len() {
                    side[t] += memory * side[t - 1];
                }
                side.drain(..30);
            }
            numbers(&sides, rng)
        }
        Setting::Binary(tenths) => binary(n, f64::from(tenths) / 10.0, scale, part, rng),
        Setting::BinaryRelatives => binary(n, 0.2, scale, part, rng),
        Setting::Multiclass | Setting::MulticlassRelatives => multiclass(n, scale, part, rng),
    }
}

fn numbers(errors: &[Vec<f64>; 2], rng: &mut Rng) -> World {
    let target: Vec<f64> = errors[0].iter().map(|_| 2.0 * normal(rng)).collect();
    let side = |errors: &[f64]| Predictions::Numbers(target.iter().zip(errors).map(|(y, e)| y + e).collect());
    let [champion, challenger] = [side(&errors[0]), side(&errors[1])];
    World {
        truth: Truth::Numbers(target),
        champion,
        challenger,
    }
}

fn binary(n: usize, share: f64, scale: f64, part: f64, rng: &mut Rng) -> World {
    let codes: Vec<u32> = (0..n).map(|_| u32::from(rng.unit() < share)).collect();
    let noise = errors(n, rng, scale, part, normal);
    let side = |noise: &[f64], scale: f64| {
        // Positives are 1.5 higher on average; the probability is what the density says.
        let score = |(code, noise): (&u32, &f64)| {
            let seen = 1.5 * f64::from(*code) + noise;
            let logit = 1.5 * (seen - 0.75) / (scale * scale) + (share / (1.0 - share)).ln();
            1.0 / (1.0 + (-logit).exp())
        };
        let scores: Vec<f64> = codes.iter().zip(noise).map(score).collect();
        let predicted: Vec<u32> = scores.iter().map(|p| u32::from(*p > 0.5)).collect();
        super::binary(&predicted, &scores)
    };
    let [champion, challenger] = [side(&noise[0], 1.0), side(&noise[1], scale)];
    World {
        truth: class_truth(&codes, 2),
        champion,
        challenger,
    }
}

fn multiclass(n: usize, scale: f64, part: f64, rng: &mut Rng) -> World {
    let codes: Vec<u32> = (0..n).map(|_| u32::try_from(rng.below(3)).unwrap()).collect();
    let noise = [(); 3].map(|()| errors(n, rng, scale, part, normal));
    let side = |which: usize, scale: f64| {
        let (mut predicted, mut probabilities) = (Vec::new(), Vec::new());
        for (row, code) in codes.iter().enumerate() {
            let weight = |class: usize| {
                let seen = 1.5 * f64::from(u8::from(*code as usize == class)) + noise[class][which][row];
                (1.5 * seen / (scale * scale)).exp()
            };
            let weights = [weight(0), weight(1), weight(2)];
            let best = (0..3).max_by(|a, b| weights[*a].total_cmp(&weights[*b])).unwrap();
            predicted.push(u32::try_from(best).unwrap());
            probabilities.extend(weights.iter().map(|w| w / weights.iter().sum::<f64>()));
        }
        Predictions::Classes {
            codes: predicted,
            labels: labels(3),
            probabilities,
        }
    };
    World {
        truth: class_truth(&codes, 3),
        champion: side(0, 1.0),
        challenger: side(1, scale),
    }
}

fn judged(setting: Setting, world: &World, kind: &MetricKind, seed: u64) -> Comparison {
    let times: Vec<f64> = (0..world.truth.len()).map(|t| t as f64).collect();
    let order = matches!(setting, Setting::Forecast(_)).then_some(Ordered {
        horizon: 1,
        times: &times,
    });
    let rule = CompareRule {
        margin: kind.default_margin,
        order,
        ..CompareRule::default()
    };
    compare(&world.truth, &world.champion, &world.challenger, kind, &rule, seed)
}

/// Shares of all repetitions, of one metric in one setting.
#[derive(Debug, Clone, Default)]
pub struct Row {
    pub name: String,
    pub n: usize,
    pub n_repeats: usize,
    /// A/A, with the margin that the product has where nothing is said, and with none.
    pub better: f64,
    pub worse: f64,
    pub worse_without_margin: f64,
    /// A/A called either, had the two-sided interval to be clear of zero, or of the margin.
    pub by_interval: f64,
    /// Intervals that hold the true difference, A/A and A/B.
    pub covers_equal: f64,
    pub covers_better: f64,
    /// A/B called better, and found by the best of the secondary tests.
    pub power: f64,
    pub power_of_tests: f64,
    /// A/A called better by that test.
    pub wrong_tests: f64,
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |x: f64| 100.0 * x;
        write!(
            f,
            "{:<42} {:>6} {:>6}  {:>5.1} {:>5.1} {:>5.1}  {:>5.1} {:>5.1}  {:>5.1} {:>5.1}  {:>5.1} {:>5.1}",
            self.name,
            self.n,
            self.n_repeats,
            percent(self.better),
            percent(self.worse),
            percent(self.better + self.worse),
            percent(self.worse_without_margin),
            percent(self.by_interval),
            percent(self.covers_equal),
            percent(self.covers_better),
            percent(self.power),
            percent(self.power_of_tests)
        )
    }
}

pub const HEADER: &str = "setting                                         n    reps  A/A: better worse both, worse δ=0, two-sided both; cover A/A A/B; power, of tests";

fn covers(one: &Comparison, truth: f64) -> bool {
    one.difference_interval
        .is_some_and(|[low, high]| low <= truth && truth <= high)
}

/// Every setting and metric on so many rows, so many times.
fn simulate(n: usize, n_repeats: usize, settings: &[(&str, Setting, &[&str])]) -> Vec<Row> {
    let mut rows = Vec::new();
    for (title, setting, names) in settings {
        let better = 1.8 / (n as f64).sqrt() * ((1.0 - setting.shared()) / 0.5).sqrt();
        // The true difference, from many rows.
        let many = world(*setting, (300 * n).min(300_000), better, &mut Rng::derive(7, title));
        for name in *names {
            let kind = metric(name).unwrap();
            let resampled = kind.method_name() == "BCa bootstrap";
            if resampled && n > 1000 {
                continue;
            }
            let n_repeats = if resampled {
                n_repeats.min(30 + 60_000 / n)
            } else {
                n_repeats
            };
            let value = |side: &Predictions| kind.score(&many.truth, side).unwrap();
            let difference = value(&many.challenger) - value(&many.champion);
            let mut rng = Rng::derive(11, &format!("{title} {name} {n}"));
            let mut counts = [0_u32; 9];
            let mut decided = [0_u32; 2];
            for repeat in 0..n_repeats {
                let equal = judged(*setting, &world(*setting, n, 0.0, &mut rng), kind, repeat as u64);
                let other = judged(*setting, &world(*setting, n, better, &mut rng), kind, repeat as u64);
                let without = verdict(
                    equal.gain.unwrap_or(0.0),
                    equal.lower.unwrap_or(-1.0),
                    equal.upper.unwrap_or(1.0),
                    0.0,
                );
                let found = |one: &Comparison| {
                    let test = one.secondary.first().and_then(|test| test.p_better);
                    test.is_some_and(|p| p <= 0.05)
                };
                let apart = equal.difference_interval.is_some_and(|[low, high]| {
                    let (bad, good) = match equal.direction {
                        Direction::Maximize => (high, low),
                        Direction::Minimize => (-low, -high),
                    };
                    good > 0.0 || bad < -equal.margin
                });
                let happened = [
                    equal.verdict == Verdict::Better,
                    equal.verdict == Verdict::Worse,
                    without == Verdict::Worse,
                    apart,
                    covers(&equal, 0.0),
                    covers(&other, difference),
                    other.verdict == Verdict::Better,
                    found(&other),
                    found(&equal),
                ];
                for (count, happened) in counts.iter_mut().zip(happened) {
                    *count += u32::from(happened);
                }
                for (count, one) in decided.iter_mut().zip([&equal, &other]) {
                    *count += u32::from(one.lower.is_some());
                }
            }
            // Rows that can not be compared, as with one class, are neither right nor wrong.
            let share = |which: usize, of: usize| f64::from(counts[which]) / f64::from(decided[of].max(1));
            rows.push(Row {
                name: format!("{title}: {name}"),
                n,
                n_repeats,
                better: share(0, 0),
                worse: share(1, 0),
                worse_without_margin: share(2, 0),
                by_interval: share(3, 0),
                covers_equal: share(4, 0),
                covers_better: share(5, 1),
                power: share(6, 1),
                power_of_tests: share(7, 1),
                wrong_tests: share(8, 0),
            });
        }
    }
    rows
}

/// What is wrong with the rates of a row, beyond the noise of so many repeats; sentences, nothing where all is well.
fn misses(row: &Row) -> Vec<String> {
    let n = row.n_repeats as f64;
    let noise = |share: f64| 3.5 * (share * (1.0 - share) / n).sqrt();
    let (most, least) = (0.05 + noise(0.05), 0.93 - noise(0.07));
    let mut found = Vec::new();
    let mut check = |holds: bool, what: &str| {
        if !holds {
            found.push(format!("{what}: {row}"));
        }
    };
    check(row.better <= most, "too often better");
    check(row.worse <= most, "too often worse");
    check(row.worse_without_margin <= most, "too often worse without a margin");
    check(row.by_interval <= most, "the interval is too often clear of zero");
    check(row.covers_equal >= least, "covers equality too seldom");
    check(row.covers_better >= least, "covers a difference too seldom");
    // Where errors remember, the test that looks no further than the horizon is no test; nor is one of the theory of many
    // rows where it is wrong too often.
    let is_test = !row.name.contains("memory 0") && row.wrong_tests <= most;
    check(
        !is_test || row.power >= row.power_of_tests - 0.05 - noise(0.25),
        "finds less than the tests",
    );
    found
}

const SIZES: [usize; 5] = [30, 100, 300, 1000, 10_000];

/// The whole table, `scale` repeats of 30 rows and fewer of many: 1000 take about four minutes.
pub fn run(scale: usize) -> Vec<Row> {
    let of_size = |n: usize| {
        let n_repeats = match n {
            0..=300 => scale,
            301..=1000 => scale / 2,
            _ => scale / 8,
        };
        simulate(n, n_repeats.max(20), &SETTINGS)
    };
    SIZES.into_iter().flat_map(of_size).collect()
}

#[test]
#[ignore = "minutes, for the table of error rates: cargo test --release calibration -- --ignored --nocapture"]
fn error_rates_are_those_that_are_said() {
    let rows = run(1000);
    println!("{HEADER}");
    for row in &rows {
        println!("{row}");
    }
    let wrong: Vec<String> = rows.iter().flat_map(misses).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_few_error_rates_are_not_far_off() {
    let few = |setting: usize, names: &'static [&'static str]| (SETTINGS[setting].0, SETTINGS[setting].1, names);
    let settings = [
        few(0, &["rmse", "mae"]),
        few(3, &["roc_auc", "accuracy", "log_loss"]),
        few(6, &["accuracy"]),
        few(9, &["mae"]),
    ];
    let wrong: Vec<String> = simulate(40, 100, &settings).iter().flat_map(misses).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn repeats_cover_one_more_model() {
    let (n, n_repeats, spread) = (60, 150, 0.1);
    let mut rng = Rng::derive(3, "repeats");
    let (kind, rule) = (metric("mae").unwrap(), CompareRule::default());
    let mut covered = 0_u32;
    for _ in 0..n_repeats {
        let [champion, other] = errors(n, &mut rng, 1.0, 0.5, normal);
        // A seed makes all errors of a model larger or smaller; on average they are the champion's.
        let mut seed = || 1.0 + spread * normal(&mut rng);
        let seeds: Vec<Predictions> = (0..4)
            .map(|_| seed())
            .map(|scale| Predictions::Numbers(other.iter().map(|e| scale * e).collect()))
            .collect();
        let one_more = (seed() - 1.0) * (2.0 / std::f64::consts::PI).sqrt();
        let challengers: Vec<&Predictions> = seeds.iter().collect();
        let truth = Truth::Numbers(vec![0.0; n]);
        let all = compare_repeats(&truth, &Predictions::Numbers(champion), &challengers, kind, &rule, 1);
        covered += u32::from(covers(&all, one_more));
    }
    let share = f64::from(covered) / f64::from(n_repeats);
    // Two and a half standard errors below 95 %.
    assert!((0.905..=0.999).contains(&share), "{share}");
}

#[test]
fn folds_that_share_rows_are_not_taken_for_more_than_they_are() {
    // Ten folds whose differences correlate by the share of the rows that is tested, as is supposed of them.
    let (correlation, n_repeats) = (0.1_f64, 600);
    let mut rng = Rng::derive(3, "folds");
    let mut better = 0_u32;
    for _ in 0..n_repeats {
        let shared = correlation.sqrt() * normal(&mut rng);
        let challenger: Vec<f64> = (0..10)
            .map(|_| shared + (1.0 - correlation).sqrt() * normal(&mut rng))
            .collect();
        let scores = FoldScores {
            champion: &[0.0; 10],
            challenger: &challenger,
            n_train: 90,
            n_test: 10,
        };
        let one = compare_folds("accuracy", &scores, Margin::default(), Direction::Maximize);
        better += u32::from(one.verdict == Verdict::Better);
    }
    let share = f64::from(better) / f64::from(n_repeats);
    assert!((0.02..0.08).contains(&share), "{share}");
}

/// Where a model's own interval is known to cover less: the squares of such errors vary more than so few rows show.
const SELDOM: [(&str, &str, f64); 4] = [
    ("regression, heavy tails", "rmse", 0.90),
    ("forecast, memory 0.5", "rmse", 0.92),
    ("forecast, memory 0.7", "mae", 0.90),
    ("forecast, memory 0.7", "rmse", 0.87),
];

#[test]
#[ignore = "for the table of each model's own intervals: cargo test --release own_intervals -- --ignored --nocapture"]
fn own_intervals_cover() {
    let mut wrong = Vec::new();
    for n in [30, 100, 300] {
        for (title, setting, names) in SETTINGS {
            let many = world(setting, 200_000, 0.0, &mut Rng::derive(7, title));
            let mut rng = Rng::derive(13, &format!("{title} {n}"));
            let kinds: Vec<_> = names.iter().map(|name| metric(name).unwrap()).collect();
            let truths: Vec<f64> = kinds
                .iter()
                .map(|kind| kind.score(&many.truth, &many.champion).unwrap())
                .collect();
            let n_repeats = 300;
            let mut counts = vec![[0_u32; 2]; kinds.len()];
            for repeat in 0..n_repeats {
                let world = world(setting, n, 0.0, &mut rng);
                let times: Vec<f64> = (0..n).map(|t| t as f64).collect();
                let together = Together {
                    groups: None,
                    times: matches!(setting, Setting::Forecast(_)).then_some(times.as_slice()),
                };
                let found = evaluate(&world.truth, &world.champion, &kinds, together, repeat);
                for ((count, one), truth) in counts.iter_mut().zip(&found).zip(&truths) {
                    if let Some([low, high]) = one.interval {
                        count[0] += 1;
                        count[1] += u32::from(low <= *truth && *truth <= high);
                    }
                }
            }
            for ((kind, [with, covered]), _) in kinds.iter().zip(&counts).zip(&truths) {
                let share = f64::from(*covered) / f64::from(*with);
                println!("{title:<26} {:<10} {n:>5} {with:>4} {:>6.1}", kind.name, 100.0 * share);
                let least = SELDOM
                    .iter()
                    .find(|(at, what, ..)| *at == title && *what == kind.name)
                    .map_or(0.93, |(.., least)| *least);
                if share < least - 3.5 * ((1.0 - least) * least / f64::from(*with)).sqrt() {
                    wrong.push(format!("{title} {} {n}: {share}", kind.name));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
