//! Texts that were meant as numbers or dates, as nothing, or as another text. Pure.

use std::collections::BTreeMap;

use super::super::value::{self, Form};
use super::super::{Column, MISSING, Values};
use super::statistics::share;
use super::{Finding, Level, MAX_EVIDENCE, Table, finding, n_rows, percent, short};

/// What people write for a missing value, in lower case. Empty cells and those of `value::is_missing` never get here.
const MISSING_WORDS: &[&str] = &[
    "",
    "-",
    "--",
    "---",
    "?",
    "??",
    ".",
    "..",
    "*",
    "n.a.",
    "n.a",
    "n/a",
    "na",
    "#n/a",
    "nan",
    "nil",
    "null",
    "none",
    "missing",
    "unknown",
    "undefined",
    "not available",
    "not known",
    "no data",
];

/// A column with at most this many different numbers may have them as names.
const FEW_NUMBERS: usize = 10;

/// Up to this share of numbers among texts is an oddity, and of categories a variant.
const ODD: f64 = 0.1;

pub fn findings(table: &Table<'_>, column: &Column) -> Vec<Finding> {
    let Values::Texts { codes, levels } = &column.values else {
        return Vec::new();
    };
    let texts = Texts::of(table, column, codes, levels);
    if texts.n_known == 0 {
        return Vec::new();
    }
    let mut found = Vec::new();
    let typed = texts.typed();
    let names_missing = typed.as_ref().is_some_and(|finding| finding.code == "missing-spelling");
    found.extend(typed);
    if !names_missing {
        found.extend(texts.missing_spellings());
    }
    found.extend(texts.variants());
    found
}

/// What a level looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    Number,
    /// Such as `007`: a number that would lose a digit.
    Code,
    Time,
    Missing,
    Words,
}

fn look(level: &str) -> Look {
    let trimmed = level.trim();
    if MISSING_WORDS.contains(&trimmed.to_lowercase().as_str()) {
        return Look::Missing;
    }
    match value::number(trimmed) {
        Some((_, Form::Code | Form::Large)) => Look::Code,
        Some((_, Form::Integer | Form::Decimal)) => Look::Number,
        None if value::is_comma_number(trimmed) => Look::Number,
        None if value::timestamp(trimmed).is_some() => Look::Time,
        Some((_, Form::Infinite)) | None => Look::Words,
    }
}

struct Texts<'a> {
    table: &'a Table<'a>,
    column: &'a Column,
    codes: &'a [u32],
    /// Level, its rows, and what it looks like; those that occur, by their code.
    levels: BTreeMap<u32, (&'a str, usize, Look)>,
    n_known: usize,
}

impl<'a> Texts<'a> {
    fn of(table: &'a Table<'a>, column: &'a Column, codes: &'a [u32], levels: &'a [String]) -> Self {
        let mut counts: BTreeMap<u32, usize> = BTreeMap::new();
        for &code in codes.iter().filter(|&&code| code != MISSING) {
            *counts.entry(code).or_default() += 1;
        }
        let n_known = counts.values().sum();
        let levels = counts.into_iter().filter_map(|(code, count)| {
            let level = levels.get(code as usize)?;
            Some((code, (level.as_str(), count, look(level))))
        });
        Self {
            table,
            column,
            codes,
            levels: levels.collect(),
            n_known,
        }
    }

    /// Levels of a look, and their rows.
    fn n_of(&self, look: Look) -> (usize, usize) {
        let of = self.levels.values().filter(|(_, _, of)| *of == look);
        of.fold((0, 0), |(n_levels, n_rows), (_, count, _)| {
            (n_levels + 1, n_rows + count)
        })
    }

    /// The first rows whose level is one of these.
    fn rows(&self, is: impl Fn(&(&str, usize, Look)) -> bool) -> Vec<usize> {
        let wanted: Vec<u32> = self
            .levels
            .iter()
            .filter(|(_, level)| is(level))
            .map(|(code, _)| *code)
            .collect();
        let rows = (0..self.codes.len()).filter(|&row| wanted.binary_search(&self.codes[row]).is_ok());
        rows.take(MAX_EVIDENCE).collect()
    }

    /// At most half of the known values are distinct.
    fn are_categories(&self) -> bool {
        2 * self.levels.len() <= self.n_known
    }

    fn finding(&self, code: &str, level: Level, message: String, rows: &[usize]) -> Finding {
        finding(
            code,
            level,
            self.column,
            message,
            self.table.evidence(self.column, rows),
        )
    }

    /// A column that would be numbers or dates but for a few cells, or has a few numbers among its texts.
    fn typed(&self) -> Option<Finding> {
        let name = &self.column.name;
        if self.n_of(Look::Code).0 > 0 {
            return None;
        }
        for (look, what, one) in [(Look::Number, "numbers", "number"), (Look::Time, "dates", "date")] {
            let (n_levels, n_of) = self.n_of(look);
            if n_of == 0 || 2 * n_of <= self.n_known {
                continue;
            }
            let (_, n_missing) = self.n_of(Look::Missing);
            let n_other = self.n_known - n_of;
            if n_other == 0 {
                return None;
            }
            let rows = self.rows(|(_, _, of)| *of != look);
            if n_missing == n_other {
                let message = format!(
                    "`{name}` is read as text only because of {}, which seems to stand for a missing value; leave these \
                     cells empty, and it is {what}",
                    self.shown(|(_, _, of)| *of == Look::Missing)
                );
                return Some(self.finding("missing-spelling", Level::Warn, message, &rows));
            }
            let level = if n_levels <= FEW_NUMBERS {
                Level::Info
            } else {
                Level::Warn
            };
            let message = format!(
                "`{name}` is read as text, although {} of its values are {what}: {} {} no {one}; correct them, or every \
                 value is a category of its own",
                percent(share(n_of, self.n_known)),
                n_rows(n_other),
                if n_other == 1 { "has" } else { "have" }
            );
            return Some(self.finding("mixed-types", level, message, &rows));
        }
        let (_, n_numbers) = self.n_of(Look::Number);
        let is_odd = n_numbers > 0 && share(n_numbers, self.n_known) <= ODD && self.are_categories();
        is_odd.then(|| {
            let rows = self.rows(|(_, _, of)| *of == Look::Number);
            let (verb, what) = if n_numbers == 1 { ("has", "a number") } else { ("have", "numbers") };
            let message = format!(
                "`{name}` is texts, but {} ({}) {verb} {what}; check whether columns slipped, or codes were not translated",
                n_rows(n_numbers),
                percent(share(n_numbers, self.n_known))
            );
            self.finding("mixed-types", Level::Info, message, &rows)
        })
    }

    /// The levels that fit, with their rows, at most five.
    fn shown(&self, is: impl Fn(&(&str, usize, Look)) -> bool) -> String {
        let fitting: Vec<&(&str, usize, Look)> = self.levels.values().filter(|level| is(level)).collect();
        let shown: Vec<String> = fitting
            .iter()
            .take(MAX_EVIDENCE)
            .map(|(level, count, _)| format!("{} ({})", written(level), n_rows(*count)))
            .collect();
        let more = if fitting.len() > MAX_EVIDENCE { ", …" } else { "" };
        format!("{}{more}", shown.join(", "))
    }

    fn missing_spellings(&self) -> Option<Finding> {
        let (n_spellings, n_in) = self.n_of(Look::Missing);
        // A column of nothing but one such word is constant, which is told there.
        if n_spellings == 0 || self.levels.len() == 1 {
            return None;
        }
        let name = &self.column.name;
        let n_empty = self.column.n_missing();
        let rows = self.rows(|(_, _, of)| *of == Look::Missing);
        let shown = self.shown(|(_, _, of)| *of == Look::Missing);
        let n_ways = n_spellings + usize::from(n_empty > 0);
        let (level, message) = if n_ways > 1 {
            let empty = if n_empty > 0 {
                format!(", empty ({})", n_rows(n_empty))
            } else {
                String::new()
            };
            (
                Level::Warn,
                format!(
                    "`{name}` says that a value is missing in {n_ways} ways: {shown}{empty}; a model takes each word for a value \
                     of its own, so leave all these cells empty"
                ),
            )
        } else {
            (
                Level::Info,
                format!(
                    "`{name}` has {shown}, {} of its values, which is a value like any other to a model; if it stands for a \
                     missing one, leave the cells empty",
                    percent(share(n_in, self.n_known))
                ),
            )
        };
        Some(self.finding("missing-spelling", level, message, &rows))
    }

    /// Categories that differ only by case, spaces or separators.
    fn variants(&self) -> Option<Finding> {
        if !self.are_categories() {
            return None;
        }
        let mut groups: BTreeMap<String, Vec<(&str, usize)>> = BTreeMap::new();
        let words = self.levels.values().filter(|(_, _, of)| *of != Look::Missing);
        for (level, count, _) in words {
            groups.entry(plain(level)).or_default().push((level, *count));
        }
        let mut groups: Vec<Vec<(&str, usize)>> = groups.into_values().filter(|group| group.len() > 1).collect();
        groups.sort_by_key(|group| std::cmp::Reverse(group.iter().map(|(_, count)| count).sum::<usize>()));
        for group in &mut groups {
            group.sort_by_key(|(level, count)| (std::cmp::Reverse(*count), *level));
        }
        let first = groups.first()?;
        let rarest = first.last()?.0;
        let rows = self.rows(|(level, ..)| *level == rarest);
        let shown: Vec<String> = groups
            .iter()
            .take(3)
            .map(|group| {
                let levels: Vec<String> = group
                    .iter()
                    .take(MAX_EVIDENCE)
                    .map(|(level, count)| format!("{} ({})", written(level), n_rows(*count)))
                    .collect();
                levels.join(" and ")
            })
            .collect();
        let more = if groups.len() > 3 { "; …" } else { "" };
        let message = format!(
            "`{}` has categories that differ only by case, spaces or separators: {}{more}; write each of them in one way, or \
             a model takes them for different ones",
            self.column.name,
            shown.join("; ")
        );
        Some(self.finding("variants", Level::Warn, message, &rows))
    }
}

/// A level between backticks; one with spaces at its ends or of nothing else also in quotes, so that they are seen.
fn written(level: &str) -> String {
    let text = short(level);
    if level.trim() == level && !level.is_empty() {
        format!("`{text}`")
    } else {
        format!("`\"{text}\"`")
    }
}

/// A text without case, spaces at its ends, a full stop at its end, and separators beside a letter.
///
/// `a+` and `a-`, `<50` and `>50`, `1-2` and `12` remain what they are.
fn plain(text: &str) -> String {
    let lower = text.trim().trim_end_matches(['.', ',', ';']).to_lowercase();
    let chars: Vec<char> = lower.chars().collect();
    let is_separator = |c: char| c.is_whitespace() || matches!(c, '_' | '-' | '\u{2010}'..='\u{2015}');
    let mut plain = String::with_capacity(lower.len());
    let mut at = 0;
    while at < chars.len() {
        let end = chars[at..]
            .iter()
            .position(|c| !is_separator(*c))
            .map_or(chars.len(), |n| at + n);
        if end == at {
            plain.push(chars[at]);
            at += 1;
            continue;
        }
        let (before, after) = (at.checked_sub(1).map(|i| chars[i]), chars.get(end));
        let joins = match (before, after) {
            (Some(a), Some(b)) => {
                a.is_alphanumeric() && b.is_alphanumeric() && (a.is_alphabetic() || b.is_alphabetic())
            }
            (None, _) | (_, None) => false,
        };
        if !joins {
            plain.extend(&chars[at..end]);
        }
        at = end;
    }
    plain
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::super::Role;
    use super::super::{QualitySettings, quality};
    use super::*;
    use crate::data::testing::{frame, texts};

    const TOLD: &[&str] = &["mixed-types", "missing-spelling", "variants"];

    fn told(values: &[&str]) -> String {
        let table = frame(vec![texts("x", values)]);
        let found = quality(&table, &[Role::Feature], &QualitySettings::default());
        let told = found
            .into_iter()
            .filter(|finding| TOLD.contains(&finding.code.as_str()));
        let told: Vec<String> = told
            .map(|finding| {
                format!(
                    "[{} {:?}] {} {:?}",
                    finding.code, finding.level, finding.message, finding.evidence
                )
            })
            .collect();
        told.join("\n")
    }

    #[test]
    fn numbers_but_for_a_few_cells() {
        let numbers: Vec<String> = (0..40).map(|i| format!("{}", 10 + i)).collect();
        let mut cells: Vec<&str> = numbers.iter().map(String::as_str).collect();
        cells[7] = "?";
        cells[9] = "?";
        insta::assert_snapshot!(told(&cells), @r#"[missing-spelling Warn] `x` is read as text only because of `?` (2 rows), which seems to stand for a missing value; leave these cells empty, and it is numbers ["data.csv:9: x = ?", "data.csv:11: x = ?"]"#);
        cells[9] = "12,5";
        cells[11] = "about 20";
        insta::assert_snapshot!(told(&cells), @r#"
        [mixed-types Warn] `x` is read as text, although 95 % of its values are numbers: 2 rows have no number; correct them, or every value is a category of its own ["data.csv:9: x = ?", "data.csv:13: x = about 20"]
        [missing-spelling Info] `x` has `?` (1 row), 2.5 % of its values, which is a value like any other to a model; if it stands for a missing one, leave the cells empty ["data.csv:9: x = ?"]
        "#);
        // Codes are texts by right.
        cells[5] = "007";
        assert_eq!(told(&cells).lines().filter(|line| line.contains("mixed")).count(), 0);
    }

    #[test]
    fn dates_but_for_one() {
        let mut cells = vec!["2024-01-05", "2024-01-06", "2024-01-07"];
        assert_eq!(told(&cells), "");
        cells.push("soon");
        insta::assert_snapshot!(told(&cells), @r#"[mixed-types Info] `x` is read as text, although 75 % of its values are dates: 1 row has no date; correct them, or every value is a category of its own ["data.csv:5: x = soon"]"#);
    }

    #[test]
    fn a_number_among_categories() {
        let mut cells = ["red", "green"].repeat(20);
        assert_eq!(told(&cells), "");
        cells[3] = "17";
        insta::assert_snapshot!(told(&cells), @r#"[mixed-types Info] `x` is texts, but 1 row (2.5 %) has a number; check whether columns slipped, or codes were not translated ["data.csv:5: x = 17"]"#);
    }

    #[test]
    fn several_spellings_of_nothing() {
        let mut cells = ["paris", "rome"].repeat(10);
        cells[2] = "Unknown";
        insta::assert_snapshot!(told(&cells), @r#"[missing-spelling Info] `x` has `Unknown` (1 row), 5 % of its values, which is a value like any other to a model; if it stands for a missing one, leave the cells empty ["data.csv:4: x = Unknown"]"#);
        cells[5] = " ";
        cells[6] = "";
        insta::assert_snapshot!(told(&cells), @r#"[missing-spelling Warn] `x` says that a value is missing in 3 ways: `Unknown` (1 row), `" "` (1 row), empty (1 row); a model takes each word for a value of its own, so leave all these cells empty ["data.csv:4: x = Unknown", "data.csv:7: x =  "]"#);
    }

    #[test]
    fn variants_of_one_category() {
        let mut cells = ["New York", "Boston"].repeat(10);
        cells[4] = "new york ";
        cells[6] = "New-York";
        insta::assert_snapshot!(told(&cells), @r#"[variants Warn] `x` has categories that differ only by case, spaces or separators: `New York` (8 rows) and `New-York` (1 row) and `"new york "` (1 row); write each of them in one way, or a model takes them for different ones ["data.csv:6: x = new york "]"#);
        for different in [
            ["A+", "A-"],
            ["<50K", ">50K"],
            ["1-2", "12"],
            ["C", "C#"],
            ["-1", "1"],
            ["a b", "ab c"],
        ] {
            assert_eq!(told(&different.repeat(10)), "", "{different:?}");
        }
        assert_ne!(told(&[">50K", ">50K."].repeat(10)), "");
    }

    proptest! {
        #[test]
        fn any_texts_are_told_without_a_panic(cells in prop::collection::vec("\\PC{0,6}|[-_ .aA1]{0,4}", 1..30)) {
            let cells: Vec<&str> = cells.iter().map(String::as_str).collect();
            told(&cells); // Only panics matter here.
        }

        #[test]
        fn case_and_spaces_do_not_matter(text in "[a-zA-Z]{1,8}( [a-zA-Z]{1,8})?") {
            prop_assert_eq!(plain(&format!(" {} ", text.to_uppercase())), plain(&text.to_lowercase().replace(' ', "_")));
        }
    }
}
