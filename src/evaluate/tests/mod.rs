//! Metrics and comparisons against independent implementations, and the laws they keep.

mod calibration;
mod compare;
mod evidence;
mod few;
mod laws;
mod oracle;
mod parts;

use serde_json::Value;

use super::{Predictions, Truth};

/// The columns of a comparison case by name, as texts.
pub struct Table {
    header: Vec<String>,
    records: Vec<Vec<String>>,
}

impl Table {
    pub fn read(text: &str) -> Self {
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let row = |record: &csv::StringRecord| record.iter().map(str::to_owned).collect();
        Self {
            header: row(reader.headers().unwrap()),
            records: reader.records().map(|record| row(&record.unwrap())).collect(),
        }
    }

    pub fn texts(&self, column: &str) -> Vec<String> {
        let at = self.header.iter().position(|name| name == column).unwrap();
        self.records.iter().map(|record| record[at].clone()).collect()
    }

    pub fn numbers(&self, column: &str) -> Vec<f64> {
        self.texts(column).iter().map(|text| text.parse().unwrap()).collect()
    }

    pub fn codes(&self, column: &str) -> Vec<u32> {
        self.texts(column).iter().map(|text| text.parse().unwrap()).collect()
    }
}

/// Labels `0`, `1`, … as many as are needed.
pub fn labels(n: usize) -> Vec<String> {
    (0..n).map(|label| label.to_string()).collect()
}

pub fn class_truth(codes: &[u32], n_labels: usize) -> Truth {
    Truth::Classes {
        codes: codes.to_vec(),
        labels: labels(n_labels),
    }
}

/// Two classes; `score` is the probability of the second.
pub fn binary(codes: &[u32], score: &[f64]) -> Predictions {
    Predictions::Classes {
        codes: codes.to_vec(),
        labels: labels(2),
        probabilities: score.iter().flat_map(|p| [1.0 - p, *p]).collect(),
    }
}

pub fn list(node: &Value) -> Vec<f64> {
    node.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

pub fn codes(node: &Value) -> Vec<u32> {
    node.as_array()
        .unwrap()
        .iter()
        .map(|x| u32::try_from(x.as_u64().unwrap()).unwrap())
        .collect()
}

pub fn close(ours: f64, theirs: f64, relative: f64, absolute: f64) -> bool {
    (ours - theirs).abs() <= absolute + relative * theirs.abs()
}
