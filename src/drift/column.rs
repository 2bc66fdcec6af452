//! Sketches of columns that are in memory, and smaller ones of those. Pure.

use super::sketch::{ColumnSketch, NumberSketch, Scratch, Seen, TextSketch};
use crate::data::{Column, ColumnType, MISSING, Values};

impl ColumnSketch {
    /// These rows of a column, or all of it; exact. `n_infinite` of its missing values were infinite in the file.
    pub fn of(column: &Column, rows: Option<&[usize]>, n_infinite: u64, scratch: &mut Scratch) -> Self {
        let n_rows = rows.map_or(column.values.len(), <[usize]>::len) as u64;
        let (seen, n_missing) = match &column.values {
            Values::Numbers(all) => {
                let is_whole = matches!(column.kind, ColumnType::Integer | ColumnType::Boolean);
                let counted = match rows {
                    None => NumberSketch::of(all.iter().copied(), is_whole, scratch),
                    Some(rows) => NumberSketch::of(rows.iter().map(|&row| all[row]), is_whole, scratch),
                };
                let seen = counted.sketch.map_or(Seen::Empty, |numbers| match column.kind {
                    ColumnType::Boolean => Seen::Booleans(booleans(&numbers)),
                    ColumnType::Timestamp => Seen::Times(numbers),
                    ColumnType::Float | ColumnType::Integer | ColumnType::Text => Seen::Numbers(numbers),
                });
                (seen, counted.n_missing + counted.n_infinite)
            }
            Values::Texts { codes, levels } => {
                let mut counts = vec![0_u64; levels.len()];
                let mut n_missing = 0;
                let mut take = |code: u32| match counts.get_mut(code as usize) {
                    Some(count) if code != MISSING => *count += 1,
                    _ => n_missing += 1,
                };
                match rows {
                    None => codes.iter().for_each(|&code| take(code)),
                    Some(rows) => rows.iter().for_each(|&row| take(codes[row])),
                }
                let texts = TextSketch::of(levels.iter().map(String::as_str).zip(counts));
                let seen = if texts.levels.is_empty() {
                    Seen::Empty
                } else {
                    Seen::Texts(texts)
                };
                (seen, n_missing)
            }
        };
        Self {
            name: column.name.clone(),
            n_rows,
            n_missing: n_missing - n_infinite.min(n_missing),
            n_infinite: n_infinite.min(n_missing),
            seen,
        }
    }

    /// Whether the distribution is a sketch.
    pub fn is_approximate(&self) -> bool {
        matches!(&self.seen, Seen::Numbers(numbers) | Seen::Times(numbers) if numbers.rank_error > 0.0)
            || matches!(&self.seen, Seen::Texts(texts) if texts.n_other > 0)
    }

    /// Rows with a value that a test can use.
    pub fn n_known(&self) -> u64 {
        self.n_rows.saturating_sub(self.n_missing + self.n_infinite)
    }
}

fn booleans(numbers: &NumberSketch) -> [u64; 2] {
    let mut counts = [0; 2];
    for (at, value) in numbers.values.iter().enumerate() {
        counts[usize::from(*value != 0.0)] += numbers.count(at);
    }
    counts
}

impl TextSketch {
    /// Distinct texts with their rows; those without any are left out.
    pub fn of<'t>(counted: impl IntoIterator<Item = (&'t str, u64)>) -> Self {
        let mut all: Vec<(&str, u64)> = counted.into_iter().filter(|(_, count)| *count > 0).collect();
        all.sort_unstable_by(|a, b| a.0.cmp(b.0));
        Self {
            n_distinct: all.len() as u64,
            levels: all.iter().map(|(text, _)| (*text).to_owned()).collect(),
            counts: all.iter().map(|(_, count)| *count).collect(),
            n_other: 0,
        }
    }
}

impl NumberSketch {
    /// Whether every value is a whole number.
    pub fn is_whole(&self) -> bool {
        self.values.iter().all(|value| value.fract() == 0.0)
    }

    /// The same distribution in at most `most` points (at least 2), each standing for all rows since the one before it;
    /// unchanged where there are no more values than that. `rank_error` says how far off it is between two points.
    pub fn thinned(&self, most: usize) -> Self {
        if self.values.len() <= most {
            return self.clone();
        }
        let n = self.moments.n;
        let (mut values, mut counts) = (Vec::with_capacity(most), Vec::with_capacity(most));
        let (mut below, mut told, mut untold) = (0_u64, 0_u64, 0_u64);
        for (at, value) in self.values.iter().enumerate() {
            below += self.count(at);
            // The points divide the rows evenly; one that is passed by a frequent value is left out.
            let due = ((values.len() + 1) as u64 * n).div_ceil(most as u64);
            if below >= due || at + 1 == self.values.len() {
                untold = untold.max(below - self.count(at) - told);
                values.push(*value);
                counts.push(below - told);
                told = below;
            }
        }
        Self {
            values,
            counts,
            moments: self.moments,
            is_integer: self.is_integer,
            rank_error: self.rank_error + untold as f64 / n as f64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::testing::{frame, numbers, texts};

    #[test]
    fn columns_of_every_type() {
        let mut flags = numbers("flags", &[1.0, 0.0, 1.0, f64::NAN]);
        flags.kind = ColumnType::Boolean;
        let table = frame(vec![
            numbers("x", &[2.0, 1.0, f64::NAN, 2.0]),
            texts("s", &["b", "", "a", "b"]),
            flags,
        ]);
        let sketch = |name: &str, rows: Option<&[usize]>| {
            ColumnSketch::of(table.column(name).unwrap(), rows, 0, &mut Scratch::default())
        };
        let Seen::Numbers(all) = sketch("x", None).seen else {
            panic!()
        };
        assert_eq!((all.values, all.counts, all.moments.n), (vec![1.0, 2.0], vec![1, 2], 3));
        let some = sketch("s", Some(&[1, 3]));
        assert_eq!((some.n_rows, some.n_missing, some.n_known()), (2, 1, 1));
        assert_eq!(some.seen, Seen::Texts(TextSketch::of([("b", 1)])));
        assert_eq!(sketch("flags", None).seen, Seen::Booleans([1, 2]));
        assert_eq!(sketch("s", Some(&[1])).seen, Seen::Empty);
    }

    #[test]
    fn fewer_points_are_off_by_what_they_say() {
        let values: Vec<f64> = (0..5000)
            .map(|i| f64::from(i * i % 3001))
            .chain(vec![7.0; 4000])
            .collect();
        let whole = NumberSketch::of(values.iter().copied(), false, &mut Scratch::default())
            .sketch
            .unwrap();
        let small = whole.thinned(100);
        assert!(small.values.len() <= 100 && small.moments == whole.moments);
        let below = |sketch: &NumberSketch, x: f64| {
            let to = sketch.values.partition_point(|value| *value <= x);
            (0..to).map(|at| sketch.count(at)).sum::<u64>() as f64 / 9000.0
        };
        let worst = whole
            .values
            .iter()
            .map(|x| (below(&whole, *x) - below(&small, *x)).abs())
            .fold(0.0, f64::max);
        assert!(worst <= small.rank_error + 1e-12, "{worst} {}", small.rank_error);
        assert!(
            small.rank_error < 0.011 && worst > 0.004,
            "{worst} {}",
            small.rank_error
        );
        assert_eq!(whole.thinned(100_000), whole);
    }
}
