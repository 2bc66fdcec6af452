//! What a node says about itself, by name and kind. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::proto::{Attribute, Graph, Node};
use super::tensor::{Data, Fault, Tensor, utf8, wrong};

/// `AttributeProto.AttributeType`.
mod kind {
    pub const FLOAT: i32 = 1;
    pub const INT: i32 = 2;
    pub const TEXT: i32 = 3;
    pub const TENSOR: i32 = 4;
    pub const GRAPH: i32 = 5;
    pub const FLOATS: i32 = 6;
    pub const INTS: i32 = 7;
    pub const TEXTS: i32 = 8;
}

/// The attributes of one node, with what else its operator has to know.
#[derive(Debug)]
pub struct Attributes<'a> {
    by_name: BTreeMap<&'a str, &'a Attribute>,
    /// The version of the operator's domain.
    pub version: i64,
    pub n_inputs: usize,
    pub n_outputs: usize,
    /// How many graphs this node is within.
    pub depth: usize,
    /// The version of the default domain, for graphs within.
    pub opsets: &'a BTreeMap<String, i64>,
}

impl<'a> Attributes<'a> {
    pub fn new(node: &'a Node, version: i64, depth: usize, opsets: &'a BTreeMap<String, i64>) -> Result<Self, Fault> {
        let mut by_name = BTreeMap::new();
        for attribute in &node.attributes {
            if by_name.insert(attribute.name.as_str(), attribute).is_some() {
                return wrong(format!("`{}` is said twice", attribute.name));
            }
        }
        Ok(Self {
            by_name,
            version,
            n_inputs: node.inputs.len(),
            n_outputs: node.outputs.len(),
            depth,
            opsets,
        })
    }

    fn get(&self, name: &str, kind: i32) -> Result<Option<&'a Attribute>, Fault> {
        match self.by_name.get(name) {
            Some(attribute) if attribute.kind == kind => Ok(Some(attribute)),
            Some(attribute) => wrong(format!("`{name}` is of kind {}, not {kind}", attribute.kind)),
            None => Ok(None),
        }
    }

    pub fn has(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    pub fn int(&self, name: &str) -> Result<Option<i64>, Fault> {
        Ok(self.get(name, kind::INT)?.map(|attribute| attribute.int))
    }

    pub fn int_or(&self, name: &str, default: i64) -> Result<i64, Fault> {
        Ok(self.int(name)?.unwrap_or(default))
    }

    pub fn float(&self, name: &str) -> Result<Option<f32>, Fault> {
        Ok(self.get(name, kind::FLOAT)?.map(|attribute| attribute.float))
    }

    pub fn float_or(&self, name: &str, default: f32) -> Result<f32, Fault> {
        Ok(self.float(name)?.unwrap_or(default))
    }

    pub fn text(&self, name: &str) -> Result<Option<Arc<str>>, Fault> {
        self.get(name, kind::TEXT)?
            .map(|attribute| utf8(&attribute.text))
            .transpose()
    }

    pub fn text_or(&self, name: &str, default: &str) -> Result<Arc<str>, Fault> {
        Ok(self.text(name)?.unwrap_or_else(|| default.into()))
    }

    /// Empty if absent, as is every list below.
    pub fn ints(&self, name: &str) -> Result<&'a [i64], Fault> {
        Ok(self.get(name, kind::INTS)?.map_or(&[], |attribute| &attribute.ints))
    }

    pub fn floats(&self, name: &str) -> Result<&'a [f32], Fault> {
        Ok(self.get(name, kind::FLOATS)?.map_or(&[], |attribute| &attribute.floats))
    }

    pub fn texts(&self, name: &str) -> Result<Vec<Arc<str>>, Fault> {
        self.raw_texts(name)?.iter().map(|text| utf8(text)).collect()
    }

    pub fn raw_texts(&self, name: &str) -> Result<&'a [Vec<u8>], Fault> {
        Ok(self.get(name, kind::TEXTS)?.map_or(&[], |attribute| &attribute.texts))
    }

    pub fn tensor(&self, name: &str) -> Result<Option<Tensor>, Fault> {
        match self.get(name, kind::TENSOR)? {
            Some(Attribute {
                tensor: Some(tensor), ..
            }) => Tensor::read(tensor).map(Some),
            Some(_) => wrong(format!("`{name}` has no tensor")),
            None => Ok(None),
        }
    }

    pub fn graph(&self, name: &str) -> Result<&'a Graph, Fault> {
        match self
            .get(name, kind::GRAPH)?
            .and_then(|attribute| attribute.graph.as_deref())
        {
            Some(graph) => Ok(graph),
            None => wrong(format!("`{name}` is missing")),
        }
    }

    /// A list of numbers as `name` has them, or `name_as_tensor` in double or single precision.
    pub fn numbers(&self, name: &str) -> Result<Vec<f64>, Fault> {
        match self.tensor(&format!("{name}_as_tensor"))? {
            Some(tensor) => tensor.to_doubles(),
            None => Ok(self.floats(name)?.iter().map(|&value| f64::from(value)).collect()),
        }
    }

    /// The names of classes: texts or whole numbers.
    pub fn labels(&self, texts: &str, ints: &str) -> Result<Data, Fault> {
        let (texts, ints) = (self.texts(texts)?, self.ints(ints)?);
        match (texts.is_empty(), ints.is_empty()) {
            (false, true) => Ok(Data::Text(texts)),
            (true, false) => Ok(Data::Int(ints.to_vec())),
            (true, true) => wrong("it names no classes"),
            (false, false) => wrong("its classes are texts and numbers at once"),
        }
    }
}
