//! Whatever the facts and the settings say: no panic, every name usable, every size bounded, every text inert.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::Value;

use super::super::{GitHub, end, start};
use super::setting;
use crate::base::{is_invisible, without_escapes};
use crate::facts::Facts;
use crate::report::fixtures;
use crate::track::record::{Cell, RunEnd, RunStart, Table};

const NASTY: &[&str] = &[
    "",
    " ",
    "[click](https://evil.example)",
    "![x](https://evil.example/x.png)",
    "<img src=x onerror=alert(1)>",
    "a`b``c",
    "`\n# heading\n- list",
    "@octocat #1",
    "\u{1b}[31mred\u{1b}]8;;https://evil.example\u{7}x",
    "\u{202e}gpj.exe\u{200b}",
    "a\0b\r\n::error::x",
    "a/b:c;d,e?f'g#h",
    "..",
    "尺寸",
    "$math$",
    "p(",
    "null",
];

fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        proptest::sample::select(NASTY).prop_map(str::to_owned),
        "\\PC{0,30}",
        any::<String>(),
        Just("x".repeat(5_000)),
    ]
}

/// A way to spoil one value of a document, by its number among all.
#[derive(Debug, Clone)]
enum Spoil {
    Text(String),
    Number(f64),
    Whole(u64),
    Null,
    Shorter,
    Longer,
}

fn spoils() -> impl Strategy<Value = Vec<(usize, Spoil)>> {
    let numbers = proptest::sample::select(vec![0.0, -0.0, 1e-310, 1e15, -1e300, f64::MAX, f64::MIN_POSITIVE, 0.5]);
    let spoil = prop_oneof![
        texts().prop_map(Spoil::Text),
        prop_oneof![numbers, any::<f64>()].prop_map(Spoil::Number),
        prop_oneof![Just(0), Just(u64::MAX), any::<u64>()].prop_map(Spoil::Whole),
        Just(Spoil::Null),
        Just(Spoil::Shorter),
        Just(Spoil::Longer),
    ];
    proptest::collection::vec((any::<usize>(), spoil), 1..12)
}

fn n_values(tree: &Value) -> usize {
    1 + match tree {
        Value::Array(list) => list.iter().map(n_values).sum(),
        Value::Object(entries) => entries.values().map(n_values).sum(),
        _ => 0,
    }
}

fn nth<'a>(tree: &'a mut Value, n: &mut usize) -> Option<&'a mut Value> {
    if *n == 0 {
        return Some(tree);
    }
    *n -= 1;
    match tree {
        Value::Array(list) => list.iter_mut().find_map(|value| nth(value, n)),
        Value::Object(entries) => entries.values_mut().find_map(|value| nth(value, n)),
        _ => None,
    }
}

/// The facts with those changes that leave facts.
fn spoiled(facts: &Facts, spoils: &[(usize, Spoil)]) -> Facts {
    let mut tree = serde_json::to_value(facts).unwrap();
    for (at, spoil) in spoils {
        let mut candidate = tree.clone();
        let mut n = at % n_values(&candidate);
        let value = nth(&mut candidate, &mut n).unwrap();
        match (spoil, &mut *value) {
            (Spoil::Text(text), Value::String(_)) => *value = text.clone().into(),
            (Spoil::Number(number), Value::Number(_)) => *value = (*number).into(),
            (Spoil::Whole(whole), Value::Number(_)) => *value = (*whole).into(),
            (Spoil::Shorter, Value::Array(list)) => drop(list.pop()),
            (Spoil::Longer, Value::Array(list)) => {
                let more = list.clone();
                list.extend(more);
            }
            (Spoil::Null, _) => *value = Value::Null,
            _ => continue,
        }
        if serde_json::from_value::<Facts>(candidate.clone()).is_ok() {
            tree = candidate;
        }
    }
    serde_json::from_value(tree).unwrap()
}

fn is_inert(text: &str, max: usize) -> bool {
    let is_bad = |c: char| c.is_control() || is_invisible(c) || matches!(c, '\u{2028}' | '\u{2029}');
    text.chars().count() <= max && !text.contains(is_bad) && without_escapes(text) == text
}

fn check_value(value: &Value) {
    match value {
        Value::String(text) => assert!(is_inert(text, 400), "{text:?}"),
        Value::Array(list) => list.iter().for_each(check_value),
        Value::Object(entries) => {
            for (key, value) in entries {
                assert!(is_inert(key, 80), "{key:?}");
                check_value(value);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn check_cell(cell: &Cell) {
    if let Cell::Text(text) = cell {
        assert!(is_inert(text, 400), "{text:?}");
    }
}

fn check_table(table: &Table) {
    assert!((1..=10_000).contains(&table.rows.len()), "{}", table.key);
    let columns: BTreeSet<&String> = table.columns.iter().collect();
    assert_eq!(columns.len(), table.columns.len(), "{columns:?}");
    assert!(columns.iter().all(|column| is_inert(column, 80)));
    for row in &table.rows {
        assert_eq!(row.len(), table.columns.len());
        row.iter().for_each(check_cell);
    }
}

fn check_end(end: &RunEnd) {
    end.config.values().for_each(check_value);
    assert!(end.history.len() <= 1 && is_inert(&end.reason, 400));
    for row in end.history.iter().chain([&end.summary]) {
        assert!(row.len() < 3_000);
        for (name, cell) in row {
            let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '/');
            assert!(
                !name.is_empty() && name.len() <= 110 && name.chars().all(is_plain),
                "{name:?}"
            );
            check_cell(cell);
        }
    }
    end.tables.iter().for_each(check_table);
    let mut keys: Vec<&str> = end.tables.iter().map(|table| table.key.as_str()).collect();
    for chart in &end.charts {
        check_table(&chart.table);
        assert!(chart.table.columns.contains(&chart.x), "{}", chart.key);
        assert!(is_inert(&chart.title, 120));
        keys.extend([chart.key.as_str(), chart.table.key.as_str()]);
    }
    for image in &end.images {
        assert!(image.width <= 640 && image.height <= 640 && image.png.len() < 200_000);
        assert!(is_inert(&image.caption, 400), "{}", image.caption);
        keys.push(&image.key);
    }
    let n_keys = keys.len();
    let is_key = |key: &&str| key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    assert!(keys.iter().all(is_key), "{keys:?}");
    assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), n_keys, "{keys:?}");
}

fn check_start(run: &RunStart) {
    let is_id = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    assert!(
        (8..=100).contains(&run.id.len()) && run.id.bytes().all(is_id),
        "{}",
        run.id
    );
    assert!(is_inert(&run.display_name, 200));
    assert!(run.group.as_ref().is_none_or(|group| is_inert(group, 128)));
    assert!(!run.job_type.is_empty() && run.job_type.len() <= 32);
    assert!((1..=7).contains(&run.tags.len()));
    for tag in &run.tags {
        let words: Vec<&str> = tag.split(' ').collect();
        let is_word = |word: &&str| {
            !word.is_empty()
                && word
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
        };
        assert!(tag.len() <= 64 && words.iter().all(is_word), "{tag:?}");
    }
    run.config.values().for_each(check_value);
    check_notes(run.notes.as_ref().unwrap());
}

/// Code spans, our own links, and words: nothing else is in the Markdown, whatever the names are.
fn check_notes(notes: &str) {
    use pulldown_cmark::{Event, Options, Parser, Tag};
    for event in Parser::new_ext(notes, Options::all()) {
        match event {
            Event::Start(Tag::Link { dest_url, .. }) => {
                assert!(dest_url.starts_with("https://github.com/ada/models/"), "{dest_url}");
            }
            Event::Start(Tag::Paragraph) | Event::End(_) | Event::Code(_) | Event::Text(_) => {}
            other => panic!("{other:?} in {notes:?}"),
        }
    }
    // Outside of the code spans are only words of ours.
    let outside: String = notes.split('`').step_by(2).collect();
    assert!(!outside.contains(['<', '!', '$', '@', '#', '*']), "{outside}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn spoiled_facts_are_told_within_bounds(
        which in 0..5_usize,
        spoils in spoils(),
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        with_heading in any::<bool>(),
    ) {
        let (_, facts) = fixtures::all().into_iter().nth(which).unwrap();
        let facts = spoiled(&facts, &spoils);
        let mut csv = if with_heading { b"file,line,truth,prediction\n".to_vec() } else { Vec::new() };
        csv.extend(bytes);
        check_end(&end(&facts, Some(&csv), Some("<p>"), 1));
    }

    #[test]
    fn any_numbers_are_drawn_or_left_out(
        points in proptest::collection::vec([any::<f64>(), any::<f64>()], 0..30),
        near in proptest::collection::vec([-1e3..1e3, -1e3..1e3], 0..30),
        counts in proptest::collection::vec(any::<u64>(), 0..20),
        edges in proptest::collection::vec(any::<f64>(), 0..20),
    ) {
        let mut facts = fixtures::inconclusive();
        let plots = &mut facts.evaluation.as_mut().unwrap().plots;
        plots.predicted_actual = points;
        plots.predicted_actual.extend(near);
        for (point, edge) in plots.roc.iter_mut().zip(&edges) {
            point.y = *edge;
        }
        let cells = plots.confusion.as_mut().unwrap().counts.iter_mut().flatten();
        for (cell, count) in cells.zip(&counts) {
            *cell = *count;
        }
        (plots.residual_edges, plots.residual_counts) = (edges, counts);
        check_end(&end(&facts, None, None, 0));
    }

    #[test]
    fn any_setting_gives_a_run_that_a_tracker_takes(
        names in proptest::collection::vec(texts(), 12),
        pull_request in proptest::option::of(any::<u64>()),
        on_github in any::<bool>(),
    ) {
        let mut setting = setting();
        let mut names = names.into_iter();
        let mut next = || names.next().unwrap();
        let configured = &mut setting.configured;
        (configured.model, configured.estimator) = (next(), next());
        configured.params.push((next(), next()));
        configured.metrics.push(next());
        (setting.config_file, setting.job_type, setting.host) = (next(), next(), Some(next()));
        setting.github = on_github.then(|| GitHub {
            git_ref: format!("refs/heads/{}", next()),
            job: next(),
            event: next(),
            workflow: next(),
            actor: NASTY[3].to_owned(),
            pull_request,
            ..setting.github.clone().unwrap()
        });
        check_start(&start(&setting));
    }
}

#[test]
fn hostile_text_everywhere() {
    for nasty in NASTY {
        let (_, facts) = fixtures::all().into_iter().next().unwrap();
        let mut tree = serde_json::to_value(&facts).unwrap();
        let mut kept = 0;
        for at in 0..n_values(&tree) {
            let mut candidate = tree.clone();
            let value = nth(&mut candidate, &mut at.clone()).unwrap();
            if value.is_string() {
                *value = (*nasty).into();
                if serde_json::from_value::<Facts>(candidate.clone()).is_ok() {
                    tree = candidate;
                    kept += 1;
                }
            }
        }
        assert!(kept > 50, "{kept}");
        check_end(&end(&serde_json::from_value(tree).unwrap(), None, None, 0));
    }
}
