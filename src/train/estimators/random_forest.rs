//! Many trees, each on a bootstrap sample and random columns, averaged. Pure.

use serde_json::json;

use crate::base::{Diagnostic, Diagnostics, Kind, Node, Task, Value};
use crate::train::core::Core;
use crate::train::estimator::{Dataset, Estimator, FitError, Fitted, Scaling, Target};
use crate::train::forest::MAX_NUMBERS;
use crate::train::grow::{Goal, Growth, TooLarge, grow};

use super::params::{Count, Reader, object};

pub const KIND: Kind<dyn Estimator> = Kind {
    name: "random_forest",
    summary: "averaged decision trees; scikit-learn's `RandomForestRegressor` and `RandomForestClassifier`",
    schema,
    build,
};

const N_ESTIMATORS: Count = Count {
    name: "n_estimators",
    about: "number of trees",
    default: 100,
    least: 1,
    most: 10_000,
};
const MAX_DEPTH: std::ops::RangeInclusive<u64> = 1..=10_000;
const MIN_SAMPLES_SPLIT: Count = Count {
    name: "min_samples_split",
    about: "rows that a node needs to be split",
    default: 2,
    least: 2,
    most: 1_000_000_000,
};
const MIN_SAMPLES_LEAF: Count = Count {
    name: "min_samples_leaf",
    about: "rows that each side of a split needs",
    default: 1,
    least: 1,
    most: 1_000_000_000,
};

/// | parameter | default | purpose | range |
/// |---|---|---|---|
/// | `n_estimators` | 100 | number of trees | 1 to 10,000 |
/// | `max_depth` | no limit | splits between root and leaf | 1 to 10,000 |
/// | `min_samples_split` | 2 | rows that a node needs to be split | from 2 |
/// | `min_samples_leaf` | 1 | rows that each side of a split needs | from 1 |
/// | `max_features` | `auto` | columns looked at for a split | `auto`, `all`, `sqrt`, `log2`, a share such as `0.5`, a count |
/// | `bootstrap` | true | whether each tree draws its rows with replacement | |
#[derive(Debug, Clone, PartialEq)]
struct Params {
    n_estimators: u64,
    max_depth: Option<u64>,
    min_samples_split: u64,
    min_samples_leaf: u64,
    max_features: MaxFeatures,
    bootstrap: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum MaxFeatures {
    /// All for a regression, the square root for classes.
    Auto,
    All,
    Sqrt,
    Log2,
    /// Written with a decimal point.
    Share(f64),
    Count(u64),
}

fn schema() -> serde_json::Value {
    let max_depth = json!({
        "type": ["integer", "null"], "description": "splits between root and leaf; no limit when absent",
        "default": null, "minimum": MAX_DEPTH.start(), "maximum": MAX_DEPTH.end(),
    });
    let max_features = json!({
        "description": "columns looked at for a split: `auto` (all for a regression, `sqrt` for classes), `all`, \
                        `sqrt`, `log2`, a share with a decimal point, or a count",
        "default": "auto",
        "oneOf": [
            {"enum": ["auto", "all", "sqrt", "log2"]},
            {"type": "number", "exclusiveMinimum": 0},
        ],
    });
    let bootstrap = json!({
        "type": "boolean", "description": "whether each tree draws its rows with replacement", "default": true,
    });
    object([
        N_ESTIMATORS.schema(),
        ("max_depth", max_depth),
        MIN_SAMPLES_SPLIT.schema(),
        MIN_SAMPLES_LEAF.schema(),
        ("max_features", max_features),
        ("bootstrap", bootstrap),
    ])
}

fn build(node: Option<&Node>) -> Result<Box<dyn Estimator>, Diagnostics> {
    let mut reader = Reader::of(node);
    let params = Params {
        n_estimators: reader.count(&N_ESTIMATORS),
        max_depth: reader.optional_count("max_depth", MAX_DEPTH),
        min_samples_split: reader.count(&MIN_SAMPLES_SPLIT),
        min_samples_leaf: reader.count(&MIN_SAMPLES_LEAF),
        max_features: reader.value("max_features", max_features).unwrap_or(MaxFeatures::Auto),
        bootstrap: reader.value("bootstrap", Node::boolean).unwrap_or(true),
    };
    Ok(Box::new(reader.finish(params)?))
}

fn max_features(node: &Node, name: &str, problems: &mut Diagnostics) -> Option<MaxFeatures> {
    match &node.value {
        Value::Number { value, text } if text.contains(['.', 'e', 'E']) => {
            if *value > 0.0 && *value <= 1.0 {
                return Some(MaxFeatures::Share(*value));
            }
            problems.push(
                Diagnostic::error(
                    "out-of-range",
                    format!("`{name}` as a share must be above 0 and up to 1, not {value}"),
                )
                .at(node.span)
                .help("write a count of columns without a decimal point"),
            );
            None
        }
        Value::Number { .. } => node.integer_in(name, 1..=1_000_000, problems).map(MaxFeatures::Count),
        Value::Null | Value::Bool(_) | Value::Text(_) | Value::List(_) | Value::Map(_) => node
            .one_of(name, &["auto", "all", "sqrt", "log2"], problems)
            .map(|word| match word {
                "all" => MaxFeatures::All,
                "sqrt" => MaxFeatures::Sqrt,
                "log2" => MaxFeatures::Log2,
                _ => MaxFeatures::Auto,
            }),
    }
}

impl MaxFeatures {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a count is a count"
    )]
    fn of(self, n_columns: usize, classes: bool) -> usize {
        let n = n_columns as f64;
        let wanted = match self {
            Self::Auto if !classes => n_columns,
            Self::All => n_columns,
            Self::Auto | Self::Sqrt => n.sqrt() as usize,
            Self::Log2 => n.log2() as usize,
            Self::Share(share) => (share * n) as usize,
            Self::Count(count) => count as usize,
        };
        wanted.clamp(1, n_columns.max(1))
    }
}

impl Estimator for Params {
    fn name(&self) -> &'static str {
        KIND.name
    }

    fn tasks(&self) -> &'static [Task] {
        &[Task::Regression, Task::Binary, Task::Multiclass]
    }

    fn params(&self) -> Vec<(&'static str, String)> {
        vec![
            ("n_estimators", self.n_estimators.to_string()),
            (
                "max_depth",
                self.max_depth.map_or("null".to_owned(), |depth| depth.to_string()),
            ),
            ("min_samples_split", self.min_samples_split.to_string()),
            ("min_samples_leaf", self.min_samples_leaf.to_string()),
            (
                "max_features",
                match self.max_features {
                    MaxFeatures::Auto => "auto".to_owned(),
                    MaxFeatures::All => "all".to_owned(),
                    MaxFeatures::Sqrt => "sqrt".to_owned(),
                    MaxFeatures::Log2 => "log2".to_owned(),
                    MaxFeatures::Share(share) => format!("{share:?}"),
                    MaxFeatures::Count(count) => count.to_string(),
                },
            ),
            ("bootstrap", self.bootstrap.to_string()),
        ]
    }

    fn scaling(&self) -> Scaling {
        Scaling::Keep
    }

    fn draws(&self) -> bool {
        true
    }

    fn fit(&self, data: &Dataset, seed: u64) -> Result<Fitted, FitError> {
        self.fit_within(data, seed, MAX_NUMBERS)
    }
}

impl Params {
    /// Grows trees that together have at most `max_numbers` numbers. When they would have more, `min_samples_leaf` is
    /// doubled until they fit, since larger leaves make smaller trees.
    fn fit_within(&self, data: &Dataset, seed: u64, max_numbers: usize) -> Result<Fitted, FitError> {
        let numbers;
        let goal = match &data.y {
            Target::Numbers(y) => {
                numbers = y.to_vec();
                Goal::Numbers(&numbers)
            }
            Target::Classes { codes, n_classes } => Goal::Classes(codes, *n_classes),
        };
        let count = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
        let mut growth = Growth {
            n_trees: count(self.n_estimators),
            max_depth: self.max_depth.map(count),
            min_samples_split: count(self.min_samples_split),
            min_samples_leaf: count(self.min_samples_leaf),
            max_features: self.max_features.of(data.x.ncols(), matches!(goal, Goal::Classes(..))),
            bootstrap: self.bootstrap,
            max_numbers,
            seed,
        };
        let (mut adjusted, mut notes) = (Vec::new(), Vec::new());
        let forest = loop {
            match grow(data.x.view(), goal, &growth) {
                Ok(forest) => break forest,
                // A tree can not be smaller than its root.
                Err(TooLarge) if growth.min_samples_leaf < data.x.nrows() => {
                    growth.min_samples_leaf *= 2;
                    adjusted = vec![("min_samples_leaf", growth.min_samples_leaf.to_string())];
                    notes = vec![format!(
                        "`min_samples_leaf` is {} instead of {}: the trees would be too large to be saved; write it, or \
                         fewer `n_estimators`",
                        growth.min_samples_leaf, self.min_samples_leaf
                    )];
                }
                Err(TooLarge) => {
                    return Err(FitError::Size(
                        "the trees are too large to be saved; lower `n_estimators`".to_owned(),
                    ));
                }
            }
        };
        Ok(Fitted {
            core: Core::Forest(forest),
            adjusted,
            notes,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array1, Array2};

    fn params(min_samples_leaf: u64) -> Params {
        Params {
            n_estimators: 10,
            max_depth: None,
            min_samples_split: 2,
            min_samples_leaf,
            max_features: MaxFeatures::Auto,
            bootstrap: true,
        }
    }

    fn fit(min_samples_leaf: u64, max_numbers: usize) -> Result<Fitted, FitError> {
        let x = Array2::from_shape_fn((64, 2), |(i, j)| ((i * 37 + j * 101) % 64) as f64);
        let y = Target::Numbers(Array1::from_iter(x.column(0).iter().map(|v| v * v)));
        params(min_samples_leaf).fit_within(&Dataset { x, y }, 3, max_numbers)
    }

    #[test]
    fn leaves_grow_until_the_trees_can_be_saved_and_the_model_says_so() {
        let whole = fit(1, MAX_NUMBERS).unwrap();
        assert_eq!((whole.adjusted, whole.notes), (vec![], vec![]));
        let small = fit(1, 1000).unwrap();
        assert_eq!(small.adjusted, [("min_samples_leaf", "4".to_owned())]);
        insta::assert_snapshot!(small.notes.join("\n"), @"`min_samples_leaf` is 4 instead of 1: the trees would be too large to be saved; write it, or fewer `n_estimators`");
        // What it says is what was done.
        assert_eq!(small.core, fit(4, MAX_NUMBERS).unwrap().core);
    }

    #[test]
    fn trees_that_are_all_root_can_not_be_smaller() {
        insta::assert_snapshot!(fit(1, 39).unwrap_err(), @"the trees are too large to be saved; lower `n_estimators`");
        // A root has three numbers and its value, and a bootstrap sample of 64 rows some 40 different ones.
        assert_eq!(fit(1, 40).unwrap().adjusted, [("min_samples_leaf", "32".to_owned())]);
    }
}
