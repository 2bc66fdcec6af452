//! What the tests of categories share: the counts of both sides. Pure.

use crate::drift::pair::Pair;

/// Rows of every category on both sides. Distinct numbers are categories too, in ascending order.
#[derive(Debug, Clone, Copy)]
pub struct Counts<'a> {
    pub reference: &'a [u64],
    pub current: &'a [u64],
    /// Rows of the reference and of the current side.
    pub n: u64,
    pub m: u64,
}

impl<'a> Counts<'a> {
    pub fn of(pair: &'a Pair) -> Self {
        let (reference, current) = match pair {
            Pair::Numbers(numbers) => (&numbers.reference, &numbers.current),
            Pair::Categories(categories) => (&categories.reference, &categories.current),
        };
        Self {
            reference,
            current,
            n: reference.iter().sum(),
            m: current.iter().sum(),
        }
    }

    /// The counts of both sides, category by category; those without any row are left out.
    pub fn each(&self) -> impl Iterator<Item = [u64; 2]> + '_ {
        let both = self.reference.iter().zip(self.current);
        both.map(|(a, b)| [*a, *b]).filter(|[a, b]| a + b > 0)
    }

    /// Categories with a row.
    pub fn k(&self) -> usize {
        self.each().count()
    }
}

#[cfg(test)]
pub mod testing {
    use crate::drift::pair::{Categories, Pair};

    /// Categories with these counts.
    pub fn pair(reference: &[u64], current: &[u64]) -> Pair {
        Pair::Categories(categories(reference, current))
    }

    pub fn categories(reference: &[u64], current: &[u64]) -> Categories {
        assert_eq!(reference.len(), current.len());
        Categories {
            labels: (0..reference.len()).map(|index| format!("c{index:05}")).collect(),
            reference: reference.to_vec(),
            current: current.to_vec(),
        }
    }
}
