//! Names of metrics in a configuration, held against the table of metrics. Pure.

use crate::base::{Diagnostic, Diagnostics, Node, Task, nearest, shortened};
use crate::evaluate::{self, METRICS, Margin, MetricKind};

/// How much worse counts as the same when nobody says.
pub fn default_margin(metric: &str) -> Margin {
    evaluate::metric(metric)
        .map(|kind| kind.default_margin)
        .unwrap_or_default()
}

/// Checks that `name`, written at `node`, is a metric of the task as far as the task is known.
pub fn check_name(name: &str, node: &Node, task: Option<Task>, problems: &mut Diagnostics) -> bool {
    let fits = |kind: &&MetricKind| task.is_none_or(|task| kind.tasks.contains(&task));
    let names = || METRICS.iter().filter(fits).map(|kind| kind.name);
    let all = || names().collect::<Vec<_>>().join(", ");
    let problem = match (evaluate::metric(name), task) {
        (Some(kind), Some(task)) if !kind.tasks.contains(&task) => Diagnostic::error(
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
