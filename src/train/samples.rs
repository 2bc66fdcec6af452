//! Small frames and the fixtures, for the tests of this module.

use crate::base::{Diagnostics, Entry, Node, Span, Task, Value};
use crate::data::{Column, ColumnType, Frame, MISSING, Values};
use crate::train::estimator::{ESTIMATORS, Estimator};

pub fn frame(columns: Vec<Column>) -> Frame {
    let n_rows = columns.first().map_or(0, |column| column.values.len());
    Frame::new(columns, n_rows, Vec::new()).unwrap()
}

pub fn number(name: &str, values: &[f64]) -> Column {
    Column {
        name: name.to_owned(),
        kind: ColumnType::Float,
        values: Values::Numbers(values.to_vec()),
    }
}

/// An empty text is missing.
pub fn text(name: &str, values: &[&str]) -> Column {
    let mut levels: Vec<String> = Vec::new();
    let codes = values
        .iter()
        .map(|value| {
            if value.is_empty() {
                return MISSING;
            }
            let place = levels.iter().position(|level| level == value).unwrap_or_else(|| {
                levels.push((*value).to_owned());
                levels.len() - 1
            });
            u32::try_from(place).unwrap()
        })
        .collect();
    Column {
        name: name.to_owned(),
        kind: ColumnType::Text,
        values: Values::Texts { codes, levels },
    }
}

/// A table of a fixture: a column is numbers when every value that is there is one; empty is missing.
pub fn read(csv: &str) -> Frame {
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let names: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let columns = names.iter().enumerate().map(|(place, name)| {
        let cells: Vec<&str> = rows.iter().map(|row| &row[place]).collect();
        let numbers: Result<Vec<f64>, _> = cells
            .iter()
            .map(|cell| if cell.is_empty() { Ok(f64::NAN) } else { cell.parse() })
            .collect();
        numbers.map_or_else(|_| text(name, &cells), |numbers| number(name, &numbers))
    });
    frame(columns.collect())
}

/// A fixture: its table, what to predict, and its task.
pub struct Sample {
    pub name: &'static str,
    pub frame: Frame,
    pub target: &'static str,
    pub task: Task,
}

impl Sample {
    pub fn rows(&self) -> Vec<usize> {
        (0..self.frame.n_rows()).collect()
    }

    pub fn features(&self) -> Vec<String> {
        let names = self.frame.columns().iter().map(|column| column.name.clone());
        names.filter(|name| name != self.target).collect()
    }
}

pub fn diabetes() -> Sample {
    Sample {
        name: "diabetes",
        frame: read(include_str!("../../fixtures/repos/diabetes/data/diabetes.csv")),
        target: "progression",
        task: Task::Regression,
    }
}

pub fn breast_cancer() -> Sample {
    Sample {
        name: "breast_cancer",
        frame: read(include_str!("../../fixtures/repos/breast-cancer/data/wdbc.csv")),
        target: "diagnosis",
        task: Task::Binary,
    }
}

pub fn iris() -> Sample {
    Sample {
        name: "iris",
        frame: read(include_str!("../../fixtures/repos/iris/data/iris.csv")),
        target: "species",
        task: Task::Multiclass,
    }
}

/// Six columns of the penguins that were weighed, every seventh without the length of its bill, as in
/// `fixtures/oracles/train.py`.
pub fn penguins_csv() -> String {
    let mut lines = Vec::new();
    for line in include_str!("../../fixtures/data/penguins.csv").lines() {
        let cells: Vec<&str> = line.split(',').collect();
        let [species, island, bill, _, flipper, mass, sex, _] = cells[..] else {
            panic!("eight cells were expected: {line}")
        };
        let row = lines.len();
        // The first line is the header.
        let bill = if row > 0 && (row - 1) % 7 == 0 { "" } else { bill };
        if !mass.is_empty() {
            lines.push([species, island, bill, flipper, sex, mass].join(","));
        }
    }
    lines.join("\n")
}

/// Penguins have missing numbers and texts; `sex` as a target has its missing rows taken out.
pub fn penguins(target: &'static str, task: Task) -> Sample {
    let text = penguins_csv();
    let kept: Vec<&str> = text
        .lines()
        .filter(|line| target != "sex" || line.split(',').nth(4).is_some_and(|sex| !sex.is_empty()))
        .collect();
    Sample {
        name: match task {
            Task::Regression => "penguins_mass",
            Task::Binary => "penguins_sex",
            Task::Multiclass => "penguins_species",
        },
        frame: read(&kept.join("\n")),
        target,
        task,
    }
}

/// All of them, each task with and without missing values and texts.
pub fn all() -> Vec<Sample> {
    vec![
        diabetes(),
        breast_cancer(),
        iris(),
        penguins("body_mass_g", Task::Regression),
        penguins("sex", Task::Binary),
        penguins("species", Task::Multiclass),
    ]
}

/// An estimator with parameters written as JSON, such as `{"alpha": 1}`.
pub fn estimator(name: &str, params: &str) -> Result<Box<dyn Estimator>, Diagnostics> {
    let kind = ESTIMATORS.iter().find(|kind| kind.name == name).unwrap();
    (kind.build)(Some(&node(&serde_json::from_str(params).unwrap())))
}

/// JSON as the tree that a configuration is.
pub fn node(json: &serde_json::Value) -> Node {
    let span = Span::new(1, 1, 1);
    let value = match json {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(value) => Value::Bool(*value),
        serde_json::Value::Number(number) => Value::Number {
            value: number.as_f64().unwrap(),
            text: number.to_string(),
        },
        serde_json::Value::String(text) => Value::Text(text.clone()),
        serde_json::Value::Array(items) => Value::List(items.iter().map(node).collect()),
        serde_json::Value::Object(entries) => Value::Map(
            entries
                .iter()
                .map(|(key, value)| Entry {
                    key: key.clone(),
                    key_span: span,
                    node: node(value),
                })
                .collect(),
        ),
    };
    Node { value, span }
}
