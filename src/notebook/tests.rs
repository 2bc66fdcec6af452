//! Notebooks that papermill parameterized and nbclient executed, and damaged ones.
#![expect(clippy::disallowed_methods, reason = "fixtures are read by the tests themselves")]

use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::Value as Json;

use super::literal::is_variable;
use super::places::source_lines;
use super::*;

fn file(name: &str) -> Vec<u8> {
    std::fs::read(
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("fixtures/notebook")
            .join(name),
    )
    .unwrap()
}

fn value(json: &Json) -> ParamValue {
    match json {
        Json::Null => ParamValue::None,
        Json::Bool(value) => ParamValue::Bool(*value),
        Json::Number(number) => number
            .as_i64()
            .map_or_else(|| ParamValue::Float(number.as_f64().unwrap()), ParamValue::Int),
        Json::String(text) => ParamValue::Text(text.clone()),
        Json::Array(items) => ParamValue::List(items.iter().map(value).collect()),
        Json::Object(items) => ParamValue::Dict(items.iter().map(|(key, item)| (key.clone(), value(item))).collect()),
    }
}

fn parameters() -> Vec<(String, ParamValue)> {
    let mut parameters: Vec<_> = [
        ("alpha", "0.5"),
        ("label", r#""it's \"here\"""#),
        ("names", r#"["a", null]"#),
        ("deep", r#"{"on": true}"#),
    ]
    .map(|(name, text)| (name.to_owned(), value(&serde_json::from_str(text).unwrap())))
    .into();
    parameters.push(("limit".to_owned(), ParamValue::Float(f64::INFINITY)));
    parameters
}

#[test]
fn literals_are_those_of_papermill() {
    let pairs: Vec<(Json, String)> = serde_json::from_slice(&file("literals.json")).unwrap();
    assert!(pairs.len() > 15);
    for (json, expected) in pairs {
        // Python writes exponents with a sign and two digits.
        let expected = expected.replace("e+", "e").replace("e-0", "e-");
        assert_eq!(value(&json).literal(), expected, "{json}");
    }
    for (value, expected) in [
        (ParamValue::Float(f64::NAN), "float('nan')"),
        (ParamValue::Float(f64::NEG_INFINITY), "float('-inf')"),
        (ParamValue::Float(-0.0), "-0.0"),
        (ParamValue::Int(i64::MIN), "-9223372036854775808"),
        (ParamValue::Text("größe".to_owned()), "\"größe\""),
        (
            ParamValue::Text("a\u{202e}b\u{0}\u{2028}".to_owned()),
            "\"a\\U0000202eb\\U00000000\\U00002028\"",
        ),
    ] {
        assert_eq!(value.literal(), expected);
    }
}

/// What papermill prepared is known from what was executed: its cells, without what the execution added.
#[test]
fn parameters_are_injected_as_papermill_does() {
    for (name, parameters) in [
        ("train", parameters()),
        ("failing", parameters()),
        ("syntax", Vec::new()),
    ] {
        let prepared = prepare(&file(&format!("{name}.ipynb")), &parameters).unwrap();
        let expected = prepare(&file(&format!("{name}.executed.ipynb")), &[]).unwrap();
        let (mut prepared, mut expected): (Json, Json) = (
            serde_json::from_slice(&prepared).unwrap(),
            serde_json::from_slice(&expected).unwrap(),
        );
        // nbclient notes which Python it was.
        for notebook in [&mut prepared, &mut expected] {
            notebook["metadata"]["language_info"] = Json::Null;
        }
        assert_eq!(prepared, expected, "{name}");
    }
}

#[test]
fn everything_else_is_kept_to_the_letter() {
    let mut original = String::from_utf8(file("syntax.ipynb")).unwrap();
    original = original.replace("\"metadata\": {}", "\"metadata\": {\n    \"own\": 1.10\n   }");
    let prepared = String::from_utf8(prepare(original.as_bytes(), &[]).unwrap()).unwrap();
    assert_eq!(prepared.replace("1.1\n", "1.10\n"), original);
}

#[test]
fn an_earlier_injection_is_replaced() {
    let set = |alpha| [("alpha".to_owned(), ParamValue::Int(alpha))];
    let once = prepare(&file("train.ipynb"), &set(1)).unwrap();
    let twice = prepare(&once, &set(2)).unwrap();
    let text = String::from_utf8(twice).unwrap();
    assert_eq!(text.matches("injected-parameters\"\n    ]").count(), 1);
    assert!(text.contains("alpha = 2") && !text.contains("alpha = 1\""));
}

#[test]
fn what_can_not_be_used_says_why() {
    let refuse =
        |bytes: &[u8], parameters: &[(String, ParamValue)]| prepare(bytes, parameters).unwrap_err().to_string();
    insta::assert_snapshot!(refuse(&file("r.ipynb"), &[]), @"the notebook is written for the kernel `ir`; only Python is executed");
    insta::assert_snapshot!(refuse(b"", &[]), @"the notebook is not JSON: EOF while parsing a value at line 1 column 0");
    insta::assert_snapshot!(refuse(b"{\"worksheets\": []}", &[]), @"the notebook has no list of cells; save it in format 4, as Jupyter does since 2015");
    insta::assert_snapshot!(refuse(b"{\"cells\": [1]}", &[]), @"the notebook has no list of cells; save it in format 4, as Jupyter does since 2015");
    let named = |name: &str| [(name.to_owned(), ParamValue::Int(1))];
    insta::assert_snapshot!(refuse(&file("train.ipynb"), &named("x = 1; import os\ny")), @"the parameter `x = 1; import os y` can not be the name of a variable in Python");
    insta::assert_snapshot!(refuse(&file("train.ipynb"), &[named("a"), named("a")].concat()), @"the parameter `a` is given twice");
    let deep = (0..40).fold(ParamValue::None, |inner, _| ParamValue::List(vec![inner]));
    insta::assert_snapshot!(refuse(&file("train.ipynb"), &[("a".to_owned(), deep)]), @"the parameter `a` has lists within lists, more than 32 deep");
    let many = format!("{{\"cells\": [{}]}}", vec!["{}"; MAX_CELLS + 1].join(","));
    insta::assert_snapshot!(refuse(many.as_bytes(), &[]), @"the notebook has more than 10000 cells");
    for kernel in [
        r#"{"name": "ml-env", "display_name": "Python (ml)"}"#,
        r#"{"name": "python3"}"#,
        "{}",
    ] {
        let notebook = format!("{{\"cells\": [], \"metadata\": {{\"kernelspec\": {kernel}}}}}");
        assert!(prepare(notebook.as_bytes(), &[]).is_ok(), "{kernel}");
    }
    assert!(is_variable("_a1") && !is_variable("1a") && !is_variable("class") && !is_variable("") && !is_variable("ä"));
}

fn shown(name: &str) -> String {
    let done = executed(
        &file(&format!("{name}.executed.ipynb")),
        &file(&format!("{name}.ipynb")),
    )
    .unwrap();
    let timed: Vec<_> = done
        .seconds
        .iter()
        .map(|(number, seconds)| format!("{number}{}", if *seconds < 30.0 { "" } else { " slow" }))
        .collect();
    format!(
        "{} of {} cells; stopped {:?}; timed {timed:?}\n{:#?}",
        done.n_begun, done.n_cells, done.stopped, done.failed
    )
}

#[test]
fn executions_are_read() {
    insta::assert_snapshot!(shown("train"), @r#"
    4 of 4 cells; stopped None; timed ["2", "3", "4", "5"]
    None
    "#);
    insta::assert_snapshot!(shown("failing"), @r#"
    3 of 4 cells; stopped None; timed ["1", "2", "4"]
    Some(
        FailedCell {
            number: 4,
            line: Some(
                50,
            ),
            ename: "ZeroDivisionError",
            evalue: "division by zero",
            traceback: [
                "---------------------------------------------------------------------------",
                "ZeroDivisionError                         Traceback (most recent call last)",
                "Cell In[4], line 3",
                "      1 print('before')",
                "      2",
                "----> 3 mean([])",
                "      4 print('after')",
                "Cell In[3], line 3, in mean(values)",
                "      1 def mean(values):",
                "      2     total = sum(values)",
                "----> 3     return total / len(values)",
                "ZeroDivisionError: division by zero",
            ],
        },
    )
    "#);
    insta::assert_snapshot!(shown("syntax"), @r#"
    2 of 2 cells; stopped None; timed ["1", "2"]
    Some(
        FailedCell {
            number: 2,
            line: Some(
                21,
            ),
            ename: "SyntaxError",
            evalue: "'(' was never closed (1296413464.py, line 2)",
            traceback: [
                "  Cell In[2], line 2",
                "    print('a'",
                "         ^",
                "SyntaxError: '(' was never closed",
            ],
        },
    )
    "#);
    insta::assert_snapshot!(shown("slow"), @r#"
    1 of 1 cells; stopped Some("the time is up"); timed []
    Some(
        FailedCell {
            number: 1,
            line: Some(
                10,
            ),
            ename: "Stopped",
            evalue: "the time is up",
            traceback: [],
        },
    )
    "#);
    insta::assert_snapshot!(shown("dead"), @r#"
    2 of 2 cells; stopped Some("Kernel died"); timed ["1"]
    Some(
        FailedCell {
            number: 2,
            line: Some(
                20,
            ),
            ename: "Stopped",
            evalue: "Kernel died",
            traceback: [],
        },
    )
    "#);
}

#[test]
fn failed_lines_are_lines_of_the_file() {
    for (name, expected) in [("failing", "mean([])"), ("syntax", "print('a'"), ("dead", "import os")] {
        let original = String::from_utf8(file(&format!("{name}.ipynb"))).unwrap();
        let done = executed(&file(&format!("{name}.executed.ipynb")), original.as_bytes()).unwrap();
        let line = done.failed.unwrap().line.unwrap();
        let text = original.lines().nth(line - 1).unwrap();
        assert!(text.contains(expected), "{name}: line {line} is {text}");
    }
}

#[test]
fn tracebacks_of_all_versions_tell_the_line() {
    let own = r#"{"cells": [{"cell_type": "code", "source": [
"a = 1\n",
"f()"
]}]}"#;
    for traceback in [
        "Cell \\u001b[0;32mIn[3], line 2\\u001b[0m\\n",
        "Cell In [3], line 2\\n      1 a = 1\\n----> 2 f()",
        "Input In [3], in <cell line: 2>()\\n      1 a = 1\\n\\u001b[0;32m----> 2\\u001b[0m f()",
        "<ipython-input-3-0> in <module>\\n      1 a = 1\\n----> 2 f()\\n<ipython-input-1-0> in f()\\n----> 1 x",
    ] {
        let done = format!(
            r#"{{"cells": [{{"cell_type": "code", "execution_count": 3, "outputs": [
            {{"output_type": "error", "ename": "E", "evalue": "", "traceback": ["{traceback}"]}}]}}]}}"#
        );
        let failed = executed(done.as_bytes(), own.as_bytes()).unwrap().failed.unwrap();
        assert_eq!(failed.line, Some(3), "{traceback}");
    }
}

#[test]
fn sources_are_found_however_they_are_written() {
    for (text, expected) in [
        (
            "{\"cells\": [\n{\"source\": \"a\\nb\\n\"},\n{\"source\": []}]}",
            vec![vec![2, 2], vec![]],
        ),
        (
            "{\"x\": {\"cells\": [\n[]]},\n\"cells\": [{\"metadata\": {\"source\": [\"no\"]},\n\"source\": [\n\"a\\n\",\n\"b\"\n]}]}",
            vec![vec![5, 6]],
        ),
        (
            "{\"cells\": [{\"source\": [\"a\\n\", \"\\\"\\\\\", \"\"]}]}",
            vec![vec![1, 1]],
        ),
        ("{\"cells\": [{\"source\": [\"a", vec![vec![]]),
        ("{\"cells\": 1}", vec![]),
        ("", vec![]),
    ] {
        assert_eq!(source_lines(text), expected, "{text}");
    }
}

#[test]
fn the_command_is_one_line_of_words() {
    let command = command(&Invocation {
        script: Path::new("/w/out/execute_notebook.py"),
        prepared: Path::new("/w/out/it's prepared.ipynb"),
        executed: Path::new("/w/out/executed.ipynb"),
        directory: Path::new("notebooks"),
        timeout: Duration::from_mins(10),
    });
    insta::assert_snapshot!(command, @r#"python /w/out/execute_notebook.py '/w/out/it'\''s prepared.ipynb' /w/out/executed.ipynb notebooks 600"#);
    assert!(SCRIPT.contains(&format!("sys.exit({MISSING_EXIT})")));
}

fn mutated(content: &[u8], edits: &[(usize, u8)], cut: usize) -> Vec<u8> {
    let mut content = content.to_vec();
    for (at, byte) in edits {
        let n = content.len();
        content[at % n] = *byte;
    }
    let n = content.len();
    content.truncate(n - cut % n);
    content
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn damaged_notebooks_panic_nobody(
        which in 0..4_usize,
        edits in prop::collection::vec((any::<usize>(), prop::sample::select(b"\"{}[],:\\0a \n\xff".to_vec())), 0..4),
        cut in prop_oneof![4 => Just(0_usize), 1 => any::<usize>()],
    ) {
        let name = ["train", "failing", "syntax", "dead"][which];
        let own = file(&format!("{name}.ipynb"));
        let done = file(&format!("{name}.executed.ipynb"));
        let _ = prepare(&mutated(&own, &edits, cut), &[]);
        let _ = executed(&mutated(&done, &edits, cut), &own);
        let _ = executed(&done, &mutated(&own, &edits, cut));
        let _ = source_lines(&String::from_utf8_lossy(&mutated(&own, &edits, cut)));
    }

    /// Every text comes back from its literal by the rules of Python, which for these escapes are few.
    #[test]
    fn texts_come_back(text in any::<String>()) {
        let literal = ParamValue::Text(text.clone()).literal();
        let inner = literal.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap();
        let mut back = String::new();
        let mut chars = inner.chars();
        while let Some(c) = chars.next() {
            prop_assert!(c != '"' && !c.is_control());
            back.push(match c {
                '\\' => match chars.next().unwrap() {
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    'U' => {
                        let digits: String = chars.by_ref().take(8).collect();
                        char::from_u32(u32::from_str_radix(&digits, 16).unwrap()).unwrap()
                    }
                    other => other,
                },
                other => other,
            });
        }
        prop_assert_eq!(back, text);
    }
}
