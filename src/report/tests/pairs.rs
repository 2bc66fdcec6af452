//! Results of comparisons for tests: verdicts of another implementation on real pairs of files (`fixtures/drift`),
//! summaries and pictures made here from their rows.

use serde_json::Value;

use crate::drift::{
    ColumnDrift, DatasetDrift, DomainDrift, DriftResult, Finding, Kind, Level, Location, MissingDrift, Mode,
    Multivariate, Op, PcaDrift, Picture, Role, SCHEMA, ScoreKind, Side, Summary,
};

/// One side as columns of texts.
struct Rows {
    names: Vec<String>,
    records: Vec<csv::StringRecord>,
}

impl Rows {
    fn read(text: &str) -> Self {
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        Self {
            names: reader.headers().unwrap().iter().map(str::to_owned).collect(),
            records: reader.records().map(Result::unwrap).collect(),
        }
    }

    /// The known values of a column.
    fn known(&self, name: &str) -> Vec<&str> {
        let Some(at) = self.names.iter().position(|one| one == name) else {
            return Vec::new();
        };
        let known = |value: &&str| !matches!(*value, "" | "NA" | "inf" | "-inf");
        self.records.iter().map(|record| &record[at]).filter(known).collect()
    }

    fn numbers(&self, name: &str) -> Vec<f64> {
        self.known(name).iter().map(|value| value.parse().unwrap()).collect()
    }
}

/// What `fixtures/drift` has of a pair.
#[derive(Clone, Copy)]
pub struct Files {
    /// The reference and the current side.
    sides: [&'static str; 2],
    calibrated: &'static str,
}

pub const DIABETES: Files = Files {
    sides: [
        include_str!("../../../fixtures/drift/diabetes-sex/reference.csv"),
        include_str!("../../../fixtures/drift/diabetes-sex/current.csv"),
    ],
    calibrated: include_str!("../../../fixtures/drift/diabetes-sex/calibrated.json"),
};
pub const DIAMONDS: Files = Files {
    sides: [
        include_str!("../../../fixtures/drift/diamonds-color/reference.csv"),
        include_str!("../../../fixtures/drift/diamonds-color/current.csv"),
    ],
    calibrated: include_str!("../../../fixtures/drift/diamonds-color/calibrated.json"),
};
pub const PENGUINS: Files = Files {
    sides: [
        include_str!("../../../fixtures/drift/penguins-year/reference.csv"),
        include_str!("../../../fixtures/drift/penguins-year/current.csv"),
    ],
    calibrated: include_str!("../../../fixtures/drift/penguins-year/calibrated.json"),
};
const EDGES: Files = Files {
    sides: [
        include_str!("../../../fixtures/drift/edge-mixed/reference.csv"),
        include_str!("../../../fixtures/drift/edge-mixed/current.csv"),
    ],
    calibrated: include_str!("../../../fixtures/drift/edge-mixed/calibrated.json"),
};
/// What Evidently finds in [`DIABETES`].
const EVIDENTLY: &str = include_str!("../../../fixtures/drift/diabetes-sex/expected.json");

fn share(n: usize, of: usize) -> f64 {
    n as f64 / of.max(1) as f64
}

fn summary(values: &[f64]) -> Summary {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let n = values.len() as f64;
    let mean = values.iter().map(|value| value / n).sum::<f64>();
    let squares = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
    Summary {
        mean,
        sd: (squares / (n - 1.0)).sqrt(),
        min: sorted[0],
        median: sorted[sorted.len() / 2],
        max: sorted[sorted.len() - 1],
    }
}

fn histogram(sides: [&[f64]; 2]) -> Picture {
    const BINS: u32 = 20;
    let all = || sides.iter().copied().flatten().copied();
    let low = all().fold(f64::INFINITY, f64::min);
    let high = all().fold(f64::NEG_INFINITY, f64::max);
    let high = if high > low { high } else { low + 1.0 };
    let edges: Vec<f64> = (0..=BINS)
        .map(|i| low + (high - low) * f64::from(i) / f64::from(BINS))
        .collect();
    let [reference, current] = sides.map(|side| {
        let mut counts = vec![0; edges.len() - 1];
        for value in side {
            let bin = edges.partition_point(|edge| edge <= value).clamp(1, counts.len());
            counts[bin - 1] += 1;
        }
        counts.iter().map(|count| share(*count, side.len())).collect()
    });
    Picture::Histogram {
        edges,
        reference,
        current,
    }
}

fn bars(sides: [&[&str]; 2]) -> Picture {
    let mut labels: Vec<&str> = sides.concat();
    labels.sort_unstable();
    labels.dedup();
    let of = |label: &str| sides.map(|side| share(side.iter().filter(|one| **one == label).count(), side.len()));
    let shares: Vec<[f64; 2]> = labels.iter().map(|label| of(label)).collect();
    Picture::Bars {
        labels: labels.iter().map(|label| (*label).to_owned()).collect(),
        reference: shares.iter().map(|pair| pair[0]).collect(),
        current: shares.iter().map(|pair| pair[1]).collect(),
    }
}

/// A number, or one that JSON has no number for.
fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}

pub fn column(name: &str, kind: Kind) -> ColumnDrift {
    ColumnDrift {
        column: name.to_owned(),
        role: Role::Feature,
        kind,
        status: "computed".to_owned(),
        change_in: None,
        test: None,
        score: None,
        score_kind: None,
        threshold: None,
        op: None,
        statistic: None,
        p: None,
        p_adj: None,
        effect: None,
        effect_kind: None,
        drifted: false,
        location: None,
        severity: 0.0,
        importance: None,
        n: [100, 100],
        missing: [0, 0],
        infinite: [0, 0],
        new_categories: Vec::new(),
        lost_categories: Vec::new(),
        notes: Vec::new(),
        summary: None,
        picture: None,
        approximate: None,
    }
}

pub fn empty() -> DriftResult {
    let side = |name: &str| Side {
        source: format!("{name}.csv"),
        rows: 100,
        sha256: None,
    };
    DriftResult {
        schema: SCHEMA.to_owned(),
        mode: Mode::Calibrated,
        reference: side("reference"),
        current: side("current"),
        dataset: DatasetDrift {
            tested: 0,
            drifted: 0,
            moved: 0,
            share: 0.0,
            threshold: 0.5,
            drift: false,
            decision: "pass".to_owned(),
            severity: 0.0,
            reasons: Vec::new(),
        },
        columns: Vec::new(),
        missing: Vec::new(),
        data_quality: Vec::new(),
        multivariate: None,
        performance: None,
        estimated: None,
        notes: Vec::new(),
    }
}

/// What follows from the columns.
pub fn judged(mut result: DriftResult) -> DriftResult {
    let computed = || result.columns.iter().filter(|column| column.status == "computed");
    let dataset = &mut result.dataset;
    dataset.tested = computed().count();
    dataset.drifted = computed().filter(|column| column.drifted).count();
    dataset.moved = computed()
        .filter(|column| !column.drifted && column.location.is_some_and(|location| location.moved))
        .count();
    dataset.share = share(dataset.drifted, dataset.tested);
    dataset.drift = dataset.drifted > 0 && dataset.share >= dataset.threshold;
    if dataset.drift {
        dataset.decision = "warn".to_owned();
        dataset.reasons = vec![format!("{} of {} columns drifted", dataset.drifted, dataset.tested)];
    }
    result
}

/// A pair as the calibrated mode judges it.
pub fn calibrated(pair: Files) -> DriftResult {
    let golden: Value = serde_json::from_str(pair.calibrated).unwrap();
    let rows = pair.sides.map(Rows::read);
    let mut result = empty();
    result.reference.rows = rows[0].records.len() as u64;
    result.current.rows = rows[1].records.len() as u64;
    for record in golden["columns"].as_array().unwrap() {
        let name = record["column"].as_str().unwrap();
        let is_number = record["type"] == "num";
        let mut one = column(name, if is_number { Kind::Num } else { Kind::Cat });
        record["status"].as_str().unwrap().clone_into(&mut one.status);
        if one.status == "computed" {
            one.p = record["p"].as_f64();
            one.p_adj = record["p_adj"].as_f64();
            one.effect = number(&record["effect"]);
            one.effect_kind = record["effect_kind"].as_str().map(str::to_owned);
            one.drifted = record["drifted"].as_bool().unwrap();
            one.severity = one.effect.map_or(0.0, |effect| 1.0 - (-effect).exp());
            draw(&mut one, &rows);
        }
        if name == "target" {
            one.role = Role::Target;
        }
        result.columns.push(one);
    }
    for record in golden["missing"].as_array().unwrap() {
        result.missing.push(MissingDrift {
            column: record["column"].as_str().unwrap().to_owned(),
            missing_reference: record["missing_reference"].as_u64().unwrap(),
            missing_current: record["missing_current"].as_u64().unwrap(),
            p: record["p"].as_f64().unwrap(),
            p_adj: record["p_adj"].as_f64().unwrap(),
            effect: record["effect"].as_f64().unwrap(),
            drifted: record["drifted"].as_bool().unwrap(),
        });
    }
    judged(result)
}

/// Summary and picture of a column from its rows.
fn draw(one: &mut ColumnDrift, rows: &[Rows; 2]) {
    if one.kind == Kind::Num {
        let [reference, current] = rows.each_ref().map(|side| side.numbers(&one.column));
        one.n = [reference.len() as u64, current.len() as u64];
        one.summary = Some([summary(&reference), summary(&current)]);
        one.picture = Some(histogram([&reference, &current]));
    } else {
        let [reference, current] = rows.each_ref().map(|side| side.known(&one.column));
        one.n = [reference.len() as u64, current.len() as u64];
        one.picture = Some(bars([&reference, &current]));
    }
}

/// [`DIABETES`] as Evidently judges it by its defaults.
pub fn evidently() -> DriftResult {
    let golden: Value = serde_json::from_str(EVIDENTLY).unwrap();
    let rows = DIABETES.sides.map(Rows::read);
    let mut result = empty();
    result.mode = Mode::Evidently;
    result.reference.rows = rows[0].records.len() as u64;
    result.current.rows = rows[1].records.len() as u64;
    for check in golden["checks"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|check| check["default"] == true)
    {
        let name = check["column"].as_str().unwrap();
        let is_number = check["params"]["type"] == "num";
        let mut one = column(name, if is_number { Kind::Num } else { Kind::Cat });
        one.test = check["test"].as_str().map(str::to_owned);
        one.score = number(&check["score"]);
        one.score_kind = serde_json::from_value::<ScoreKind>(check["score_kind"].clone()).ok();
        one.threshold = check["params"]["threshold"].as_f64();
        one.op = serde_json::from_value::<Op>(check["op"].clone()).ok();
        one.drifted = check["drifted"].as_bool().unwrap();
        one.severity = match one.score_kind {
            Some(ScoreKind::PValue) => 1.0 - one.score.unwrap(),
            _ => one.score.unwrap().min(1.0),
        };
        draw(&mut one, &rows);
        result.columns.push(one);
    }
    judged(result)
}

/// The pair of edge cases with what a schema check says of it, columns together, and the model's errors.
pub fn mixed() -> DriftResult {
    let mut result = calibrated(EDGES);
    let finding = |check: &str, column: &str, level, message: &str| Finding {
        check: check.to_owned(),
        column: column.to_owned(),
        level,
        message: message.to_owned(),
    };
    result.data_quality = vec![
        finding(
            "new_column",
            "only_in_current",
            Level::Info,
            "the column is new, and nothing was trained on it",
        ),
        finding(
            "new_categories",
            "cat_unseen",
            Level::Warn,
            "5 rows have values that were never seen: `Emperor` (5)",
        ),
        finding(
            "type_change",
            "type_change",
            Level::Fail,
            "there are texts now, and there were numbers",
        ),
        finding(
            "missing_column",
            "only_in_reference",
            Level::Fail,
            "the column is missing from the current data",
        ),
        finding(
            "missing_values",
            "all_missing_cur",
            Level::Warn,
            "values are missing in 100 % of the rows, and were in none",
        ),
    ];
    result.dataset.decision = "fail".to_owned();
    result.dataset.reasons = vec![
        "5 of 23 columns drifted".to_owned(),
        "the columns hang together differently".to_owned(),
        "the mean absolute error rose from 40.1300 to 52.3000".to_owned(),
        "`type_change`: there are texts now, and there were numbers".to_owned(),
        "`only_in_reference`: the column is missing from the current data".to_owned(),
    ];
    result.multivariate = Some(Multivariate {
        pca_reconstruction: Some(PcaDrift {
            value: 1.32,
            lower: 0.91,
            upper: 1.12,
            sampling_error: 0.03,
            n_components: 4,
            n_columns: 12,
            alert: true,
        }),
        domain_classifier: Some(DomainDrift {
            auc: 0.83,
            p: 1e-9,
            drifted: true,
            n: [60, 40],
            importance: vec![("cat_case".to_owned(), 0.61), ("constant_diff".to_owned(), 0.3)],
        }),
    });
    let performance = serde_json::json!({
        "measure": "mean absolute error", "n": [60, 38], "n_effective": [60.0, 38.0], "mean": [40.13, 52.3],
        "relative_increase": 0.303, "t": 2.9, "df": 71.2, "p": 0.0024, "rank_p": 0.004, "degraded": true,
        "reason": "errors rose by 30 %",
    });
    result.performance = Some(serde_json::from_value(performance).unwrap());
    result.notes = vec!["`with_inf` has 15 infinite values; they count as missing".to_owned()];
    result.columns[0].location = Some(Location {
        p: 0.004,
        p_adj: 0.009,
        moved: true,
    });
    result.dataset.moved = 1;
    for column in &mut result.columns {
        match column.column.as_str() {
            "cat_unseen" => column.new_categories = vec![("Emperor".to_owned(), 5)],
            "cat_vanished" => column.lost_categories = vec![("Biscoe".to_owned(), 26)],
            "high_card_id" => {
                let note = "nearly every value is another one, as in an identifier";
                column.notes = vec![note.to_owned()];
            }
            "constant_ref_only" => column.notes = vec!["one value in the reference, 26 now".to_owned()],
            _ => {}
        }
    }
    result
}

/// `n` columns, all of them drifted: numbers with forty bins and categories with twelve, in turn.
pub fn many(n: usize) -> DriftResult {
    let mut result = empty();
    for index in 0..n {
        let one = index as f64;
        let mut drifted = column(&format!("measured_quantity_{index}"), Kind::Num);
        drifted.drifted = true;
        drifted.p = Some(0.000_1);
        drifted.p_adj = Some(0.001 + one / 10_000.0);
        drifted.effect = Some(0.2 + one / 100.0);
        drifted.effect_kind = Some("wasserstein_std".to_owned());
        drifted.severity = (0.2 + one / 200.0).min(1.0);
        drifted.importance = Some(1.0 / n as f64);
        let bump = |at: usize, middle: usize| 1.0 / (1.0 + (at.abs_diff(middle) as f64 / 4.0).powi(2)) / 12.0;
        if index % 3 == 2 {
            drifted.kind = Kind::Cat;
            drifted.effect_kind = Some("jensenshannon".to_owned());
            drifted.picture = Some(Picture::Bars {
                labels: (0..12).map(|label| format!("category {label}")).collect(),
                reference: (0..12).map(|at| bump(at, 3)).collect(),
                current: (0..12).map(|at| bump(at, 7)).collect(),
            });
        } else {
            let numbers = |mean: f64| Summary {
                mean,
                sd: 12.5,
                min: -20.0,
                median: mean,
                max: 80.0,
            };
            drifted.summary = Some([numbers(30.0 + one), numbers(35.0 + one * 1.1)]);
            drifted.picture = Some(Picture::Histogram {
                edges: (0..=40).map(|edge| f64::from(edge) * 2.5 - 20.0).collect(),
                reference: (0..40).map(|at| bump(at, 15)).collect(),
                current: (0..40).map(|at| bump(at, 15 + index % 20)).collect(),
            });
        }
        result.columns.push(drifted);
    }
    judged(result)
}
