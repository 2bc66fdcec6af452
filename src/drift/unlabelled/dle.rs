//! What a second model says about the errors of the first. Pure.

use serde::{Deserialize, Serialize};

use super::{Estimate, z};
use crate::drift::multivariate::{Binned, Cells, Feature, Forest, Growth, grow, thin};

/// Rows of which the truth is known (the reference) and rows of which it is not (current).
#[derive(Debug, Clone, Copy)]
pub struct DleInput<'a> {
    pub features: &'a [Feature<'a>],
    /// The model's predictions for the reference and for the current rows.
    pub predictions: [&'a [f64]; 2],
    /// Prediction less truth of each reference row; NaN and infinite is unknown.
    pub errors: &'a [f64],
    pub seed: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dle {
    /// Reference rows with a known error, and current rows, that were used.
    pub n: [usize; 2],
    /// `mae`, `mse`, `rmse`.
    pub estimates: Vec<Estimate>,
}

/// Reference rows that are learned from, and current rows that are asked about; evenly taken.
const MAX_ROWS: [usize; 2] = [10_000, 20_000];
const MIN_ROWS: usize = 50;

/// Estimates the errors of a model of numbers on rows without truth.
///
/// Bagged trees learn |error| of the reference from the features and the prediction. Their answer for the current rows
/// is a weighted mean of the reference's errors, of which the weights say how often a current row is like that
/// reference row; the same weights give the mean squared error, and take off what the trees are wrong by on rows that
/// they did not draw. Two parts of doubt make the interval: each reference row's deviation from what such trees say, by
/// its weight, and the same deviations for the current rows, of which the truth is yet to come. Values are ≥ 0 in the unit of the error (squared for `mse`); none is NaN.
///
/// # Errors
/// Fewer than 50 known errors, or no current rows, for people.
///
/// Source: `NannyML`'s direct loss estimation; weights: Meinshausen, *Quantile regression forests* (2006). Oracle:
/// coverage in the tests.
pub fn dle(input: &DleInput<'_>) -> Result<Dle, String> {
    let known: Vec<usize> = (0..input.errors.len())
        .filter(|row| input.errors[*row].is_finite())
        .collect();
    let n_current = input.predictions[1].len();
    if known.len() < MIN_ROWS {
        return Err(format!(
            "{} reference errors are known, and {MIN_ROWS} are needed",
            known.len()
        ));
    }
    if n_current == 0 {
        return Err("there are no current rows".to_owned());
    }
    let reference: Vec<usize> = thin(known.len(), MAX_ROWS[0]).into_iter().map(|at| known[at]).collect();
    let current = thin(n_current, MAX_ROWS[1]);
    let prediction = Feature {
        name: "prediction",
        reference: Cells::Numbers(input.predictions[0]),
        current: Cells::Numbers(input.predictions[1]),
    };
    let features: Vec<Feature<'_>> = input.features.iter().copied().chain([prediction]).collect();
    let table = Binned::of(&features, [&reference, &current]);
    // Squares of great errors must not overflow, nor those of tiny ones vanish.
    let greatest = reference.iter().fold(0.0_f64, |a, row| a.max(input.errors[*row].abs()));
    let unit = if greatest > 0.0 { greatest } else { 1.0 };
    let absolute: Vec<f64> = reference.iter().map(|row| input.errors[*row].abs() / unit).collect();
    let squared: Vec<f64> = absolute.iter().map(|x| x * x).collect();
    let rows: Vec<u32> = (0..absolute.len()).filter_map(|row| u32::try_from(row).ok()).collect();
    let growth = Growth {
        n_trees: 100,
        max_depth: 8,
        min_leaf: 10,
        n_draws: 5_000,
        seed: input.seed,
    };
    let forest = grow(&table, &rows, &absolute, &growth);
    let weights = weights(&forest, &table, absolute.len());
    let deviations = deviations(&forest, &table, [&absolute, &squared]);
    let mean = |values: &[f64], deviations: &[f64]| {
        // What trees say of rows that they did not draw is a little too great where single errors are: it is taken off.
        let value: f64 = weights
            .iter()
            .zip(values.iter().zip(deviations))
            .map(|(w, (x, d))| w * (x + d))
            .sum();
        let parts = weights
            .iter()
            .zip(deviations)
            .map(|(w, d)| (w * w * d * d, w * d * d / n_current as f64));
        let variance: f64 = parts.map(|(learned, drawn)| learned + drawn).sum();
        (value.max(0.0), variance.sqrt())
    };
    let mae = mean(&absolute, &deviations[0]);
    let mse = mean(&squared, &deviations[1]);
    let rmse = mse.0.sqrt();
    let rmse = (rmse, if rmse > 0.0 { mse.1 / (2.0 * rmse) } else { 0.0 });
    let estimates = [("mae", mae, unit), ("mse", mse, unit * unit), ("rmse", rmse, unit)];
    Ok(Dle {
        n: [absolute.len(), current.len()],
        estimates: estimates
            .into_iter()
            .filter_map(|(name, at, unit)| estimate(name, at, unit))
            .collect(),
    })
}

/// `None` where the square of the unit overflows.
fn estimate(metric: &str, (value, error): (f64, f64), unit: f64) -> Option<Estimate> {
    // On the scale of logarithms: a mean of errors is never below 0, and is skewed to the right.
    let factor = if value > 0.0 { (z() * error / value).exp() } else { 1.0 };
    let estimate = Estimate {
        metric: metric.to_owned(),
        value: value * unit,
        standard_error: error * unit,
        lower: value / factor * unit,
        upper: value * factor * unit,
    };
    estimate.upper.is_finite().then_some(estimate)
}

/// Of each reference row, the first `n` of the table: its share in the mean answer for the rows after them. They sum to
/// 1.
fn weights(forest: &Forest, table: &Binned, n: usize) -> Vec<f64> {
    let mut weights = vec![0.0; n];
    let share = 1.0 / (forest.trees.len() as f64 * (table.n_rows - n) as f64);
    for tree in &forest.trees {
        let (mut asked, mut drawn) = (vec![0.0; tree.n_nodes()], vec![0.0; tree.n_nodes()]);
        for row in n..table.n_rows {
            asked[tree.leaf(table, row)] += 1.0;
        }
        let leaves: Vec<usize> = tree.drawn.iter().map(|row| tree.leaf(table, *row as usize)).collect();
        for leaf in &leaves {
            drawn[*leaf] += 1.0;
        }
        for (row, leaf) in tree.drawn.iter().zip(leaves) {
            weights[*row as usize] += share * asked[leaf] / drawn[leaf];
        }
    }
    weights
}

/// Of each reference row and target: the target less what the trees that did not draw the row say; 0 when all drew it.
fn deviations(forest: &Forest, table: &Binned, targets: [&[f64]; 2]) -> [Vec<f64>; 2] {
    let n = targets[0].len();
    let mut sums = [vec![0.0; n], vec![0.0; n]];
    let mut counts = vec![0.0; n];
    for tree in &forest.trees {
        let leaves: Vec<usize> = (0..n).map(|row| tree.leaf(table, row)).collect();
        let mut is_drawn = vec![false; n];
        let mut means = vec![[0.0; 3]; tree.n_nodes()];
        for row in &tree.drawn {
            let row = *row as usize;
            is_drawn[row] = true;
            let mean = &mut means[leaves[row]];
            *mean = [mean[0] + targets[0][row], mean[1] + targets[1][row], mean[2] + 1.0];
        }
        for row in (0..n).filter(|row| !is_drawn[*row]) {
            let [absolute, squared, count] = means[leaves[row]];
            sums[0][row] += absolute / count;
            sums[1][row] += squared / count;
            counts[row] += 1.0;
        }
    }
    let deviation = |target: usize| {
        let of = |row: usize| {
            if counts[row] > 0.0 {
                targets[target][row] - sums[target][row] / counts[row]
            } else {
                0.0
            }
        };
        (0..n).map(of).collect()
    };
    [deviation(0), deviation(1)]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::stats::Rng;

    /// A number near the normal law, of variance 1.
    fn normal(rng: &mut Rng) -> f64 {
        (0..12).map(|_| rng.unit()).sum::<f64>() - 6.0
    }

    /// Two features, predictions, and errors that are greater where the first feature is.
    struct Table {
        x: [Vec<f64>; 2],
        predictions: Vec<f64>,
        errors: Vec<f64>,
    }

    /// `slope` 1 takes more of the rows with a great first feature, which is in 0..2; 0 takes all alike.
    fn draw(rng: &mut Rng, n: usize, slope: f64) -> Table {
        let mut table = Table {
            x: [Vec::new(), Vec::new()],
            predictions: Vec::new(),
            errors: Vec::new(),
        };
        while table.errors.len() < n {
            let x = [2.0 * rng.unit(), normal(rng)];
            if rng.unit() >= 1.0 - slope + slope * x[0] / 2.0 {
                continue;
            }
            table.predictions.push(x[0] + 3.0 * x[1]);
            table.errors.push(normal(rng) * (0.5 + x[0]));
            table.x.iter_mut().zip(x).for_each(|(column, x)| column.push(x));
        }
        table
    }

    fn run(reference: &Table, current: &Table, seed: u64) -> Dle {
        let feature = |column: usize| Feature {
            name: "x",
            reference: Cells::Numbers(&reference.x[column]),
            current: Cells::Numbers(&current.x[column]),
        };
        let features = [feature(0), feature(1)];
        let input = DleInput {
            features: &features,
            predictions: [&reference.predictions, &current.predictions],
            errors: &reference.errors,
            seed,
        };
        dle(&input).unwrap()
    }

    fn realized(errors: &[f64]) -> [f64; 3] {
        let n = errors.len() as f64;
        let mse = errors.iter().map(|e| e * e).sum::<f64>() / n;
        [errors.iter().map(|e| e.abs()).sum::<f64>() / n, mse, mse.sqrt()]
    }

    /// Of so many runs, in how many each metric was in its interval.
    fn coverage(n_runs: u64, n: [usize; 2], slope: f64) -> [u64; 3] {
        let mut inside = [0; 3];
        for run_number in 0..n_runs {
            let mut rng = Rng::derive(run_number, "errors");
            let (reference, current) = (draw(&mut rng, n[0], 0.0), draw(&mut rng, n[1], slope));
            let found = run(&reference, &current, run_number);
            let pairs = found.estimates.iter().zip(realized(&current.errors));
            for (inside, (estimate, realized)) in inside.iter_mut().zip(pairs) {
                *inside += u64::from((estimate.lower..=estimate.upper).contains(&realized));
            }
        }
        inside
    }

    #[test]
    fn intervals_hold_what_they_promise() {
        for slope in [0.0, 1.0] {
            let inside = coverage(40, [150, 100], slope);
            // Fewer than 33 of 40 would be one in a thousand if 95 % are inside.
            assert!(inside.iter().all(|inside| *inside >= 33), "{slope}: {inside:?}");
        }
    }

    /// Current rows are where errors are great: the mean of the reference's errors would be too small.
    #[test]
    fn follows_the_features() {
        let mut rng = Rng::derive(5, "follows");
        let (reference, current) = (draw(&mut rng, 800, 0.0), draw(&mut rng, 800, 1.0));
        let found = run(&reference, &current, 1);
        let (before, now) = (realized(&reference.errors), realized(&current.errors));
        for ((estimate, before), now) in found.estimates.iter().zip(before).zip(now) {
            assert!(
                estimate.value > before + 0.5 * (now - before),
                "{estimate:?} {before} {now}"
            );
        }
        assert_eq!(found.n, [800, 800]);
        assert_eq!(found, run(&reference, &current, 1));
    }

    #[test]
    fn too_little_is_told() {
        let mut rng = Rng::derive(5, "few");
        let (mut reference, current) = (draw(&mut rng, 60, 0.0), draw(&mut rng, 1, 0.0));
        assert_eq!(run(&reference, &current, 0).n, [60, 1]);
        reference.errors[..20].fill(f64::NAN);
        let input = |predictions| DleInput {
            features: &[],
            predictions,
            errors: &reference.errors,
            seed: 0,
        };
        assert_eq!(
            dle(&input([&reference.predictions, &current.predictions])).unwrap_err(),
            "40 reference errors are known, and 50 are needed"
        );
        let known = vec![1.0; 60];
        let input = DleInput {
            errors: &known,
            ..input([&reference.predictions, &[]])
        };
        assert_eq!(dle(&input).unwrap_err(), "there are no current rows");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]
        /// The unit of the errors does not matter, however great or small, and nothing is NaN.
        #[test]
        fn the_unit_does_not_matter(seed in 0..1000_u64, exponent in prop_oneof![Just(-1000), Just(0), Just(500), Just(1000)]) {
            let mut rng = Rng::derive(seed, "unit");
            let (reference, current) = (draw(&mut rng, 60, 0.0), draw(&mut rng, 20, 0.0));
            let scale = 2.0_f64.powi(exponent);
            let scaled = Table {
                errors: reference.errors.iter().map(|e| e * scale).collect(),
                x: reference.x.clone(),
                predictions: reference.predictions.clone(),
            };
            let (one, other) = (run(&reference, &current, seed), run(&scaled, &current, seed));
            prop_assert!(one.estimates[0].value > 0.0);
            prop_assert!((one.estimates[0].value * scale - other.estimates[0].value).abs() <= 1e-9 * other.estimates[0].value);
            for Estimate { value, standard_error, lower, upper, .. } in other.estimates {
                prop_assert!(0.0 <= lower && lower <= value && value <= upper && upper.is_finite() && standard_error.is_finite());
            }
        }

        /// A model without errors, or with one and the same, has those.
        #[test]
        fn constant_errors_stay(error in prop_oneof![Just(0.0), -1e300..1e300_f64]) {
            let mut rng = Rng::derive(1, "constant");
            let (mut reference, current) = (draw(&mut rng, 60, 0.0), draw(&mut rng, 20, 0.0));
            reference.errors.fill(error);
            let found = run(&reference, &current, 0);
            let mae = &found.estimates[0];
            prop_assert!((mae.value - error.abs()).abs() <= 1e-9 * error.abs());
            prop_assert!(mae.lower <= mae.value && mae.value <= mae.upper);
        }
    }
}
