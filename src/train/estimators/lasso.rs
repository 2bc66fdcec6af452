//! Least squares with an L1 penalty, which sets coefficients to zero. Pure.
//!
//! Minimises ‖y − Xw − b‖² / 2n + `alpha`·‖w‖₁.

use crate::base::{Diagnostics, Kind, Node, Task};
use crate::train::estimator::{Dataset, Estimator, FitError, Fitted, Scaling};

use super::elastic_net::{ALPHA, Descent, MAX_ITER, TOL};
use super::params::{Reader, object};

pub const KIND: Kind<dyn Estimator> = Kind {
    name: "lasso",
    summary: "linear regression with an L1 penalty; scikit-learn's `Lasso`",
    schema: || object([ALPHA.schema(), MAX_ITER.schema(), TOL.schema()]),
    build,
};

/// | parameter | default | purpose | range |
/// |---|---|---|---|
/// | `alpha` | 1 | strength of the penalty | 0 to 1e12 |
/// | `max_iter` | 10,000 | rounds before giving up | 1 to 1,000,000 |
/// | `tol` | 1e-10 | duality gap, as a share of the squared target | 1e-15 to 1 |
#[derive(Debug, Clone, PartialEq)]
struct Params {
    descent: Descent,
}

fn build(node: Option<&Node>) -> Result<Box<dyn Estimator>, Diagnostics> {
    let mut reader = Reader::of(node);
    let descent = Descent {
        estimator: KIND.name,
        alpha: reader.number(&ALPHA),
        l1_ratio: 1.0,
        max_iter: reader.count(&MAX_ITER),
        tol: reader.number(&TOL),
    };
    Ok(Box::new(reader.finish(Params { descent })?))
}

impl Estimator for Params {
    fn name(&self) -> &'static str {
        KIND.name
    }

    fn tasks(&self) -> &'static [Task] {
        &[Task::Regression]
    }

    fn params(&self) -> Vec<(&'static str, String)> {
        vec![
            ("alpha", self.descent.alpha.to_string()),
            ("max_iter", self.descent.max_iter.to_string()),
            ("tol", self.descent.tol.to_string()),
        ]
    }

    fn scaling(&self) -> Scaling {
        Scaling::Standardize
    }

    fn fit(&self, data: &Dataset, _seed: u64) -> Result<Fitted, FitError> {
        self.descent.fit(data)
    }
}
