//! Every key of the configuration, looser and tighter.

use super::*;
use crate::config::check;

const BASE: &str = "model: m
data:
  source: data.csv
  target: y
  task: regression
  split: {test: 20%, seed: 42}
  contract:
    rows: {min: 400, max: 900}
    columns:
      a: {type: float, range: [0, 10], nulls: 1%, one_of: [1, 2], unique: true}
train:
  estimator: ridge
evaluate:
  metrics: [rmse, mae]
  slices: [a, {b: [0, 5, 9]}]
gates:
  lint: [ruff check ., black --check .]
  test: pytest
  metrics:
    rmse: {max: 60, max_regression: 1%, require: improvement}
    r2: {min: 0.4, max_regression: {relative: 2%, absolute: 0.1}}
  slices: {max_regression: 5%, min_rows: 30}
  budget: {model_size: 10MB, train_time: 10m}
  on_inconclusive: fail
promote: {to: production, approval: environment}
registry: wandb
wandb: {entity: acme, registry: model, organization: o, base_url: 'https://w.example', required: true, share_key: false, project: p}
";

fn project(text: &str) -> Project {
    check(text)
        .unwrap_or_else(|problems| panic!("{problems}\n{text}"))
        .project
}

fn edited(from: &str, to: &str) -> String {
    assert_eq!(BASE.matches(from).count(), 1, "`{from}` once");
    BASE.replacen(from, to, 1)
}

fn lines(base: &str, head: &str) -> Vec<String> {
    loosened(&project(base), &project(head))
        .into_iter()
        .map(|one| format!("{}: {} → {}", one.key, one.was, one.now))
        .collect()
}

/// What is written, what it becomes, what is said about it; the way back says nothing unless `way_back` does.
struct Row(&'static str, &'static str, &'static str, &'static [&'static str]);

const ROWS: &[Row] = &[
    Row("model: m", "model: n", "model: m → n", &["model: n → m"]),
    Row(
        "source: data.csv",
        "source: easy.csv",
        "data.source: data.csv → easy.csv",
        &["data.source: easy.csv → data.csv"],
    ),
    Row("target: y", "target: z", "data.target: y → z", &["data.target: z → y"]),
    Row(
        "test: 20%, seed",
        "test: 10%, seed",
        "data.split: {seed: 42, test: 20%} → {seed: 42, test: 10%}",
        &[],
    ),
    Row(
        "seed: 42",
        "seed: 43",
        "data.split: {seed: 42, test: 20%} → {seed: 43, test: 20%}",
        &["data.split: {seed: 43, test: 20%} → {seed: 42, test: 20%}"],
    ),
    Row(
        "test: 20%, seed: 42",
        "group: g, test: 20%, seed: 42",
        "data.split: {seed: 42, test: 20%} → {seed: 42, group: g, test: 20%}",
        &["data.split: {seed: 42, group: g, test: 20%} → {seed: 42, test: 20%}"],
    ),
    Row("min: 400", "min: 399", "data.contract.rows.min: 400 → 399", &[]),
    Row("min: 400, ", "", "data.contract.rows.min: 400 → absent", &[]),
    Row("max: 900", "max: 901", "data.contract.rows.max: 900 → 901", &[]),
    Row(", max: 900", "", "data.contract.rows.max: 900 → absent", &[]),
    Row("type: float, ", "", "data.contract.columns.a.type: float → absent", &[]),
    Row(
        "range: [0, 10], ",
        "",
        "data.contract.columns.a.range: [0, 10] → absent",
        &[],
    ),
    Row(
        "[0, 10]",
        "[-1, 10]",
        "data.contract.columns.a.range: [0, 10] → [-1, 10]",
        &[],
    ),
    Row(
        "[0, 10]",
        "[0, 10.5]",
        "data.contract.columns.a.range: [0, 10] → [0, 10.5]",
        &[],
    ),
    Row("nulls: 1%", "nulls: 2%", "data.contract.columns.a.nulls: 1% → 2%", &[]),
    Row("nulls: 1%, ", "", "data.contract.columns.a.nulls: 1% → absent", &[]),
    Row(
        "one_of: [1, 2]",
        "one_of: [1, 2, 3]",
        "data.contract.columns.a.one_of: [1, 2] → [1, 2, 3]",
        &[],
    ),
    Row(
        "one_of: [1, 2], ",
        "",
        "data.contract.columns.a.one_of: [1, 2] → absent",
        &[],
    ),
    Row(
        ", unique: true",
        "",
        "data.contract.columns.a.unique: true → false",
        &[],
    ),
    Row("[rmse, mae]", "[rmse]", "evaluate.metrics: [rmse, mae] → [rmse]", &[]),
    Row(
        "[a, {b: [0, 5, 9]}]",
        "[a]",
        "evaluate.slices: {b: [0, 5, 9]} → absent",
        &[],
    ),
    Row(
        "{b: [0, 5, 9]}",
        "{b: [0, 9]}",
        "evaluate.slices: {b: [0, 5, 9]} → {b: [0, 9]}",
        &["evaluate.slices: {b: [0, 9]} → {b: [0, 5, 9]}"],
    ),
    Row(
        "[ruff check ., black --check .]",
        "[black --check .]",
        "gates.lint: [ruff check ., black --check .] → [black --check .]",
        &[],
    ),
    Row(
        "  lint: [ruff check ., black --check .]\n",
        "",
        "gates.lint: [ruff check ., black --check .] → absent",
        &[],
    ),
    Row(
        "test: pytest",
        "test: 'true'",
        "gates.test: [pytest] → [true]",
        &["gates.test: [true] → [pytest]"],
    ),
    Row("  test: pytest\n", "", "gates.test: [pytest] → absent", &[]),
    Row("max: 60", "max: 61", "gates.metrics.rmse.max: 60 → 61", &[]),
    Row("max: 60, ", "", "gates.metrics.rmse.max: 60 → absent", &[]),
    Row("min: 0.4", "min: 0.3", "gates.metrics.r2.min: 0.4 → 0.3", &[]),
    Row("min: 0.4, ", "", "gates.metrics.r2.min: 0.4 → absent", &[]),
    Row(
        "max_regression: 1%",
        "max_regression: 1.5%",
        "gates.metrics.rmse.max_regression: 1% → 1.5%",
        &[],
    ),
    Row(
        "max_regression: 1%",
        "max_regression: 0.5",
        "gates.metrics.rmse.max_regression: 1% → 0.5",
        &["gates.metrics.rmse.max_regression: 0.5 → 1%"],
    ),
    Row(
        "absolute: 0.1",
        "absolute: 0.2",
        "gates.metrics.r2.max_regression: {relative: 2%, absolute: 0.1} → {relative: 2%, absolute: 0.2}",
        &[],
    ),
    Row(
        "relative: 2%, absolute",
        "relative: 3%, absolute",
        "gates.metrics.r2.max_regression: {relative: 2%, absolute: 0.1} → {relative: 3%, absolute: 0.1}",
        &[],
    ),
    Row(
        ", require: improvement",
        "",
        "gates.metrics.rmse.require: improvement → absent",
        &[],
    ),
    Row(
        "rmse: {max: 60, max_regression: 1%, require: improvement}",
        "rmse: {informational: true}",
        "gates.metrics.rmse.informational: false → true",
        &[],
    ),
    Row(
        "    rmse: {max: 60, max_regression: 1%, require: improvement}\n",
        "",
        "gates.metrics.rmse: {max: 60, max_regression: 1%, require: improvement} → absent",
        &[],
    ),
    Row(
        "max_regression: 5%",
        "max_regression: 6%",
        "gates.slices.max_regression: 5% → 6%",
        &[],
    ),
    Row("min_rows: 30", "min_rows: 300", "gates.slices.min_rows: 30 → 300", &[]),
    Row(
        "  slices: {max_regression: 5%, min_rows: 30}\n",
        "",
        "gates.slices: {max_regression: 5%, min_rows: 30} → absent",
        &[],
    ),
    Row(
        "model_size: 10MB",
        "model_size: 10MiB",
        "gates.budget.model_size: 10MB → 10MiB",
        &[],
    ),
    Row("model_size: 10MB, ", "", "gates.budget.model_size: 10MB → absent", &[]),
    Row(
        "train_time: 10m",
        "train_time: 1h",
        "gates.budget.train_time: 10m → 1h",
        &[],
    ),
    Row(", train_time: 10m", "", "gates.budget.train_time: 10m → absent", &[]),
    Row(
        "on_inconclusive: fail",
        "on_inconclusive: warn",
        "gates.on_inconclusive: fail → warn",
        &[],
    ),
    Row(
        "approval: environment",
        "approval: comment",
        "promote.approval: environment → comment",
        &[],
    ),
    Row(
        "approval: environment",
        "approval: auto",
        "promote.approval: environment → auto",
        &[],
    ),
    Row(
        "to: production",
        "to: live",
        "promote.to: production → live",
        &["promote.to: live → production"],
    ),
    Row(
        "registry: wandb\n",
        "registry: embedded\n",
        "registry: wandb → embedded",
        &["registry: embedded → wandb"],
    ),
    Row(
        "registry: wandb\n",
        "",
        "registry: wandb → auto",
        &["registry: auto → wandb"],
    ),
    Row(
        "entity: acme",
        "entity: other",
        "wandb.entity: acme → other",
        &["wandb.entity: other → acme"],
    ),
    Row(
        "registry: model,",
        "registry: trial,",
        "wandb.registry: model → trial",
        &["wandb.registry: trial → model"],
    ),
    Row(
        "organization: o, ",
        "",
        "wandb.organization: o → absent",
        &["wandb.organization: absent → o"],
    ),
    Row(
        "https://w.example",
        "https://v.example",
        "wandb.base_url: https://w.example → https://v.example",
        &["wandb.base_url: https://v.example → https://w.example"],
    ),
    Row("required: true", "required: false", "wandb.required: true → false", &[]),
    Row("required: true, ", "", "wandb.required: true → false", &[]),
    Row(
        "share_key: false",
        "share_key: true",
        "wandb.share_key: false → true",
        &[],
    ),
];

#[test]
fn every_key_both_ways() {
    for Row(from, to, said, back) in ROWS {
        let head = edited(from, to);
        assert_eq!(lines(BASE, &head), [*said], "{from} → {to}");
        assert_eq!(lines(&head, BASE), *back, "{to} → {from}");
    }
}

#[test]
fn whole_parts_that_go() {
    let contract = &BASE[BASE.find("  contract:").unwrap()..BASE.find("train:").unwrap()];
    let column = &BASE[BASE.find("    columns:").unwrap()..BASE.find("train:").unwrap()];
    let budget = "  budget: {model_size: 10MB, train_time: 10m}\n";
    assert_eq!(lines(BASE, &edited(contract, "")), ["data.contract: present → absent"]);
    assert_eq!(
        lines(BASE, &edited(column, "")),
        ["data.contract.columns.a: present → absent"]
    );
    assert_eq!(
        lines(BASE, &edited(budget, "")),
        [
            "gates.budget.model_size: 10MB → absent",
            "gates.budget.train_time: 10m → absent"
        ]
    );
    let empty = "model: m\ndata: {source: data.csv, target: y}\ntrain: {estimator: ridge}\n";
    let keys: Vec<String> = loosened(&project(BASE), &project(empty))
        .into_iter()
        .map(|one| one.key)
        .collect();
    insta::assert_snapshot!(keys.join("\n"), @r"
    data.contract
    evaluate.slices
    evaluate.slices
    gates.lint
    gates.test
    gates.metrics.rmse.max
    gates.metrics.rmse.max_regression
    gates.metrics.rmse.require
    gates.metrics.r2
    gates.slices
    gates.budget.model_size
    gates.budget.train_time
    gates.on_inconclusive
    promote.approval
    registry
    wandb.entity
    wandb.organization
    wandb.base_url
    wandb.required
    ");
    // The default metrics of a regression hold one that the long form leaves out.
    let back = lines(empty, BASE).into_iter().filter(|line| !line.contains("wandb"));
    assert_eq!(
        back.collect::<Vec<_>>(),
        ["evaluate.metrics: [rmse, mae, r2] → [rmse, mae]"]
    );
}

#[test]
fn the_same_in_other_words_says_nothing() {
    for (from, to) in [
        ("test: 20%, seed: 42", "test: 0.2"),
        ("test: pytest", "test: {run: [pytest], timeout: 1h}"),
        (
            "[ruff check ., black --check .]",
            "[black --check ., ruff check ., mypy .]",
        ),
        ("10MB", "10000kB"),
        ("train_time: 10m", "train_time: 600s"),
        ("to: production, ", ""),
        ("type: float", "type: integer"),
        ("estimator: ridge", "estimator: random_forest"),
        ("project: p", "project: q"),
        ("registry: model, ", ""),
        ("registry: model,", "registry: wandb-registry-model,"),
        ("share_key: false, ", ""),
    ] {
        assert_eq!(lines(BASE, &edited(from, to)), [""; 0], "{from} → {to}");
    }
    // The default split is that split.
    assert_eq!(lines(BASE, &edited("  split: {test: 20%, seed: 42}\n", "")), [""; 0]);
}

/// Where runs are is nobody's gate.
#[test]
fn places_of_runs_alone_are_free() {
    let base = edited("registry: wandb\n", "registry: embedded\n");
    let head = base
        .replace("entity: acme", "entity: other")
        .replace("https://w.example", "https://v.example");
    assert_eq!(lines(&base, &head), [""; 0]);
}

#[test]
fn the_default_gate_is_a_gate() {
    let plain = "model: m\ndata: {source: data.csv, target: y, task: regression}\ntrain: {estimator: ridge}\n";
    let other = format!("{plain}evaluate: {{metrics: [mae, rmse, r2]}}\n");
    assert_eq!(
        lines(plain, &other),
        ["gates.metrics.rmse: {max_regression: 2%} → absent"]
    );
    let unknown = "model: m\ndata: {source: data.csv, target: y}\ntrain: {estimator: ridge}\n";
    let silent = format!("{unknown}gates: {{metrics: {{rmse: {{informational: true}}}}}}\n");
    assert_eq!(
        lines(unknown, &silent),
        ["gates.metrics: absent → only informational metrics"]
    );
}

#[test]
fn what_changed_has_its_place_in_the_new_file() {
    for (from, to, line) in [
        ("max: 60", "max: 61", "    rmse: {max: 61"),
        ("nulls: 1%", "nulls: 2%", "      a: {type: float"),
        ("min: 400", "min: 399", "    rows: {min: 399"),
        (
            "on_inconclusive: fail",
            "on_inconclusive: warn",
            "  on_inconclusive: warn",
        ),
        (
            "approval: environment",
            "approval: auto",
            "promote: {to: production, approval: auto",
        ),
        ("to: production", "to: live", "promote: {to: live"),
        ("model: m", "model: n", "model: n"),
        ("train_time: 10m", "train_time: 20m", "  budget:"),
        ("registry: wandb\n", "registry: embedded\n", "registry: embedded"),
        ("share_key: false", "share_key: true", "wandb: {"),
        ("required: true", "required: false", "wandb: {"),
    ] {
        let head = edited(from, to);
        let found = loosened(&project(BASE), &project(&head));
        let span = found[0].span.unwrap_or_else(|| panic!("{to} has no place"));
        let written = head.lines().nth(span.line as usize - 1).unwrap();
        assert!(written.starts_with(line), "{written}");
    }
}

/// Whatever a gate on drift looks at is written as in the configuration.
#[test]
fn what_a_drift_gate_looks_at_is_written_as_yaml() {
    let gate = |drift: &str| {
        edited(
            "  on_inconclusive: fail\n",
            &format!("  on_inconclusive: fail\n  drift: {{{drift}}}\n"),
        )
    };
    let base = gate(
        "policy: fail, mode: evidently, include: [a, \"b, c\"], types: {zip: cat, \"1\": num}, \
         method: {num: psi, columns: {a: ks}}, threshold: {default: 0.1, columns: {a: 0.2}}, time_column: day, seasonal: month",
    );
    insta::assert_snapshot!(lines(&base, &gate("policy: fail")).join("\n"), @r#"
    gates.drift.mode: evidently → calibrated
    gates.drift.include: [a, "b, c"] → absent
    gates.drift.types: {"1": num, zip: cat} → absent
    gates.drift.method: {num: psi, columns: {a: ks}} → absent
    gates.drift.threshold: {default: 0.1, columns: {a: 0.2}} → absent
    gates.drift.time_column: day → absent
    gates.drift.seasonal: month → absent
    "#);
    let plain = gate("policy: fail, mode: evidently, threshold: 0.1");
    let other = gate("policy: fail, mode: evidently, threshold: 0.2, exclude: [a], method: {cat: psi}");
    insta::assert_snapshot!(lines(&plain, &other).join("\n"), @r"
    gates.drift.exclude: absent → [a]
    gates.drift.method: absent → {cat: psi}
    gates.drift.threshold: 0.1 → 0.2
    ");
    assert_eq!(lines(&base, &base), [""; 0]);
    assert_eq!(
        lines(&gate("policy: fail"), &gate("policy: warn")),
        ["gates.drift.policy: fail → warn"]
    );
}
