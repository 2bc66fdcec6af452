//! Bounds of a gain on few rows, where the theory of many does not hold. Pure.
//!
//! Two values p and q of a metric are seen on a scale where their law is nearer to the normal: the logarithm of an error,
//! the logit of a share. There D is their difference and M their mean, and q − p = g(M + D/2) − g(M − D/2) with g the way
//! back. The bounds of D and those of M are put together as those of two variables that depend on each other (MOVER), so
//! that two models that nearly always say the same have narrow bounds, and those beside an end of the scale have skewed
//! ones.
//!
//! - A size (RMSE, 1 − R²): the variance of leaving rows out one at a time, which sees heavy tails sooner than first-order
//!   influence does, and t with 2 n / (κ − 1) degrees of freedom for κ the kurtosis of what the rows contribute.
//! - A share (F1, precision, recall): half a row is added for each way in which two models can differ, as Agresti and Min do
//!   for accuracy, so that few rows that they differ on, or none, still have a spread.
//! - Another metric of classes, which is resampled: bounds with room for the same half rows.
//! - An area: half a row for and half against, `DeLong`'s variance, and no less than half of that of Hanley and `McNeil`; t with
//!   Satterthwaite's degrees of freedom.
//! - The mean of a loss, for the interval of one model alone: as a size. Two models have the paired t.
//!
//! Source: Zou & Donner, *Construction of confidence limits about effect measures* (2008); Efron & Stein, *The jackknife
//! estimate of variance* (1981); Agresti & Min (2005); Hanley & `McNeil`, *The meaning and use of the area under a ROC curve*
//! (1982); Satterthwaite (1946). Measured by the simulation in `tests/calibration.rs`.

use crate::stats::{mean, normal_quantile, sd, t_quantile};

use super::estimate::Estimate;
use super::influence::{self, Components};
use super::metrics::{Method, MetricKind};
use super::rows::{Classes, Numbers, Rows};
use super::scores::{binary, classes};

/// With fewer rows, or fewer of one of two classes, or fewer that two models call differently, there are few.
const MANY_ROWS: usize = 100;
const MANY_OF_A_KIND: usize = 30;

/// So many rows at most are called differently one at a time.
const LOOKED_AT: usize = 200;

/// What a smooth function of means is when rows are few.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// From 0 on, the smaller the better, the whole or 1 less it.
    Size(Size),
    /// From 0 to 1, the greater the better.
    Share(Share),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    Rmse,
    /// 1 − R².
    Unexplained,
    /// 1 less the explained variance.
    UnexplainedVariance,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    F1,
    Precision,
    Recall,
}

/// The gain of the challenger, second of `rows`, with bounds for few rows; `None` where there are many, where the metric is
/// none of those above, or where a value is beyond its scale, as the error of a perfect model is.
pub fn estimate(method: Method, gain: f64, rows: &[Rows; 2], alpha: f64) -> Option<Estimate> {
    let pair = match method {
        Method::Influence(_, Scale::Size(size)) => sizes(size, rows)?,
        Method::Influence(of, Scale::Share(share)) => shares(share, of, rows)?,
        Method::Area(_) => areas(rows)?,
        Method::MeanLoss(_) | Method::Share(_) | Method::Bootstrap => return None,
    };
    let n = rows[0].len() as f64;
    let found = pair.around(gain, alpha, n);
    let numbers = [found.bounds, found.interval].concat();
    numbers.iter().all(|bound| bound.is_finite()).then_some(found)
}

/// The 95 % interval of one model's `value`, which is in it; `None` as in [`estimate`], and for a share of nothing.
pub fn interval(method: Method, value: f64, rows: &Rows) -> Option<[f64; 2]> {
    let around = |link: Link, at: f64, variance: f64, df: f64| {
        let reach = quantile(0.975, df) * variance.sqrt();
        [link.back(at - reach), link.back(at + reach)]
    };
    let found = match method {
        Method::Influence(_, Scale::Size(size)) => {
            let (at, parts) = size_of(size, rows)?;
            let variance = sd(&parts).powi(2) / parts.len() as f64;
            let [low, high] = around(Link::Log, at, variance, freedom(&parts));
            match size {
                Size::Rmse => [low, high],
                Size::Unexplained | Size::UnexplainedVariance => [1.0 - high, 1.0 - low],
            }
        }
        Method::Influence(of, Scale::Share(share)) if is_few(binary(rows).ok()?) => {
            let found = share_of(share, of, rows)?;
            if found.whole <= 0.0 {
                return None;
            }
            around(Link::Logit, found.at(), found.variance, f64::INFINITY)
        }
        Method::Area(_) if is_few(binary(rows).ok()?) => {
            let components = Components::of(rows)?;
            let found = area_of(&components)?;
            let df = satterthwaite(&[components.positives, components.negatives]);
            around(Link::Logit, found.at, found.variance, df)
        }
        Method::MeanLoss(of) if rows.len() < MANY_ROWS => {
            let losses = of(rows)?;
            let whole = mean(&losses);
            if whole <= 0.0 {
                return None;
            }
            let parts: Vec<f64> = losses.iter().map(|loss| loss / whole).collect();
            let variance = sd(&parts).powi(2) / parts.len() as f64;
            around(Link::Log, whole.ln(), variance, freedom(&parts))
        }
        Method::Influence(..) | Method::Area(_) | Method::MeanLoss(_) | Method::Share(_) | Method::Bootstrap => {
            return None;
        }
    };
    let [low, high] = found;
    // Half a row moves what is at an end of the scale.
    let found = [low.min(value), high.max(value)];
    found.iter().all(|bound| bound.is_finite()).then_some(found)
}

/// The way to a scale and back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Link {
    Log,
    Logit,
}

impl Link {
    fn back(self, x: f64) -> f64 {
        match self {
            Self::Log => x.exp(),
            Self::Logit => 1.0 / (1.0 + (-x).exp()),
        }
    }

    /// How fast the way back goes.
    fn slope(self, x: f64) -> f64 {
        let there = self.back(x);
        match self {
            Self::Log => there,
            Self::Logit => there * (1.0 - there),
        }
    }
}

/// Champion and challenger on a scale.
struct Pair {
    link: Link,
    at: [f64; 2],
    variance: [f64; 2],
    correlation: f64,
    /// What is added to the variance of the difference.
    unseen: f64,
    /// Of the difference and of the mean; infinite where the normal is meant.
    df: [f64; 2],
}

impl Pair {
    /// The greater value is the better one on a logit scale, the smaller one on a logarithmic scale.
    fn around(&self, gain: f64, alpha: f64, n: f64) -> Estimate {
        let [low, high] = self.reach(1.0 - alpha);
        let [lowest, highest] = self.reach(1.0 - alpha / 2.0);
        let around = |low: f64, high: f64| match self.link {
            Link::Logit => [gain - low, gain + high],
            Link::Log => [gain - high, gain + low],
        };
        let bounds = around(low, high);
        let df = self.df[0];
        let standard_error = (bounds[1] - bounds[0]) / (2.0 * quantile(1.0 - alpha, df));
        Estimate {
            gain,
            standard_error,
            df,
            bounds,
            interval: around(lowest, highest),
            sd: standard_error * n.sqrt(),
        }
    }

    /// How far below and above the difference of the values is bounded.
    fn reach(&self, level: f64) -> [f64; 2] {
        let [champion, challenger] = self.at;
        let (d, m) = (challenger - champion, f64::midpoint(champion, challenger));
        let [v, w] = self.variance;
        let shared = self.correlation * (v * w).sqrt();
        let of_d = (v + w - 2.0 * shared).max(0.0) + self.unseen;
        let of_m = ((v + w + 2.0 * shared) / 4.0).max(0.0);
        let together = if of_d > 0.0 && of_m > 0.0 {
            ((w - v) / 2.0 / (of_d * of_m).sqrt()).clamp(-1.0, 1.0)
        } else {
            0.0
        };
        let difference = |m: f64, d: f64| self.link.back(m + d / 2.0) - self.link.back(m - d / 2.0);
        let center = difference(m, d);
        // Which way the difference goes as the mean grows.
        let steeper = self.link.slope(m + d / 2.0) - self.link.slope(m - d / 2.0);
        let way = if steeper == 0.0 { 0.0 } else { steeper.signum() };
        let step_d = quantile(level, self.df[0]) * of_d.sqrt();
        let step_m = quantile(level, self.df[1]) * of_m.sqrt();
        [-1.0, 1.0].map(|side| {
            let by_d = (difference(m, d + side * step_d) - center).abs();
            let by_m = (difference(m + side * way * step_m, d) - center).abs();
            let both = by_d * by_d + by_m * by_m + 2.0 * together * way * by_d * by_m;
            // Not beyond what both at their ends would make of it, so that a sure D is a sure difference.
            let end = |m: f64| side * (difference(m, d + side * step_d) - center);
            let ends = [m - step_m, m, m + step_m].map(end);
            both.max(0.0).sqrt().min(ends.into_iter().fold(0.0, f64::max))
        })
    }
}

fn quantile(level: f64, df: f64) -> f64 {
    if df.is_finite() {
        t_quantile(level, df)
    } else {
        normal_quantile(level)
    }
}

/// A model on a logarithmic scale: where it is, and what each row contributes there.
fn size_of(size: Size, rows: &Rows) -> Option<(f64, Vec<f64>)> {
    let Rows::Numbers(rows) = rows else { return None };
    let n = rows.actual.len();
    if n >= MANY_ROWS {
        return None;
    }
    let (whole, without) = left_out(size, rows);
    if !(whole > 0.0 && without.iter().all(|value| value.is_finite())) {
        return None;
    }
    // Pseudo-values, as shares of the whole.
    let of_row = |without: &f64| (n as f64 * whole - (n as f64 - 1.0) * without) / whole;
    Some((whole.ln(), without.iter().map(of_row).collect()))
}

fn sizes(size: Size, rows: &[Rows; 2]) -> Option<Pair> {
    let sides = [size_of(size, &rows[0])?, size_of(size, &rows[1])?];
    let both = |join: fn(f64, f64) -> f64| -> Vec<f64> {
        let pairs = sides[0].1.iter().zip(&sides[1].1);
        pairs
            .map(|(champion, challenger)| join(*champion, *challenger))
            .collect()
    };
    Some(Pair {
        link: Link::Log,
        at: [sides[0].0, sides[1].0],
        variance: [0, 1].map(|side: usize| sd(&sides[side].1).powi(2) / sides[side].1.len() as f64),
        correlation: correlation(&sides[0].1, &sides[1].1),
        unseen: 0.0,
        df: [both(|a, b| b - a), both(|a, b| b + a)].map(|values| freedom(&values)),
    })
}

/// The degrees of freedom of a variance that is estimated from these values: 2 n / (κ − 1), from 2 to n − 1.
fn freedom(values: &[f64]) -> f64 {
    let (n, center) = (values.len() as f64, mean(values));
    let moment = |power: i32| values.iter().map(|value| (value - center).powi(power)).sum::<f64>() / n;
    let kurtosis = moment(4) / moment(2).powi(2);
    if kurtosis.is_finite() {
        (2.0 * n / (kurtosis - 1.0).max(f64::MIN_POSITIVE))
            .max(2.0)
            .min(n - 1.0)
    } else {
        n - 1.0
    }
}

/// The size on all rows, and without each of them.
fn left_out(size: Size, rows: &Numbers) -> (f64, Vec<f64>) {
    let errors: Vec<f64> = (0..rows.actual.len()).map(|row| rows.error(row)).collect();
    let n = errors.len() as f64;
    let squares = |values: &[f64]| -> (f64, Vec<f64>) {
        let of_row: Vec<f64> = values.iter().map(|value| value * value).collect();
        let all: f64 = of_row.iter().sum();
        let without = of_row.iter().map(|square| all - square).collect();
        (all, without)
    };
    let ratio = |(part, parts): (f64, Vec<f64>), (whole, wholes): (f64, Vec<f64>)| {
        let without = parts.iter().zip(wholes).map(|(part, whole)| part / whole).collect();
        (part / whole, without)
    };
    match size {
        Size::Rmse => {
            let (all, without) = squares(&errors);
            let without = without.iter().map(|rest| (rest / (n - 1.0)).sqrt()).collect();
            ((all / n).sqrt(), without)
        }
        Size::Unexplained => ratio(squares(&errors), deviations(&rows.actual)),
        Size::UnexplainedVariance => ratio(deviations(&errors), deviations(&rows.actual)),
    }
}

/// The sum of squared deviations from the mean, of all values and without each of them.
fn deviations(values: &[f64]) -> (f64, Vec<f64>) {
    let (n, center) = (values.len() as f64, mean(values));
    let all: f64 = values.iter().map(|value| (value - center).powi(2)).sum();
    // Without a value the mean moves, which takes n / (n − 1) of its squared deviation away.
    let without = values
        .iter()
        .map(|value| all - (value - center).powi(2) * n / (n - 1.0));
    (all, without.collect())
}

/// A share with half a row for and half a row against, and its variance on a logit scale.
struct Shared {
    value: f64,
    /// What it is a share of, in rows.
    whole: f64,
    variance: f64,
}

impl Shared {
    fn at(&self) -> f64 {
        (self.value / (1.0 - self.value)).ln()
    }
}

fn share_of(share: Share, of: influence::Contribution, rows: &Rows) -> Option<Shared> {
    let (part, whole) = counts(share, binary(rows).ok()?);
    let value = (part + 0.5) / (whole + 1.0);
    let spread = value * (1.0 - value);
    let of_rows = sd(&of(rows)?).powi(2) / rows.len() as f64;
    Some(Shared {
        value,
        whole,
        variance: of_rows.max(0.5 * spread / (whole + 1.0)) / (spread * spread),
    })
}

fn shares(share: Share, of: influence::Contribution, rows: &[Rows; 2]) -> Option<Pair> {
    let both = [binary(&rows[0]).ok()?, binary(&rows[1]).ok()?];
    if !is_few(both[0]) && n_differ(both) >= MANY_OF_A_KIND {
        return None;
    }
    let sides = [share_of(share, of, &rows[0])?, share_of(share, of, &rows[1])?];
    let value = f64::midpoint(sides[0].value, sides[1].value);
    // What one row does to the value: one that is positive, and one that is not.
    let steps = match share {
        Share::F1 => [1.0 - value / 2.0, value / 2.0],
        Share::Precision => [1.0 - value, value],
        Share::Recall => [1.0, 0.0],
    };
    let whole = f64::midpoint(sides[0].whole, sides[1].whole) + 1.0;
    let unseen = steps.iter().map(|step| (step / whole).powi(2)).sum::<f64>();
    Some(Pair {
        link: Link::Logit,
        at: [sides[0].at(), sides[1].at()],
        variance: [sides[0].variance, sides[1].variance],
        correlation: correlation(&of(&rows[0])?, &of(&rows[1])?),
        unseen: unseen / (value * (1.0 - value)).powi(2),
        df: [f64::INFINITY; 2],
    })
}

/// What one row, called differently by one of the models, does to a metric of classes that is resampled, as the root of a
/// mean square over rows and models; `None` where the two differ on many rows, or the metric is not one of classes.
///
/// Few rows that two models differ on, or none, do not show how the metric varies: half a row more of each kind has this
/// standard error, as in [`estimate`].
pub fn unseen(metric: &MetricKind, rows: &[Rows; 2]) -> Option<f64> {
    let both = [classes(&rows[0]).ok()?, classes(&rows[1]).ok()?];
    let n = both[0].actual.len();
    if n_differ(both) >= MANY_OF_A_KIND || both[1].n_labels < 2 {
        return None;
    }
    let ones = vec![1.0; n];
    let squares_of = |side: usize| -> Option<Vec<f64>> {
        let value = metric.of_rows(&rows[side], &ones).ok()?;
        let changed = |row: usize| {
            let mut other = both[side].clone();
            // Right instead of wrong, or wrong as the next class.
            other.predicted[row] = if other.predicted[row] == other.actual[row] {
                (other.actual[row] + 1) % other.n_labels
            } else {
                other.actual[row]
            };
            Some((metric.of_rows(&Rows::Classes(other), &ones).ok()? - value).powi(2))
        };
        Some((0..n).step_by(n.div_ceil(LOOKED_AT)).filter_map(changed).collect())
    };
    let squares = [squares_of(0)?, squares_of(1)?].concat();
    (!squares.is_empty()).then(|| mean(&squares).sqrt())
}

/// Rows that the two models call differently.
fn n_differ(both: [&Classes; 2]) -> usize {
    let pairs = both[0].predicted.iter().zip(&both[1].predicted);
    pairs.filter(|(champion, challenger)| champion != challenger).count()
}

/// Whether rows, or those of one of two classes, are few.
fn is_few(rows: &Classes) -> bool {
    let n_positive = rows.actual.iter().filter(|code| **code == 1).count();
    let n_rows = rows.actual.len();
    n_rows < MANY_ROWS || n_positive.min(n_rows - n_positive) < MANY_OF_A_KIND
}

/// What a share is of, and how much of it: in rows.
fn counts(share: Share, rows: &Classes) -> (f64, f64) {
    let positives = |codes: &[usize]| codes.iter().filter(|code| **code == 1).count() as f64;
    let pairs = rows.actual.iter().zip(&rows.predicted);
    let right = pairs
        .filter(|(actual, predicted)| **actual == 1 && **predicted == 1)
        .count() as f64;
    let whole = match share {
        Share::F1 => f64::midpoint(positives(&rows.actual), positives(&rows.predicted)),
        Share::Precision => positives(&rows.predicted),
        Share::Recall => positives(&rows.actual),
    };
    (right, whole)
}

fn areas(rows: &[Rows; 2]) -> Option<Pair> {
    if !is_few(binary(&rows[0]).ok()?) {
        return None;
    }
    let sides = [Components::of(&rows[0])?, Components::of(&rows[1])?];
    let (m, n) = (sides[0].positives.len() as f64, sides[0].negatives.len() as f64);
    let [champion, challenger] = [area_of(&sides[0])?, area_of(&sides[1])?];
    let both = [
        (&sides[0].positives, &sides[1].positives, m),
        (&sides[0].negatives, &sides[1].negatives, n),
    ];
    let shared: f64 = both.iter().map(|(a, b, n)| covariance(a, b) / n).sum();
    let correlation = shared / (champion.found * challenger.found).sqrt();
    let gains = |a: &[f64], b: &[f64]| -> Vec<f64> { a.iter().zip(b).map(|(a, b)| b - a).collect() };
    let df = satterthwaite(&both.map(|(a, b, _)| gains(a, b)));
    Some(Pair {
        link: Link::Logit,
        at: [champion.at, challenger.at],
        variance: [champion.variance, challenger.variance],
        correlation: if correlation.is_finite() {
            correlation.clamp(-1.0, 1.0)
        } else {
            0.0
        },
        unseen: 0.0,
        df: [df; 2],
    })
}

/// An area on a logit scale.
struct Area {
    at: f64,
    variance: f64,
    /// `DeLong`'s variance, of the area itself.
    found: f64,
}

fn area_of(components: &Components) -> Option<Area> {
    let (m, n) = (components.positives.len() as f64, components.negatives.len() as f64);
    if m < 2.0 || n < 2.0 {
        return None;
    }
    // Half a row of the smaller class for and half against: at the very end the scale has no end.
    let rows = m.min(n);
    let area = (components.area * rows + 0.5) / (rows + 1.0);
    let spread = area * (1.0 - area);
    let found = sd(&components.positives).powi(2) / m + sd(&components.negatives).powi(2) / n;
    Some(Area {
        at: (area / (1.0 - area)).ln(),
        variance: found.max(0.5 * hanley_mcneil(area, m, n)) / (spread * spread),
        found,
    })
}

/// The degrees of freedom of the sum of two variances of means.
fn satterthwaite(samples: &[Vec<f64>; 2]) -> f64 {
    let parts = samples
        .each_ref()
        .map(|values| (sd(values).powi(2) / values.len() as f64, values.len() as f64 - 1.0));
    let total: f64 = parts.iter().map(|(variance, _)| variance).sum();
    let found = total * total / parts.iter().map(|(variance, df)| variance * variance / df).sum::<f64>();
    if found.is_finite() {
        found
    } else {
        parts[0].1.min(parts[1].1)
    }
}

/// The variance of an area by its value alone, with the mean size of both classes as Newcombe has it.
///
/// Source: Hanley & `McNeil` (1982); Newcombe, *Confidence intervals for an effect size measure based on the Mann–Whitney
/// statistic*, part 2 (2006).
fn hanley_mcneil(area: f64, m: f64, n: f64) -> f64 {
    let size = f64::midpoint(m, n) - 1.0;
    let parts = 1.0 + size * (1.0 - area) / (2.0 - area) + size * area / (1.0 + area);
    area * (1.0 - area) * parts / (m * n)
}

/// With the divisor n − 1.
fn covariance(a: &[f64], b: &[f64]) -> f64 {
    let (of_a, of_b) = (mean(a), mean(b));
    let products: f64 = a.iter().zip(b).map(|(x, y)| (x - of_a) * (y - of_b)).sum();
    products / (a.len() as f64 - 1.0)
}

/// Pearson's; 0 where one of them does not vary.
fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let found = covariance(a, b) / (sd(a) * sd(b));
    if found.is_finite() { found.clamp(-1.0, 1.0) } else { 0.0 }
}
