//! Columns of both sides cut into at most 64 bins each: what trees are grown on. Pure.

/// Bins of a column; one bit of a split each.
pub const MAX_BINS: usize = 64;
/// The bin of categories that have none of their own, the last one.
const REST: u8 = 63;
/// Bins that values of a column of many numbers are cut into, besides that of missing ones.
const NUMBER_BINS: usize = 32;
/// Values that the cuts are found from; more do not make them better.
const SAMPLE: usize = 2048;

/// The cells of one column on one side.
#[derive(Debug, Clone, Copy)]
pub enum Cells<'a> {
    /// NaN and infinite are missing.
    Numbers(&'a [f64]),
    /// The category of each row, by one list for both sides; `u32::MAX` is missing.
    Codes(&'a [u32]),
}

/// One column of both sides, which hold the same kind of cells.
#[derive(Debug, Clone, Copy)]
pub struct Feature<'a> {
    pub name: &'a str,
    pub reference: Cells<'a>,
    pub current: Cells<'a>,
}

impl Cells<'_> {
    pub fn len(&self) -> usize {
        match self {
            Self::Numbers(values) => values.len(),
            Self::Codes(codes) => codes.len(),
        }
    }

    /// Equal for equal cells alone, and for all missing ones.
    pub fn bits(&self, row: usize) -> u64 {
        match self {
            Self::Numbers(values) if values[row].is_finite() => (values[row] + 0.0).to_bits(),
            Self::Numbers(_) => f64::NAN.to_bits(),
            Self::Codes(codes) => u64::from(codes[row]),
        }
    }
}

/// Rows of both sides as bins: the reference's first, then the current ones.
#[derive(Debug)]
pub struct Binned {
    pub columns: Vec<BinnedColumn>,
    pub n_rows: usize,
}

#[derive(Debug)]
pub struct BinnedColumn {
    /// Of each row; 0 is missing.
    pub bins: Vec<u8>,
    /// Whether neighboring bins are neighbors in value.
    pub is_ordered: bool,
}

impl Binned {
    /// These rows of the reference and of the current side. Cuts are quantiles of both together, which know nothing of
    /// the side that a row is from. Of categories the 62 most frequent have a bin of their own.
    pub fn of(features: &[Feature<'_>], rows: [&[usize]; 2]) -> Self {
        let n_rows = rows[0].len() + rows[1].len();
        let column = |feature: &Feature<'_>| match (feature.reference, feature.current) {
            (Cells::Numbers(reference), Cells::Numbers(current)) => {
                let values = gather(rows, |side, row| [reference, current][side][row]);
                BinnedColumn {
                    bins: bins_of_numbers(&values),
                    is_ordered: true,
                }
            }
            (Cells::Codes(reference), Cells::Codes(current)) => {
                let codes = gather(rows, |side, row| [reference, current][side][row]);
                BinnedColumn {
                    bins: bins_of_codes(&codes),
                    is_ordered: false,
                }
            }
            // Sides of different kinds can not be held against each other: the column says nothing.
            (Cells::Numbers(_), Cells::Codes(_)) | (Cells::Codes(_), Cells::Numbers(_)) => BinnedColumn {
                bins: vec![0; n_rows],
                is_ordered: true,
            },
        };
        Self {
            columns: features.iter().map(column).collect(),
            n_rows,
        }
    }
}

/// At most `most` of `n` rows, evenly taken.
pub fn thin(n: usize, most: usize) -> Vec<usize> {
    if n <= most {
        (0..n).collect()
    } else {
        (0..most).map(|at| at * n / most).collect()
    }
}

fn gather<T>(rows: [&[usize]; 2], cell: impl Fn(usize, usize) -> T) -> Vec<T> {
    let of = |side: usize| rows[side].iter().map(move |row| (side, *row));
    of(0).chain(of(1)).map(|(side, row)| cell(side, row)).collect()
}

#[expect(clippy::cast_possible_truncation, reason = "there are at most 64 bins")]
fn bins_of_numbers(values: &[f64]) -> Vec<u8> {
    let mut sample: Vec<f64> = thin(values.len(), SAMPLE)
        .into_iter()
        .map(|row| values[row])
        .filter(|x| x.is_finite())
        .map(|x| x + 0.0)
        .collect();
    sample.sort_unstable_by(f64::total_cmp);
    let mut distinct = sample.clone();
    distinct.dedup();
    // A value is in the bin of the first cut that is not below it.
    let mut cuts = if distinct.len() <= NUMBER_BINS {
        distinct
    } else {
        (1..=NUMBER_BINS)
            .map(|at| sample[at * sample.len() / NUMBER_BINS - 1])
            .collect()
    };
    cuts.pop();
    cuts.dedup();
    let bin = |x: &f64| {
        if x.is_finite() {
            cuts.partition_point(|cut| cut < x) as u8 + 1
        } else {
            0
        }
    };
    values.iter().map(bin).collect()
}

fn bins_of_codes(codes: &[u32]) -> Vec<u8> {
    let mut sorted: Vec<u32> = codes.iter().copied().filter(|code| *code != u32::MAX).collect();
    sorted.sort_unstable();
    let mut levels: Vec<(usize, u32)> = sorted
        .chunk_by(|a, b| a == b)
        .map(|same| (same.len(), same[0]))
        .collect();
    levels.sort_unstable_by_key(|(count, code)| (usize::MAX - count, *code));
    let mut own: Vec<(u32, u8)> = levels
        .iter()
        .take(usize::from(REST) - 1)
        .zip(1..)
        .map(|((_, code), bin)| (*code, bin))
        .collect();
    own.sort_unstable();
    let bin = |code: &u32| match own.binary_search_by_key(code, |(code, _)| *code) {
        _ if *code == u32::MAX => 0,
        Ok(at) => own[at].1,
        Err(_) => REST,
    };
    codes.iter().map(bin).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_taken_evenly() {
        assert_eq!(thin(3, 5), [0, 1, 2]);
        assert_eq!(thin(10, 4), [0, 2, 5, 7]);
        assert_eq!(thin(0, 4), [0; 0]);
    }

    #[test]
    fn few_numbers_have_a_bin_each() {
        let bins = bins_of_numbers(&[2.0, -1.0, f64::NAN, 2.0, 0.0, -0.0, f64::INFINITY]);
        assert_eq!(bins, [3, 1, 0, 3, 2, 2, 0]);
        assert_eq!(bins_of_numbers(&[f64::NAN; 2]), [0, 0]);
    }

    #[test]
    fn many_numbers_have_bins_of_equal_size() {
        let values: Vec<f64> = (0..6400).map(|i| f64::from(i * 37 % 6400)).collect();
        let bins = bins_of_numbers(&values);
        for bin in 1..=32 {
            let n = bins.iter().map(|other| u32::from(*other == bin)).sum::<u32>();
            assert!((150..=250).contains(&n), "{bin}: {n}");
        }
        assert_eq!(bins.iter().max(), Some(&32));
    }

    #[test]
    fn rare_categories_share_a_bin() {
        let mut codes: Vec<u32> = (0..100).collect();
        codes.extend(0..62);
        codes.push(u32::MAX);
        let bins = bins_of_codes(&codes);
        assert_eq!((bins[0], bins[61], bins[62], bins[99], bins[162]), (1, 62, 63, 63, 0));
    }

    #[test]
    fn sides_of_different_kinds_say_nothing() {
        let feature = Feature {
            name: "x",
            reference: Cells::Numbers(&[1.0, 2.0]),
            current: Cells::Codes(&[0]),
        };
        let binned = Binned::of(&[feature], [&[0, 1], &[0]]);
        assert_eq!(binned.columns[0].bins, [0; 3]);
    }
}
