//! Slices, pictures and the baseline.

use super::super::{
    Margin, Predictions, SliceColumn, SliceRule, SliceStatus, Together, Truth, baseline, compare_slices,
    evaluate_slices, metric, plots, slices,
};
use super::{binary, class_truth};

fn shown(slices: &[(String, Vec<usize>)]) -> String {
    let lines: Vec<String> = slices.iter().map(|(name, rows)| format!("{name} {rows:?}")).collect();
    lines.join("\n")
}

fn values(column: &str) -> SliceRule {
    SliceRule::Values {
        column: column.to_owned(),
    }
}

#[test]
fn values_bins_and_missing_are_slices() {
    let numbers = [1.0, f64::NAN, -2.5, 0.0, -0.0, 1.0];
    insta::assert_snapshot!(shown(&slices(&values("x"), SliceColumn::Numbers(&numbers))), @r"
    x=-2.5 [2]
    x=0 [3, 4]
    x=1 [0, 5]
    x=missing [1]
    ");
    let levels = ["b".to_owned(), "a".to_owned()];
    let texts = SliceColumn::Texts {
        codes: &[0, 1, u32::MAX, 0],
        levels: &levels,
    };
    insta::assert_snapshot!(shown(&slices(&values("t"), texts)), @r"
    t=a [1]
    t=b [0, 3]
    t=missing [2]
    ");
    let bins = SliceRule::Bins {
        column: "age".to_owned(),
        edges: vec![0.0, 40.0, 60.0, 120.0],
    };
    let ages = [0.0, 39.9, 40.0, 60.0, 120.0, -1.0, 121.0, f64::NAN];
    insta::assert_snapshot!(shown(&slices(&bins, SliceColumn::Numbers(&ages))), @r"
    age<0 [5]
    age=[0,40) [0, 1]
    age=[40,60) [2]
    age=[60,120] [3, 4]
    age>120 [6]
    age=missing [7]
    ");
    assert_eq!(shown(&slices(&bins, texts)), shown(&slices(&values("age"), texts)));
}

#[test]
fn many_values_share_the_last_slice() {
    let numbers: Vec<f64> = (0..1000)
        .map(|i| f64::from(if i < 600 { i % 150 } else { i }))
        .collect();
    let found = slices(&values("id"), SliceColumn::Numbers(&numbers));
    assert_eq!(found.len(), 200);
    assert_eq!(found[0].0, "id=0");
    assert_eq!(
        (found[199].0.as_str(), found[199].1.len()),
        ("id: 351 rarer values", 351)
    );
    let mut rows: Vec<usize> = found.into_iter().flat_map(|(_, rows)| rows).collect();
    rows.sort_unstable();
    assert_eq!(rows, (0..1000).collect::<Vec<_>>());
}

#[test]
fn a_slice_that_lost_is_a_regression_after_the_correction() {
    let n = 100_usize;
    let truth = Truth::Numbers(vec![0.0; n]);
    let champion = Predictions::Numbers((0..n).map(|row| 1.0 + (row % 7) as f64 / 10.0).collect());
    // Worse on the first forty rows, equal on the others.
    let challenger = Predictions::Numbers(
        (0..n)
            .map(|row| {
                if row < 40 {
                    2.0 + (row % 5) as f64 / 10.0
                } else {
                    1.0 + (row % 7) as f64 / 10.0
                }
            })
            .collect(),
    );
    let parts = [
        ("a".to_owned(), (0..40).collect()),
        ("b".to_owned(), (40..95).collect()),
        ("c".to_owned(), (95..100).collect()),
    ];
    let found = compare_slices(&truth, &champion, &challenger, &parts, None, Margin::default(), 20);
    let statuses: Vec<SliceStatus> = found.iter().map(|slice| slice.status).collect();
    assert_eq!(
        statuses,
        [SliceStatus::Regression, SliceStatus::Ok, SliceStatus::TooFewRows]
    );
    assert_eq!((found[1].gain, found[1].p_worse), (Some(0.0), Some(1.0)));
    assert_eq!((found[2].n_rows, found[2].gain), (5, None));
    // A margin of the champion's own loss allows as much.
    let loose = Margin {
        relative: Some(1.0),
        absolute: None,
    };
    assert_eq!(
        compare_slices(&truth, &champion, &challenger, &parts, None, loose, 20)[0].status,
        SliceStatus::Ok
    );
    let measured = evaluate_slices(
        &truth,
        &champion,
        &[metric("mae").unwrap()],
        &parts,
        Together::default(),
        20,
        1,
    );
    assert_eq!(
        measured.iter().map(|slice| slice.metrics.len()).collect::<Vec<_>>(),
        [1, 1, 0]
    );
    assert!(
        measured[0].metrics[0]
            .interval
            .is_some_and(|[low, high]| low > 1.0 && high < 2.0)
    );
}

#[test]
fn pictures_of_numbers_are_thin_and_keep_their_ends() {
    let n = 1001_u32;
    let truth = Truth::Numbers((0..n).map(f64::from).collect());
    let predictions = Predictions::Numbers((0..n).map(|i| f64::from(i) - f64::from(i % 11)).collect());
    let plots = plots(&truth, &predictions);
    assert_eq!(plots.predicted_actual.len(), 400);
    assert_eq!(
        (plots.predicted_actual[0], plots.predicted_actual[399][0]),
        ([0.0, 0.0], 1000.0)
    );
    assert_eq!(plots.residual_edges.len(), plots.residual_counts.len() + 1);
    assert_eq!(
        (plots.residual_edges[0], *plots.residual_edges.last().unwrap()),
        (0.0, 10.0)
    );
    assert_eq!(plots.residual_counts.iter().sum::<u64>(), 1001);
    assert!(plots.roc.is_empty() && plots.confusion.is_none());
}

#[test]
fn pictures_of_classes_are_the_curves_of_scikit_learn() {
    // scikit-learn 1.9.1: roc_curve(y, s) has these corners; precision_recall_curve(y, s) these points, reversed.
    let truth = class_truth(&[0, 0, 1, 1, 0, 1], 2);
    let plots = plots(&truth, &binary(&[0, 0, 0, 1, 1, 1], &[0.1, 0.4, 0.35, 0.8, 0.6, 0.6]));
    let points = |curve: &[super::super::CurvePoint]| {
        curve
            .iter()
            .map(|p| format!("({:.3}, {:.3})", p.x, p.y))
            .collect::<Vec<_>>()
            .join(" ")
    };
    insta::assert_snapshot!(points(&plots.roc), @"(0.000, 0.000) (0.000, 0.333) (0.333, 0.667) (0.667, 0.667) (0.667, 1.000) (1.000, 1.000)");
    insta::assert_snapshot!(points(&plots.precision_recall), @"(0.333, 1.000) (0.667, 0.667) (0.667, 0.500) (1.000, 0.600) (1.000, 0.500)");
    let confusion = plots.confusion.unwrap();
    assert_eq!(confusion.counts, [[2, 1], [1, 2]]);
    assert_eq!(confusion.labels, ["0", "1"]);
}

#[test]
fn many_labels_are_folded_into_other() {
    let codes: Vec<u32> = (0..30)
        .flat_map(|label| vec![label; if label < 19 { 3 } else { 1 }])
        .collect();
    let predictions = Predictions::Classes {
        codes: codes.clone(),
        labels: super::labels(30),
        probabilities: Vec::new(),
    };
    let confusion = plots(&class_truth(&codes, 30), &predictions).confusion.unwrap();
    assert_eq!((confusion.labels.len(), confusion.labels[19].as_str()), (20, "other"));
    assert_eq!((confusion.counts[0][0], confusion.counts[19][19]), (3, 11));
}

#[test]
fn the_baseline_is_the_dummy_of_scikit_learn() {
    assert_eq!(
        baseline(&Truth::Numbers(vec![1.0, 2.0, 6.0]), 2),
        Predictions::Numbers(vec![3.0, 3.0])
    );
    assert_eq!(
        baseline(&Truth::Numbers(Vec::new()), 1),
        Predictions::Numbers(vec![0.0])
    );
    let Predictions::Classes {
        codes, probabilities, ..
    } = baseline(&class_truth(&[2, 1, 2, 1], 3), 2)
    else {
        panic!()
    };
    assert_eq!((codes, probabilities), (vec![1, 1], vec![0.0, 0.5, 0.5, 0.0, 0.5, 0.5]));
}
