//! The report as a whole: snapshots of every rendering, the saved facts, and bounds.

use proptest::prelude::*;

use super::document::{Block, Document, plain};
use super::fixtures;
use super::{Html, Json, Markdown, Render, Terminal, sections, title};
use crate::facts::{Facts, FactsError, SCHEMA};

mod drift;
mod held;
mod hostile;
mod pairs;
mod stranger;

use held::{MARKDOWN, assert_balanced, assert_well_formed, body, snapshots};

fn terminal(color: bool) -> Terminal {
    Terminal {
        width: 100,
        color,
        full: false,
    }
}

/// The three renderings of a document, without color.
fn renderings(facts: &Facts) -> [(&'static str, String); 4] {
    let document = sections(facts, None);
    [
        ("md", MARKDOWN.render(&document)),
        ("html", Html::default().render(&document)),
        ("txt", terminal(false).render(&document)),
        (
            "json",
            Json {
                report: Some("mlops-report.html"),
            }
            .render(facts),
        ),
    ]
}

#[test]
fn realistic_runs_in_every_rendering() {
    snapshots().bind(|| {
        for (name, facts) in fixtures::all() {
            for (kind, text) in renderings(&facts) {
                let text = if kind == "html" { body(&text).to_owned() } else { text };
                insta::assert_snapshot!(format!("{name}.{kind}"), text);
            }
        }
    });
}

#[test]
fn titles() {
    let titles: Vec<String> = fixtures::all().iter().map(|(_, facts)| title(facts)).collect();
    insta::assert_snapshot!(titles.join("\n"), @"
    ✅ Better: rmse 53.2 against 55.1 in v3, −3.4 %
    ⚠️ Inconclusive: roc_auc 0.870 against 0.874 in v3, −0.004, inside the noise, about 4,870 rows would decide it
    ❌ Worse: rmse 58.9 against 55.1 in v3, +7.0 %; and data and 2 more gates failed
    ✅ Better: rmse 53.2 against 73.2 of the baseline (the training mean), −27 %
    ❌ Failed to run: column progression is not in data/diabetes.csv; the nearest is progresion
    ");
}

/// The first production-less run on real data met a baseline whose r2 is a hair above zero.
#[test]
fn a_percentage_is_told_only_where_it_means_something() {
    let mut facts = fixtures::first();
    let comparison = &mut facts.comparison.as_mut().unwrap().metrics;
    let mut r2 = comparison[0].clone();
    r2.metric = "r2".to_owned();
    r2.direction = crate::base::Direction::Maximize;
    (r2.champion, r2.challenger, r2.difference) = (Some(0.0001), Some(0.47), Some(0.4699));
    r2.difference_interval = Some([0.33, 0.57]);
    let mut near_zero = comparison[0].clone();
    near_zero.metric = "log_loss".to_owned();
    (near_zero.champion, near_zero.challenger, near_zero.difference) = (Some(0.001), Some(0.9), Some(0.899));
    near_zero.difference_interval = Some([0.5, 1.3]);
    comparison.extend([r2, near_zero]);
    let shown = terminal(false).render(&sections(&facts, None));
    let lines: Vec<&str> = shown
        .lines()
        .filter(|line| ["rmse", "r2", "log_loss"].iter().any(|name| line.starts_with(name)))
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @"
    rmse ↓          73.2         53.2  −20.0 (−27 %)     −26.9 to −13.4  ✓ pass, better
    r2 ↑            0.00         0.47          +0.47       0.33 to 0.57  better, not judged
    log_loss ↓      0.00         0.90          +0.90       0.50 to 1.30  better, not judged
    rmse      │             ├──────●──────┤                     +27 %
    r2        │                        ├──────────●───────┤     +0.47
    ");
}

#[test]
fn better_is_never_inside_the_noise() {
    let mut facts = fixtures::better();
    facts.comparison.as_mut().unwrap().metrics[0].difference_interval = Some([-3.8, 0.01]);
    let shown = terminal(false).render(&sections(&facts, None));
    assert!(!title(&facts).contains("noise"), "{shown}");
    assert!(shown.contains("rest on a one-sided 95\u{a0}% bound"), "{shown}");
}

#[test]
fn a_run_that_reused_everything_says_so_near_the_top() {
    let facts = fixtures::reused();
    insta::assert_snapshot!(title(&facts), @"✅ Same: rmse 55.10, exactly the value in v3");
    for (kind, text) in renderings(&facts).into_iter().filter(|(kind, _)| *kind != "json") {
        let said = text.find("Nothing that the model depends on changed since").unwrap();
        assert!(said < text.find("Metric").unwrap(), "{kind}: {text}");
        assert!(!text.contains("How sure the difference is"), "{kind}: {text}");
    }
    let mut facts = facts;
    let page = "https://github.com/ada/diabetes/actions/runs/7";
    facts.training.as_mut().unwrap().reused_page = Some(page.to_owned());
    for (kind, text) in renderings(&facts).into_iter().filter(|(kind, _)| *kind != "json") {
        assert!(text.contains(page), "{kind}: {text}");
    }
    facts.training.as_mut().unwrap().reused_page = Some("javascript:alert(1)".to_owned());
    for (kind, text) in renderings(&facts).into_iter().filter(|(kind, _)| *kind != "json") {
        assert!(!text.contains("javascript:"), "{kind}: {text}");
    }
}

#[test]
fn the_model_section_says_what_its_columns_weigh() {
    let only_model = |facts: &Facts| {
        let mut document = sections(facts, None);
        document.sections.retain(|section| section.key == "model");
        Terminal {
            width: 100,
            color: false,
            full: true,
        }
        .render(&document)
    };
    let mut facts = fixtures::better();
    insta::assert_snapshot!(only_model(&facts), @"
    Model: ridge, 3.2 kB, trained in 412 ms

      Seed 42, 10 features in, 10 after encoding, digest 9372c470eead.

      Parameter      Value
      alpha          1.0
      fit_intercept  true

      The 6 columns that weigh most, of 10. Coefficients on standardized columns: how far the linear
      prediction moves, and which way, when a column grows by one standard deviation.
      bmi  ████████████████████████████████████████ +24.7
      s5   ███████████████████████████████████▊ +22.1
      bp   █████████████████████████ +15.4
      sex  ██████████████████▏ −11.2
      s3   ███████████████▉ −9.8
      age  ▌ +0.3

      Registry .mlops/registry: nothing published, since a pull request publishes nothing; production is
      v3.

    ✓ Better: rmse 53.2 against 55.1 in v3, −3.4 %
    ");
    let training = facts.training.as_mut().unwrap();
    training.estimator = "random_forest".to_owned();
    training.importance = vec![
        ("bmi".to_owned(), 0.61),
        ("s5=high".to_owned(), 0.3),
        ("x".to_owned(), f64::NAN),
    ];
    insta::assert_snapshot!(only_model(&facts), @"
    Model: random_forest, 3.2 kB, trained in 412 ms

      Seed 42, 10 features in, 10 after encoding, digest 9372c470eead.

      Parameter      Value
      alpha          1.0
      fit_intercept  true

      The 2 columns that weigh most, of 10. Share of what the trees learned that came from splits on a
      column; all columns together are 100 %.
      bmi      ████████████████████████████████████████ 61 %
      s5=high  ███████████████████▋ 30 %

      Registry .mlops/registry: nothing published, since a pull request publishes nothing; production is
      v3.

    ✓ Better: rmse 53.2 against 55.1 in v3, −3.4 %
    ");
    facts.training.as_mut().unwrap().importance = vec![("bmi".to_owned(), 0.0)];
    assert!(!only_model(&facts).contains("weigh"));
}

#[test]
fn the_command_to_repeat_a_run_finds_its_configuration() {
    let summary = |directory: Option<&str>, config_file: &str| {
        let mut facts = fixtures::better();
        facts.directory = directory.map(str::to_owned);
        facts.config_file = config_file.to_owned();
        let mut document = sections(&facts, None);
        document.sections.retain(|section| section.key == "repeat");
        let text = terminal(false).render(&document);
        text.lines().next().unwrap_or_default().to_owned()
    };
    let lines = [
        summary(None, "mlops.yaml"),
        summary(Some("models/my diabetes"), ".github/mlops.yaml"),
        summary(None, "other.yaml"),
    ];
    insta::assert_snapshot!(lines.join("\n"), @"
    Repeat it locally: mlops run
    Repeat it locally: mlops -C 'models/my diabetes' run
    Repeat it locally: mlops run --config other.yaml
    ");
}

#[test]
fn a_terminal_shows_two_pictures_and_everything_when_asked() {
    let render = |full: bool| {
        let renderer = Terminal {
            width: 100,
            color: false,
            full,
        };
        renderer.render(&sections(&fixtures::better(), None))
    };
    let pictures = ["How sure the difference is.", "Predicted against actual.", "Residuals."];
    assert_eq!(pictures.map(|name| render(false).contains(name)), [true, true, false]);
    assert_eq!(pictures.map(|name| render(true).contains(name)), [true, true, true]);
    assert!(render(true).contains("p, corrected"));
    assert!(!render(false).contains("p, corrected"));
}

#[test]
fn a_check_without_training_has_no_verdict() {
    let mut facts = fixtures::failed();
    facts.verdict = crate::base::Verdict::Inconclusive;
    facts.passed = true;
    facts.gates.clear();
    facts.reason = "data and commands are in order; nothing was trained".to_owned();
    assert_eq!(
        title(&facts),
        "✅ Checked: data and commands are in order; nothing was trained"
    );
}

#[test]
fn a_title_names_gates_that_the_verdict_does_not_speak_of() {
    let mut facts = fixtures::worse();
    facts.verdict = crate::base::Verdict::Better;
    insta::assert_snapshot!(title(&facts), @"❌ Better: r2 0.469 against 0.431 in v3, +0.038; but data and 3 more gates failed");
    let mut facts = fixtures::better();
    facts.comparison = None;
    insta::assert_snapshot!(title(&facts), @"✅ Better: rmse is better than v3 on the same 89 rows");
}

#[test]
fn what_changed_since_the_last_report() {
    let before = fixtures::better();
    let mut facts = fixtures::better();
    let training = facts.training.as_mut().unwrap();
    training.params[0].1 = "0.1".to_owned();
    training.model_bytes = 9_870;
    facts.data.as_mut().unwrap().columns.remove(0);
    let mut document = sections(&facts, Some(&before));
    document.sections.retain(|section| section.key == "changes");
    insta::assert_snapshot!(MARKDOWN.render(&document), @"
    <details>
    <summary><b>Changed since the last report</b>: parameter <code>alpha</code> <code>1.0</code> → <code>0.1</code>, model size <code>3.2 kB</code> → <code>9.9 kB</code> and 1 more</summary>

    | What | Before | Now |
    | --- | --- | --- |
    | parameter `alpha` | `1.0` | `0.1` |
    | model size | `3.2 kB` | `9.9 kB` |
    | column removed | `age` | — |

    </details>
    ");
    assert!(
        sections(&before, Some(&before))
            .sections
            .iter()
            .all(|section| section.key != "changes")
    );
}

#[test]
fn the_saved_form_is_a_promise() {
    snapshots().bind(|| insta::assert_snapshot!("facts", fixtures::worse().to_json()));
    for (_, facts) in fixtures::all() {
        assert_eq!(Facts::from_json(&facts.to_json()).unwrap(), facts);
    }
}

#[test]
fn facts_that_can_not_be_read_say_why() {
    let text = fixtures::better().to_json();
    let newer = text.replacen(&format!("\"schema\": {SCHEMA}"), "\"schema\": 99", 1);
    let error = Facts::from_json(&newer).unwrap_err();
    assert_eq!(
        error,
        FactsError::Newer {
            found: 99,
            known: SCHEMA
        }
    );
    let error = Facts::from_json("{\"schema\": 1, \"model\": 3\u{1b}}")
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("the facts are malformed at line 1, column"),
        "{error}"
    );
    let error = Facts::from_json(&text.replace("\"passed\": true", "\"passed\": \"yes\"")).unwrap_err();
    assert!(
        matches!(error, FactsError::Malformed { line, .. } if line > 100),
        "{error}"
    );
    let mut many = fixtures::better();
    many.history = vec![many.history[0].clone(); 10_001];
    let error = Facts::from_json(&many.to_json()).unwrap_err().to_string();
    assert_eq!(error, "the facts have 10001 history points; the limit is 10000");
    let mut long = fixtures::better();
    long.reason = "x".repeat(300_000);
    assert!(matches!(
        Facts::from_json(&long.to_json()),
        Err(FactsError::TooMany { .. })
    ));
    assert!(Facts::from_json("[[[[").is_err());
    let error = Facts::from_json(&" ".repeat(50 << 20)).unwrap_err();
    assert!(matches!(error, FactsError::TooLarge { .. }), "{error}");
}

#[test]
fn an_ordinary_page_is_small() {
    for (name, facts) in fixtures::all() {
        let page = Html::default().render(&sections(&facts, None));
        assert!(page.len() <= 150_000, "{name}: {}", page.len());
    }
}

#[test]
fn a_huge_run_is_bounded_and_keeps_its_verdict() {
    let facts = fixtures::huge();
    let document = sections(&facts, None);
    let markdown = MARKDOWN.render(&document);
    assert!(markdown.len() < 60_000, "{}", markdown.len());
    assert!(markdown.contains("Worse"), "{markdown}");
    assert_well_formed(&markdown);
    let page = Html::default().render(&document);
    assert!(page.len() < 1_050_000, "{}", page.len());
    assert_balanced(&page);
    assert!(page.contains("Worse"));
}

#[test]
fn no_limit_is_too_small() {
    for (name, facts) in fixtures::all().into_iter().chain([("huge", fixtures::huge())]) {
        let document = sections(&facts, None);
        let whole = MARKDOWN.render(&document).len();
        for limit in [
            0,
            1,
            10,
            80,
            300,
            1_000,
            2_000,
            3_000,
            4_000,
            6_000,
            9_000,
            20_000,
            whole,
            whole + 500,
        ] {
            let markdown = Markdown { limit }.render(&document);
            assert!(markdown.len() <= limit, "{name} with {limit}: {}", markdown.len());
            assert_well_formed(&markdown);
        }
    }
}

#[test]
fn what_is_left_out_is_said() {
    let markdown = Markdown { limit: 4_000 }.render(&sections(&fixtures::worse(), None));
    let said = markdown.lines().last().unwrap();
    insta::assert_snapshot!(said, @"<sub>Left out to keep this short: steps, defaults, comparison, repeat, model, history, plots, slices, data. The HTML report has everything.</sub>");
}

#[test]
fn a_terminal_line_fits_its_width() {
    use unicode_width::UnicodeWidthStr;
    for (_, facts) in fixtures::all() {
        for width in [40, 60, 80, 100] {
            let shown = Terminal {
                width,
                color: false,
                full: true,
            }
            .render(&sections(&facts, None));
            for line in shown.lines() {
                assert!(line.width() <= width, "{line}\n{shown}");
            }
        }
    }
}

#[test]
fn a_narrow_terminal_never_cuts_a_number() {
    for width in (40..130).step_by(5) {
        let shown = Terminal {
            width,
            color: false,
            full: false,
        }
        .render(&sections(&fixtures::inconclusive(), None));
        for number in ["0.4121", "0.4163", "+0.0042", "(+1.0\u{a0}%)", "−0.0042", "0.0126"] {
            assert!(shown.contains(number), "{number} at {width}\n{shown}");
        }
    }
}

#[test]
fn every_table_row_is_complete() {
    fn check(blocks: &[Block]) {
        for block in blocks {
            match block {
                Block::Table(table) => assert!(table.rows.iter().all(|row| row.len() == table.columns.len())),
                Block::Details { blocks, .. } => check(blocks),
                _ => {}
            }
        }
    }
    let documents: Vec<Document> = fixtures::all().iter().map(|(_, facts)| sections(facts, None)).collect();
    for document in &documents {
        document.sections.iter().for_each(|section| check(&section.blocks));
        assert!(!plain(&document.title).is_empty());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_number_is_drawn(
        a in proptest::num::f64::ANY, b in proptest::num::f64::ANY, c in proptest::num::f64::ANY,
        counts in proptest::collection::vec(any::<u64>(), 0..130),
    ) {
        let mut facts = fixtures::better();
        let evaluation = facts.evaluation.as_mut().unwrap();
        evaluation.plots.predicted_actual = vec![[a, b], [b, c], [c, a]];
        evaluation.plots.residual_edges = (0..=counts.len()).map(|i| a + i as f64 * b).collect();
        evaluation.plots.residual_counts = counts;
        let comparison = &mut facts.comparison.as_mut().unwrap().metrics[0];
        comparison.champion = Some(a);
        comparison.challenger = Some(b);
        comparison.difference = Some(c);
        comparison.difference_interval = Some([b, c]);
        comparison.margin = a;
        facts.history[0].value = c;
        let document = sections(&facts, None);
        for text in [MARKDOWN.render(&document), Html::default().render(&document), terminal(true).render(&document)] {
            for wrong in ["NaN", "inf,", "inf ", "inf]", "inf\""] {
                prop_assert!(!text.contains(wrong), "{}", text);
            }
        }
    }
}
