//! Pickles of plain values, decoded: numbers, texts, lists, dictionaries, and numpy's single numbers. Pure.
//!
//! Nothing else is made of a stream: what would have to be imported or called is an error that names it. A crate would
//! not do: a memo may be named again and again, which makes a few bytes a value of any size.

use std::collections::HashMap;

use serde_json::{Map, Number, Value as Json};

use super::Limits;
use super::judge::modern_module;
use super::ops::{Op, OpError, Ops};
use crate::base::clean;

/// Levels within levels.
const MAX_DEPTH: usize = 64;

/// Why a pickle is not a plain value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlainError {
    #[error("it holds an object of `{0}`")]
    Object(String),
    #[error("it holds {0}")]
    Kind(&'static str),
    #[error("byte {0} is no opcode")]
    Opcode(usize),
    #[error("it ends too early")]
    Truncated,
    #[error("it has more than {0} values")]
    TooMany(usize),
    #[error("it has more than {MAX_DEPTH} levels")]
    TooDeep,
}

/// The value of the first stream in `bytes`. Tuples and sets become lists, bytes a text that says how many they are,
/// numbers that are not finite the texts `NaN`, `Infinity` and `-Infinity`, keys texts.
pub fn plain(bytes: &[u8], limits: &Limits) -> Result<Json, PlainError> {
    let mut made = Made::default();
    let mut ops = Ops::new(bytes, 0);
    for _ in 0..limits.n_opcodes {
        let at = ops.at;
        let op = ops.next_op().map_err(|error| match error {
            OpError::Unknown(_) => PlainError::Opcode(at),
            OpError::Truncated => PlainError::Truncated,
        })?;
        if op == Op::Stop {
            let root = made.pop()?;
            let mut left = limits.n_values;
            return made.json(root, 0, &mut left, limits.n_values);
        }
        made.step(op)?;
        if made.nodes.len().max(made.stack.len()).max(made.memo.len()) > limits.n_values {
            break;
        }
    }
    Err(PlainError::TooMany(limits.n_values))
}

/// A dtype of one number: its kind and size as numpy writes them, and whether its bytes come the other way round.
#[derive(Debug, Clone, Copy)]
struct Dtype {
    kind: u8,
    size: usize,
    is_big_endian: bool,
}

#[derive(Debug, Clone)]
enum Node {
    Mark,
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
    List(Vec<usize>),
    Tuple(Vec<usize>),
    Dict(Vec<(usize, usize)>),
    Global(String, String),
    Dtype(Dtype),
}

/// Values refer to each other by their index, as a list may be in another one twice, or in itself.
#[derive(Debug, Default)]
struct Made {
    nodes: Vec<Node>,
    stack: Vec<usize>,
    memo: HashMap<u64, usize>,
}

impl Made {
    fn step(&mut self, op: Op<'_>) -> Result<(), PlainError> {
        match op {
            Op::Stop | Op::Frame | Op::Protocol(_) => {}
            Op::Mark => self.push(Node::Mark),
            Op::Pop => {
                self.stack.pop();
            }
            Op::PopMark => {
                self.above_mark()?;
            }
            Op::Dup => {
                let top = self.top()?;
                self.stack.push(top);
            }
            Op::None => self.push(Node::None),
            Op::Bool(value) => self.push(Node::Bool(value)),
            Op::Int(value) => self.push(Node::Int(value)),
            Op::LargeInt => return Err(PlainError::Kind("a whole number of more than 64 bits")),
            Op::Float(value) => self.push(Node::Float(value)),
            Op::Text(text) => self.push(Node::Text(text.into_owned())),
            Op::Bytes(bytes) => self.push(Node::Bytes(bytes.to_vec())),
            Op::EmptyList | Op::EmptySet => self.push(Node::List(Vec::new())),
            Op::EmptyTuple => self.push(Node::Tuple(Vec::new())),
            Op::EmptyDict => self.push(Node::Dict(Vec::new())),
            Op::List | Op::FrozenSet => {
                let items = self.above_mark()?;
                self.push(Node::List(items));
            }
            Op::Tuple => {
                let items = self.above_mark()?;
                self.push(Node::Tuple(items));
            }
            Op::TupleOf(n) => {
                let mut items = (0..n).map(|_| self.pop()).collect::<Result<Vec<_>, _>>()?;
                items.reverse();
                self.push(Node::Tuple(items));
            }
            Op::Dict => {
                let items = self.above_mark()?;
                self.push(Node::Dict(pairs(&items)));
            }
            Op::Append => {
                let item = self.pop()?;
                self.extend(&[item])?;
            }
            Op::Appends | Op::AddItems => {
                let items = self.above_mark()?;
                self.extend(&items)?;
            }
            Op::SetItem => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.set(&[key, value])?;
            }
            Op::SetItems => {
                let items = self.above_mark()?;
                self.set(&items)?;
            }
            Op::Global(name) => self.push(Node::Global(name.module.into_owned(), name.name.into_owned())),
            Op::StackGlobal => {
                let name = self.pop()?;
                let module = self.pop()?;
                let (Node::Text(module), Node::Text(name)) = (&self.nodes[module], &self.nodes[name]) else {
                    return Err(PlainError::Kind("a name that is not written in it"));
                };
                let global = Node::Global(module.clone(), name.clone());
                self.push(global);
            }
            Op::Reduce => {
                let arguments = self.pop()?;
                let callable = self.pop()?;
                let value = self.called(callable, arguments)?;
                self.push(value);
            }
            Op::Build => self.build()?,
            Op::Get(index) => {
                let value = *self.memo.get(&index).ok_or(PlainError::Truncated)?;
                self.stack.push(value);
            }
            Op::Put(index) => {
                let top = self.top()?;
                self.memo.insert(index, top);
            }
            Op::Memoize => {
                let top = self.top()?;
                self.memo.insert(self.memo.len() as u64, top);
            }
            Op::Inst(name) => return Err(object(&name.module, &name.name)),
            Op::Obj | Op::NewObj | Op::NewObjEx => {
                return Err(self.first_global().unwrap_or(PlainError::Kind("an object")));
            }
            Op::Extension(_) => return Err(PlainError::Kind("an extension code")),
            Op::PersistentId | Op::PersistentIdOnStack => {
                return Err(PlainError::Kind("a reference to an object kept elsewhere"));
            }
            Op::NextBuffer | Op::ReadonlyBuffer => return Err(PlainError::Kind("a buffer kept elsewhere")),
        }
        Ok(())
    }

    fn push(&mut self, node: Node) {
        self.stack.push(self.nodes.len());
        self.nodes.push(node);
    }

    fn pop(&mut self) -> Result<usize, PlainError> {
        self.stack.pop().ok_or(PlainError::Truncated)
    }

    fn top(&self) -> Result<usize, PlainError> {
        self.stack.last().copied().ok_or(PlainError::Truncated)
    }

    fn above_mark(&mut self) -> Result<Vec<usize>, PlainError> {
        let is_mark = |index: &usize| matches!(self.nodes[*index], Node::Mark);
        let mark = self.stack.iter().rposition(is_mark).ok_or(PlainError::Truncated)?;
        let items = self.stack.split_off(mark + 1);
        self.stack.pop();
        Ok(items)
    }

    fn extend(&mut self, items: &[usize]) -> Result<(), PlainError> {
        let top = self.top()?;
        match &mut self.nodes[top] {
            Node::List(list) => list.extend(items),
            _ => return Err(PlainError::Kind("an object that is built item by item")),
        }
        Ok(())
    }

    fn set(&mut self, items: &[usize]) -> Result<(), PlainError> {
        let top = self.top()?;
        match &mut self.nodes[top] {
            Node::Dict(dict) => dict.extend(pairs(items)),
            _ => return Err(PlainError::Kind("an object that is built key by key")),
        }
        Ok(())
    }

    /// The last thing on the stack that has a name, for an error.
    fn first_global(&self) -> Option<PlainError> {
        self.stack
            .iter()
            .rev()
            .take(4)
            .find_map(|index| match &self.nodes[*index] {
                Node::Global(module, name) => Some(object(module, name)),
                _ => None,
            })
    }

    /// The few calls that make plain values.
    fn called(&self, callable: usize, arguments: usize) -> Result<Node, PlainError> {
        let Node::Global(module, name) = &self.nodes[callable] else {
            return Err(PlainError::Kind("a call of something that is not named"));
        };
        let refuse = || object(module, name);
        let Node::Tuple(arguments) = &self.nodes[arguments] else {
            return Err(refuse());
        };
        let arguments: Vec<&Node> = arguments.iter().map(|index| &self.nodes[*index]).collect();
        match (modern_module(module), name.as_str(), arguments.as_slice()) {
            ("collections", "OrderedDict" | "defaultdict", [])
            | ("builtins", "dict", [])
            | ("collections", "defaultdict", [Node::Global(..) | Node::None]) => Ok(Node::Dict(Vec::new())),
            ("builtins", "set" | "frozenset" | "list" | "tuple", [Node::List(items) | Node::Tuple(items)]) => {
                Ok(Node::List(items.clone()))
            }
            ("numpy", "dtype", [Node::Text(kind), ..]) => dtype(kind).ok_or_else(refuse),
            (
                "numpy._core.multiarray" | "numpy.core.multiarray",
                "scalar",
                [Node::Dtype(dtype), Node::Bytes(bytes)],
            ) => number(*dtype, bytes).ok_or_else(refuse),
            // Up to protocol 2 bytes may be written as a text.
            ("numpy._core.multiarray" | "numpy.core.multiarray", "scalar", [Node::Dtype(dtype), Node::Text(text)]) => {
                number(*dtype, text.as_bytes()).ok_or_else(refuse)
            }
            ("_codecs", "encode", [Node::Text(text), Node::Text(encoding)]) if encoding == "latin1" => text
                .chars()
                .map(|c| u8::try_from(u32::from(c)).ok())
                .collect::<Option<Vec<_>>>()
                .map(Node::Bytes)
                .ok_or_else(refuse),
            _ => Err(refuse()),
        }
    }

    /// Only a dtype has a state that is of interest: the order of its bytes.
    fn build(&mut self) -> Result<(), PlainError> {
        let state = self.pop()?;
        let target = self.top()?;
        let is_big = match &self.nodes[state] {
            Node::Tuple(items) => items
                .get(1)
                .is_some_and(|order| matches!(&self.nodes[*order], Node::Text(order) if order == ">")),
            _ => false,
        };
        match &mut self.nodes[target] {
            Node::Dtype(dtype) => dtype.is_big_endian = is_big,
            _ => return Err(PlainError::Kind("an object with a state")),
        }
        Ok(())
    }

    /// `left` is what may still be made; a value that is named twice counts twice.
    fn json(&self, index: usize, depth: usize, left: &mut usize, limit: usize) -> Result<Json, PlainError> {
        if depth > MAX_DEPTH {
            return Err(PlainError::TooDeep);
        }
        let cost = match &self.nodes[index] {
            // A text that is named again and again costs its size each time.
            Node::Text(text) => 1 + text.len() / 32,
            _ => 1,
        };
        *left = left.checked_sub(cost).ok_or(PlainError::TooMany(limit))?;
        Ok(match &self.nodes[index] {
            Node::None => Json::Null,
            Node::Bool(value) => Json::Bool(*value),
            Node::Int(value) => Json::from(*value),
            Node::Float(value) => finite(*value),
            Node::Text(text) => Json::String(text.clone()),
            Node::Bytes(bytes) => Json::String(format!("{} bytes", bytes.len())),
            Node::List(items) | Node::Tuple(items) => Json::Array(
                items
                    .iter()
                    .map(|item| self.json(*item, depth + 1, left, limit))
                    .collect::<Result<_, _>>()?,
            ),
            Node::Dict(items) => {
                let mut map = Map::new();
                for (key, value) in items {
                    let key = match self.json(*key, depth + 1, left, limit)? {
                        Json::String(text) => text,
                        other => other.to_string(),
                    };
                    map.insert(key, self.json(*value, depth + 1, left, limit)?);
                }
                Json::Object(map)
            }
            Node::Global(module, name) => return Err(object(module, name)),
            Node::Dtype(_) => return Err(object("numpy", "dtype")),
            Node::Mark => return Err(PlainError::Truncated),
        })
    }
}

fn pairs(items: &[usize]) -> Vec<(usize, usize)> {
    items.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect()
}

fn object(module: &str, name: &str) -> PlainError {
    PlainError::Object(clean(&format!("{module}.{name}"), 160))
}

fn finite(value: f64) -> Json {
    Number::from_f64(value).map_or_else(
        || {
            let text = if value.is_nan() {
                "NaN"
            } else if value > 0.0 {
                "Infinity"
            } else {
                "-Infinity"
            };
            Json::String(text.to_owned())
        },
        Json::Number,
    )
}

fn dtype(text: &str) -> Option<Node> {
    let is_big_endian = text.starts_with('>');
    let text = text.trim_start_matches(['<', '>', '|', '=']);
    let size = text.get(1..)?.parse().ok()?;
    Some(Node::Dtype(Dtype {
        kind: text.bytes().next()?,
        size,
        is_big_endian,
    }))
}

/// One number of numpy's from its bytes.
fn number(dtype: Dtype, bytes: &[u8]) -> Option<Node> {
    if bytes.len() != dtype.size || dtype.size > 8 {
        return None;
    }
    let mut bytes = bytes.to_vec();
    if dtype.is_big_endian {
        bytes.reverse();
    }
    Some(match (dtype.kind, bytes.as_slice()) {
        (b'b', [byte]) => Node::Bool(*byte != 0),
        (b'f', [a, b, c, d]) => Node::Float(f64::from(f32::from_le_bytes([*a, *b, *c, *d]))),
        (b'f', all) => Node::Float(f64::from_le_bytes(all.try_into().ok()?)),
        (b'i' | b'u', all) => {
            let is_negative = dtype.kind == b'i' && all.last()? & 0x80 != 0;
            let mut filled = [if is_negative { 0xff } else { 0 }; 8];
            filled[..all.len()].copy_from_slice(all);
            let value = i64::from_le_bytes(filled);
            if dtype.kind == b'u' && value < 0 {
                return None;
            }
            Node::Int(value)
        }
        _ => return None,
    })
}
