//! Walks one stream as its loader would, with values that stand for what the loader would make. Pure.
//!
//! Nothing is imported or called. Only what names and inlined arrays depend on is kept: texts, whole numbers, small
//! tuples, the states of array wrappers; the rest is `Value::Other`.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};

use super::Limits;
use super::judge::modern_module;
use super::ops::{Name, Op, OpError, Ops};

/// Tuples with more than this are nobody's shape or state.
const MAX_TUPLE: usize = 64;
/// Names that differ; more are counted no further.
const MAX_GLOBALS: usize = 10_000;
const MAX_NAME: usize = 512;
/// Of one object; a wrapper of joblib has six.
const MAX_ATTRIBUTES: usize = 64;
/// Tuples and objects that are remembered; what comes later is like any other value.
const MAX_KEPT: usize = 500_000;
/// Texts with escapes, which only protocol 0 has.
const MAX_DECODED: usize = 2_000_000;

/// What a walk has come upon; grows over the streams of one file.
#[derive(Debug, Clone, Default)]
pub struct Found {
    pub protocol: u8,
    pub n_opcodes: usize,
    pub n_arrays: usize,
    pub n_calls: usize,
    pub n_persistent: usize,
    /// As they are written.
    pub globals: Vec<(String, String)>,
    seen: BTreeSet<(String, String)>,
    /// What makes the file suspicious beside its names.
    pub suspicions: Vec<String>,
}

impl Found {
    /// Nothing yet, in a file of which as much was walked as `before` says: the limit is one for all streams.
    pub fn after(before: &Self) -> Self {
        Self {
            n_opcodes: before.n_opcodes,
            ..Self::default()
        }
    }

    pub fn global(&mut self, module: &str, name: &str) {
        if self.globals.len() >= MAX_GLOBALS {
            self.suspect(format!("it names more than {MAX_GLOBALS} things"));
            return;
        }
        let key = (module.to_owned(), name.to_owned());
        if self.seen.insert(key.clone()) {
            self.globals.push(key);
        }
    }

    pub fn has(&self, global: &(String, String)) -> bool {
        self.seen.contains(global)
    }

    pub fn suspect(&mut self, what: String) {
        if self.suspicions.len() < 32 && !self.suspicions.contains(&what) {
            self.suspicions.push(what);
        }
    }

    /// Takes over what another walk found.
    pub fn join(&mut self, other: Self) {
        self.protocol = self.protocol.max(other.protocol);
        self.n_opcodes += other.n_opcodes;
        self.n_arrays += other.n_arrays;
        self.n_calls += other.n_calls;
        self.n_persistent += other.n_persistent;
        for (module, name) in other.globals {
            self.global(&module, &name);
        }
        for what in other.suspicions {
            self.suspect(what);
        }
    }
}

/// Why a walk did not come to the end of its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Broken {
    pub at: usize,
    pub why: Why,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    Unknown(u8),
    Truncated,
    /// An array that can not be followed.
    Array,
    Limit,
}

/// Who would load the stream: joblib takes the bytes of an array out of the stream where its wrapper is complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loader {
    Pickle,
    Joblib,
}

/// Walks the stream that begins at `start`; where the next one may begin.
pub fn stream(bytes: &[u8], start: usize, loader: Loader, limits: &Limits, found: &mut Found) -> Result<usize, Broken> {
    Walk {
        ops: Ops::new(bytes, start),
        bytes,
        loader,
        limits,
        found,
        stack: Vec::new(),
        memo: Memo::default(),
        kept: Kept::default(),
    }
    .run()
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Value<'a> {
    Mark,
    Text(&'a str),
    /// A text that was written with escapes; the index in `Kept::texts`.
    Decoded(usize),
    Int(i64),
    None,
    Bool(bool),
    Global(usize),
    Tuple(usize),
    /// A dictionary or an object: the index in `Kept::objects`.
    Object(usize),
    Other,
}

/// What values refer to.
#[derive(Debug, Default)]
struct Kept<'a> {
    texts: Vec<String>,
    globals: Vec<(String, String)>,
    tuples: Vec<Vec<Value<'a>>>,
    objects: Vec<Object<'a>>,
}

/// What was made of a class, or a dictionary.
#[derive(Debug, Default)]
struct Object<'a> {
    class: Option<usize>,
    /// What it was called with.
    arguments: Vec<Value<'a>>,
    attributes: Vec<(String, Value<'a>)>,
    /// Its state as it was given, where that is no dictionary.
    state: Option<usize>,
    /// More was set than is kept, or in a way that is not followed.
    is_blurred: bool,
}

#[derive(Debug, Default)]
struct Memo<'a> {
    dense: Vec<Value<'a>>,
    sparse: HashMap<u64, Value<'a>>,
}

impl<'a> Memo<'a> {
    fn len(&self) -> usize {
        self.dense.len() + self.sparse.len()
    }

    fn set(&mut self, index: u64, value: Value<'a>) {
        match usize::try_from(index) {
            Ok(index) if index < self.dense.len() => self.dense[index] = value,
            Ok(n) if n == self.dense.len() && !self.sparse.contains_key(&index) => self.dense.push(value),
            _ => {
                self.sparse.insert(index, value);
            }
        }
    }

    fn get(&self, index: u64) -> Option<Value<'a>> {
        let dense = usize::try_from(index).ok().and_then(|index| self.dense.get(index));
        dense.or_else(|| self.sparse.get(&index)).copied()
    }
}

struct Walk<'a, 'b> {
    ops: Ops<'a>,
    bytes: &'a [u8],
    loader: Loader,
    limits: &'b Limits,
    found: &'b mut Found,
    stack: Vec<Value<'a>>,
    memo: Memo<'a>,
    kept: Kept<'a>,
}

impl<'a> Walk<'a, '_> {
    fn run(mut self) -> Result<usize, Broken> {
        loop {
            let at = self.ops.at;
            let broken = |why| Broken { at, why };
            self.found.n_opcodes += 1;
            if self.found.n_opcodes > self.limits.n_opcodes
                || self.stack.len().max(self.memo.len()) > self.limits.n_values
                || self.kept.texts.len() > MAX_DECODED
            {
                return Err(broken(Why::Limit));
            }
            let op = self.ops.next_op().map_err(|error| match error {
                OpError::Unknown(code) => broken(Why::Unknown(code)),
                OpError::Truncated => broken(Why::Truncated),
            })?;
            if op == Op::Stop {
                return Ok(self.ops.at);
            }
            self.step(op).map_err(broken)?;
        }
    }

    fn step(&mut self, op: Op<'a>) -> Result<(), Why> {
        match op {
            Op::Stop | Op::Frame | Op::ReadonlyBuffer => {}
            Op::Mark => self.stack.push(Value::Mark),
            Op::Pop => {
                self.stack.pop();
            }
            Op::Dup => {
                let top = self.top();
                self.stack.push(top);
            }
            Op::None => self.stack.push(Value::None),
            Op::Bool(value) => self.stack.push(Value::Bool(value)),
            Op::Int(value) => self.stack.push(Value::Int(value)),
            Op::Text(Cow::Borrowed(text)) => self.stack.push(Value::Text(text)),
            Op::Text(Cow::Owned(text)) => {
                let index = self.kept.texts.len();
                self.kept.texts.push(text);
                self.stack.push(Value::Decoded(index));
            }
            Op::LargeInt | Op::Float(_) | Op::Bytes(_) | Op::EmptyList | Op::EmptySet | Op::NextBuffer => {
                self.stack.push(Value::Other);
            }
            Op::PersistentId => {
                self.found.n_persistent += 1;
                self.stack.push(Value::Other);
            }
            Op::PersistentIdOnStack => {
                self.found.n_persistent += 1;
                self.pop();
                self.stack.push(Value::Other);
            }
            Op::EmptyDict => {
                let dict = self.object(Object::default());
                self.stack.push(dict);
            }
            Op::EmptyTuple => {
                let tuple = self.tuple(Vec::new());
                self.stack.push(tuple);
            }
            Op::Tuple => {
                let items = self.above_mark();
                let tuple = self.tuple(items);
                self.stack.push(tuple);
            }
            Op::TupleOf(n) => {
                let mut items: Vec<_> = (0..n).map(|_| self.pop()).collect();
                items.reverse();
                let tuple = self.tuple(items);
                self.stack.push(tuple);
            }
            Op::List | Op::FrozenSet => {
                self.above_mark();
                self.stack.push(Value::Other);
            }
            Op::Dict => {
                let items = self.above_mark();
                let dict = self.object(Object::default());
                self.stack.push(dict);
                self.set_items(&items);
            }
            Op::Append => {
                self.pop();
            }
            Op::PopMark | Op::Appends | Op::AddItems => {
                self.above_mark();
            }
            Op::SetItem => {
                let value = self.pop();
                let key = self.pop();
                self.set_items(&[key, value]);
            }
            Op::SetItems => {
                let items = self.above_mark();
                self.set_items(&items);
            }
            Op::Global(name) => {
                let global = self.named(&name);
                self.stack.push(global);
            }
            Op::StackGlobal => {
                let name = self.pop();
                let module = self.pop();
                let global = self.named_on_stack(module, name);
                self.stack.push(global);
            }
            Op::Inst(name) => {
                let class = self.named(&name);
                let arguments = self.above_mark();
                self.call(class, arguments);
            }
            Op::Obj => {
                let mut items = self.above_mark();
                let class = if items.is_empty() {
                    Value::Other
                } else {
                    items.remove(0)
                };
                self.call(class, items);
            }
            Op::Reduce | Op::NewObj => {
                let arguments = self.pop();
                let callable = self.pop();
                let arguments = self.items(arguments);
                self.call(callable, arguments);
            }
            Op::NewObjEx => {
                self.pop();
                let arguments = self.pop();
                let class = self.pop();
                let arguments = self.items(arguments);
                self.call(class, arguments);
            }
            Op::Build => return self.build(),
            Op::Extension(code) => {
                self.found.suspect(format!(
                    "it uses extension code {code}, which stands for whatever its loader knows by it"
                ));
                self.stack.push(Value::Other);
            }
            Op::Get(index) => {
                let value = self.memo.get(index).unwrap_or(Value::Other);
                self.stack.push(value);
            }
            Op::Put(index) => {
                let top = self.top();
                self.memo.set(index, top);
            }
            Op::Memoize => {
                let top = self.top();
                self.memo.set(self.memo.len() as u64, top);
            }
            Op::Protocol(version) => self.found.protocol = self.found.protocol.max(version),
        }
        Ok(())
    }

    /// What is missing is something that nobody knows; the loader would fail here, but not every loader alike.
    fn pop(&mut self) -> Value<'a> {
        self.stack.pop().unwrap_or(Value::Other)
    }

    fn top(&self) -> Value<'a> {
        self.stack.last().copied().unwrap_or(Value::Other)
    }

    /// What lies above the topmost mark, which goes too.
    fn above_mark(&mut self) -> Vec<Value<'a>> {
        let mark = self.stack.iter().rposition(|value| *value == Value::Mark);
        let items = self.stack.split_off(mark.map_or(0, |mark| mark + 1));
        self.stack.pop();
        items
    }

    fn tuple(&mut self, items: Vec<Value<'a>>) -> Value<'a> {
        if items.len() > MAX_TUPLE || self.kept.tuples.len() == MAX_KEPT {
            return Value::Other;
        }
        self.kept.tuples.push(items);
        Value::Tuple(self.kept.tuples.len() - 1)
    }

    fn object(&mut self, object: Object<'a>) -> Value<'a> {
        if self.kept.objects.len() == MAX_KEPT {
            return Value::Other;
        }
        self.kept.objects.push(object);
        Value::Object(self.kept.objects.len() - 1)
    }

    fn items(&self, value: Value<'a>) -> Vec<Value<'a>> {
        match value {
            Value::Tuple(index) => self.kept.tuples[index].clone(),
            _ => Vec::new(),
        }
    }

    fn text(&self, value: Value<'a>) -> Option<&str> {
        match value {
            Value::Text(text) => Some(text),
            Value::Decoded(index) => Some(&self.kept.texts[index]),
            _ => None,
        }
    }

    fn named(&mut self, name: &Name<'_>) -> Value<'a> {
        self.import(&name.module, &name.name)
    }

    fn named_on_stack(&mut self, module: Value<'a>, name: Value<'a>) -> Value<'a> {
        let texts = self.text(module).zip(self.text(name));
        let Some((module, name)) = texts.map(|(module, name)| (module.to_owned(), name.to_owned())) else {
            self.found
                .suspect("it imports something whose name is not written in it".to_owned());
            return Value::Other;
        };
        self.import(&module, &name)
    }

    fn import(&mut self, module: &str, name: &str) -> Value<'a> {
        if module.len() > MAX_NAME || name.len() > MAX_NAME {
            self.found
                .suspect("it imports something by a name that is longer than any".to_owned());
            return Value::Other;
        }
        self.found.global(module, name);
        let known = (modern_module(module).to_owned(), name.to_owned());
        // The same few names come again and again.
        if let Some(index) = self.kept.globals.iter().rev().take(64).position(|kept| *kept == known) {
            return Value::Global(self.kept.globals.len() - 1 - index);
        }
        self.kept.globals.push(known);
        Value::Global(self.kept.globals.len() - 1)
    }

    fn is(&self, value: Value<'a>, module: &str, name: &str) -> bool {
        matches!(value, Value::Global(index) if {
            let (m, n) = &self.kept.globals[index];
            m == module && n == name
        })
    }

    fn call(&mut self, callable: Value<'a>, arguments: Vec<Value<'a>>) {
        self.found.n_calls += 1;
        // The old ways to make an object of a class.
        let is_maker = self.is(callable, "copyreg", "_reconstructor") || self.is(callable, "copyreg", "__newobj__");
        let (callable, arguments) = match arguments.split_first() {
            Some((class, _)) if is_maker => (*class, Vec::new()),
            _ => (callable, arguments),
        };
        let made = match callable {
            Value::Global(class) => self.object(Object {
                class: Some(class),
                arguments,
                ..Object::default()
            }),
            _ => Value::Other,
        };
        self.stack.push(made);
    }

    fn set_items(&mut self, items: &[Value<'a>]) {
        let Value::Object(index) = self.top() else {
            return;
        };
        for pair in items.chunks_exact(2) {
            let key = self.text(pair[0]).map(str::to_owned);
            self.kept.objects[index].set(key, pair[1]);
        }
    }

    fn build(&mut self) -> Result<(), Why> {
        let state = self.pop();
        let target = self.top();
        if let Value::Global(index) = target {
            let (module, name) = self.kept.globals[index].clone();
            self.found
                .suspect(format!("it changes the class or function `{module}.{name}` itself"));
        }
        let Value::Object(index) = target else {
            return Ok(());
        };
        match state {
            Value::Object(given) if self.kept.objects[given].class.is_none() => {
                let attributes = self.kept.objects[given].attributes.clone();
                let is_blurred = self.kept.objects[given].is_blurred;
                for (key, value) in attributes {
                    self.kept.objects[index].set(Some(key), value);
                }
                self.kept.objects[index].is_blurred |= is_blurred;
            }
            Value::Tuple(tuple) => {
                self.kept.objects[index].state = Some(tuple);
                self.kept.objects[index].is_blurred = true;
            }
            _ => self.kept.objects[index].is_blurred = true,
        }
        if self.loader == Loader::Joblib {
            self.after_build(index)?;
        }
        Ok(())
    }

    /// Where a wrapper of joblib is complete, its array follows.
    fn after_build(&mut self, index: usize) -> Result<(), Why> {
        let Some(class) = self.kept.objects[index].class else {
            return Ok(());
        };
        let (_, name) = &self.kept.globals[class];
        // By whatever way the class is reached: the loader looks at what it is.
        match name.rsplit('.').next() {
            Some("NumpyArrayWrapper") => {}
            Some("NDArrayWrapper" | "ZNDArrayWrapper") => {
                self.found
                    .suspect("its arrays lie in files of their own, as joblib wrote them before 0.10".to_owned());
                return Ok(());
            }
            _ => return Ok(()),
        }
        let array = self.array(index).ok_or(Why::Array)?;
        self.found.n_arrays += 1;
        // What the loader puts in the wrapper's place.
        self.pop();
        self.stack.push(Value::Other);
        match array {
            Array::Objects => {
                let mut limits = *self.limits;
                limits.n_values /= 2;
                self.ops.at = stream(self.bytes, self.ops.at, Loader::Pickle, &limits, self.found)
                    .map_err(|broken| broken.why)?;
            }
            Array::Raw { is_padded, n_bytes } => {
                if is_padded {
                    let padding = self.ops.take(1).map_err(|_| Why::Truncated)?[0];
                    self.ops.take(usize::from(padding)).map_err(|_| Why::Truncated)?;
                }
                self.ops.take(n_bytes).map_err(|_| Why::Truncated)?;
            }
        }
        Ok(())
    }

    fn array(&self, index: usize) -> Option<Array> {
        let wrapper = &self.kept.objects[index];
        if wrapper.is_blurred {
            return None;
        }
        let item = self.item_of(wrapper.get("dtype")?)?;
        let Item::Bytes(item_bytes) = item else {
            return Some(Array::Objects);
        };
        let Value::Tuple(shape) = wrapper.get("shape")? else {
            return None;
        };
        let n_bytes = self.kept.tuples[shape]
            .iter()
            .try_fold(item_bytes, |product, n| match n {
                Value::Int(n) => product.checked_mul(usize::try_from(*n).ok()?),
                _ => None,
            })?;
        let is_padded = match wrapper.get("numpy_array_alignment_bytes") {
            None | Some(Value::None) => false,
            Some(Value::Int(_)) => true,
            Some(_) => return None,
        };
        Some(Array::Raw { is_padded, n_bytes })
    }

    /// How much an item of a `dtype` takes; numpy writes the kind and size, and for some kinds the size in the state.
    fn item_of(&self, dtype: Value<'a>) -> Option<Item> {
        let Value::Object(index) = dtype else {
            return None;
        };
        let made = &self.kept.objects[index];
        let (module, name) = &self.kept.globals[made.class?];
        // Since numpy 1.20 each kind has a class of its own, which is pickled as `numpy.dtype` all the same.
        if module != "numpy" || name != "dtype" {
            return None;
        }
        let kind = self.text(*made.arguments.first()?)?;
        let state: &[Value<'a>] = made.state.map_or(&[], |state| &self.kept.tuples[state]);
        let flags = match state.get(7) {
            Some(Value::Int(flags)) => *flags,
            None => 0,
            Some(_) => return None,
        };
        let kind = kind.trim_start_matches(['<', '>', '|', '=']);
        if kind.starts_with('O') || flags & 1 != 0 {
            return Some(Item::Object);
        }
        let digits = kind.get(1..)?;
        let size: usize = digits.parse().ok()?;
        match (kind.as_bytes().first()?, state.get(5)) {
            // numpy's own word on the size counts; a text takes four bytes a character.
            (_, Some(Value::Int(elsize))) if *elsize >= 0 => Some(Item::Bytes(usize::try_from(*elsize).ok()?)),
            (b'U', _) => Some(Item::Bytes(size.checked_mul(4)?)),
            (b'b' | b'i' | b'u' | b'f' | b'c' | b'm' | b'M' | b'S' | b'V', _) => Some(Item::Bytes(size)),
            _ => None,
        }
    }
}

enum Item {
    Object,
    Bytes(usize),
}

enum Array {
    /// A pickle of its own.
    Objects,
    Raw {
        is_padded: bool,
        n_bytes: usize,
    },
}

impl<'a> Object<'a> {
    fn set(&mut self, key: Option<String>, value: Value<'a>) {
        let Some(key) = key else {
            return;
        };
        if let Some((_, old)) = self.attributes.iter_mut().find(|(name, _)| *name == key) {
            *old = value;
        } else if self.attributes.len() < MAX_ATTRIBUTES {
            self.attributes.push((key, value));
        } else {
            self.is_blurred = true;
        }
    }

    fn get(&self, key: &str) -> Option<Value<'a>> {
        self.attributes
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| *value)
    }
}

/// Whether what was found where there may be no name can be one: letters of any script, digits, `_`, joined by dots.
pub fn is_name((module, name): &(String, String)) -> bool {
    let is_path = |text: &str| {
        text.split('.')
            .all(|part| !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || c == '_'))
    };
    is_path(module) && is_path(name)
}
