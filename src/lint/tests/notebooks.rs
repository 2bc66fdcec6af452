//! Notebooks: what they should not carry, and on which lines.

use super::*;

#[test]
fn a_notebook_shows_what_it_should_not_carry() {
    let found = hygiene("notebooks/explore.ipynb", NOTEBOOK);
    let lines: Vec<String> = found.iter().map(shown).collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    w notebooks/explore.ipynb:17 notebook-outputs cell 2 keeps 1 output (109 bytes) | to 25 | clear the outputs before you commit, as `nbstripout` does
    w notebooks/explore.ipynb:42 notebook-order cell 4 ran as number 1, but stands behind cell 2, which ran as number 3 | restart the kernel and run all cells in order
    "#);
}

#[test]
fn secrets_are_found_and_not_repeated() {
    let token = ["gh", "p_", "A1b2C3d4E5f6G7h8J9k0L1m2N3p4Q5r6S7t8"].concat();
    let notebook = format!(
        r#"{{"cells": [
  {{"cell_type": "markdown", "source": "one line"}},
  {{"cell_type": "code", "execution_count": null, "outputs": [
     {{"text": ["ok\n", "token: {token}\n"]}},
     {{"data": {{
       "image/png": "{token}"}}}}],
   "source": [
     "a = 1\n",
     "api_key = \"9f8e7d6c5b4a39281706f5e4d3c2b1a0\"\n",
     "print(api_key)"]}}],
  "metadata": {{"papermill": {{"t": "{token}"}}}}}}"#
    );
    let found = hygiene("a.ipynb", notebook.as_bytes());
    let lines: Vec<String> = found.iter().map(shown).collect();
    let text = lines.join("\n");
    assert!(!text.contains(&token) && !text.contains("9f8e7d6c"));
    insta::assert_snapshot!(text, @r#"
    w a.ipynb:3 notebook-outputs cell 2 keeps 2 outputs (161 bytes) | to 6 | clear the outputs before you commit, as `nbstripout` does
    e a.ipynb:4 notebook-secret in cell 2, this looks like a token of GitHub | take it out, revoke it where it came from, and read it from the environment
    e a.ipynb:9 notebook-secret in cell 2, this looks like a secret that is given a name | take it out, revoke it where it came from, and read it from the environment
    e a.ipynb:11 notebook-secret outside of the cells, this looks like a token of GitHub | take it out, revoke it where it came from, and read it from the environment
    "#);
}

#[test]
fn what_is_no_notebook_is_one_finding() {
    let deep = "[".repeat(100_000);
    let cases: [&[u8]; 10] = [
        b"",
        b"{\"cells\": [\n  {\"cell_type\": \"code\",}\n]}",
        b"{\"cells\": [\n\n  {\"source\": []}]}",
        b"{\"worksheets\": []}",
        b"{\"cells\": 3}",
        b"[]",
        b"{\"cells\": \"hunter2hunter2\"}",
        b"\xff\xfe",
        b"{\"nbformat\": 4}",
        deep.as_bytes(),
    ];
    let lines: Vec<String> = cases
        .iter()
        .map(|case| match hygiene("a.ipynb", case).as_slice() {
            [one] => shown(one),
            other => panic!("{other:?}"),
        })
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    e a.ipynb:1 notebook-json this is no notebook: EOF while parsing a value
    e a.ipynb:2:24 notebook-json this is no notebook: key must be a string
    e a.ipynb:3 notebook-json cell 1 is no cell: missing field `cell_type`
    e a.ipynb notebook-json the notebook has the format of before 2015: `jupyter nbconvert --to notebook` renews it
    e a.ipynb:1:11 notebook-json this is no notebook: its parts have other types
    e a.ipynb notebook-json this is no notebook: it is a list
    e a.ipynb:1:26 notebook-json this is no notebook: its parts have other types
    e a.ipynb notebook-json the notebook is not UTF-8
    e a.ipynb notebook-json this is no notebook: it has no `cells`
    e a.ipynb notebook-json this is no notebook: it is a list
    "#);
}

#[test]
fn lines_of_cells_are_found_in_any_layout() {
    let of = |number, of, line| Cell {
        number,
        of,
        line,
        end_line: line,
    };
    let notebook = "\u{feff}{\"cells\": [{\"cell_type\": \"markdown\", \"source\": \"x\"},\n\
        {\"cell_type\": \"code\", \"source\": \"a\\nb\\nc\"},\n\
        {\"cell_type\": \"code\", \"source\": [\n\"a\\nb\",\n\"b\\n\",\n\"c\"]}]}";
    let line = |cell| {
        let mut found = hygiene("a.ipynb", b"");
        found[0].line = None;
        found[0].cell = Some(cell);
        locate(&mut found, "a.ipynb", notebook.as_bytes());
        found[0].line
    };
    assert_eq!(line(of(2, Cells::All, 3)), Some(2));
    assert_eq!(line(of(1, Cells::Code, 1)), Some(2));
    assert_eq!(line(of(3, Cells::All, 1)), Some(4));
    assert_eq!(line(of(3, Cells::All, 2)), Some(4));
    assert_eq!(line(of(3, Cells::All, 3)), Some(6));
    assert_eq!(line(of(2, Cells::Code, 9)), Some(6));
    assert_eq!(line(of(4, Cells::All, 1)), None);
    assert_eq!(line(of(0, Cells::Code, 1)), None);
}

#[test]
fn a_secret_is_not_crowded_out() {
    let cell = r#"{"cell_type": "code", "source": [], "outputs": [{"text": "x"}]},"#;
    let token = ["gh", "p_", "A1b2C3d4E5f6G7h8J9k0L1m2N3p4Q5r6S7t8"].concat();
    let notebook = format!(
        "{{\"cells\": [\n{}\n{{\"cell_type\": \"markdown\", \"source\": \"{token}\"}}]}}",
        cell.repeat(500)
    );
    let found = hygiene("a.ipynb", notebook.as_bytes());
    assert_eq!(found.len(), 200);
    assert!(
        found
            .iter()
            .any(|one| one.rule.as_deref() == Some("notebook-secret") && one.line == Some(3))
    );
}
