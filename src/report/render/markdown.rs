//! GitHub-flavored Markdown for the comment, the check and the summary. Pure.
//!
//! How text of others is kept inert, by what GitHub does with it:
//! - A literal is a code span, in which neither Markdown nor GitHub's filters (mentions, issues, emoji, math) act. One
//!   that holds a backtick, a pipe or a backslash, or stands in a `<summary>`, is a `<code>` element instead.
//! - In running text every character that Markdown or HTML gives a meaning is a character reference.
//! - GitHub's own filters read the text after references are resolved, so a reference does not stop them: there a
//!   zero-width space separates `@`, `#`, `:` and the like from what follows. `$`, which starts math, becomes its
//!   full-width form.

use super::super::document::{
    Address, Block, Chart, Document, Figure, Inline, PairedBar, Pairs, Picture, Shape, Table, Tone, plain,
};
use super::super::text::{MAX_NAME, MAX_TEXT, block, line, without_commands};
use super::super::{format, text};
use super::{Part, Render, fit, lines};

/// Rows of a table in a comment; the HTML report shows more.
const MAX_ROWS: usize = 20;
/// Each diagram is a frame of its own on the page.
const MAX_DIAGRAMS: usize = 3;
/// Bars or points of a diagram.
const MAX_BARS: usize = 30;
/// Cells of the longest bar.
const BAR_WIDTH: usize = 24;
/// Room for the line that says what was left out.
const RESERVE: usize = 500;

/// At most `limit` bytes, whatever the document holds.
#[derive(Debug, Clone, Copy)]
pub struct Markdown {
    pub limit: usize,
}

/// What a comment on GitHub holds, with room for what stands around the report.
impl Default for Markdown {
    fn default() -> Self {
        Self { limit: 60_000 }
    }
}

impl Render for Markdown {
    fn render(&self, document: &Document) -> String {
        let mut writer = Writer::default();
        let mut parts: Vec<Part> = document
            .sections
            .iter()
            .map(|section| Part {
                key: section.key,
                priority: section.priority,
                text: without_commands(&writer.blocks(&section.blocks)) + "\n\n",
            })
            .collect();
        let left_out = fit(&mut parts, self.limit.saturating_sub(RESERVE));
        let mut out: String = parts.iter().map(|part| part.text.as_str()).collect();
        out.truncate(out.trim_end().len());
        if !left_out.is_empty() {
            out.push_str("\n\n<sub>Left out to keep this short: ");
            out.push_str(&left_out.join(", "));
            out.push_str(". The HTML report has everything.</sub>");
        }
        out.push('\n');
        if out.len() > self.limit {
            // Only a limit too small for any report comes here: the verdict, and nothing that could be cut apart.
            out = without_commands(&inlines(&document.title, Place::Start));
            if out.len() > self.limit {
                out = document.verdict_word();
                while out.len() > self.limit {
                    out.pop();
                }
            }
        }
        out
    }
}

impl Document {
    fn verdict_word(&self) -> String {
        self.title
            .first()
            .map_or_else(String::new, |first| plain(std::slice::from_ref(first)))
    }
}

/// Where a piece stands, which decides how it is escaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// At the start of a line of Markdown.
    Start,
    Inside,
    /// In a table cell.
    Cell,
    /// In an HTML block, where Markdown does not act.
    Html,
}

#[derive(Debug, Default)]
struct Writer {
    n_diagrams: usize,
}

impl Writer {
    fn blocks(&mut self, blocks: &[Block]) -> String {
        let texts: Vec<String> = blocks
            .iter()
            .map(|block| self.block(block))
            .filter(|text| !text.is_empty())
            .collect();
        texts.join("\n\n")
    }

    fn block(&mut self, block: &Block) -> String {
        match block {
            // The page that carries a report has headings of its own: ours begin at the third level.
            Block::Heading { level, text } => {
                format!(
                    "{} {}",
                    "#".repeat(usize::from(*level + 2).min(6)),
                    inlines(text, Place::Inside)
                )
            }
            Block::Paragraph(text) => inlines(text, Place::Start),
            Block::Note(text) => format!("<sub>{}</sub>", inlines(text, Place::Inside)),
            Block::List(items) => {
                let items: Vec<String> = items
                    .iter()
                    .map(|item| format!("- {}", inlines(item, Place::Start)))
                    .collect();
                items.join("\n")
            }
            Block::Figures(figures) => figures.iter().map(figure).collect::<Vec<_>>().join(" · "),
            Block::Table(table) => table_text(table),
            Block::Chart(picture) => self.picture(picture),
            Block::Details { summary, open, blocks } => format!(
                "<details{}>\n<summary>{}</summary>\n\n{}\n\n</details>",
                if *open { " open" } else { "" },
                inlines(summary, Place::Html),
                self.blocks(blocks)
            ),
            Block::Code { language, text } => fenced(language, &text::block(text)),
            Block::Callout { tone, text } => format!("> [!{}]\n> {}", alert(*tone), inlines(text, Place::Start)),
            Block::Pairs(pairs) => self.pairs(pairs),
            Block::Roomy { instead, .. } if instead.is_empty() => String::new(),
            Block::Roomy { instead, .. } => format!("<sub>{}</sub>", inlines(instead, Place::Inside)),
        }
    }

    /// The most telling column, if it can be drawn; the shapes of the others are in their table.
    fn pairs(&mut self, pairs: &Pairs) -> String {
        let Some(first) = pairs.pairs.first().filter(|_| self.n_diagrams < MAX_DIAGRAMS) else {
            return String::new();
        };
        let lines = match &first.shape {
            Shape::Histogram { edges, shares } => paired_histogram(edges, shares),
            Shape::Bars(bars) => paired_bars(bars),
        };
        if lines.is_none() {
            return String::new();
        }
        let caption = format!(
            "**{}.** {}. Bars: {}. Line: {}.",
            inlines(&first.title, Place::Inside),
            inlines(&first.description, Place::Inside),
            inlines(&pairs.sides[0], Place::Inside),
            inlines(&pairs.sides[1], Place::Inside)
        );
        self.diagram(&caption, lines)
    }

    fn picture(&mut self, picture: &Picture) -> String {
        let caption = format!(
            "**{}.** {}",
            inlines(&picture.title, Place::Inside),
            inlines(&picture.description, Place::Inside)
        );
        match &picture.chart {
            Chart::Matrix { labels, counts } => format!("{caption}\n\n{}", matrix(labels, counts)),
            Chart::Intervals(rows) => {
                let rows = lines::intervals(rows, 24, 41);
                format!("{caption}\n\n{}", fenced("text", &block(&rows.join("\n"))))
            }
            Chart::Bars { heads, rows } => {
                let mut out = vec![
                    format!("| {} | {} | |", heads[0], heads[1]),
                    "| --- | ---: | --- |".to_owned(),
                ];
                out.extend(rows.iter().take(MAX_ROWS).map(|row| {
                    let number = escaped(&line(&row.shown, MAX_NAME), Place::Cell);
                    let bar = lines::bar(row.share, BAR_WIDTH);
                    format!("| {} | {number} | {bar} |", literal(&row.label, Place::Cell))
                }));
                format!("{caption}\n\n{}", out.join("\n"))
            }
            Chart::Scatter { points } => self.diagram(
                &format!(
                    "{caption} Each bar is the mean prediction of a group of rows, the line their mean actual value."
                ),
                scatter(points),
            ),
            Chart::Histogram { edges, counts } => self.diagram(&caption, histogram(edges, counts)),
            Chart::Line {
                x,
                y,
                points,
                ticks,
                diagonal,
            } => self.diagram(&caption, line_chart((x, y), points, ticks, *diagonal)),
        }
    }

    /// A diagram while there may be another, else the caption alone.
    fn diagram(&mut self, caption: &str, lines: Option<Vec<String>>) -> String {
        match lines {
            Some(lines) if self.n_diagrams < MAX_DIAGRAMS => {
                self.n_diagrams += 1;
                format!(
                    "{caption}\n\n```mermaid\nxychart-beta\n    {}\n```",
                    lines.join("\n    ")
                )
            }
            _ => caption.to_owned(),
        }
    }
}

fn figure(figure: &Figure) -> String {
    let mut out = format!(
        "{} {}",
        inlines(&figure.label, Place::Start),
        inlines(&figure.value, Place::Inside)
    );
    if !figure.remark.is_empty() {
        out = format!("{out} ({})", inlines(&figure.remark, Place::Inside));
    }
    out
}

fn alert(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "TIP",
        Tone::Plain => "NOTE",
        Tone::Warn => "WARNING",
        Tone::Bad => "CAUTION",
    }
}

pub fn symbol(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "✅",
        Tone::Plain => "➖",
        Tone::Warn => "⚠️",
        Tone::Bad => "❌",
    }
}

fn table_text(table: &Table) -> String {
    let row = |cells: Vec<String>| format!("| {} |", cells.join(" | "));
    let mut out = vec![
        row(table
            .columns
            .iter()
            .map(|column| inlines(&column.head, Place::Cell))
            .collect()),
        row(table
            .columns
            .iter()
            .map(|column| if column.numeric { "---:" } else { "---" }.to_owned())
            .collect()),
    ];
    out.extend(
        table
            .rows
            .iter()
            .take(MAX_ROWS)
            .map(|cells| row(cells.iter().map(|cell| inlines(cell, Place::Cell)).collect())),
    );
    let mut out = out.join("\n");
    if table.rows.len() > MAX_ROWS {
        let more = format::n_of(table.rows.len() - MAX_ROWS, "more row", "more rows");
        out = format!("{out}\n\n<sub>and {more} in the HTML report</sub>");
    }
    out
}

fn matrix(labels: &[String], counts: &[Vec<u64>]) -> String {
    let label = |label: &str| literal(label, Place::Cell);
    let mut out = vec![
        format!(
            "| actual ↓ predicted → | {} |",
            labels.iter().map(|one| label(one)).collect::<Vec<_>>().join(" | ")
        ),
        format!("| --- |{}", " ---: |".repeat(labels.len())),
    ];
    for (actual, (name, row)) in labels.iter().zip(counts).enumerate() {
        let cells: Vec<String> = row
            .iter()
            .enumerate()
            .map(|(predicted, n)| match format::count(*n) {
                n if actual == predicted => format!("**{n}**"),
                n => n,
            })
            .collect();
        out.push(format!("| {} | {} |", label(name), cells.join(" | ")));
    }
    out.join("\n")
}

fn fenced(language: &str, text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}{language}\n{text}\n{fence}")
}

fn inlines(pieces: &[Inline], place: Place) -> String {
    let mut out = String::new();
    for piece in pieces {
        let place = match place {
            Place::Start if !out.trim().is_empty() => Place::Inside,
            place => place,
        };
        let shown = match piece {
            Inline::Text(text) | Inline::Quiet(text) => escaped(&line(text, MAX_TEXT), place),
            Inline::Code(text) => literal(text, place),
            Inline::Strong(text) => strong(&line(text, MAX_NAME), place),
            Inline::Status(tone, text) => format!("{} {}", symbol(*tone), strong_status(&line(text, MAX_NAME), place)),
            Inline::Link(text, address) => link(&line(text, MAX_NAME), address, place),
        };
        out.push_str(&shown);
    }
    match place {
        // Nothing would be no paragraph, and a quote or an item would hold what follows it.
        Place::Start if out.trim().is_empty() => format::UNKNOWN.to_owned(),
        Place::Start => out.trim().to_owned(),
        _ => out,
    }
}

fn strong(text: &str, place: Place) -> String {
    match (text.trim(), place) {
        ("", _) => String::new(),
        (text, Place::Html) => format!("<b>{}</b>", escaped(text, place)),
        (text, _) => format!("**{}**", escaped(text, Place::Inside)),
    }
}

fn link(text: &str, address: &Address, place: Place) -> String {
    match place {
        Place::Html => format!(
            "<a href=\"{}\">{}</a>",
            address.as_str().replace('&', "&amp;"),
            escaped(text, place)
        ),
        Place::Start | Place::Inside | Place::Cell => {
            format!("[{}]({})", escaped(text, Place::Inside), address.as_str())
        }
    }
}

/// The status word; strong only where a verdict opens a line, which is the headline.
fn strong_status(text: &str, place: Place) -> String {
    escaped(text, if place == Place::Start { Place::Inside } else { place })
}

/// A name, a path, a value: a code span, or a code element where a span could be broken.
fn literal(raw: &str, place: Place) -> String {
    let text = line(raw, MAX_NAME);
    let text = text.trim();
    if text.is_empty() {
        return "<code> </code>".to_owned();
    }
    if place == Place::Html || text.contains(['`', '|', '\\']) {
        format!("<code>{}</code>", escaped(text, Place::Inside))
    } else {
        format!("`{text}`")
    }
}

/// Text without any meaning to Markdown, HTML or GitHub's filters; see the top of this file.
fn escaped(text: &str, place: Place) -> String {
    const ZERO_WIDTH_SPACE: char = '\u{200b}';
    // Blanks at the start of a line do not count, so what follows them is its start.
    let text = if place == Place::Start { text.trim_start() } else { text };
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len() + 16);
    let mut leading_digits = place == Place::Start;
    for (index, &c) in chars.iter().enumerate() {
        let before = index.checked_sub(1).and_then(|index| chars.get(index)).copied();
        let after = chars.get(index + 1).copied();
        let is_first = index == 0 && place == Place::Start;
        match c {
            '&' | '<' | '>' | '`' | '*' | '_' | '~' | '[' | ']' | '\\' | '|' => {
                push_reference(&mut out, c);
            }
            '-' | '+' | '=' if is_first => push_reference(&mut out, c),
            '.' | ')' if leading_digits && index > 0 => push_reference(&mut out, c),
            '$' => out.push('＄'),
            '@' | '#' => out.extend([c, ZERO_WIDTH_SPACE]),
            ':' if after.is_some_and(|next| !next.is_whitespace()) => out.extend([c, ZERO_WIDTH_SPACE]),
            '-' if before.is_some_and(|c| c.is_ascii_uppercase())
                && after.is_some_and(|c| c.is_ascii_alphanumeric()) =>
            {
                out.extend([c, ZERO_WIDTH_SPACE]);
            }
            'w' | 'W' if is_www(&chars[index..]) => out.extend([c, ZERO_WIDTH_SPACE]),
            c if !before.is_some_and(char::is_alphanumeric) && hex_run(&chars[index..]) >= 7 => {
                out.extend([c, ZERO_WIDTH_SPACE]);
            }
            c => out.push(c),
        }
        leading_digits &= c.is_ascii_digit();
    }
    out
}

/// `&#60;`: the character as text, whatever stands around it.
fn push_reference(out: &mut String, c: char) {
    out.extend(["&#", &u32::from(c).to_string(), ";"]);
}

fn is_www(chars: &[char]) -> bool {
    chars.len() >= 4 && chars[..3].iter().all(|c| c.eq_ignore_ascii_case(&'w')) && chars[3] == '.'
}

/// How many hexadecimal digits stand here; GitHub links seven or more to a commit of that name.
fn hex_run(chars: &[char]) -> usize {
    chars.iter().take(41).take_while(|c| c.is_ascii_hexdigit()).count()
}

/// A word in a diagram, whose language gives quotes, `#`, `;` and Markdown a meaning: only letters, digits and few signs.
fn diagram_word(raw: &str) -> String {
    let word: String = line(raw, 24)
        .chars()
        .map(|c| {
            if c.is_alphanumeric() || matches!(c, ' ' | '.' | '-' | ',' | '_' | '−') {
                c
            } else {
                ' '
            }
        })
        .collect();
    // An empty label is a syntax error there.
    if word.trim().is_empty() {
        "unnamed".to_owned()
    } else {
        word.trim().to_owned()
    }
}

/// Plain decimals; a diagram reads neither exponents nor a typographic minus.
fn plain_number(value: f64, decimals: usize) -> String {
    let shown = format!("{value:.decimals$}");
    if shown.contains(|c: char| ('1'..='9').contains(&c)) {
        shown
    } else {
        shown.trim_start_matches('-').to_owned()
    }
}

fn numbers(values: &[f64], decimals: usize) -> String {
    let shown: Vec<String> = values.iter().map(|value| plain_number(*value, decimals)).collect();
    format!("[{}]", shown.join(", "))
}

/// The range of an axis with a little room, and the decimals that tell its values apart.
fn axis(values: &[f64]) -> Option<(f64, f64, usize)> {
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if !low.is_finite() || !high.is_finite() {
        return None;
    }
    let room = if high > low {
        (high - low) * 0.1
    } else {
        high.abs().max(1.0) * 0.1
    };
    Some((low - room, high + room, format::decimals(high, Some(room))))
}

/// Rows in groups of about equal size by their actual value: the groups' mean predictions beside their mean actuals.
fn scatter(points: &[[f64; 2]]) -> Option<Vec<String>> {
    let mut sorted = points.to_vec();
    sorted.sort_by(|a, b| a[0].total_cmp(&b[0]));
    let groups: Vec<&[[f64; 2]]> = sorted.chunks(sorted.len().div_ceil(10).max(1)).collect();
    let mean =
        |group: &[[f64; 2]], side: usize| group.iter().map(|point| point[side]).sum::<f64>() / group.len() as f64;
    let actual: Vec<f64> = groups.iter().map(|group| mean(group, 0)).collect();
    let predicted: Vec<f64> = groups.iter().map(|group| mean(group, 1)).collect();
    let all: Vec<f64> = actual.iter().chain(&predicted).copied().collect();
    let (low, high, decimals) = axis(&all)?;
    let labels: Vec<String> = actual
        .iter()
        .map(|value| format!("\"{}\"", plain_number(*value, decimals)))
        .collect();
    Some(vec![
        format!("x-axis \"actual, mean of a group\" [{}]", labels.join(", ")),
        format!(
            "y-axis \"predicted\" {} --> {}",
            plain_number(low, decimals),
            plain_number(high, decimals)
        ),
        format!("bar {}", numbers(&predicted, decimals)),
        format!("line {}", numbers(&actual, decimals)),
    ])
}

fn histogram(edges: &[f64], counts: &[u64]) -> Option<Vec<String>> {
    // Neighboring bins are shown as one when there are too many.
    let step = counts.len().div_ceil(MAX_BARS).max(1);
    let merged: Vec<u64> = counts
        .chunks(step)
        .map(|chunk| chunk.iter().fold(0, |sum: u64, n| sum.saturating_add(*n)))
        .collect();
    let (first, last) = (edges.first()?, edges.last()?);
    let (_, _, decimals) = axis(edges)?;
    let most = merged.iter().copied().max()?.max(1);
    let labels: Vec<String> = merged.iter().map(u64::to_string).collect();
    Some(vec![
        format!(
            "x-axis \"actual minus predicted\" {} --> {}",
            plain_number(*first, decimals),
            plain_number(*last, decimals)
        ),
        format!("y-axis \"rows\" 0 --> {most}"),
        format!("bar [{}]", labels.join(", ")),
    ])
}

fn line_chart(names: (&str, &str), points: &[[f64; 2]], ticks: &[String], diagonal: bool) -> Option<Vec<String>> {
    let (x, y) = names;
    if ticks.is_empty() {
        // The diagram's points are evenly spaced, a curve's are not.
        let (values, low, high) = lines::resampled(points, 21)?;
        let mut out = vec![
            format!("x-axis \"{x}\" {} --> {}", plain_number(low, 2), plain_number(high, 2)),
            format!("y-axis \"{}\" 0 --> 1", diagram_word(y)),
            format!("line {}", numbers(&values, 3)),
        ];
        if diagonal {
            let guess: Vec<f64> = (0..21_u32).map(|i| low + (high - low) * f64::from(i) / 20.0).collect();
            out.push(format!("line {}", numbers(&guess, 3)));
        }
        return Some(out);
    }
    let latest = points.len().saturating_sub(MAX_BARS);
    let values: Vec<f64> = points[latest..].iter().map(|point| point[1]).collect();
    let (low, high, decimals) = axis(&values)?;
    let labels: Vec<String> = ticks
        .iter()
        .skip(latest)
        .map(|tick| format!("\"{}\"", diagram_word(tick)))
        .collect();
    Some(vec![
        format!("x-axis [{}]", labels.join(", ")),
        format!(
            "y-axis \"{}\" {} --> {}",
            diagram_word(y),
            plain_number(low, decimals),
            plain_number(high, decimals)
        ),
        format!("line {}", numbers(&values, decimals)),
    ])
}

/// Shares in percent, with the decimals that the greatest needs.
fn percents(shares: &[f64], greatest: f64) -> String {
    let shown: Vec<f64> = shares.iter().map(|share| share * 100.0).collect();
    numbers(&shown, if greatest < 0.1 { 2 } else { 1 })
}

fn percent_axis(shares: [&[f64]; 2]) -> Option<(String, f64)> {
    let greatest = shares.iter().copied().flatten().copied().fold(0.0, f64::max);
    (greatest > 0.0).then(|| {
        let end = plain_number(greatest * 105.0, if greatest < 0.1 { 2 } else { 0 });
        (format!("y-axis \"share of rows, %\" 0 --> {end}"), greatest)
    })
}

fn paired_histogram(edges: &[f64], shares: &[Vec<f64>; 2]) -> Option<Vec<String>> {
    let (first, last) = (*edges.first()?, *edges.last()?);
    let (_, _, decimals) = axis(edges)?;
    let ends = [first, last].map(|edge| plain_number(edge, decimals));
    // An axis of the diagram reads neither three hundred digits nor two equal ends.
    if ends[0] == ends[1] || ends.iter().any(|end| end.len() > 16) {
        return None;
    }
    let (y_axis, greatest) = percent_axis([&shares[0], &shares[1]])?;
    Some(vec![
        format!("x-axis {} --> {}", ends[0], ends[1]),
        y_axis,
        format!("bar {}", percents(&shares[0], greatest)),
        format!("line {}", percents(&shares[1], greatest)),
    ])
}

fn paired_bars(bars: &[PairedBar]) -> Option<Vec<String>> {
    let side = |which: usize| -> Vec<f64> { bars.iter().map(|bar| bar.shares[which]).collect() };
    let (reference, current) = (side(0), side(1));
    let (y_axis, greatest) = percent_axis([&reference, &current])?;
    let labels: Vec<String> = bars
        .iter()
        .map(|bar| format!("\"{}\"", diagram_word(&bar.label)))
        .collect();
    Some(vec![
        format!("x-axis [{}]", labels.join(", ")),
        y_axis,
        format!("bar {}", percents(&reference, greatest)),
        format!("line {}", percents(&current, greatest)),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn running_text_is_inert() {
        let inert = |text: &str| escaped(text, Place::Start).replace('\u{200b}', "·");
        assert_eq!(inert("@octocat fixes #12 and GH-3"), "@·octocat fixes #·12 and GH-·3");
        assert_eq!(inert("https://evil.example"), "https:·//evil.example");
        assert_eq!(inert("www.evil.example"), "w·ww.evil.example");
        assert_eq!(inert("a@b.example"), "a@·b.example");
        assert_eq!(inert("<script>"), "&#60;script&#62;");
        assert_eq!(
            inert("[x](y) *b* `c` a|b $m$ \\"),
            "&#91;x&#93;(y) &#42;b&#42; &#96;c&#96; a&#124;b ＄m＄ &#92;"
        );
        assert_eq!(inert("1. list"), "1&#46; list");
        assert_eq!(inert("- list"), "&#45; list");
        assert_eq!(inert("# head"), "#· head");
        assert_eq!(inert("commit deadbeef0 :tada:"), "commit d·eadbeef0 :·tada:");
        assert_eq!(
            inert("rmse fell by 3.4 %, which is good."),
            "rmse fell by 3.4 %, which is good."
        );
    }

    #[test]
    fn a_diagram_gets_plain_words() {
        assert_eq!(diagram_word("v3"), "v3");
        assert_eq!(diagram_word("a\"] #quot; `x`"), "a    quot   x");
        assert_eq!(diagram_word("<!--"), "--");
        assert_eq!(diagram_word("\""), "unnamed");
        assert_eq!(plain_number(-0.000_1, 2), "0.00");
        assert_eq!(plain_number(1e12, 0), "1000000000000");
    }

    #[test]
    fn literals_can_not_be_left() {
        assert_eq!(literal("bmi", Place::Inside), "`bmi`");
        assert_eq!(literal("a`b", Place::Inside), "<code>a&#96;b</code>");
        assert_eq!(literal("a|b", Place::Cell), "<code>a&#124;b</code>");
        assert_eq!(literal("", Place::Cell), "<code> </code>");
        assert_eq!(fenced("text", "a\n````\nb"), "`````text\na\n````\nb\n`````");
    }
}
