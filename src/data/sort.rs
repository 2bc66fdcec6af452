//! Numbers as keys that sort fast. Pure.

/// Bits that order as the numbers do, with one zero and one missing value (above all others).
pub fn ordered(number: f64) -> u64 {
    if number.is_nan() {
        return u64::MAX;
    }
    let bits = (number + 0.0).to_bits();
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

/// The number of [`ordered`] bits.
pub fn unordered(key: u64) -> f64 {
    f64::from_bits(if key >> 63 == 1 { key ^ 1 << 63 } else { !key })
}

/// Sorts ascending: least significant digit first in 11-bit digits, where a digit that never varies costs no pass.
pub fn sort(keys: &mut Vec<u64>, spare: &mut Vec<u64>) {
    const DIGITS: usize = 6;
    if keys.len() < 4096 {
        keys.sort_unstable();
        return;
    }
    #[expect(clippy::cast_possible_truncation, reason = "eleven bits are kept")]
    let digit = |key: u64, at: usize| (key >> (11 * at)) as usize & 2047;
    let mut counts = vec![[0_usize; 2048]; DIGITS];
    for &key in keys.iter() {
        for (at, counts) in counts.iter_mut().enumerate() {
            counts[digit(key, at)] += 1;
        }
    }
    spare.resize(keys.len(), 0);
    for (at, counts) in counts.iter_mut().enumerate() {
        if counts.contains(&keys.len()) {
            continue;
        }
        let mut start = 0;
        for count in counts.iter_mut() {
            start += std::mem::replace(count, start);
        }
        for &key in keys.iter() {
            let place = &mut counts[digit(key, at)];
            spare[*place] = key;
            *place += 1;
        }
        std::mem::swap(keys, spare);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ordered_bits_order_as_numbers() {
        let numbers = [-1e300, -1.0, -1e-300, 0.0, 1e-300, 1.0, 1e300];
        assert!(numbers.is_sorted_by_key(|number| ordered(*number)));
        for number in numbers {
            assert!((unordered(ordered(number)) - number).abs() <= 0.0);
        }
    }

    proptest! {
        #[test]
        fn the_radix_sort_sorts(seed: u64, n in 4096_usize..6000, mask: u64) {
            let mut keys: Vec<u64> = (0..n as u64).map(|i| (seed ^ i).wrapping_mul(0x9e37_79b9_7f4a_7c15) & mask).collect();
            let mut expected = keys.clone();
            expected.sort_unstable();
            sort(&mut keys, &mut Vec::new());
            prop_assert_eq!(keys, expected);
        }
    }
}
