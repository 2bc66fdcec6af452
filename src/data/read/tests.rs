//! Files in, tables or placed problems out.

use std::io::Write;

use proptest::prelude::*;

use super::*;
use crate::base::Span;
use crate::data::{ColumnRule, Contract, Summary, profile};

fn settings(source: &str) -> Settings {
    Settings {
        source: source.to_owned(),
        source_span: Span::new(3, 11, 20),
        target: "y".to_owned(),
        target_span: Span::new(4, 11, 12),
        task: None,
        exclude: Vec::new(),
        split: None,
        contract: None,
    }
}

fn declare(mut settings: Settings, types: &[(&str, ColumnType)]) -> Settings {
    let columns = types.iter().map(|(column, kind)| ColumnRule {
        column: (*column).to_owned(),
        span: Span::new(9, 7, 10),
        kind: Some(*kind),
        range: None,
        max_missing: None,
        one_of: None,
        unique: false,
    });
    settings.contract = Some(Contract {
        min_rows: None,
        max_rows: None,
        columns: columns.collect(),
    });
    settings
}

fn load(files: &[(&str, &[u8])], settings: &Settings) -> Result<Loaded, DataError> {
    let root = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let mut file = tempfile::NamedTempFile::new_in(root.path()).unwrap();
        file.write_all(bytes).unwrap();
        file.persist(root.path().join(name)).unwrap();
    }
    read(root.path(), settings)
}

/// The table as text, or the problems.
fn show(loaded: Result<Loaded, DataError>) -> String {
    match loaded {
        Ok(loaded) => {
            let mut lines: Vec<String> = loaded.frame.columns().iter().map(column).collect();
            lines.extend(loaded.bad_cells.iter().map(|cell| {
                let place = loaded.frame.place(cell.row);
                format!("bad cell {place}: {} = {}", cell.column, cell.text)
            }));
            lines.extend(loaded.warnings.iter().map(ToString::to_string));
            lines.join("\n")
        }
        Err(DataError::Problems(problems)) => problems.to_string(),
        Err(DataError::File(error)) => error.to_string(),
    }
}

fn column(column: &crate::data::Column) -> String {
    let labels =
        (0..column.values.len().min(6)).map(|row| column.label(row).map_or("-".into(), |label| format!("{label:?}")));
    format!(
        "{}: {} {}",
        column.name,
        column.kind.name(),
        labels.collect::<Vec<_>>().join(" ")
    )
}

fn csv(text: &str) -> String {
    show(load(&[("d.csv", text.as_bytes())], &settings("d.csv")))
}

fn jsonl(text: &str) -> String {
    show(load(&[("d.jsonl", text.as_bytes())], &settings("d.jsonl")))
}

fn fixture(name: &str) -> Result<Loaded, DataError> {
    read(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/data"),
        &settings(name),
    )
}

fn all(texts: &[String]) -> String {
    texts.join("\n\n")
}

#[test]
fn csv_is_read_as_written() {
    insta::assert_snapshot!(all(&[
        csv("id,x,ok,when,note\n007,1,True,2024-01-31,\"a, \"\"b\"\"\nc\"\n012,2.50,FALSE,2024-02-01T12:30:00Z,NA\n"),
        csv("\u{feff}a;b\r\n1;x\r\n\r\n2;\"y;z\"\r\n"),
        csv("a\tb\n1\t2"),
        csv("x,y\n1,2\n2,b\n3.50,c\n"),
        csv("n,empty\n9007199254740993,\n1,NaN\n"),
        csv("only\n1\n\n\n2\n"),
    ]), @r#"
    id: text "007" "012"
    x: float "1" "2.5"
    ok: boolean "true" "false"
    when: timestamp "2024-01-31" "2024-02-01T12:30:00Z"
    note: text "a, \"b\"\nc" -

    a: integer "1" "2"
    b: text "x" "y;z"

    a: integer "1"
    b: integer "2"

    x: float "1" "2" "3.5"
    y: text "2" "b" "c"

    n: text "9007199254740993" "1"
    empty: float - -
    warning[empty-column]: `empty` has no value in any row
      = help: add it to `data.exclude`

    only: integer "1" "2"
    "#);
}

#[test]
fn csv_problems_have_places() {
    insta::assert_snapshot!(all(&[
        csv(""),
        csv("\n \n"),
        csv("a,b\n"),
        csv("a,,a\n1,2,3\n"),
        csv("a,b\n1,2\n3\n\"x\ny\",4,5\n"),
        csv("a,b\n1,\"open\n2,3\n"),
        csv("a;b\n1;2\n3;4,5\n"),
        csv("a,b\n1,\"1,5\"\n2,\"2,5\"\n"),
        csv("a,b\n1,2\n2,inf\n"),
        csv("a,b\n1,1e999\n"),
        csv("a,b\n1,x\0y\n"),
        csv("a\rb\r1\r2\r"),
    ]));
}

#[test]
fn csv_of_other_encodings_is_refused_with_its_place() {
    let bytes = |bytes: &[u8]| show(load(&[("d.csv", bytes)], &settings("d.csv")));
    insta::assert_snapshot!(all(&[
        bytes(b"a,b\n1,caf\xe9\n2,\xff\n"),
        bytes(b"\xff\xfea\0,\0b\0"),
        bytes(b"a,\xc3\xa9\n1,2\n3,\xc3,\xa9\n"),
        bytes(b"\x1f\x8b\x08\x00"),
        bytes(b"a,\xe9\n1,2\n"),
    ]), @r#"
    error[not-utf8]: these bytes are not UTF-8
      --> d.csv:2:3
      |
    2 | 1,caf�
      |   ^^^^
      = help: save the file as UTF-8

    error[not-utf8]: these bytes are not UTF-8
      --> d.csv:3:3
      |
    3 | 2,�
      |   ^
      = help: save the file as UTF-8

    error[not-utf8]: the file is UTF-16, not UTF-8
      --> d.csv:1:1
      = help: save it as UTF-8

    error[ragged-row]: this row has 3 cells, but the header has 2 cells
      --> d.csv:3:5
      |
    3 | 3,�,�
      |     ^
      = help: quote cells that contain the separator

    error[wrong-format]: the file is gzip, not text
      --> d.csv:1:1
      = help: unpack it, or give it the ending of its format

    error[not-utf8]: these bytes are not UTF-8
      --> d.csv:1:3
      |
    1 | a,�
      |   ^
      = help: save the file as UTF-8
    "#);
}

#[test]
fn many_ragged_rows_are_counted() {
    let text = format!("a,b\n{}", "1\n".repeat(25));
    let shown = csv(&text);
    assert_eq!(
        shown.matches("this row has 1 cell, but the header has 2 cells").count(),
        10
    );
    assert!(shown.ends_with("error[ragged-row]: and 15 more of the same"), "{shown}");
}

#[test]
fn long_cells_and_wide_headers_are_refused() {
    let long = csv(&format!("a,b\n1,{}\n", "x".repeat((1 << 20) + 1)));
    assert!(
        long.starts_with("error[long-cell]: a cell is longer than 1 MiB\n  --> d.csv:2:3"),
        "{long}"
    );
    let wide = csv(&format!(
        "{}\n",
        (0..=MAX_COLUMNS).map(|i| format!("c{i}")).collect::<Vec<_>>().join(",")
    ));
    assert!(
        wide.starts_with("error[too-many-columns]: there are 10001 columns, more than 10000"),
        "{wide}"
    );
}

#[test]
fn declared_types_win_and_bad_cells_are_kept() {
    let types = [
        ("a", ColumnType::Float),
        ("b", ColumnType::Text),
        ("c", ColumnType::Text),
    ];
    let with = declare(settings("d.csv"), &types);
    insta::assert_snapshot!(show(load(
        &[("d.csv", b"a,b,c\n1,007,\"1,5\"\nx,1.0,NA\n,2,3\n")],
        &with
    )), @r#"
    a: float "1" - -
    b: text "007" "1.0" "2"
    c: text "1,5" - "3"
    bad cell d.csv:3: a = x
    "#);
}

#[test]
fn files_of_a_pattern_are_appended_in_order() {
    let files: [(&str, &[u8]); 3] = [
        ("b.csv", b"y,x\n2,1.5\nz,3\n"),
        ("a.csv", b"x,y\n1,2\n"),
        ("other.txt", b""),
    ];
    let loaded = load(&files, &settings("*.csv")).unwrap();
    assert_eq!(loaded.frame.place(0).to_string(), "a.csv:2");
    assert_eq!(loaded.frame.place(2).to_string(), "b.csv:3");
    assert_eq!(loaded.files, [("a.csv".to_owned(), 8), ("b.csv".to_owned(), 14)]);
    let differs: [(&str, &[u8]); 2] = [("a.csv", b"x,y\n1,2\n"), ("b.csv", b"x,z\n1,2\n")];
    let mixed: [(&str, &[u8]); 2] = [("a.csv", b"x\n1\n"), ("a.jsonl", b"{\"x\": 1}\n")];
    insta::assert_snapshot!(all(&[
        show(Ok(loaded)),
        show(load(&differs, &settings("*.csv"))),
        show(load(&mixed, &settings("a.*"))),
        show(load(&[], &settings("d.csv"))),
        show(load(&[("d.xlsx", b"")], &settings("d.xlsx"))),
        show(load(&[], &settings("s3://bucket/d.csv"))),
    ]), @r#"
    x: float "1" "1.5" "3"
    y: text "2" "2" "z"

    error[schema-differs]: the columns differ from those of `a.csv`: it lacks `y`; only it has `z`
      --> b.csv:1:1
      = help: give every file the same columns, or narrow the pattern in `data.source`

    error[mixed-formats]: `a.csv` and `a.jsonl` are in different formats
      --> 3:11
      = help: narrow the pattern to one format, such as `data/*.csv`

    error[no-data]: no file matches `d.csv`
      --> 3:11
      = help: paths are relative to the directory of the configuration; check the spelling, and that the file is committed or fetched

    error[unknown-format]: the ending `.xlsx` says no format that can be read
      --> 3:11
      = help: use `.csv`, `.tsv`, `.parquet` or `.jsonl` (one JSON object a line), unpacked

    error[not-available-yet]: data from the network is not available yet
      --> 3:11
      = help: fetch it in a step before this one and name the file
    "#);
}

#[test]
fn json_lines_are_read_and_refused_with_their_place() {
    insta::assert_snapshot!(all(&[
        jsonl(
            "{\"a\": 1, \"b\": \"x\", \"t\": \"2024-01-31\"}\n\n{\"c\": true, \"b\": \"007\", \"a\": 2.5, \"t\": null}\n"
        ),
        jsonl("{\"id\": 9007199254740993}\n{\"id\": 1}\n"),
        jsonl("{\"t\": \"2024-01-31\"}\n{\"t\": \"soon\"}\n"),
        jsonl("{\"a\": 1}\n{\"a\": \"x\"}\n{\"a\": [1]}\n{\"a\": {\"b\": 1}}\n"),
        jsonl("{\"a\": 1}\n[1]\n{\"a\": 1\n{\"a\": 1} x\n"),
        jsonl("{\"a\": 1, \"a\": 2}\n"),
        jsonl("{\"a\": 1e999}\n"),
        jsonl("{\"\": 1}\n"),
        jsonl(" \n"),
    ]));
}

#[test]
fn formats_agree_on_real_data() {
    let reference = fixture("penguins.csv").unwrap().frame;
    assert_eq!(reference.n_rows(), 344);
    for name in ["none", "snappy", "zstd", "lz4", "gzip"] {
        let other = fixture(&format!("penguins-{name}.parquet")).unwrap().frame;
        assert_eq!(other.digest(), reference.digest(), "{name}");
        assert_eq!(other.place(343).to_string(), format!("penguins-{name}.parquet:344"));
    }
    let other = fixture("penguins.jsonl").unwrap().frame;
    assert_eq!(other.digest(), reference.digest());
}

#[test]
fn parquet_types() {
    insta::assert_snapshot!(all(&[
        show(fixture("types.parquet")),
        show(fixture("int96.parquet")),
        show(fixture("nested.parquet")),
        show(fixture("infinite.parquet")),
        show(load(&[("d.parquet", b"PAR1PAR1")], &settings("d.parquet"))),
        show(load(
            &[("d.parquet", b"version https://git-lfs")],
            &settings("d.parquet")
        )),
    ]), @r#"
    i8: integer "1" - "-3"
    u64: integer "1" - "3"
    large: text "9007199254740993" - "3"
    f32: float "0.5" - "-0.25"
    f64: float "0.1" - -
    bool: boolean "true" - "false"
    text: text "007" - "é"
    dictionary: text "a" - "a"
    date: timestamp "2024-02-29" - "2024-02-29"
    ms: timestamp "2024-02-29T10:30:00.25Z" - "2024-02-29T10:30:00.25Z"
    us: timestamp "2024-02-29T10:30:00.25Z" - "2024-02-29T10:30:00.25Z"
    ns: timestamp "2024-02-29T10:30:00.25Z" - "2024-02-29T10:30:00.25Z"
    decimal: float "1.1" - "-0.01"
    wide: float "1.2345678901234567e19" - "-1"

    ns: timestamp "2024-02-29T10:30:00.25Z" - "2024-02-29T10:30:00.25Z"

    error[unusable-type]: column `tags` is nested (a list, map or struct)
      --> nested.parquet:1:1
      = help: write it as numbers, texts, booleans, dates or timestamps, or leave it out

    error[infinite-number]: `x` is `inf`, which is not a finite number
      --> infinite.parquet:2:1
      = help: leave the cell empty if the value is unknown, or write a finite number

    error[damaged-file]: the Parquet file can not be read: Parquet file too small. Size is 8 but need 827474264
      --> d.parquet:1:1
      = help: write it again; if it is stored with Git LFS, check it out with `lfs: true`

    error[damaged-file]: the Parquet file can not be read: Invalid Parquet file. Corrupt footer
      --> d.parquet:1:1
      = help: write it again; if it is stored with Git LFS, check it out with `lfs: true`
    "#);
}

#[test]
fn declared_types_hold_for_parquet() {
    let with = declare(
        settings("types.parquet"),
        &[
            ("i8", ColumnType::Text),
            ("text", ColumnType::Integer),
            ("f64", ColumnType::Integer),
        ],
    );
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/data");
    let shown = show(read(&root, &with));
    let wanted = |line: &&str| ["i8", "text", "f64", "bad"].iter().any(|start| line.starts_with(start));
    insta::assert_snapshot!(shown.lines().filter(wanted).collect::<Vec<_>>().join("\n"), @r#"
    i8: text "1" - "-3"
    f64: integer - - -
    text: integer "7" - -
    bad cell types.parquet:1: f64 = 0.1
    bad cell types.parquet:3: text = é
    "#);
}

/// Oracle: `NumPy` and pandas, `fixtures/data/profiles.json`.
#[test]
fn profiles_of_real_data_agree_with_numpy() {
    let oracle: serde_json::Value = serde_json::from_str(include_str!("../../../fixtures/data/profiles.json")).unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    for (name, file) in [
        ("diabetes", "repos/diabetes/data/diabetes.csv"),
        ("penguins", "data/penguins.csv"),
    ] {
        let frame = read(&root, &settings(file)).unwrap().frame;
        for column in profile(&frame, None).columns {
            let expected = &oracle[name][&column.name];
            assert_eq!(expected["n_missing"], column.n_missing, "{}", column.name);
            assert_eq!(expected["n_distinct"], column.n_distinct, "{}", column.name);
            match column.summary {
                Summary::Numbers(found) => {
                    // Sums in another order differ in the last digits only; quantiles are the same operations.
                    let near = |found: f64, expected: &serde_json::Value| {
                        let expected = expected.as_f64().unwrap();
                        assert!(
                            (found - expected).abs() <= 1e-12 * expected.abs().max(1.0),
                            "{found} {expected}"
                        );
                    };
                    near(found.mean, &expected["mean"]);
                    near(found.sd, &expected["sd"]);
                    for (list, key) in [(&found.quantiles, "quantiles"), (&found.deciles, "deciles")] {
                        assert_eq!(list.len(), expected[key].as_array().unwrap().len());
                        for (index, value) in list.iter().enumerate() {
                            near(*value, &expected[key][index]);
                        }
                    }
                    assert_eq!(
                        found.histogram.counts.iter().sum::<u64>(),
                        (column.n - column.n_missing) as u64
                    );
                }
                Summary::Texts(found) => assert_eq!(expected["levels"], serde_json::json!(found.levels)),
                other @ (Summary::Empty | Summary::Times { .. }) => panic!("{other:?}"),
            }
        }
    }
}

/// A frame that holds what it promises, or problems each of which says where.
fn sound(loaded: Result<Loaded, DataError>) -> Result<(), TestCaseError> {
    match loaded {
        Ok(loaded) => {
            let profile = profile(&loaded.frame, None);
            prop_assert_eq!(profile.n_rows, loaded.frame.n_rows());
            for column in loaded.frame.columns() {
                if let crate::data::Values::Numbers(numbers) = &column.values {
                    prop_assert!(numbers.iter().all(|number| !number.is_infinite()));
                }
            }
        }
        Err(DataError::Problems(problems)) => {
            prop_assert!(problems.has_errors());
            for problem in problems
                .iter()
                .filter(|problem| !problem.message.contains("more of the same"))
            {
                prop_assert!(problem.file.is_some() && problem.span.is_some(), "{}", problem);
            }
        }
        Err(DataError::File(error)) => return Err(TestCaseError::fail(error.to_string())),
    }
    Ok(())
}

fn fixture_bytes(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/data").join(name);
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut crate::sys::open(&path).unwrap(), &mut bytes).unwrap();
    bytes
}

proptest! {
    /// The type of a column does not depend on the order of its rows.
    #[test]
    fn types_do_not_depend_on_order(cells in prop::collection::vec(prop::sample::select(vec!["1", "2.5", "007", "", "true", "2024-01-31", "x", "\"1,5\"", "inf", "9007199254740993"]), 1..5)) {
        let kind = |cells: &[&str]| {
            let text = format!("n,c\n0,{}\n", cells.join("\n0,"));
            match load(&[("d.csv", text.as_bytes())], &settings("d.csv")) {
                Ok(loaded) => loaded.frame.columns()[1].kind.name(),
                Err(DataError::Problems(problems)) => problems.iter().next().unwrap().code,
                Err(DataError::File(error)) => panic!("{error}"),
            }
        };
        let mut sorted = cells.clone();
        sorted.sort_unstable();
        prop_assert_eq!(kind(&cells), kind(&sorted));
    }

    #[test]
    fn any_bytes_give_a_table_or_problems(bytes in prop::collection::vec(any::<u8>(), 0..200), ending in prop::sample::select(vec!["csv", "tsv", "jsonl", "parquet"])) {
        let name = format!("d.{ending}");
        sound(load(&[(&name, &bytes)], &settings(&name)))?;
    }

    #[test]
    fn any_text_gives_a_table_or_problems(text in "[ab0-9.,;\"\n\r{}:\\[\\]tfn -]{0,120}", ending in prop::sample::select(vec!["csv", "jsonl"])) {
        let name = format!("d.{ending}");
        sound(load(&[(&name, text.as_bytes())], &settings(&name)))?;
    }

    #[test]
    fn damaged_files_give_a_table_or_problems(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in prop::option::of(any::<prop::sample::Index>()),
        fixture in prop::sample::select(vec!["penguins.csv", "penguins.jsonl", "penguins-none.parquet", "penguins-gzip.parquet", "penguins-zstd.parquet", "types.parquet"]),
    ) {
        let mut bytes = fixture_bytes(fixture);
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let ending = fixture.rsplit('.').next().unwrap();
        let name = format!("d.{ending}");
        sound(load(&[(&name, &bytes)], &settings(&name)))?;
    }

    /// What is written comes back: any texts, quoted as needed.
    #[test]
    fn texts_survive_csv(texts in prop::collection::vec("[a-z,;\"\n é]{1,12}", 1..20)) {
        let mut writer = ::csv::Writer::from_writer(Vec::new());
        writer.write_record(["n", "text"]).unwrap();
        for (row, text) in texts.iter().enumerate() {
            writer.write_record([row.to_string().as_str(), text]).unwrap();
        }
        let bytes = writer.into_inner().unwrap();
        let with = declare(settings("d.csv"), &[("text", ColumnType::Text)]);
        let loaded = load(&[("d.csv", &bytes)], &with);
        prop_assert!(loaded.is_ok(), "{}", show(loaded));
        let frame = loaded.unwrap().frame;
        for (row, text) in texts.iter().enumerate() {
            let missing = crate::data::value::is_missing(text);
            let label = frame.columns()[1].label(row);
            prop_assert_eq!(label.as_deref(), (!missing).then_some(text.as_str()));
        }
    }
}
