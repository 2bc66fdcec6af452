//! What a tracker is told, from settings and facts as they are, and from those that somebody spoiled.

mod end;
mod laws;
mod pictures;
mod start;

use super::{Configured, GitHub, Setting};
use crate::base::Timestamp;

fn snapshots() -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings
}

const COMMIT: &str = "a1b2c3d4e5f60718293a4b5c6d7e8f9012345678";

const CONFIG: &str = "model: diabetes
data:
  source: data/diabetes.csv
  target: progression
  split: {test: 20%, seed: 7}
  contract:
    columns:
      bmi: {type: float, range: [10, 60]}
train: {estimator: random_forest, params: {n_estimators: 50}, seed: 3}
evaluate:
  metrics: [rmse, r2]
  slices: [sex, {age: [0, 40, 120]}]
gates:
  lint: [ruff check .]
  metrics:
    rmse: {max: 60, max_regression: 1%}
    r2: {informational: true}
  slices: {max_regression: 5%, min_rows: 30}
  budget: {model_size: 10MB, train_time: 10m}
";

fn configured() -> Configured {
    Configured::of(&crate::config::check(CONFIG).unwrap().project)
}

/// A pull request on GitHub.
fn setting() -> Setting {
    Setting {
        configured: configured(),
        config_file: "mlops.yaml".to_owned(),
        directory: None,
        program_version: "0.1.0".to_owned(),
        job_type: "evaluate".to_owned(),
        commit: Some(COMMIT.to_owned()),
        github: Some(GitHub {
            server: "https://github.com".to_owned(),
            repository: "ada/models".to_owned(),
            git_ref: "refs/pull/7/merge".to_owned(),
            run_id: 987,
            attempt: 2,
            job: "model".to_owned(),
            workflow: "mlops".to_owned(),
            event: "pull_request".to_owned(),
            pull_request: Some(7),
            actor: "ada".to_owned(),
        }),
        host: Some("runner-1".to_owned()),
        started: Timestamp(1_795_000_000),
    }
}
