//! Values by the names that lead to them, put together one by one. Pure.
//!
//! A value is kept as it is written, so that numbers which JSON does not have come through.

use indexmap::IndexMap;
use serde_json::Value as Json;

use super::records::Item;
use crate::wandb::lines;

#[derive(Debug, Clone, PartialEq)]
enum Node {
    /// As it is written.
    Written(String),
    Branch(Tree),
}

/// In the order in which the names came.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tree(IndexMap<String, Node>);

/// The names that lead to a value; a single name may have dots.
fn path(item: &Item) -> Vec<&str> {
    if item.nested_key.is_empty() {
        vec![&item.key]
    } else {
        item.nested_key.iter().map(String::as_str).collect()
    }
}

impl Tree {
    pub fn of(items: &[Item]) -> Self {
        let mut tree = Self::default();
        for item in items {
            tree.set(item);
        }
        tree
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub fn set(&mut self, item: &Item) {
        self.put(&path(item), Node::Written(item.value_json.clone()));
    }

    /// As it is written, under one name.
    pub fn put_written(&mut self, name: &str, written: String) {
        self.0.insert(name.to_owned(), Node::Written(written));
    }

    fn put(&mut self, path: &[&str], node: Node) {
        match path {
            [] => {}
            [name] => drop(self.0.insert((*name).to_owned(), node)),
            [name, rest @ ..] => self.below(name).put(rest, node),
        }
    }

    /// What is below a name; a value that is there opens up if it is an object, and gives way if it is not.
    fn below(&mut self, name: &str) -> &mut Self {
        let node = self
            .0
            .entry(name.to_owned())
            .or_insert_with(|| Node::Branch(Self::default()));
        if let Node::Written(written) = node {
            *node = Node::Branch(Self::opened(written));
        }
        match node {
            Node::Branch(tree) => tree,
            Node::Written(_) => unreachable!("it has just become a branch"),
        }
    }

    fn opened(written: &str) -> Self {
        let Ok(Json::Object(members)) = serde_json::from_str(written) else {
            return Self::default();
        };
        let written = |value: Json| Node::Written(value.to_string());
        Self(
            members
                .into_iter()
                .map(|(name, value)| (name, written(value)))
                .collect(),
        )
    }

    pub fn remove(&mut self, item: &Item) {
        self.take(&path(item));
    }

    fn take(&mut self, path: &[&str]) {
        match path {
            [] => {}
            [name] => drop(self.0.shift_remove(*name)),
            [name, rest @ ..] => {
                if self.has(name) {
                    self.below(name).take(rest);
                }
            }
        }
    }

    /// What is below a name, apart from the rest.
    pub fn split_off(&mut self, name: &str) -> Option<Self> {
        match self.0.shift_remove(name)? {
            Node::Branch(tree) => Some(tree),
            Node::Written(written) => Some(Self::opened(&written)),
        }
    }

    /// One line.
    pub fn written(&self) -> String {
        let members = self.0.iter().map(|(name, node)| {
            let written = match node {
                Node::Written(written) => written.clone(),
                Node::Branch(tree) => tree.written(),
            };
            (name.as_str(), written)
        });
        lines::object(members)
    }

    /// As JSON, where what is none is a text.
    pub fn json(&self) -> serde_json::Map<String, Json> {
        let json = |node: &Node| match node {
            Node::Written(written) => serde_json::from_str(written).unwrap_or_else(|_| written.as_str().into()),
            Node::Branch(tree) => tree.json().into(),
        };
        self.0.iter().map(|(name, node)| (name.clone(), json(node))).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(path: &[&str], value: &str) -> Item {
        Item {
            key: String::new(),
            nested_key: path.iter().map(|part| (*part).to_owned()).collect(),
            value_json: value.to_owned(),
        }
    }

    #[test]
    fn values_come_to_where_their_names_lead() {
        let mut tree = Tree::of(&[
            at(&["loss"], "NaN"),
            at(&["n", "x"], "1"),
            at(&["a/b.c"], "Infinity"),
            at(&["n", "y", "z"], "\"t\""),
            at(&["acc"], "{\"max\":0.9,\"min\":0.1}"),
        ]);
        tree.set(&at(&["acc", "max"], "0.95"));
        tree.set(&at(&["loss"], "-Infinity"));
        assert_eq!(
            tree.written(),
            r#"{"loss":-Infinity,"n":{"x":1,"y":{"z":"t"}},"a/b.c":Infinity,"acc":{"max":0.95,"min":0.1}}"#
        );
        assert_eq!(tree.json()["loss"], json!("-Infinity"));
        tree.remove(&at(&["n", "y"], ""));
        tree.remove(&at(&["none", "y"], ""));
        tree.remove(&at(&["loss"], ""));
        tree.set(&at(&["a/b.c", "new"], "[1]"));
        assert_eq!(
            tree.written(),
            r#"{"n":{"x":1},"a/b.c":{"new":[1]},"acc":{"max":0.95,"min":0.1}}"#
        );
        assert_eq!(tree.split_off("n").unwrap().written(), r#"{"x":1}"#);
        assert_eq!(tree.split_off("n"), None);
        assert_eq!(tree.split_off("acc").unwrap().json()["max"], json!(0.95));
    }
}
