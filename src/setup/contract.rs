//! The contract that `init` writes: each rule in a line, with what is there today beside it. Pure.

use std::fmt::Write as _;

use crate::data::{ColumnSuggestion, ColumnType, Suggestion, number_label};

use super::quoted;

/// Columns that the contract names; a wider table has a longer contract than anybody reads.
const MAX_COLUMNS: usize = 24;

/// The lines of `data.contract`, and what they say in a few words.
pub fn section(suggestion: &Suggestion) -> (String, String) {
    let mut text = String::from("  contract: # what training may rely on; broken, the `data` gate fails\n");
    // Writing to a string can not fail.
    let _ = writeln!(
        text,
        "    rows: {{min: {}}} # four fifths of today's",
        suggestion.min_rows
    );
    text.push_str("    columns:\n");
    let named: Vec<&ColumnSuggestion> = suggestion.columns.iter().take(MAX_COLUMNS).collect();
    for column in &named {
        let _ = writeln!(
            text,
            "      {}: {{{}}} # {}",
            quoted(&column.column),
            rules(column).join(", "),
            column.why
        );
    }
    let n_left = suggestion.columns.len() - named.len();
    if n_left > 0 {
        let _ = writeln!(text, "      # {n_left} more columns have no rule");
    }
    let n_ranges = named.iter().filter(|column| column.range.is_some()).count();
    let n_lists = named.iter().filter(|column| column.one_of.is_some()).count();
    let said = [(n_ranges, "ranges"), (n_lists, "lists of values")]
        .into_iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, what)| format!(", {what} of {n}"));
    let choice = format!(
        "at least {} rows, types of {} columns{}",
        suggestion.min_rows,
        named.len(),
        said.collect::<String>()
    );
    (text, choice)
}

fn rules(column: &ColumnSuggestion) -> Vec<String> {
    let mut rules = vec![format!("type: {}", column.kind.name())];
    rules.extend(column.max_missing_percent.map(|percent| format!("nulls: {percent}%")));
    if let Some((low, high)) = column.range {
        let number = |value: f64| number_label(ColumnType::Float, value);
        rules.push(format!("range: [{}, {}]", number(low), number(high)));
    }
    if let Some(values) = &column.one_of {
        let value = |value: &String| match column.kind {
            ColumnType::Text => quoted(value),
            _ => value.clone(),
        };
        let values: Vec<String> = values.iter().map(value).collect();
        rules.push(format!("one_of: [{}]", values.join(", ")));
    }
    if column.unique {
        rules.push("unique: true".to_owned());
    }
    rules
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::{Choices, Found, propose};
    use crate::config;
    use crate::data::{check_contract, read, read_source};

    /// What `init` would write for a file, and that the same data keeps it.
    fn kept(folder: &str, file: &str, target: Option<&str>) -> String {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(folder);
        let frame = read_source(&root, file, &std::collections::BTreeMap::new())
            .unwrap()
            .frame;
        let choices = Choices {
            target: target.map(ToOwned::to_owned),
            ..Choices::default()
        };
        let text = propose(file, &frame, &Found::default(), &choices).unwrap().text;
        let checked = config::check(&text).unwrap_or_else(|problems| panic!("{problems}\n{text}"));
        assert!(checked.warnings.is_empty(), "{}\n{text}", checked.warnings);
        let settings = checked.project.data;
        let loaded = read(&root, &settings).unwrap();
        let contract = settings.contract.unwrap();
        assert_eq!(
            check_contract(&loaded.frame, &loaded.bad_cells, &contract),
            [],
            "{text}"
        );
        let lines = text.lines().skip_while(|line| !line.starts_with("  contract:"));
        let lines = lines.take_while(|line| !line.is_empty());
        lines.map(|line| &line[2..]).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn todays_data_keeps_what_is_proposed_for_it() {
        for (folder, file, target) in [
            ("repos/breast-cancer", "data/wdbc.csv", None),
            ("repos/iris", "data/iris.csv", None),
            ("repos/python-poetry", "data/wine.csv", None),
            ("repos/python-pipenv", "data/patients.csv", None),
            ("repos/python-uv", "data/*.csv", None),
            ("data", "penguins.jsonl", Some("species")),
            ("data", "penguins-zstd.parquet", Some("body_mass_g")),
            ("data", "types.parquet", None),
            ("drift/quality/msleep-summary", "current.csv", Some("vore")),
            ("drift/quality/penguins-summary", "*.csv", Some("sex")),
            ("onnx/saved/ridge_penguins_mass", "input.csv", None),
            ("compare/diabetes-ridge", "predictions.csv", None),
        ] {
            kept(folder, file, target);
        }
    }

    #[test]
    fn each_line_says_what_is_there_today() {
        insta::assert_snapshot!(kept("data", "penguins.csv", Some("species")), @r"
        contract: # what training may rely on; broken, the `data` gate fails
          rows: {min: 270} # four fifths of today's
          columns:
            species: {type: text, nulls: 0%, one_of: [Adelie, Chinstrap, Gentoo]} # the target; 3 values today
            island: {type: text, nulls: 0%, one_of: [Biscoe, Dream, Torgersen]} # 3 values today
            bill_length_mm: {type: float, nulls: 5%, range: [29, 63]} # 32.1 to 59.6 today, 0.6 % missing
            bill_depth_mm: {type: float, nulls: 5%, range: [12.2, 22.4]} # 13.1 to 21.5 today, 0.6 % missing
            flipper_length_mm: {type: float, nulls: 5%, range: [166, 237]} # 172 to 231 today, 0.6 % missing
            body_mass_g: {type: float, nulls: 5%, range: [2300, 6700]} # 2700 to 6300 today, 0.6 % missing
            sex: {type: text, nulls: 10%, one_of: [female, male]} # 2 values today, 3.2 % missing
            year: {type: integer, nulls: 0%} # 2007 to 2009 today
        ");
        insta::assert_snapshot!(kept("repos/diabetes", "data/diabetes.csv", None), @r"
        contract: # what training may rely on; broken, the `data` gate fails
          rows: {min: 350} # four fifths of today's
          columns:
            progression: {type: integer, nulls: 0%, range: [0, 380]} # the target; 25 to 346 today
            age: {type: integer, nulls: 0%, range: [13, 85]} # 19 to 79 today
            sex: {type: integer, nulls: 0%, range: [1, 2]} # 1 to 2 today
            bmi: {type: float, nulls: 0%, range: [15, 45]} # 18 to 42.2 today
            bp: {type: float, nulls: 0%, range: [54, 141]} # 62 to 133 today
            s1: {type: float, nulls: 0%, range: [70, 330]} # 97 to 301 today
            s2: {type: float, nulls: 0%, range: [20, 270]} # 41.6 to 242.4 today
            s3: {type: float, nulls: 0%, range: [14, 107]} # 22 to 99 today
            s4: {type: float, nulls: 0%, range: [1.2, 9.8]} # 2 to 9.09 today
            s5: {type: float, nulls: 0%, range: [2.9, 6.4]} # 3.2581 to 6.107 today
            s6: {type: float, nulls: 0%, range: [51, 131]} # 58 to 124 today
        ");
    }
}
