//! Ordinary least squares. Pure.

use crate::base::{Diagnostics, Kind, Node, Task};
use crate::train::core::{Core, Linear};
use crate::train::estimator::{Dataset, Estimator, FitError, Fitted, Scaling, Target};
use crate::train::solve::{Centered, least_squares};

use super::params::{Reader, object};

pub const KIND: Kind<dyn Estimator> = Kind {
    name: "linear",
    summary: "ordinary least squares; scikit-learn's `LinearRegression`",
    schema: || object([]),
    build,
};

/// Has no parameters.
#[derive(Debug, Clone, PartialEq)]
struct Params;

fn build(node: Option<&Node>) -> Result<Box<dyn Estimator>, Diagnostics> {
    Ok(Box::new(Reader::of(node).finish(Params)?))
}

impl Estimator for Params {
    fn name(&self) -> &'static str {
        KIND.name
    }

    fn tasks(&self) -> &'static [Task] {
        &[Task::Regression]
    }

    fn params(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    fn scaling(&self) -> Scaling {
        Scaling::Standardize
    }

    fn fit(&self, data: &Dataset, _seed: u64) -> Result<Fitted, FitError> {
        penalised(KIND.name, data, 0.0)
    }
}

/// Least squares with a penalty of `alpha` on the squared coefficients, the intercept free.
pub(super) fn penalised(estimator: &'static str, data: &Dataset, alpha: f64) -> Result<Fitted, FitError> {
    let Target::Numbers(y) = &data.y else {
        return Err(FitError::WrongTask {
            estimator,
            task: Task::Multiclass,
        });
    };
    let centered = Centered::of(data.x.view(), y.view());
    let coef = least_squares(&centered.x, &centered.y, alpha).ok_or_else(|| FitError::NotConverged {
        estimator,
        why: "the matrix of the features could not be decomposed".to_owned(),
    })?;
    let mut notes = Vec::new();
    if alpha == 0.0 && data.x.nrows() <= data.x.ncols() {
        notes.push(format!(
            "{} rows can not determine {} coefficients: of all exact fits this is the one with the least squares; \
             `ridge` is made for this",
            data.x.nrows(),
            data.x.ncols() + 1
        ));
    }
    Ok(Fitted {
        core: Core::Linear(Linear {
            intercept: vec![centered.intercept(&coef)],
            coef: vec![coef.to_vec()],
        }),
        adjusted: Vec::new(),
        notes,
    })
}
