//! The report of drift: what is said of real pairs in every rendering, and that nothing in it acts.

use proptest::prelude::*;
use unicode_width::UnicodeWidthStr as _;

use super::super::document::{Block, plain};
use super::super::sections::drift::section;
use super::super::{Document, Html, Render, Terminal, document_title, drift_document};
use super::held::{
    MARKDOWN, NASTY, assert_balanced, assert_no_commands, assert_no_mentions, assert_same, assert_well_formed, body,
    innocent, page_structure, snapshots, structure, without_our_colors,
};
use super::pairs;
use crate::drift::{DriftResult, Kind, Level, Location, Mode, Picture, Summary};

const LARGEST_PAGE: usize = 150_000;

fn terminal(width: usize, full: bool) -> Terminal {
    Terminal {
        width,
        color: false,
        full,
    }
}

fn results() -> Vec<(&'static str, DriftResult)> {
    vec![
        ("none", pairs::calibrated(pairs::PENGUINS)),
        ("numbers", pairs::calibrated(pairs::DIABETES)),
        ("categories", pairs::calibrated(pairs::DIAMONDS)),
        ("mixed", pairs::mixed()),
        ("evidently", pairs::evidently()),
        ("hundred", pairs::many(100)),
        ("too-few", too_few()),
    ]
}

/// Five rows a side: nothing can be tested.
fn too_few() -> DriftResult {
    let mut result = pairs::empty();
    result.reference.rows = 5;
    result.current.rows = 5;
    for name in ["a", "b", "c"] {
        let mut column = pairs::column(name, Kind::Num);
        column.status = "inconclusive: fewer than 10 rows on one side".to_owned();
        result.columns.push(column);
    }
    result.dataset.decision = "warn".to_owned();
    pairs::judged(result)
}

/// Everything as a comment holds it, and as a page does when it is part of a run's report.
fn part_of_a_run(result: &DriftResult) -> Document {
    Document {
        sections: section(result).into_iter().collect(),
        ..drift_document(result)
    }
}

#[test]
fn real_pairs_in_every_rendering() {
    snapshots().bind(|| {
        for (name, result) in results() {
            let document = drift_document(&result);
            insta::assert_snapshot!(format!("drift-{name}.md"), MARKDOWN.render(&document));
            insta::assert_snapshot!(format!("drift-{name}.txt"), terminal(100, false).render(&document));
            // A page of a hundred columns is of no use to who reads a change of it.
            if name != "hundred" {
                let page = Html::default().render(&document);
                insta::assert_snapshot!(format!("drift-{name}.html"), body(&page));
            }
        }
        let run = part_of_a_run(&pairs::calibrated(pairs::DIABETES));
        insta::assert_snapshot!("drift-of-a-run.md", MARKDOWN.render(&run));
    });
}

#[test]
fn titles() {
    let mut ignored = pairs::calibrated(pairs::DIABETES);
    ignored.dataset.decision = "ignore".to_owned();
    let mut one = pairs::many(1);
    one.dataset.decision = "retrain".to_owned();
    let mut moved = pairs::calibrated(pairs::PENGUINS);
    moved.columns[2].location = Some(Location {
        p: 0.001,
        p_adj: 0.003,
        moved: true,
    });
    let more = [
        ("ignored", ignored),
        ("one", one),
        ("moved", pairs::judged(moved)),
        ("nothing", pairs::empty()),
    ];
    let titles: Vec<String> = results()
        .iter()
        .chain(&more)
        .map(|(_, result)| document_title(&drift_document(result)))
        .collect();
    insta::assert_snapshot!(titles.join("\n"), @"
    ✅ No drift: none of 7 columns drifted
    ⚠️ Drift: 7 of 10 columns drifted, s3 most (its mean fell by 0.76 sd, from 54.4 to 44.6)
    ⚠️ Drift: 8 of 9 columns drifted, carat most (its mean rose by 1.4 sd, from 0.658 to 1.162)
    ❌ Broken: type_change: there are texts now, and there were numbers, and 1 more finding fails; 5 of 23 columns drifted, constant_diff most (its mean rose from …
    ⚠️ Drift: 7 of 10 columns drifted, s3 most (its mean fell by 0.76 sd, from 54.4 to 44.6)
    ⚠️ Drift: all 100 columns drifted, measured_quantity_99 most (its mean rose by 1.2 sd, from 129.0 to 143.9)
    ⚠️ Not tested: none of 3 columns could be tested, fewer than 10 rows on one side
    ℹ️ Drift: 7 of 10 columns drifted, s3 most (its mean fell by 0.76 sd, from 54.4 to 44.6)
    ⚠️ Drift: the one column that was tested drifted, measured_quantity_0 (its mean rose by 0.40 sd, from 30.0 to 35.0)
    ℹ️ Changed: none of 7 columns drifted; 1 column moved as a whole
    ℹ️ Not tested: there is no column to compare
    ");
}

#[test]
fn a_page_of_a_hundred_drifted_columns_is_small_and_has_them_all() {
    let result = pairs::many(100);
    for document in [drift_document(&result), part_of_a_run(&result)] {
        let page = Html::default().render(&document);
        assert!(page.len() <= LARGEST_PAGE, "{}", page.len());
        assert_balanced(&page);
        let rows = page.matches("<tr><td").count();
        assert_eq!(rows, 100);
        for column in &result.columns {
            assert!(
                page.contains(&format!("<code>{}</code>", column.column)),
                "{}",
                column.column
            );
        }
        let markdown = MARKDOWN.render(&document);
        let rows = markdown.lines().filter(|line| line.starts_with("| `")).count();
        assert_eq!(rows, 8, "{markdown}");
        assert!(markdown.len() < 8_000, "{}", markdown.len());
        assert!(markdown.contains("and 92 more columns"), "{markdown}");
    }
}

#[test]
fn the_most_severe_column_is_the_first_everywhere() {
    let result = pairs::calibrated(pairs::DIABETES);
    let document = drift_document(&result);
    let page = Html::default().render(&document);
    assert!(
        page.contains("<title>current.csv: Drift: 7 of 10 columns drifted, s3 most"),
        "{page}"
    );
    let table = page.split_once("<tbody>").unwrap().1;
    assert!(
        table.starts_with("\n<tr><td data-h=\"Column\"><span><code>s3</code>"),
        "{table}"
    );
    let figure = page.split_once("<figcaption>").unwrap().1;
    assert!(figure.starts_with("<b><code>s3</code>"), "{figure}");
    let order: Vec<usize> = ["s3", "s4", "bp", "s6", "age", "s5", "bmi"]
        .map(|name| table.find(&format!("<code>{name}</code>")).unwrap())
        .to_vec();
    assert!(order.is_sorted(), "{order:?}");
}

#[test]
fn who_sees_no_picture_reads_it() {
    for (name, result) in results() {
        let page = Html::default().render(&drift_document(&result));
        for svg in page.split("<svg").skip(1) {
            let svg = svg.split("</svg>").next().unwrap();
            let said = svg.contains("role=\"img\"><title>") && !svg.contains("<title></title>");
            assert!(said || svg.contains("aria-hidden=\"true\""), "{name}: {svg}");
        }
        for head in page.split("<th").skip(1).filter(|rest| !rest.starts_with("ead")) {
            assert!(head.starts_with(" scope="), "{name}: {head}");
        }
        assert!(!page.contains("<script") && !page.contains("href="), "{name}");
        assert_balanced(&page);
    }
}

#[test]
fn what_fails_comes_before_what_drifted() {
    let page = Html::default().render(&drift_document(&pairs::mixed()));
    let places: Vec<usize> = [
        "there are texts now",
        "<code>only_in_reference</code>: the column is missing",
        "is missing less often",
        "<code>Emperor</code>",
        "the column is new",
        "<table",
    ]
    .map(|words| page.find(words).unwrap_or_else(|| panic!("{words}")))
    .to_vec();
    // The headline names the first finding that fails, so that one is looked for behind it.
    assert!(places[1..].is_sorted(), "{places:?}");
}

#[test]
fn a_fold_is_open_when_somebody_should_look() {
    let is_open = |result: &DriftResult| {
        let section = section(result).unwrap();
        match section.blocks.as_slice() {
            [Block::Details { open, .. }] => (*open, section.priority),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(is_open(&pairs::calibrated(pairs::DIABETES)), (true, 8));
    assert_eq!(is_open(&pairs::mixed()), (true, 8));
    assert_eq!(is_open(&pairs::calibrated(pairs::PENGUINS)), (false, 35));
    assert_eq!(section(&pairs::empty()), None);
}

#[test]
fn what_changed_is_told_by_what_tells_most() {
    let told = |reference: [f64; 2], current: [f64; 2], effect: f64| {
        let mut result = pairs::many(1);
        let side = |[mean, sd]: [f64; 2]| Summary {
            mean,
            sd,
            min: mean,
            median: mean,
            max: mean,
        };
        result.columns[0].summary = Some([side(reference), side(current)]);
        result.columns[0].effect = Some(effect);
        plain(&drift_document(&result).title)
            .split_once(" (")
            .unwrap()
            .1
            .trim_end_matches(')')
            .to_owned()
    };
    let categories = |labels: &[&str], reference: &[f64], current: &[f64]| {
        let mut result = pairs::many(1);
        result.columns[0].summary = None;
        result.columns[0].picture = Some(Picture::Bars {
            labels: labels.iter().map(|label| (*label).to_owned()).collect(),
            reference: reference.to_vec(),
            current: current.to_vec(),
        });
        plain(&drift_document(&result).title)
            .split_once(" (")
            .unwrap()
            .1
            .trim_end_matches(')')
            .to_owned()
    };
    let lines = [
        told([49.8, 11.3], [41.2, 9.0], 0.77),
        told([49.8, 1.0], [49.9, 3.0], 1.5),
        told([49.8, 1.0], [49.8, 1.0], 0.2),
        told([7.0, 0.0], [8.0, 0.0], f64::INFINITY),
        told([7.0, 0.0], [7.0, 2.0], f64::INFINITY),
        told([1e-300, 1e-301], [2e-300, 1e-301], 10.0),
        told([-3e300, 1e300], [3e300, 1e300], 6.0),
        categories(&["a", "b"], &[0.4, 0.6], &[0.19, 0.81]),
        categories(&["a", "b"], &[1.0, 0.0], &[0.7, 0.3]),
        categories(&["a", "b"], &[0.7, 0.3], &[1.0, 0.0]),
        categories(&["a", "b", "c"], &[0.5, 0.5, 0.0], &[0.4, 0.3, 0.3]),
        categories(&["a", "b", "c"], &[0.4, 0.3, 0.3], &[0.5, 0.5, 0.0]),
        categories(&[], &[], &[]),
    ];
    insta::assert_snapshot!(lines.join("\n"), @"
    its mean fell by 0.76 sd, from 49.8 to 41.2
    its standard deviation rose from 1.00 to 3.00
    its shape changed
    its mean rose from 7 to 8
    its standard deviation rose from 0.00 to 2.00
    its mean rose by 10 sd, from 1.00e−300 to 2.00e−300
    its mean rose by 6.0 sd, from −3.00e300 to 3.00e300
    a fell from 40 % to 19 % of the rows
    a fell from 100 % to 70 % of the rows
    a rose from 70 % to 100 % of the rows
    c is new, with 30 % of the rows
    c is gone, from 30 % of the rows
    its shape changed
    ");
}

#[test]
fn every_limit_of_a_comment_is_kept() {
    for (name, result) in results() {
        for document in [drift_document(&result), part_of_a_run(&result)] {
            for limit in [0, 80, 600, 1_500, 3_000, 60_000] {
                let markdown = super::super::Markdown { limit }.render(&document);
                assert!(markdown.len() <= limit, "{name} with {limit}");
                assert_well_formed(&markdown);
                assert!(markdown.matches("```mermaid").count() <= 1, "{markdown}");
            }
        }
    }
}

#[test]
fn every_line_fits_its_terminal() {
    for (name, result) in results() {
        for width in [40, 60, 80, 100, 160] {
            for full in [false, true] {
                let shown = terminal(width, full).render(&drift_document(&result));
                for line in shown.lines() {
                    assert!(line.width() <= width, "{name}: {line}\n{shown}");
                }
            }
        }
    }
    let full = terminal(100, true).render(&drift_document(&pairs::many(25)));
    assert!(full.contains("measured_quantity_0 "), "{full}");
}

/// Replaces every text that data, paths or commands control.
fn poisoned(mut result: DriftResult, mut next: impl FnMut() -> String) -> DriftResult {
    result.reference.source = next();
    result.current.source = next();
    result.dataset.decision = next();
    result.dataset.reasons = vec![next(), next()];
    result.notes = vec![next()];
    for (index, column) in result.columns.iter_mut().enumerate() {
        column.column = next();
        column.test = column.test.as_ref().map(|_| next());
        column.effect_kind = column.effect_kind.as_ref().filter(|kind| *kind == "roc_auc").cloned();
        if column.status != "computed" {
            // Every reason is another one, or the groups of two results would differ.
            column.status = format!("skipped: {} {index}", next());
            column.notes.clear();
        }
        let categories = column.new_categories.iter_mut().chain(&mut column.lost_categories);
        categories.for_each(|(label, _)| *label = next());
        for note in &mut column.notes {
            *note = next();
        }
        if let Some(Picture::Bars { labels, .. }) = &mut column.picture {
            for label in labels {
                *label = next();
            }
        }
    }
    for missing in &mut result.missing {
        missing.column = next();
    }
    for finding in &mut result.data_quality {
        finding.check = next();
        finding.column = next();
        finding.message = next();
        finding.level = Level::Fail;
    }
    if let Some(performance) = &mut result.performance {
        performance.measure = next();
    }
    if let Some(domain) = result
        .multivariate
        .as_mut()
        .and_then(|many| many.domain_classifier.as_mut())
    {
        domain.importance.iter_mut().for_each(|(column, _)| *column = next());
    }
    result
}

fn assert_inert(hostile: &DriftResult, innocent: &DriftResult) {
    for render in [drift_document, part_of_a_run] {
        let (document, expected) = (render(hostile), render(innocent));
        let markdown = MARKDOWN.render(&document);
        assert_no_commands(&markdown);
        assert_no_mentions(&markdown);
        assert_same(
            &structure(&markdown),
            &structure(&MARKDOWN.render(&expected)),
            &markdown,
        );
        let page = Html::default().render(&document);
        assert_no_commands(&page);
        assert_balanced(&page);
        let whole = Html::default().render(&expected);
        assert_same(&page_structure(body(&page)), &page_structure(body(&whole)), body(&page));
        for width in [40, 100] {
            let colored = Terminal {
                width,
                color: true,
                full: true,
            }
            .render(&document);
            let shown = without_our_colors(&colored);
            assert_eq!(shown.matches('\u{1b}').count(), 0);
            assert_no_commands(&shown);
        }
        let title = document_title(&document);
        assert_no_commands(&title);
        assert!(!title.contains('\n') && title.chars().count() <= 160);
    }
}

#[test]
fn the_nasty_corpus_is_inert() {
    for result in [pairs::mixed(), pairs::evidently()] {
        for start in (0..NASTY.len()).step_by(7) {
            let mut index = start;
            let hostile = poisoned(result.clone(), || {
                index += 1;
                NASTY[index % NASTY.len()].to_owned()
            });
            let mut index = start;
            let harmless = poisoned(result.clone(), || {
                index += 1;
                innocent(NASTY[index % NASTY.len()])
            });
            assert_inert(&hostile, &harmless);
        }
    }
}

#[test]
fn long_names_are_cut_and_a_page_of_them_stays_small() {
    let mut index = 0;
    let long = "<b>&\u{202e}@team ::error::".repeat(500);
    let hostile = poisoned(pairs::many(100), || {
        index += 1;
        format!("{index}{long}")
    });
    for document in [drift_document(&hostile), part_of_a_run(&hostile)] {
        let page = Html::default().render(&document);
        assert!(page.len() < 3 * LARGEST_PAGE, "{}", page.len());
        assert_no_commands(&page);
        let markdown = MARKDOWN.render(&document);
        assert!(markdown.len() < 20_000, "{}", markdown.len());
        assert_no_commands(&markdown);
    }
    snapshots().bind(|| {
        let mut index = 0;
        let hostile = poisoned(pairs::mixed(), || {
            index += 1;
            NASTY[index * 5 % NASTY.len()].to_owned()
        });
        let document = drift_document(&hostile);
        insta::assert_snapshot!("drift-hostile.md", MARKDOWN.render(&document));
        insta::assert_snapshot!("drift-hostile.txt", terminal(100, false).render(&document));
        insta::assert_snapshot!("drift-hostile.html", body(&Html::default().render(&document)));
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_inert(
        words in proptest::collection::vec("[\\x00-\\x20!-~\u{80}-\u{9f}\u{200b}-\u{206f}é尺👩]{0,24}", 1..40),
    ) {
        let mut index = 0;
        let hostile = poisoned(pairs::mixed(), || { index += 1; words[index % words.len()].clone() });
        let mut index = 0;
        let harmless = poisoned(pairs::mixed(), || { index += 1; innocent(&words[index % words.len()]) });
        assert_inert(&hostile, &harmless);
    }

    #[test]
    fn any_number_is_drawn(
        numbers in proptest::collection::vec(
            prop_oneof![proptest::num::f64::ANY, Just(0.0), Just(f64::INFINITY), Just(1e300), Just(1e-300), 0.0..1.0_f64],
            16..40,
        ),
        n_bins in 0_usize..6,
        evidently in any::<bool>(),
    ) {
        let mut at = 0;
        let mut next = || { at += 1; numbers[at % numbers.len()] };
        let mut result = pairs::many(6);
        result.multivariate = pairs::mixed().multivariate;
        result.missing = pairs::mixed().missing;
        result.performance = pairs::mixed().performance;
        if evidently { result.mode = Mode::Evidently; }
        (result.dataset.share, result.dataset.threshold) = (next(), next());
        for column in &mut result.columns {
            column.p_adj = Some(next());
            column.effect = Some(next());
            column.score = Some(next());
            column.threshold = Some(next());
            column.severity = next();
            column.importance = Some(next());
            column.approximate = Some(next());
            if let Some(sides) = &mut column.summary {
                for side in sides {
                    (side.mean, side.sd) = (next(), next());
                }
            }
            match &mut column.picture {
                Some(Picture::Histogram { edges, reference, current }) => {
                    *edges = (0..=n_bins).map(|_| next()).collect();
                    edges.sort_by(f64::total_cmp);
                    *reference = (0..n_bins).map(|_| next()).collect();
                    *current = (0..n_bins).map(|_| next()).collect();
                }
                Some(Picture::Bars { reference, .. }) => reference.fill_with(&mut next),
                None => {}
            }
        }
        for missing in &mut result.missing {
            (missing.p_adj, missing.effect) = (next(), next());
            missing.drifted = true;
        }
        if let Some(performance) = &mut result.performance {
            let found = &mut performance.found;
            (found.mean, found.relative_increase, found.p) = ([next(), next()], Some(next()), next());
        }
        if let Some(many) = &mut result.multivariate {
            let pca = many.pca_reconstruction.as_mut().unwrap();
            (pca.value, pca.lower, pca.upper) = (next(), next(), next());
            let domain = many.domain_classifier.as_mut().unwrap();
            (domain.auc, domain.p) = (next(), next());
        }
        for document in [drift_document(&result), part_of_a_run(&result)] {
            let page = Html::default().render(&document);
            assert_balanced(&page);
            for text in [MARKDOWN.render(&document), page, terminal(80, true).render(&document)] {
                for wrong in ["NaN", "inf ", "inf,", "inf]", "inf\"", "inf\u{a0}", "inf)"] {
                    prop_assert!(!text.contains(wrong), "{wrong} in {}", text);
                }
            }
        }
    }
}
