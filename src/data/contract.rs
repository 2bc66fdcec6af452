//! Whether the data is what the contract says, with the rows that break it. Pure.

use std::collections::BTreeMap;

use crate::base::{Span, nearest};

use super::sort::ordered;
use super::task::short;
use super::{BadCell, Bound, Cell, Column, ColumnRule, ColumnType, Contract, Frame, Values};

/// Evidence beyond this is only counted.
const MAX_EVIDENCE: usize = 5;

/// A broken rule with the rows that break it.
#[derive(Debug, Clone, PartialEq)]
pub struct Violation {
    /// `bmi: range [10, 60]`.
    pub rule: String,
    pub message: String,
    pub n_rows: usize,
    /// Every row at fault, ascending; empty when the rule is about the table as a whole.
    pub rows: Vec<usize>,
    /// `data/diabetes.csv:17: bmi = 99`, at most five.
    pub evidence: Vec<String>,
    pub span: Span,
}

/// Checks every rule; the order is that of the contract.
///
/// `bad_cells` are the cells that do not read as the type that the contract declares; they are missing in the table,
/// and do not count as missing here.
pub fn check_contract(frame: &Frame, bad_cells: &[BadCell], contract: &Contract) -> Vec<Violation> {
    let mut found = Vec::new();
    let bounds = [("min", contract.min_rows), ("max", contract.max_rows)];
    found.extend(
        bounds
            .into_iter()
            .filter_map(|(end, bound)| row_count(frame, end, bound?)),
    );
    for rule in &contract.columns {
        match frame.column(&rule.column) {
            Some(column) => found.extend(check_column(frame, column, rule, bad_cells)),
            None => found.push(absent(frame, rule)),
        }
    }
    found
}

fn row_count(frame: &Frame, end: &str, bound: Bound) -> Option<Violation> {
    let n = frame.n_rows() as f64;
    let (broken, words) = if end == "min" {
        (n < bound.value, "at least")
    } else {
        (n > bound.value, "at most")
    };
    broken.then(|| Violation {
        rule: format!("rows: {end} {}", bound.value),
        message: format!("the data has {} rows, not {words} {}", frame.n_rows(), bound.value),
        n_rows: 0,
        rows: Vec::new(),
        evidence: Vec::new(),
        span: bound.span,
    })
}

fn absent(frame: &Frame, rule: &ColumnRule) -> Violation {
    let names = frame.columns().iter().map(|column| column.name.as_str());
    let hint = nearest(&rule.column, names).map_or(String::new(), |near| format!("; did you mean `{near}`?"));
    Violation {
        rule: format!("{}: present", rule.column),
        message: format!("there is no column `{}` in the data{hint}", rule.column),
        n_rows: 0,
        rows: Vec::new(),
        evidence: Vec::new(),
        span: rule.span,
    }
}

fn check_column(frame: &Frame, column: &Column, rule: &ColumnRule, bad_cells: &[BadCell]) -> Vec<Violation> {
    let name = &column.name;
    let bad: BTreeMap<usize, &str> = bad_cells
        .iter()
        .filter(|cell| cell.column == *name)
        .map(|cell| (cell.row, cell.text.as_str()))
        .collect();
    let mut found = Vec::new();
    let mut add = |rule_text: String, rows: Vec<usize>, what: &str| {
        if rows.is_empty() {
            return;
        }
        let shown = |row: &usize| {
            let value = match (bad.get(row), column.label(*row)) {
                (Some(text), _) => short(text),
                (None, Some(label)) => short(&label),
                (None, None) => "missing".to_owned(),
            };
            format!("{}: {name} = {value}", frame.place(*row))
        };
        let plural = if rows.len() == 1 { "row has" } else { "rows have" };
        found.push(Violation {
            rule: format!("{name}: {rule_text}"),
            message: format!("{} {plural} {what}", rows.len()),
            n_rows: rows.len(),
            evidence: rows.iter().take(MAX_EVIDENCE).map(shown).collect(),
            rows,
            span: rule.span,
        });
    };
    if let Some(kind) = rule.kind {
        let rows = bad.keys().copied().collect();
        add(
            format!("type {}", kind.name()),
            rows,
            &format!("a `{name}` that is not {}", kind.article()),
        );
    }
    if let Some((low, high)) = rule.range {
        let outside = |row: &usize| match column.cell(*row) {
            Cell::Number(number) => number < low || number > high,
            Cell::Text(_) => true,
            Cell::Missing => false,
        };
        let rows = (0..frame.n_rows()).filter(outside).collect();
        add(
            format!("range [{low}, {high}]"),
            rows,
            &format!("a `{name}` outside {low} to {high}"),
        );
    }
    if let Some(most) = rule.max_missing {
        let missing = |row: &usize| column.is_missing(*row) && !bad.contains_key(row);
        let rows: Vec<usize> = (0..frame.n_rows()).filter(missing).collect();
        let share = rows.len() as f64 / frame.n_rows().max(1) as f64;
        if share > most {
            let what = format!(
                "no `{name}`: {} of all rows, not at most {}",
                percent(share),
                percent(most)
            );
            add(format!("nulls {}", percent(most)), rows, &what);
        }
    }
    if let Some(allowed) = &rule.one_of {
        let rows = not_one_of(column, allowed);
        let list = allowed
            .iter()
            .take(10)
            .map(|value| short(value))
            .collect::<Vec<_>>()
            .join(", ");
        let list = if allowed.len() > 10 {
            format!("{list}, …")
        } else {
            list
        };
        add(
            format!("one_of [{list}]"),
            rows,
            &format!("a `{name}` that is not one of the allowed values"),
        );
    }
    if rule.unique {
        add(
            "unique".to_owned(),
            repeated(column),
            &format!("a `{name}` that an earlier row has too"),
        );
    }
    found
}

fn percent(share: f64) -> String {
    let digits = (share * 1e6).round() / 1e4;
    if share > 0.0 && digits <= 0.0 {
        "under 0.0001 %".to_owned()
    } else {
        format!("{digits} %")
    }
}

fn not_one_of(column: &Column, allowed: &[String]) -> Vec<usize> {
    match &column.values {
        Values::Numbers(numbers) => {
            let known = allowed.iter().filter_map(|value| read_as(column.kind, value));
            let mut known: Vec<u64> = known.map(ordered).collect();
            known.sort_unstable();
            let is_other = |number: f64| !number.is_nan() && known.binary_search(&ordered(number)).is_err();
            (0..numbers.len()).filter(|&row| is_other(numbers[row])).collect()
        }
        Values::Texts { codes, levels } => {
            let is_other: Vec<bool> = levels.iter().map(|level| !allowed.contains(level)).collect();
            let broken = |row: &usize| is_other.get(codes[*row] as usize).copied().unwrap_or(false);
            (0..codes.len()).filter(broken).collect()
        }
    }
}

/// A value of the configuration as the column would hold it.
fn read_as(kind: ColumnType, text: &str) -> Option<f64> {
    match kind {
        ColumnType::Boolean => super::value::boolean(text).map(f64::from),
        ColumnType::Timestamp => super::value::timestamp(text),
        ColumnType::Float | ColumnType::Integer | ColumnType::Text => text.trim().parse().ok(),
    }
}

/// Every row whose value an earlier row has; missing values do not count.
fn repeated(column: &Column) -> Vec<usize> {
    match &column.values {
        Values::Numbers(numbers) => {
            let known = numbers.iter().enumerate().filter(|(_, number)| !number.is_nan());
            let mut keys: Vec<(u64, usize)> = known.map(|(row, number)| (ordered(*number), row)).collect();
            keys.sort_unstable();
            let again = keys.windows(2).filter(|pair| pair[0].0 == pair[1].0);
            let mut rows: Vec<usize> = again.map(|pair| pair[1].1).collect();
            rows.sort_unstable();
            rows
        }
        Values::Texts { codes, levels } => {
            let mut seen = vec![false; levels.len()];
            let again = |row: &usize| {
                seen.get_mut(codes[*row] as usize)
                    .is_some_and(|seen| std::mem::replace(seen, true))
            };
            (0..codes.len()).filter(again).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::testing::{frame, numbers, texts};

    fn rule(column: &str) -> ColumnRule {
        ColumnRule {
            column: column.to_owned(),
            span: Span::new(9, 7, 10),
            kind: None,
            range: None,
            max_missing: None,
            one_of: None,
            unique: false,
        }
    }

    #[test]
    fn every_rule_names_its_rows() {
        let table = frame(vec![
            numbers("bmi", &[20.5, f64::NAN, 99.0, 9.0, f64::NAN]),
            numbers("sex", &[1.0, 2.0, 3.0, 1.0, f64::NAN]),
            texts("site", &["a", "b", "", "c", "a"]),
        ]);
        let bad = [BadCell {
            row: 1,
            column: "bmi".to_owned(),
            text: "n.a.".to_owned(),
        }];
        let span = Span::new(7, 5, 9);
        let contract = Contract {
            min_rows: Some(Bound { value: 400.0, span }),
            max_rows: Some(Bound { value: 4.0, span }),
            columns: vec![
                ColumnRule {
                    kind: Some(ColumnType::Float),
                    range: Some((10.0, 60.0)),
                    max_missing: Some(0.0),
                    ..rule("bmi")
                },
                ColumnRule {
                    one_of: Some(vec!["1".to_owned(), "2.0".to_owned()]),
                    unique: true,
                    ..rule("sex")
                },
                ColumnRule {
                    one_of: Some(vec!["a".to_owned(), "b".to_owned()]),
                    unique: true,
                    range: Some((0.0, 1.0)),
                    ..rule("site")
                },
                rule("stie"),
            ],
        };
        let shown = check_contract(&table, &bad, &contract).into_iter().map(|broken| {
            format!(
                "[{}] {} ({} rows {:?})\n  {}",
                broken.rule,
                broken.message,
                broken.n_rows,
                broken.rows,
                broken.evidence.join("\n  ")
            )
        });
        insta::assert_snapshot!(shown.collect::<Vec<_>>().join("\n"), @r#"
    [rows: min 400] the data has 5 rows, not at least 400 (0 rows [])
      
    [rows: max 4] the data has 5 rows, not at most 4 (0 rows [])
      
    [bmi: type float] 1 row has a `bmi` that is not a number (1 rows [1])
      data.csv:3: bmi = n.a.
    [bmi: range [10, 60]] 2 rows have a `bmi` outside 10 to 60 (2 rows [2, 3])
      data.csv:4: bmi = 99
      data.csv:5: bmi = 9
    [bmi: nulls 0 %] 1 row has no `bmi`: 20 % of all rows, not at most 0 % (1 rows [4])
      data.csv:6: bmi = missing
    [sex: one_of [1, 2.0]] 1 row has a `sex` that is not one of the allowed values (1 rows [2])
      data.csv:4: sex = 3
    [sex: unique] 1 row has a `sex` that an earlier row has too (1 rows [3])
      data.csv:5: sex = 1
    [site: range [0, 1]] 4 rows have a `site` outside 0 to 1 (4 rows [0, 1, 3, 4])
      data.csv:2: site = a
      data.csv:3: site = b
      data.csv:5: site = c
      data.csv:6: site = a
    [site: one_of [a, b]] 1 row has a `site` that is not one of the allowed values (1 rows [3])
      data.csv:5: site = c
    [site: unique] 1 row has a `site` that an earlier row has too (1 rows [4])
      data.csv:6: site = a
    [stie: present] there is no column `stie` in the data; did you mean `site`? (0 rows [])
    "#);
    }

    #[test]
    fn data_as_agreed_breaks_nothing() {
        let table = frame(vec![numbers("sex", &[1.0, 2.0])]);
        let contract = Contract {
            min_rows: None,
            max_rows: None,
            columns: vec![ColumnRule {
                range: Some((1.0, 2.0)),
                max_missing: Some(0.0),
                one_of: Some(vec!["1".to_owned(), "2".to_owned()]),
                unique: true,
                ..rule("sex")
            }],
        };
        assert_eq!(check_contract(&table, &[], &contract), []);
    }
}
