//! Classes from a linear score. Pure.
//!
//! Minimises Σ log loss + ‖W‖² / (2·`C`), which is scikit-learn's objective divided by `C`; softmax over all classes when
//! there are more than two.

use serde_json::json;

use crate::base::{Diagnostics, Kind, Node, Task};
use crate::train::core::{Core, Linear};
use crate::train::estimator::{Dataset, Estimator, FitError, Fitted, Scaling, Target};

use super::newton::Problem;
use super::params::{Count, Number, Reader, object};

pub const KIND: Kind<dyn Estimator> = Kind {
    name: "logistic",
    summary: "linear classification with an L2 penalty; scikit-learn's `LogisticRegression`",
    schema,
    build,
};

/// Scores of all rows for all classes that are held at once, several times (400 MB each).
const MAX_SCORES: usize = 50_000_000;

const C: Number = Number {
    name: "C",
    about: "inverse strength of the penalty: smaller is simpler",
    default: 1.0,
    least: 1e-12,
    most: 1e12,
};
const MAX_ITER: Count = Count {
    name: "max_iter",
    about: "Newton steps before giving up",
    default: 100,
    least: 1,
    most: 100_000,
};
const TOL: Number = Number {
    name: "tol",
    about: "stop when no component of the mean gradient is greater",
    default: 1e-10,
    least: 1e-15,
    most: 1.0,
};

/// | parameter | default | purpose | range |
/// |---|---|---|---|
/// | `C` | 1 | inverse strength of the penalty | 1e-12 to 1e12 |
/// | `penalty` | `l2` | which penalty | `l2` |
/// | `max_iter` | 100 | Newton steps before giving up | 1 to 100,000 |
/// | `tol` | 1e-10 | greatest component of the mean gradient at the end | 1e-15 to 1 |
#[derive(Debug, Clone, PartialEq)]
struct Params {
    c: f64,
    max_iter: u64,
    tol: f64,
}

fn schema() -> serde_json::Value {
    let penalty = json!({"enum": ["l2"], "description": "which penalty", "default": "l2"});
    object([C.schema(), ("penalty", penalty), MAX_ITER.schema(), TOL.schema()])
}

fn build(node: Option<&Node>) -> Result<Box<dyn Estimator>, Diagnostics> {
    let mut reader = Reader::of(node);
    let params = Params {
        c: reader.number(&C),
        max_iter: reader.count(&MAX_ITER),
        tol: reader.number(&TOL),
    };
    reader.value("penalty", |node, name, problems| node.one_of(name, &["l2"], problems));
    Ok(Box::new(reader.finish(params)?))
}

impl Estimator for Params {
    fn name(&self) -> &'static str {
        KIND.name
    }

    fn tasks(&self) -> &'static [Task] {
        &[Task::Binary, Task::Multiclass]
    }

    fn params(&self) -> Vec<(&'static str, String)> {
        vec![
            ("C", self.c.to_string()),
            ("penalty", "l2".to_owned()),
            ("max_iter", self.max_iter.to_string()),
            ("tol", self.tol.to_string()),
        ]
    }

    fn scaling(&self) -> Scaling {
        Scaling::Standardize
    }

    fn fit(&self, data: &Dataset, _seed: u64) -> Result<Fitted, FitError> {
        let Target::Classes { codes, n_classes } = &data.y else {
            return Err(FitError::WrongTask {
                estimator: KIND.name,
                task: Task::Regression,
            });
        };
        if codes.len().saturating_mul(*n_classes) > MAX_SCORES {
            return Err(FitError::Size(format!(
                "{} rows of {n_classes} classes are more than `logistic` can hold; use `random_forest`, or fewer classes",
                codes.len()
            )));
        }
        let problem = Problem {
            x: data.x.view(),
            codes,
            n_classes: *n_classes,
            alpha: 1.0 / self.c,
        };
        let solution = problem.solve(self.tol, self.max_iter);
        if solution.w.iter().any(|value| !value.is_finite()) {
            return Err(FitError::NotConverged {
                estimator: KIND.name,
                why: "its coefficients grew without bound; lower `C`".to_owned(),
            });
        }
        let mut notes = Vec::new();
        if !solution.converged {
            notes.push(format!(
                "`logistic` stopped after {} steps with a mean gradient of {:.1e}, above `tol`; raise `max_iter` or \
                 lower `C`",
                solution.n_iterations, solution.gradient
            ));
        }
        let p = data.x.ncols();
        Ok(Fitted {
            core: Core::Linear(Linear {
                coef: solution
                    .w
                    .columns()
                    .into_iter()
                    .map(|output| output.iter().take(p).copied().collect())
                    .collect(),
                intercept: solution.w.row(p).to_vec(),
            }),
            adjusted: Vec::new(),
            notes,
        })
    }
}
