//! Files of predictions as questions, and what comes of them.

use clap::Parser as _;

use super::*;
use crate::cli::{Cli, Command};
use crate::data::testing::{frame, numbers, texts};

fn options(line: &str) -> DecideOptions {
    let words = ["mlops", "decide"].into_iter().chain(line.split_whitespace());
    match Cli::try_parse_from(words).unwrap().command {
        Command::Decide(options) => *options,
        other => panic!("{other:?}"),
    }
}

fn asked(frame: &Frame, line: &str) -> Result<OfRows, String> {
    let options = options(&format!("file.csv --truth y {line}"));
    let (name, adjust) = adjustment(&options.adjust).unwrap();
    of_rows(frame, &options, name, adjust).map_err(|failure| failure.line())
}

/// Sixty rows; what each column holds in a row follows from its number.
fn column(name: &str, of: impl Fn(u32) -> f64) -> crate::data::Column {
    let values: Vec<f64> = (0..60).map(of).collect();
    numbers(name, &values)
}

fn wave(i: u32) -> f64 {
    (f64::from(i) * 1.7).sin()
}

fn task_of(columns: Vec<crate::data::Column>) -> Result<(Task, Option<String>, Vec<String>), String> {
    let rows = asked(&frame(columns), "")?;
    let names = rows.comparisons.into_iter().map(|one| one.metric).collect();
    Ok((rows.task, rows.positive, names))
}

#[test]
fn the_columns_say_what_is_asked() {
    let half = |i: u32| f64::from(i % 2);
    let near = |i: u32| 0.5 + 0.3 * wave(i);
    let both = |of: fn(u32) -> f64| [column("champion", of), column("challenger", of)];
    let with = |truth, sides: [crate::data::Column; 2]| task_of([vec![truth], sides.into()].concat()).unwrap();

    let scored = with(
        column("y", half),
        [column("champion", near), column("challenger", near)],
    );
    assert_eq!((scored.0, scored.1.as_deref()), (Task::Binary, Some("1")));
    assert_eq!(scored.2, ["roc_auc", "f1", "accuracy", "log_loss"]);
    // Classes alone: what needs probabilities is left out.
    let named = with(column("y", half), both(|i| f64::from(i % 3 % 2)));
    assert_eq!(
        (named.0, named.2),
        (Task::Binary, vec!["f1".to_owned(), "accuracy".to_owned()])
    );
    let digits = with(column("y", |i| f64::from(i % 5)), both(|i| f64::from(i % 4)));
    assert_eq!(digits.0, Task::Multiclass);
    // A quantity that could be classes, were it not for the model.
    let stars = with(column("y", |i| f64::from(i % 5)), both(|i| 2.0 + wave(i)));
    assert_eq!((stars.0, stars.1), (Task::Regression, None));
    let words: Vec<&str> = (0..60).map(|i| if i % 2 == 0 { "no" } else { "yes" }).collect();
    let churn = with(
        texts("y", &words),
        [column("champion", near), column("challenger", near)],
    );
    assert_eq!((churn.0, churn.1.as_deref()), (Task::Binary, Some("yes")));
    // Two numbers: the second is the greater one, not the later in the alphabet.
    let sizes = with(
        column("y", |i| 9.0 + f64::from(i % 2)),
        both(|i| 9.0 + f64::from(i % 3 % 2)),
    );
    assert_eq!(sizes.1.as_deref(), Some("10"));
}

#[test]
fn what_can_not_be_asked_says_why() {
    let y = || column("y", wave);
    let said = |columns, line: &str| asked(&frame(columns), line).err().unwrap();
    assert!(said(vec![y(), column("champion", wave)], "").contains("challenger"));
    let mut holed = column("challenger", wave);
    holed.values = Values::Numbers((0..60).map(|i| if i == 7 { f64::NAN } else { 1.5 }).collect());
    assert!(said(vec![y(), column("champion", wave), holed], "").contains("`challenger` has no value in"));
    let words: Vec<&str> = (0..60).map(|i| if i % 2 == 0 { "no" } else { "yes" }).collect();
    let wrong = said(
        vec![texts("y", &words), column("champion", wave), column("challenger", wave)],
        "",
    );
    assert!(wrong.contains("neither classes nor probabilities"), "{wrong}");
    let other = vec![
        texts("y", &words),
        texts("champion", &words),
        texts("challenger", &["0"; 60]),
    ];
    assert_eq!(said(other, ""), "no class of `challenger` is one of `y`");
    let three = || vec![y(), column("champion", wave), column("challenger", |i| 1.1 * wave(i))];
    assert!(said(three(), "--metric maee").contains("did you mean `mae`?"));
    assert!(said(three(), "--metric roc_auc").contains("is not known"));
    assert!(said(three(), "--metric mae --metric mae").contains("twice"));
    assert!(said(three(), "--metric mae --margin rmse=1").contains("`--margin rmse`"));
    for loss in ["mae", "mae=-1", "mae=x", "mae=NaN", "mae=inf%"] {
        assert!(
            said(three(), &format!("--metric mae --margin {loss}")).contains("--margin"),
            "{loss}"
        );
    }
    assert!(said(three(), "--alpha 0.7").contains("--alpha"));
    assert!(said(three(), "--task multiclass --metric mae").contains("is not known"));
    assert!(adjustment("hollm").err().unwrap().line().contains("`holm`"));
}

#[test]
fn a_loss_is_a_number_or_a_share() {
    let two = loss("--margin", "2%").unwrap();
    assert_eq!((two.relative, two.absolute), (Some(0.02), None));
    let some = loss("--margin", "0.5").unwrap();
    assert_eq!((some.relative, some.absolute), (None, Some(0.5)));
}

#[test]
fn a_worse_slice_makes_it_worse_unless_the_correction_forgives_it() {
    // The challenger is better in all, and worse in one of six slices.
    let slice = |i: u32| f64::from(i % 6);
    let error = |i: u32| 1.0 + 0.1 * wave(i);
    let columns = vec![
        column("y", |i| 100.0 * wave(3 * i)),
        column("champion", move |i| 100.0 * wave(3 * i) + error(i)),
        column("challenger", move |i| {
            100.0 * wave(3 * i) + if i % 6 == 4 { 1.06 } else { 0.2 } * error(i + 1)
        }),
        column("part", slice),
    ];
    let frame = frame(columns);
    let judged = |line: &str| {
        let rows = asked(&frame, &format!("--metric mae --slice part --min-rows 5 {line}")).unwrap();
        (
            rows.decision.verdict,
            rows.slices[4].p_worse.unwrap(),
            rows.slices[4].p_adjusted.unwrap(),
        )
    };
    let (verdict, p, holm) = judged("");
    assert!(holm >= p * 5.9, "{p} {holm}");
    let strict = judged(&format!("--alpha {}", holm / 2.0));
    let lenient = judged(&format!("--alpha {}", (holm * 1.01).min(0.49)));
    assert_eq!((strict.0, lenient.0), (Verdict::Better, Verdict::Worse), "{p} {holm}");
    assert_eq!(verdict, if holm < 0.05 { Verdict::Worse } else { Verdict::Better });
    assert_eq!(judged("--slice-margin 5").0, Verdict::Better);
}

#[test]
fn later_looks_ask_for_more() {
    let columns = vec![
        column("y", |i| 10.0 * wave(3 * i)),
        column("champion", |i| 10.0 * wave(3 * i) + 1.0 + wave(i)),
        column("challenger", |i| 10.0 * wave(3 * i) + 0.9 + wave(i + 2)),
    ];
    let frame = frame(columns);
    let at = |line: &str| asked(&frame, line).unwrap();
    let (first, tenth) = (at("--uses 1"), at("--uses 10"));
    assert!((first.alpha / tenth.alpha - 100.0).abs() < 1e-9 && first.alpha < 0.05);
    assert!(tenth.comparisons[0].lower < first.comparisons[0].lower);
    let worn = |rows: &OfRows| {
        rows.decision
            .doubts
            .iter()
            .any(|doubt| doubt.contains("have judged 10 challengers"))
    };
    assert!(worn(&tenth) && !worn(&first));
    assert!((at("--alpha 0.1").alpha - 0.1).abs() < 1e-15);
}

#[test]
fn groups_and_moments_are_told_to_the_comparison() {
    let columns = vec![
        column("y", |i| 10.0 * wave(3 * i)),
        column("champion", |i| 10.0 * wave(3 * i) + 1.0 + wave(i)),
        column("challenger", |i| 10.0 * wave(3 * i) + 0.9 + wave(i + 2)),
        column("who", |i| f64::from(i / 4)),
    ];
    let frame = frame(columns);
    let method = |line: &str| asked(&frame, line).unwrap().comparisons[0].method.clone();
    assert_eq!(method("--metric mae"), "paired t");
    assert_eq!(method("--metric mae --group who"), "paired t over groups");
    assert_eq!(method("--metric mae --time who --horizon 2"), "Diebold–Mariano");
}

#[test]
fn every_answer_is_shown_and_is_json() {
    let half = |i: u32| f64::from(i % 2);
    let table = frame(vec![
        column("y", half),
        column("champion", |i| 0.5 + 0.4 * wave(i)),
        column("challenger", move |i| 0.2 + 0.5 * half(i) + 0.1 * wave(i)),
        column("part", |i| f64::from(i % 3)),
    ]);
    let rows = Answer::Rows(Box::new(asked(&table, "--slice part --uses 6").unwrap()));
    let text = shown::text(&rows);
    for part in [
        "better\n",
        "positive class `1`",
        "look 6",
        "DeLong",
        "Wilson",
        "part=2",
        "holm",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let json = rows.json();
    assert_eq!(json["decision"]["verdict"], "better");
    assert_eq!(json["accuracy"]["challenger"]["n_right"], 60);
    assert!(!json.to_string().contains("null,null,null,null"));

    let folds = frame(vec![
        numbers("champion", &[0.8, 0.81, 0.79, 0.8, 0.82, 0.8, 0.78, 0.8, 0.81, 0.8]),
        numbers("challenger", &[0.9, 0.92, 0.9, 0.89, 0.9, 0.91, 0.9, 0.9, 0.93, 0.9]),
    ]);
    let answer = of_folds(
        &folds,
        &options("--folds f.csv --n-train 50 --n-test 50 --metric accuracy"),
    )
    .unwrap();
    assert_eq!(answer.verdict(), Some(Verdict::Better));
    assert!(answer.json()["five_by_two"]["p_f"].as_f64().unwrap() < 0.05);
    assert!(shown::text(&answer).contains("5×2 folds: F = "));
    // Ten folds of a tenth are no five times two.
    let tenths = of_folds(&folds, &options("--folds f.csv --n-train 90 --n-test 10")).unwrap();
    assert!(tenths.json()["five_by_two"].is_null());
    // The smaller the better: the same scores are worse.
    let losses = of_folds(
        &folds,
        &options("--folds f.csv --n-train 90 --n-test 10 --metric log_loss"),
    )
    .unwrap();
    assert_eq!(losses.verdict(), Some(Verdict::Worse));
}
