//! Reconstruction by principal components: what the reference's own components can not explain. Pure.

use linfa_linalg::eigh::{EigSort, Eigh};
use ndarray::{Array1, Array2, ArrayView2, Axis, Slice};
use serde::{Deserialize, Serialize};

use super::NumberColumn;
use crate::drift::result::PcaDrift;
use crate::stats::{mean, sd};

/// The components explain more than this share of the variance.
const EXPLAINED: f64 = 0.65;
const N_CHUNKS: usize = 10;
const MIN_ROWS: usize = 50;
const MIN_COLUMNS: usize = 3;
/// The decomposition takes the third power of this.
const MAX_COLUMNS: usize = 500;
/// Rows that are in memory as a matrix at a time.
const BLOCK: usize = 4096;
/// Rounding alone makes errors of this size, in standard deviations, where all is explained.
const ROUNDING: f64 = 1e-9;
/// Standard deviations beyond which a value is no further away, so that squares stay finite.
const FARTHEST: f64 = 1e100;

/// What scoring needs of the reference: none of its rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PcaModel {
    pub columns: Vec<String>,
    pub means: Vec<f64>,
    /// Divisor n, above 0.
    pub sds: Vec<f64>,
    /// Each as long as `columns`, of length 1, the one that explains most first.
    pub components: Vec<Vec<f64>>,
    /// Shares of the variance, of each component.
    pub explained: Vec<f64>,
    /// The mean errors of ten chunks of the reference in its order.
    pub chunks: Vec<f64>,
    /// Three standard deviations of `chunks` below and above their mean, at least 0.
    pub lower: f64,
    pub upper: f64,
}

/// Learns the components of a reference of equally long columns.
///
/// Missing values are the mean of their column. Columns without a value, and those of one value, are left out. As few
/// components as explain more than 65 % of the variance of the standardized columns.
///
/// # Errors
/// Fewer than 50 rows or three such columns, more than 500, for people.
///
/// Source: `NannyML`'s data reconstruction with PCA. Oracle: scikit-learn's `PCA`, `fixtures/drift/*/multivariate.json`.
pub fn fit(columns: &[NumberColumn<'_>]) -> Result<PcaModel, String> {
    let n_rows = columns.first().map_or(0, |column| column.values.len());
    if n_rows < MIN_ROWS {
        return Err(format!("the reference has {n_rows} rows, and {MIN_ROWS} are needed"));
    }
    let laws = columns
        .iter()
        .filter_map(|column| law(column.values).map(|law| (*column, law)));
    let (used, laws): (Vec<NumberColumn<'_>>, Vec<(f64, f64)>) = laws.unzip();
    let p = used.len();
    if p < MIN_COLUMNS {
        return Err(format!("{p} columns of numbers vary, and {MIN_COLUMNS} are needed"));
    }
    if p > MAX_COLUMNS {
        return Err(format!("there are {p} columns of numbers, more than {MAX_COLUMNS}"));
    }
    let (means, sds): (Vec<f64>, Vec<f64>) = laws.into_iter().unzip();
    let mut squares = Array2::<f64>::zeros((p, p));
    blocks(&used, &means, &sds, |z| squares += &z.t().dot(&z));
    let decomposed = squares
        .eigh()
        .map_err(|_| "the components could not be computed".to_owned())?;
    let (values, vectors) = decomposed.sort_eig_desc();
    let (k, explained) = enough(&values);
    let components: Vec<Vec<f64>> = (0..k).map(|at| upright(vectors.column(at).to_vec())).collect();
    let errors = errors(&used, &means, &sds, &components);
    let chunks = chunk_means(&errors);
    let (center, spread) = (mean(&chunks), sd(&chunks) * (1.0 - 1.0 / N_CHUNKS as f64).sqrt());
    Ok(PcaModel {
        columns: used.iter().map(|column| column.name.to_owned()).collect(),
        means,
        sds,
        components,
        explained,
        chunks,
        lower: (center - 3.0 * spread).max(0.0),
        upper: center + 3.0 * spread,
    })
}

/// The mean reconstruction error of current rows, held against the bounds of the reference.
///
/// The error of a row is the length of what remains of its standardized values without the components, in standard
/// deviations; missing values are the reference's mean. `sampling_error` is the standard error of the mean: where few
/// rows make it great, an alert may be chance. No result is NaN.
///
/// # Errors
/// A column of the model that is not there or has no value, or fewer than two rows, for people.
///
/// Source and oracle: as [`fit`].
pub fn score(model: &PcaModel, columns: &[NumberColumn<'_>]) -> Result<PcaDrift, String> {
    let find = |name: &String| {
        let found = columns.iter().find(|column| column.name == name);
        let found = found.ok_or_else(|| format!("column `{name}` is not in the current data"))?;
        if found.values.iter().any(|x| x.is_finite()) {
            Ok(*found)
        } else {
            Err(format!("column `{name}` has no values in the current data"))
        }
    };
    let used: Vec<NumberColumn<'_>> = model.columns.iter().map(find).collect::<Result<_, _>>()?;
    let errors = errors(&used, &model.means, &model.sds, &model.components);
    if errors.len() < 2 {
        return Err("the current data has fewer than two rows".to_owned());
    }
    let value = mean(&errors);
    Ok(PcaDrift {
        value,
        lower: model.lower,
        upper: model.upper,
        sampling_error: sd(&errors) / (errors.len() as f64).sqrt(),
        n_components: model.components.len(),
        n_columns: model.columns.len(),
        alert: value > model.upper + ROUNDING || value < model.lower - ROUNDING,
    })
}

/// [`fit`] and [`score`] over the columns that have values on both sides.
///
/// # Errors
/// As [`fit`] and [`score`].
pub fn compare(reference: &[NumberColumn<'_>], current: &[NumberColumn<'_>]) -> Result<PcaDrift, String> {
    let has_values = |column: &NumberColumn<'_>| column.values.iter().any(|x| x.is_finite());
    let on_both = |column: &&NumberColumn<'_>| {
        current
            .iter()
            .any(|other| other.name == column.name && has_values(other))
    };
    let used: Vec<NumberColumn<'_>> = reference.iter().filter(on_both).copied().collect();
    score(&fit(&used)?, current)
}

impl PcaModel {
    /// Whether a model that was read fits together.
    ///
    /// # Errors
    /// What is wrong, for people.
    pub fn check(&self) -> Result<(), String> {
        let p = self.columns.len();
        let fits = self.means.len() == p
            && self.sds.len() == p
            && self.components.iter().all(|component| component.len() == p)
            && self.explained.len() == self.components.len();
        if !fits || self.components.is_empty() || p > MAX_COLUMNS {
            return Err("the principal components do not fit their columns".to_owned());
        }
        let lists = [&self.means, &self.sds, &self.explained, &self.chunks];
        let mut all = lists
            .into_iter()
            .chain(&self.components)
            .flatten()
            .chain([&self.lower, &self.upper]);
        if all.any(|x| !x.is_finite()) || self.sds.iter().any(|sd| *sd <= 0.0) {
            return Err("a number of the principal components is out of range".to_owned());
        }
        Ok(())
    }
}

/// Mean of the known values and standard deviation (divisor n) with the missing ones at the mean; `None` when there is
/// no value or but one.
fn law(values: &[f64]) -> Option<(f64, f64)> {
    let known: Vec<f64> = values.iter().copied().filter(|x| x.is_finite()).collect();
    // Sums and squares of great values must not overflow, nor those of tiny ones vanish.
    let unit = known.iter().fold(0.0_f64, |a, x| a.max(x.abs()));
    let scaled: Vec<f64> = known.iter().map(|x| x / unit).collect();
    let center = mean(&scaled);
    let squares: f64 = scaled.iter().map(|x| (x - center) * (x - center)).sum();
    let spread = (squares / values.len() as f64).sqrt();
    let differ = known.iter().any(|x| x.total_cmp(&known[0]).is_ne());
    (differ && spread * unit > 0.0).then_some((center * unit, spread * unit))
}

/// The standardized rows, some at a time.
fn blocks(columns: &[NumberColumn<'_>], means: &[f64], sds: &[f64], mut each: impl FnMut(ArrayView2<'_, f64>)) {
    let n_rows = columns.iter().map(|column| column.values.len()).min().unwrap_or(0);
    let mut block = Array2::zeros((BLOCK.min(n_rows), columns.len()));
    for start in (0..n_rows).step_by(BLOCK) {
        let n = BLOCK.min(n_rows - start);
        for (at, column) in columns.iter().enumerate() {
            let (half, sd) = (0.5 * means[at], sds[at]);
            for (cell, x) in block.column_mut(at).iter_mut().zip(&column.values[start..start + n]) {
                // By halves, so that a difference of great values does not overflow.
                let z = if x.is_finite() {
                    (0.5 * x - half) / sd * 2.0
                } else {
                    0.0
                };
                *cell = z.clamp(-FARTHEST, FARTHEST);
            }
        }
        each(block.slice_axis(Axis(0), Slice::from(..n)));
    }
}

/// How many components are enough, and what each of them explains.
fn enough(values: &Array1<f64>) -> (usize, Vec<f64>) {
    let total: f64 = values.iter().map(|value| value.max(0.0)).sum();
    let mut sum = 0.0;
    let mut explained = Vec::new();
    for value in values {
        if sum > EXPLAINED {
            break;
        }
        explained.push(value.max(0.0) / total);
        sum += value.max(0.0) / total;
    }
    (explained.len(), explained)
}

/// A component and its opposite are the same: the greatest entry is positive.
fn upright(component: Vec<f64>) -> Vec<f64> {
    let greatest = component
        .iter()
        .fold(0.0_f64, |a, x| if x.abs() > a.abs() { *x } else { a });
    if greatest < 0.0 {
        component.into_iter().map(|x| -x).collect()
    } else {
        component
    }
}

/// The reconstruction error of every row.
fn errors(columns: &[NumberColumn<'_>], means: &[f64], sds: &[f64], components: &[Vec<f64>]) -> Vec<f64> {
    let v = Array2::from_shape_fn((columns.len(), components.len()), |(i, k)| components[k][i]);
    let mut errors = Vec::new();
    blocks(columns, means, sds, |z| {
        let rest = &z - &z.dot(&v).dot(&v.t());
        errors.extend(rest.axis_iter(Axis(0)).map(|row| row.dot(&row).sqrt()));
    });
    errors
}

/// Ten chunks in order; the last one takes what remains.
fn chunk_means(errors: &[f64]) -> Vec<f64> {
    let step = errors.len() / N_CHUNKS;
    let end = |chunk: usize| {
        if chunk + 1 == N_CHUNKS {
            errors.len()
        } else {
            (chunk + 1) * step
        }
    };
    (0..N_CHUNKS)
        .map(|chunk| mean(&errors[chunk * step..end(chunk)]))
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::stats::Rng;

    const PAIRS: [[&str; 3]; 10] = [
        [
            include_str!("../../../fixtures/drift/anes96-age/reference.csv"),
            include_str!("../../../fixtures/drift/anes96-age/current.csv"),
            include_str!("../../../fixtures/drift/anes96-age/multivariate.json"),
        ],
        [
            include_str!("../../../fixtures/drift/breast-cancer-diagnosis/reference.csv"),
            include_str!("../../../fixtures/drift/breast-cancer-diagnosis/current.csv"),
            include_str!("../../../fixtures/drift/breast-cancer-diagnosis/multivariate.json"),
        ],
        [
            include_str!("../../../fixtures/drift/diabetes-sex/reference.csv"),
            include_str!("../../../fixtures/drift/diabetes-sex/current.csv"),
            include_str!("../../../fixtures/drift/diabetes-sex/multivariate.json"),
        ],
        [
            include_str!("../../../fixtures/drift/diamonds-color/reference.csv"),
            include_str!("../../../fixtures/drift/diamonds-color/current.csv"),
            include_str!("../../../fixtures/drift/diamonds-color/multivariate.json"),
        ],
        [
            include_str!("../../../fixtures/drift/edge-large/reference.csv"),
            include_str!("../../../fixtures/drift/edge-large/current.csv"),
            include_str!("../../../fixtures/drift/edge-large/multivariate.json"),
        ],
        [
            include_str!("../../../fixtures/drift/edge-mixed/reference.csv"),
            include_str!("../../../fixtures/drift/edge-mixed/current.csv"),
            include_str!("../../../fixtures/drift/edge-mixed/multivariate.json"),
        ],
        [
            include_str!("../../../fixtures/drift/macro-1984/reference.csv"),
            include_str!("../../../fixtures/drift/macro-1984/current.csv"),
            include_str!("../../../fixtures/drift/macro-1984/multivariate.json"),
        ],
        [
            include_str!("../../../fixtures/drift/penguins-year/reference.csv"),
            include_str!("../../../fixtures/drift/penguins-year/current.csv"),
            include_str!("../../../fixtures/drift/penguins-year/multivariate.json"),
        ],
        [
            include_str!("../../../fixtures/drift/seattle-weather-year/reference.csv"),
            include_str!("../../../fixtures/drift/seattle-weather-year/current.csv"),
            include_str!("../../../fixtures/drift/seattle-weather-year/multivariate.json"),
        ],
        [
            include_str!("../../../fixtures/drift/txhousing-era/reference.csv"),
            include_str!("../../../fixtures/drift/txhousing-era/current.csv"),
            include_str!("../../../fixtures/drift/txhousing-era/multivariate.json"),
        ],
    ];

    /// These columns of a file; what is no number is missing.
    fn read(text: &str, names: &[&str]) -> Vec<Vec<f64>> {
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let header = reader.headers().unwrap().clone();
        let places: Vec<usize> = names
            .iter()
            .map(|name| header.iter().position(|other| other == *name).unwrap())
            .collect();
        let mut columns = vec![Vec::new(); names.len()];
        for record in reader.records() {
            let record = record.unwrap();
            for (column, place) in columns.iter_mut().zip(&places) {
                column.push(record[*place].parse().unwrap_or(f64::NAN));
            }
        }
        columns
    }

    fn named<'a>(names: &[&'a str], columns: &'a [Vec<f64>]) -> Vec<NumberColumn<'a>> {
        let pairs = names.iter().zip(columns);
        pairs.map(|(name, values)| NumberColumn { name, values }).collect()
    }

    #[test]
    fn agrees_with_scikit_learn() {
        for [reference, current, expected] in PAIRS {
            let expected: Value = serde_json::from_str(expected).unwrap();
            let names: Vec<&str> = expected["columns"]
                .as_array()
                .unwrap()
                .iter()
                .map(|x| x.as_str().unwrap())
                .collect();
            let (reference, current) = (read(reference, &names), read(current, &names));
            let pair = expected["pair"].as_str().unwrap();
            let near = |found: f64, expected: &Value, what: &str| {
                let expected = expected.as_f64().unwrap();
                assert!(
                    (found - expected).abs() <= 1e-9 + 1e-7 * expected.abs(),
                    "{pair} {what}: {found} {expected}"
                );
            };
            let model = fit(&named(&names, &reference)).unwrap();
            assert_eq!(model.columns, names);
            assert_eq!(
                model.components.len() as u64,
                expected["n_components"].as_u64().unwrap(),
                "{pair}"
            );
            let lists = [
                (&model.explained, "explained_variance_ratio"),
                (&model.chunks, "reference_chunk_means"),
            ];
            for (found, what) in lists {
                let expected = expected[what].as_array().unwrap();
                assert_eq!(found.len(), expected.len());
                found
                    .iter()
                    .zip(expected)
                    .for_each(|(found, expected)| near(*found, expected, what));
            }
            let written = serde_json::to_string(&model).unwrap();
            let read: PcaModel = serde_json::from_str(&written).unwrap();
            assert_eq!(read.check(), Ok(()));
            assert_eq!(read, model);
            let drift = score(&read, &named(&names, &current)).unwrap();
            near(drift.value, &expected["current_mean"], "mean");
            near(drift.lower, &expected["lower"], "lower");
            near(drift.upper, &expected["upper"], "upper");
            near(drift.sampling_error, &expected["sampling_error"], "sampling error");
            assert_eq!(Value::Bool(drift.alert), expected["alert"], "{pair}");
            assert_eq!(
                compare(&named(&names, &reference), &named(&names, &current)).unwrap(),
                drift
            );
        }
    }

    /// Rows of three columns that depend on each other in one side and not in the other.
    fn rows(dependent: bool, n: usize, label: &str) -> Vec<Vec<f64>> {
        let mut rng = Rng::derive(5, label);
        let mut draw = || (0..4).map(|_| rng.unit() - 0.5).sum::<f64>();
        let mut columns = vec![Vec::new(); 3];
        for _ in 0..n {
            let common = draw();
            for column in &mut columns {
                column.push(if dependent { common + 0.2 * draw() } else { draw() });
            }
        }
        columns
    }

    #[test]
    fn sees_that_columns_no_longer_depend_on_each_other() {
        let names = ["a", "b", "c"];
        let (reference, same, other) = (rows(true, 500, "r"), rows(true, 400, "s"), rows(false, 400, "o"));
        let of = |current: &[Vec<f64>]| compare(&named(&names, &reference), &named(&names, current)).unwrap();
        assert!(of(&other).alert && !of(&same).alert);
    }

    #[test]
    fn what_can_not_be_compared_is_told() {
        let names = ["a", "b", "c", "empty", "one"];
        let mut columns = rows(true, 100, "r");
        columns.extend([vec![f64::NAN; 100], vec![0.1; 100]]);
        let all = named(&names, &columns);
        let model = fit(&all).unwrap();
        assert_eq!(model.columns, ["a", "b", "c"]);
        assert_eq!(
            fit(&all[1..]).unwrap_err(),
            "2 columns of numbers vary, and 3 are needed"
        );
        assert_eq!(fit(&[]).unwrap_err(), "the reference has 0 rows, and 50 are needed");
        assert_eq!(
            score(&model, &all[1..]).unwrap_err(),
            "column `a` is not in the current data"
        );
        let mut empty = all.clone();
        empty[2].values = &columns[3];
        assert_eq!(
            score(&model, &empty).unwrap_err(),
            "column `c` has no values in the current data"
        );
        assert_eq!(
            compare(&all, &empty).unwrap_err(),
            "2 columns of numbers vary, and 3 are needed"
        );
        let mut damaged = model.clone();
        damaged.components[0].pop();
        assert!(damaged.check().is_err());
        assert!(
            PcaModel {
                upper: f64::NAN,
                ..model
            }
            .check()
            .is_err()
        );
    }

    /// Columns that explain each other wholly leave errors of rounding, which are no alert.
    #[test]
    fn rounding_is_no_alert() {
        let names = ["a", "b", "c"];
        let line = |n: u32, factor: f64| -> Vec<Vec<f64>> {
            let a: Vec<f64> = (0..n).map(|i| f64::from(i * i % 37) * factor).collect();
            vec![
                a.clone(),
                a.iter().map(|x| x * 3.0 + 1.0).collect(),
                a.iter().map(|x| -x).collect(),
            ]
        };
        let (reference, current) = (line(90, 1.0), line(40, 7.3));
        let drift = compare(&named(&names, &reference), &named(&names, &current)).unwrap();
        assert!(!drift.alert, "{drift:?}");
    }

    proptest! {
        /// Neither great nor tiny units change the result, and nothing is NaN or infinite.
        #[test]
        fn units_do_not_matter(seed in 0..1000_u64, exponents in prop::array::uniform3(-300..300_i32)) {
            let names = ["a", "b", "c"];
            let reference = rows(true, 80, &seed.to_string());
            let current = rows(false, 30, &seed.to_string());
            let scaled = |columns: &[Vec<f64>]| -> Vec<Vec<f64>> {
                let pairs = columns.iter().zip(exponents);
                pairs.map(|(column, e)| column.iter().map(|x| x * 10.0_f64.powi(e)).collect()).collect()
            };
            let one = compare(&named(&names, &reference), &named(&names, &current)).unwrap();
            let (reference, current) = (scaled(&reference), scaled(&current));
            let other = compare(&named(&names, &reference), &named(&names, &current)).unwrap();
            prop_assert!((one.value - other.value).abs() <= 1e-9 * one.value);
            prop_assert_eq!(one.alert, other.alert);
        }
    }

    #[test]
    fn values_at_the_ends_stay_finite() {
        let names = ["a", "b", "c"];
        let mut reference = rows(true, 60, "r");
        reference[0].iter_mut().for_each(|x| *x *= 1e-300);
        let mut current = rows(true, 20, "c");
        current[0][3] = f64::MAX;
        current[1][3] = f64::NEG_INFINITY;
        let drift = compare(&named(&names, &reference), &named(&names, &current)).unwrap();
        assert!(drift.value.is_finite() && drift.sampling_error.is_finite() && drift.alert);
    }
}
