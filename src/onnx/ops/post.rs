//! What classifiers and regressors do with their scores at the end. Pure.
//!
//! Source: the operators of `ai.onnx.ml`; where these are silent (two classes and one score), onnxruntime 1.32.

use super::super::tensor::{Fault, single, wrong};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Post {
    None,
    Logistic,
    Softmax,
    SoftmaxZero,
    Probit,
}

impl Post {
    pub fn new(name: &str) -> Result<Self, Fault> {
        Ok(match name {
            "NONE" => Self::None,
            "LOGISTIC" => Self::Logistic,
            "SOFTMAX" => Self::Softmax,
            "SOFTMAX_ZERO" => Self::SoftmaxZero,
            "PROBIT" => Self::Probit,
            other => return wrong(format!("`post_transform` `{other}` is not known")),
        })
    }

    /// The scores of one row.
    pub fn apply(self, scores: &mut [f64]) {
        match self {
            Self::None => {}
            Self::Logistic => scores.iter_mut().for_each(|score| *score = logistic(*score)),
            Self::Probit => scores.iter_mut().for_each(|score| *score = probit(*score)),
            Self::Softmax => softmax(scores),
            Self::SoftmaxZero => softmax_zero(scores),
        }
    }
}

/// What the score of the other one of two classes is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Second {
    /// 1 − s: the score is a probability already.
    Complement,
    /// −s.
    Opposite,
}

/// The scores of two classes of which the second has `score`.
pub fn two(score: f64, second: Second, post: Post) -> [f64; 2] {
    match (post, second) {
        (Post::Logistic, _) => [logistic(-score), logistic(score)],
        (_, Second::Complement) => [1.0 - score, score],
        (_, Second::Opposite) => [-score, score],
    }
}

pub fn logistic(value: f64) -> f64 {
    let upper = 1.0 / (1.0 + (-value.abs()).exp());
    if value < 0.0 { 1.0 - upper } else { upper }
}

pub fn softmax(scores: &mut [f64]) {
    let greatest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    for score in &mut *scores {
        *score = (*score - greatest).exp();
    }
    let sum: f64 = scores.iter().sum();
    for score in scores {
        *score /= sum;
    }
}

/// Softmax in which what is zero stays zero.
fn softmax_zero(scores: &mut [f64]) {
    let greatest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    for score in scores.iter_mut() {
        *score = if score.abs() > 1e-7 {
            (*score - greatest).exp()
        } else {
            *score * (-greatest).exp()
        };
    }
    let sum: f64 = scores.iter().sum();
    for score in scores {
        *score /= sum;
    }
}

/// √2 · erf⁻¹(2s − 1), by Winitzki's approximation, in onnxruntime's digits.
pub fn probit(score: f64) -> f64 {
    let x = 2.0 * single(score) - 1.0;
    let log = ((1.0 - x) * (1.0 + x)).ln();
    #[expect(clippy::approx_constant, reason = "onnxruntime has these digits of π")]
    let v = 2.0 / (3.14159 * 0.147_f32) + 0.5 * log;
    let root = (-v + (v * v - 1.0 / 0.147 * log).sqrt()).sqrt();
    f64::from(std::f32::consts::SQRT_2 * if x < 0.0 { -root } else { root })
}
