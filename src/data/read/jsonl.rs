//! JSON Lines: one flat object a line, read by `serde_json` straight into the columns. Pure, given the bytes.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{BufRead, BufReader, Read};

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::base::Diagnostic;
use crate::data::task::short;

use super::Failure;
use super::builder::{Care, Raw};
use super::csv::head;
use super::records::MAX_RECORD_BYTES;
use super::table::{At, Stop, Table};

/// Reads one file into the table.
pub fn read(table: &mut Table<'_>, mut source: impl Read) -> Result<(), Failure> {
    let head = head(table, &mut source)?;
    let mut source = BufReader::with_capacity(256 << 10, head.as_slice().chain(source));
    let mut keys = Keys::default();
    let mut line = Vec::new();
    let mut number = 0_u64;
    loop {
        line.clear();
        let limit = MAX_RECORD_BYTES as u64 + 1;
        let n = source
            .by_ref()
            .take(limit)
            .read_until(b'\n', &mut line)
            .map_err(Failure::Io)?;
        if n == 0 {
            break;
        }
        number += 1;
        if n as u64 == limit {
            let problem = Diagnostic::error(
                "long-row",
                format!("this line is longer than {} MiB", MAX_RECORD_BYTES >> 20),
            );
            return Err(table.stop(problem, &At::line(number)).into());
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let row = table.n_rows;
        let mut object = Object {
            table,
            keys: &mut keys,
            text: &line,
            number,
            stop: None,
        };
        let mut deserializer = serde_json::Deserializer::from_slice(&line);
        let parsed = (&mut object)
            .deserialize(&mut deserializer)
            .and_then(|()| deserializer.end());
        if object.stop.is_some() {
            return Err(Stop.into());
        }
        if let Err(error) = parsed {
            report(table, &error, &line, number);
            // What the broken line already gave is kept as a row, so that every column stays in step.
        }
        for builder in &mut table.builders {
            if builder.len() == row {
                builder.push(Raw::Missing);
            }
        }
        table.end_row(number)?;
    }
    let names: Vec<String> = keys.all.into_iter().map(|key| key.name).collect();
    if table.file_rows() > 0 && !table.problems.has_errors() {
        table.agree(&names)?;
    }
    Ok(())
}

/// The keys of a file in order of first appearance, and where each is.
#[derive(Default)]
struct Keys {
    all: Vec<Key>,
    index: BTreeMap<String, usize>,
}

/// A key of this file and the column it fills in this pass.
struct Key {
    name: String,
    builder: Option<usize>,
    /// The row that had it last, plus one; to notice a key that occurs twice.
    seen: usize,
}

fn report(table: &mut Table<'_>, error: &serde_json::Error, line: &[u8], number: u64) {
    let mut message = error.to_string();
    if let Some(end) = message.rfind(" at line ") {
        message.truncate(end);
    }
    let text = String::from_utf8_lossy(line);
    let column = u32::try_from(error.column().max(1)).unwrap_or(u32::MAX);
    let at = At {
        line: number,
        column,
        end_column: column,
        snippet: Some(text.chars().take(160).collect()),
    };
    let problem = Diagnostic::error("not-json", format!("this line is not a JSON object: {message}"))
        .help("write one object a line, such as `{\"age\": 59, \"sex\": \"f\"}`");
    table.report(problem, &at);
}

/// One line as it is read.
struct Object<'a, 's> {
    table: &'a mut Table<'s>,
    keys: &'a mut Keys,
    text: &'a [u8],
    number: u64,
    stop: Option<Stop>,
}

impl Object<'_, '_> {
    /// The place of a key in the line, found by its text.
    fn at(&self, key: &str) -> At {
        let text = String::from_utf8_lossy(self.text);
        let quoted = format!("\"{key}\"");
        let found = text.find(&quoted).map_or(0, |at| text[..at].chars().count());
        let column = u32::try_from(found + 1).unwrap_or(u32::MAX);
        let width = u32::try_from(quoted.chars().count()).unwrap_or(0);
        At {
            line: self.number,
            column,
            end_column: column.saturating_add(width),
            snippet: Some(text.chars().take(160).collect()),
        }
    }

    fn key(&mut self, name: &str, guess: usize) -> Result<usize, Stop> {
        if self.keys.all.get(guess).is_some_and(|key| key.name == name) {
            return Ok(guess);
        }
        if let Some(index) = self.keys.index.get(name) {
            return Ok(*index);
        }
        let (at, table) = (self.at(name), &mut *self.table);
        let refused = if name.trim().is_empty() {
            Some(Diagnostic::error("unnamed-column", "a key is empty").help("name every value"))
        } else if name.contains('\0') || name.len() > 1024 {
            Some(Diagnostic::error(
                "long-name",
                "a key is longer than 1024 bytes or contains a NUL character",
            ))
        } else if self.keys.all.len() >= super::MAX_COLUMNS {
            let message = format!("there are more than {} keys", super::MAX_COLUMNS);
            Some(Diagnostic::error("too-many-columns", message).help("leave out columns"))
        } else {
            None
        };
        if let Some(problem) = refused {
            return Err(table.stop(problem, &at));
        }
        let builder = table.builder(name)?;
        self.keys.index.insert(name.to_owned(), self.keys.all.len());
        self.keys.all.push(Key {
            name: name.to_owned(),
            builder,
            seen: 0,
        });
        Ok(self.keys.all.len() - 1)
    }
}

impl<'de> DeserializeSeed<'de> for &mut Object<'_, '_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for &mut Object<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut guess = 0;
        while let Some(found) = map.next_key_seed(KeySeed { object: self, guess })? {
            let index = match found {
                Ok(index) => index,
                Err(stop) => {
                    self.stop = Some(stop);
                    return Err(A::Error::custom("stopped"));
                }
            };
            guess = index + 1;
            let row = self.table.n_rows + 1;
            if std::mem::replace(&mut self.keys.all[index].seen, row) == row {
                let name = self.keys.all[index].name.clone();
                let at = self.at(&name);
                let problem = Diagnostic::error("duplicate-key", format!("the key `{}` occurs twice", short(&name)));
                self.table.report(problem.help("keep one of them"), &at);
                map.next_value::<IgnoredAny>()?;
            } else {
                map.next_value_seed(ValueSeed {
                    object: self,
                    key: index,
                })?;
            }
        }
        Ok(())
    }
}

struct KeySeed<'k, 'a, 's> {
    object: &'k mut Object<'a, 's>,
    guess: usize,
}

impl<'de> DeserializeSeed<'de> for KeySeed<'_, '_, '_> {
    type Value = Result<usize, Stop>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for KeySeed<'_, '_, '_> {
    type Value = Result<usize, Stop>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.object.key(name, self.guess))
    }
}

struct ValueSeed<'k, 'a, 's> {
    object: &'k mut Object<'a, 's>,
    key: usize,
}

impl ValueSeed<'_, '_, '_> {
    fn push(self, raw: Raw<'_>) {
        let Object {
            table,
            keys,
            text,
            number,
            ..
        } = self.object;
        let key = &keys.all[self.key];
        if let Some(builder) = key.builder {
            let pushed = table.builders[builder].push(raw);
            if pushed != super::builder::Pushed::Kept {
                let place = Object {
                    table,
                    keys: &mut Keys::default(),
                    text,
                    number: *number,
                    stop: None,
                }
                .at(&key.name);
                table.odd(builder, raw, pushed, &place);
            }
        }
    }

    fn nested(self, what: &str) {
        let name = self.object.keys.all[self.key].name.clone();
        let at = self.object.at(&name);
        let message = format!("`{}` is {what}, not a single value", short(&name));
        let help = "write one number, text, boolean or null for every key";
        if self.object.table.care == Care::Lenient {
            let warning = Diagnostic::warning("nested-value", format!("{message}, and counts as missing"));
            self.object.table.warn(warning.help(help), &name, &at);
        } else {
            let problem = Diagnostic::error("nested-value", message);
            self.object.table.report(problem.help(help), &at);
        }
    }
}

impl<'de> DeserializeSeed<'de> for ValueSeed<'_, '_, '_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ValueSeed<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a single value")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.push(Raw::Boolean(value));
        Ok(())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.push(Raw::Integer(value.into()));
        Ok(())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.push(Raw::Integer(value.into()));
        Ok(())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.push(Raw::Decimal(value));
        Ok(())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        self.push(Raw::Text(value));
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.push(Raw::Missing);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<(), A::Error> {
        self.nested("a list");
        while sequence.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        self.nested("an object");
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(())
    }
}
