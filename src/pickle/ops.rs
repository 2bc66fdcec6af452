//! The opcodes of protocols 0 to 5, one after the other. Pure.
//!
//! Source: `pickletools.py` and `_pickle.c` of `CPython` 3.14.

use std::borrow::Cow;

/// One opcode with its argument.
#[derive(Debug, Clone, PartialEq)]
pub enum Op<'a> {
    Mark,
    Stop,
    Pop,
    PopMark,
    Dup,
    None,
    Bool(bool),
    Int(i64),
    /// More than 64 bits, or what does not read as a number.
    LargeInt,
    Float(f64),
    Text(Cow<'a, str>),
    Bytes(&'a [u8]),
    EmptyList,
    EmptyTuple,
    EmptyDict,
    EmptySet,
    List,
    Tuple,
    Dict,
    FrozenSet,
    /// Of the topmost one, two or three.
    TupleOf(usize),
    Append,
    Appends,
    SetItem,
    SetItems,
    AddItems,
    Global(Name<'a>),
    StackGlobal,
    Inst(Name<'a>),
    Obj,
    Reduce,
    NewObj,
    NewObjEx,
    Build,
    Extension(u32),
    PersistentId,
    PersistentIdOnStack,
    Get(u64),
    Put(u64),
    Memoize,
    Protocol(u8),
    Frame,
    NextBuffer,
    ReadonlyBuffer,
}

/// The two lines behind `GLOBAL` and `INST`.
#[derive(Debug, Clone, PartialEq)]
pub struct Name<'a> {
    pub module: Cow<'a, str>,
    pub name: Cow<'a, str>,
}

/// Why no opcode can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpError {
    Unknown(u8),
    Truncated,
}

/// Reads opcodes from `at` on; where it stands is the next one's place.
#[derive(Debug, Clone)]
pub struct Ops<'a> {
    bytes: &'a [u8],
    pub at: usize,
}

impl<'a> Ops<'a> {
    pub fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    /// The next `n` bytes as they are.
    pub fn take(&mut self, n: usize) -> Result<&'a [u8], OpError> {
        let end = self.at.checked_add(n).ok_or(OpError::Truncated)?;
        let taken = self.bytes.get(self.at..end).ok_or(OpError::Truncated)?;
        self.at = end;
        Ok(taken)
    }

    pub fn next_op(&mut self) -> Result<Op<'a>, OpError> {
        let code = self.u8()?;
        Ok(match code {
            b'(' => Op::Mark,
            b'.' => Op::Stop,
            b'0' => Op::Pop,
            b'1' => Op::PopMark,
            b'2' => Op::Dup,
            b'N' => Op::None,
            0x88 => Op::Bool(true),
            0x89 => Op::Bool(false),
            b'I' => match self.line()? {
                b"00" => Op::Bool(false),
                b"01" => Op::Bool(true),
                line => integer(line),
            },
            b'L' => {
                let line = self.line()?;
                integer(line.strip_suffix(b"L").unwrap_or(line))
            }
            b'J' => Op::Int(i64::from(i32::from_le_bytes(self.array()?))),
            b'K' => Op::Int(i64::from(self.u8()?)),
            b'M' => Op::Int(i64::from(u16::from_le_bytes(self.array()?))),
            0x8a => {
                let n = usize::from(self.u8()?);
                long(self.take(n)?)
            }
            0x8b => {
                // A negative length is an error to Python too.
                let n = usize::try_from(i32::from_le_bytes(self.array()?)).map_err(|_| OpError::Truncated)?;
                long(self.take(n)?)
            }
            b'F' => Op::Float(float(self.line()?)),
            b'G' => Op::Float(f64::from_be_bytes(self.array()?)),
            b'S' => quoted(self.line()?),
            b'V' => Op::Text(Cow::Owned(raw_unicode(self.line()?))),
            b'T' => {
                let n = usize::try_from(i32::from_le_bytes(self.array()?)).map_err(|_| OpError::Truncated)?;
                text(self.take(n)?)
            }
            b'U' | 0x8c => {
                let n = usize::from(self.u8()?);
                text(self.take(n)?)
            }
            b'X' => {
                let n = self.length4()?;
                text(self.take(n)?)
            }
            0x8d => {
                let n = self.length8()?;
                text(self.take(n)?)
            }
            b'C' => {
                let n = usize::from(self.u8()?);
                Op::Bytes(self.take(n)?)
            }
            b'B' => {
                let n = self.length4()?;
                Op::Bytes(self.take(n)?)
            }
            0x8e | 0x96 => {
                let n = self.length8()?;
                Op::Bytes(self.take(n)?)
            }
            b']' => Op::EmptyList,
            b')' => Op::EmptyTuple,
            b'}' => Op::EmptyDict,
            0x8f => Op::EmptySet,
            b'l' => Op::List,
            b't' => Op::Tuple,
            b'd' => Op::Dict,
            0x91 => Op::FrozenSet,
            0x85 => Op::TupleOf(1),
            0x86 => Op::TupleOf(2),
            0x87 => Op::TupleOf(3),
            b'a' => Op::Append,
            b'e' => Op::Appends,
            b's' => Op::SetItem,
            b'u' => Op::SetItems,
            0x90 => Op::AddItems,
            b'c' => Op::Global(self.name()?),
            b'i' => Op::Inst(self.name()?),
            0x93 => Op::StackGlobal,
            b'o' => Op::Obj,
            b'R' => Op::Reduce,
            0x81 => Op::NewObj,
            0x92 => Op::NewObjEx,
            b'b' => Op::Build,
            0x82 => Op::Extension(u32::from(self.u8()?)),
            0x83 => Op::Extension(u32::from(u16::from_le_bytes(self.array()?))),
            0x84 => Op::Extension(u32::from_le_bytes(self.array()?)),
            b'P' => {
                self.line()?;
                Op::PersistentId
            }
            b'Q' => Op::PersistentIdOnStack,
            b'g' => Op::Get(index(self.line()?)?),
            b'h' => Op::Get(u64::from(self.u8()?)),
            b'j' => Op::Get(u64::from(u32::from_le_bytes(self.array()?))),
            b'p' => Op::Put(index(self.line()?)?),
            b'q' => Op::Put(u64::from(self.u8()?)),
            b'r' => Op::Put(u64::from(u32::from_le_bytes(self.array()?))),
            0x94 => Op::Memoize,
            0x80 => Op::Protocol(self.u8()?),
            // What a frame holds is read as it stands: opcodes may not span its end, and where they do, Python fails.
            0x95 => {
                self.take(8)?;
                Op::Frame
            }
            0x97 => Op::NextBuffer,
            0x98 => Op::ReadonlyBuffer,
            other => return Err(OpError::Unknown(other)),
        })
    }

    fn u8(&mut self) -> Result<u8, OpError> {
        Ok(self.take(1)?[0])
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], OpError> {
        self.take(N)?.try_into().map_err(|_| OpError::Truncated)
    }

    fn length4(&mut self) -> Result<usize, OpError> {
        usize::try_from(u32::from_le_bytes(self.array()?)).map_err(|_| OpError::Truncated)
    }

    fn length8(&mut self) -> Result<usize, OpError> {
        usize::try_from(u64::from_le_bytes(self.array()?)).map_err(|_| OpError::Truncated)
    }

    /// Up to the next line feed, which is left out.
    fn line(&mut self) -> Result<&'a [u8], OpError> {
        let rest = self.bytes.get(self.at..).ok_or(OpError::Truncated)?;
        let end = rest.iter().position(|byte| *byte == b'\n').ok_or(OpError::Truncated)?;
        self.at += end + 1;
        Ok(&rest[..end])
    }

    fn name(&mut self) -> Result<Name<'a>, OpError> {
        Ok(Name {
            module: String::from_utf8_lossy(self.line()?),
            name: String::from_utf8_lossy(self.line()?),
        })
    }
}

/// Text in UTF-8; Python also takes lone surrogates there, which no name has.
fn text(bytes: &[u8]) -> Op<'_> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Op::Text(Cow::Borrowed(text)),
        Err(_) => Op::Bytes(bytes),
    }
}

fn integer(line: &[u8]) -> Op<'static> {
    let text = std::str::from_utf8(line).unwrap_or_default().trim();
    text.parse().map_or(Op::LargeInt, Op::Int)
}

fn index(line: &[u8]) -> Result<u64, OpError> {
    match integer(line) {
        Op::Int(n) => u64::try_from(n).map_err(|_| OpError::Truncated),
        _ => Err(OpError::Truncated),
    }
}

fn float(line: &[u8]) -> f64 {
    let text = std::str::from_utf8(line).unwrap_or_default().trim();
    text.parse().unwrap_or(f64::NAN)
}

/// Two's complement, little-endian, of any length.
fn long(bytes: &[u8]) -> Op<'static> {
    if bytes.len() > 8 {
        return Op::LargeInt;
    }
    let is_negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
    let mut filled = [if is_negative { 0xff } else { 0 }; 8];
    filled[..bytes.len()].copy_from_slice(bytes);
    Op::Int(i64::from_le_bytes(filled))
}

/// A string literal of Python 2: quotes, and escapes of one byte each.
fn quoted(line: &[u8]) -> Op<'static> {
    let line = line.trim_ascii();
    let inner = match line {
        [b'\'', inner @ .., b'\''] | [b'"', inner @ .., b'"'] => inner,
        other => other,
    };
    let mut out = Vec::with_capacity(inner.len());
    let mut rest = inner.iter().copied().peekable();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        match rest.next() {
            Some(b'n') => out.push(b'\n'),
            Some(b't') => out.push(b'\t'),
            Some(b'r') => out.push(b'\r'),
            Some(b'a') => out.push(7),
            Some(b'b') => out.push(8),
            Some(b'f') => out.push(12),
            Some(b'v') => out.push(11),
            Some(b'x') => {
                let mut value = 0;
                for _ in 0..2 {
                    if let Some(digit) = rest.next_if(u8::is_ascii_hexdigit) {
                        value = value * 16 + digit_of(digit);
                    }
                }
                out.push(u8::try_from(value).unwrap_or(b'?'));
            }
            Some(digit @ b'0'..=b'7') => {
                let mut value = digit_of(digit);
                for _ in 0..2 {
                    if let Some(digit) = rest.next_if(|byte| (b'0'..=b'7').contains(byte)) {
                        value = value * 8 + digit_of(digit);
                    }
                }
                out.push(u8::try_from(value & 0xff).unwrap_or(b'?'));
            }
            Some(other) => {
                if !matches!(other, b'\\' | b'\'' | b'"') {
                    out.push(b'\\');
                }
                out.push(other);
            }
            None => {}
        }
    }
    Op::Text(Cow::Owned(String::from_utf8_lossy(&out).into_owned()))
}

/// Latin-1 with `\uXXXX` and `\UXXXXXXXX`.
fn raw_unicode(line: &[u8]) -> String {
    let mut out = String::with_capacity(line.len());
    let mut at = 0;
    while let Some(byte) = line.get(at) {
        let n_digits = match (byte, line.get(at + 1)) {
            (b'\\', Some(b'u')) => 4,
            (b'\\', Some(b'U')) => 8,
            _ => 0,
        };
        let digits = line.get(at + 2..at + 2 + n_digits).filter(|_| n_digits > 0);
        let value = digits.and_then(|digits| {
            digits.iter().try_fold(0_u32, |value, digit| {
                digit.is_ascii_hexdigit().then(|| value * 16 + digit_of(*digit))
            })
        });
        if let Some(value) = value {
            out.push(char::from_u32(value).unwrap_or(char::REPLACEMENT_CHARACTER));
            at += 2 + n_digits;
        } else {
            out.push(char::from(*byte));
            at += 1;
        }
    }
    out
}

fn digit_of(byte: u8) -> u32 {
    char::from(byte).to_digit(16).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_what_python_reads() {
        for (line, expected) in [
            (&b"S'os'\n"[..], "os"),
            (b"S'\\x6f\\163'\n", "os"),
            (b"S\"a\\'b\\\\\"\n", "a'b\\"),
            (b"S'\\q'\n", "\\q"),
            (b"V\\u006f\\U00000073\n", "os"),
            (b"V\\u00\n", "\\u00"),
            (b"V\xe9\n", "\u{e9}"),
            (b"\x8c\x02os", "os"),
        ] {
            assert_eq!(Ops::new(line, 0).next_op(), Ok(Op::Text(expected.into())), "{line:?}");
        }
    }

    #[test]
    fn numbers_are_what_python_reads() {
        for (bytes, expected) in [
            (&b"I01\n"[..], Op::Bool(true)),
            (b"I-7\n", Op::Int(-7)),
            (b"L12L\n", Op::Int(12)),
            (b"\x8a\x00", Op::Int(0)),
            (b"\x8a\x01\xff", Op::Int(-1)),
            (b"\x8a\x02\x00\x80", Op::Int(-32768)),
            (b"\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00\x01", Op::LargeInt),
            (b"J\xff\xff\xff\xff", Op::Int(-1)),
            (b"M\xff\xff", Op::Int(65535)),
            (b"F1.5\n", Op::Float(1.5)),
            (b"G\x3f\xf8\x00\x00\x00\x00\x00\x00", Op::Float(1.5)),
        ] {
            assert_eq!(Ops::new(bytes, 0).next_op(), Ok(expected), "{bytes:?}");
        }
    }

    #[test]
    fn what_ends_early_is_said() {
        for bytes in [
            &b""[..],
            b"cos\n",
            b"X\xff\xff\xff\xffa",
            b"\x8d\xff\xff\xff\xff\xff\xff\xff\xff",
            b"\x8b\xff\xff\xff\xff",
        ] {
            assert_eq!(Ops::new(bytes, 0).next_op(), Err(OpError::Truncated), "{bytes:?}");
        }
        assert_eq!(Ops::new(b"\x00", 0).next_op(), Err(OpError::Unknown(0)));
    }
}
