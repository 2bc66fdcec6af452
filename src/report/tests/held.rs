//! What every rendering of every document is held to, and texts that mean harm.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::super::Markdown;
use super::super::document::{Inline, prose};
use super::super::text::{MAX_NAME, is_unprintable, line};

pub(super) const MARKDOWN: Markdown = Markdown { limit: 60_000 };

pub(super) fn snapshots() -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings
}

/// The body of a page without its frame, which is the same every time.
pub(super) fn body(html: &str) -> &str {
    html.split_once("<main>").unwrap().1.split_once("</main>").unwrap().0
}

/// Fences and folds are closed.
pub(super) fn assert_well_formed(markdown: &str) {
    let opened = markdown.matches("<details").count();
    assert_eq!(opened, markdown.matches("</details>").count(), "{markdown}");
    assert_eq!(opened, markdown.matches("</summary>").count(), "{markdown}");
    let fences = markdown.lines().filter(|line| line.starts_with("```")).count();
    assert_eq!(fences % 2, 0, "{markdown}");
}

/// Every element that is opened is closed, in order; attributes are quoted and known.
pub(super) fn assert_balanced(html: &str) {
    const VOID: [&str; 5] = ["meta", "path", "rect", "!doctype", "br"];
    const ATTRIBUTES: &[&str] = &[
        "class",
        "id",
        "open",
        "lang",
        "charset",
        "http-equiv",
        "content",
        "name",
        "tabindex",
        "scope",
        "data-h",
        "aria-hidden",
        "role",
        "viewBox",
        "d",
        "x",
        "y",
        "width",
        "height",
        "text-anchor",
        "transform",
        "style",
        "preserveAspectRatio",
        "html",
    ];
    let mut open: Vec<String> = Vec::new();
    let mut rest = html;
    while let Some((_, after)) = rest.split_once('<') {
        // A quoted attribute holds no `<` or `>` of ours: both are escaped there too.
        let (tag, tail) = after.split_once('>').expect("a tag ends");
        assert!(!tag.contains('<'), "{tag}");
        rest = tail;
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(
                open.pop().as_deref(),
                Some(name),
                "…{}",
                &tail[..tail.floor_char_boundary(200)]
            );
            continue;
        }
        let mut parts = tag.splitn(2, ' ');
        let name = parts.next().unwrap_or_default().trim_end_matches('/');
        assert_ne!(name, "script");
        let mut attributes = parts.next().unwrap_or_default().trim_end_matches('/').trim();
        while !attributes.is_empty() {
            let end = attributes.find(['=', ' ']).unwrap_or(attributes.len());
            let attribute = &attributes[..end];
            assert!(ATTRIBUTES.contains(&attribute), "{attribute} in {tag}");
            attributes = attributes[end..].trim_start();
            if let Some(value) = attributes.strip_prefix("=\"") {
                attributes = value.split_once('"').expect("an attribute ends").1.trim_start();
            }
        }
        if !tag.ends_with('/') && !VOID.contains(&name) {
            open.push(name.to_owned());
        }
    }
    assert_eq!(open, Vec::<String>::new());
}

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

/// What a Markdown reader sees, without words and literals: neither holds anything else, and one that is left empty by
/// cleaning is not there.
pub(super) fn structure(markdown: &str) -> Vec<String> {
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
pub(super) fn page_structure(page: &str) -> Vec<String> {
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
pub(super) fn assert_same(seen: &[String], expected: &[String], text: &str) {
    let at = (0..seen.len().max(expected.len())).find(|index| seen.get(*index) != expected.get(*index));
    if let Some(at) = at {
        let around = |list: &[String]| list[at.saturating_sub(6).min(list.len())..(at + 3).min(list.len())].join(" ");
        panic!("{text}\nseen:     {}\nexpected: {}", around(seen), around(expected));
    }
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

/// As many literals and the same emptiness, but harmless words.
pub(super) fn innocent(hostile: &str) -> String {
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
