//! Events of the YAML parser → [`Node`] tree, counted before it is built. Pure.

use std::collections::{BTreeMap, HashMap};

use serde_yaml::granit_parser::{Event, ScalarStyle};

use crate::base::{Diagnostic, Diagnostics, Entry, Node, Span, Value, shortened};

use super::parse::MAX_BYTES;
use super::scalar;

/// Nodes of the tree; what an alias stands for counts each time it is used.
pub const MAX_NODES: usize = 20_000;
/// Bytes of all scalars, counted the same way.
const MAX_TEXT_BYTES: usize = 4 * MAX_BYTES;
/// Lists and mappings within each other.
pub const MAX_DEPTH: usize = 32;

/// How much a node is, with what its aliases stand for.
#[derive(Clone, Copy)]
struct Measure {
    n_nodes: usize,
    n_bytes: usize,
    /// Lists and mappings within each other; 0 for a scalar.
    height: usize,
}

impl Measure {
    fn scalar(n_bytes: usize) -> Self {
        Self {
            n_nodes: 1,
            n_bytes,
            height: 0,
        }
    }

    fn collection() -> Self {
        Self {
            n_nodes: 1,
            n_bytes: 0,
            height: 1,
        }
    }

    /// Takes in a node that stands inside this one.
    fn include(&mut self, inner: Self) {
        self.n_nodes = self.n_nodes.saturating_add(inner.n_nodes);
        self.n_bytes = self.n_bytes.saturating_add(inner.n_bytes);
        self.height = self.height.max(inner.height + 1);
    }
}

/// A complete node.
#[derive(Clone)]
struct Done {
    node: Node,
    measure: Measure,
    /// Written without quotes: `<<` is a merge key only then.
    plain: bool,
}

/// An open list or mapping.
struct Frame {
    anchor: usize,
    span: Span,
    measure: Measure,
    kind: Open,
}

enum Open {
    List(Vec<Node>),
    Map {
        entries: Vec<Entry>,
        /// Where each key was first.
        seen: HashMap<String, Span>,
        key: Key,
    },
}

/// What a mapping waits for.
#[derive(Default)]
enum Key {
    /// The next node is a key.
    #[default]
    Awaited,
    /// The next node is the value of this key.
    Read(String, Span),
    /// The next node is the value of a key that can not be used.
    Unusable,
}

#[derive(Default)]
pub struct Builder {
    stack: Vec<Frame>,
    /// Complete anchored nodes; each was counted once more for its copy here.
    anchors: BTreeMap<usize, Done>,
    n_nodes: usize,
    n_bytes: usize,
    n_documents: usize,
    pub root: Option<Node>,
    /// Problems with keys and tags, after which there is still a tree.
    pub problems: Diagnostics,
}

impl Builder {
    /// Takes the next event of the parser, which is at `span`.
    pub fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Diagnostics> {
        let done = match event {
            Event::DocumentStart(..) => {
                self.n_documents += 1;
                if self.n_documents > 1 {
                    return Err(
                        Diagnostic::error("several-documents", "a second YAML document begins here")
                            .at(span)
                            .help("keep one document in the file: remove this `---` and what follows")
                            .into(),
                    );
                }
                return Ok(());
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_tag(tag.is_some(), span);
                let measure = Measure::scalar(text.len());
                self.count(measure, span)?;
                let plain = style == ScalarStyle::Plain;
                let value = if plain {
                    scalar::resolve(&text)
                } else {
                    Value::Text(text.into_owned())
                };
                let node = Node { value, span };
                self.anchored(anchor, Done { node, measure, plain })?
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.refuse_tag(tag.is_some(), span);
                return self.open(anchor, span, Open::List(Vec::new()));
            }
            Event::MappingStart(_, anchor, tag) => {
                self.refuse_tag(tag.is_some(), span);
                let kind = Open::Map {
                    entries: Vec::new(),
                    seen: HashMap::new(),
                    key: Key::Awaited,
                };
                return self.open(anchor, span, kind);
            }
            Event::SequenceEnd | Event::MappingEnd => match self.stack.pop() {
                Some(frame) => self.close(frame)?,
                None => return Ok(()),
            },
            Event::Alias(id) => self.alias(id, span)?,
            // Everything else marks places that hold no value.
            _ => return Ok(()),
        };
        self.put(done);
        Ok(())
    }

    fn refuse_tag(&mut self, tagged: bool, span: Span) {
        if tagged {
            self.problems.push(
                Diagnostic::error("tag", "YAML tags such as `!!str` are not read")
                    .at(span)
                    .help("remove the tag; quotes make a text"),
            );
        }
    }

    fn open(&mut self, anchor: usize, span: Span, kind: Open) -> Result<(), Diagnostics> {
        if self.stack.len() >= MAX_DEPTH {
            return Err(too_deep(span).into());
        }
        let measure = Measure::collection();
        self.count(measure, span)?;
        self.stack.push(Frame {
            anchor,
            span: Span::new(span.line, span.column, span.column),
            measure,
            kind,
        });
        Ok(())
    }

    fn close(&mut self, frame: Frame) -> Result<Done, Diagnostics> {
        let value = match frame.kind {
            Open::List(items) => Value::List(items),
            Open::Map { entries, .. } => Value::Map(entries),
        };
        let done = Done {
            node: Node {
                value,
                span: frame.span,
            },
            measure: frame.measure,
            plain: false,
        };
        self.anchored(frame.anchor, done)
    }

    /// Keeps a copy of an anchored node for its aliases.
    fn anchored(&mut self, anchor: usize, done: Done) -> Result<Done, Diagnostics> {
        if anchor != 0 {
            self.count(done.measure, done.node.span)?;
            self.anchors.insert(anchor, done.clone());
        }
        Ok(done)
    }

    fn alias(&mut self, id: usize, span: Span) -> Result<Done, Diagnostics> {
        let Some(measure) = self.anchors.get(&id).map(|done| done.measure) else {
            return Err(
                Diagnostic::error("endless-alias", "this alias stands inside what it stands for")
                    .at(span)
                    .help("write the value out")
                    .into(),
            );
        };
        if self.stack.len() + measure.height > MAX_DEPTH {
            return Err(too_deep(span).into());
        }
        self.count(measure, span)?; // Before the copy is made.
        let done = &self.anchors[&id];
        Ok(Done {
            node: Node {
                value: done.node.value.clone(),
                span,
            },
            ..*done
        })
    }

    fn count(&mut self, measure: Measure, span: Span) -> Result<(), Diagnostics> {
        self.n_nodes = self.n_nodes.saturating_add(measure.n_nodes);
        self.n_bytes = self.n_bytes.saturating_add(measure.n_bytes);
        if self.n_nodes <= MAX_NODES && self.n_bytes <= MAX_TEXT_BYTES {
            return Ok(());
        }
        let limit = if self.n_nodes > MAX_NODES {
            format!("{MAX_NODES} values")
        } else {
            format!("{MAX_TEXT_BYTES} bytes of text")
        };
        Err(Diagnostic::error(
            "too-large",
            format!("the configuration has more than {limit} when its aliases are written out"),
        )
        .at(span)
        .help("use fewer aliases, and move data out of the configuration")
        .into())
    }

    /// Puts a complete node where it belongs.
    fn put(&mut self, done: Done) {
        let Some(frame) = self.stack.last_mut() else {
            self.root = Some(done.node);
            return;
        };
        frame.measure.include(done.measure);
        match &mut frame.kind {
            Open::List(items) => items.push(done.node),
            Open::Map { entries, seen, key } => match std::mem::take(key) {
                Key::Awaited => *key = usable_key(done, seen, &mut self.problems),
                Key::Unusable => {}
                Key::Read(key, key_span) => entries.push(Entry {
                    key,
                    key_span,
                    node: done.node,
                }),
            },
        }
    }
}

/// The text and place of a key; a key that can not be used is a problem.
fn usable_key(done: Done, seen: &mut HashMap<String, Span>, problems: &mut Diagnostics) -> Key {
    let span = done.node.span;
    let key = match done.node.value {
        Value::Text(text) | Value::Number { text, .. } => text,
        Value::Bool(value) => value.to_string(),
        Value::Null => {
            problems.push(
                Diagnostic::error("bad-key", "a key is missing here")
                    .at(span)
                    .help("write `key: value`; quote a key that is named `null` or `~`"),
            );
            return Key::Unusable;
        }
        Value::List(_) | Value::Map(_) => {
            problems.push(
                Diagnostic::error("bad-key", format!("a key can not be {}", done.node.kind()))
                    .at(span)
                    .help("write `key: value` with a text as key"),
            );
            return Key::Unusable;
        }
    };
    if done.plain && key == "<<" {
        problems.push(
            Diagnostic::error("merge-key", "merge keys (`<<`) are not read")
                .at(span)
                .help("write the keys out, or use an alias for a whole value"),
        );
        return Key::Unusable;
    }
    if let Some(first) = seen.get(&key) {
        problems.push(
            Diagnostic::error("duplicate-key", format!("`{}` is given twice", shortened(&key)))
                .at(span)
                .help(format!(
                    "it is on line {}, column {} too; remove one of them",
                    first.line, first.column
                )),
        );
        return Key::Unusable;
    }
    seen.insert(key.clone(), span);
    Key::Read(key, span)
}

pub fn too_deep(span: Span) -> Diagnostic {
    Diagnostic::error(
        "too-deep",
        format!("lists and mappings are more than {MAX_DEPTH} deep here"),
    )
    .at(span)
    .help("no setting needs more than a few levels")
}
