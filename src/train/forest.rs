//! An ensemble of decision trees as data: how it answers and how it is checked. Pure.

use ndarray::{Array2, ArrayView2, Axis};
use serde::{Deserialize, Serialize};

/// Numbers in all trees together, some 100 MB of JSON: what a saved model may have to be read again.
pub const MAX_NUMBERS: usize = 8_000_000;

/// The mean over trees.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Forest {
    pub trees: Vec<Tree>,
    /// Share of all impurity decrease, one value a column of the matrix.
    pub importance: Vec<f64>,
}

/// A binary tree in preorder: the left child of node `i` is `i + 1`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tree {
    /// The column that a node splits; at a leaf its number among the leaves.
    pub feature: Vec<u32>,
    /// A row goes left when its value is at most this; 0 at a leaf.
    pub threshold: Vec<f64>,
    /// The right child; 0 at a leaf.
    pub right: Vec<u32>,
    /// `outputs` values a leaf.
    pub value: Vec<f64>,
}

impl Forest {
    /// n × outputs; `x` is n × width, as wide as in [`Forest::check`].
    pub fn predict(&self, x: ArrayView2<'_, f64>) -> Array2<f64> {
        let n_outputs = self.n_outputs();
        let mut out = Array2::zeros((x.nrows(), n_outputs));
        for (row, mut sums) in x.axis_iter(Axis(0)).zip(out.axis_iter_mut(Axis(0))) {
            for tree in &self.trees {
                let mut node = 0;
                while tree.right[node] != 0 {
                    let left = row[tree.feature[node] as usize] <= tree.threshold[node];
                    node = if left { node + 1 } else { tree.right[node] as usize };
                }
                let first = tree.feature[node] as usize * n_outputs;
                for (sum, value) in sums.iter_mut().zip(&tree.value[first..]) {
                    *sum += value;
                }
            }
        }
        out /= self.trees.len().max(1) as f64;
        out
    }

    /// Values a leaf.
    pub fn n_outputs(&self) -> usize {
        self.trees.first().map_or(1, Tree::n_outputs)
    }

    /// Whether every index is in range, every tree is one, and the leaves for `classes` hold probabilities.
    ///
    /// # Errors
    /// What is wrong, for people.
    pub fn check(&self, width: usize, n_outputs: usize, classes: bool) -> Result<(), String> {
        if self.trees.is_empty() {
            return Err("there are no trees".to_owned());
        }
        if self.trees.iter().map(Tree::n_numbers).sum::<usize>() > MAX_NUMBERS {
            return Err(format!("the trees have more than {MAX_NUMBERS} numbers"));
        }
        if self.importance.len() != width || self.importance.iter().any(|value| !value.is_finite()) {
            return Err("the importances do not fit the columns".to_owned());
        }
        for (number, tree) in self.trees.iter().enumerate() {
            tree.check(width, n_outputs)
                .map_err(|why| format!("tree {number}: {why}"))?;
            let probable = |leaf: &[f64]| {
                let sum: f64 = leaf.iter().sum();
                leaf.iter().all(|value| (0.0..=1.0).contains(value)) && (n_outputs == 1 || (sum - 1.0).abs() < 1e-9)
            };
            if classes && !tree.value.chunks(n_outputs.max(1)).all(probable) {
                return Err(format!("tree {number}: its leaves do not hold probabilities"));
            }
        }
        Ok(())
    }
}

impl Tree {
    pub fn n_numbers(&self) -> usize {
        3 * self.right.len() + self.value.len()
    }

    fn n_outputs(&self) -> usize {
        let n_leaves = self.right.iter().filter(|&&right| right == 0).count();
        self.value.len() / n_leaves.max(1)
    }

    fn check(&self, width: usize, n_outputs: usize) -> Result<(), &'static str> {
        let n = self.right.len();
        if n == 0 || self.feature.len() != n || self.threshold.len() != n {
            return Err("its lists differ in length or are empty");
        }
        // In preorder what follows a leaf is the right child of the innermost split that still waits for one.
        let mut waiting = Vec::new();
        let mut n_leaves = 0_usize;
        for node in 0..n {
            let (feature, right) = (self.feature[node] as usize, self.right[node] as usize);
            if !self.threshold[node].is_finite() {
                return Err("a threshold is not finite");
            }
            if right != 0 {
                if feature >= width {
                    return Err("a split names a column that is not there");
                }
                waiting.push(right);
                continue;
            }
            if feature != n_leaves || self.threshold[node] != 0.0 {
                return Err("a leaf is out of order");
            }
            n_leaves += 1;
            if waiting.pop().unwrap_or(n) != node + 1 {
                return Err("its nodes are not a tree in preorder");
            }
        }
        if !waiting.is_empty() {
            return Err("a branch is missing");
        }
        if self.value.len() != n_leaves.saturating_mul(n_outputs) || self.value.iter().any(|v| !v.is_finite()) {
            return Err("its values do not fit its leaves");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stump() -> Forest {
        Forest {
            trees: vec![Tree {
                feature: vec![1, 0, 1],
                threshold: vec![0.5, 0.0, 0.0],
                right: vec![2, 0, 0],
                value: vec![-1.0, 3.0],
            }],
            importance: vec![0.0, 1.0],
        }
    }

    #[test]
    fn goes_left_up_to_the_threshold() {
        let x = ndarray::array![[9.0, 0.5], [9.0, 0.6]];
        assert_eq!(stump().predict(x.view()), ndarray::array![[-1.0], [3.0]]);
        assert_eq!(stump().check(2, 1, false), Ok(()));
    }

    #[test]
    fn refuses_what_would_loop_or_reach_outside() {
        type Damage = fn(&mut Tree);
        let cases: [(Damage, &str); 8] = [
            (|t| t.right[0] = 0, "a leaf is out of order"),
            (|t| t.right[0] = 1, "its nodes are not a tree in preorder"),
            (|t| t.right[2] = 3, "a branch is missing"),
            (|t| t.right[0] = u32::MAX, "its nodes are not a tree in preorder"),
            (|t| t.feature[0] = 2, "a split names a column that is not there"),
            (|t| t.threshold[0] = f64::NAN, "a threshold is not finite"),
            (|t| t.value.truncate(1), "its values do not fit its leaves"),
            (|t| t.feature.clear(), "its lists differ in length or are empty"),
        ];
        for (damage, why) in cases {
            let mut forest = stump();
            damage(&mut forest.trees[0]);
            assert_eq!(forest.check(2, 1, false), Err(format!("tree 0: {why}")));
        }
    }
}
