//! The few Protocol Buffers messages that an ONNX file needs, written by hand. Pure.
//!
//! Written here because it is shorter than the crate, its derive and the declaration of these messages would be.
//! Source: `onnx.proto3` of ONNX IR version 8; Protocol Buffers encoding, version 3.

/// A message under construction: fields in the order in which they are added.
#[derive(Debug, Clone, Default)]
pub struct Message(Vec<u8>);

impl Message {
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value.to_le_bytes()[0] | 0x80);
            value >>= 7;
        }
        self.0.push(value.to_le_bytes()[0]);
    }

    /// A whole number.
    #[must_use]
    pub fn int(mut self, field: u32, value: i64) -> Self {
        self.varint(u64::from(field) << 3);
        self.varint(value.cast_unsigned());
        self
    }

    /// Bytes or a text.
    #[must_use]
    pub fn bytes(mut self, field: u32, value: &[u8]) -> Self {
        self.varint(u64::from(field) << 3 | 2);
        self.varint(value.len() as u64);
        self.0.extend_from_slice(value);
        self
    }

    #[must_use]
    pub fn text(self, field: u32, value: &str) -> Self {
        self.bytes(field, value.as_bytes())
    }

    #[must_use]
    pub fn message(self, field: u32, value: &Self) -> Self {
        self.bytes(field, &value.0)
    }

    /// Whole numbers, packed.
    #[must_use]
    pub fn ints(self, field: u32, values: impl IntoIterator<Item = i64>) -> Self {
        let mut packed = Self::default();
        values
            .into_iter()
            .for_each(|value| packed.varint(value.cast_unsigned()));
        self.message(field, &packed)
    }
}

/// `TensorProto.DataType`.
#[derive(Debug, Clone, Copy)]
pub enum Element {
    Int64 = 7,
    Text = 8,
    Double = 11,
}

pub fn doubles(name: &str, dims: &[usize], values: impl IntoIterator<Item = f64>) -> Message {
    let raw: Vec<u8> = values.into_iter().flat_map(f64::to_le_bytes).collect();
    tensor(name, dims, Element::Double).bytes(9, &raw)
}

pub fn integers(name: &str, values: &[i64]) -> Message {
    let raw: Vec<u8> = values.iter().copied().flat_map(i64::to_le_bytes).collect();
    tensor(name, &[values.len()], Element::Int64).bytes(9, &raw)
}

pub fn texts(name: &str, values: &[String]) -> Message {
    values
        .iter()
        .fold(tensor(name, &[values.len()], Element::Text), |tensor, value| {
            tensor.text(6, value)
        })
}

fn tensor(name: &str, dims: &[usize], element: Element) -> Message {
    Message::default()
        .ints(1, dims.iter().map(|&dim| i64::try_from(dim).unwrap_or(i64::MAX)))
        .int(2, element as i64)
        .text(8, name)
}

/// An attribute of a node: its value is in the field that its type says.
pub fn attribute_int(name: &str, value: i64) -> Message {
    Message::default().text(1, name).int(3, value).int(20, 2)
}

pub fn attribute_text(name: &str, value: &str) -> Message {
    Message::default().text(1, name).text(4, value).int(20, 3)
}

pub fn attribute_tensor(name: &str, value: &Message) -> Message {
    Message::default().text(1, name).message(5, value).int(20, 4)
}

pub fn attribute_ints(name: &str, values: impl IntoIterator<Item = i64>) -> Message {
    Message::default().text(1, name).ints(8, values).int(20, 7)
}

pub fn attribute_texts<'a>(name: &str, values: impl IntoIterator<Item = &'a str>) -> Message {
    values
        .into_iter()
        .fold(Message::default().text(1, name), |attribute, value| {
            attribute.text(9, value)
        })
        .int(20, 8)
}

/// An input or output: `N` rows, and columns unless it is a plain list.
pub fn value(name: &str, element: Element, n_columns: Option<usize>) -> Message {
    let mut shape = Message::default().message(1, &Message::default().text(2, "N"));
    if let Some(n) = n_columns {
        shape = shape.message(1, &Message::default().int(1, i64::try_from(n).unwrap_or(i64::MAX)));
    }
    let tensor = Message::default().int(1, element as i64).message(2, &shape);
    Message::default()
        .text(1, name)
        .message(2, &Message::default().message(1, &tensor))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The encodings of the Protocol Buffers documentation: 150 in field 1, `testing` in field 2, 3, 270, 86942 packed.
    #[test]
    fn writes_the_documented_bytes() {
        let bytes = Message::default()
            .int(1, 150)
            .text(2, "testing")
            .ints(6, [3, 270, 86942])
            .into_bytes();
        let expected = b"\x08\x96\x01\x12\x07testing\x32\x06\x03\x8e\x02\x9e\xa7\x05";
        assert_eq!(bytes, expected);
        assert_eq!(Message::default().int(1, -2).into_bytes().len(), 11);
    }
}
