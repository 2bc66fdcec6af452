//! Plain aligned text for a terminal or a log. Pure.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::super::document::{Block, Chart, Document, Figure, Inline, Inlines, Picture, Section, Table, Tone};
use super::super::format;
use super::super::text::{MAX_NAME, MAX_TEXT, block, line, without_commands};
use super::{Render, lines};

/// Rows of a table; the HTML report shows more.
const MAX_ROWS: usize = 20;
/// A column that is cut keeps at least so many cells.
const MIN_COLUMN: usize = 8;
/// Sections up to this priority are shown whole, those behind it as their summary line.
const MAX_PRIORITY: u8 = 30;

/// `width` in cells; without `color` there is no escape sequence at all; `full` shows what is folded otherwise.
#[derive(Debug, Clone, Copy)]
pub struct Terminal {
    pub width: usize,
    pub color: bool,
    pub full: bool,
}

impl Render for Terminal {
    fn render(&self, document: &Document) -> String {
        let mut writer = Writer {
            width: self.width.clamp(40, 160),
            color: self.color,
            full: self.full,
            out: Vec::new(),
        };
        let mut folded = Vec::new();
        for section in &document.sections {
            let is_fold = |block: &Block| matches!(block, Block::Details { open: false, .. });
            if !self.full && section.priority > MAX_PRIORITY && section.blocks.iter().any(is_fold) {
                folded.push(section);
                continue;
            }
            writer.blocks(&section.blocks, 0);
        }
        writer.folded(&folded);
        writer.gap();
        // The last line is what is still visible when everything else has scrolled away.
        let last = format!("{} {}", symbol(document.tone), bare_line(&document.title));
        let sgr = format!("1;{}", lines::sgr(document.tone));
        for text in writer.wrapped(&[Inline::Text(last)], 0, 0) {
            let text = writer.paint(&text, &sgr);
            writer.out.push(text);
        }
        without_commands(&(writer.out.join("\n") + "\n"))
    }
}

struct Writer {
    width: usize,
    color: bool,
    full: bool,
    out: Vec<String>,
}

impl Writer {
    fn paint(&self, text: &str, sgr: &str) -> String {
        if self.color && !text.is_empty() {
            format!("\u{1b}[{sgr}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }

    /// One empty line, unless there is one already.
    fn gap(&mut self) {
        if self.out.last().is_some_and(|last| !last.is_empty()) {
            self.out.push(String::new());
        }
    }

    fn folded(&mut self, sections: &[&Section]) {
        if sections.is_empty() {
            return;
        }
        self.gap();
        for section in sections {
            for block in &section.blocks {
                if let Block::Details { summary, .. } = block {
                    let shown = self.line(summary);
                    self.out.push(self.cut_line(&shown));
                }
            }
        }
    }

    fn blocks(&mut self, blocks: &[Block], indent: usize) {
        for block in blocks {
            self.gap();
            self.block(block, indent);
        }
    }

    fn block(&mut self, block: &Block, indent: usize) {
        match block {
            Block::Heading { text, .. } => {
                for text in self.wrapped(text, indent, 0) {
                    let painted = self.paint(&text, "1");
                    self.out.push(painted);
                }
            }
            Block::Paragraph(text) => {
                let lines = self.wrapped(text, indent, 0);
                self.out.extend(lines);
            }
            Block::Note(text) => {
                for text in self.wrapped(text, indent, 0) {
                    let painted = self.paint(&text, "2");
                    self.out.push(painted);
                }
            }
            Block::List(items) => {
                for item in items {
                    let mut pieces = vec![Inline::Text("- ".to_owned())];
                    pieces.extend(item.iter().cloned());
                    let lines = self.wrapped(&pieces, indent, 2);
                    self.out.extend(lines);
                }
            }
            Block::Figures(figures) => self.figures(figures),
            Block::Table(table) => self.table(table, indent),
            Block::Chart(picture) => self.picture(picture, indent),
            Block::Details { summary, blocks, .. } => {
                let shown = self.line(summary);
                self.out.push(self.cut_line(&shown));
                self.blocks(blocks, 2);
            }
            Block::Code { text, .. } => {
                for text in super::super::text::block(text).lines() {
                    let shown = self.cut_line(&format!("{:indent$}│ {text}", ""));
                    self.out.push(shown);
                }
            }
            Block::Callout { tone, text } => {
                let mut pieces = vec![Inline::Status(*tone, String::new())];
                pieces.extend(text.iter().cloned());
                let lines = self.wrapped(&pieces, indent, 0);
                self.out.extend(lines);
            }
        }
    }

    fn figures(&mut self, figures: &[Figure]) {
        let widest = figures
            .iter()
            .map(|figure| bare_line(&figure.label).width())
            .max()
            .unwrap_or(0);
        let widest_value = figures
            .iter()
            .map(|figure| bare_line(&figure.value).width())
            .max()
            .unwrap_or(0);
        for figure in figures {
            let label = pad(&bare_line(&figure.label), widest, false);
            let bare_value = bare_line(&figure.value);
            let value = self.line(&figure.value);
            let fill = " ".repeat(widest_value.saturating_sub(bare_value.width()));
            let remark = bare_line(&figure.remark);
            let room = self.width.saturating_sub(widest + widest_value + 4);
            let remark = self.paint(&cut(&remark, room), "2");
            self.out
                .push(format!("{label}  {value}{fill}  {remark}").trim_end().to_owned());
        }
    }

    fn table(&mut self, table: &Table, indent: usize) {
        let n_columns = table.columns.len();
        let heads: Vec<String> = table.columns.iter().map(|column| bare_line(&column.head)).collect();
        let rows: Vec<(Vec<String>, &Vec<Inlines>)> = table
            .rows
            .iter()
            .take(MAX_ROWS)
            .map(|row| (row.iter().map(|cell| bare_line(cell)).collect(), row))
            .collect();
        let mut widths: Vec<usize> = (0..n_columns)
            .map(|column| {
                let cells = rows.iter().filter_map(|(bare, _)| bare.get(column));
                cells
                    .chain([&heads[column]])
                    .map(|cell| cell.width())
                    .max()
                    .unwrap_or(0)
            })
            .collect();
        // Too wide: the widest column gives way, one cell at a time; a number stands at the start of its cell.
        let room = self.width.saturating_sub(indent + 2 * n_columns.saturating_sub(1));
        while widths.iter().sum::<usize>() > room {
            let widest = (0..n_columns)
                .filter(|column| widths[*column] > MIN_COLUMN)
                .max_by_key(|column| widths[*column]);
            let Some(widest) = widest else { break };
            widths[widest] -= 1;
        }
        let head: Vec<String> = (0..n_columns)
            .map(|column| {
                pad(
                    &cut(&heads[column], widths[column]),
                    widths[column],
                    table.columns[column].numeric,
                )
            })
            .collect();
        let head = self.cut_line(&format!("{:indent$}{}", "", head.join("  ")));
        let head = self.paint(head.trim_end(), "2");
        self.out.push(head);
        for (bare, row) in &rows {
            let cells: Vec<String> = (0..n_columns)
                .map(|column| {
                    let (Some(bare), Some(cell)) = (bare.get(column), row.get(column)) else {
                        return " ".repeat(widths[column]);
                    };
                    let numeric = table.columns[column].numeric;
                    if self.color && bare.width() <= widths[column] {
                        let fill = " ".repeat(widths[column] - bare.width());
                        let painted = self.line(cell);
                        if numeric { fill + &painted } else { painted + &fill }
                    } else {
                        pad(&cut(bare, widths[column]), widths[column], numeric)
                    }
                })
                .collect();
            let text = format!("{:indent$}{}", "", cells.join("  "));
            let text = self.cut_line(text.trim_end());
            self.out.push(text);
        }
        if table.rows.len() > MAX_ROWS {
            let more = format::n_of(table.rows.len() - MAX_ROWS, "more row", "more rows");
            let text = self.paint(&format!("{:indent$}and {more} in the HTML report", ""), "2");
            self.out.push(text);
        }
    }

    fn picture(&mut self, picture: &Picture, indent: usize) {
        let mut caption = picture.title.clone();
        caption.push(Inline::Text(". ".to_owned()));
        caption.extend(picture.description.iter().cloned());
        for text in self.wrapped(&caption, indent, 0) {
            let painted = self.paint(&text, "2");
            self.out.push(painted);
        }
        let room = self.width.saturating_sub(indent + 12);
        let drawn = match &picture.chart {
            Chart::Scatter { points } => lines::grid(points, true, room.min(56), 14),
            Chart::Line {
                points,
                ticks,
                diagonal,
                ..
            } if ticks.is_empty() => lines::grid(points, *diagonal, room.min(44), 11),
            Chart::Line { points, ticks, .. } => {
                let values: Vec<f64> = points.iter().map(|point| point[1]).collect();
                let end = |tick: Option<&String>| tick.map_or_else(String::new, |tick| line(tick, 20));
                vec![format!(
                    "{} {} {}",
                    end(ticks.first()),
                    format::trend(&values),
                    end(ticks.last())
                )]
            }
            Chart::Histogram { edges, counts } => lines::histogram(edges, counts, room.saturating_sub(8).clamp(10, 40)),
            Chart::Intervals(rows) => lines::intervals(rows, 20, room.saturating_sub(22).clamp(15, 51)),
            Chart::Matrix { labels, counts } => {
                self.table(&matrix(labels, counts), indent);
                return;
            }
        };
        for text in drawn {
            let shown = self.cut_line(&format!("{:indent$}{text}", ""));
            self.out.push(shown);
        }
    }

    fn line(&self, pieces: &[Inline]) -> String {
        pieces
            .iter()
            .map(|piece| match bare(piece) {
                (text, Some(sgr)) => self.paint(&text, sgr),
                (text, None) => text,
            })
            .collect()
    }

    /// A line cut to the width; colors end where it is cut.
    fn cut_line(&self, text: &str) -> String {
        let mut in_sequence = false;
        // Every character with its width; those of our color sequences have none.
        let chars: Vec<(char, usize)> = text
            .chars()
            .map(|c| {
                if in_sequence || c == '\u{1b}' {
                    in_sequence = c != 'm';
                    (c, 0)
                } else {
                    (c, c.width().unwrap_or(0))
                }
            })
            .collect();
        if chars.iter().map(|(_, width)| width).sum::<usize>() <= self.width {
            return text.to_owned();
        }
        let mut used = 0;
        let mut shown: String = chars
            .iter()
            .take_while(|(_, width)| {
                used += width;
                used < self.width
            })
            .map(|(c, _)| c)
            .collect();
        shown.push('…');
        if text.contains('\u{1b}') {
            shown.push_str("\u{1b}[0m");
        }
        shown
    }

    /// Lines broken at blanks; the second and later ones are indented by `hang` more.
    fn wrapped(&self, pieces: &[Inline], indent: usize, hang: usize) -> Vec<String> {
        // A word is what stands between blanks, even when it is made of several pieces.
        let mut words: Vec<(String, usize)> = vec![(String::new(), 0)];
        for piece in pieces {
            let (text, sgr) = bare(piece);
            for (index, part) in text.split(' ').enumerate() {
                if index > 0 {
                    words.push((String::new(), 0));
                }
                if let Some((word, width)) = words.last_mut() {
                    word.push_str(&sgr.map_or_else(|| part.to_owned(), |sgr| self.paint(part, sgr)));
                    *width += part.width();
                }
            }
        }
        let mut lines = Vec::new();
        let mut current = " ".repeat(indent);
        let mut used = indent;
        let mut is_empty = true;
        for (word, width) in words.iter().filter(|(_, width)| *width > 0) {
            if !is_empty && used + 1 + width > self.width {
                lines.push(std::mem::replace(&mut current, " ".repeat(indent + hang)));
                used = indent + hang;
            } else if !is_empty {
                current.push(' ');
                used += 1;
            }
            current.push_str(word);
            used += width;
            is_empty = false;
        }
        lines.push(current);
        lines.iter().map(|text| self.cut_line(text)).collect()
    }
}

/// The text of a line as it is shown, without color.
fn bare_line(pieces: &[Inline]) -> String {
    pieces.iter().map(|piece| bare(piece).0).collect()
}

/// A piece as it is shown, and its color.
fn bare(piece: &Inline) -> (String, Option<&'static str>) {
    match piece {
        Inline::Text(text) => (line(text, MAX_TEXT), None),
        Inline::Code(text) => (line(text, MAX_NAME), None),
        Inline::Strong(text) => (line(text, MAX_NAME), Some("1")),
        Inline::Quiet(text) => (line(text, MAX_TEXT), Some("2")),
        Inline::Status(tone, text) => (
            format!("{} {}", symbol(*tone), line(text, MAX_NAME)),
            Some(lines::sgr(*tone)),
        ),
    }
}

/// One cell wide in every terminal.
pub fn symbol(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "✓",
        Tone::Plain => "·",
        Tone::Warn => "!",
        Tone::Bad => "✗",
    }
}

fn matrix(labels: &[String], counts: &[Vec<u64>]) -> Table {
    use super::super::document::{Column, code, text};
    let mut columns = vec![Column::words("actual ↓ predicted →")];
    columns.extend(labels.iter().map(|label| Column {
        head: vec![code(line(label, 16))],
        numeric: true,
    }));
    let rows = labels
        .iter()
        .zip(counts)
        .map(|(label, row)| {
            let mut cells = vec![vec![code(line(label, 20))]];
            cells.extend(row.iter().map(|n| vec![text(format::count(*n))]));
            cells
        })
        .collect();
    Table { columns, rows }
}

fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut shown = String::new();
    let mut used = 0;
    for c in text.chars() {
        let next = c.width().unwrap_or(0);
        if used + next + 1 > width {
            break;
        }
        used += next;
        shown.push(c);
    }
    shown.push('…');
    shown
}

fn pad(text: &str, width: usize, right: bool) -> String {
    let fill = " ".repeat(width.saturating_sub(text.width()));
    if right { fill + text } else { text.to_owned() + &fill }
}
