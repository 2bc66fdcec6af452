//! The numbers that an estimator leaves behind, and how they answer. Pure.

use ndarray::{Array2, ArrayView2, Axis};
use serde::{Deserialize, Serialize};

use super::forest::Forest;

/// A fitted estimator without its preprocessing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Core {
    Linear(Linear),
    Forest(Forest),
}

/// `x · coefᵀ + intercept`, one row of coefficients an output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Linear {
    /// One list an output, each as long as the matrix is wide.
    pub coef: Vec<Vec<f64>>,
    pub intercept: Vec<f64>,
}

impl Core {
    /// Whether every number is finite and every index in range, for a matrix of `width` columns and `n_outputs`; of trees for
    /// classes, whether the leaves hold probabilities.
    ///
    /// # Errors
    /// What is wrong, for people.
    pub fn check(&self, width: usize, n_outputs: usize, classes: bool) -> Result<(), String> {
        match self {
            Self::Linear(linear) => linear.check(width, n_outputs),
            Self::Forest(forest) => forest.check(width, n_outputs, classes),
        }
    }

    /// n × outputs: the target's unit for a regression; for classes the probability of the second of two, or of each.
    ///
    /// `x` is n × width and finite. A result may overflow to infinity when `x` is far outside what was fitted.
    pub fn predict(&self, x: ArrayView2<'_, f64>, classes: bool) -> Array2<f64> {
        match self {
            Self::Linear(linear) => {
                let mut out = linear.scores(x);
                if classes && out.ncols() == 1 {
                    out.mapv_inplace(sigmoid);
                } else if classes {
                    softmax_rows(&mut out);
                }
                out
            }
            Self::Forest(forest) => forest.predict(x),
        }
    }

    /// How much each column of the matrix matters, in no unit: for one output the coefficient with its sign, for more
    /// outputs the length of its coefficients, for trees its share of all impurity decrease (they sum to 1).
    pub fn importance(&self) -> Vec<f64> {
        match self {
            Self::Linear(Linear { coef, .. }) => match coef.as_slice() {
                [only] => only.clone(),
                several => (0..several.first().map_or(0, Vec::len))
                    .map(|column| several.iter().map(|output| output[column].powi(2)).sum::<f64>().sqrt())
                    .collect(),
            },
            Self::Forest(forest) => forest.importance.clone(),
        }
    }
}

impl Linear {
    fn check(&self, width: usize, n_outputs: usize) -> Result<(), String> {
        let n_found = self.coef.len();
        if n_found != n_outputs || self.intercept.len() != n_outputs {
            let n_intercepts = self.intercept.len();
            return Err(format!(
                "{n_found} coefficient lists and {n_intercepts} intercepts are not {n_outputs} each"
            ));
        }
        if let Some(wrong) = self.coef.iter().find(|coef| coef.len() != width) {
            return Err(format!("{width} coefficients were expected, not {}", wrong.len()));
        }
        if self
            .coef
            .iter()
            .flatten()
            .chain(&self.intercept)
            .all(|value| value.is_finite())
        {
            Ok(())
        } else {
            Err("a coefficient is not finite".to_owned())
        }
    }

    fn scores(&self, x: ArrayView2<'_, f64>) -> Array2<f64> {
        let mut out = Array2::zeros((x.nrows(), self.coef.len()));
        for (row, mut scores) in x.axis_iter(Axis(0)).zip(out.axis_iter_mut(Axis(0))) {
            for ((score, coef), intercept) in scores.iter_mut().zip(&self.coef).zip(&self.intercept) {
                *score = row.iter().zip(coef).map(|(x, w)| x * w).sum::<f64>() + intercept;
            }
        }
        out
    }
}

/// The logistic function; 0 to 1, exact in both tails.
pub fn sigmoid(z: f64) -> f64 {
    if z >= 0.0 {
        1.0 / (1.0 + (-z).exp())
    } else {
        let e = z.exp();
        e / (1.0 + e)
    }
}

/// Turns each row of scores into probabilities; returns the sum of the rows' log-sum-exp.
pub fn softmax_rows(scores: &mut Array2<f64>) -> f64 {
    let mut total = 0.0;
    for mut row in scores.rows_mut() {
        let top = row.fold(f64::NEG_INFINITY, |a, &b| a.max(b));
        row.mapv_inplace(|z| (z - top).exp());
        let sum = row.sum();
        row /= sum;
        total += top + sum.ln();
    }
    total
}
