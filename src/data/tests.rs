//! The whole way from a file to what a run says about its data, on real data.

use std::path::Path;

use super::*;
use crate::base::Span;

fn check(source: &str, target: &str) -> String {
    let span = Span::new(4, 11, 12);
    let settings = Settings {
        source: source.to_owned(),
        source_span: span,
        target: target.to_owned(),
        target_span: span,
        task: None,
        exclude: Vec::new(),
        split: None,
        contract: None,
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let loaded = read(&root, &settings).unwrap();
    let (rows, dropped) = rows_with_target(&loaded.frame, target).unwrap();
    let frame = loaded.frame.select(&rows);
    let (task, why) = infer_task(&frame, target).unwrap();
    let names: Vec<&str> = frame.columns().iter().map(|column| column.name.as_str()).collect();
    let parts = split(&frame, &default_split(target, task, span), &names).unwrap();
    let roles = roles(&frame, &settings).unwrap();
    let features = frame
        .columns()
        .iter()
        .zip(roles)
        .filter(|(_, role)| *role == Role::Feature);
    let features: Vec<String> = features.map(|(column, _)| column.name.clone()).collect();
    let kind = SplitKind::Random { test: Size::Share(0.2) };
    let found = leaks(&frame, &parts, &LeakColumns::of_split(target, &features, &kind));
    let found: Vec<String> = found
        .iter()
        .map(|leak| format!("{}: {} {:?}", leak.code, leak.message, leak.evidence))
        .collect();
    format!(
        "{} because {why}\n{}: {} train, {} test, {dropped} without target\n{} features, leaks: {found:?}",
        task.name(),
        parts.description,
        parts.train.len(),
        parts.test.len(),
        features.len(),
    )
}

#[test]
fn real_data_is_understood() {
    let shown = [
        check("repos/diabetes/data/diabetes.csv", "progression"),
        check("repos/breast-cancer/data/wdbc.csv", "diagnosis"),
        check("data/penguins.csv", "species"),
        check("data/penguins.csv", "sex"),
        check("data/penguins.csv", "body_mass_g"),
    ];
    insta::assert_snapshot!(shown.join("\n\n"), @r"
    regression because `progression` is whole numbers with 214 distinct values
    random, 20 % test, seed 42: 354 train, 88 test, 0 without target
    10 features, leaks: []

    binary because `diagnosis` has 2 distinct texts
    stratified by `diagnosis`, 20 % test, seed 42: 455 train, 114 test, 0 without target
    30 features, leaks: []

    multiclass because `species` has 3 distinct texts
    stratified by `species`, 20 % test, seed 42: 275 train, 69 test, 0 without target
    7 features, leaks: []

    binary because `sex` has 2 distinct texts
    stratified by `sex`, 20 % test, seed 42: 266 train, 67 test, 11 without target
    7 features, leaks: []

    regression because `body_mass_g` is a decimal number
    random, 20 % test, seed 42: 274 train, 68 test, 2 without target
    7 features, leaks: []
    ");
}
