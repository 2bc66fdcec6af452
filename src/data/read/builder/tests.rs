//! What cells make of a column.

use super::*;

fn column(fixed: Option<ColumnType>, cells: &[&str]) -> String {
    column_with(Care::Strict, fixed, cells)
}

fn column_with(care: Care, fixed: Option<ColumnType>, cells: &[&str]) -> String {
    let mut builder = Builder::new("c", fixed, care, 0, 0);
    let pushed: Vec<Pushed> = cells.iter().map(|cell| builder.push(Raw::Untyped(cell))).collect();
    let odd: Vec<&Pushed> = pushed.iter().filter(|pushed| **pushed != Pushed::Kept).collect();
    assert_eq!(builder.len(), cells.len());
    match builder.finish() {
        Finished::Column(column) => {
            let labels: Vec<_> = (0..cells.len())
                .map(|row| column.label(row).map_or("-".into(), std::borrow::Cow::into_owned))
                .collect();
            format!("{} [{}] {odd:?}", column.kind.name(), labels.join(" "))
        }
        Finished::Again(None) => "again".to_owned(),
        Finished::Again(Some(note)) => format!("again: {note:?} {odd:?}"),
        Finished::Unusable(note) => format!("unusable: {note:?} {odd:?}"),
    }
}

#[test]
fn types_are_found() {
    let shown: Vec<String> = [
        &["1", "", "2"][..],
        &["1", "2.5"],
        &["1", "x"],
        &["", "x", "1"],
        &["007", "1"],
        &["1", "007"],
        &["9007199254740993", "1"],
        &["9007199254740993", "1.5"],
        &["True", "FALSE", "NA"],
        &["true", "yes"],
        &["2024-01-01", "2024-01-02T10:00:00Z"],
        &["2024-01-01", "soon"],
        &["1,5", "2"],
        &["1", "1,5", "x"],
        &["inf", "1"],
        &["inf", "x"],
        &["1e999"],
        &["", "NA"],
        &["1", "true"],
    ]
    .iter()
    .map(|cells| format!("{cells:?}: {}", column(None, cells)))
    .collect();
    insta::assert_snapshot!(shown.join("\n"), @r#"
["1", "", "2"]: integer [1 - 2] []
["1", "2.5"]: float [1 2.5] []
["1", "x"]: again
["", "x", "1"]: text [- x 1] []
["007", "1"]: text [007 1] []
["1", "007"]: again
["9007199254740993", "1"]: again
["9007199254740993", "1.5"]: float [9007199254740992 1.5] []
["True", "FALSE", "NA"]: boolean [true false -] []
["true", "yes"]: again
["2024-01-01", "2024-01-02T10:00:00Z"]: timestamp [2024-01-01 2024-01-02T10:00:00Z] []
["2024-01-01", "soon"]: again
["1,5", "2"]: unusable: Comma [Note(Comma)]
["1", "1,5", "x"]: again
["inf", "1"]: unusable: Infinite [Note(Infinite)]
["inf", "x"]: again
["1e999"]: unusable: Infinite [Note(Infinite)]
["", "NA"]: float [- -] []
["1", "true"]: again
"#);
}

#[test]
fn declared_types_hold() {
    let shown: Vec<String> = [
        (ColumnType::Text, &["007", "1.0", "", "2024-01-01"][..]),
        (ColumnType::Integer, &["1", "2.0", "2.5", "9007199254740993", "x"]),
        (ColumnType::Float, &["1", "1,5", "inf", "007"]),
        (ColumnType::Boolean, &["1", "0", "true", "2", "yes"]),
        (ColumnType::Timestamp, &["2024-01-01", "17", "01/02/2024"]),
    ]
    .iter()
    .map(|(kind, cells)| format!("{cells:?}: {}", column(Some(*kind), cells)))
    .collect();
    insta::assert_snapshot!(shown.join("\n"), @r#"
["007", "1.0", "", "2024-01-01"]: text [007 1.0 - 2024-01-01] []
["1", "2.0", "2.5", "9007199254740993", "x"]: integer [1 2 - - -] [Bad, Bad, Bad]
["1", "1,5", "inf", "007"]: float [1 - - 7] [Bad, Bad]
["1", "0", "true", "2", "yes"]: boolean [true false true - -] [Bad, Bad]
["2024-01-01", "17", "01/02/2024"]: timestamp [2024-01-01 - -] [Bad, Bad]
"#);
}

#[test]
fn for_comparisons_a_column_is_text_rather_than_a_refusal() {
    let shown: Vec<String> = [
        (None, &["1,5", "2"][..]),
        (None, &["1", "1,5", "x"]),
        (None, &["inf", "1"]),
        (None, &["inf", "x"]),
        (None, &["1e999"]),
        (Some(ColumnType::Integer), &["inf", "1", "1.5"]),
        (Some(ColumnType::Boolean), &["inf", "true"]),
    ]
    .iter()
    .map(|(kind, cells)| format!("{cells:?}: {}", column_with(Care::Lenient, *kind, cells)))
    .collect();
    insta::assert_snapshot!(shown.join("\n"), @r#"
["1,5", "2"]: again: Comma [Note(Comma)]
["1", "1,5", "x"]: again
["inf", "1"]: integer [- 1] []
["inf", "x"]: again
["1e999"]: integer [-] []
["inf", "1", "1.5"]: integer [- 1 -] [Bad]
["inf", "true"]: boolean [- true] [Bad]
"#);
}

#[test]
fn typed_files_may_not_change_their_mind() {
    let mut builder = Builder::new("c", None, Care::Strict, 1, 0);
    assert_eq!(builder.push(Raw::Integer(1)), Pushed::Kept);
    assert_eq!(builder.push(Raw::Text("1")), Pushed::Conflict("a number"));
    assert_eq!(builder.push(Raw::Boolean(true)), Pushed::Conflict("a number"));
}
