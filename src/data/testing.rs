//! Small tables for the tests of this module and of those above it.

use super::{Column, ColumnType, Frame, MISSING, Values};

pub fn numbers(name: &str, values: &[f64]) -> Column {
    let whole = values.iter().all(|value| value.is_nan() || value.fract() == 0.0);
    Column {
        name: name.to_owned(),
        kind: if whole { ColumnType::Integer } else { ColumnType::Float },
        values: Values::Numbers(values.to_vec()),
    }
}

/// A text column; an empty text is missing.
pub fn texts(name: &str, values: &[&str]) -> Column {
    let mut levels: Vec<String> = Vec::new();
    let codes = values.iter().map(|value| {
        if value.is_empty() {
            return MISSING;
        }
        let code = levels.iter().position(|level| level == value).unwrap_or_else(|| {
            levels.push((*value).to_owned());
            levels.len() - 1
        });
        u32::try_from(code).unwrap()
    });
    let codes = codes.collect();
    Column {
        name: name.to_owned(),
        kind: ColumnType::Text,
        values: Values::Texts { codes, levels },
    }
}

pub fn frame(columns: Vec<Column>) -> Frame {
    let n_rows = columns.first().map_or(0, |column| column.values.len());
    let file = super::frame::FileRows {
        name: "data.csv".to_owned(),
        first_row: 0,
        lines: Vec::new(),
        first_line: 2,
    };
    Frame::new(columns, n_rows, vec![file]).unwrap()
}
