//! Plain aligned text for a terminal or a log. Pure.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::super::document::{Block, Chart, Document, Figure, Inline, Inlines, Pairs, Picture, Shape, Table, Tone};
use super::super::format;
use super::super::text::{MAX_NAME, MAX_TEXT, line, without_commands};
use super::{Render, lines};

/// Rows of a table; the HTML report shows more.
const MAX_ROWS: usize = 20;
/// A head that is not broken into words.
const MAX_WHOLE_HEAD: usize = 6;
/// A column of words keeps at least so many cells, if it has words that long.
const MIN_WORDS: usize = 12;
/// Pictures that are shown whole; the others are behind their fold.
const MAX_PICTURES: usize = 2;
/// Columns whose two sides are drawn.
const MAX_PAIRS: usize = 2;
/// Lines of a command's output, the last ones.
const MAX_OUTPUT: usize = 20;

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
            n_pictures: 0,
            out: Vec::new(),
        };
        let mut folded = Vec::new();
        let mut last = Vec::new();
        for section in &document.sections {
            match section.blocks.as_slice() {
                [
                    Block::Details {
                        summary,
                        open: false,
                        blocks,
                    },
                ] if !self.full => {
                    // What is fine is a line; the most telling picture is seen all the same.
                    if section.key == "plots"
                        && let Some(first) = blocks.first()
                    {
                        writer.blocks(std::slice::from_ref(first), 0);
                    }
                    folded.push(summary);
                }
                [Block::Note(_)] => last.push(section),
                blocks => writer.blocks(blocks, 0),
            }
        }
        writer.folded(&folded);
        for section in last {
            writer.blocks(&section.blocks, 0);
        }
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
    n_pictures: usize,
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

    /// A line a fold, and how to see what is behind them.
    fn folded(&mut self, summaries: &[&Inlines]) {
        if summaries.is_empty() {
            return;
        }
        self.gap();
        for summary in summaries {
            let shown = self.line(summary);
            self.out.push(self.cut_line(&shown));
        }
        let hint = self.paint("More behind each line: add -v", "2");
        self.out.push(hint);
    }

    fn blocks(&mut self, blocks: &[Block], indent: usize) {
        for block in blocks {
            if matches!(block, Block::Chart(_)) && !self.full {
                // A picture behind its fold is not missed: the summary line names it.
                if self.n_pictures == MAX_PICTURES {
                    continue;
                }
                self.n_pictures += 1;
            }
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
            Block::Details { summary, open, blocks } => {
                let shown = format!("{:indent$}{}", "", self.line(summary));
                self.out.push(self.cut_line(&shown));
                if *open || self.full {
                    self.blocks(blocks, indent + 2);
                }
            }
            Block::Code { text, .. } => {
                let text = super::super::text::block(text);
                let n_lines = text.lines().count();
                let skipped = if self.full {
                    0
                } else {
                    n_lines.saturating_sub(MAX_OUTPUT)
                };
                if skipped > 0 {
                    self.out.push(format!("{:indent$}│ …", ""));
                }
                for text in text.lines().skip(skipped) {
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
            Block::Pairs(pairs) => self.pairs(pairs, indent),
            Block::Roomy { blocks, .. } if self.full => self.blocks(blocks, indent),
            Block::Roomy { instead, .. } => {
                for text in self.wrapped(instead, indent, 0) {
                    let painted = self.paint(&text, "2");
                    self.out.push(painted);
                }
            }
        }
    }

    /// A caption and two rows of bars a column.
    fn pairs(&mut self, pairs: &Pairs, indent: usize) {
        let n_shown = if self.full { pairs.pairs.len() } else { MAX_PAIRS };
        let room = self.width.saturating_sub(indent);
        for (index, pair) in pairs.pairs.iter().take(n_shown).enumerate() {
            if index > 0 {
                self.gap();
            }
            let mut caption = pair.title.clone();
            caption.push(Inline::Text(". ".to_owned()));
            caption.extend(pair.description.iter().cloned());
            for text in self.wrapped(&caption, indent, 0) {
                let painted = self.paint(&text, "2");
                self.out.push(painted);
            }
            let drawn = match &pair.shape {
                Shape::Histogram { edges, shares } => lines::paired_histogram(edges, shares, room),
                Shape::Bars(bars) => lines::paired_bars(bars, room),
            };
            for text in drawn {
                let shown = self.cut_line(&format!("{:indent$}{text}", ""));
                self.out.push(shown);
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
            let remark = self.paint(&cut_to(&remark, room), "2");
            self.out
                .push(format!("{label}  {value}{fill}  {remark}").trim_end().to_owned());
        }
    }

    /// Numbers keep their width; words break into several lines where a table is too wide; when not even that is
    /// enough, every row becomes lines of its own.
    fn table(&mut self, table: &Table, indent: usize) {
        let rows = &table.rows[..table.rows.len().min(MAX_ROWS)];
        let room = self.width.saturating_sub(indent);
        match widths(table, rows, room) {
            Some(widths) => {
                let heads: Vec<Inlines> = table
                    .columns
                    .iter()
                    .map(|column| vec![Inline::Quiet(bare_line(&column.head))])
                    .collect();
                self.row(table, &heads, &widths, indent);
                for row in rows {
                    self.row(table, row, &widths, indent);
                }
            }
            None => {
                for (index, row) in rows.iter().enumerate() {
                    if index > 0 {
                        self.gap();
                    }
                    self.stacked(table, row, indent);
                }
            }
        }
        if table.rows.len() > MAX_ROWS {
            let more = format::n_of(table.rows.len() - MAX_ROWS, "more row", "more rows");
            let text = self.paint(&format!("{:indent$}and {more} in the HTML report", ""), "2");
            self.out.push(text);
        }
    }

    fn row(&mut self, table: &Table, row: &[Inlines], widths: &[usize], indent: usize) {
        let cells: Vec<Vec<String>> = row
            .iter()
            .zip(widths)
            .map(|(cell, width)| self.wrapped_to(cell, *width))
            .collect();
        let height = cells.iter().map(Vec::len).max().unwrap_or(0);
        for index in 0..height {
            let parts: Vec<String> = cells
                .iter()
                .zip(widths)
                .zip(&table.columns)
                .map(|((lines, width), column)| {
                    let text = lines.get(index).map_or("", String::as_str);
                    let fill = " ".repeat(width.saturating_sub(visible_width(text)));
                    if column.numeric {
                        fill + text
                    } else {
                        text.to_owned() + &fill
                    }
                })
                .collect();
            let text = format!("{:indent$}{}", "", parts.join("  "));
            self.out.push(text.trim_end().to_owned());
        }
    }

    fn stacked(&mut self, table: &Table, row: &[Inlines], indent: usize) {
        for (index, (cell, column)) in row.iter().zip(&table.columns).enumerate() {
            let mut pieces = Vec::new();
            if index > 0 {
                pieces.push(Inline::Quiet(format!("{}: ", bare_line(&column.head))));
            }
            pieces.extend(cell.iter().cloned());
            let lines = self.wrapped(&pieces, indent + if index > 0 { 2 } else { 0 }, 2);
            self.out.extend(lines);
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
            Chart::Bars { rows, .. } => lines::bars(rows, 30, room.saturating_sub(46).clamp(8, 40)),
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

    fn cut_line(&self, text: &str) -> String {
        cut_to(text, self.width)
    }

    /// Lines broken at blanks; the second and later ones are indented by `hang` more.
    fn wrapped(&self, pieces: &[Inline], indent: usize, hang: usize) -> Vec<String> {
        self.broken(pieces, self.width, indent, hang)
    }

    fn wrapped_to(&self, pieces: &[Inline], width: usize) -> Vec<String> {
        self.broken(pieces, width, 0, 0)
    }

    fn broken(&self, pieces: &[Inline], width: usize, indent: usize, hang: usize) -> Vec<String> {
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
        for (word, word_width) in words.iter().filter(|(_, width)| *width > 0) {
            if !is_empty && used + 1 + word_width > width {
                lines.push(std::mem::replace(&mut current, " ".repeat(indent + hang)));
                used = indent + hang;
            } else if !is_empty {
                current.push(' ');
                used += 1;
            }
            current.push_str(word);
            used += word_width;
            is_empty = false;
        }
        lines.push(current);
        lines.iter().map(|text| cut_to(text, width)).collect()
    }
}

/// The widths of the columns that fit into `room`, unless a number would have to be cut.
fn widths(table: &Table, rows: &[Vec<Inlines>], room: usize) -> Option<Vec<usize>> {
    let n_columns = table.columns.len();
    let gaps = 2 * n_columns.saturating_sub(1);
    let widest = |column: usize, measure: fn(&[Inline]) -> usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| measure(cell));
        cells.max().unwrap_or(0)
    };
    let head = |column: usize| {
        let head = &table.columns[column].head;
        let whole = bare_line(head).width();
        if whole <= MAX_WHOLE_HEAD {
            whole
        } else {
            longest_word(head)
        }
    };
    let mut widths: Vec<usize> = (0..n_columns)
        .map(|column| {
            let whole = bare_line(&table.columns[column].head).width();
            widest(column, |cell| bare_line(cell).width()).max(whole)
        })
        .collect();
    // What breaks first where it is too wide: heads, then words and remarks, then a number and its percentage.
    let content = |column: usize| widest(column, |cell| bare_line(cell).width());
    let words = |column: usize| {
        if table.columns[column].numeric {
            widest(column, number_width)
        } else {
            widest(column, longest_word).min(MIN_WORDS)
        }
    };
    let parts = |column: usize| widest(column, longest_word).min(words(column));
    let floors: [&dyn Fn(usize) -> usize; 3] = [&content, &words, &parts];
    for floor in floors {
        let floors: Vec<usize> = (0..n_columns).map(|column| floor(column).max(head(column))).collect();
        while widths.iter().sum::<usize>() + gaps > room {
            let widest = (0..n_columns)
                .filter(|column| widths[*column] > floors[*column])
                .max_by_key(|column| widths[*column]);
            let Some(widest) = widest else { break };
            widths[widest] -= 1;
        }
    }
    (widths.iter().sum::<usize>() + gaps <= room).then_some(widths)
}

fn longest_word(pieces: &[Inline]) -> usize {
    bare_line(pieces)
        .split(' ')
        .map(UnicodeWidthStr::width)
        .max()
        .unwrap_or(0)
}

/// The width of a cell without its remarks.
fn number_width(pieces: &[Inline]) -> usize {
    let numbers: String = pieces
        .iter()
        .map(|piece| match piece {
            Inline::Quiet(_) => String::new(),
            piece => bare(piece).0,
        })
        .collect();
    numbers.trim_end().width()
}

fn visible_width(text: &str) -> usize {
    measured(text).iter().map(|(_, width)| width).sum()
}

/// Every character with its width; those of our color sequences have none.
fn measured(text: &str) -> Vec<(char, usize)> {
    let mut in_sequence = false;
    text.chars()
        .map(|c| {
            if in_sequence || c == '\u{1b}' {
                in_sequence = c != 'm';
                (c, 0)
            } else {
                (c, c.width().unwrap_or(0))
            }
        })
        .collect()
}

/// A line cut to a width; colors end where it is cut.
fn cut_to(text: &str, width: usize) -> String {
    let chars = measured(text);
    if chars.iter().map(|(_, width)| width).sum::<usize>() <= width {
        return text.to_owned();
    }
    let mut used = 0;
    let mut shown: String = chars
        .iter()
        .take_while(|(_, next)| {
            used += next;
            used < width
        })
        .map(|(c, _)| c)
        .collect();
    shown.push('…');
    if text.contains('\u{1b}') {
        shown.push_str("\u{1b}[0m");
    }
    shown
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
        Inline::Link(text, address) => (format!("{} {}", line(text, MAX_NAME), address.as_str()), None),
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

fn pad(text: &str, width: usize, right: bool) -> String {
    let fill = " ".repeat(width.saturating_sub(text.width()));
    if right { fill + text } else { text.to_owned() + &fill }
}
