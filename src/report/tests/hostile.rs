//! Text that somebody else controls stays text, in every rendering.

use proptest::prelude::*;
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::super::document::{Inline, prose};
use super::super::text::{MAX_NAME, is_unprintable, line};
use super::super::{Html, Json, Render, Terminal, fixtures, sections, title};
use super::{MARKDOWN, assert_balanced, body};
use crate::facts::{Champion, Facts};

pub(super) const NASTY: &[&str] = &[
    " 0) a list in a list",
    "\t- an item",
    "<script>alert(1)</script>",
    "a|b",
    "a\\|b",
    "\\",
    "`code`",
    "``` \n```\n# out",
    "`",
    "~~~",
    "[click](https://evil.example)",
    "![x](https://evil.example/x.png)",
    "<https://evil.example>",
    "https://evil.example/a",
    "www.evil.example",
    "me@evil.example",
    "mailto:me@evil.example",
    "@octocat",
    "@org/team",
    "org/repo#12",
    "#123",
    "GH-123",
    "5d0c3f8a1b7e42969c0f4ab2d7e8f1035a6b9c2e",
    "</details>",
    "</summary><h1>",
    "</td></tr></table>",
    "<!-- hidden",
    "-->",
    "<![CDATA[",
    "<?php",
    "$math$",
    "$`math`$",
    "$$x$$",
    ":tada:",
    "::error file=a::b",
    "  ::set-output name=x::y",
    "##[error]x",
    "a ##[set-env name=x;]y",
    "\u{1b}[31mred\u{1b}[0m",
    "\u{1b}]0;title\u{7}",
    "\u{1b}]8;;https://evil.example\u{1b}\\x",
    "\u{9b}2J",
    "abc\u{202e}fdp.exe",
    "\u{2066}x\u{2069}",
    "a\0b",
    "a\r\nb",
    "\n\n# heading\n\n- list",
    "\n    code",
    "    code",
    "# heading",
    "- list",
    "+ list",
    "* list",
    "1. list",
    "1) list",
    "> quote",
    "[!WARNING]",
    "- [ ] task",
    "[^1]: note",
    "[a]: https://evil.example",
    "---",
    "===",
    "| --- |",
    ":---:",
    "**bold**",
    "__bold__",
    "*it* _it_ ~~no~~",
    "&lt;b&gt; &amp; &#64;user",
    "\" onload=\"x",
    "' onload='x",
    "style=\"x\"",
    "{{ x }}",
    "${{ github.token }}",
    "$(id)",
    "`id`",
    "%0A::error::x",
    " ",
    "",
    "\u{200b}",
    "\u{feff}::error::x",
    "\u{3164}",
    "尺寸",
    "e\u{301}",
    "👩‍👩‍👧",
];

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

/// What a Markdown reader sees, without words and literals: neither holds anything else, and one that is left empty by
/// cleaning is not there.
fn structure(markdown: &str) -> Vec<String> {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_GFM
        | Options::ENABLE_MATH;
    let mut seen: Vec<String> = Vec::new();
    let mut in_code = 0;
    let mut in_html = false;
    for event in Parser::new_ext(markdown, options) {
        match &event {
            Event::Start(Tag::HtmlBlock) => in_html = true,
            Event::End(TagEnd::HtmlBlock) => in_html = false,
            Event::Start(Tag::CodeBlock(_)) => in_code += 1,
            Event::End(TagEnd::CodeBlock) => in_code -= 1,
            _ => {}
        }
        let name = match event {
            Event::InlineHtml(html) if html.as_ref() == "<code>" => {
                in_code += 1;
                continue;
            }
            Event::InlineHtml(html) if html.as_ref() == "</code>" => {
                in_code -= 1;
                continue;
            }
            Event::Code(_) => continue,
            Event::Text(_) | Event::SoftBreak if in_code > 0 => continue,
            Event::Text(_) => "text".to_owned(),
            // An HTML block is lines of ours with escaped text: the tags count.
            Event::Html(html) if in_html => tags(&html).join(" "),
            Event::Start(Tag::Heading { level, .. }) => format!("heading {level}"),
            Event::Start(Tag::CodeBlock(_)) => "code block".to_owned(),
            other => format!("{other:?}"),
        };
        // Adjacent pieces of text are one, and words beside a literal may be empty.
        if name != "text" {
            seen.push(name);
        }
    }
    seen
}

/// Every tag with its attributes, as written.
fn tags(html: &str) -> Vec<String> {
    html.split('<')
        .skip(1)
        .map(|rest| rest.split('>').next().unwrap_or_default().to_owned())
        .filter(|tag| tag != "code" && tag != "/code")
        .collect()
}

/// The tags of a page in order, without what they say.
fn page_structure(page: &str) -> Vec<String> {
    page.split('<')
        .skip(1)
        .map(|rest| {
            let tag = rest.split('>').next().unwrap_or_default();
            let name = tag.split(' ').next().unwrap_or_default();
            name.to_owned()
        })
        // A literal that is left empty by cleaning is not there.
        .filter(|name| name != "code" && name != "/code")
        .collect()
}

/// No line starts a workflow command, as GitHub's runner reads lines, and no character steers a terminal.
pub(super) fn assert_no_commands(text: &str) {
    for line in text.split(['\n', '\r']) {
        assert!(!line.trim_start().starts_with("::"), "{line:?}");
        assert!(!line.contains("##["), "{line:?}");
    }
    for c in text.chars() {
        // Zero-width spaces and joiners of emoji are ours or harmless; nothing else invisible is left.
        assert!(c == '\n' || c == '\u{200b}' || !is_unprintable(c), "{c:?} in {text}");
    }
}

/// The first difference, not both of two long lists.
fn assert_same(seen: &[String], expected: &[String], text: &str) {
    let at = (0..seen.len().max(expected.len())).find(|index| seen.get(*index) != expected.get(*index));
    if let Some(at) = at {
        let around = |list: &[String]| list[at.saturating_sub(6).min(list.len())..(at + 3).min(list.len())].join(" ");
        panic!("{text}\nseen:     {}\nexpected: {}", around(seen), around(expected));
    }
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

pub(super) fn without_our_colors(text: &str) -> String {
    let mut text = text.to_owned();
    for sgr in ["0", "1", "2", "31", "32", "33", "36", "1;31", "1;32", "1;33", "1;36"] {
        text = text.replace(&format!("\u{1b}[{sgr}m"), "");
    }
    text
}

/// Outside of code nothing is left that GitHub's filters would link: they read the text of the rendered page.
pub(super) fn assert_no_mentions(markdown: &str) {
    let mut in_code = 0;
    for event in Parser::new_ext(markdown, Options::ENABLE_TABLES) {
        match event {
            Event::Start(Tag::CodeBlock(_)) => in_code += 1,
            Event::End(TagEnd::CodeBlock) => in_code -= 1,
            Event::InlineHtml(html) if html.as_ref() == "<code>" => in_code += 1,
            Event::InlineHtml(html) if html.as_ref() == "</code>" => in_code -= 1,
            Event::Text(text) if in_code == 0 => {
                let chars: Vec<char> = text.chars().collect();
                for pair in chars.windows(2) {
                    let linked = matches!(pair[0], '@' | '#') && pair[1].is_alphanumeric();
                    assert!(!linked, "{text}");
                }
                for link in ["://", "www.", "mailto:m", "$"] {
                    assert!(!text.contains(link), "{text}");
                }
            }
            _ => {}
        }
    }
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

/// As many literals and the same emptiness, but harmless words.
fn innocent(hostile: &str) -> String {
    let n_literals = prose(hostile)
        .iter()
        // One of escape sequences only is nothing once they are gone, and is not shown.
        .filter(|piece| matches!(piece, Inline::Code(literal) if !line(literal, MAX_NAME).is_empty()))
        .count();
    // What is nothing but blanks, or a commit, may leave out a block: the innocent twin must do the same.
    let is_commit = (7..=64).contains(&hostile.len()) && hostile.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_nothing = |text: &str| line(text, MAX_NAME).trim().is_empty();
    if is_nothing(hostile) || is_commit {
        return hostile.to_owned();
    }
    let has_words = prose(hostile)
        .iter()
        .any(|piece| matches!(piece, Inline::Text(text) if !is_nothing(text)));
    let mut out = if has_words { "word ".to_owned() } else { String::new() };
    out.push_str(&"`word` ".repeat(n_literals));
    out.trim().to_owned()
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
