//! Some rows out of any number of them, each as likely as any other, and the same ones in every run. Pure.

use indexmap::IndexSet;

use crate::data::{Column, ColumnType, Frame, MISSING, Values, mix};

/// The rows whose numbers have the smallest hashes: whatever the chunks in which they come, the same rows.
#[derive(Debug)]
pub struct Sample {
    /// Rows that are wanted.
    n: usize,
    seed: u64,
    /// Rows that came by.
    n_seen: u64,
    /// The hash of each row that is kept, in the order of the rows; up to twice as many as are wanted.
    hashes: Vec<u64>,
    /// Rows with a greater hash are not wanted.
    greatest: u64,
    columns: Vec<Kept>,
}

/// One column of the rows that are kept.
#[derive(Debug)]
struct Kept {
    name: String,
    kind: ColumnType,
    values: KeptValues,
}

#[derive(Debug)]
enum KeptValues {
    Numbers(Vec<f64>),
    Texts { codes: Vec<u32>, levels: IndexSet<String> },
}

impl Sample {
    pub fn new(n: usize, seed: u64) -> Self {
        Self {
            n,
            seed,
            n_seen: 0,
            hashes: Vec::new(),
            greatest: u64::MAX,
            columns: Vec::new(),
        }
    }

    /// Takes the next rows.
    pub fn push(&mut self, frame: &Frame) {
        let first = self.n_seen;
        self.n_seen += frame.n_rows() as u64;
        let mut start = 0;
        loop {
            // A large frame comes in parts, so that what is kept stays near to what is wanted.
            let end = frame.n_rows().min(start + self.n.max(1 << 12));
            let hash = |row: usize| mix(mix(self.seed).wrapping_add(first + row as u64));
            let rows: Vec<usize> = (start..end).filter(|row| hash(*row) <= self.greatest).collect();
            let before = self.hashes.len();
            let hashes: Vec<u64> = rows.iter().map(|row| hash(*row)).collect();
            self.hashes.extend(hashes);
            for column in frame.columns() {
                self.keep(column, &rows, before);
            }
            // A column that these rows do not have is missing in them.
            for kept in &mut self.columns {
                kept.values.pad(self.hashes.len());
            }
            if self.hashes.len() >= self.n.saturating_mul(2) {
                self.prune();
            }
            start = end;
            if start == frame.n_rows() {
                break;
            }
        }
    }

    fn keep(&mut self, column: &Column, rows: &[usize], before: usize) {
        let at = self.columns.iter().position(|kept| kept.name == column.name);
        let at = at.unwrap_or_else(|| {
            self.columns.push(Kept {
                name: column.name.clone(),
                kind: column.kind,
                values: KeptValues::Numbers(vec![f64::NAN; before]),
            });
            self.columns.len() - 1
        });
        let kept = &mut self.columns[at];
        match &column.values {
            Values::Numbers(numbers) => match &mut kept.values {
                KeptValues::Numbers(all) => {
                    kept.kind = column.kind;
                    all.extend(rows.iter().map(|row| numbers[*row]));
                }
                KeptValues::Texts { codes, .. } => codes.extend(rows.iter().map(|_| MISSING)),
            },
            Values::Texts { codes, levels } => {
                if let KeptValues::Numbers(numbers) = &kept.values {
                    // Nothing but missing values so far.
                    kept.kind = ColumnType::Text;
                    kept.values = KeptValues::Texts {
                        codes: vec![MISSING; numbers.len()],
                        levels: IndexSet::new(),
                    };
                }
                if let KeptValues::Texts {
                    codes: all,
                    levels: known,
                } = &mut kept.values
                {
                    all.extend(rows.iter().map(|row| match levels.get(codes[*row] as usize) {
                        None => MISSING,
                        Some(level) => {
                            let code = known.get_index_of(level);
                            let code = code.unwrap_or_else(|| known.insert_full(level.clone()).0);
                            u32::try_from(code).unwrap_or(MISSING)
                        }
                    }));
                }
            }
        }
    }

    /// Keeps what is wanted of what is kept.
    fn prune(&mut self) {
        if self.hashes.len() <= self.n {
            return;
        }
        let mut sorted = self.hashes.clone();
        self.greatest = match self.n.checked_sub(1) {
            Some(last) => *sorted.select_nth_unstable(last).1,
            None => 0,
        };
        let (n, greatest) = (self.n, self.greatest);
        let mut left = n;
        let is_kept: Vec<bool> = self
            .hashes
            .iter()
            .map(|hash| {
                let is_kept = *hash <= greatest && left > 0;
                left -= usize::from(is_kept);
                is_kept
            })
            .collect();
        retain(&mut self.hashes, &is_kept);
        for kept in &mut self.columns {
            match &mut kept.values {
                KeptValues::Numbers(numbers) => retain(numbers, &is_kept),
                KeptValues::Texts { codes, .. } => retain(codes, &is_kept),
            }
        }
    }

    /// The rows in their order, without places.
    pub fn finish(mut self) -> Frame {
        self.prune();
        let n = self.hashes.len();
        let columns = self.columns.into_iter().map(|kept| Column {
            name: kept.name,
            kind: kept.kind,
            values: match kept.values {
                KeptValues::Numbers(numbers) => Values::Numbers(numbers),
                KeptValues::Texts { codes, levels } => Values::Texts {
                    codes,
                    levels: levels.into_iter().collect(),
                },
            },
        });
        let all = Frame::new(columns.collect(), n, Vec::new())
            .expect("every column has one name, a value for each row, and a level for each code");
        // Levels of rows that are gone are left out.
        all.select(&(0..n).collect::<Vec<usize>>())
    }
}

impl KeptValues {
    fn pad(&mut self, n: usize) {
        match self {
            Self::Numbers(numbers) => numbers.resize(n, f64::NAN),
            Self::Texts { codes, .. } => codes.resize(n, MISSING),
        }
    }
}

fn retain<T>(items: &mut Vec<T>, is_kept: &[bool]) {
    let mut at = 0;
    items.retain(|_| {
        at += 1;
        is_kept.get(at - 1).copied().unwrap_or(false)
    });
}
