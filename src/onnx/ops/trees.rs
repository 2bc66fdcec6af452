//! Ensembles of trees. Pure.
//!
//! Trees are walked one after the other by a batch of rows, so that a tree stays in the cache. A number is held against
//! a threshold in the precision of the input, as onnxruntime does; weights are added up in double precision, which is
//! nearer to what trained the model. Source for two classes, about which the specification is silent: onnxruntime 1.32.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

use super::super::attributes::Attributes;
use super::super::graph::{Call, Kernel};
use super::super::tensor::{Data, Fault, Tensor, single, size, wrong};
use super::linear::answer;
use super::math::{kernel, one, singles};
use super::post::{Post, Second, two};

/// When a row goes to the true side of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    AtMost,
    Less,
    AtLeast,
    Greater,
    Equal,
    NotEqual,
    Leaf,
}

impl Mode {
    fn named(name: &[u8]) -> Result<Self, Fault> {
        Ok(match name {
            b"BRANCH_LEQ" => Self::AtMost,
            b"BRANCH_LT" => Self::Less,
            b"BRANCH_GTE" => Self::AtLeast,
            b"BRANCH_GT" => Self::Greater,
            b"BRANCH_EQ" => Self::Equal,
            b"BRANCH_NEQ" => Self::NotEqual,
            b"LEAF" => Self::Leaf,
            other => return wrong(format!("the node mode `{}` is not known", other.escape_ascii())),
        })
    }

    fn numbered(number: i64) -> Result<Self, Fault> {
        Ok(match number {
            0 => Self::AtMost,
            1 => Self::Less,
            2 => Self::AtLeast,
            3 => Self::Greater,
            4 => Self::Equal,
            5 => Self::NotEqual,
            6 => return wrong("membership of a set (`BRANCH_MEMBER`) is not known"),
            other => return wrong(format!("the node mode {other} is not known")),
        })
    }

    fn holds<T: Real>(self, value: T, threshold: T) -> bool {
        match self {
            Self::AtMost => value <= threshold,
            Self::Less => value < threshold,
            Self::AtLeast => value >= threshold,
            Self::Greater => value > threshold,
            Self::Equal => value == threshold,
            Self::NotEqual => value != threshold,
            Self::Leaf => false,
        }
    }
}

/// How what the trees say becomes one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Aggregate {
    Average,
    Sum,
    Min,
    Max,
}

/// A node as the file has it; children and roots are places in the list of nodes.
#[derive(Debug, Clone)]
struct Raw {
    mode: Mode,
    feature: usize,
    threshold: f64,
    missing_true: bool,
    /// The false side and the true side.
    children: [usize; 2],
    weights: Vec<(u32, f64)>,
}

/// A node as it is walked: `feature` is `LEAF` for leaves, whose `children` are the range of their weights. Otherwise
/// its highest bit says that a missing number goes to the true side, which is the second child.
#[derive(Debug, Clone, Copy)]
struct Node<T> {
    threshold: T,
    feature: u32,
    children: [u32; 2],
}

/// How many rows walk down a tree side by side, so that one need not wait for the other's memory.
const LANES: usize = 8;

const LEAF: u32 = u32::MAX;
const MISSING_TRUE: u32 = 1 << 31;

/// A number that is held against a threshold.
trait Real: Copy + PartialOrd + std::fmt::Debug {
    fn is_missing(self) -> bool;
}

impl Real for f32 {
    fn is_missing(self) -> bool {
        self.is_nan()
    }
}

impl Real for f64 {
    fn is_missing(self) -> bool {
        self.is_nan()
    }
}

/// All trees, flat. No walk is longer than there are nodes.
#[derive(Debug)]
struct Forest<T> {
    nodes: Vec<Node<T>>,
    /// Parallel to `nodes`.
    modes: Vec<Mode>,
    /// What all branches have in common, if they have.
    one_mode: Option<Mode>,
    any_missing_true: bool,
    weights: Vec<(u32, f64)>,
    roots: Vec<u32>,
    n_features: usize,
    n_targets: usize,
    /// The greatest numbers of steps in each tree, added up.
    depth: u64,
}

/// What is walked down the trees: rows × columns.
#[derive(Debug, Clone, Copy)]
struct Rows<'a, X> {
    x: &'a [X],
    n_columns: usize,
    aggregate: Aggregate,
}

/// What the trees said about some rows: rows × targets.
struct Votes {
    sums: Vec<f64>,
    voted: Vec<bool>,
}

impl<T: Copy> Forest<T> {
    /// Checks that the nodes are trees (or at least never lead back) and orders them so that neighbours are near.
    fn new(raw: &[Raw], roots: &[usize], n_targets: usize, narrow: fn(f64) -> T) -> Result<Self, Fault> {
        let mut forest = Self {
            nodes: Vec::with_capacity(raw.len()),
            modes: Vec::with_capacity(raw.len()),
            one_mode: None,
            any_missing_true: false,
            weights: Vec::new(),
            roots: Vec::with_capacity(roots.len()),
            n_features: 0,
            n_targets,
            depth: 0,
        };
        if raw.len() >= 1 << 30 {
            return Err(Fault::TooLarge);
        }
        let (mut places, mut depths) = (vec![None; raw.len()], vec![None; raw.len()]);
        let mut open = vec![false; raw.len()];
        for &root in roots {
            forest.depth += depth(raw, root, &mut depths, &mut open)?;
            let at = forest.place(raw, root, &mut places, narrow)?;
            forest.roots.push(at);
        }
        let branches = || forest.modes.iter().filter(|mode| **mode != Mode::Leaf);
        let first = branches().next().copied();
        forest.one_mode = first.filter(|first| branches().all(|mode| mode == first)).or_else(|| {
            let none = first.is_none();
            none.then_some(Mode::AtMost)
        });
        Ok(forest)
    }

    /// Appends a node and what is below it, the true side next to its parent. Depth is known to be finite.
    fn place(
        &mut self,
        raw: &[Raw],
        root: usize,
        places: &mut [Option<u32>],
        narrow: fn(f64) -> T,
    ) -> Result<u32, Fault> {
        let mut waiting = vec![(root, None)];
        while let Some((node, parent)) = waiting.pop() {
            let known = places[node];
            let at = match known {
                Some(at) => at,
                None => self.append(&raw[node], narrow(raw[node].threshold))?,
            };
            if let Some((parent, side)) = parent {
                let parent: &mut Node<T> = &mut self.nodes[parent as usize];
                parent.children[usize::from(side)] = at;
            }
            if known.is_none() {
                places[node] = Some(at);
                if raw[node].mode != Mode::Leaf {
                    waiting.push((raw[node].children[0], Some((at, false))));
                    waiting.push((raw[node].children[1], Some((at, true))));
                }
            }
        }
        places[root].ok_or(Fault::TooLarge)
    }

    fn append(&mut self, raw: &Raw, threshold: T) -> Result<u32, Fault> {
        let index = |value: usize| u32::try_from(value).map_err(|_| Fault::TooLarge);
        let at = index(self.nodes.len())?;
        let (feature, first) = if raw.mode == Mode::Leaf {
            (LEAF, index(self.weights.len())?)
        } else {
            let feature = index(raw.feature)?;
            self.n_features = self.n_features.max(raw.feature + 1);
            self.any_missing_true |= raw.missing_true;
            (
                if raw.missing_true {
                    feature | MISSING_TRUE
                } else {
                    feature
                },
                0,
            )
        };
        if raw.mode == Mode::Leaf {
            self.weights.extend_from_slice(&raw.weights);
        }
        self.nodes.push(Node {
            threshold,
            feature,
            children: [first, index(self.weights.len())?],
        });
        self.modes.push(raw.mode);
        Ok(at)
    }

    /// Walks all rows down all trees; `widen` makes a threshold what the rows are of.
    fn votes<X: Real>(&self, call: &Call, rows: Rows<X>, widen: impl Fn(T) -> X) -> Result<Votes, Fault> {
        let Rows {
            x,
            n_columns,
            aggregate,
        } = rows;
        if self.n_features.max(1) > n_columns {
            return wrong(format!("it asks for {} features and gets {n_columns}", self.n_features));
        }
        let n_rows = x.len().checked_div(n_columns).unwrap_or(0);
        call.meter.spend(
            self.depth
                .saturating_add(self.roots.len() as u64)
                .saturating_mul(n_rows as u64),
        )?;
        let n_votes = size(&[n_rows, self.n_targets])?;
        let mut votes = Votes {
            sums: vec![0.0; n_votes],
            voted: vec![false; n_votes],
        };
        let rows = Rows {
            x,
            n_columns,
            aggregate,
        };
        let missing_true = |node: &Node<T>, value: X| node.feature & MISSING_TRUE != 0 && value.is_missing();
        match (self.one_mode, self.any_missing_true) {
            (Some(Mode::AtMost), false) => {
                self.walk(rows, &mut votes, |_, value, node| value <= widen(node.threshold));
            }
            (Some(Mode::AtMost), true) => self.walk(rows, &mut votes, |_, value, node| {
                value <= widen(node.threshold) || missing_true(node, value)
            }),
            (Some(Mode::Less), false) => {
                self.walk(rows, &mut votes, |_, value, node| value < widen(node.threshold));
            }
            _ => self.walk(rows, &mut votes, |at, value, node| {
                self.modes[at].holds(value, widen(node.threshold)) || missing_true(node, value)
            }),
        }
        Ok(votes)
    }

    fn walk<X: Real>(&self, rows: Rows<X>, votes: &mut Votes, holds: impl Fn(usize, X, &Node<T>) -> bool) {
        let Rows {
            x,
            n_columns,
            aggregate,
        } = rows;
        for &root in &self.roots {
            for (block, x) in x.chunks(LANES * n_columns).enumerate() {
                let mut at = [root; LANES];
                let mut moving = true;
                while moving {
                    moving = false;
                    for (at, x) in at.iter_mut().zip(x.chunks_exact(n_columns)) {
                        let node = &self.nodes[*at as usize];
                        if node.feature != LEAF {
                            let value = x[(node.feature & !MISSING_TRUE) as usize];
                            *at = node.children[usize::from(holds(*at as usize, value, node))];
                            moving = true;
                        }
                    }
                }
                for (lane, &at) in at.iter().enumerate().take(x.len() / n_columns) {
                    let [start, end] = self.nodes[at as usize].children;
                    self.vote(block * LANES + lane, start as usize..end as usize, aggregate, votes);
                }
            }
        }
    }

    /// Adds what a leaf says about a row.
    fn vote(&self, row: usize, weights: Range<usize>, aggregate: Aggregate, votes: &mut Votes) {
        for &(target, weight) in &self.weights[weights] {
            let place = row * self.n_targets + target as usize;
            let (sum, voted) = (&mut votes.sums[place], &mut votes.voted[place]);
            match aggregate {
                Aggregate::Sum | Aggregate::Average => *sum += weight,
                Aggregate::Min if !*voted || weight < *sum => *sum = weight,
                Aggregate::Max if !*voted || weight > *sum => *sum = weight,
                Aggregate::Min | Aggregate::Max => {}
            }
            *voted = true;
        }
    }
}

/// The greatest number of steps below a node. `Err` if the nodes lead back to where they were.
fn depth(raw: &[Raw], root: usize, known: &mut [Option<u64>], open: &mut [bool]) -> Result<u64, Fault> {
    let mut waiting = vec![root];
    while let Some(&node) = waiting.last() {
        if known[node].is_some() {
            waiting.pop();
            continue;
        }
        let children = raw[node].children;
        if raw[node].mode == Mode::Leaf {
            known[node] = Some(0);
            waiting.pop();
            continue;
        }
        if open[node] {
            let below = children.map(|child| known[child]);
            let [Some(first), Some(second)] = below else {
                return wrong("its nodes lead back to where they were");
            };
            known[node] = Some(1 + first.max(second));
            waiting.pop();
            continue;
        }
        open[node] = true;
        for child in children {
            if known[child].is_none() {
                if open[child] {
                    return wrong("its nodes lead back to where they were");
                }
                waiting.push(child);
            }
        }
    }
    known[root].ok_or(Fault::TooLong)
}

/// A forest whose thresholds are as precise as the file has them.
#[derive(Debug)]
enum Precise {
    Single(Forest<f32>),
    Double(Forest<f64>),
}

#[derive(Debug)]
struct Ensemble {
    forest: Precise,
    n_targets: usize,
    n_trees: usize,
}

impl Ensemble {
    fn new(raw: &[Raw], roots: &[usize], n_targets: usize) -> Result<Self, Fault> {
        let beyond = |raw: &Raw| raw.weights.iter().any(|&(target, _)| target as usize >= n_targets);
        if raw.iter().any(beyond) {
            return wrong(format!("a weight is for a target that is not among the {n_targets}"));
        }
        if roots.is_empty() {
            return wrong("it has no trees");
        }
        let is_single =
            |raw: &Raw| raw.threshold.is_nan() || f64::from(single(raw.threshold)).total_cmp(&raw.threshold).is_eq();
        Ok(Self {
            forest: if raw.iter().all(is_single) {
                Precise::Single(Forest::new(raw, roots, n_targets, single)?)
            } else {
                Precise::Double(Forest::new(raw, roots, n_targets, |threshold| threshold)?)
            },
            n_targets,
            n_trees: roots.len(),
        })
    }

    fn votes(&self, call: &Call, tensor: &Tensor, aggregate: Aggregate) -> Result<Votes, Fault> {
        let (_, n_columns) = tensor.rows_and_columns()?;
        let (single, double);
        match (&self.forest, tensor.data()) {
            (Precise::Single(forest), Data::Double(x)) => forest.votes(
                call,
                Rows {
                    x,
                    n_columns,
                    aggregate,
                },
                f64::from,
            ),
            (Precise::Single(forest), Data::Float(x)) => forest.votes(
                call,
                Rows {
                    x,
                    n_columns,
                    aggregate,
                },
                |t| t,
            ),
            (Precise::Single(forest), _) => {
                single = tensor.to_floats()?;
                forest.votes(
                    call,
                    Rows {
                        x: &single,
                        n_columns,
                        aggregate,
                    },
                    |t| t,
                )
            }
            (Precise::Double(forest), _) => {
                double = tensor.to_doubles()?;
                forest.votes(
                    call,
                    Rows {
                        x: &double,
                        n_columns,
                        aggregate,
                    },
                    |t| t,
                )
            }
        }
    }
}

/// The nodes of versions 1 to 3; `weights` is how the lists with what leaves say begin their names.
fn nodes(attributes: &Attributes, weights: &str) -> Result<(Vec<Raw>, Vec<usize>), Fault> {
    let trees = attributes.ints("nodes_treeids")?;
    let ids = attributes.ints("nodes_nodeids")?;
    let features = attributes.ints("nodes_featureids")?;
    let modes = attributes.raw_texts("nodes_modes")?;
    let thresholds = attributes.numbers("nodes_values")?;
    let on_true = attributes.ints("nodes_truenodeids")?;
    let on_false = attributes.ints("nodes_falsenodeids")?;
    let missing = attributes.ints("nodes_missing_value_tracks_true")?;
    let n = ids.len();
    let lengths = [
        trees.len(),
        features.len(),
        modes.len(),
        thresholds.len(),
        on_true.len(),
        on_false.len(),
    ];
    if lengths.iter().any(|&length| length != n) {
        return wrong(format!("its lists of nodes have {n} and {lengths:?} elements"));
    }
    let places: HashMap<(i64, i64), usize> = trees.iter().copied().zip(ids.iter().copied()).zip(0..).collect();
    if places.len() != n {
        return wrong("a node is there twice");
    }
    let find = |tree: i64, id: i64| match places.get(&(tree, id)) {
        Some(&place) => Ok(place),
        None => wrong(format!("tree {tree} has no node {id}")),
    };
    let mut raw = Vec::with_capacity(n);
    let mut roots = Vec::new();
    for i in 0..n {
        let mode = Mode::named(&modes[i])?;
        let leaf = mode == Mode::Leaf;
        if i == 0 || trees[i] != trees[i - 1] {
            roots.push(i);
        }
        raw.push(Raw {
            mode,
            feature: if leaf { 0 } else { feature(features[i])? },
            threshold: thresholds[i],
            missing_true: missing.get(i) == Some(&1),
            children: if leaf {
                [i, i]
            } else {
                [find(trees[i], on_false[i])?, find(trees[i], on_true[i])?]
            },
            weights: Vec::new(),
        });
    }
    let of_trees = attributes.ints(&format!("{weights}_treeids"))?;
    let of_nodes = attributes.ints(&format!("{weights}_nodeids"))?;
    let targets = attributes.ints(&format!("{weights}_ids"))?;
    let values = attributes.numbers(&format!("{weights}_weights"))?;
    if [of_nodes.len(), targets.len(), values.len()]
        .iter()
        .any(|&length| length != of_trees.len())
    {
        return wrong("its lists of weights are not equally long");
    }
    for i in 0..of_trees.len() {
        let target = u32::try_from(targets[i]).map_err(|_| Fault::Wrong(format!("{} is not a target", targets[i])))?;
        raw[find(of_trees[i], of_nodes[i])?].weights.push((target, values[i]));
    }
    Ok((raw, roots))
}

fn feature(id: i64) -> Result<usize, Fault> {
    match usize::try_from(id) {
        Ok(feature) if feature < MISSING_TRUE as usize - 1 => Ok(feature),
        _ => wrong(format!("{id} is not a feature")),
    }
}

fn targets(attributes: &Attributes) -> Result<usize, Fault> {
    match usize::try_from(attributes.int_or("n_targets", 1)?) {
        Ok(n) if (1..=1 << 20).contains(&n) => Ok(n),
        _ => wrong("`n_targets` is out of range"),
    }
}

pub fn regressor(attributes: &Attributes) -> Result<Kernel, Fault> {
    let aggregate = match &*attributes.text_or("aggregate_function", "SUM")? {
        "AVERAGE" => Aggregate::Average,
        "SUM" => Aggregate::Sum,
        "MIN" => Aggregate::Min,
        "MAX" => Aggregate::Max,
        other => return wrong(format!("the aggregate `{other}` is not known")),
    };
    let post = Post::new(&attributes.text_or("post_transform", "NONE")?)?;
    let base = attributes.numbers("base_values")?;
    let (raw, roots) = nodes(attributes, "target")?;
    let ensemble = Ensemble::new(&raw, &roots, targets(attributes)?)?;
    kernel(move |call| {
        let x = call.tensor(0)?;
        let values = values(&ensemble, call, x, aggregate, &base, post)?;
        one(singles(
            vec![values.len() / ensemble.n_targets, ensemble.n_targets],
            values,
        )?)
    })
}

/// What a regression says: rows × targets.
fn values(
    ensemble: &Ensemble,
    call: &Call,
    x: &Tensor,
    aggregate: Aggregate,
    base: &[f64],
    post: Post,
) -> Result<Vec<f64>, Fault> {
    let n = ensemble.n_targets;
    let Votes { mut sums, voted } = ensemble.votes(call, x, aggregate)?;
    for (row, voted) in sums.chunks_mut(n).zip(voted.chunks(n)) {
        if aggregate == Aggregate::Average {
            for value in &mut *row {
                *value /= ensemble.n_trees as f64;
            }
        }
        if base.len() == n {
            row.iter_mut().zip(base).for_each(|(value, base)| *value += base);
        }
        // As onnxruntime: of several targets one without a vote is 0, and one alone is what it is, but for probit.
        if n > 1 {
            row.iter_mut()
                .zip(voted)
                .filter(|(_, voted)| !**voted)
                .for_each(|(value, _)| *value = 0.0);
        }
        if n > 1 || post == Post::Probit {
            post.apply(row);
        }
    }
    Ok(sums)
}

/// Version 5: trees in places instead of by names, leaves apart.
pub fn ensemble(attributes: &Attributes) -> Result<Kernel, Fault> {
    let aggregate = match attributes.int_or("aggregate_function", 1)? {
        0 => Aggregate::Average,
        1 => Aggregate::Sum,
        2 => Aggregate::Min,
        3 => Aggregate::Max,
        other => return wrong(format!("the aggregate {other} is not known")),
    };
    let post = match attributes.int_or("post_transform", 0)? {
        0 => Post::None,
        1 | 2 => {
            return wrong("transforms 1 and 2 are softmax and logistic, or the other way round: runtimes do not agree");
        }
        3 => Post::SoftmaxZero,
        4 => Post::Probit,
        other => return wrong(format!("the transform {other} is not known")),
    };
    let list = |name: &str| match attributes.tensor(name)? {
        Some(tensor) => Ok(tensor),
        None => wrong(format!("`{name}` is missing")),
    };
    let features = attributes.ints("nodes_featureids")?;
    let modes = list("nodes_modes")?;
    let modes = modes.as_ints()?;
    let thresholds = list("nodes_splits")?.to_doubles()?;
    let (on_true, on_false) = (
        attributes.ints("nodes_truenodeids")?,
        attributes.ints("nodes_falsenodeids")?,
    );
    let (true_leaf, false_leaf) = (
        attributes.ints("nodes_trueleafs")?,
        attributes.ints("nodes_falseleafs")?,
    );
    let missing = attributes.ints("nodes_missing_value_tracks_true")?;
    let leaf_targets = attributes.ints("leaf_targetids")?;
    let leaf_weights = list("leaf_weights")?.to_doubles()?;
    let n = features.len();
    let lengths = [
        modes.len(),
        thresholds.len(),
        on_true.len(),
        on_false.len(),
        true_leaf.len(),
        false_leaf.len(),
    ];
    if lengths.iter().any(|&length| length != n) || leaf_targets.len() != leaf_weights.len() {
        return wrong(format!("its lists of nodes have {n} and {lengths:?} elements"));
    }
    // Leaves stand behind the nodes.
    let child = |id: i64, leaf: i64| match usize::try_from(id) {
        Ok(id) if leaf != 0 && id < leaf_targets.len() => Ok(n + id),
        Ok(id) if leaf == 0 && id < n => Ok(id),
        _ => wrong(format!("there is no node {id}")),
    };
    let mut raw = Vec::with_capacity(n + leaf_targets.len());
    for i in 0..n {
        raw.push(Raw {
            mode: Mode::numbered(modes[i])?,
            feature: feature(features[i])?,
            threshold: thresholds[i],
            missing_true: missing.get(i) == Some(&1),
            children: [child(on_false[i], false_leaf[i])?, child(on_true[i], true_leaf[i])?],
            weights: Vec::new(),
        });
    }
    for (&target, &weight) in leaf_targets.iter().zip(&leaf_weights) {
        let target = u32::try_from(target).map_err(|_| Fault::Wrong(format!("{target} is not a target")))?;
        raw.push(Raw {
            mode: Mode::Leaf,
            feature: 0,
            threshold: 0.0,
            missing_true: false,
            children: [0, 0],
            weights: vec![(target, weight)],
        });
    }
    let roots = attributes
        .ints("tree_roots")?
        .iter()
        .map(|&root| child(root, 0))
        .collect::<Result<Vec<_>, _>>()?;
    let ensemble = Ensemble::new(&raw, &roots, targets(attributes)?)?;
    kernel(move |call| {
        let x = call.tensor(0)?;
        let values = values(&ensemble, call, x, aggregate, &[], post)?;
        let shape = vec![values.len() / ensemble.n_targets, ensemble.n_targets];
        // It answers in the precision in which it is asked.
        one(Tensor::like(shape, values, x.data())?)
    })
}

pub fn classifier(attributes: &Attributes) -> Result<Kernel, Fault> {
    let post = Post::new(&attributes.text_or("post_transform", "NONE")?)?;
    let labels = attributes.labels("classlabels_strings", "classlabels_int64s")?;
    let base = attributes.numbers("base_values")?;
    let (raw, roots) = nodes(attributes, "class")?;
    let n = labels.len();
    if n < 2 || base.len() > n {
        return wrong(format!("{n} classes and {} base values do not fit", base.len()));
    }
    let ids: BTreeSet<i64> = attributes.ints("class_ids")?.iter().copied().collect();
    let binary = Binary {
        one_sided: ids.len() == 1,
        positive: attributes.numbers("class_weights")?.iter().all(|&weight| weight >= 0.0),
    };
    let ensemble = Ensemble::new(&raw, &roots, n)?;
    kernel(move |call| {
        let x = call.tensor(0)?;
        let Votes { mut sums, mut voted } = ensemble.votes(call, x, Aggregate::Sum)?;
        let mut chosen = Vec::with_capacity(sums.len() / n);
        for (row, voted) in sums.chunks_mut(n).zip(voted.chunks_mut(n)) {
            if let ([first, second], [first_voted, second_voted]) = (&mut *row, &*voted) {
                let (class, scores) = binary.decide([*first, *second], [*first_voted, *second_voted], &base, post);
                chosen.push(class);
                [*first, *second] = scores;
                continue;
            }
            for (place, base) in base.iter().enumerate() {
                row[place] += base;
                voted[place] = true;
            }
            let best = (0..n).filter(|&i| voted[i]);
            chosen.push(
                best.reduce(|best, i| if row[i] > row[best] { i } else { best })
                    .unwrap_or(0),
            );
            post.apply(row);
        }
        let scores = singles(vec![chosen.len(), n], sums)?;
        Ok(vec![answer(&labels, &chosen)?.into(), scores.into()])
    })
}

/// What is special about two classes: one score may stand for both.
#[derive(Debug, Clone, Copy)]
struct Binary {
    /// All weights are for the same class.
    one_sided: bool,
    /// No weight is negative, so that a score is a probability.
    positive: bool,
}

impl Binary {
    /// The class of a row and the scores of both.
    fn decide(self, sums: [f64; 2], voted: [bool; 2], base: &[f64], post: Post) -> (usize, [f64; 2]) {
        let [mut first, mut second] = sums;
        let [first_voted, second_voted] = voted;
        let mut both = true;
        match *base {
            [_, base] if second_voted => {
                second = first + base;
                first = -second;
            }
            [of_first, of_second] => {
                first += of_first;
                second += of_second;
            }
            [base] => {
                first += base;
                both = second_voted;
            }
            _ => both = second_voted,
        }
        let weight = match voted {
            [_, true] => second,
            [true, false] => first,
            [false, false] => 0.0,
        };
        let bound = if self.one_sided && self.positive { 0.5 } else { 0.0 };
        let class = usize::from(weight > bound);
        if both {
            // Without a vote a score is 0, whatever was added.
            let mut scores = [
                if first_voted { first } else { 0.0 },
                if second_voted { second } else { 0.0 },
            ];
            post.apply(&mut scores);
            return (class, scores);
        }
        let second = if self.one_sided && self.positive {
            Second::Complement
        } else {
            Second::Opposite
        };
        match post {
            Post::Probit => (class, [super::post::probit(first), 0.0]),
            _ => (class, two(first, second, post)),
        }
    }
}
