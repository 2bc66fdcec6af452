//! Least squares with a penalty on the squares of the coefficients. Pure.
//!
//! Minimises ‖y − Xw − b‖² + `alpha`·‖w‖². Solved in closed form: linfa's elastic net with only this penalty never closes its
//! duality gap, and its least squares fail on dependent columns.

use crate::base::{Diagnostics, Kind, Node, Task};
use crate::train::estimator::{Dataset, Estimator, FitError, Fitted, Scaling};

use super::linear::penalised;
use super::params::{Number, Reader, object};

pub const KIND: Kind<dyn Estimator> = Kind {
    name: "ridge",
    summary: "linear regression with an L2 penalty; scikit-learn's `Ridge`",
    schema: || object([ALPHA.schema()]),
    build,
};

const ALPHA: Number = Number {
    name: "alpha",
    about: "strength of the penalty on the squared coefficients; 0 is ordinary least squares",
    default: 1.0,
    least: 0.0,
    most: 1e12,
};

/// | parameter | default | purpose | range |
/// |---|---|---|---|
/// | `alpha` | 1 | strength of the penalty | 0 to 1e12 |
#[derive(Debug, Clone, PartialEq)]
struct Params {
    alpha: f64,
}

fn build(node: Option<&Node>) -> Result<Box<dyn Estimator>, Diagnostics> {
    let mut reader = Reader::of(node);
    let params = Params {
        alpha: reader.number(&ALPHA),
    };
    Ok(Box::new(reader.finish(params)?))
}

impl Estimator for Params {
    fn name(&self) -> &'static str {
        KIND.name
    }

    fn tasks(&self) -> &'static [Task] {
        &[Task::Regression]
    }

    fn params(&self) -> Vec<(&'static str, String)> {
        vec![("alpha", self.alpha.to_string())]
    }

    fn scaling(&self) -> Scaling {
        Scaling::Standardize
    }

    fn fit(&self, data: &Dataset, _seed: u64) -> Result<Fitted, FitError> {
        penalised(KIND.name, data, self.alpha)
    }
}
