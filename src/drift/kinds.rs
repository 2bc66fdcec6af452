//! What kind a column is, and why one is not compared. Pure.

use std::borrow::Cow;

use crate::data::{ColumnType, number_label};

use super::pair::{Categories, Numbers, Pair};
use super::sketch::{ColumnSketch, Moments, NumberSketch, Seen, TextSketch};
use super::univariate::Kind;

/// Whole numbers with at most this many distinct values are categories.
const MAX_WHOLE_CATEGORIES: usize = 10;
/// Texts of which more than this share is distinct are free text and no categories.
const FREE_TEXT: f64 = 0.5;
/// Texts of which at least this share is distinct may be identifiers.
const IDENTIFIER: f64 = 0.95;
/// Fewer texts say nothing about that.
const IDENTIFIER_ROWS: u64 = 20;
/// With this many words on average a text that never comes twice is prose.
const WORDS_OF_PROSE: f64 = 3.0;

/// The kind that Evidently gives a column: by what pandas makes of the current side.
///
/// Numbers are numbers, but categories if written in whole numbers, without a missing value and with at most ten distinct
/// values; texts are categories, but free text if more than half of them are distinct; nothing at all is numbers.
/// Two repairs: booleans with a missing cell are categories (Evidently leaves such a column out), and a column of dates is
/// of dates, not of text, also if they are written as `31/12/2024`.
///
/// Source: `infer_column_type` of Evidently 0.7.23, as CSV files reach it through pandas 2.3.
pub fn evidently(current: &ColumnSketch) -> Kind {
    match &current.seen {
        Seen::Numbers(numbers) => {
            let is_whole = numbers.is_integer && current.n_missing == 0 && current.n_infinite == 0;
            if is_whole && numbers.values.len() <= MAX_WHOLE_CATEGORIES {
                Kind::Cat
            } else {
                Kind::Num
            }
        }
        Seen::Empty => Kind::Num,
        Seen::Booleans(_) => Kind::Cat,
        Seen::Texts(texts) if texts.n_distinct as f64 <= FREE_TEXT * n_texts(texts) as f64 => Kind::Cat,
        Seen::Texts(texts) if are_dates(texts) => Kind::Datetime,
        Seen::Texts(_) => Kind::Text,
        Seen::Times(_) => Kind::Datetime,
    }
}

/// The kind of the calibrated mode: that of the current side, as [`evidently`] has it, and of the reference where the
/// current side has no value, or too few to look like what they are.
pub fn calibrated(reference: &ColumnSketch, current: &ColumnSketch) -> Kind {
    let is_few = current.n_known() < IDENTIFIER_ROWS && reference.n_known() > current.n_known();
    match (&reference.seen, &current.seen) {
        (_, Seen::Empty) => evidently(reference),
        (Seen::Texts(_), Seen::Texts(_)) if is_few => evidently(reference),
        (Seen::Empty | Seen::Numbers(_) | Seen::Booleans(_) | Seen::Texts(_) | Seen::Times(_), _) => evidently(current),
    }
}

/// Why a column is not compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Skip {
    /// Only the current data has the column.
    MissingInReference,
    /// Only the reference has it.
    MissingInCurrent,
    /// No known value there.
    EmptyReference,
    EmptyCurrent,
    /// Numbers on one side, texts or dates on the other.
    TypeMismatch,
    Datetime,
    Identifier,
    Unknown,
}

impl Skip {
    /// As results write it behind `skipped: `.
    pub fn name(self) -> &'static str {
        match self {
            Self::MissingInReference => "missing_in_reference",
            Self::MissingInCurrent => "missing_in_current",
            Self::EmptyReference => "empty_reference",
            Self::EmptyCurrent => "empty_current",
            Self::TypeMismatch => "type_mismatch",
            Self::Datetime => "datetime",
            Self::Identifier => "identifier",
            Self::Unknown => "unknown",
        }
    }

    /// For people: a clause without a full stop.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::MissingInReference => "only the current data has this column",
            Self::MissingInCurrent => "the current data does not have this column",
            Self::EmptyReference => "the reference has no value in this column",
            Self::EmptyCurrent => "the current data has no value in this column",
            Self::TypeMismatch => "one side has numbers and the other has none",
            Self::Datetime => "dates always change, so that their distribution is not tested",
            Self::Identifier => "nearly every value is another one, as in an identifier",
            Self::Unknown => "no test fits what this column holds",
        }
    }
}

/// Why a column of this kind is not compared, if it is not; `None` where both sides can be held against each other.
pub fn skip(kind: Kind, reference: Option<&ColumnSketch>, current: Option<&ColumnSketch>) -> Option<Skip> {
    let (reference, current) = match (reference, current) {
        (None, _) => return Some(Skip::MissingInReference),
        (_, None) => return Some(Skip::MissingInCurrent),
        (Some(reference), Some(current)) => (reference, current),
    };
    if matches!(reference.seen, Seen::Empty) {
        return Some(Skip::EmptyReference);
    }
    if matches!(current.seen, Seen::Empty) {
        return Some(Skip::EmptyCurrent);
    }
    if is_mismatch(reference, current) {
        return Some(Skip::TypeMismatch);
    }
    match kind {
        Kind::Datetime => Some(Skip::Datetime),
        Kind::Unknown => Some(Skip::Unknown),
        Kind::Text if is_identifier(reference, current) => Some(Skip::Identifier),
        Kind::Num if !has_numbers(reference) => Some(Skip::Unknown),
        Kind::Text if !matches!(reference.seen, Seen::Texts(_)) => Some(Skip::Unknown),
        Kind::Num | Kind::Cat | Kind::Text => None,
    }
}

/// Whether the two sides hold things that can not be equal: numbers and texts, dates and texts. Booleans are the numbers
/// 0 and 1. A side without a value fits to everything.
pub fn is_mismatch(reference: &ColumnSketch, current: &ColumnSketch) -> bool {
    let sort = |column: &ColumnSketch| match column.seen {
        Seen::Empty => None,
        Seen::Numbers(_) | Seen::Booleans(_) => Some(0),
        Seen::Texts(_) => Some(1),
        Seen::Times(_) => Some(2),
    };
    matches!((sort(reference), sort(current)), (Some(a), Some(b)) if a != b)
}

/// Both sides of a column of this kind, as tests take them; `None` when the kind does not fit to what they hold, or a side
/// has no value.
///
/// Where categories are asked for and the sides have nothing that could be equal (see [`is_mismatch`]), those of the
/// reference come first, then those of the current side.
pub fn pair(kind: Kind, reference: &ColumnSketch, current: &ColumnSketch) -> Option<Pair> {
    match kind {
        Kind::Num => merged(reference, current).map(Pair::Numbers),
        Kind::Text => match (&reference.seen, &current.seen) {
            (Seen::Texts(a), Seen::Texts(b)) => Some(Pair::Categories(Categories::merge(a, b))),
            _ => None,
        },
        Kind::Cat => categories(reference, current).map(Pair::Categories),
        Kind::Datetime | Kind::Unknown => None,
    }
}

fn categories(reference: &ColumnSketch, current: &ColumnSketch) -> Option<Categories> {
    let labels = |kind: ColumnType| move |number: f64| number_label(kind, number);
    match (&reference.seen, &current.seen) {
        (Seen::Empty, _) | (_, Seen::Empty) => None,
        (Seen::Texts(a), Seen::Texts(b)) => Some(Categories::merge(a, b)),
        (Seen::Times(a), Seen::Times(b)) => Some(Numbers::merge(a, b).categories(labels(ColumnType::Timestamp))),
        (Seen::Booleans(_), Seen::Booleans(_)) => {
            merged(reference, current).map(|numbers| numbers.categories(labels(ColumnType::Boolean)))
        }
        _ if is_mismatch(reference, current) => {
            let (mut first, second) = (categories(reference, reference)?, categories(current, current)?);
            first.current = vec![0; first.reference.len()];
            first.reference.resize(first.reference.len() + second.labels.len(), 0);
            first.labels.extend(second.labels);
            first.current.extend(second.current);
            Some(first)
        }
        _ => merged(reference, current).map(|numbers| numbers.categories(labels(ColumnType::Float))),
    }
}

fn merged(reference: &ColumnSketch, current: &ColumnSketch) -> Option<Numbers> {
    let (reference, current) = (numbers_of(reference)?, numbers_of(current)?);
    Some(Numbers::merge(&reference, &current))
}

/// The numbers of a column; `false` and `true` are 0 and 1.
fn numbers_of(column: &ColumnSketch) -> Option<Cow<'_, NumberSketch>> {
    match &column.seen {
        Seen::Numbers(numbers) => Some(Cow::Borrowed(numbers)),
        Seen::Booleans(counts) => {
            let known = [0.0, 1.0].into_iter().zip(*counts).filter(|(_, count)| *count > 0);
            let (values, counts): (Vec<f64>, Vec<u64>) = known.unzip();
            Some(Cow::Owned(NumberSketch {
                moments: Moments::of_sorted(&values, &counts)?,
                values,
                counts,
                is_integer: false,
                rank_error: 0.0,
            }))
        }
        Seen::Empty | Seen::Texts(_) | Seen::Times(_) => None,
    }
}

/// Rows with a known value.
pub fn n_known(column: &ColumnSketch) -> u64 {
    match &column.seen {
        Seen::Empty => 0,
        Seen::Numbers(numbers) | Seen::Times(numbers) => numbers.moments.n,
        Seen::Booleans(counts) => counts.iter().sum(),
        Seen::Texts(texts) => n_texts(texts),
    }
}

fn has_numbers(column: &ColumnSketch) -> bool {
    matches!(column.seen, Seen::Numbers(_) | Seen::Booleans(_))
}

/// Whether a column of texts names its rows: on both sides at least 95 % are distinct, on one of them there are at least
/// 20, and they are no prose.
pub fn is_identifier(reference: &ColumnSketch, current: &ColumnSketch) -> bool {
    let (Seen::Texts(a), Seen::Texts(b)) = (&reference.seen, &current.seen) else {
        return false;
    };
    let is_distinct = |texts: &TextSketch| texts.n_distinct as f64 >= IDENTIFIER * n_texts(texts) as f64;
    let is_enough = n_texts(a).max(n_texts(b)) >= IDENTIFIER_ROWS;
    is_enough && is_distinct(a) && is_distinct(b) && !is_prose(a) && !is_prose(b)
}

/// Reviews never come twice either, but they have words to compare.
fn is_prose(texts: &TextSketch) -> bool {
    let words: usize = texts.levels.iter().map(|level| level.split_whitespace().count()).sum();
    words as f64 >= WORDS_OF_PROSE * texts.levels.len().max(1) as f64
}

/// Whether every text begins as a date does that is no ISO 8601: three numbers with `/`, `.` or `-` between them.
fn are_dates(texts: &TextSketch) -> bool {
    let begins_as_date = |text: &String| {
        let head = text.split([' ', 'T', ',']).next().unwrap_or_default();
        let parts: Vec<&str> = head.split(['/', '.', '-']).collect();
        let is_number = |part: &&str| matches!(part.len(), 1 | 2 | 4) && part.bytes().all(|byte| byte.is_ascii_digit());
        parts.len() == 3 && parts.iter().all(is_number)
    };
    !texts.levels.is_empty() && texts.levels.iter().all(begins_as_date)
}

fn n_texts(texts: &TextSketch) -> u64 {
    texts.counts.iter().sum::<u64>() + texts.n_other
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drift::golden;
    use crate::drift::sketch::{NumberSketch, Scratch};

    fn column(n_missing: u64, seen: Seen) -> ColumnSketch {
        ColumnSketch {
            name: "x".to_owned(),
            n_rows: 0,
            n_missing,
            n_infinite: 0,
            seen,
        }
    }

    fn numbers(values: &[f64], is_whole: bool) -> ColumnSketch {
        let counted = NumberSketch::of(values.iter().copied(), is_whole, &mut Scratch::default());
        column(counted.n_missing, counted.sketch.map_or(Seen::Empty, Seen::Numbers))
    }

    fn texts(levels: impl IntoIterator<Item = String>, count: u64) -> ColumnSketch {
        let mut levels: Vec<String> = levels.into_iter().collect();
        levels.sort();
        let n_distinct = levels.len() as u64;
        let counts = vec![count; levels.len()];
        column(
            0,
            Seen::Texts(TextSketch {
                levels,
                counts,
                n_other: 0,
                n_distinct,
            }),
        )
    }

    #[test]
    fn kinds_are_those_of_the_golden_values() {
        let mut n_seen = 0;
        for pair in golden::pairs() {
            for declared in &pair.columns {
                let find = |side: &[ColumnSketch]| side.iter().find(|column| column.name == declared.column).cloned();
                let (Some(inferred), Some(current)) = (declared.inferred, find(&pair.current)) else {
                    continue;
                };
                // The two repairs: what Evidently takes for text and for nothing.
                let expected = match current.seen {
                    Seen::Times(_) => Kind::Datetime,
                    Seen::Booleans(_) => Kind::Cat,
                    _ if declared.column == "date" => Kind::Datetime,
                    // Whole numbers beyond 2^53 are the reader's matter.
                    _ => inferred,
                };
                assert_eq!(evidently(&current), expected, "{} {}", pair.name, declared.column);
                if let Some(reference) = find(&pair.reference) {
                    let kind = calibrated(&reference, &current);
                    assert!(kind == expected || current.seen == Seen::Empty, "{}", declared.column);
                }
                n_seen += 1;
            }
        }
        assert!(n_seen > 150);
    }

    #[test]
    fn columns_are_skipped_as_the_golden_values_say() {
        let mut n_skipped = 0;
        for pair in golden::pairs() {
            for check in pair.checks.iter().filter(|check| check.is_default) {
                let find = |side: &'_ [ColumnSketch]| side.iter().find(|column| column.name == check.column).cloned();
                let (reference, current) = (find(&pair.reference), find(&pair.current));
                let kind = current.as_ref().map_or(Kind::Num, evidently);
                let found = skip(kind, reference.as_ref(), current.as_ref()).map(Skip::name);
                if let golden::Expected::Skipped(reason) = &check.expected {
                    // An identifier of five rows can not be told; no test of texts takes so few.
                    if check.column != "high_card_id" || pair.name != "edge-tiny" {
                        let reason = reason.split(' ').next();
                        assert_eq!(found, reason, "{} {}", pair.name, check.column);
                    }
                    n_skipped += 1;
                } else if check.column != "type_change" && check.column != "big_int" {
                    assert_eq!(found, None, "{} {}", pair.name, check.column);
                }
            }
        }
        assert!(n_skipped > 20);
    }

    #[test]
    fn whole_numbers_are_categories_only_if_pandas_keeps_them() {
        let ten: Vec<f64> = (0..10).map(f64::from).collect();
        let eleven: Vec<f64> = (0..11).map(f64::from).collect();
        assert_eq!(evidently(&numbers(&ten, true)), Kind::Cat);
        assert_eq!(evidently(&numbers(&eleven, true)), Kind::Num);
        assert_eq!(evidently(&numbers(&ten, false)), Kind::Num);
        assert_eq!(evidently(&numbers(&[1.0, f64::NAN, 2.0], true)), Kind::Num);
        assert_eq!(evidently(&column(3, Seen::Booleans([4, 0]))), Kind::Cat);
        let empty = column(5, Seen::Empty);
        assert_eq!(
            (evidently(&empty), calibrated(&numbers(&ten, true), &empty)),
            (Kind::Num, Kind::Cat)
        );
    }

    #[test]
    fn texts_are_free_identifiers_or_categories() {
        let kind = |column: &ColumnSketch| (evidently(column), is_identifier(column, column));
        assert_eq!(kind(&texts((0..8).map(|i| format!("v{i}")), 2)), (Kind::Cat, false));
        assert_eq!(kind(&texts((0..8).map(|i| format!("v{i}")), 1)), (Kind::Text, false));
        assert_eq!(kind(&texts((0..20).map(|i| format!("v{i}")), 1)), (Kind::Text, true));
        let prose = texts((0..20).map(|i| format!("review number {i} of a film")), 1);
        assert_eq!(kind(&prose), (Kind::Text, false));
        for (format, expected) in [
            ("{}/12/2024", Kind::Datetime),
            ("{}.12.2024 10:00", Kind::Datetime),
            ("1.{}.beta", Kind::Text),
        ] {
            let dates = texts((1..25).map(|day| format.replace("{}", &day.to_string())), 1);
            assert_eq!(evidently(&dates), expected, "{format}");
        }
        // A side where texts come twice is no identifier.
        let (once, thrice) = (
            texts((0..40).map(|i| format!("v{i}")), 1),
            texts((0..40).map(|i| format!("w{i}")), 3),
        );
        assert_eq!(skip(Kind::Text, Some(&once), Some(&once)), Some(Skip::Identifier));
        assert_eq!(skip(Kind::Text, Some(&thrice), Some(&once)), None);
    }

    #[test]
    fn sides_that_do_not_fit_are_told() {
        let (number, text) = (numbers(&[1.5, 2.5], false), texts(["a".to_owned()], 9));
        let boolean = column(0, Seen::Booleans([1, 1]));
        assert_eq!(skip(Kind::Cat, Some(&number), Some(&text)), Some(Skip::TypeMismatch));
        assert_eq!(skip(Kind::Num, Some(&text), Some(&number)), Some(Skip::TypeMismatch));
        assert_eq!(skip(Kind::Cat, Some(&number), Some(&boolean)), None);
        assert_eq!(skip(Kind::Num, Some(&text), Some(&text)), Some(Skip::Unknown));
        assert_eq!(skip(Kind::Text, Some(&number), Some(&number)), Some(Skip::Unknown));
        assert!(!is_mismatch(&column(2, Seen::Empty), &text));
        assert_eq!(skip(Kind::Cat, None, Some(&text)), Some(Skip::MissingInReference));
        assert_eq!(skip(Kind::Cat, Some(&text), None), Some(Skip::MissingInCurrent));
    }
}
