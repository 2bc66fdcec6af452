//! The metrics there are: one table. Pure.

use crate::base::{Direction, Task};

use super::few::{Scale, Share, Size};
use super::influence::{self, Contribution};
use super::rows::{Rows, canonical_order, common_labels};
use super::scores::{self, Score};
use super::{Margin, Predictions, Truth};

/// One metric.
#[derive(Debug)]
pub struct MetricKind {
    /// As written in `mlops.yaml`; scikit-learn's word.
    pub name: &'static str,
    /// As people read it.
    pub title: &'static str,
    pub direction: Direction,
    pub tasks: &'static [Task],
    /// How much worse is still the same where the configuration does not say.
    pub default_margin: Margin,
    pub(super) method: Method,
    pub(super) value: fn(&Rows, &[f64]) -> Score,
}

/// How two models are compared on a metric.
#[derive(Debug, Clone, Copy)]
pub(super) enum Method {
    /// The mean of a loss of each row.
    MeanLoss(Contribution),
    /// The share of rows that are right.
    Share(Contribution),
    /// The area under the ROC curve.
    Area(Contribution),
    /// A smooth function of means, by what each row contributes to it, and what it is where rows are few.
    Influence(Contribution, Scale),
    /// Anything else, by resampling.
    Bootstrap,
}

impl Method {
    /// What each row contributes; `None` where only resampling tells.
    pub(super) fn contribution(self) -> Option<Contribution> {
        match self {
            Self::MeanLoss(of) | Self::Share(of) | Self::Area(of) | Self::Influence(of, _) => Some(of),
            Self::Bootstrap => None,
        }
    }
}

impl MetricKind {
    /// The metric on these rows; `None` where it is not defined. Never NaN.
    pub fn score(&self, truth: &Truth, predictions: &Predictions) -> Option<f64> {
        let labels = common_labels(truth, &[predictions]);
        let order = canonical_order(truth, &[predictions], None);
        let rows = Rows::new(truth, predictions, &labels, &order).ok()?;
        self.of_rows(&rows, &vec![1.0; rows.len()]).ok()
    }

    /// The metric on weighted rows, or why there is none. Finite.
    pub(super) fn of_rows(&self, rows: &Rows, weights: &[f64]) -> Score {
        let value = (self.value)(rows, weights)?;
        if value.is_finite() {
            Ok(value)
        } else {
            Err("it is too large to be a number")
        }
    }

    /// The method's name as it stands in a comparison.
    pub(super) fn method_name(&self) -> &'static str {
        match self.method {
            Method::MeanLoss(_) => "paired t",
            Method::Share(_) => "Agresti–Min",
            Method::Area(_) => "DeLong",
            Method::Influence(..) => "influence function, t",
            Method::Bootstrap => "BCa bootstrap",
        }
    }
}

/// The metric of this name.
pub fn metric(name: &str) -> Option<&'static MetricKind> {
    METRICS.iter().find(|kind| kind.name == name)
}

/// The metrics that fit a task, in the order of the table.
pub fn metrics_for(task: Task) -> impl Iterator<Item = &'static MetricKind> {
    METRICS.iter().filter(move |kind| kind.tasks.contains(&task))
}

/// What is measured where the configuration does not say; the first one decides.
pub fn default_metrics(task: Task) -> Vec<&'static MetricKind> {
    let names: &[&str] = match task {
        Task::Regression => &["rmse", "mae", "r2"],
        Task::Binary => &["roc_auc", "f1", "accuracy", "log_loss"],
        Task::Multiclass => &["accuracy", "f1_macro", "log_loss"],
    };
    names.iter().filter_map(|name| metric(name)).collect()
}

const TWO_PERCENT: Margin = Margin {
    relative: Some(0.02),
    absolute: None,
};
const ONE_POINT: Margin = Margin {
    relative: None,
    absolute: Some(0.01),
};

const REGRESSION: &[Task] = &[Task::Regression];
const BINARY: &[Task] = &[Task::Binary];
const MULTICLASS: &[Task] = &[Task::Multiclass];
const CLASSES: &[Task] = &[Task::Binary, Task::Multiclass];

/// An error in the unit of the target.
const fn error(
    name: &'static str,
    title: &'static str,
    method: Method,
    value: fn(&Rows, &[f64]) -> Score,
) -> MetricKind {
    MetricKind {
        name,
        title,
        direction: Direction::Minimize,
        tasks: REGRESSION,
        default_margin: TWO_PERCENT,
        method,
        value,
    }
}

/// A score from 0 to 1, the greater the better.
const fn score(
    name: &'static str,
    title: &'static str,
    tasks: &'static [Task],
    method: Method,
    value: fn(&Rows, &[f64]) -> Score,
) -> MetricKind {
    MetricKind {
        direction: Direction::Maximize,
        tasks,
        default_margin: ONE_POINT,
        ..error(name, title, method, value)
    }
}

/// Every metric.
pub const METRICS: &[MetricKind] = &[
    error(
        "rmse",
        "RMSE",
        Method::Influence(influence::rmse, Scale::Size(Size::Rmse)),
        scores::rmse,
    ),
    error("mae", "MAE", Method::MeanLoss(influence::absolute_error), scores::mae),
    MetricKind {
        ..error("mse", "MSE", Method::MeanLoss(influence::squared_error), scores::mse)
    },
    MetricKind {
        ..score(
            "r2",
            "R²",
            REGRESSION,
            Method::Influence(influence::r2, Scale::Size(Size::Unexplained)),
            scores::r2,
        )
    },
    error("medae", "median absolute error", Method::Bootstrap, scores::medae),
    error("max_error", "largest error", Method::Bootstrap, scores::max_error),
    MetricKind {
        ..error(
            "mape",
            "MAPE",
            Method::MeanLoss(influence::percentage_error),
            scores::mape,
        )
    },
    MetricKind {
        ..score(
            "explained_variance",
            "explained variance",
            REGRESSION,
            Method::Influence(influence::explained_variance, Scale::Size(Size::UnexplainedVariance)),
            scores::explained_variance,
        )
    },
    score(
        "accuracy",
        "accuracy",
        CLASSES,
        Method::Share(influence::right),
        scores::accuracy,
    ),
    score(
        "balanced_accuracy",
        "balanced accuracy",
        CLASSES,
        Method::Bootstrap,
        scores::balanced_accuracy,
    ),
    score(
        "precision",
        "precision",
        BINARY,
        Method::Influence(influence::precision, Scale::Share(Share::Precision)),
        scores::precision,
    ),
    score(
        "recall",
        "recall",
        BINARY,
        Method::Influence(influence::recall, Scale::Share(Share::Recall)),
        scores::recall,
    ),
    score(
        "f1",
        "F1",
        BINARY,
        Method::Influence(influence::f1, Scale::Share(Share::F1)),
        scores::f1,
    ),
    score(
        "f1_macro",
        "F1 (macro)",
        MULTICLASS,
        Method::Bootstrap,
        scores::f1_macro,
    ),
    score(
        "f1_weighted",
        "F1 (weighted)",
        MULTICLASS,
        Method::Bootstrap,
        scores::f1_weighted,
    ),
    score(
        "precision_macro",
        "precision (macro)",
        MULTICLASS,
        Method::Bootstrap,
        scores::precision_macro,
    ),
    score(
        "recall_macro",
        "recall (macro)",
        MULTICLASS,
        Method::Bootstrap,
        scores::recall_macro,
    ),
    MetricKind {
        ..score(
            "roc_auc",
            "ROC AUC",
            BINARY,
            Method::Area(influence::roc_auc),
            scores::roc_auc,
        )
    },
    MetricKind {
        ..score(
            "average_precision",
            "average precision",
            BINARY,
            Method::Bootstrap,
            scores::average_precision,
        )
    },
    MetricKind {
        tasks: CLASSES,
        ..error(
            "log_loss",
            "log loss",
            Method::MeanLoss(influence::log_loss),
            scores::log_loss,
        )
    },
    MetricKind {
        tasks: BINARY,
        ..error(
            "brier",
            "Brier score",
            Method::MeanLoss(influence::brier),
            scores::brier,
        )
    },
    MetricKind {
        ..score("mcc", "MCC", CLASSES, Method::Bootstrap, scores::mcc)
    },
];
