//! Text that somebody else controls stays text, in every rendering.

use proptest::prelude::*;

use super::super::{Html, Json, Render, Terminal, fixtures, sections, title};
use super::held::{
    MARKDOWN, NASTY, assert_balanced, assert_no_commands, assert_no_mentions, assert_same, body, innocent,
    page_structure, structure, without_our_colors,
};
use crate::facts::{Champion, Facts};

/// Replaces every text that somebody else may control.
fn poisoned(mut facts: Facts, mut next: impl FnMut() -> String) -> Facts {
    facts.model = next();
    facts.config_file = next();
    facts.directory = Some(next());
    facts.program_version = next();
    facts.commit = Some(next());
    facts.reason = next();
    facts.alerts.iter_mut().for_each(|text| *text = next());
    for default in &mut facts.defaults {
        default.key = next();
        default.value = next();
    }
    for step in &mut facts.steps {
        step.name = next();
        step.detail = Some(next());
    }
    if let Some(data) = &mut facts.data {
        data.source = next();
        data.target = next();
        data.split = next();
        for column in &mut data.columns {
            column.name = next();
            column.role = next();
            column.kind = next();
        }
        for violation in &mut data.violations {
            violation.rule = next();
            violation.message = next();
            violation.evidence.iter_mut().for_each(|text| *text = next());
        }
        for leak in &mut data.leaks {
            leak.code = next();
            leak.message = next();
            leak.evidence.iter_mut().for_each(|text| *text = next());
        }
    }
    if let Some(training) = &mut facts.training {
        training.estimator = next();
        training.reused_from = Some(next());
        training.notes = vec![next(), next()];
        training.importance.iter_mut().for_each(|(name, _)| *name = next());
        for (name, value) in &mut training.params {
            *name = next();
            *value = next();
        }
    }
    if let Some(evaluation) = &mut facts.evaluation {
        for slice in &mut evaluation.slices {
            slice.slice = next();
        }
        for metric in &mut evaluation.metrics {
            metric.note = Some(next());
        }
        if let Some(confusion) = &mut evaluation.plots.confusion {
            confusion.labels.iter_mut().for_each(|text| *text = next());
        }
    }
    if let Some(comparison) = &mut facts.comparison {
        for metric in &mut comparison.metrics {
            metric.method = next();
        }
        for slice in &mut comparison.slices {
            slice.slice = next();
        }
        if let Champion::Baseline { name } = &mut comparison.champion {
            *name = next();
        }
    }
    // Names that are looked up change together.
    let names: Vec<(String, String)> = facts
        .evaluation
        .iter()
        .flat_map(|evaluation| &evaluation.metrics)
        .enumerate()
        .map(|(index, metric)| (metric.name.clone(), format!("{}{index}", next())))
        .collect();
    let renamed = |name: &mut String| {
        if let Some((_, new)) = names.iter().find(|(old, _)| old == name) {
            name.clone_from(new);
        }
    };
    if let Some(evaluation) = &mut facts.evaluation {
        evaluation
            .metrics
            .iter_mut()
            .for_each(|metric| renamed(&mut metric.name));
        renamed(&mut evaluation.primary);
    }
    if let Some(comparison) = &mut facts.comparison {
        comparison
            .metrics
            .iter_mut()
            .for_each(|metric| renamed(&mut metric.metric));
    }
    for gate in &mut facts.gates {
        if let Some(metric) = gate.name.strip_prefix("metrics.") {
            let mut metric = metric.to_owned();
            renamed(&mut metric);
            gate.name = format!("metrics.{metric}");
        }
        gate.reason = next();
        for command in &mut gate.commands {
            command.command = next();
            command.tail = next();
            command.problem = command.problem.as_ref().map(|_| next());
        }
    }
    if let Some(registry) = &mut facts.registry {
        registry.place = next();
        registry.not_published = Some(next());
        registry.aliases.iter_mut().for_each(|(alias, _)| *alias = next());
    }
    facts.history.iter_mut().for_each(|point| point.label = next());
    facts
}

fn assert_inert(hostile: &Facts, innocent: &Facts) {
    let (document, expected) = (sections(hostile, None), sections(innocent, None));
    let markdown = MARKDOWN.render(&document);
    assert_no_commands(&markdown);
    assert_same(
        &structure(&markdown),
        &structure(&MARKDOWN.render(&expected)),
        &markdown,
    );
    assert_no_mentions(&markdown);
    let page = Html::default().render(&document);
    assert_no_commands(&page);
    assert_balanced(&page);
    assert_same(
        &page_structure(body(&page)),
        &page_structure(body(&Html::default().render(&expected))),
        body(&page),
    );
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
    let json = Json { report: None }.render(hostile);
    assert_no_commands(&json);
    assert!(!json.contains('<'));
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(value["reason"], hostile.reason);
    let shown = title(hostile);
    assert_no_commands(&shown);
    assert!(!shown.contains('\n') && shown.chars().count() <= 160);
}

#[test]
fn the_nasty_corpus_is_inert() {
    // Between them these two have every kind of place, each several times; a start puts every text into another one.
    for facts in [fixtures::worse(), fixtures::first()] {
        for start in (0..NASTY.len()).step_by(5) {
            let mut index = start;
            let hostile = poisoned(facts.clone(), || {
                index += 1;
                NASTY[index % NASTY.len()].to_owned()
            });
            let mut index = start;
            let innocent = poisoned(facts.clone(), || {
                index += 1;
                innocent(NASTY[index % NASTY.len()])
            });
            assert_inert(&hostile, &innocent);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_inert(
        words in proptest::collection::vec("[\\x00-\\x20!-~\u{80}-\u{9f}\u{200b}-\u{206f}é尺👩]{0,24}", 1..40),
        which in 0_usize..5,
    ) {
        let facts = fixtures::all().into_iter().nth(which).unwrap().1;
        let mut index = 0;
        let hostile = poisoned(facts.clone(), || { index += 1; words[index % words.len()].clone() });
        let mut index = 0;
        let harmless = poisoned(facts, || { index += 1; innocent(&words[index % words.len()]) });
        assert_inert(&hostile, &harmless);
    }
}
