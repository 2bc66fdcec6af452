//! One self-contained HTML page: no script, no font, no request. Pure.
//!
//! Every text passes [`escaped`], in elements and in attributes alike; attributes are always in double quotes.

use std::fmt::Write as _;

use super::super::document::{Block, Chart, Document, Figure, Inline, Picture, Section, Table, Tone, plain};
use super::super::format;
use super::super::text::{MAX_NAME, MAX_TEXT, line, without_commands};
use super::terminal::symbol;
use super::{Part, Render, fit, pairs, svg};

/// Rows of one table.
const MAX_ROWS: usize = 250;
/// Tables with more columns become a list of cards on a phone.
const MAX_PHONE_COLUMNS: usize = 3;
/// A page has room that a comment has not: what is folded there is open here up to this priority.
const MAX_OPEN_PRIORITY: u8 = 30;
const STYLE: &str = include_str!("style.css");

/// At most `limit` bytes apart from the frame and the headline; the least important sections give way.
#[derive(Debug, Clone, Copy)]
pub struct Html {
    pub limit: usize,
}

impl Default for Html {
    fn default() -> Self {
        Self { limit: 1_000_000 }
    }
}

impl Render for Html {
    fn render(&self, document: &Document) -> String {
        let mut parts: Vec<Part> = document
            .sections
            .iter()
            .map(|one| Part {
                key: one.key,
                priority: one.priority,
                text: without_commands(&section(one, document.tone)),
            })
            .collect();
        let left_out = fit(&mut parts, self.limit);
        let title = escaped(&line(&plain(&document.title), MAX_TEXT));
        let subject = escaped(&line(&document.subject, MAX_NAME));
        let mut out = format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta http-equiv=\"Content-Security-Policy\" \
             content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>{subject}: {title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n\
             <p class=\"subject\">{about} <b>{subject}</b></p>\n",
            about = document.about,
        );
        for part in &parts {
            out.push_str(&part.text);
        }
        if !left_out.is_empty() {
            put(
                &mut out,
                format_args!(
                    "<p class=\"note\">Left out, since this report would be too long: {}.</p>\n",
                    left_out.join(", ")
                ),
            );
        }
        out.push_str("</main>\n</body>\n</html>\n");
        without_commands(&out)
    }
}

/// Writing to a string can not fail.
pub fn put(out: &mut String, text: std::fmt::Arguments) {
    let _ = out.write_fmt(text);
}

/// Text for an element or a quoted attribute.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

pub fn class(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "good",
        Tone::Plain => "plain",
        Tone::Warn => "warn",
        Tone::Bad => "bad",
    }
}

fn section(section: &Section, tone: Tone) -> String {
    let open = section.priority <= MAX_OPEN_PRIORITY;
    let tone = if section.priority == 0 {
        format!(" tone-{}", class(tone))
    } else {
        String::new()
    };
    let mut out = format!("<section id=\"{0}\" class=\"{0}{tone}\">\n", section.key);
    blocks(&mut out, &section.blocks, open);
    out.push_str("</section>\n");
    out
}

fn blocks(out: &mut String, blocks: &[Block], open: bool) {
    let mut rest = blocks;
    while let Some(first) = rest.first() {
        // Charts in a row stand side by side.
        let is_chart = |block: &&Block| matches!(block, Block::Chart(Picture { chart, .. }) if !matches!(chart, Chart::Intervals(_) | Chart::Bars { .. }));
        let n_charts = rest.iter().take_while(is_chart).count();
        if n_charts > 1 {
            out.push_str("<div class=\"charts\">\n");
            for block in &rest[..n_charts] {
                write_block(out, block, open);
            }
            out.push_str("</div>\n");
            rest = &rest[n_charts..];
        } else {
            write_block(out, first, open);
            rest = &rest[1..];
        }
    }
}

fn write_block(out: &mut String, block: &Block, open: bool) {
    match block {
        Block::Heading { level, text } => {
            let level = (*level).clamp(1, 5);
            let shown = inlines(text);
            // The pill around the verdict word separates it already.
            let shown = shown.replacen("</span>: ", "</span> ", 1);
            put(out, format_args!("<h{level}>{shown}</h{level}>\n"));
        }
        Block::Paragraph(text) => put(out, format_args!("<p>{}</p>\n", inlines(text))),
        Block::Note(text) => put(out, format_args!("<p class=\"note\">{}</p>\n", inlines(text))),
        Block::List(items) => {
            out.push_str("<ul>\n");
            for item in items {
                put(out, format_args!("<li>{}</li>\n", inlines(item)));
            }
            out.push_str("</ul>\n");
        }
        Block::Figures(figures) => {
            out.push_str("<dl class=\"figures\">\n");
            for figure in figures {
                write_figure(out, figure);
            }
            out.push_str("</dl>\n");
        }
        Block::Table(table) => write_table(out, table),
        Block::Chart(picture) => write_picture(out, picture),
        Block::Details {
            summary,
            open: failed,
            blocks: inner,
        } => {
            let attribute = if *failed || open { " open" } else { "" };
            put(
                out,
                format_args!(
                    "<details{attribute}><summary>{}</summary><div class=\"in\">\n",
                    inlines(summary)
                ),
            );
            blocks(out, inner, false);
            out.push_str("</div></details>\n");
        }
        Block::Code { text, .. } => {
            put(
                out,
                format_args!("<pre>{}</pre>\n", escaped(&super::super::text::block(text))),
            );
        }
        Block::Callout { tone, text } => put(
            out,
            format_args!(
                "<p class=\"callout {}\"><span aria-hidden=\"true\">{} </span><span>{}</span></p>\n",
                class(*tone),
                symbol(*tone),
                inlines(text)
            ),
        ),
        Block::Pairs(shown) => pairs::write(out, shown),
        Block::Roomy { blocks: inner, .. } => blocks(out, inner, open),
    }
}

fn write_figure(out: &mut String, figure: &Figure) {
    put(
        out,
        format_args!(
            "<div><dt>{}</dt><dd class=\"v\">{}</dd>",
            inlines(&figure.label),
            inlines(&figure.value)
        ),
    );
    if !figure.remark.is_empty() {
        put(out, format_args!("<dd class=\"r\">{}</dd>", inlines(&figure.remark)));
    }
    out.push_str("</div>\n");
}

fn write_table(out: &mut String, table: &Table) {
    let stacked = table.columns.len() > MAX_PHONE_COLUMNS;
    out.push_str("<div class=\"scroll\" tabindex=\"0\">");
    let class = match table.columns.len() {
        0..=MAX_PHONE_COLUMNS => "",
        4..=6 => " class=\"stack\"",
        _ => " class=\"stack wide\"",
    };
    put(out, format_args!("<table{class}>\n<thead><tr>"));
    for column in &table.columns {
        put(
            out,
            format_args!(
                "<th scope=\"col\"{}>{}</th>",
                if column.numeric { " class=\"n\"" } else { "" },
                inlines(&column.head)
            ),
        );
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    let heads: Vec<String> = table
        .columns
        .iter()
        .map(|column| escaped(&line(&plain(&column.head), MAX_NAME)))
        .collect();
    for row in table.rows.iter().take(MAX_ROWS) {
        out.push_str("<tr>");
        for ((cell, column), head) in row.iter().zip(&table.columns).zip(&heads) {
            let class = if column.numeric { " class=\"n\"" } else { "" };
            if stacked {
                put(
                    out,
                    format_args!("<td{class} data-h=\"{head}\"><span>{}</span></td>", inlines(cell)),
                );
            } else {
                put(out, format_args!("<td{class}>{}</td>", inlines(cell)));
            }
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table></div>\n");
    if table.rows.len() > MAX_ROWS {
        let more = format::n_of(table.rows.len() - MAX_ROWS, "more row", "more rows");
        put(
            out,
            format_args!("<p class=\"note\">and {more} in the saved facts</p>\n"),
        );
    }
}

fn write_picture(out: &mut String, picture: &Picture) {
    put(
        out,
        format_args!(
            "<figure><figcaption><b>{}</b> <span class=\"q\">{}</span></figcaption>\n",
            inlines(&picture.title),
            inlines(&picture.description)
        ),
    );
    let title = escaped(&line(&plain(&picture.title), MAX_NAME));
    let description = escaped(&line(&plain(&picture.description), MAX_TEXT));
    match &picture.chart {
        Chart::Matrix { labels, counts } => write_matrix(out, labels, counts),
        Chart::Intervals(rows) => svg::intervals(out, rows),
        Chart::Bars { rows, .. } => svg::bars(out, rows),
        Chart::Scatter { points } => svg::scatter(out, (&title, &description), points),
        Chart::Histogram { edges, counts } => svg::histogram(out, (&title, &description), edges, counts),
        Chart::Line {
            x,
            y,
            points,
            ticks,
            diagonal,
        } => svg::line_chart(out, (&title, &description), (x, y), points, ticks, *diagonal),
    }
    out.push_str("</figure>\n");
}

fn write_matrix(out: &mut String, labels: &[String], counts: &[Vec<u64>]) {
    let label = |label: &str| escaped(&line(label, 40));
    out.push_str(
        "<div class=\"scroll\" tabindex=\"0\"><table class=\"matrix\">\n<thead><tr><th>actual ↓ predicted →</th>",
    );
    for name in labels {
        put(out, format_args!("<th scope=\"col\">{}</th>", label(name)));
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for (actual, (name, row)) in labels.iter().zip(counts).enumerate() {
        let total = row.iter().fold(0_u64, |sum, n| sum.saturating_add(*n)).max(1);
        put(out, format_args!("<tr><th scope=\"row\">{}</th>", label(name)));
        for (predicted, n) in row.iter().enumerate() {
            // The shade is the share of the row; the number says it too.
            let share = *n as f64 / total as f64 * 40.0;
            let color = if actual == predicted { "--good" } else { "--bad" };
            put(
                out,
                format_args!(
                    "<td{} style=\"background:color-mix(in srgb,var({color}) {share:.0}%,transparent)\">{}</td>",
                    if actual == predicted { " class=\"d\"" } else { "" },
                    format::count(*n)
                ),
            );
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table></div>\n");
}

pub fn inlines(pieces: &[Inline]) -> String {
    pieces
        .iter()
        .map(|piece| match piece {
            Inline::Text(text) => escaped(&line(text, MAX_TEXT)),
            Inline::Code(text) => format!("<code>{}</code>", escaped(&line(text, MAX_NAME))),
            Inline::Strong(text) => format!("<b>{}</b>", escaped(&line(text, MAX_NAME))),
            Inline::Quiet(text) => format!("<span class=\"q\">{}</span>", escaped(&line(text, MAX_TEXT))),
            Inline::Status(tone, text) => format!(
                "<span class=\"st {}\"><span aria-hidden=\"true\">{}</span> {}</span>",
                class(*tone),
                symbol(*tone),
                escaped(&line(text, MAX_NAME))
            ),
            Inline::Link(text, address) => format!(
                "<a href=\"{}\" rel=\"noreferrer\">{}</a>",
                escaped(address.as_str()),
                escaped(&line(text, MAX_NAME))
            ),
        })
        .collect()
}
