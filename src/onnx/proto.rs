//! The Protocol Buffers messages of an ONNX file that scoring reads, declared by hand. Pure.
//!
//! What is not declared is skipped by the decoder. Before anything is decoded, [`measure`] counts the messages and texts
//! in the file, as an empty one costs two bytes there and hundreds in memory.
//! Source: `onnx.proto` of ONNX 1.23 (IR version 13); Protocol Buffers encoding.

use prost::Message;

/// The most nodes, attributes, tensors and values in a file, and the most texts. A forest has a text a node of its trees.
const MAX_MESSAGES: usize = 1 << 20;
const MAX_TEXTS: usize = 1 << 24;
/// Graphs within attributes of nodes, below the graph of the model.
const MAX_DEPTH: usize = 3;

#[derive(Clone, PartialEq, Message)]
pub struct Model {
    #[prost(message, optional, tag = "7")]
    pub graph: Option<Graph>,
    #[prost(message, repeated, tag = "8")]
    pub opsets: Vec<Opset>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Opset {
    #[prost(string, tag = "1")]
    pub domain: String,
    #[prost(int64, tag = "2")]
    pub version: i64,
}

#[derive(Clone, PartialEq, Message)]
pub struct Graph {
    #[prost(message, repeated, tag = "1")]
    pub nodes: Vec<Node>,
    #[prost(message, repeated, tag = "5")]
    pub initializers: Vec<Tensor>,
    #[prost(message, repeated, tag = "11")]
    pub inputs: Vec<Value>,
    #[prost(message, repeated, tag = "12")]
    pub outputs: Vec<Value>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Node {
    #[prost(string, repeated, tag = "1")]
    pub inputs: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    pub outputs: Vec<String>,
    #[prost(string, tag = "3")]
    pub name: String,
    #[prost(string, tag = "4")]
    pub operator: String,
    #[prost(message, repeated, tag = "5")]
    pub attributes: Vec<Attribute>,
    #[prost(string, tag = "7")]
    pub domain: String,
}

/// A named value; which of the fields it is in says `kind`.
#[derive(Clone, PartialEq, Message)]
pub struct Attribute {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(float, tag = "2")]
    pub float: f32,
    #[prost(int64, tag = "3")]
    pub int: i64,
    #[prost(bytes = "vec", tag = "4")]
    pub text: Vec<u8>,
    #[prost(message, optional, tag = "5")]
    pub tensor: Option<Tensor>,
    #[prost(message, optional, boxed, tag = "6")]
    pub graph: Option<Box<Graph>>,
    #[prost(float, repeated, tag = "7")]
    pub floats: Vec<f32>,
    #[prost(int64, repeated, tag = "8")]
    pub ints: Vec<i64>,
    #[prost(bytes = "vec", repeated, tag = "9")]
    pub texts: Vec<Vec<u8>>,
    #[prost(int32, tag = "20")]
    pub kind: i32,
}

#[derive(Clone, PartialEq, Message)]
pub struct Tensor {
    #[prost(int64, repeated, tag = "1")]
    pub dims: Vec<i64>,
    #[prost(int32, tag = "2")]
    pub element: i32,
    #[prost(float, repeated, tag = "4")]
    pub floats: Vec<f32>,
    #[prost(int32, repeated, tag = "5")]
    pub int32s: Vec<i32>,
    #[prost(bytes = "vec", repeated, tag = "6")]
    pub texts: Vec<Vec<u8>>,
    #[prost(int64, repeated, tag = "7")]
    pub int64s: Vec<i64>,
    #[prost(string, tag = "8")]
    pub name: String,
    #[prost(bytes = "vec", tag = "9")]
    pub raw: Vec<u8>,
    #[prost(double, repeated, tag = "10")]
    pub doubles: Vec<f64>,
    #[prost(uint64, repeated, tag = "11")]
    pub uint64s: Vec<u64>,
    #[prost(int32, tag = "14")]
    pub location: i32,
}

#[derive(Clone, PartialEq, Message)]
pub struct Value {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(message, optional, tag = "2")]
    pub of: Option<Type>,
}

/// A tensor, or a sequence of maps (whose inside the operators know).
#[derive(Clone, PartialEq, Message)]
pub struct Type {
    #[prost(message, optional, tag = "1")]
    pub tensor: Option<TensorType>,
    #[prost(message, optional, tag = "4")]
    pub sequence: Option<Opaque>,
}

#[derive(Clone, PartialEq, Message)]
pub struct TensorType {
    #[prost(int32, tag = "1")]
    pub element: i32,
    #[prost(message, optional, tag = "2")]
    pub shape: Option<Shape>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Opaque {}

#[derive(Clone, PartialEq, Message)]
pub struct Shape {
    #[prost(message, repeated, tag = "1")]
    pub dims: Vec<Dimension>,
}

/// A length, or (then it is absent) something that varies.
#[derive(Clone, PartialEq, Message)]
pub struct Dimension {
    #[prost(int64, optional, tag = "1")]
    pub length: Option<i64>,
}

/// `TensorProto.DataType`, as far as it is read.
pub mod element {
    pub const FLOAT: i32 = 1;
    pub const UINT8: i32 = 2;
    pub const INT8: i32 = 3;
    pub const UINT16: i32 = 4;
    pub const INT16: i32 = 5;
    pub const INT32: i32 = 6;
    pub const INT64: i32 = 7;
    pub const TEXT: i32 = 8;
    pub const BOOL: i32 = 9;
    pub const DOUBLE: i32 = 11;
    pub const UINT32: i32 = 12;
    pub const UINT64: i32 = 13;
}

/// What of a message is counted: the fields that are messages, and those that are texts.
#[derive(Clone, Copy)]
enum Schema {
    Model,
    Graph,
    Node,
    Attribute,
    Tensor,
    Value,
    Type,
    TensorType,
    Shape,
    /// A message without one below.
    Small,
    Text,
    Skipped,
}

impl Schema {
    fn of(self, field: u64) -> Self {
        match (self, field) {
            (Self::Model, 7) | (Self::Attribute, 6) => Self::Graph,
            (Self::Graph, 1) => Self::Node,
            (Self::Graph | Self::Attribute, 5) => Self::Tensor,
            (Self::Graph, 11 | 12) => Self::Value,
            (Self::Value, 2) => Self::Type,
            (Self::Type, 1) => Self::TensorType,
            (Self::TensorType, 2) => Self::Shape,
            (Self::Model, 8) | (Self::Shape, 1) => Self::Small,
            (Self::Node, 5) => Self::Attribute,
            (Self::Node, 1 | 2) | (Self::Attribute, 9) | (Self::Tensor, 6) => Self::Text,
            _ => Self::Skipped,
        }
    }
}

/// Whether the file has not more in it than is read. `Err` says what is too many or broken.
pub fn measure(bytes: &[u8]) -> Result<(), &'static str> {
    let (mut n_messages, mut n_texts) = (0, 0);
    let mut waiting = vec![(Schema::Model, bytes, 0)];
    while let Some((schema, mut rest, n_graphs)) = waiting.pop() {
        while !rest.is_empty() {
            let key = varint(&mut rest)?;
            let n = match key & 7 {
                0 => {
                    varint(&mut rest)?;
                    0
                }
                1 => 8,
                2 => usize::try_from(varint(&mut rest)?).map_err(|_| "a length is out of range")?,
                5 => 4,
                _ => return Err("a field is of an unknown kind"),
            };
            let (field, after) = rest.split_at_checked(n).ok_or("it ends within a field")?;
            rest = after;
            if key & 7 != 2 {
                continue;
            }
            match schema.of(key >> 3) {
                Schema::Skipped => {}
                Schema::Text => n_texts += 1,
                inner => {
                    n_messages += 1;
                    let n_graphs = n_graphs + usize::from(matches!(inner, Schema::Graph));
                    if n_graphs > MAX_DEPTH {
                        return Err("graphs are nested too deep");
                    }
                    if !matches!(inner, Schema::Small) {
                        waiting.push((inner, field, n_graphs));
                    }
                }
            }
            if n_messages > MAX_MESSAGES || n_texts > MAX_TEXTS {
                return Err("it has more nodes, tensors or texts than are read");
            }
        }
    }
    Ok(())
}

fn varint(rest: &mut &[u8]) -> Result<u64, &'static str> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, after) = rest.split_first().ok_or("it ends within a number")?;
        *rest = after;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err("a number is too long")
}
