//! The names of the metrics and the margins that stand when none is written. Pure.

use crate::base::{Diagnostic, Diagnostics, Direction, Node, Task, nearest, shortened};
use crate::evaluate::Margin;

use Direction::{Maximize, Minimize};

/// One metric that a configuration can name.
pub struct Known {
    pub name: &'static str,
    pub direction: Direction,
    pub tasks: &'static [Task],
}

const fn known(name: &'static str, direction: Direction, tasks: &'static [Task]) -> Known {
    Known { name, direction, tasks }
}

const REGRESSION: &[Task] = &[Task::Regression];
const BINARY: &[Task] = &[Task::Binary];
const MULTICLASS: &[Task] = &[Task::Multiclass];
const CLASSES: &[Task] = &[Task::Binary, Task::Multiclass];

/// Every metric, regression first.
pub const METRICS: &[Known] = &[
    known("rmse", Minimize, REGRESSION),
    known("mae", Minimize, REGRESSION),
    known("mse", Minimize, REGRESSION),
    known("r2", Maximize, REGRESSION),
    known("medae", Minimize, REGRESSION),
    known("max_error", Minimize, REGRESSION),
    known("mape", Minimize, REGRESSION),
    known("explained_variance", Maximize, REGRESSION),
    known("accuracy", Maximize, CLASSES),
    known("balanced_accuracy", Maximize, CLASSES),
    known("precision", Maximize, BINARY),
    known("recall", Maximize, BINARY),
    known("f1", Maximize, BINARY),
    known("roc_auc", Maximize, BINARY),
    known("average_precision", Maximize, BINARY),
    known("log_loss", Minimize, CLASSES),
    known("brier", Minimize, BINARY),
    known("mcc", Maximize, CLASSES),
    known("f1_macro", Maximize, MULTICLASS),
    known("f1_weighted", Maximize, MULTICLASS),
    known("precision_macro", Maximize, MULTICLASS),
    known("recall_macro", Maximize, MULTICLASS),
];

/// How much worse counts as the same when nobody says: 2 % of production's value for errors, 0.01 for scores.
///
/// A metric with that name that is not known counts as an error.
pub fn default_margin(metric: &str) -> Margin {
    match METRICS.iter().find(|known| known.name == metric).map(|k| k.direction) {
        Some(Maximize) => Margin {
            relative: None,
            absolute: Some(0.01),
        },
        Some(Minimize) | None => Margin {
            relative: Some(0.02),
            absolute: None,
        },
    }
}

/// Checks that `name`, written at `node`, is a metric of the task as far as the task is known.
pub fn check_name(name: &str, node: &Node, task: Option<Task>, problems: &mut Diagnostics) -> bool {
    let fits = |known: &&Known| task.is_none_or(|task| known.tasks.contains(&task));
    let names = || METRICS.iter().filter(fits).map(|known| known.name);
    let all = || names().collect::<Vec<_>>().join(", ");
    let problem = match (METRICS.iter().find(|known| known.name == name), task) {
        (Some(known), Some(task)) if !known.tasks.contains(&task) => Diagnostic::error(
            "wrong-task",
            format!("`{name}` is not a metric for {}", task.name()),
        )
        .help(format!("the metrics for {} are: {}", task.name(), all())),
        (Some(_), _) => return true,
        (None, _) => {
            let problem = Diagnostic::error("unknown-metric", format!("unknown metric `{}`", shortened(name)));
            match nearest(name, names()) {
                Some(near) => problem.help(format!("did you mean `{near}`?")),
                None => problem.help(format!("the metrics are: {}", all())),
            }
        }
    };
    problems.push(problem.at(node.span));
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_relative_and_scores_absolute() {
        assert_eq!(default_margin("rmse").relative, Some(0.02));
        assert_eq!(default_margin("log_loss").relative, Some(0.02));
        assert_eq!(default_margin("roc_auc").absolute, Some(0.01));
        assert_eq!(default_margin("r2").absolute, Some(0.01));
        for known in METRICS {
            let margin = default_margin(known.name);
            assert!(margin.relative.is_some() != margin.absolute.is_some(), "{}", known.name);
        }
    }
}
