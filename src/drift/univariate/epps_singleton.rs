//! Epps and Singleton: differences of the characteristic functions at two points. Pure.

use super::super::pair::{Numbers, Pair};
use super::plain::numbers;
use super::{Kind, Op, Outcome, ScoreKind, Test, Undefined};
use crate::stats::chi2_sf;

pub const ROW: Test = Test {
    name: "es",
    title: "Epps-Singleton",
    kinds: &[Kind::Num],
    threshold: 0.05,
    op: Op::Below,
    score: ScoreKind::PValue,
    run,
};

/// Where the characteristic functions are compared, in half interquartile ranges.
const POINTS: [f64; 2] = [0.4, 0.8];

type Vector = [f64; 4];
type Matrix = [Vector; 4];

/// Source: Epps and Singleton, *An omnibus test for the two-sample problem using the empirical characteristic function*
/// (1986). Oracle: scipy `epps_singleton_2samp`, `fixtures/drift`.
fn run(pair: &Pair, _: u64) -> Result<Outcome, Undefined> {
    let numbers = numbers(pair)?;
    let [n, m] = pair.n();
    if n.min(m) < 5 {
        return Err(Undefined("fewer than five rows on one side".to_owned()));
    }
    let half_range = (quantile(numbers, 0.75) - quantile(numbers, 0.25)) / 2.0;
    if half_range <= 0.0 {
        return Err(Undefined("the middle half of all values is one value".to_owned()));
    }
    let points = POINTS.map(|point| point / half_range);
    if !(half_range.is_finite() && points[1].is_finite()) {
        return Err(Undefined("the values are too large or too small for waves".to_owned()));
    }
    let (n, m) = (n as f64, m as f64);
    let total = n + m;
    let waves: Vec<Vector> = numbers.values.iter().map(|value| wave(*value, points)).collect();
    let (mean_n, covariance_n) = spread(&waves, &numbers.reference, n);
    let (mean_m, covariance_m) = spread(&waves, &numbers.current, m);
    let mut estimate = [[0.0; 4]; 4];
    let mut difference = [0.0; 4];
    for i in 0..4 {
        difference[i] = mean_n[i] - mean_m[i];
        for j in 0..4 {
            estimate[i][j] = total / n * covariance_n[i][j] + total / m * covariance_m[i][j];
        }
    }
    let (values, vectors) = eigen(estimate);
    let cut = values.iter().fold(0.0_f64, |most, value| most.max(value.abs())) * 4.0 * f64::EPSILON;
    let (mut statistic, mut rank) = (0.0, 0.0);
    for (k, value) in values.iter().enumerate().filter(|(_, value)| value.abs() > cut) {
        let along: f64 = (0..4).map(|i| vectors[i][k] * difference[i]).sum();
        statistic += total * along * along / value;
        rank += 1.0;
    }
    if n.max(m) < 25.0 {
        statistic /= 1.0 + total.powf(-0.45) + 10.1 * (n.powf(-1.7) + m.powf(-1.7));
    }
    if rank <= 0.0 {
        // Nothing varies within the sides: if they differ, no chance makes that.
        let is_same = difference.iter().all(|part| part.abs() <= 1e-12);
        return Ok(Outcome {
            score: if is_same { 1.0 } else { 0.0 },
            statistic: None,
        });
    }
    Ok(Outcome {
        score: chi2_sf(statistic, rank),
        statistic: Some(statistic),
    })
}

fn wave(value: f64, points: [f64; 2]) -> Vector {
    let [first, second] = points.map(|point| point * value);
    [first.cos(), second.cos(), first.sin(), second.sin()]
}

/// Mean and covariance (divisor n) of the rows of one side.
fn spread(waves: &[Vector], counts: &[u64], n: f64) -> (Vector, Matrix) {
    let rows = || waves.iter().zip(counts).filter(|(_, count)| **count > 0);
    let mut mean = [0.0; 4];
    for (wave, count) in rows() {
        for i in 0..4 {
            mean[i] += *count as f64 * wave[i];
        }
    }
    let mean = mean.map(|sum| sum / n);
    let mut covariance = [[0.0; 4]; 4];
    for (wave, count) in rows() {
        for i in 0..4 {
            let weighted = *count as f64 * (wave[i] - mean[i]);
            for j in 0..=i {
                covariance[i][j] += weighted * (wave[j] - mean[j]);
            }
        }
    }
    let lower = covariance;
    for (i, row) in covariance.iter_mut().enumerate() {
        for (j, cell) in row.iter_mut().enumerate() {
            *cell = lower[i.max(j)][i.min(j)] / n;
        }
    }
    (mean, covariance)
}

/// Of the rows of both sides together, interpolated as numpy does.
fn quantile(numbers: &Numbers, level: f64) -> f64 {
    let rows: u64 = numbers.moments.iter().map(|moments| moments.n).sum();
    let position = (rows - 1) as f64 * level;
    let (low, share) = (position.floor(), position.fract());
    let at = |place: f64| {
        let mut below = 0;
        for (index, value) in numbers.values.iter().enumerate() {
            below += numbers.reference[index] + numbers.current[index];
            if below as f64 > place {
                return *value;
            }
        }
        numbers.values.last().copied().unwrap_or(f64::NAN)
    };
    let (below, above) = (at(low), at(low + 1.0));
    let range = above - below;
    if share >= 0.5 {
        above - range * (1.0 - share)
    } else {
        below + range * share
    }
}

/// Eigenvalues of a symmetric matrix, and the eigenvectors as columns.
///
/// Source: Jacobi's rotations, cyclic, until nothing changes.
fn eigen(mut matrix: Matrix) -> (Vector, Matrix) {
    let mut vectors = [[0.0; 4]; 4];
    for (i, row) in vectors.iter_mut().enumerate() {
        row[i] = 1.0;
    }
    for _ in 0..64 {
        let mut is_done = true;
        for p in 0..3 {
            for q in p + 1..4 {
                let off = matrix[p][q];
                let scale = f64::EPSILON * 1e-3 * (matrix[p][p] * matrix[q][q]).abs().sqrt();
                if off.abs() <= scale || off.abs() < f64::MIN_POSITIVE {
                    continue;
                }
                is_done = false;
                let theta = (matrix[q][q] - matrix[p][p]) / (2.0 * off);
                let t = theta.signum() / (theta.abs() + theta.hypot(1.0));
                let c = 1.0 / t.hypot(1.0);
                let s = t * c;
                for row in &mut matrix {
                    (row[p], row[q]) = (c * row[p] - s * row[q], s * row[p] + c * row[q]);
                }
                let (above, below) = (matrix[p], matrix[q]);
                matrix[p] = [0, 1, 2, 3].map(|k| c * above[k] - s * below[k]);
                matrix[q] = [0, 1, 2, 3].map(|k| s * above[k] + c * below[k]);
                for row in &mut vectors {
                    (row[p], row[q]) = (c * row[p] - s * row[q], s * row[p] + c * row[q]);
                }
            }
        }
        if is_done {
            break;
        }
    }
    ([0, 1, 2, 3].map(|i| matrix[i][i]), vectors)
}

#[cfg(test)]
mod tests {
    use super::super::testing::sides;
    use super::*;

    #[test]
    fn agrees_with_scipy() {
        // scipy 1.17.1 `epps_singleton_2samp`.
        let a = [3.0, 1.0, 4.0, 4.5, 2.5, 0.5, 7.5];
        let found = run(&sides(&a, &[2.0, 7.0, 1.5, 5.0, 6.0, 8.0]), 0).unwrap();
        assert!(
            (found.statistic.unwrap() - 2.051_348_987_739_317).abs() < 1e-9,
            "{found:?}"
        );
        assert!((found.score - 0.726_314_788_338_550_8).abs() < 1e-9, "{found:?}");
    }

    #[test]
    fn too_little_is_undefined() {
        assert!(run(&sides(&[1.0, 2.0, 3.0, 4.0], &[1.0, 2.0, 3.0, 4.0, 5.0]), 0).is_err());
        assert!(run(&sides(&[1.0; 9], &[1.0, 1.0, 1.0, 4.0, 5.0]), 0).is_err());
        assert!(run(&sides(&[1.0; 5], &[2.0; 5]), 0).unwrap().score <= 0.0);
        let huge = [-1.7e308, -1.6e308, -1.5e308, 1.5e308, 1.6e308, 1.7e308];
        assert!(run(&sides(&huge, &huge), 0).is_err());
    }

    #[test]
    fn eigenvectors_make_the_matrix_again() {
        let matrix = [
            [4.0, 1.0, 0.5, 0.0],
            [1.0, 3.0, 0.0, 2.0],
            [0.5, 0.0, 2.0, 1.0],
            [0.0, 2.0, 1.0, 1.0],
        ];
        let (values, vectors) = eigen(matrix);
        for i in 0..4 {
            for j in 0..4 {
                let again: f64 = (0..4).map(|k| vectors[i][k] * values[k] * vectors[j][k]).sum();
                assert!((again - matrix[i][j]).abs() < 1e-14);
            }
        }
    }
}
