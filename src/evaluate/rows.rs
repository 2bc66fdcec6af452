//! Truth and predictions side by side, checked once, so that metrics are plain sums. Pure.

use std::cmp::Ordering;

use super::{Predictions, Truth};

/// The rows that metrics are computed on. Only finite numbers, codes within `labels`, at least one row.
#[derive(Debug)]
pub enum Rows {
    Numbers(Numbers),
    Classes(Classes),
}

#[derive(Debug)]
pub struct Numbers {
    pub actual: Vec<f64>,
    pub predicted: Vec<f64>,
    /// Rows by ascending absolute error.
    pub by_error: Vec<usize>,
}

#[derive(Debug, Clone)]
pub struct Classes {
    pub n_labels: usize,
    pub actual: Vec<usize>,
    pub predicted: Vec<usize>,
    /// The probability of the actual class, one a row; empty when the model gives no probabilities.
    pub of_actual: Vec<f64>,
    /// With two labels: the probability of the second; otherwise empty.
    pub score: Vec<f64>,
    /// Rows by ascending `score`.
    pub by_score: Vec<usize>,
}

impl Rows {
    /// The rows `order` of both sides, classes as codes into `labels`; see [`canonical_order`] and [`common_labels`].
    /// The error says in words for people why these can not be scored.
    pub fn new(truth: &Truth, predictions: &Predictions, labels: &[String], order: &[usize]) -> Result<Self, String> {
        let (n_truth, n_predictions) = (truth.len(), predictions.len());
        if n_truth != n_predictions {
            return Err(format!(
                "the number of predictions is {n_predictions}, that of the rows {n_truth}"
            ));
        }
        if order.is_empty() || n_truth == 0 {
            return Err("there are no rows".to_owned());
        }
        match (truth, predictions) {
            (Truth::Numbers(actual), Predictions::Numbers(predicted)) => {
                Numbers::new(actual, predicted, order).map(Self::Numbers)
            }
            (
                Truth::Classes { codes, labels: own },
                Predictions::Classes {
                    codes: predicted,
                    labels: theirs,
                    probabilities,
                },
            ) => {
                let actual = recode(codes, own, labels, order, "target")?;
                let predicted = recode(predicted, theirs, labels, order, "prediction")?;
                Classes::new(actual, predicted, theirs, probabilities, labels, order).map(Self::Classes)
            }
            (Truth::Numbers(_), Predictions::Classes { .. }) => {
                Err("the model predicts classes, not numbers".to_owned())
            }
            (Truth::Classes { .. }, Predictions::Numbers(_)) => {
                Err("the model predicts numbers, not classes".to_owned())
            }
        }
    }

    pub fn len(&self) -> usize {
        match self {
            Self::Numbers(rows) => rows.actual.len(),
            Self::Classes(rows) => rows.actual.len(),
        }
    }
}

impl Numbers {
    fn new(actual: &[f64], predicted: &[f64], order: &[usize]) -> Result<Self, String> {
        let actual: Vec<f64> = order.iter().map(|row| actual[*row]).collect();
        let predicted: Vec<f64> = order.iter().map(|row| predicted[*row]).collect();
        if let Some(row) = actual.iter().position(|v| !v.is_finite()) {
            return Err(format!("row {} has no finite target", order[row] + 1));
        }
        if let Some(row) = predicted.iter().position(|v| !v.is_finite()) {
            return Err(format!(
                "the prediction of row {} is not a finite number",
                order[row] + 1
            ));
        }
        let mut by_error: Vec<usize> = (0..actual.len()).collect();
        by_error.sort_by(|a, b| {
            (actual[*a] - predicted[*a])
                .abs()
                .total_cmp(&(actual[*b] - predicted[*b]).abs())
        });
        Ok(Self {
            actual,
            predicted,
            by_error,
        })
    }

    /// `actual - predicted` of a row.
    pub fn error(&self, row: usize) -> f64 {
        self.actual[row] - self.predicted[row]
    }
}

impl Classes {
    fn new(
        actual: Vec<usize>,
        predicted: Vec<usize>,
        own: &[String],
        probabilities: &[f64],
        labels: &[String],
        order: &[usize],
    ) -> Result<Self, String> {
        let mut rows = Self {
            n_labels: labels.len(),
            actual,
            predicted,
            of_actual: Vec::new(),
            score: Vec::new(),
            by_score: Vec::new(),
        };
        if probabilities.is_empty() {
            return Ok(rows);
        }
        // Every row is in `order` once, or `order` is a sample of them: the shape is that of all rows.
        let width = own.len();
        let n_needed = order.iter().max().map_or(0, |row| row + 1);
        if width == 0 || !probabilities.len().is_multiple_of(width) || probabilities.len() / width < n_needed {
            return Err("the probabilities do not have one value for every row and class".to_owned());
        }
        for row in order {
            let outside = |p: &f64| !(-1e-9..=1.0 + 1e-9).contains(p);
            if probabilities[row * width..][..width].iter().any(outside) {
                return Err(format!("row {} has a probability outside of 0 to 1", row + 1));
            }
        }
        let place: Vec<Option<usize>> = labels.iter().map(|label| own.iter().position(|o| o == label)).collect();
        let of = |row: usize, label: usize| place[label].map_or(0.0, |at| probabilities[row * width + at]);
        rows.of_actual = order
            .iter()
            .zip(&rows.actual)
            .map(|(row, label)| of(*row, *label))
            .collect();
        if labels.len() == 2 {
            // Adding 0 turns -0 into 0, which would otherwise sort apart from it.
            rows.score = order.iter().map(|row| of(*row, 1) + 0.0).collect();
            rows.by_score = (0..order.len()).collect();
            let score = &rows.score;
            rows.by_score.sort_by(|a, b| score[*a].total_cmp(&score[*b]));
        }
        Ok(rows)
    }
}

impl Truth {
    pub fn len(&self) -> usize {
        match self {
            Self::Numbers(values) => values.len(),
            Self::Classes { codes, .. } => codes.len(),
        }
    }

    /// These rows, in this order; rows beyond the end are left out.
    #[must_use]
    pub fn select(&self, rows: &[usize]) -> Self {
        match self {
            Self::Numbers(values) => Self::Numbers(take(values, rows)),
            Self::Classes { codes, labels } => Self::Classes {
                codes: take(codes, rows),
                labels: labels.clone(),
            },
        }
    }
}

impl Predictions {
    pub fn len(&self) -> usize {
        match self {
            Self::Numbers(values) => values.len(),
            Self::Classes { codes, .. } => codes.len(),
        }
    }

    /// These rows, in this order; rows beyond the end are left out.
    #[must_use]
    pub fn select(&self, rows: &[usize]) -> Self {
        match self {
            Self::Numbers(values) => Self::Numbers(take(values, rows)),
            Self::Classes {
                codes,
                labels,
                probabilities,
            } => {
                let width = labels.len();
                let row = |row: &usize| probabilities.get(row * width..(row + 1) * width);
                Self::Classes {
                    codes: take(codes, rows),
                    labels: labels.clone(),
                    probabilities: rows.iter().filter_map(row).flatten().copied().collect(),
                }
            }
        }
    }
}

fn take<T: Copy>(values: &[T], rows: &[usize]) -> Vec<T> {
    rows.iter().filter_map(|row| values.get(*row)).copied().collect()
}

/// The classes of all sides: the longest list in its order, then what the others have besides. With two of them the
/// second is the positive one.
pub fn common_labels(truth: &Truth, sides: &[&Predictions]) -> Vec<String> {
    let of_truth = match truth {
        Truth::Numbers(_) => None,
        Truth::Classes { labels, .. } => Some(labels),
    };
    let of_sides = sides.iter().filter_map(|side| match side {
        Predictions::Numbers(_) => None,
        Predictions::Classes { labels, .. } => Some(labels),
    });
    let lists: Vec<&Vec<String>> = of_truth.into_iter().chain(of_sides).collect();
    let Some(longest) = lists.iter().rev().max_by_key(|list| list.len()) else {
        return Vec::new();
    };
    let mut labels: Vec<String> = (*longest).clone();
    let mut known: std::collections::BTreeSet<String> = labels.iter().cloned().collect();
    for label in lists.into_iter().flatten() {
        if known.insert(label.clone()) {
            labels.push(label.clone());
        }
    }
    labels
}

/// An order of the rows that depends on what they hold and not on how they came: sums and draws in it are the same
/// for every arrangement of the file.
pub fn canonical_order(truth: &Truth, sides: &[&Predictions], groups: Option<&[u32]>) -> Vec<usize> {
    let n = sides.iter().map(|side| side.len()).fold(truth.len(), usize::min);
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|a, b| {
        let (a, b) = (*a, *b);
        let actual = match truth {
            Truth::Numbers(values) => values[a].total_cmp(&values[b]),
            Truth::Classes { codes, .. } => codes[a].cmp(&codes[b]),
        };
        let group = |row: usize| groups.and_then(|g| g.get(row));
        actual
            .then_with(|| {
                sides
                    .iter()
                    .map(|side| side_order(side, a, b))
                    .find(|o| o.is_ne())
                    .unwrap_or(Ordering::Equal)
            })
            .then_with(|| group(a).cmp(&group(b)))
    });
    order
}

fn side_order(side: &Predictions, a: usize, b: usize) -> Ordering {
    match side {
        Predictions::Numbers(values) => values[a].total_cmp(&values[b]),
        Predictions::Classes {
            codes,
            labels,
            probabilities,
        } => codes[a].cmp(&codes[b]).then_with(|| {
            let width = labels.len();
            let row = |row: usize| probabilities.get(row * width..(row + 1) * width).unwrap_or_default();
            let pairs = row(a).iter().zip(row(b));
            pairs
                .map(|(x, y)| x.total_cmp(y))
                .find(|o| o.is_ne())
                .unwrap_or(Ordering::Equal)
        }),
    }
}

fn recode(codes: &[u32], own: &[String], labels: &[String], order: &[usize], what: &str) -> Result<Vec<usize>, String> {
    let index: std::collections::BTreeMap<&str, usize> = labels
        .iter()
        .enumerate()
        .map(|(i, label)| (label.as_str(), i))
        .collect();
    let map: Vec<Option<usize>> = own.iter().map(|label| index.get(label.as_str()).copied()).collect();
    order
        .iter()
        .map(|row| {
            let code = usize::try_from(codes[*row]).ok();
            code.and_then(|code| map.get(code).copied().flatten())
                .ok_or_else(|| format!("the {what} of row {} is not one of the classes", row + 1))
        })
        .collect()
}
