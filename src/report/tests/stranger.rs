//! Facts of a fork's run, changed in thousands of ways: refused, or shown without anything of them acting.

use std::collections::BTreeSet;

use pulldown_cmark::{Event, Options, Parser, Tag};
use serde_json::{Value, json};

use super::super::{Html, Json, Render, Terminal, fixtures, sections, title};
use super::held::{MARKDOWN, NASTY, assert_balanced, assert_no_commands, assert_no_mentions, body, without_our_colors};
use crate::base::Verdict;
use crate::facts::{Facts, FactsError};
use crate::gates::GateStatus;
use crate::stats::Rng;

/// What `mlops run` wrote for `fixtures/repos/diabetes`.
const FACTS: &str = include_str!("../../../fixtures/github/fork-facts.json");

fn tree() -> Value {
    serde_json::from_str(FACTS).unwrap()
}

fn read(tree: &Value) -> Result<Facts, FactsError> {
    Facts::from_stranger(&tree.to_string())
}

/// Every tag in what the fixtures render to: what else appears was brought in by text.
struct Known {
    markdown: BTreeSet<String>,
    page: BTreeSet<String>,
}

impl Known {
    fn new() -> Self {
        let mut known = Self {
            markdown: BTreeSet::new(),
            page: BTreeSet::new(),
        };
        let real = Facts::from_json(FACTS).unwrap();
        for facts in fixtures::all().into_iter().map(|(_, facts)| facts).chain([real]) {
            let document = sections(&facts, None);
            known.markdown.extend(markdown_tags(&MARKDOWN.render(&document)));
            known.page.extend(tags(body(&Html::default().render(&document))));
        }
        known
    }
}

/// The names of tags and of their attributes, `details open`.
fn tags(html: &str) -> Vec<String> {
    html.split('<')
        .skip(1)
        .map(|rest| {
            let tag = rest.split('>').next().unwrap_or_default();
            // What is between quotes is a value.
            let names: Vec<&str> = tag.split('"').step_by(2).flat_map(str::split_whitespace).collect();
            names.join(" ")
        })
        .collect()
}

fn markdown_tags(markdown: &str) -> Vec<String> {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_GFM
        | Options::ENABLE_MATH;
    let mut seen = Vec::new();
    for event in Parser::new_ext(markdown, options) {
        match event {
            Event::Start(Tag::Link { .. } | Tag::Image { .. } | Tag::FootnoteDefinition(_))
            | Event::FootnoteReference(_)
            | Event::InlineMath(_)
            | Event::DisplayMath(_)
            | Event::TaskListMarker(_) => panic!("{event:?} in {markdown}"),
            Event::Html(html) | Event::InlineHtml(html) => seen.extend(tags(&html)),
            _ => {}
        }
    }
    seen
}

/// Nothing in any rendering is more than words, and the verdict is what the gates say.
fn assert_harmless(facts: &Facts, known: &Known) {
    let document = sections(facts, None);
    let markdown = MARKDOWN.render(&document);
    assert!(markdown.len() <= 60_000);
    assert_no_commands(&markdown);
    assert_no_mentions(&markdown);
    for tag in markdown_tags(&markdown) {
        assert!(known.markdown.contains(&tag), "`{tag}` in {markdown}");
    }
    let page = Html::default().render(&document);
    assert_no_commands(&page);
    assert_balanced(&page);
    for tag in tags(body(&page)) {
        assert!(known.page.contains(&tag), "`{tag}` in {page}");
    }
    let terminal = Terminal {
        width: 100,
        color: true,
        full: true,
    }
    .render(&document);
    let shown = without_our_colors(&terminal);
    assert!(!shown.contains('\u{1b}'));
    assert_no_commands(&shown);
    let json = Json { report: None }.render(facts);
    assert_no_commands(&json);
    assert!(!json.contains('<'));
    let line = title(facts);
    assert_no_commands(&line);
    assert!(!line.contains('\n') && line.chars().count() <= 160);
    // What only the registry and the event know.
    assert!(facts.registry.is_none() && facts.commit.is_none() && facts.history.is_empty());
    if facts.passed {
        assert!(!facts.any_gate(GateStatus::Fail) && facts.verdict != Verdict::FailedToRun);
        assert!(facts.gates.iter().any(|gate| gate.status != GateStatus::Skipped));
    }
}

/// The places of all values, those of long lists of numbers only now and then.
fn places(value: &Value, at: &str, out: &mut Vec<String>) {
    out.push(at.to_owned());
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                places(value, &format!("{at}/{key}"), out);
            }
        }
        Value::Array(list) => {
            for (index, value) in list.iter().enumerate().filter(|(index, _)| *index < 12) {
                places(value, &format!("{at}/{index}"), out);
            }
        }
        _ => {}
    }
}

fn text(dice: &mut Rng) -> String {
    match dice.below(12) {
        0 => "x".repeat(5_000),
        1 => "y".repeat(70_000),
        2 => "NaN".to_owned(),
        3 => format!("{}{}", NASTY[dice.below(NASTY.len())], NASTY[dice.below(NASTY.len())]),
        4 => "word ".repeat(700),
        _ => NASTY[dice.below(NASTY.len())].to_owned(),
    }
}

fn number(dice: &mut Rng) -> Value {
    [
        json!(0),
        json!(-1),
        json!(1),
        json!(2),
        json!(29),
        json!(1_u64 << 53),
        json!((1_u64 << 53) + 1),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(1e308),
        json!(-1e99),
        json!(1e-300),
        json!(0.5),
        json!(-0.0),
    ][dice.below(14)]
    .clone()
}

/// Changes one value; what fits its type more often than not, so that much of it gets far.
fn mutate(tree: &mut Value, dice: &mut Rng) {
    let mut all = Vec::new();
    places(tree, "", &mut all);
    let place = all[dice.below(all.len())].clone();
    let donor = tree.pointer(&all[dice.below(all.len())]).cloned().unwrap_or_default();
    let Some(value) = tree.pointer_mut(&place) else { return };
    if dice.below(12) == 0 {
        *value = [
            json!(null),
            json!(true),
            json!("text"),
            json!([]),
            json!({}),
            number(dice),
            donor,
        ][dice.below(7)]
        .clone();
        return;
    }
    match value {
        Value::Null => {
            *value = if dice.below(2) == 0 {
                text(dice).into()
            } else {
                number(dice)
            }
        }
        Value::Bool(flag) => *flag = !*flag,
        Value::Number(_) => *value = number(dice),
        Value::String(old) => {
            const WORDS: &[&str] = &[
                "pass",
                "fail",
                "warn",
                "skipped",
                "better",
                "same",
                "worse",
                "inconclusive",
                "failed_to_run",
                "done",
                "error",
                "minimize",
                "maximize",
                "rmse",
                "r2",
                "metrics.rmse",
                "../x",
                "/etc",
            ];
            *old = if dice.below(3) == 0 {
                WORDS[dice.below(WORDS.len())].to_owned()
            } else {
                text(dice)
            };
        }
        Value::Array(list) => match dice.below(5) {
            0 => list.clear(),
            1 => list.reverse(),
            2 => drop(list.pop()),
            3 if !list.is_empty() => list.extend_from_within(..1),
            _ => {
                let one = list.first().cloned().unwrap_or_default();
                list.resize(dice.below(50), one);
            }
        },
        Value::Object(entries) => {
            let keys: Vec<String> = entries.keys().cloned().collect();
            match dice.below(3) {
                0 if !keys.is_empty() => drop(entries.remove(&keys[dice.below(keys.len())])),
                1 => drop(entries.insert("pull_request".to_owned(), 1.into())),
                _ if keys.len() > 1 => {
                    let (a, b) = (&keys[dice.below(keys.len())], &keys[dice.below(keys.len())]);
                    let moved = entries[a].clone();
                    entries.insert(b.clone(), moved);
                }
                _ => {}
            }
        }
    }
}

/// Changes the text: what no tree of values can say.
fn mangle(text: &mut String, dice: &mut Rng) {
    let at = loop {
        let at = dice.below(text.len());
        if text.is_char_boundary(at) {
            break at;
        }
    };
    match dice.below(6) {
        0 => text.truncate(at),
        1 => text.insert_str(
            at,
            ["NaN", "Infinity", "1e999", "-", "\"", "}", "\u{0}", "0x1"][dice.below(8)],
        ),
        2 => {
            let open = ["[", "{\"a\":"][dice.below(2)].repeat(10_000);
            text.insert_str(at, &open);
        }
        // A key twice: the line of one value again.
        3 | 4 => {
            let lines: Vec<&str> = text.lines().collect();
            let which = dice.below(lines.len());
            let twice = if lines[which].ends_with(',') { lines[which] } else { "" };
            let changed = twice.replace("true", "false").replace(": \"", ": \"other ");
            *text = [&lines[..=which], &[changed.as_str()], &lines[which + 1..]]
                .concat()
                .join("\n");
        }
        _ => {
            let old = ["true", "false", "\"pass\"", "\"fail\"", "null", "0."][dice.below(6)];
            let new = ["true", "false", "\"pass\"", "\"fail\"", "null", "1e400"][dice.below(6)];
            if let Some(at) = text[at..].find(old).map(|found| at + found) {
                text.replace_range(at..at + old.len(), new);
            }
        }
    }
}

#[test]
fn a_stranger_s_facts_are_refused_or_harmless_however_they_are_changed() {
    let (original, known) = (tree(), Known::new());
    let mut dice = Rng::new(7);
    let (mut shown, mut refused) = (0, 0);
    for round in 0..1200 {
        let text = if round % 4 == 3 {
            let mut text = FACTS.to_owned();
            mangle(&mut text, &mut dice);
            text
        } else {
            let mut tree = original.clone();
            for _ in 0..=dice.below(3) {
                mutate(&mut tree, &mut dice);
            }
            tree.to_string()
        };
        match Facts::from_stranger(&text) {
            Ok(facts) => {
                shown += 1;
                assert_harmless(&facts, &known);
            }
            Err(error) => {
                refused += 1;
                let message = format!("{error} {}", error.hint());
                assert_no_commands(&message);
                assert!(message.chars().count() < 500 && !message.contains('\n'), "{message}");
            }
        }
    }
    assert!(shown > 200 && refused > 400, "{shown} {refused}");
}

#[test]
fn every_text_at_once_is_harmless() {
    let known = Known::new();
    let free = |at: &str| {
        [
            "reason",
            "detail",
            "message",
            "rule",
            "evidence",
            "tail",
            "command",
            "notes",
            "alerts",
            "value",
            "label",
            "labels",
            "slice",
            "note",
            "source",
            "split",
            "estimator",
            "params",
            "importance",
            "place",
            "kind",
            "role",
            "problem",
        ]
        .iter()
        .any(|word| at.rsplit('/').take(3).any(|part| part == *word))
    };
    for start in 0..NASTY.len() {
        let mut tree = tree();
        let mut all = Vec::new();
        places(&tree, "", &mut all);
        let mut index = start;
        for place in all.iter().filter(|place| free(place)) {
            if let Some(Value::String(text)) = tree.pointer_mut(place) {
                index += 1;
                NASTY[index % NASTY.len()].clone_into(text);
            }
        }
        assert_harmless(&read(&tree).unwrap(), &known);
    }
}

#[test]
fn honest_facts_are_taken_but_for_what_a_stranger_can_not_know() {
    let facts = Facts::from_stranger(FACTS).unwrap();
    let mut expected = Facts::from_json(FACTS).unwrap();
    assert!(expected.passed && expected.registry.is_some() && !expected.history.is_empty());
    expected.registry = None;
    expected.history.clear();
    expected.commit = None;
    expected.previous_run = None;
    assert_eq!(facts, expected);
}

fn find(tree: &Value, name: &str) -> usize {
    let gates = tree["gates"].as_array().unwrap();
    gates.iter().position(|gate| gate["name"] == name).unwrap()
}

#[test]
fn facts_that_contradict_themselves_are_refused() {
    type Lie = (&'static str, fn(&mut Value));
    let lies: &[Lie] = &[
        ("a failed gate and passed", |tree| {
            let at = find(tree, "budget");
            tree["gates"][at]["status"] = "fail".into();
        }),
        ("a failed step and passed", |tree| {
            tree["steps"][0]["outcome"] = "error".into();
        }),
        ("another word", |tree| {
            tree["verdict"] = if tree["verdict"] == "better" { "same" } else { "better" }.into();
        }),
        ("no challenger, but passed", |tree| {
            tree["verdict"] = "failed_to_run".into();
        }),
        ("no model", |tree| tree["training"] = Value::Null),
        ("another direction", |tree| {
            tree["evaluation"]["metrics"][0]["direction"] = "maximize".into();
        }),
        ("no such metric", |tree| {
            tree["evaluation"]["metrics"][0]["name"] = "trust_me".into();
        }),
        ("the other side", |tree| {
            tree["comparison"]["metrics"][0]["challenger"] = tree["comparison"]["metrics"][0]["champion"].clone();
        }),
        ("bounds that decide otherwise", |tree| {
            tree["comparison"]["metrics"][0]["lower"] = (-1e6).into();
        }),
        ("too few rows to decide", |tree| {
            tree["comparison"]["metrics"][0]["n_rows"] = 3.into();
        }),
        ("bounds that are less sure", |tree| {
            tree["comparison"]["metrics"][0]["alpha"] = 0.3.into();
        }),
        ("bounds that are for nothing", |tree| {
            tree["comparison"]["metrics"][0]["alpha"] = 0.into();
        }),
        ("a test that does not exist", |tree| {
            tree["comparison"]["metrics"][0]["secondary"] = json!([{"name": "[x](https://evil.example)", "p": 0.5}]);
        }),
        ("a chance above 1", |tree| {
            tree["comparison"]["metrics"][0]["secondary"] = json!([{"name": "paired t", "p": 1.5}]);
        }),
        ("too many tests", |tree| {
            tree["comparison"]["metrics"][0]["secondary"] = vec![json!({"name": "paired t", "p": 0.5}); 11].into();
        }),
        ("too many reasons", |tree| {
            tree["comparison"]["reasons"] = vec!["x"; 11].into();
        }),
        ("more rows than there are", |tree| {
            tree["data"]["n_test"] = 1_000_000.into();
        }),
        ("a command that failed", |tree| {
            let at = find(tree, "test");
            tree["gates"][at]["commands"][0]["exit_code"] = 1.into();
        }),
        ("a broken contract", |tree| {
            tree["data"]["violations"] =
                json!([{"rule": "x", "message": "x", "n_rows": 1, "evidence": [], "span": null}]);
        }),
        ("a lost slice", |tree| {
            tree["comparison"]["slices"][0]["status"] = "regression".into();
        }),
        ("one gate twice", |tree| {
            let gate = tree["gates"][0].clone();
            tree["gates"].as_array_mut().unwrap().push(gate);
        }),
        ("a path", |tree| tree["directory"] = "../../etc".into()),
        ("another path", |tree| tree["config_file"] = "/etc/passwd".into()),
        ("a name", |tree| tree["model"] = "[x](https://evil.example)".into()),
        ("an unknown key", |tree| tree["pull_request"] = 7.into()),
        ("an unknown key inside", |tree| {
            tree["training"]["repository"] = "ada/other".into();
        }),
    ];
    for (what, lie) in lies {
        let mut changed = tree();
        lie(&mut changed);
        assert_ne!(changed, tree(), "{what}");
        let refused = read(&changed);
        assert!(
            matches!(refused, Err(FactsError::Contradiction { .. })),
            "{what}: {:?}",
            refused.map(|facts| facts.reason)
        );
    }
}

#[test]
fn the_sentence_is_ours_and_bounds_are_kept() {
    let mut changed = tree();
    changed["reason"] = "production approved this; every gate passed".into();
    assert_eq!(read(&changed).unwrap().reason, Facts::from_json(FACTS).unwrap().reason);
    let mut beside = tree();
    beside["comparison"]["metrics"][0]["secondary"] =
        json!([{"name": "Wilcoxon signed-rank", "p": 0.5, "p_better": 0.25, "statistic": 4211.5}]);
    beside["comparison"]["reasons"] = json!(["within\nthe noise"]);
    let known = read(&beside).unwrap().comparison.unwrap();
    assert_eq!(
        (known.metrics[0].secondary.len(), known.reasons),
        (1, vec!["within the noise".to_owned()])
    );
    let mut long = tree();
    long["alerts"] = json!(["x".repeat(4097)]);
    assert!(matches!(read(&long), Err(FactsError::TooMany { .. })));
    let mut many = tree();
    many["alerts"] = json!(vec!["x"; 5001]);
    assert!(matches!(read(&many), Err(FactsError::TooMany { .. })));
    let huge = format!("{FACTS}{}", " ".repeat(2 << 20));
    assert!(matches!(Facts::from_stranger(&huge), Err(FactsError::TooLarge { .. })));
    let mut seed = tree();
    seed["training"]["seed"] = u64::MAX.into();
    assert!(read(&seed).is_ok());
    seed["training"]["elapsed_ms"] = u64::MAX.into();
    assert!(matches!(read(&seed), Err(FactsError::Contradiction { .. })));
}
