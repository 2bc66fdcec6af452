//! What a report says, apart from how it looks: sections of blocks of typed inline pieces. Pure.
//!
//! No string here is escaped. A piece says what it is (`Text`, `Code`, …) and each renderer makes it inert in one place.

/// A report: the first section is the headline, the others follow in reading order.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// What kind of report it is: `Model report for`, before the subject.
    pub about: &'static str,
    /// What the report is about: the model's name, or the data.
    pub subject: String,
    /// The headline as pieces; also the last line on a terminal and the page's title.
    pub title: Inlines,
    pub tone: Tone,
    pub sections: Vec<Section>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Section {
    /// Stable; names what was left out, and anchors the section in HTML.
    pub key: &'static str,
    /// 0 is never left out; the greater, the earlier it gives way when a report grows too long.
    pub priority: u8,
    pub blocks: Vec<Block>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Block {
    Heading {
        level: u8,
        text: Inlines,
    },
    Paragraph(Inlines),
    /// Small print.
    Note(Inlines),
    List(Vec<Inlines>),
    /// The few numbers to know, each with a label and a remark.
    Figures(Vec<Figure>),
    Table(Table),
    Chart(Picture),
    /// A summary line that carries the number, and what is behind it.
    Details {
        summary: Inlines,
        open: bool,
        blocks: Vec<Self>,
    },
    Code {
        language: &'static str,
        text: String,
    },
    Callout {
        tone: Tone,
        text: Inlines,
    },
    Pairs(Pairs),
    /// What only a page has room for, and what a comment and a terminal say in its place.
    Roomy {
        instead: Inlines,
        blocks: Vec<Self>,
    },
}

pub type Inlines = Vec<Inline>;

/// What most documents are.
pub const MODEL_REPORT: &str = "Model report for";

/// A piece of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inline {
    Text(String),
    /// A literal: a name, a path, a value as somebody wrote it.
    Code(String),
    Strong(String),
    Quiet(String),
    /// A word with the symbol and color of its tone; the word alone is enough to understand it.
    Status(Tone, String),
    /// Where to read on; the words alone say what is there.
    Link(String, Address),
}

/// The address of a page: `http` or `https`, and nothing in it that Markdown, HTML or a terminal gives a meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address(String);

impl Address {
    pub fn new(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._~:/?#@&=+,;%".contains(c);
        (!rest.is_empty() && text.len() <= 500 && rest.chars().all(is_plain)).then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tone {
    Good,
    /// Neither good nor bad: information.
    Plain,
    Warn,
    Bad,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    pub label: Inlines,
    pub value: Inlines,
    pub remark: Inlines,
}

/// Every row has as many cells as there are columns; the most important rows come first, since renderers cut.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    pub columns: Vec<Column>,
    pub rows: Vec<Vec<Inlines>>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    pub head: Inlines,
    pub numeric: bool,
}

/// A chart with what it is called and what it shows in words, for those who do not see it.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    pub title: Inlines,
    pub description: Inlines,
    pub chart: Chart,
}

/// Every number is finite; [`crate::report::sections`] drops what is not.
#[derive(Debug, Clone, PartialEq)]
pub enum Chart {
    /// x = actual, y = predicted, with the line where both are equal.
    Scatter { points: Vec<[f64; 2]> },
    /// `edges.len() == counts.len() + 1`.
    Histogram { edges: Vec<f64>, counts: Vec<u64> },
    Line {
        x: &'static str,
        y: String,
        points: Vec<[f64; 2]>,
        /// Names of the points, when x only counts them.
        ticks: Vec<String>,
        /// From the lower left to the upper right: what guessing gives.
        diagonal: bool,
    },
    /// `counts[actual][predicted]`, square.
    Matrix { labels: Vec<String>, counts: Vec<Vec<u64>> },
    /// A gain with its interval a row, all on one scale; positive is good.
    Intervals(Vec<Interval>),
    /// A bar a row, the longest first; the heads name the rows and the numbers.
    Bars { heads: [&'static str; 2], rows: Vec<Bar> },
}

#[derive(Debug, Clone, PartialEq)]
pub struct Interval {
    pub label: String,
    pub low: f64,
    pub middle: f64,
    pub high: f64,
    /// What may be lost and still be called the same, on the same scale, negative.
    pub allowed: Option<f64>,
    /// The gain in words, and its interval.
    pub gain: String,
    pub range: String,
    pub tone: Tone,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Bar {
    pub label: String,
    /// Its length as a share of the longest, 0 to 1.
    pub share: f64,
    /// What it stands for.
    pub shown: String,
}

/// What two sides hold in several columns; the most telling column is the first, and is drawn bigger.
#[derive(Debug, Clone, PartialEq)]
pub struct Pairs {
    /// What each side is, for the legend.
    pub sides: [Inlines; 2],
    pub pairs: Vec<Pair>,
}

/// One column on both sides, with what changed in words.
#[derive(Debug, Clone, PartialEq)]
pub struct Pair {
    pub title: Inlines,
    pub description: Inlines,
    pub shape: Shape,
}

/// Shares of the rows of each side, 0 to 1; every number is finite.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// Edges ascend, and are one more than the shares of each side.
    Histogram { edges: Vec<f64>, shares: [Vec<f64>; 2] },
    /// Two bars a category, the greatest changes first.
    Bars(Vec<PairedBar>),
}

#[derive(Debug, Clone, PartialEq)]
pub struct PairedBar {
    pub label: String,
    pub shares: [f64; 2],
}

pub fn text(text: impl Into<String>) -> Inline {
    Inline::Text(text.into())
}

pub fn code(text: impl Into<String>) -> Inline {
    Inline::Code(text.into())
}

pub fn quiet(text: impl Into<String>) -> Inline {
    Inline::Quiet(text.into())
}

/// A sentence of ours whose literals stand in backticks: each becomes a [`Inline::Code`] piece.
pub fn prose(sentence: &str) -> Inlines {
    let mut pieces = Vec::new();
    let mut rest = sentence;
    while let Some((before, after)) = rest.split_once('`') {
        let Some((literal, tail)) = after.split_once('`') else {
            break;
        };
        if !before.is_empty() {
            pieces.push(text(before));
        }
        if literal.is_empty() {
            pieces.push(text("``"));
        } else {
            pieces.push(code(literal));
        }
        rest = tail;
    }
    if !rest.is_empty() {
        pieces.push(text(rest));
    }
    pieces
}

/// The words of a line without what they are.
pub fn plain(pieces: &[Inline]) -> String {
    pieces
        .iter()
        .map(|piece| match piece {
            Inline::Text(text)
            | Inline::Code(text)
            | Inline::Strong(text)
            | Inline::Quiet(text)
            | Inline::Status(_, text)
            | Inline::Link(text, _) => text.as_str(),
        })
        .collect()
}

impl Column {
    pub fn words(head: &str) -> Self {
        Self {
            head: vec![text(head)],
            numeric: false,
        }
    }

    pub fn numbers(head: &str) -> Self {
        Self {
            head: vec![text(head)],
            numeric: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_can_not_be_anything_else() {
        let address = "https://github.example/ada/m/actions/runs/7#artifacts";
        assert_eq!(Address::new(address).unwrap().as_str(), address);
        for text in [
            "javascript:alert(1)",
            "https://",
            "https://a b",
            "https://a)[x](b",
            "https://a\"onclick",
            "ftp://a",
        ] {
            assert_eq!(Address::new(text), None, "{text}");
        }
    }

    #[test]
    fn literals_in_backticks_become_code() {
        assert_eq!(
            prose("`rmse` is 61, above `max: 60`"),
            [code("rmse"), text(" is 61, above "), code("max: 60")]
        );
        assert_eq!(prose("an odd ` tick"), [text("an odd ` tick")]);
        assert_eq!(prose("``"), [text("``")]);
        assert_eq!(prose(""), []);
    }
}
