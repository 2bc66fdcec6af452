//! Small bagged regression trees on binned columns. Pure.
//!
//! Why not the forest of `train`: it sorts exact values at every node, which is what a model wants and what takes ten
//! times as long here; and only leaves keep their values there, while what a column contributed to rows that were not
//! learned from, and which rows an answer came from, need the nodes and the draws.
//!
//! Source: Breiman, "Random Forests", *Machine Learning* 45 (2001); categories in the order of their means: Breiman et
//! al., *CART* (1984), §9.4.

use super::table::{Binned, MAX_BINS};
use crate::stats::Rng;

/// How trees are grown.
#[derive(Debug, Clone, Copy)]
pub struct Growth {
    pub n_trees: usize,
    pub max_depth: usize,
    /// Draws that a leaf has at least.
    pub min_leaf: usize,
    /// Rows that each tree draws, with replacement, at most; as many as there are when there are fewer.
    pub n_draws: usize,
    pub seed: u64,
}

#[derive(Debug)]
pub struct Forest {
    pub trees: Vec<Tree>,
}

#[derive(Debug)]
pub struct Tree {
    /// In preorder: the left child of node `i` is `i + 1`.
    nodes: Vec<Node>,
    /// The rows that were drawn, ascending, each as often as it was.
    pub drawn: Vec<u32>,
}

#[derive(Debug)]
struct Node {
    column: usize,
    /// The bins of `column` that go left.
    left: u64,
    /// The right child; 0 at a leaf.
    right: usize,
    /// The mean of the targets that were drawn here.
    value: f64,
}

/// Grows trees on these rows; `y` has a finite target for every row of `table`, and is read at `rows` alone.
///
/// The same arguments give the same trees. A tree looks at a third of the columns for a split, at most twelve.
pub fn grow(table: &Binned, rows: &[u32], y: &[f64], growth: &Growth) -> Forest {
    let tree = |number: usize| {
        let mut rng = Rng::derive(growth.seed, &format!("bagged tree {number}"));
        let n_draws = if rows.is_empty() {
            0
        } else {
            rows.len().min(growth.n_draws)
        };
        let mut drawn: Vec<u32> = (0..n_draws).map(|_| rows[rng.below(rows.len())]).collect();
        drawn.sort_unstable();
        let order = (0..table.columns.len()).collect();
        let mut builder = Builder {
            table,
            y,
            growth,
            rng,
            order,
            nodes: Vec::new(),
        };
        builder.node(&mut drawn.clone(), 0);
        Tree {
            nodes: builder.nodes,
            drawn,
        }
    };
    Forest {
        trees: (0..growth.n_trees).map(tree).collect(),
    }
}

struct Builder<'a> {
    table: &'a Binned,
    y: &'a [f64],
    growth: &'a Growth,
    rng: Rng,
    order: Vec<usize>,
    nodes: Vec<Node>,
}

struct Split {
    column: usize,
    left: u64,
    score: f64,
}

impl Builder<'_> {
    /// The node of these draws and everything below it.
    fn node(&mut self, draws: &mut [u32], depth: usize) {
        let sum: f64 = draws.iter().map(|row| self.y[*row as usize]).sum();
        let at = self.nodes.len();
        self.nodes.push(Node {
            column: 0,
            left: 0,
            right: 0,
            value: sum / draws.len().max(1) as f64,
        });
        if depth == self.growth.max_depth || draws.len() < 2 * self.growth.min_leaf {
            return;
        }
        let Some(split) = self.split(draws, sum) else {
            return;
        };
        let bins = &self.table.columns[split.column].bins;
        let goes_left = |row: u32| split.left >> bins[row as usize] & 1 == 1;
        draws.sort_by_key(|row| !goes_left(*row));
        let middle = draws.partition_point(|row| goes_left(*row));
        let (left, right) = draws.split_at_mut(middle);
        self.node(left, depth + 1);
        let next = self.nodes.len();
        let node = &mut self.nodes[at];
        (node.column, node.left, node.right) = (split.column, split.left, next);
        self.node(right, depth + 1);
    }

    fn split(&mut self, draws: &[u32], sum: f64) -> Option<Split> {
        let p = self.order.len();
        let n_looked = p.div_ceil(3).min(12);
        // A split that gains no more than rounding would be made of noise.
        let base = sum * sum / draws.len() as f64;
        let mut best = Split {
            column: 0,
            left: 0,
            score: base + 1e-12 * base.abs(),
        };
        for seen in 0..n_looked {
            let other = seen + self.rng.below(p - seen);
            self.order.swap(seen, other);
            self.best_on(self.order[seen], draws, sum, &mut best);
        }
        (best.left != 0).then_some(best)
    }

    fn best_on(&self, column: usize, draws: &[u32], sum: f64, best: &mut Split) {
        let mut cells = [(0_u32, 0.0_f64); MAX_BINS];
        let binned = &self.table.columns[column];
        for row in draws {
            let cell = &mut cells[binned.bins[*row as usize] as usize];
            cell.0 += 1;
            cell.1 += self.y[*row as usize];
        }
        let mut bins: Vec<usize> = (0..MAX_BINS).filter(|bin| cells[*bin].0 > 0).collect();
        if !binned.is_ordered {
            let mean = |bin: usize| cells[bin].1 / f64::from(cells[bin].0);
            bins.sort_by(|a, b| mean(*a).total_cmp(&mean(*b)));
        }
        let n = draws.len() as f64;
        let least = self.growth.min_leaf as f64;
        let (mut n_left, mut sum_left, mut left) = (0.0, 0.0, 0_u64);
        for bin in bins {
            n_left += f64::from(cells[bin].0);
            sum_left += cells[bin].1;
            left |= 1 << bin;
            let n_right = n - n_left;
            if n_left < least || n_right < least || n_right == 0.0 {
                continue;
            }
            let sum_right = sum - sum_left;
            let score = sum_left * sum_left / n_left + sum_right * sum_right / n_right;
            if score > best.score {
                *best = Split { column, left, score };
            }
        }
    }
}

impl Tree {
    /// The leaf of a row, a number below [`Tree::n_nodes`].
    pub fn leaf(&self, table: &Binned, row: usize) -> usize {
        self.path(table, row, |_, _| {})
    }

    pub fn n_nodes(&self) -> usize {
        self.nodes.len()
    }

    pub fn value(&self, node: usize) -> f64 {
        self.nodes[node].value
    }

    /// Walks to the leaf of a row; `each` is told the column of every split and what it added to the answer.
    pub fn path(&self, table: &Binned, row: usize, mut each: impl FnMut(usize, f64)) -> usize {
        let mut at = 0;
        loop {
            let node = &self.nodes[at];
            if node.right == 0 {
                return at;
            }
            let bin = table.columns[node.column].bins[row];
            let next = if node.left >> bin & 1 == 1 { at + 1 } else { node.right };
            each(node.column, self.nodes[next].value - node.value);
            at = next;
        }
    }
}

impl Forest {
    /// The mean answer of the trees for a row; `contributions`, one a column, is added what each added to it.
    pub fn explain(&self, table: &Binned, row: usize, contributions: &mut [f64]) -> f64 {
        let share = 1.0 / self.trees.len().max(1) as f64;
        let mut sum = 0.0;
        for tree in &self.trees {
            let leaf = tree.path(table, row, |column, added| contributions[column] += added * share);
            sum += tree.value(leaf);
        }
        sum * share
    }
}

#[cfg(test)]
mod tests {
    use super::super::table::{Cells, Feature};
    use super::*;

    fn growth() -> Growth {
        Growth {
            n_trees: 20,
            max_depth: 8,
            min_leaf: 3,
            n_draws: 1000,
            seed: 1,
        }
    }

    fn table<'a>(columns: &[(&'a str, Cells<'a>)]) -> Binned {
        let none = |cells: &Cells<'a>| match cells {
            Cells::Numbers(_) => Cells::Numbers(&[]),
            Cells::Codes(_) => Cells::Codes(&[]),
        };
        let feature = |(name, cells): &(&'a str, Cells<'a>)| Feature {
            name,
            reference: *cells,
            current: none(cells),
        };
        let features: Vec<Feature<'_>> = columns.iter().map(feature).collect();
        let rows: Vec<usize> = (0..columns[0].1.len()).collect();
        Binned::of(&features, [&rows, &[]])
    }

    /// A product of signs: neither column says anything alone.
    #[test]
    fn finds_what_two_columns_say_together() {
        let a: Vec<f64> = (0..400_u32).map(|i| f64::from(i * 37 % 101) - 50.0).collect();
        let b: Vec<f64> = (0..400_u32).map(|i| f64::from(i * 53 % 89) - 44.0).collect();
        let noise: Vec<f64> = (0..400_u32).map(|i| f64::from(i * 71 % 97)).collect();
        let y: Vec<f64> = a.iter().zip(&b).map(|(a, b)| f64::from(a * b > 0.0)).collect();
        let table = table(&[
            ("noise", Cells::Numbers(&noise)),
            ("a", Cells::Numbers(&a)),
            ("b", Cells::Numbers(&b)),
        ]);
        let train: Vec<u32> = (0..300).collect();
        let forest = grow(&table, &train, &y, &growth());
        let mut contributions = [0.0; 3];
        let right =
            (300..400).filter(|row| (forest.explain(&table, *row, &mut contributions) > 0.5) == (y[*row] > 0.5));
        let n_right = right.count();
        assert!(n_right > 85, "{n_right}");
    }

    #[test]
    fn what_columns_contribute_adds_up_to_the_answer() {
        let a: Vec<f64> = (0..200_u32).map(|i| f64::from(i % 17)).collect();
        let codes: Vec<u32> = (0..200_u32).map(|i| i * 7 % 5).collect();
        let y: Vec<f64> = (0..200).map(|i| a[i] + if codes[i] == 3 { 9.0 } else { 0.0 }).collect();
        let table = table(&[("a", Cells::Numbers(&a)), ("c", Cells::Codes(&codes))]);
        let rows: Vec<u32> = (0..200).collect();
        let forest = grow(&table, &rows, &y, &growth());
        let root = forest.trees.iter().map(|tree| tree.value(0)).sum::<f64>() / forest.trees.len() as f64;
        let mut error = 0.0;
        for (row, y) in y.iter().enumerate() {
            let mut contributions = [0.0; 2];
            let answer = forest.explain(&table, row, &mut contributions);
            assert!((root + contributions[0] + contributions[1] - answer).abs() < 1e-9);
            error += (answer - y).abs() / 200.0;
        }
        assert!(error < 1.0, "{error}");
    }

    #[test]
    fn a_constant_target_makes_no_splits() {
        let a: Vec<f64> = (0..50).map(f64::from).collect();
        let table = table(&[("a", Cells::Numbers(&a))]);
        let rows: Vec<u32> = (0..50).collect();
        let forest = grow(&table, &rows, &[0.1; 50], &growth());
        assert!(
            forest
                .trees
                .iter()
                .all(|tree| tree.n_nodes() == 1 && (tree.value(0) - 0.1).abs() < 1e-12)
        );
        let none = grow(&table, &[], &[0.1; 50], &growth());
        assert!(none.trees.iter().all(|tree| tree.value(0) == 0.0));
    }
}
