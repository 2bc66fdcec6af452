//! One column while it is read: its type is found on the way, or is the one that the contract declares. Pure.

#[cfg(test)]
mod tests;

use indexmap::IndexSet;

use crate::data::value::{self, Form, MAX_EXACT};
use crate::data::{Column, ColumnType, MISSING, Values};

/// One value as a file gives it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Raw<'a> {
    Missing,
    /// Text whose type is not said, as in CSV.
    Untyped(&'a str),
    Integer(i128),
    Decimal(f64),
    Boolean(bool),
    Text(&'a str),
    /// Seconds of Unix time.
    Time(f64),
}

impl Raw<'_> {
    pub fn article(&self) -> &'static str {
        match self {
            Self::Missing => "nothing",
            Self::Untyped(_) | Self::Text(_) => "a text",
            Self::Integer(_) | Self::Decimal(_) => "a number",
            Self::Boolean(_) => "a boolean",
            Self::Time(_) => "a timestamp",
        }
    }

    fn shown(&self) -> String {
        match self {
            Self::Missing => String::new(),
            Self::Untyped(text) | Self::Text(text) => (*text).to_owned(),
            Self::Integer(value) => value.to_string(),
            Self::Decimal(value) => value.to_string(),
            Self::Boolean(value) => value.to_string(),
            Self::Time(value) => crate::data::frame::number_label(ColumnType::Timestamp, *value),
        }
    }
}

/// What the reader must know about a value that was pushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushed {
    Kept,
    /// It does not read as the declared type; missing was stored.
    Bad,
    /// The first of its sort in this column: note its place, [`Builder::finish`] may want it.
    Note(Note),
    /// A typed file says another type than earlier rows did.
    Conflict(&'static str),
}

/// What a column may turn out to be unusable for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Note {
    Infinite,
    Comma,
    Huge,
    /// A typed file says several types. Only where that is no refusal.
    Mixed,
}

/// How much of a column's rules is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Care {
    /// For training: what would be lost or guessed is refused.
    Strict,
    /// For comparing data as it is: an infinite number is missing and counted, and a column of which nothing else can be
    /// made is text.
    Lenient,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Missing values only.
    Unknown,
    Number,
    Boolean,
    Time,
    /// Numbers, some with a decimal comma: an error at the end, unless a text shows that it is text.
    Comma,
    Text,
    /// Text found after other values, whose writing was not kept: read once more.
    Again,
}

/// How a column turned out.
#[derive(Debug)]
pub enum Finished {
    Column(Column),
    /// Read it once more, as text; because of the noted value where that is worth a warning.
    Again(Option<Note>),
    /// It can not be used because of the noted value.
    Unusable(Note),
}

#[derive(Debug)]
pub struct Builder {
    pub name: String,
    /// Fixed by the contract, or text when a column is read once more.
    fixed: Option<ColumnType>,
    state: State,
    numbers: Vec<f64>,
    codes: Vec<u32>,
    levels: IndexSet<Box<str>>,
    /// What the levels take, roughly.
    pub level_bytes: usize,
    has_decimal: bool,
    has_large: bool,
    has_fraction: bool,
    noted: [bool; 4],
    care: Care,
    pub n_missing: usize,
    /// Numbers that were infinite and are missing now, where that is no refusal.
    pub n_infinite: usize,
    n: usize,
    /// Rows of `n` that were taken away by [`Self::take`].
    taken: usize,
}

impl Builder {
    /// A column that begins with `n_missing` missing values, of which the first `taken` were taken away before.
    pub fn new(name: &str, fixed: Option<ColumnType>, care: Care, n_missing: usize, taken: usize) -> Self {
        let state = match fixed {
            None => State::Unknown,
            Some(ColumnType::Text) => State::Text,
            Some(ColumnType::Boolean) => State::Boolean,
            Some(ColumnType::Timestamp) => State::Time,
            Some(ColumnType::Float | ColumnType::Integer) => State::Number,
        };
        let mut new = Self {
            name: name.to_owned(),
            fixed,
            state,
            numbers: Vec::new(),
            codes: Vec::new(),
            levels: IndexSet::new(),
            level_bytes: 0,
            has_decimal: false,
            has_large: false,
            has_fraction: false,
            noted: [false; 4],
            care,
            n_missing,
            n_infinite: 0,
            n: n_missing,
            taken,
        };
        let n_present = n_missing.saturating_sub(taken);
        if state == State::Text {
            new.codes = vec![MISSING; n_present];
        } else {
            new.numbers = vec![f64::NAN; n_present];
        }
        new
    }

    pub fn len(&self) -> usize {
        self.n
    }

    pub fn reserve(&mut self, more: usize) {
        match self.state {
            State::Text => self.codes.reserve_exact(more),
            State::Unknown | State::Number | State::Boolean | State::Time => self.numbers.reserve_exact(more),
            State::Comma | State::Again => {}
        }
    }

    #[inline]
    pub fn push(&mut self, raw: Raw<'_>) -> Pushed {
        // The hot path: a number in a column of numbers.
        if self.state == State::Number
            && self.fixed.is_none()
            && let Raw::Untyped(text) = raw
            && let Some((number, form)) = value::number(text)
            && matches!(form, Form::Integer | Form::Decimal)
        {
            self.has_decimal |= form == Form::Decimal;
            self.numbers.push(number);
            self.n += 1;
            return Pushed::Kept;
        }
        self.push_any(raw)
    }

    fn push_any(&mut self, raw: Raw<'_>) -> Pushed {
        self.n += 1;
        let raw = match raw {
            Raw::Untyped(text) if value::is_missing(text) => Raw::Missing,
            Raw::Decimal(number) if number.is_nan() => Raw::Missing,
            other => other,
        };
        if raw == Raw::Missing {
            self.missing();
            return Pushed::Kept;
        }
        match self.fixed {
            Some(ColumnType::Text) => {
                self.text(raw);
                Pushed::Kept
            }
            Some(kind) => {
                let Some(number) = convert(raw, kind) else {
                    if self.care == Care::Lenient && is_infinite(raw, kind) {
                        self.n_infinite += 1;
                        return self.keep(f64::NAN);
                    }
                    self.missing();
                    return Pushed::Bad;
                };
                self.keep(number)
            }
            None => match self.infer(raw) {
                Pushed::Conflict(_) if self.care == Care::Lenient => self.mix(raw),
                pushed => pushed,
            },
        }
    }

    fn missing(&mut self) {
        self.n_missing += 1;
        match self.state {
            State::Text => self.codes.push(MISSING),
            State::Unknown | State::Number | State::Boolean | State::Time => self.numbers.push(f64::NAN),
            State::Comma | State::Again => {}
        }
    }

    fn text(&mut self, raw: Raw<'_>) {
        match raw {
            Raw::Untyped(text) | Raw::Text(text) => self.level(text),
            Raw::Missing | Raw::Integer(_) | Raw::Decimal(_) | Raw::Boolean(_) | Raw::Time(_) => {
                self.level(&raw.shown());
            }
        }
    }

    fn level(&mut self, text: &str) {
        let code = self.levels.get_index_of(text).unwrap_or_else(|| {
            self.level_bytes += text.len() + 64;
            self.levels.insert_full(text.into()).0
        });
        self.codes.push(u32::try_from(code).unwrap_or(MISSING));
    }

    /// Stores a value by what it looks like, and what the column was so far.
    fn infer(&mut self, raw: Raw<'_>) -> Pushed {
        match raw {
            Raw::Missing => Pushed::Kept,
            Raw::Untyped(text) => self.infer_untyped(text),
            Raw::Integer(whole) => {
                let number = whole as f64;
                let form = if number.abs() > MAX_EXACT {
                    Form::Large
                } else {
                    Form::Integer
                };
                self.typed(State::Number, |column| column.number(number, form))
            }
            Raw::Decimal(number) => {
                let form = if number.is_infinite() {
                    Form::Infinite
                } else {
                    Form::Decimal
                };
                let pushed = self.typed(State::Number, |column| column.number(number + 0.0, form));
                // Digits beyond 64 bits come rounded: harmless among decimals, a lost identifier among integers.
                let is_long = number.abs() >= 1.8e19 && number.fract() == 0.0;
                if is_long && !matches!(pushed, Pushed::Conflict(_)) {
                    self.note(Note::Huge, pushed)
                } else {
                    pushed
                }
            }
            Raw::Boolean(value) => self.typed(State::Boolean, |column| column.keep(f64::from(value))),
            Raw::Time(seconds) => self.typed(State::Time, |column| column.keep(seconds)),
            Raw::Text(text) => match self.state {
                State::Number => Pushed::Conflict("a number"),
                State::Boolean => Pushed::Conflict("a boolean"),
                State::Unknown | State::Time => match value::timestamp(text) {
                    Some(seconds) => {
                        self.state = State::Time;
                        self.keep(seconds)
                    }
                    None => self.demote(text),
                },
                State::Text | State::Comma | State::Again => self.demote(text),
            },
        }
    }

    /// A value of another type than those before it: the column is text.
    fn mix(&mut self, raw: Raw<'_>) -> Pushed {
        if self.state == State::Text {
            self.text(raw);
        } else {
            self.state = State::Again;
            self.numbers = Vec::new();
        }
        self.note(Note::Mixed, Pushed::Kept)
    }

    /// A value of a file that says types: the column must have no other.
    fn typed(&mut self, state: State, keep: impl FnOnce(&mut Self) -> Pushed) -> Pushed {
        let before = match self.state {
            State::Unknown => {
                self.state = state;
                None
            }
            same if same == state => None,
            State::Number | State::Comma => Some("a number"),
            State::Boolean => Some("a boolean"),
            State::Time => Some("a timestamp"),
            State::Text | State::Again => Some("a text"),
        };
        before.map_or_else(|| keep(self), Pushed::Conflict)
    }

    fn infer_untyped(&mut self, text: &str) -> Pushed {
        match self.state {
            State::Text => {
                self.level(text);
                Pushed::Kept
            }
            State::Again => Pushed::Kept,
            State::Unknown => {
                if let Some((number, form)) = value::number(text) {
                    if form != Form::Code {
                        self.state = State::Number;
                        return self.number(number, form);
                    }
                } else if let Some(boolean) = value::boolean(text) {
                    self.state = State::Boolean;
                    return self.keep(f64::from(boolean));
                } else if let Some(seconds) = value::timestamp(text) {
                    self.state = State::Time;
                    return self.keep(seconds);
                } else if value::is_comma_number(text) {
                    self.state = State::Comma;
                    return self.note(Note::Comma, Pushed::Kept);
                }
                self.demote(text)
            }
            State::Number | State::Comma => match value::number(text) {
                Some((number, form)) if form != Form::Code => self.number(number, form),
                None if value::is_comma_number(text) => {
                    self.state = State::Comma;
                    self.numbers = Vec::new();
                    self.note(Note::Comma, Pushed::Kept)
                }
                Some(_) | None => self.demote(text),
            },
            State::Boolean => match value::boolean(text) {
                Some(boolean) => self.keep(f64::from(boolean)),
                None => self.demote(text),
            },
            State::Time => match value::timestamp(text) {
                Some(seconds) => self.keep(seconds),
                None => self.demote(text),
            },
        }
    }

    fn keep(&mut self, number: f64) -> Pushed {
        self.numbers.push(number);
        Pushed::Kept
    }

    fn number(&mut self, number: f64, form: Form) -> Pushed {
        if self.state == State::Number {
            self.numbers
                .push(if form == Form::Infinite { f64::NAN } else { number });
        }
        match form {
            Form::Integer | Form::Code => Pushed::Kept,
            Form::Large => {
                self.has_large = true;
                Pushed::Kept
            }
            Form::Decimal => {
                self.has_decimal = true;
                Pushed::Kept
            }
            Form::Infinite if self.care == Care::Lenient => {
                self.n_infinite += 1;
                Pushed::Kept
            }
            Form::Infinite => self.note(Note::Infinite, Pushed::Kept),
        }
    }

    /// Text where there was none: what came before is read again, unless it was missing.
    fn demote(&mut self, text: &str) -> Pushed {
        match self.state {
            State::Text => self.level(text),
            State::Unknown => {
                self.state = State::Text;
                self.numbers = Vec::new();
                self.codes = vec![MISSING; self.n - self.taken - 1];
                self.level(text);
            }
            State::Number | State::Boolean | State::Time | State::Comma | State::Again => {
                self.state = State::Again;
                self.numbers = Vec::new();
            }
        }
        Pushed::Kept
    }

    fn note(&mut self, note: Note, otherwise: Pushed) -> Pushed {
        if std::mem::replace(&mut self.noted[note as usize], true) {
            otherwise
        } else {
            Pushed::Note(note)
        }
    }

    /// Whether what is known so far already says that the column must be read once more, as text.
    pub fn is_lost(&self) -> bool {
        matches!(self.state, State::Comma | State::Again)
    }

    /// As [`Self::is_lost`], once every row was pushed.
    pub fn is_lost_at_the_end(&self) -> bool {
        let is_code = self.state == State::Number && self.fixed.is_none() && self.has_large && !self.has_decimal;
        self.is_lost() || is_code
    }

    /// Takes the rows since the last time away as a column; its type is what is known so far. The column itself goes on.
    ///
    /// Texts come with levels of their own each time, so that nothing grows with the file.
    pub fn take(&mut self) -> Column {
        self.has_fraction = self.has_decimal && self.has_fraction();
        let n = self.n - std::mem::replace(&mut self.taken, self.n);
        let numeric = |kind, numbers| (kind, Values::Numbers(numbers));
        let numbers = std::mem::take(&mut self.numbers);
        let (kind, values) = match self.state {
            State::Text => {
                self.level_bytes = 0;
                let codes = std::mem::take(&mut self.codes);
                let levels = std::mem::take(&mut self.levels).into_iter().map(String::from).collect();
                (ColumnType::Text, Values::Texts { codes, levels })
            }
            State::Boolean => numeric(ColumnType::Boolean, numbers),
            State::Time => numeric(ColumnType::Timestamp, numbers),
            State::Number => {
                let found = if self.has_decimal {
                    ColumnType::Float
                } else {
                    ColumnType::Integer
                };
                numeric(self.fixed.unwrap_or(found), numbers)
            }
            State::Unknown => numeric(ColumnType::Float, numbers),
            State::Comma | State::Again => numeric(ColumnType::Float, vec![f64::NAN; n]),
        };
        Column {
            name: self.name.clone(),
            kind,
            values,
        }
    }

    /// Whether the first of a sort was met that is worth a word, although the column can be used.
    pub fn remark(&self) -> Option<Note> {
        if self.care == Care::Strict {
            return None;
        }
        if self.state == State::Text && self.noted[Note::Mixed as usize] {
            return Some(Note::Mixed);
        }
        let is_huge = self.state == State::Number && self.fixed.is_none() && self.noted[Note::Huge as usize];
        (is_huge && !self.has_fraction()).then_some(Note::Huge)
    }

    /// The column, once every row was pushed.
    pub fn finish(self) -> Finished {
        let numeric = |kind, numbers| {
            Finished::Column(Column {
                name: self.name.clone(),
                kind,
                values: Values::Numbers(numbers),
            })
        };
        match self.state {
            State::Again => Finished::Again(self.noted[Note::Mixed as usize].then_some(Note::Mixed)),
            State::Comma if self.care == Care::Lenient => Finished::Again(Some(Note::Comma)),
            State::Comma => Finished::Unusable(Note::Comma),
            State::Text => Finished::Column(Column {
                name: self.name,
                kind: ColumnType::Text,
                values: Values::Texts {
                    codes: self.codes,
                    levels: self.levels.into_iter().map(String::from).collect(),
                },
            }),
            State::Boolean => numeric(ColumnType::Boolean, self.numbers),
            State::Time => numeric(ColumnType::Timestamp, self.numbers),
            State::Unknown => numeric(ColumnType::Float, self.numbers),
            State::Number => match self.fixed {
                Some(kind) => numeric(kind, self.numbers),
                None if self.noted[Note::Infinite as usize] => Finished::Unusable(Note::Infinite),
                None if self.is_lost_at_the_end() => Finished::Again(None),
                None if self.care == Care::Strict && self.noted[Note::Huge as usize] && !self.has_fraction() => {
                    Finished::Unusable(Note::Huge)
                }
                None if self.has_decimal => numeric(ColumnType::Float, self.numbers),
                None => numeric(ColumnType::Integer, self.numbers),
            },
        }
    }

    fn has_fraction(&self) -> bool {
        let is_fraction = |number: &f64| !number.is_nan() && number.fract() != 0.0;
        self.has_fraction || self.numbers.iter().any(is_fraction)
    }
}

/// Whether a value is a number of the declared type, but for being infinite.
fn is_infinite(raw: Raw<'_>, kind: ColumnType) -> bool {
    matches!(kind, ColumnType::Float | ColumnType::Integer)
        && match raw {
            Raw::Untyped(text) | Raw::Text(text) => value::number(text).is_some_and(|(_, form)| form == Form::Infinite),
            Raw::Decimal(number) => number.is_infinite(),
            Raw::Missing | Raw::Integer(_) | Raw::Boolean(_) | Raw::Time(_) => false,
        }
}

/// A value as a number of the declared type; `None` when it is none.
fn convert(raw: Raw<'_>, kind: ColumnType) -> Option<f64> {
    let number = match raw {
        Raw::Missing => return None,
        Raw::Untyped(text) | Raw::Text(text) => match kind {
            ColumnType::Boolean => {
                return value::boolean(text)
                    .or(match text {
                        "1" => Some(true),
                        "0" => Some(false),
                        _ => None,
                    })
                    .map(f64::from);
            }
            ColumnType::Timestamp => return value::timestamp(text),
            ColumnType::Float | ColumnType::Integer | ColumnType::Text => value::number(text)?.0,
        },
        Raw::Boolean(value) => f64::from(value),
        Raw::Integer(whole) => whole as f64,
        Raw::Decimal(number) => number,
        Raw::Time(seconds) => return (kind == ColumnType::Timestamp).then_some(seconds),
    };
    let fits = number.is_finite()
        && match kind {
            ColumnType::Float => !matches!(raw, Raw::Boolean(_)),
            ColumnType::Integer => {
                !matches!(raw, Raw::Boolean(_)) && number.fract() == 0.0 && number.abs() <= MAX_EXACT
            }
            ColumnType::Boolean => ordered_bit(number),
            ColumnType::Timestamp | ColumnType::Text => false,
        };
    fits.then_some(number)
}

fn ordered_bit(number: f64) -> bool {
    number.to_bits() == 0 || number.to_bits() == 1.0_f64.to_bits()
}
