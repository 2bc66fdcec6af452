//! What a run found, as W&B shows it: rows with their pictures and tables, and the panels of its charts. Pure.

use std::collections::BTreeMap;

use crate::track::record::{Cell, Chart, ChartKind, Image, Row, Table};
use crate::wandb::media::{self, Extras, Medium, Preset, Value};

/// Values of a row by their names.
pub type Values = BTreeMap<String, Value>;

/// Everything that a run shows at its last step.
#[derive(Debug, Default, PartialEq)]
pub struct Shown {
    /// With those of the charts.
    pub tables: Vec<media::Table>,
    /// Key → picture.
    pub images: BTreeMap<String, Medium>,
    pub extras: Extras,
}

/// The step that pictures and tables belong to: that of the last row, or the only one where there is none.
pub fn last_step(history: &[Row]) -> u64 {
    history.len().saturating_sub(1) as u64
}

/// What is beside the numbers of `history`.
pub fn shown(history: &[Row], tables: Vec<Table>, charts: Vec<Chart>, images: Vec<Image>) -> Shown {
    let step = last_step(history);
    let panels = charts.iter().map(panel).collect();
    let tables = tables.into_iter().chain(charts.into_iter().map(|chart| chart.table));
    let images = images.into_iter().map(|image| {
        let Image {
            key,
            caption,
            png,
            width,
            height,
        } = image;
        let picture = media::Image {
            key: key.clone(),
            caption,
            png,
            width,
            height,
        };
        (key, picture.medium(step))
    });
    Shown {
        tables: tables.map(table).collect(),
        images: images.collect(),
        extras: Extras {
            panels,
            hidden: ends(history),
        },
    }
}

/// The ends of intervals: they are in the table of runs, and no panel of their own says anything.
fn ends(history: &[Row]) -> Vec<String> {
    let names: std::collections::BTreeSet<&String> = history.iter().flat_map(|row| row.keys()).collect();
    let is_end = |name: &str| {
        let whole = name.strip_suffix("_low").or_else(|| name.strip_suffix("_high"));
        whole.is_some_and(|whole| names.contains(&whole.to_owned()))
    };
    let ends = names.iter().filter(|name| is_end(name));
    ends.map(|name| (*name).clone()).collect()
}

fn table(table: Table) -> media::Table {
    let rows = table.rows.into_iter();
    media::Table {
        key: table.key,
        columns: table.columns,
        rows: rows.map(|row| row.into_iter().map(value).collect()).collect(),
    }
}

fn panel(chart: &Chart) -> (String, serde_json::Value) {
    let drawn = media::Chart {
        preset: match chart.kind {
            ChartKind::Line => Preset::Line,
            ChartKind::Scatter => Preset::Scatter,
            ChartKind::Bar => Preset::Bar,
            ChartKind::Histogram => Preset::Histogram,
        },
        title: chart.title.clone(),
        x: chart.x.clone(),
        y: chart.y.clone(),
        stroke: chart.stroke.clone(),
        table: chart.table.key.clone(),
    };
    (chart.key.clone(), drawn.panel())
}

fn value(cell: Cell) -> Value {
    match cell {
        Cell::Number(number) => Value::Number(number),
        Cell::Whole(number) => Value::Whole(number),
        Cell::Truth(truth) => Value::Truth(truth),
        Cell::Text(text) => Value::Text(text),
        Cell::Missing => Value::Missing,
    }
}

pub fn values(row: Row) -> Values {
    row.into_iter().map(|(name, cell)| (name, value(cell))).collect()
}

/// The rows by step, the last of them with the cells of what is shown; and the summary, which has the last value of
/// everything.
pub fn rows(history: Vec<Row>, summary: Row, cells: Values) -> (Vec<Values>, Values) {
    let mut rows: Vec<Values> = history.into_iter().map(values).collect();
    if !cells.is_empty() {
        match rows.last_mut() {
            Some(last) => last.extend(cells),
            None => rows.push(cells),
        }
    }
    let known = |(_, value): &(&String, &Value)| !value.is_missing();
    let mut last: Values = Values::new();
    for row in &rows {
        let values = row.iter().filter(known);
        last.extend(values.map(|(name, value)| (name.clone(), value.clone())));
    }
    last.extend(values(summary));
    (rows, last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(pairs: &[(&str, Cell)]) -> Row {
        pairs
            .iter()
            .map(|(name, cell)| ((*name).to_owned(), cell.clone()))
            .collect()
    }

    #[test]
    fn the_summary_has_the_last_of_everything() {
        let history = vec![
            row(&[("a", Cell::Whole(1)), ("b", Cell::Whole(1))]),
            row(&[("a", Cell::Whole(2)), ("b", Cell::Missing), ("c", Cell::Whole(2))]),
        ];
        let picture = Values::from([(
            "picture".to_owned(),
            Value::Json(serde_json::json!({"_type": "image-file"})),
        )]);
        let summary = row(&[("c", Cell::Missing), ("passed", Cell::Truth(true))]);
        let (rows, last) = rows(history, summary, picture.clone());
        assert_eq!(rows.len(), 2);
        assert!(!rows[0].contains_key("picture"));
        assert_eq!(rows[1]["picture"], picture["picture"]);
        let mut expected = picture;
        expected.extend([
            ("a".to_owned(), Value::Whole(2)),
            ("b".to_owned(), Value::Whole(1)),
            ("c".to_owned(), Value::Missing),
            ("passed".to_owned(), Value::Truth(true)),
        ]);
        assert_eq!(last, expected);
    }

    #[test]
    fn what_is_shown_has_a_row_even_alone() {
        let cells = Values::from([("t".to_owned(), Value::Whole(1))]);
        assert_eq!(
            rows(Vec::new(), Row::new(), cells.clone()),
            (vec![cells.clone()], cells)
        );
        assert_eq!(rows(Vec::new(), Row::new(), Values::new()), (Vec::new(), Values::new()));
        assert_eq!((last_step(&[]), last_step(&[Row::new(), Row::new()])), (0, 1));
    }

    #[test]
    fn only_the_ends_of_intervals_are_hidden() {
        let names = [
            "test/rmse",
            "test/rmse_low",
            "test/rmse_high",
            "too_low",
            "test/mae_low",
        ];
        let history = [row(&names.map(|name| (name, Cell::Whole(1))))];
        assert_eq!(ends(&history), ["test/rmse_high", "test/rmse_low"]);
    }

    #[test]
    fn a_chart_is_a_panel_over_its_table() {
        let chart = Chart {
            key: "residuals".to_owned(),
            title: "Residuals".to_owned(),
            kind: ChartKind::Histogram,
            x: "residual".to_owned(),
            y: "rows".to_owned(),
            stroke: None,
            table: Table {
                key: "residuals_table".to_owned(),
                columns: vec!["residual".to_owned()],
                rows: vec![vec![Cell::Number(0.5)]],
                note: None,
            },
        };
        let image = Image {
            key: "overview".to_owned(),
            caption: "All".to_owned(),
            png: vec![1],
            width: 1,
            height: 1,
        };
        let table = Table {
            key: "gates".to_owned(),
            ..Table::default()
        };
        let found = shown(&[Row::new(), Row::new()], vec![table], vec![chart], vec![image]);
        let keys: Vec<&str> = found.tables.iter().map(|table| table.key.as_str()).collect();
        assert_eq!(keys, ["gates", "residuals_table"]);
        assert_eq!(found.tables[1].rows, [[Value::Number(0.5)]]);
        assert!(found.images["overview"].path.starts_with("media/images/overview_1_"));
        let panel = &found.extras.panels["residuals"]["panel_config"];
        assert_eq!(panel["panelDefId"], "wandb/histogram/v0");
        assert_eq!(panel["fieldSettings"], serde_json::json!({"value": "residual"}));
        let fields = &panel["userQuery"]["queryFields"][0]["fields"];
        assert_eq!(fields[3]["args"][0]["value"], "residuals_table");
    }
}
