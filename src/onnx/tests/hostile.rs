//! Files that want to harm: an error that names what is wrong, or an answer; never a panic, nor time or memory without end.

use proptest::prelude::*;
use std::sync::Arc;

use prost::Message;

use super::super::graph::{Meter, Program};
use super::super::proto::{self, element};
use super::super::tensor::{Tensor, int};
use super::{Column, LIMIT, Scorer, bytes, error_of};

fn initializer(name: &str, dims: &[i64], int64s: &[i64]) -> proto::Tensor {
    proto::Tensor {
        name: name.to_owned(),
        dims: dims.to_vec(),
        element: element::INT64,
        int64s: int64s.to_vec(),
        ..proto::Tensor::default()
    }
}

fn node(operator: &str, inputs: &[&str], output: &str, attributes: Vec<proto::Attribute>) -> proto::Node {
    proto::Node {
        operator: operator.to_owned(),
        inputs: inputs.iter().map(|&name| name.to_owned()).collect(),
        outputs: vec![output.to_owned()],
        attributes,
        domain: if operator.starts_with("Tree") { "ai.onnx.ml" } else { "" }.to_owned(),
        ..proto::Node::default()
    }
}

fn value(name: &str, element: i32, dims: &[Option<i64>]) -> proto::Value {
    let dims = dims.iter().map(|&length| proto::Dimension { length }).collect();
    proto::Value {
        name: name.to_owned(),
        of: Some(proto::Type {
            tensor: Some(proto::TensorType {
                element,
                shape: Some(proto::Shape { dims }),
            }),
            sequence: None,
        }),
    }
}

/// A graph from `x` (N × 2) to `y`.
fn graph(initializers: Vec<proto::Tensor>, nodes: Vec<proto::Node>) -> proto::Graph {
    proto::Graph {
        nodes,
        initializers,
        inputs: vec![value("x", element::FLOAT, &[None, Some(2)])],
        outputs: vec![value("y", element::FLOAT, &[None, None])],
    }
}

fn model(graph: proto::Graph) -> Vec<u8> {
    let opset = |domain: &str, version| proto::Opset {
        domain: domain.to_owned(),
        version,
    };
    proto::Model {
        graph: Some(graph),
        opsets: vec![opset("", 18), opset("ai.onnx.ml", 3)],
    }
    .encode_to_vec()
}

/// What is said of a model that is asked about three rows.
fn told(bytes: &[u8]) -> String {
    let numbers = [1.0, 2.0, f64::NAN];
    match Scorer::new(bytes, LIMIT)
        .and_then(|scorer| scorer.score(&[("a", Column::Numbers(&numbers)), ("b", Column::Numbers(&numbers))]))
    {
        Ok(scores) => format!("{scores:?}"),
        Err(error) => error_of(&error),
    }
}

fn check(initializers: Vec<proto::Tensor>, nodes: Vec<proto::Node>) -> String {
    told(&model(graph(initializers, nodes)))
}

fn ints(name: &str, ints: &[i64]) -> proto::Attribute {
    proto::Attribute {
        name: name.to_owned(),
        ints: ints.to_vec(),
        kind: 7,
        ..proto::Attribute::default()
    }
}

#[test]
fn what_is_no_model_is_told() {
    insta::assert_snapshot!(told(b""), @"the file is not an ONNX model: it has no graph");
    insta::assert_snapshot!(told(b"column,other\n1,2\n"), @"the file is not an ONNX model: a field is of an unknown kind");
    insta::assert_snapshot!(told(&[0x3a, 0xff, 0xff, 0xff, 0xff, 0x7f]), @"the file is not an ONNX model: it ends within a field");
    insta::assert_snapshot!(told(&[0xff; 64]), @"the file is not an ONNX model: a number is too long");
    let model = model(graph(vec![], vec![node("Identity", &["x"], "y", vec![])]));
    let limited = Scorer::new(&model, 20).map(|_| ()).unwrap_err();
    insta::assert_snapshot!(error_of(&limited), @"the model has 76 bytes, more than the 20 that are read");
}

#[test]
fn graphs_that_do_not_run_are_told() {
    // A cycle, a name that nobody makes, one made twice, and no output.
    let cycle = vec![
        node("Add", &["x", "b"], "a", vec![]),
        node("Abs", &["a"], "b", vec![]),
        node("Abs", &["b"], "y", vec![]),
    ];
    insta::assert_snapshot!(check(vec![], cycle), @"the model can not be scored: `b` is not computed before `Add`");
    insta::assert_snapshot!(check(vec![], vec![node("Abs", &["z"], "y", vec![])]), @"the model can not be scored: `z` is not computed before `Abs`");
    insta::assert_snapshot!(check(vec![], vec![node("Abs", &["x"], "x", vec![])]), @"the model can not be scored: the name `x` of an output is not its own");
    insta::assert_snapshot!(check(vec![], vec![node("Abs", &["x"], "z", vec![])]), @"the model can not be scored: `y` is not computed before the end");
    insta::assert_snapshot!(check(vec![], vec![node("Abs", &[], "y", vec![])]), @"operator `Abs` can not be computed: its input 1 is missing");
    insta::assert_snapshot!(check(vec![], vec![node("Loop", &["x"], "y", vec![])]), @"operator `Loop` (domain `ai.onnx`) is not known");
    let mut foreign = node("Abs", &["x"], "y", vec![]);
    foreign.domain = "com.example".to_owned();
    insta::assert_snapshot!(check(vec![], vec![foreign]), @"operator `Abs` (domain `com.example`) is not known");
    let add = |dims: &[i64]| {
        check(
            vec![initializer("c", dims, &[1, 2, 3])],
            vec![node("Add", &["x", "c"], "y", vec![])],
        )
    };
    insta::assert_snapshot!(add(&[3]), @"operator `Add` can not be computed: shapes [3, 2] and [3] do not fit together");
    insta::assert_snapshot!(add(&[4]), @"the constant `c` can not be read: it has 3 elements and claims [4]");
    insta::assert_snapshot!(add(&[-3]), @"the constant `c` can not be read: a length of [-3] is negative");
    insta::assert_snapshot!(add(&[1 << 40, 1 << 40]), @"the constant `c` can not be read: a value would have more than 16777216 elements, or all together take more than 1024 MiB");
    insta::assert_snapshot!(add(&[i64::MAX]), @"the constant `c` can not be read: a value would have more than 16777216 elements, or all together take more than 1024 MiB");
    let outside = proto::Tensor {
        location: 1,
        ..initializer("c", &[1 << 20], &[])
    };
    insta::assert_snapshot!(check(vec![outside], vec![node("Add", &["x", "c"], "y", vec![])]), @"the constant `c` can not be read: its numbers are in another file, which is not read: export the model as one file");
}

#[test]
fn rows_that_depend_on_others_are_told() {
    let axis = proto::Attribute {
        name: "axis".to_owned(),
        int: 0,
        kind: 2,
        ..proto::Attribute::default()
    };
    insta::assert_snapshot!(check(vec![], vec![node("Softmax", &["x"], "y", vec![axis])]), @"the model can not be scored: what it answers for a row depends on the other rows");
}

#[test]
fn versions_that_are_not_known_are_told() {
    let with = |domain: &str, version| {
        let opset = proto::Opset {
            domain: domain.to_owned(),
            version,
        };
        let graph = graph(vec![], vec![node("Abs", &["x"], "y", vec![])]);
        told(
            &proto::Model {
                graph: Some(graph),
                opsets: vec![opset],
            }
            .encode_to_vec(),
        )
    };
    insta::assert_snapshot!(with("", 99), @"version 99 of the operators of `ai.onnx` is not known; versions 7 to 26 are");
    insta::assert_snapshot!(with("ai.onnx.ml", -1), @"version -1 of the operators of `ai.onnx.ml` is not known; versions 1 to 5 are");
    insta::assert_snapshot!(with("com.example", 1), @"operator `Abs` (domain `ai.onnx`) is not known");
}

#[test]
fn columns_that_do_not_fit_are_told() {
    let scorer = Scorer::new(&bytes("onnx/skl/mixed_forest.onnx"), LIMIT).unwrap();
    insta::assert_snapshot!(format!("{:?}", scorer.column_names().unwrap()), @r#"["island", "bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g", "sex", "year"]"#);
    let numbers = [1.0, 2.0];
    let error = |columns: &[(&str, Column)]| error_of(&scorer.score(columns).unwrap_err());
    insta::assert_snapshot!(error(&[]), @"the model asks for a column `island` and gets none of that name");
    let texts = ["a", "b"];
    let full = |island| {
        let mut columns: Vec<(&str, Column)> = scorer
            .column_names()
            .unwrap()
            .into_iter()
            .map(|name| (name, Column::Numbers(&numbers)))
            .collect();
        for (name, column) in &mut columns {
            match *name {
                "island" => *column = island,
                "sex" => *column = Column::Texts(&texts),
                _ => {}
            }
        }
        columns
    };
    insta::assert_snapshot!(error(&full(Column::Numbers(&numbers))), @"input `island` is text, and column `island` has numbers");
    insta::assert_snapshot!(error(&full(Column::Texts(&texts[..1]))), @"the model asks for columns of equally many rows and gets 1 in `island` and 2 in `bill_length_mm`");
    let scorer = Scorer::new(&bytes("onnx/skl/forest_three.onnx"), LIMIT).unwrap();
    let one = model(proto::Graph {
        inputs: vec![value("X", element::FLOAT, &[None, Some(1)])],
        ..graph(vec![], vec![node("Abs", &["X"], "y", vec![])])
    });
    let scores = Scorer::new(&one, LIMIT)
        .unwrap()
        .score(&[("age", Column::Numbers(&numbers))]);
    insta::assert_snapshot!(format!("{scores:?}"), @"Ok(Values { values: [1.0, 2.0], n_targets: 1 })");
    let narrow = scorer.score(&[("a", Column::Numbers(&numbers))]).unwrap_err();
    insta::assert_snapshot!(error_of(&narrow), @"the model asks for 4 columns and gets 1");
}

/// What a few bytes ask for is not made.
#[test]
fn great_values_are_refused() {
    let shape = |dims: &[i64]| initializer("s", &[int(dims.len())], dims);
    let of = |dims: &[i64]| check(vec![shape(dims)], vec![node("ConstantOfShape", &["s"], "y", vec![])]);
    insta::assert_snapshot!(of(&[1 << 31, 1 << 31]), @"operator `ConstantOfShape` can not be computed: a value would have more than 16777216 elements, or all together take more than 1024 MiB");
    insta::assert_snapshot!(of(&[1 << 25]), @"operator `ConstantOfShape` can not be computed: a value would have more than 16777216 elements, or all together take more than 1024 MiB");
    insta::assert_snapshot!(of(&[-1]), @"operator `ConstantOfShape` can not be computed: [-1] is not a shape");
    // Each is as great as one may be, and all are needed to the end.
    let mut nodes: Vec<proto::Node> = (0..40)
        .map(|i| node("ConstantOfShape", &["s"], &format!("c{i}"), vec![]))
        .collect();
    let all: Vec<String> = (0..40).map(|i| format!("c{i}")).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    nodes.push(node("Sum", &all, "y", vec![]));
    insta::assert_snapshot!(check(vec![shape(&[1 << 23])], nodes), @"operator `ConstantOfShape` can not be computed: a value would have more than 16777216 elements, or all together take more than 1024 MiB");
    let expand = node("Expand", &["x", "s"], "y", vec![]);
    insta::assert_snapshot!(check(vec![shape(&[1 << 30, 1, 1])], vec![expand]), @"operator `Expand` can not be computed: a value would have more than 16777216 elements, or all together take more than 1024 MiB");
    let tile = node("Tile", &["x", "s"], "y", vec![]);
    insta::assert_snapshot!(check(vec![shape(&[1 << 40, 1 << 40])], vec![tile]), @"operator `Tile` can not be computed: a value would have more than 16777216 elements, or all together take more than 1024 MiB");
    // A file of nodes that say nothing: two bytes each there, hundreds in memory.
    let n = 3 << 20;
    let mut flood = vec![0x3a];
    prost::encoding::encode_varint(2 * n, &mut flood);
    flood.extend(std::iter::repeat_n([0x0a, 0x00], usize::try_from(n).unwrap()).flatten());
    insta::assert_snapshot!(told(&flood), @"the file is not an ONNX model: it has more nodes, tensors or texts than are read");
    // Graphs within graphs.
    let mut inner = graph(vec![], vec![node("Identity", &["x"], "y", vec![])]);
    for _ in 0..30 {
        let body = proto::Attribute {
            name: "body".to_owned(),
            graph: Some(Box::new(inner)),
            kind: 5,
            ..proto::Attribute::default()
        };
        inner = graph(vec![], vec![node("Scan", &["x"], "y", vec![body])]);
    }
    insta::assert_snapshot!(told(&model(inner)), @"the file is not an ONNX model: graphs are nested too deep");
}

/// A tree of a root and its children, by what the lists of node ids say.
fn tree(on_true: &[i64], on_false: &[i64], features: &[i64], target: i64) -> String {
    let n = on_true.len();
    let ids: Vec<i64> = (0..int(n)).collect();
    let leaf = |i: usize| on_true[i] < 0;
    let plain = |values: &[i64]| values.iter().map(|&value| value.max(0)).collect::<Vec<_>>();
    let modes = proto::Attribute {
        name: "nodes_modes".to_owned(),
        texts: (0..n)
            .map(|i| {
                if leaf(i) {
                    b"LEAF".to_vec()
                } else {
                    b"BRANCH_LEQ".to_vec()
                }
            })
            .collect(),
        kind: 8,
        ..proto::Attribute::default()
    };
    let floats = |name: &str, n: usize| proto::Attribute {
        name: name.to_owned(),
        floats: vec![0.5; n],
        kind: 6,
        ..proto::Attribute::default()
    };
    let attributes = vec![
        ints("nodes_treeids", &vec![0; n]),
        ints("nodes_nodeids", &ids),
        ints("nodes_featureids", features),
        ints("nodes_truenodeids", &plain(on_true)),
        ints("nodes_falsenodeids", &plain(on_false)),
        floats("nodes_values", n),
        modes,
        ints("target_treeids", &[0]),
        ints("target_nodeids", &[int(n) - 1]),
        ints("target_ids", &[target]),
        floats("target_weights", 1),
    ];
    check(vec![], vec![node("TreeEnsembleRegressor", &["x"], "y", attributes)])
}

#[test]
fn trees_that_are_none_are_told() {
    insta::assert_snapshot!(tree(&[1, -1, -1], &[2, -1, -1], &[0, 0, 0], 0), @"Values { values: [0.5, 0.5, 0.5], n_targets: 1 }");
    insta::assert_snapshot!(tree(&[1, 0, -1], &[2, 2, -1], &[0, 0, 0], 0), @"operator `TreeEnsembleRegressor` can not be computed: its nodes lead back to where they were");
    insta::assert_snapshot!(tree(&[0, -1], &[1, -1], &[0, 0], 0), @"operator `TreeEnsembleRegressor` can not be computed: its nodes lead back to where they were");
    insta::assert_snapshot!(tree(&[1, 2, 1, -1], &[3, 3, 3, -1], &[0; 4], 0), @"operator `TreeEnsembleRegressor` can not be computed: its nodes lead back to where they were");
    insta::assert_snapshot!(tree(&[9, -1], &[1, -1], &[0, 0], 0), @"operator `TreeEnsembleRegressor` can not be computed: tree 0 has no node 9");
    insta::assert_snapshot!(tree(&[1, -1, -1], &[2, -1, -1], &[7, 0, 0], 0), @"operator `TreeEnsembleRegressor` can not be computed: it asks for 8 features and gets 2");
    insta::assert_snapshot!(tree(&[1, -1, -1], &[2, -1, -1], &[-7, 0, 0], 0), @"operator `TreeEnsembleRegressor` can not be computed: -7 is not a feature");
    insta::assert_snapshot!(tree(&[1, -1, -1], &[2, -1, -1], &[i64::MAX, 0, 0], 0), @"operator `TreeEnsembleRegressor` can not be computed: 9223372036854775807 is not a feature");
    insta::assert_snapshot!(tree(&[1, -1, -1], &[2, -1, -1], &[0, 0, 0], 5), @"operator `TreeEnsembleRegressor` can not be computed: a weight is for a target that is not among the 1");
    insta::assert_snapshot!(tree(&[1, -1, -1], &[2, -1, -1], &[0, 0], 0), @"operator `TreeEnsembleRegressor` can not be computed: its lists of nodes have 3 and [3, 2, 3, 3, 3, 3] elements");
    // Both children are the same node again and again: 2^60 ways, but sixty nodes.
    let next: Vec<i64> = (1..=60).chain([-1]).collect();
    insta::assert_snapshot!(tree(&next, &next, &[0; 61], 0), @"Values { values: [0.5, 0.5, 0.5], n_targets: 1 }");
}

/// A walk costs what its longest way is; there is no more of it than the meter has.
#[test]
fn steps_are_counted() {
    let model = proto::Model::decode(&bytes("onnx/skl/forest_three.onnx")[..]).unwrap();
    let opsets = model
        .opsets
        .iter()
        .map(|opset| (opset.domain.clone(), opset.version))
        .collect();
    let program = Program::new(&model.graph.unwrap(), &opsets, 0).unwrap();
    let rows = |n| vec![Arc::new(Tensor::floats(vec![n, 4], vec![0.0; n * 4]).unwrap().into())];
    let told = |n| program.run(rows(n), &Meter::new(1000)).map(|outputs| outputs.len());
    assert_eq!(told(10).unwrap(), 2);
    insta::assert_snapshot!(error_of(&told(100).unwrap_err()), @"operator `TreeEnsembleClassifier` (node `TreeEnsembleClassifier`) can not be computed: it would take more steps than a model may");
}

/// A generator that is the same everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 16).unwrap() % n.max(1)
    }
}

/// Small models of every kind, as bytes.
const MODELS: [&str; 12] = [
    "linear",
    "logistic_three",
    "logistic_two_zipmap",
    "svc_three",
    "forest_opset1",
    "hist_three",
    "xgboost_two",
    "knn_classifier",
    "mixed_logistic",
    "mixed_ordinal",
    "gaussian_nb",
    "ada_regressor",
];

/// How many of two thousand mutants are still models, and how many of these answer.
fn mutants(seed: u64, mutate: impl Fn(&mut Vec<u8>, &mut Dice)) -> (usize, usize) {
    let models: Vec<Vec<u8>> = MODELS
        .iter()
        .map(|name| bytes(format!("onnx/skl/{name}.onnx")))
        .collect();
    let mut dice = Dice(seed);
    let (mut n_read, mut n_answered) = (0, 0);
    for i in 0..2000 {
        let mut mutant = models[i % models.len()].clone();
        mutate(&mut mutant, &mut dice);
        let Ok(scorer) = Scorer::new(&mutant, LIMIT) else {
            continue;
        };
        n_read += 1;
        let numbers = [0.5, f64::NAN, -1e300];
        let texts = ["", "Dream", "male"];
        let columns: Vec<(String, Column)> = if let Some(names) = scorer.column_names() {
            let kinds = scorer.inputs().iter().map(|input| input.kind);
            let column = |kind| match kind {
                super::Kind::Text => Column::Texts(&texts),
                _ => Column::Numbers(&numbers),
            };
            names.into_iter().map(str::to_owned).zip(kinds.map(column)).collect()
        } else {
            let widths = scorer.inputs().iter().filter_map(super::Input::n_columns);
            let n = widths.fold(0, usize::saturating_add).min(64);
            (0..n).map(|i| (i.to_string(), Column::Numbers(&numbers[..]))).collect()
        };
        let columns: Vec<(&str, Column)> = columns.iter().map(|(name, column)| (name.as_str(), *column)).collect();
        n_answered += usize::from(scorer.score(&columns).is_ok());
    }
    (n_read, n_answered)
}

/// A model whose lists, names and shapes were changed, which still is a message.
fn rearranged(bytes: &mut Vec<u8>, dice: &mut Dice) {
    let mut model = proto::Model::decode(&bytes[..]).unwrap();
    let graph = model.graph.as_mut().unwrap();
    let operators: Vec<(String, String)> = graph
        .nodes
        .iter()
        .map(|n| (n.domain.clone(), n.operator.clone()))
        .collect();
    let names: Vec<String> = graph
        .nodes
        .iter()
        .flat_map(|n| [&n.inputs[..], &n.outputs].concat())
        .collect();
    let wild = [-1, 0, 1, 2, 7, 1 << 20, i64::from(i32::MAX), i64::MAX, i64::MIN];
    for _ in 0..=dice.roll(3) {
        let (at, n) = (dice.roll(graph.nodes.len()), graph.nodes.len());
        match dice.roll(8) {
            0 => {
                let node = &mut graph.nodes[at];
                let i = dice.roll(node.inputs.len());
                if let Some(name) = node.inputs.get_mut(i) {
                    name.clone_from(&names[dice.roll(names.len())]);
                }
            }
            1 => {
                let (domain, operator) = operators[dice.roll(n)].clone();
                (graph.nodes[at].domain, graph.nodes[at].operator) = (domain, operator);
            }
            2 if !graph.initializers.is_empty() => {
                let i = dice.roll(graph.initializers.len());
                let tensor = &mut graph.initializers[i];
                tensor.raw.clear();
                tensor.element = element::INT64;
                tensor.int64s = (0..dice.roll(4)).map(|_| wild[dice.roll(wild.len())]).collect();
                tensor.dims = vec![i64::try_from(tensor.int64s.len()).unwrap()];
            }
            3 if !graph.initializers.is_empty() => {
                let i = dice.roll(graph.initializers.len());
                graph.initializers[i].dims.reverse();
            }
            _ => {
                let n_attributes = graph.nodes[at].attributes.len();
                let i = dice.roll(n_attributes);
                let Some(attribute) = graph.nodes[at].attributes.get_mut(i) else {
                    continue;
                };
                attribute.int = wild[dice.roll(wild.len())];
                attribute.float = [f32::NAN, f32::INFINITY, -1.0, 0.0][dice.roll(4)];
                let (n_ints, n_floats) = (attribute.ints.len(), attribute.floats.len());
                match dice.roll(4) {
                    0 => attribute.ints.truncate(dice.roll(n_ints + 1)),
                    1 => attribute.floats.truncate(dice.roll(n_floats + 1)),
                    _ => {
                        if let Some(value) = attribute.ints.get_mut(dice.roll(n_ints)) {
                            *value = wild[dice.roll(wild.len())];
                        }
                        if let Some(value) = attribute.floats.get_mut(dice.roll(n_floats)) {
                            *value = [f32::NAN, f32::INFINITY, f32::MIN, 0.0][dice.roll(4)];
                        }
                    }
                }
            }
        }
    }
    *bytes = model.encode_to_vec();
}

#[test]
fn mutants_end_in_an_answer_or_an_error() {
    let cut = mutants(1, |bytes, dice| bytes.truncate(dice.roll(bytes.len())));
    let flipped = mutants(2, |bytes, dice| {
        let at = dice.roll(bytes.len());
        bytes[at] ^= 1 << dice.roll(8);
    });
    let several = mutants(3, |bytes, dice| {
        for _ in 0..=dice.roll(16) {
            let at = dice.roll(bytes.len());
            bytes[at] = u8::try_from(dice.roll(256)).unwrap();
        }
    });
    let extreme = mutants(4, |bytes, dice| {
        let at = dice.roll(bytes.len());
        bytes[at] = [0x00, 0x7f, 0x80, 0xff][dice.roll(4)];
    });
    let moved = mutants(5, |bytes, dice| {
        let (from, to) = (dice.roll(bytes.len()), dice.roll(bytes.len()));
        let part: Vec<u8> = bytes[from..].iter().take(1 + dice.roll(64)).copied().collect();
        bytes.splice(to..to, part);
    });
    let dropped = mutants(6, |bytes, dice| {
        let from = dice.roll(bytes.len());
        let to = bytes.len().min(from + 1 + dice.roll(64));
        bytes.drain(from..to);
    });
    let rearranged = mutants(7, rearranged);
    let kinds = ["cut", "flipped", "several", "extreme", "moved", "dropped", "rearranged"];
    let counts = [cut, flipped, several, extreme, moved, dropped, rearranged];
    let told = kinds
        .iter()
        .zip(counts)
        .map(|(kind, (n_read, n_answered))| format!("{kind}: {n_read} of 2000 are models, {n_answered} answer"));
    insta::assert_snapshot!(told.collect::<Vec<_>>().join("\n"), @r#"
    cut: 2 of 2000 are models, 2 answer
    flipped: 768 of 2000 are models, 744 answer
    several: 92 of 2000 are models, 89 answer
    extreme: 632 of 2000 are models, 626 answer
    moved: 0 of 2000 are models, 0 answer
    dropped: 2 of 2000 are models, 2 answer
    rearranged: 1409 of 2000 are models, 926 answer
    "#);
}

proptest! {
    /// Any bytes are refused or are a model; none is one by chance.
    #[test]
    fn any_bytes_are_refused(bytes: Vec<u8>) {
        prop_assert!(Scorer::new(&bytes, LIMIT).is_err());
    }

    /// Any numbers are answered, and a row's answer does not depend on the others.
    #[test]
    fn any_row_is_answered(rows in proptest::collection::vec(any::<[f64; 4]>(), 1..6)) {
        let scorer = Scorer::new(&bytes("onnx/skl/hist_three.onnx"), LIMIT).unwrap();
        let columns: Vec<Vec<f64>> = (0..4).map(|i| rows.iter().map(|row| row[i]).collect()).collect();
        let given: Vec<(&str, Column)> = columns.iter().map(|column| ("x", Column::Numbers(column))).collect();
        let super::Scores::Classes { labels, scores, .. } = scorer.score(&given).unwrap() else { panic!() };
        prop_assert_eq!(labels.len(), rows.len());
        for (i, row) in rows.iter().enumerate() {
            let given: Vec<(&str, Column)> = row.iter().map(|value| ("x", Column::Numbers(std::slice::from_ref(value)))).collect();
            let super::Scores::Classes { labels: alone, scores: of_row, .. } = scorer.score(&given).unwrap() else { panic!() };
            prop_assert_eq!(&alone[0], &labels[i]);
            prop_assert_eq!(&of_row[..], &scores[3 * i..3 * i + 3]);
        }
    }
}
