//! Lists in pages, as connections. Pure.

use super::execute::{Args, Node, Out, leaf, made, node, null};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// More than this is never on one page.
const MAX_PAGE: usize = 5000;

/// A member of a list and what its edge says beside it.
pub struct Item {
    pub node: Out,
    pub beside: Vec<(&'static str, Out)>,
}

impl Item {
    pub fn of(one: Node) -> Self {
        Self {
            node: node(one),
            beside: Vec::new(),
        }
    }

    pub fn made(node: Out) -> Self {
        Self {
            node,
            beside: Vec::new(),
        }
    }

    pub fn with(mut self, name: &'static str, value: Out) -> Self {
        self.beside.push((name, value));
        self
    }
}

/// The page that `first` and `after` ask for.
pub fn connection(kind: &'static str, edge: &'static str, args: &Args, items: Vec<Item>) -> Out {
    let n_items = items.len();
    let start = args.text("after").and_then(place).map_or(0, |place| place + 1);
    let size = args.number("first").map_or(MAX_PAGE, |first| first.min(MAX_PAGE));
    let end = start.saturating_add(size).min(n_items);
    let page = items.into_iter().enumerate().skip(start).take(size);
    let edges = page.map(|(index, item)| {
        let mut fields = vec![("cursor", leaf(cursor(index))), ("node", item.node)];
        fields.extend(item.beside);
        made(edge, fields)
    });
    let edges: Vec<Out> = edges.collect();
    let end_cursor = if edges.is_empty() {
        null()
    } else {
        leaf(cursor(end - 1))
    };
    let info = made(
        "PageInfo",
        vec![("endCursor", end_cursor), ("hasNextPage", leaf(end < n_items))],
    );
    let fields = vec![
        ("totalCount", leaf(n_items)),
        ("pageInfo", info),
        ("edges", Out::List(edges)),
    ];
    made(kind, fields)
}

fn cursor(index: usize) -> String {
    STANDARD.encode(format!("place:{index}"))
}

fn place(cursor: &str) -> Option<usize> {
    let text = String::from_utf8(STANDARD.decode(cursor).ok()?).ok()?;
    text.strip_prefix("place:")?.parse().ok()
}
