//! The model as ONNX, so that any runtime can answer as this program does. Pure.
//!
//! One input of N × 1 a column of the data, `double` for numbers (NaN is missing; booleans are 0 and 1, moments are Unix
//! seconds) and `string` for texts (empty is missing). A regression has one output `variable`, N × 1; classes have
//! `label`, N texts, and `probabilities`, N × classes. All in double precision, but for what leaves a tree ensemble,
//! which the operator defines as single; its values are therefore scaled to −1 to 1 first.
//!
//! Operators: default domain version 17, `ai.onnx.ml` version 3. Oracle: `fixtures/onnx/check.py`.

mod proto;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use crate::base::Task;

use super::core::{Core, Linear};
use super::forest::Forest;
use super::model::Model;
use super::preprocess::{Encoding, Feature};
use proto::{
    Element, Message, attribute_int, attribute_ints, attribute_tensor, attribute_text, attribute_texts, doubles,
    integers, texts, value,
};

const ML_DOMAIN: &str = "ai.onnx.ml";

impl Model {
    /// The model with its preprocessing as an ONNX file; the same model gives the same bytes.
    pub fn to_onnx(&self) -> Vec<u8> {
        let mut graph = Graph::default();
        let matrix = graph.preprocess(&self.preprocessing().features);
        let width = self.preprocessing().width();
        let classes = self.task() != Task::Regression;
        let scores = match self.core() {
            Core::Linear(linear) => graph.linear(linear, &matrix, width, classes),
            Core::Forest(forest) => graph.forest(forest, &matrix, classes),
        };
        if classes {
            graph.classes(&scores, self.labels());
        } else {
            let output = graph.output("variable", Element::Double, Some(1));
            graph.node("Identity", &[&scores], &output, []);
        }
        let opset = |domain: &str, version| Message::default().text(1, domain).int(2, version);
        let property = |key: &str, value: &str| Message::default().text(1, key).text(2, value);
        Message::default()
            .int(1, 8)
            .text(2, "mlops")
            .message(7, &graph.finish())
            .message(8, &opset("", 17))
            .message(8, &opset(ML_DOMAIN, 3))
            .message(14, &property("estimator", self.estimator()))
            .message(14, &property("target", self.target()))
            .into_bytes()
    }
}

/// A graph under construction; names are unique, those of inputs are the columns'.
#[derive(Debug, Default)]
struct Graph {
    names: BTreeSet<String>,
    nodes: Vec<Message>,
    initializers: Vec<Message>,
    inputs: Vec<Message>,
    outputs: Vec<Message>,
}

impl Graph {
    fn finish(self) -> Message {
        let mut graph = Message::default();
        for (field, messages) in [
            (1, &self.nodes),
            (5, &self.initializers),
            (11, &self.inputs),
            (12, &self.outputs),
        ] {
            graph = messages
                .iter()
                .fold(graph, |graph, message| graph.message(field, message));
            if field == 1 {
                graph = graph.text(2, "model");
            }
        }
        graph
    }

    /// `wanted`, with underscores after it until nothing else has that name.
    fn name(&mut self, wanted: &str) -> String {
        let mut name = if wanted.is_empty() {
            "_".to_owned()
        } else {
            wanted.to_owned()
        };
        while !self.names.insert(name.clone()) {
            name.push('_');
        }
        name
    }

    fn node(&mut self, operator: &str, inputs: &[&str], output: &str, attributes: impl IntoIterator<Item = Message>) {
        self.node_in("", operator, inputs, output, attributes);
    }

    fn node_in(
        &mut self,
        domain: &str,
        operator: &str,
        inputs: &[&str],
        output: &str,
        attributes: impl IntoIterator<Item = Message>,
    ) {
        let mut node = inputs
            .iter()
            .fold(Message::default(), |node, input| node.text(1, input));
        node = node.text(2, output).text(3, output).text(4, operator);
        node = attributes
            .into_iter()
            .fold(node, |node, attribute| node.message(5, &attribute));
        self.nodes
            .push(if domain.is_empty() { node } else { node.text(7, domain) });
    }

    /// A node whose output only this graph sees; returns its name.
    fn step(&mut self, operator: &str, inputs: &[&str], attributes: impl IntoIterator<Item = Message>) -> String {
        let output = self.name(&format!("/{operator}"));
        self.node(operator, inputs, &output, attributes);
        output
    }

    fn constant(&mut self, wanted: &str, dims: &[usize], values: impl IntoIterator<Item = f64>) -> String {
        let name = self.name(&format!("/{wanted}"));
        self.initializers.push(doubles(&name, dims, values));
        name
    }

    fn input(&mut self, feature: &str, element: Element) -> String {
        let name = self.name(feature);
        self.inputs.push(value(&name, element, Some(1)));
        name
    }

    fn output(&mut self, wanted: &str, element: Element, n_columns: Option<usize>) -> String {
        let name = self.name(wanted);
        self.outputs.push(value(&name, element, n_columns));
        name
    }

    fn concat(&mut self, parts: &[String]) -> String {
        if let [only] = parts {
            return only.clone();
        }
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        self.step("Concat", &parts, [attribute_int("axis", 1)])
    }

    /// The matrix that the estimator was fitted on: N × width.
    fn preprocess(&mut self, features: &[Feature]) -> String {
        // Inputs come first, so that nothing else takes a column's name.
        let inputs: Vec<String> = features
            .iter()
            .map(|Feature { name, encoding }| {
                let element = match encoding {
                    Encoding::Number { .. } | Encoding::Timestamp { .. } => Element::Double,
                    Encoding::Levels { .. } => Element::Text,
                };
                self.input(name, element)
            })
            .collect();
        let (mut blocks, mut run, mut numbers) = (Vec::new(), Vec::new(), Vec::new());
        for (Feature { encoding, .. }, input) in features.iter().zip(&inputs) {
            match encoding {
                Encoding::Number { impute, center, scale } | Encoding::Timestamp { impute, center, scale } => {
                    run.push(input.clone());
                    numbers.push([*impute, *center, *scale]);
                }
                Encoding::Levels { levels, missing } => {
                    self.numbers(&mut run, &mut numbers, &mut blocks);
                    blocks.push(self.levels(input, levels, *missing));
                }
            }
        }
        self.numbers(&mut run, &mut numbers, &mut blocks);
        self.concat(&blocks)
    }

    /// Neighbouring numbers at once: imputed, centered, scaled.
    fn numbers(&mut self, run: &mut Vec<String>, numbers: &mut Vec<[f64; 3]>, blocks: &mut Vec<String>) {
        if run.is_empty() {
            return;
        }
        let raw = self.concat(run);
        let n = numbers.len();
        let part = |graph: &mut Self, name: &str, part: usize| {
            graph.constant(name, &[1, n], numbers.iter().map(|number| number[part]))
        };
        let impute = part(self, "impute", 0);
        let missing = self.step("IsNaN", &[&raw], []);
        let mut block = self.step("Where", &[&missing, &impute, &raw], []);
        if numbers.iter().any(|[_, center, scale]| (*center, *scale) != (0.0, 1.0)) {
            let (center, scale) = (part(self, "center", 1), part(self, "scale", 2));
            let centered = self.step("Sub", &[&block, &center], []);
            block = self.step("Div", &[&centered, &scale], []);
        }
        blocks.push(block);
        run.clear();
        numbers.clear();
    }

    fn levels(&mut self, input: &str, levels: &[String], missing: bool) -> String {
        let all = levels.iter().map(String::as_str).chain(missing.then_some(""));
        let attributes = [attribute_texts("cats_strings", all), attribute_int("zeros", 1)];
        let hot = self.name("/OneHotEncoder");
        self.node_in(ML_DOMAIN, "OneHotEncoder", &[input], &hot, attributes);
        let axis = self.name("/axis");
        self.initializers.push(integers(&axis, &[1]));
        let flat = self.step("Squeeze", &[&hot, &axis], []);
        self.double(&flat)
    }

    fn double(&mut self, input: &str) -> String {
        self.step("Cast", &[input], [attribute_int("to", Element::Double as i64)])
    }

    /// N × outputs: values, or probabilities of the second class or of each.
    fn linear(&mut self, linear: &Linear, matrix: &str, width: usize, classes: bool) -> String {
        let n_outputs = linear.coef.len();
        let weights = (0..width).flat_map(|column| linear.coef.iter().map(move |coef| coef[column]));
        let coef = self.constant("coef", &[width, n_outputs], weights);
        let intercept = self.constant("intercept", &[1, n_outputs], linear.intercept.iter().copied());
        let product = self.step("MatMul", &[matrix, &coef], []);
        let scores = self.step("Add", &[&product, &intercept], []);
        match (classes, n_outputs) {
            (false, _) => scores,
            (true, 1) => self.step("Sigmoid", &[&scores], []),
            (true, _) => self.step("Softmax", &[&scores], [attribute_int("axis", 1)]),
        }
    }

    fn forest(&mut self, forest: &Forest, matrix: &str, classes: bool) -> String {
        let values = || forest.trees.iter().flat_map(|tree| &tree.value);
        let (low, high) = values().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), &v| (l.min(v), h.max(v)));
        let (middle, unit) = if classes {
            (0.0, 1.0)
        } else {
            (low.midpoint(high), high / 2.0 - low / 2.0)
        };
        let unit = if unit > 0.0 { unit } else { 1.0 };
        let ensemble = self.name("/TreeEnsembleRegressor");
        let attributes = ensemble_attributes(forest, |value| (value - middle) / unit);
        self.node_in(ML_DOMAIN, "TreeEnsembleRegressor", &[matrix], &ensemble, attributes);
        let mut scores = self.double(&ensemble);
        if !classes {
            let [unit, middle] =
                [("unit", unit), ("middle", middle)].map(|(name, v)| self.constant(name, &[1, 1], [v]));
            let scaled = self.step("Mul", &[&scores, &unit], []);
            scores = self.step("Add", &[&scaled, &middle], []);
        }
        scores
    }

    fn classes(&mut self, scores: &str, labels: &[String]) {
        let label = self.output("label", Element::Text, None);
        let probabilities = self.output("probabilities", Element::Double, Some(labels.len()));
        if labels.len() == 2 {
            let one = self.constant("one", &[1, 1], [1.0]);
            let first = self.step("Sub", &[&one, scores], []);
            self.node("Concat", &[&first, scores], &probabilities, [attribute_int("axis", 1)]);
        } else {
            self.node("Identity", &[scores], &probabilities, []);
        }
        let best = self.step(
            "ArgMax",
            &[&probabilities],
            [attribute_int("axis", 1), attribute_int("keepdims", 0)],
        );
        let names = self.name("/labels");
        self.initializers.push(texts(&names, labels));
        self.node("Gather", &[&names, &best], &label, []);
    }
}

/// The trees as the lists that `TreeEnsembleRegressor` wants, one target an output, averaged.
fn ensemble_attributes(forest: &Forest, scaled: impl Fn(f64) -> f64) -> Vec<Message> {
    let n_outputs = forest.n_outputs();
    let index = |value: usize| i64::try_from(value).unwrap_or(i64::MAX);
    let (mut ids, mut features, mut on_true, mut on_false) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut thresholds, mut modes) = (Vec::new(), Vec::new());
    let (mut leaves, mut weights) = (Vec::new(), Vec::new());
    for (number, tree) in forest.trees.iter().enumerate() {
        for node in 0..tree.right.len() {
            let (right, feature) = (tree.right[node] as usize, tree.feature[node] as usize);
            let leaf = right == 0;
            ids.push((index(number), index(node)));
            thresholds.push(tree.threshold[node]);
            modes.push(if leaf { "LEAF" } else { "BRANCH_LEQ" });
            features.push(if leaf { 0 } else { index(feature) });
            on_true.push(if leaf { 0 } else { index(node + 1) });
            on_false.push(index(right));
            if leaf {
                let values = &tree.value[feature * n_outputs..(feature + 1) * n_outputs];
                for (output, &value) in values.iter().enumerate().filter(|(_, v)| n_outputs == 1 || **v != 0.0) {
                    leaves.push((index(number), index(node), index(output)));
                    weights.push(scaled(value));
                }
            }
        }
    }
    let (n_nodes, n_weights) = (thresholds.len(), weights.len());
    vec![
        attribute_int("n_targets", index(n_outputs)),
        attribute_text("aggregate_function", "AVERAGE"),
        attribute_text("post_transform", "NONE"),
        attribute_ints("nodes_treeids", ids.iter().map(|id| id.0)),
        attribute_ints("nodes_nodeids", ids.iter().map(|id| id.1)),
        attribute_texts("nodes_modes", modes),
        attribute_ints("nodes_featureids", features),
        attribute_tensor("nodes_values_as_tensor", &doubles("", &[n_nodes], thresholds)),
        attribute_ints("nodes_truenodeids", on_true),
        attribute_ints("nodes_falsenodeids", on_false),
        attribute_ints("target_treeids", leaves.iter().map(|leaf| leaf.0)),
        attribute_ints("target_nodeids", leaves.iter().map(|leaf| leaf.1)),
        attribute_ints("target_ids", leaves.iter().map(|leaf| leaf.2)),
        attribute_tensor("target_weights_as_tensor", &doubles("", &[n_weights], weights)),
    ]
}
