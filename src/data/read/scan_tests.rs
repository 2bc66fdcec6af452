//! Reading for comparisons: what is no refusal there, and rows that come a chunk at a time.

use std::io::Write;
use std::ops::ControlFlow;

use proptest::prelude::*;

use super::*;

type Types = BTreeMap<String, ColumnType>;

/// A table as text cells: what it should be whatever way it was read.
#[derive(Debug, Clone, PartialEq, Default)]
struct Told {
    columns: BTreeMap<String, (Option<ColumnType>, Vec<Option<String>>)>,
    n_rows: usize,
    infinite: BTreeMap<String, usize>,
    warnings: Vec<String>,
}

impl Told {
    fn add(&mut self, frame: &Frame) {
        for column in frame.columns() {
            let (kind, cells) = self
                .columns
                .entry(column.name.clone())
                .or_insert_with(|| (None, vec![None; self.n_rows]));
            *kind = Some(column.kind);
            cells.extend((0..frame.n_rows()).map(|row| column.label(row).map(std::borrow::Cow::into_owned)));
        }
        self.n_rows += frame.n_rows();
    }

    /// Why a column is text is told of the rows up to where that became clear.
    fn without_remarks(mut self) -> Self {
        let is_remark = |text: &String| text.contains("[decimal-comma]") || text.contains("[type-conflict]");
        self.warnings.retain(|text| !is_remark(text));
        self
    }
}

fn codes(warnings: &Diagnostics) -> Vec<String> {
    let mut all: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    all.sort();
    all
}

fn write(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let mut file = tempfile::NamedTempFile::new_in(root.path()).unwrap();
        file.write_all(bytes).unwrap();
        file.persist(root.path().join(name)).unwrap();
    }
    root
}

fn whole(root: &Path, pattern: &str, types: &Types) -> Result<Told, DataError> {
    let loaded = read_lenient(root, pattern, types)?;
    let mut told = Told::default();
    told.add(&loaded.frame);
    told.infinite = loaded.infinite;
    told.warnings = codes(&loaded.warnings);
    Ok(told)
}

/// The table, its portions, and how often it began anew.
fn in_chunks(root: &Path, pattern: &str, types: &Types, n: usize) -> Result<(Told, Vec<usize>, usize), DataError> {
    let (mut told, mut portions, mut n_anew) = (Told::default(), Vec::new(), 0);
    let scanned = scan(root, pattern, types, n, &mut |portion| {
        match portion {
            Portion::Anew => {
                told = Told::default();
                portions.clear();
                n_anew += 1;
            }
            Portion::Rows(frame) => {
                told.add(frame);
                portions.push(frame.n_rows());
            }
        }
        ControlFlow::Continue(())
    })?;
    assert_eq!(scanned.n_rows, told.n_rows);
    told.infinite = scanned.infinite;
    told.warnings = codes(&scanned.warnings);
    Ok((told, portions, n_anew))
}

fn problems<T: std::fmt::Debug>(result: Result<T, DataError>) -> String {
    match result {
        Err(DataError::Problems(problems)) => problems.to_string(),
        other => format!("{other:?}"),
    }
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/data")
}

fn lenient(name: &str, text: &str) -> String {
    let root = write(&[(name, text.as_bytes())]);
    show(whole(root.path(), name, &Types::new()))
}

fn show(told: Result<Told, DataError>) -> String {
    let told = match told {
        Ok(told) => told,
        Err(error) => return problems::<()>(Err(error)),
    };
    let columns = told.columns.iter().map(|(name, (kind, cells))| {
        let cells: Vec<&str> = cells.iter().map(|cell| cell.as_deref().unwrap_or("-")).collect();
        format!("{name}: {} [{}]", kind.map_or("", ColumnType::name), cells.join(" "))
    });
    let infinite = told.infinite.iter().map(|(name, n)| format!("infinite: {name} {n}"));
    columns
        .chain(infinite)
        .chain(told.warnings)
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn what_training_refuses_is_read_for_comparisons() {
    let shown = [
        lenient("d.csv", "a,b\n1,2\n2,inf\n,-inf\n3,1e999\n"),
        lenient("d.csv", "a,b\n1,\"1,5\"\n2,2\n"),
        lenient("d.csv", "a,b\n1,\"1,5\"\n2,x\n"),
        lenient("d.csv", "a,b\n"),
        lenient(
            "d.jsonl",
            "{\"a\": 1, \"b\": \"x\"}\n{\"a\": \"u\", \"b\": 2.50}\n{\"a\": true}\n",
        ),
        lenient("d.jsonl", "{\"a\": 1e300, \"b\": [1]}\n{\"a\": 2, \"b\": 3}\n"),
        lenient("d.jsonl", "{\"a\": 5}\n{\"a\": \"x\"}\n{\"a\": 1e300}\n"),
        show(whole(&fixtures(), "infinite.parquet", &Types::new())),
        show(whole(&fixtures(), "nested.parquet", &Types::new())),
    ];
    insta::assert_snapshot!(shown.join("\n\n"), @r#"
    a: integer [1 2 - 3]
    b: integer [2 - - -]
    infinite: b 3

    a: integer [1 2]
    b: text [1,5 2]
    warning[decimal-comma]: `b` is `1,5` and is read as text: numbers need a decimal point and no thousands separator
      --> d.csv:2:3
      |
    2 | 1,"1,5"
      |   ^^^^^
      = help: write `1.5` instead of `1,5`

    a: integer [1 2]
    b: text [1,5 x]

    a: float []
    b: float []

    a: text [1 u true]
    b: text [x 2.5 -]
    warning[type-conflict]: `a` is `u` here and another type before, so all of it is read as text
      --> d.jsonl:2:2
      |
    2 | {"a": "u", "b": 2.50}
      |  ^^^
      = help: write one type in every row
    warning[type-conflict]: `b` is `2.5` here and another type before, so all of it is read as text
      --> d.jsonl:2:12
      |
    2 | {"a": "u", "b": 2.50}
      |            ^^^
      = help: write one type in every row

    a: float [1e300 2]
    b: integer [- 3]
    warning[nested-value]: `b` is a list, not a single value, and counts as missing
      --> d.jsonl:1:14
      |
    1 | {"a": 1e300, "b": [1]}
      |              ^^^
      = help: write one number, text, boolean or null for every key
    warning[too-long-number]: `a` is `100000000000000000000000000000000000000…`, a whole number of which digits may be lost
      --> d.jsonl:1:2
      |
    1 | {"a": 1e300, "b": [1]}
      |  ^^^
      = help: write it as a text in quotes if it is an identifier

    a: text [5 x 1000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000]
    warning[type-conflict]: `a` is `x` here and another type before, so all of it is read as text
      --> d.jsonl:2:2
      |
    2 | {"a": "x"}
      |  ^^^
      = help: write one type in every row

    x: float [0.5 -]
    infinite: x 1

    x: integer [1 2]
    warning[unusable-type]: column `tags` is nested (a list, map or struct), and is left out
      --> nested.parquet:1:1
    "#);
}

#[test]
fn what_is_no_table_is_refused_for_comparisons_too() {
    for text in ["", "a,b\n1\n", "a,a\n1,2\n", "a,b\n1,\"open\n", "a,b\n1,x\0y\n"] {
        let root = write(&[("d.csv", text.as_bytes())]);
        let (first, second) = (
            problems(read_lenient(root.path(), "d.csv", &Types::new())),
            problems(read_source(root.path(), "d.csv", &Types::new())),
        );
        assert!(first.contains("error["), "{first}");
        assert_eq!(first, second);
        assert_eq!(first, problems(in_chunks(root.path(), "d.csv", &Types::new(), 2)));
    }
}

#[test]
fn declared_numbers_may_be_infinite() {
    let types = Types::from([
        ("a".to_owned(), ColumnType::Float),
        ("b".to_owned(), ColumnType::Integer),
    ]);
    let root = write(&[("d.csv", b"a,b\ninf,1\nx,-inf\n1.5,2.5\n")]);
    let loaded = read_lenient(root.path(), "d.csv", &types).unwrap();
    assert_eq!(
        loaded.infinite,
        BTreeMap::from([("a".to_owned(), 1), ("b".to_owned(), 1)])
    );
    assert_eq!(loaded.bad_cells.len(), 2, "`x` and `2.5`");
    let scanned = scan(root.path(), "d.csv", &types, 2, &mut |_| ControlFlow::Continue(())).unwrap();
    assert_eq!(scanned.infinite, loaded.infinite);
    assert_eq!(
        scanned.bad_cells,
        BTreeMap::from([("a".to_owned(), 1), ("b".to_owned(), 1)])
    );
}

#[test]
fn chunks_make_the_whole_table() {
    let root = fixtures();
    let names = ["csv", "jsonl"].map(|ending| format!("penguins.{ending}"));
    let packed = ["none", "gzip", "lz4", "snappy", "zstd"].map(|pack| format!("penguins-{pack}.parquet"));
    let others = ["types.parquet", "int96.parquet", "nested.parquet", "infinite.parquet"].map(String::from);
    for name in names.iter().chain(&packed).chain(&others) {
        let expected = whole(&root, name, &Types::new()).unwrap();
        for n in [1, 7, 100, 1000] {
            let (found, portions, _) = in_chunks(&root, name, &Types::new(), n).unwrap();
            assert_eq!(found, expected, "{name} in chunks of {n}");
            let (last, full) = portions.split_last().unwrap();
            assert!(full.iter().all(|rows| *rows == n) && *last <= n, "{name}: {portions:?}");
        }
    }
}

#[test]
fn several_files_are_one_table() {
    let files: [(&str, &[u8]); 2] = [("b.csv", b"y,x\n2,1.5\nz,3\n"), ("a.csv", b"x,y\n1,2\n\n5,4\n")];
    let root = write(&files);
    let expected = whole(root.path(), "*.csv", &Types::new()).unwrap();
    let (found, portions, n_anew) = in_chunks(root.path(), "*.csv", &Types::new(), 3).unwrap();
    assert_eq!((found, portions, n_anew), (expected, vec![3, 1], 1));
    let digest = |pattern: &str| {
        let scanned = scan(root.path(), pattern, &Types::new(), 9, &mut |_| {
            ControlFlow::Continue(())
        })
        .unwrap();
        sha256(root.path(), &scanned.files).unwrap().hex()
    };
    // printf 'y,x\n2,1.5\nz,3\n' | sha256sum
    assert_eq!(
        digest("b.csv"),
        "1075e2d86b718ee3a6ee22192a0deee6cdb95be47c52edd31d5590d8ce26e11d"
    );
    assert!(digest("*.csv") != digest("b.csv") && digest("*.csv") != digest("a.csv"));
}

#[test]
fn a_type_that_changes_begins_anew_at_most_twice() {
    let rows = |odd: &[usize], cell: &str| {
        let row = |row: usize| format!("{row},{}\n", if odd.contains(&row) { cell } else { "1" });
        format!("a,b\n{}", (0..100).map(row).collect::<String>())
    };
    let anew = |text: &str| {
        let root = write(&[("d.csv", text.as_bytes())]);
        let (found, _, n_anew) = in_chunks(root.path(), "d.csv", &Types::new(), 10).unwrap();
        assert_eq!(found, whole(root.path(), "d.csv", &Types::new()).unwrap());
        n_anew
    };
    assert_eq!(anew(&rows(&[], "")), 0);
    assert_eq!(anew(&rows(&[3, 99], "x")), 1);
    assert_eq!(anew(&rows(&[50], "x")), 1);
    assert_eq!(
        anew(&rows(&[99], "9007199254740993")),
        1,
        "only the end says that no decimal comes"
    );
    assert_eq!(anew(&rows(&[5, 50], "9007199254740993.5")), 0);
    let both = rows(&[3], "x").replace("\n70,", "\nx,");
    assert_eq!(anew(&both), 2);
}

#[test]
fn no_row_is_handed_over_that_is_forgotten_later_but_the_first_ones() {
    let text: String = (0..1000)
        .map(|row| {
            if row == 25 {
                "x\n".to_owned()
            } else {
                format!("{row}\n")
            }
        })
        .collect();
    let root = write(&[("d.csv", format!("a\n{text}").as_bytes())]);
    let mut seen = Vec::new();
    scan(root.path(), "d.csv", &Types::new(), 10, &mut |portion| {
        seen.push(match portion {
            Portion::Anew => "anew".to_owned(),
            Portion::Rows(frame) => format!("{} {}", frame.columns()[0].kind.name(), frame.n_rows()),
        });
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(seen[..3], ["integer 10", "integer 10", "anew"]);
    assert_eq!(seen.len(), 3 + 100);
    assert!(seen[3..].iter().all(|portion| portion == "text 10"));
}

#[test]
fn a_scan_can_be_broken_off() {
    let root = fixtures();
    for name in ["penguins.csv", "penguins.jsonl", "penguins-zstd.parquet"] {
        let mut n = 0;
        let scanned = scan(&root, name, &Types::new(), 50, &mut |_| {
            n += 1;
            if n == 2 {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        assert_eq!((scanned.unwrap().n_rows, n), (100, 2), "{name}");
    }
}

proptest! {
    #[test]
    fn any_cells_are_the_same_in_chunks(
        rows in prop::collection::vec(
            prop::collection::vec(
                prop::sample::select(vec!["", "1", "-7", "2.5", "x", "007", "inf", "-inf", "\"1,5\"", "true", "2024-01-01", "9007199254740993", "NA"]),
                3,
            ),
            0..30,
        ),
        n in 1_usize..12,
    ) {
        let text = rows.iter().fold(String::new(), |text, row| text + &row.join(",") + "\n");
        let root = write(&[("d.csv", format!("a,b,c\n{text}").as_bytes())]);
        let expected = whole(root.path(), "d.csv", &Types::new()).unwrap();
        let (found, _, n_anew) = in_chunks(root.path(), "d.csv", &Types::new(), n).unwrap();
        prop_assert_eq!(found.without_remarks(), expected.without_remarks());
        prop_assert!(n_anew <= 2);
    }

    #[test]
    fn any_values_of_json_are_the_same_in_chunks(
        rows in prop::collection::vec(
            prop::collection::vec(
                prop::sample::select(vec!["null", "1", "2.5", "\"x\"", "\"2024-01-01\"", "1e300", "9007199254740993", "true", "[1]"]),
                2,
            ),
            1..20,
        ),
        n in 1_usize..8,
    ) {
        // The second column begins late.
        let line = |(at, row): (usize, &Vec<&str>)| match at {
            0..4 => format!("{{\"a\": {}}}\n", row[0]),
            _ => format!("{{\"a\": {}, \"b\": {}}}\n", row[0], row[1]),
        };
        let text: String = rows.iter().enumerate().map(line).collect();
        let root = write(&[("d.jsonl", text.as_bytes())]);
        let expected = whole(root.path(), "d.jsonl", &Types::new()).unwrap();
        let (found, _, _) = in_chunks(root.path(), "d.jsonl", &Types::new(), n).unwrap();
        prop_assert_eq!(found.without_remarks(), expected.without_remarks());
    }

    #[test]
    fn a_damaged_file_never_panics_in_chunks(
        fixture in prop::sample::select(vec!["penguins.csv", "penguins.jsonl", "penguins-none.parquet", "penguins-zstd.parquet", "types.parquet"]),
        at in 0.0..1.0_f64,
        byte: u8,
    ) {
        let mut bytes = sys::read(&fixtures().join(fixture), 1 << 20).unwrap();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place in the file")]
        let place = (at * bytes.len() as f64) as usize;
        bytes[place] = byte;
        let root = write(&[(fixture, &bytes)]);
        let _ = in_chunks(root.path(), fixture, &Types::new(), 50); // Only panics matter here.
    }
}
