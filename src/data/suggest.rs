//! A contract that today's data keeps, with room for tomorrow's. Pure.

use super::profile::{ColumnProfile, Profile, Summary};
use super::quality::counts_rows;
use super::{Column, ColumnType, Frame, Values, number_label};

/// Texts of at most this many different values are listed, if each stands for this many rows on average.
const MAX_LISTED: usize = 20;
const ROWS_PER_VALUE: usize = 10;

/// Longer lists, or values, are nothing to read in a configuration.
const MAX_LIST_CHARS: usize = 300;

/// Fewer known numbers than this show no range.
const MIN_KNOWN: usize = 20;

/// Whole numbers of at most this many different values are codes or small counts, whose range is kept as it is.
const MAX_CODES: usize = 5;

/// How far a range is widened at each end, of its span.
const ROOM: f64 = 0.1;

/// What training may rely on.
#[derive(Debug, Clone, PartialEq)]
pub struct Suggestion {
    pub min_rows: usize,
    /// The target first, then in the order of the table.
    pub columns: Vec<ColumnSuggestion>,
}

/// What one column may be, in the words of a contract's rule.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnSuggestion {
    pub column: String,
    pub kind: ColumnType,
    /// The greatest share of missing values in whole per cent, 0 to 99; `None`: any.
    pub max_missing_percent: Option<u32>,
    /// Both ends included.
    pub range: Option<(f64, f64)>,
    /// As written in the data, in ascending order.
    pub one_of: Option<Vec<String>>,
    pub unique: bool,
    /// What is there today, in a few words.
    pub why: String,
}

/// Suggests a contract that `frame` keeps; `profile` is the one of all its rows.
///
/// Rows: at least four fifths of today's. Missing values: none where there is none, otherwise at least two per cent
/// more than today in steps of five. Ranges of numbers: a tenth of the span wider at each end, out to two digits of it,
/// but not beyond 0 for numbers of one sign; of at most five different whole numbers as they are; none of fewer than twenty numbers, and none of what grows,
/// such as years and identifiers. Values: listed for texts of at most twenty that stand for ten rows each.
pub fn suggest(frame: &Frame, profile: &Profile, target: &str, is_class: bool) -> Suggestion {
    let described = || frame.columns().iter().zip(&profile.columns);
    let target_first = described().filter(|(column, _)| column.name == target);
    let others = described().filter(|(column, _)| column.name != target);
    let columns = target_first
        .chain(others)
        .map(|(column, profile)| of_column(column, profile, column.name == target, is_class))
        .collect();
    Suggestion {
        min_rows: least_rows(profile.n_rows),
        columns,
    }
}

/// Four fifths of today's rows in two digits: data that shrinks more than that is probably broken.
fn least_rows(n_rows: usize) -> usize {
    let least = n_rows * 4 / 5;
    let mut unit = 1;
    while least / unit >= 100 {
        unit *= 10;
    }
    least / unit * unit
}

/// Whether a column's name says that it names rows.
pub fn identifies(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    matches!(
        lower.as_str(),
        "id" | "index" | "uuid" | "guid" | "row" | "unnamed: 0" | ""
    ) || lower.ends_with("_id")
        || lower.ends_with("-id")
        || lower.ends_with(" id")
}

fn of_column(column: &Column, profile: &ColumnProfile, is_target: bool, is_class: bool) -> ColumnSuggestion {
    let is_class_target = is_target && is_class;
    let unique = !is_target && identifies(&column.name) && profile.n_distinct == profile.n && profile.n > 1;
    let one_of = one_of(column, profile, is_class_target);
    let range = if unique || one_of.is_some() || grows(column, profile) {
        None
    } else {
        range(profile)
    };
    let what = why(profile, unique, one_of.as_deref());
    let why = if is_target { format!("the target; {what}") } else { what };
    ColumnSuggestion {
        column: column.name.clone(),
        kind: column.kind,
        max_missing_percent: max_missing(profile),
        range,
        one_of,
        unique,
        why,
    }
}

/// Years, moments and numbers of rows are greater tomorrow.
fn grows(column: &Column, profile: &ColumnProfile) -> bool {
    let lower = column.name.to_lowercase();
    let is_calendar = ["year", "date", "time"].iter().any(|word| lower.contains(word));
    let Values::Numbers(numbers) = &column.values else {
        return false;
    };
    let is_whole = column.kind == ColumnType::Integer;
    is_whole && (is_calendar || counts_rows(&column.name, numbers, profile.n_distinct))
}

fn max_missing(profile: &ColumnProfile) -> Option<u32> {
    if profile.n_missing == 0 {
        return Some(0);
    }
    let today = 100.0 * profile.n_missing as f64 / profile.n.max(1) as f64;
    let limit = ((today + 2.0) / 5.0).ceil() * 5.0;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "below 100")]
    (limit < 100.0).then_some(limit as u32)
}

/// The values of a text that recurs, and of whole numbers that are classes.
fn one_of(column: &Column, profile: &ColumnProfile, is_class_target: bool) -> Option<Vec<String>> {
    let is_listed = match column.kind {
        ColumnType::Text => true,
        ColumnType::Integer => is_class_target,
        ColumnType::Float | ColumnType::Boolean | ColumnType::Timestamp => false,
    };
    let n_known = profile.n - profile.n_missing;
    if !is_listed || profile.n_distinct == 0 || n_known < ROWS_PER_VALUE * profile.n_distinct {
        return None;
    }
    let values: Vec<String> = column
        .distinct(MAX_LISTED)?
        .into_iter()
        .map(|(value, _)| value)
        .collect();
    let n_chars: usize = values.iter().map(|value| value.chars().count() + 2).sum();
    let is_plain = values.iter().all(|value| !value.chars().any(char::is_control));
    (is_plain && n_chars <= MAX_LIST_CHARS).then_some(values)
}

/// The observed range with room at both ends, in as many digits as its span has; it holds every value of today.
fn range(profile: &ColumnProfile) -> Option<(f64, f64)> {
    let Summary::Numbers(numbers) = &profile.summary else {
        return None;
    };
    let (min, max) = (numbers.min, numbers.max);
    let span = max - min;
    if !matches!(profile.kind, ColumnType::Float | ColumnType::Integer) || span <= 0.0 || !span.is_finite() {
        return None;
    }
    if profile.n - profile.n_missing < MIN_KNOWN {
        return None;
    }
    let is_whole = profile.kind == ColumnType::Integer;
    if is_whole && profile.n_distinct <= MAX_CODES {
        return Some((min, max));
    }
    let power = span.log10().floor() - 1.0;
    let power = if is_whole { power.max(0.0) } else { power };
    let step = 10.0_f64.powf(power);
    // Written as digits and a power of ten, so that a step of 0.1 makes 0.3 and not 0.30000000000000004.
    let rounded = |steps: f64| {
        format!("{steps:.0}e{power:.0}")
            .parse::<f64>()
            .ok()
            .filter(|v| v.is_finite())
    };
    let low = rounded(((min - ROOM * span) / step).floor())?.min(min);
    let high = rounded(((max + ROOM * span) / step).ceil())?.max(max);
    let low = if min >= 0.0 { low.max(0.0) } else { low };
    let high = if max <= 0.0 { high.min(0.0) } else { high };
    Some((low, high))
}

/// What is there today, in a few words.
fn why(profile: &ColumnProfile, unique: bool, one_of: Option<&[String]>) -> String {
    let label = |number: f64| number_label(profile.kind, number);
    let what = match (&profile.summary, one_of) {
        (Summary::Empty, _) => return "no value today".to_owned(),
        _ if unique => "names a row".to_owned(),
        (_, Some(values)) if values.len() == 1 => "one value today".to_owned(),
        (_, Some(values)) => format!("{} values today", values.len()),
        (Summary::Numbers(numbers), None) if profile.n_distinct == 1 => format!("always {} today", label(numbers.min)),
        (Summary::Numbers(_), None) if profile.kind == ColumnType::Boolean => "false and true today".to_owned(),
        (Summary::Numbers(numbers), None) => format!("{} to {} today", label(numbers.min), label(numbers.max)),
        (Summary::Times { first, .. }, None) if profile.n_distinct == 1 => format!("always {} today", label(*first)),
        (Summary::Times { first, last }, None) => format!("{} to {} today", label(*first), label(*last)),
        (Summary::Texts(_), None) if profile.n_distinct == 1 => "one text today".to_owned(),
        (Summary::Texts(_), None) => format!("{} different texts today", profile.n_distinct),
    };
    if profile.n_missing == 0 {
        return what;
    }
    let share = 100.0 * profile.n_missing as f64 / profile.n.max(1) as f64;
    let share = (share * 10.0).round() / 10.0;
    let missing = if share < 0.1 {
        "under 0.1 % missing".to_owned()
    } else {
        format!("{share} % missing")
    };
    format!("{what}, {missing}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::base::Span;
    use crate::data::testing::{frame, numbers, texts};
    use crate::data::{Bound, ColumnRule, Contract, check_contract, profile, read_source};

    fn suggested(table: &Frame, target: &str, is_class: bool) -> Suggestion {
        suggest(table, &profile(table, None), target, is_class)
    }

    fn shown(column: &ColumnSuggestion) -> String {
        let mut parts = vec![column.kind.name().to_owned()];
        parts.extend(column.max_missing_percent.map(|percent| format!("nulls {percent}%")));
        parts.extend(column.range.map(|(low, high)| format!("range [{low}, {high}]")));
        parts.extend(column.one_of.as_ref().map(|values| format!("one_of {values:?}")));
        parts.extend(column.unique.then(|| "unique".to_owned()));
        format!("{}: {} # {}", column.column, parts.join(", "), column.why)
    }

    fn as_contract(suggestion: &Suggestion) -> Contract {
        let span = Span::new(1, 1, 1);
        let rule = |column: &ColumnSuggestion| ColumnRule {
            column: column.column.clone(),
            span,
            kind: Some(column.kind),
            range: column.range,
            max_missing: column.max_missing_percent.map(|percent| f64::from(percent) / 100.0),
            one_of: column.one_of.clone(),
            unique: column.unique,
        };
        Contract {
            min_rows: Some(Bound {
                value: suggestion.min_rows as f64,
                span,
            }),
            max_rows: None,
            columns: suggestion.columns.iter().map(rule).collect(),
        }
    }

    fn range_of(values: &[f64]) -> Option<(f64, f64)> {
        let table = frame(vec![numbers("x", values)]);
        suggested(&table, "y", false).columns[0].range
    }

    #[test]
    fn every_kind_of_column_has_its_rules() {
        let n = 60;
        let of = |value: &dyn Fn(u32) -> f64| (0..n).map(value).collect::<Vec<f64>>();
        let site: Vec<&str> = (0..n as usize).map(|i| ["north", "south", ""][i % 7 % 3]).collect();
        let notes: Vec<String> = (0..n).map(|i| format!("note {}", i % 40)).collect();
        let notes: Vec<&str> = notes.iter().map(String::as_str).collect();
        let mut when = numbers("when", &of(&|i| f64::from(i) * 86_400.0));
        when.kind = ColumnType::Timestamp;
        let mut smoker = numbers("smoker", &of(&|i| f64::from(i % 2)));
        smoker.kind = ColumnType::Boolean;
        let table = frame(vec![
            numbers("patient_id", &of(&|i| f64::from(5000 + 3 * i))),
            numbers("age", &of(&|i| f64::from(18 + i % 50))),
            numbers("bmi", &of(&|i| 18.25 + f64::from(i) / 4.0)),
            numbers("sex", &of(&|i| f64::from(1 + i % 2))),
            numbers("change", &of(&|i| -0.031 * f64::from(i))),
            numbers("year", &of(&|i| f64::from(2007 + i / 20))),
            numbers("visit", &of(&|i| f64::from(i))),
            texts("site", &site),
            texts("note", &notes),
            when,
            smoker,
            numbers("one", &of(&|_| 7.0)),
            numbers("none", &of(&|_| f64::NAN)),
            numbers("class", &of(&|i| f64::from(i % 3))),
        ]);
        let suggestion = suggested(&table, "class", true);
        let lines: Vec<String> = suggestion.columns.iter().map(shown).collect();
        insta::assert_snapshot!(format!("rows {}\n{}", suggestion.min_rows, lines.join("\n")), @r#"
        rows 48
        class: integer, nulls 0%, one_of ["0", "1", "2"] # the target; 3 values today
        patient_id: integer, nulls 0%, unique # names a row
        age: integer, nulls 0%, range [13, 72] # 18 to 67 today
        bmi: float, nulls 0%, range [16, 35] # 18.25 to 33 today
        sex: integer, nulls 0%, range [1, 2] # 1 to 2 today
        change: float, nulls 0%, range [-2.1, 0] # -1.829 to 0 today
        year: integer, nulls 0% # 2007 to 2009 today
        visit: integer, nulls 0% # 0 to 59 today
        site: text, nulls 35%, one_of ["north", "south"] # 2 values today, 28.3 % missing
        note: text, nulls 0% # 40 different texts today
        when: timestamp, nulls 0% # 1970-01-01 to 1970-03-01 today
        smoker: boolean, nulls 0% # false and true today
        one: integer, nulls 0% # always 7 today
        none: integer # no value today
        "#);
        assert_eq!(check_contract(&table, &[], &as_contract(&suggestion)), []);
    }

    #[test]
    fn real_data_keeps_it_when_it_is_read_as_it_says() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
        for (source, target, is_class) in [
            ("repos/breast-cancer/data/wdbc.csv", "diagnosis", true),
            ("repos/diabetes/data/diabetes.csv", "progression", false),
            ("repos/iris/data/iris.csv", "species", true),
            ("repos/python-poetry/data/wine.csv", "cultivar", true),
            ("data/penguins.csv", "species", true),
            ("data/penguins.jsonl", "sex", true),
            ("data/penguins-zstd.parquet", "body_mass_g", false),
            ("data/types.parquet", "f32", false),
            ("drift/quality/msleep-summary/*.csv", "vore", true),
            ("compare/diabetes-ridge/predictions.csv", "y", false),
        ] {
            let frame = read_source(&root, source, &BTreeMap::new()).unwrap().frame;
            let suggestion = suggested(&frame, target, is_class);
            let contract = as_contract(&suggestion);
            let types = suggestion
                .columns
                .iter()
                .map(|column| (column.column.clone(), column.kind));
            let again = read_source(&root, source, &types.collect()).unwrap();
            assert_eq!(again.bad_cells, [], "{source}");
            assert_eq!(
                check_contract(&again.frame, &again.bad_cells, &contract),
                [],
                "{source}"
            );
        }
    }

    #[test]
    fn fewer_rows_than_today_are_allowed() {
        assert_eq!(
            [0, 1, 10, 442, 150, 1_000_000].map(least_rows),
            [0, 0, 8, 350, 120, 800_000]
        );
    }

    #[test]
    fn ranges_have_room_and_round_ends() {
        let spread = |low: f64, high: f64| {
            (0..=20)
                .map(|i| low + (high - low) * f64::from(i) / 20.0)
                .collect::<Vec<_>>()
        };
        let range = |low, high| range_of(&spread(low, high));
        assert_eq!(range(18.0, 42.5), Some((15.0, 45.0)));
        assert_eq!(range(0.013, 0.0875), Some((0.005, 0.095)));
        assert_eq!(range(-3.5, 4.0), Some((-4.3, 4.8)));
        assert_eq!(range(1.0, 1e6), Some((0.0, 1.1e6)));
        assert_eq!(range(-1e6, -1.0), Some((-1.1e6, 0.0)));
        assert_eq!(range(-1e308, 1e308), None);
        assert_eq!(range_of(&[2.5; 30]), None);
        let tiny = range(1e-300, 9e-300).unwrap();
        assert!(tiny.0 <= 1e-300 && tiny.1 >= 9e-300 && tiny.1 < 1.1e-299, "{tiny:?}");
    }

    proptest! {
        #[test]
        fn data_keeps_the_contract_that_was_suggested_for_it(
            cells in prop::collection::vec((prop_oneof![Just(f64::NAN), (-100..100_i32).prop_map(f64::from), prop::num::f64::NORMAL], "[ab \\n]{0,2}"), 1..60),
            is_class: bool,
        ) {
            let x: Vec<f64> = cells.iter().map(|(x, _)| *x).collect();
            let t: Vec<&str> = cells.iter().map(|(_, t)| t.as_str()).collect();
            let table = frame(vec![numbers("x", &x), texts("t", &t), numbers("row_id", &x)]);
            for target in ["x", "t"] {
                let suggestion = suggested(&table, target, is_class);
                prop_assert_eq!(check_contract(&table, &[], &as_contract(&suggestion)), []);
                for (low, high) in suggestion.columns.iter().filter_map(|column| column.range) {
                    prop_assert!(low.is_finite() && high.is_finite() && low <= high);
                }
            }
        }
    }
}
