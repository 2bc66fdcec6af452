//! Digests of what a table says, whatever order its levels are in and whatever file it came from. Pure.

use crate::base::Digest;

use super::sort::ordered;
use super::{Column, Frame, MISSING, Values};

/// A 64-bit mix in which every input bit reaches every output bit (the finalizer of `MurmurHash3`, constants of `SplitMix64`).
pub fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

pub fn of_frame(frame: &Frame) -> Digest {
    let columns = frame.columns().iter().map(|column| {
        *of_column(column)
            .hex()
            .as_bytes()
            .first_chunk::<64>()
            .unwrap_or(&[0; 64])
    });
    let columns: Vec<[u8; 64]> = columns.collect();
    Digest::of_parts(columns.iter().map(<[u8; 64]>::as_slice))
}

fn of_column(column: &Column) -> Digest {
    let mut bytes = Vec::new();
    let mut levels: Vec<&[u8]> = Vec::new();
    match &column.values {
        Values::Numbers(numbers) => {
            bytes.reserve_exact(numbers.len() * 8);
            for number in numbers {
                bytes.extend_from_slice(&ordered(*number).to_le_bytes());
            }
        }
        Values::Texts { codes, levels: all } => {
            let mut used = vec![false; all.len()];
            for &code in codes.iter().filter(|&&code| code != MISSING) {
                used[code as usize] = true;
            }
            let mut order: Vec<usize> = (0..all.len()).filter(|&code| used[code]).collect();
            order.sort_unstable_by_key(|&code| &all[code]);
            let mut rank = vec![MISSING; all.len()];
            for (position, &code) in order.iter().enumerate() {
                rank[code] = u32::try_from(position).unwrap_or(MISSING);
                levels.push(all[code].as_bytes());
            }
            bytes.reserve_exact(codes.len() * 4);
            for &code in codes {
                let rank = rank.get(code as usize).copied().unwrap_or(MISSING);
                bytes.extend_from_slice(&rank.to_le_bytes());
            }
        }
    }
    let head = [column.name.as_bytes(), column.kind.name().as_bytes(), bytes.as_slice()];
    Digest::of_parts(head.into_iter().chain(levels))
}

pub fn of_rows(frame: &Frame, columns: &[usize]) -> Vec<u128> {
    let mut lanes = vec![(0x243f_6a88_85a3_08d3_u64, 0x1319_8a2e_0370_7344_u64); frame.n_rows()];
    let add = |lane: &mut (u64, u64), value: u64| {
        lane.0 = mix(lane.0.rotate_left(5) ^ value);
        lane.1 = mix(lane.1.wrapping_add(value).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    };
    for column in columns.iter().filter_map(|&index| frame.columns().get(index)) {
        match &column.values {
            Values::Numbers(numbers) => {
                for (lane, number) in lanes.iter_mut().zip(numbers) {
                    add(lane, ordered(*number));
                }
            }
            Values::Texts { codes, levels } => {
                let levels: Vec<(u64, u64)> = levels.iter().map(|level| text_lanes(level)).collect();
                for (lane, &code) in lanes.iter_mut().zip(codes) {
                    let (first, second) = levels.get(code as usize).copied().unwrap_or((u64::MAX, u64::MAX));
                    add(lane, first);
                    lane.1 ^= second;
                }
            }
        }
    }
    lanes
        .into_iter()
        .map(|(high, low)| u128::from(high) << 64 | u128::from(low))
        .collect()
}

/// A level in 128 bits, taken from its SHA-256.
fn text_lanes(text: &str) -> (u64, u64) {
    let hex = Digest::of(text.as_bytes()).hex();
    let lane = |range: std::ops::Range<usize>| u64::from_str_radix(&hex[range], 16).unwrap_or_default();
    (lane(0..16), lane(16..32))
}

pub fn of_row_set(frame: &Frame, rows: &[usize]) -> Digest {
    let all: Vec<usize> = (0..frame.columns().len()).collect();
    let digests = of_rows(frame, &all);
    let mut chosen: Vec<u128> = rows.iter().filter_map(|&row| digests.get(row).copied()).collect();
    chosen.sort_unstable();
    let bytes: Vec<u8> = chosen.iter().flat_map(|digest| digest.to_le_bytes()).collect();
    let names = frame
        .columns()
        .iter()
        .flat_map(|column| [column.name.as_bytes(), column.kind.name().as_bytes()]);
    Digest::of_parts(std::iter::once(bytes.as_slice()).chain(names))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::testing::{frame, numbers, texts};

    #[test]
    fn the_order_of_levels_does_not_matter_and_that_of_rows_does() {
        let mut other = texts("t", &["b", "a", "", "b"]);
        let first = frame(vec![other.clone()]);
        other.values = Values::Texts {
            codes: vec![2, 1, MISSING, 2],
            levels: vec!["unused".to_owned(), "a".to_owned(), "b".to_owned()],
        };
        let second = frame(vec![other]);
        assert_eq!(first.digest(), second.digest());
        assert_eq!(first.row_digests(&[0]), second.row_digests(&[0]));
        assert_ne!(first.digest(), first.select(&[1, 0, 2, 3]).digest());
        assert_eq!(first.digest_of_rows(&[0, 1]), second.digest_of_rows(&[1, 0]));
        assert_ne!(first.digest_of_rows(&[0, 1]), second.digest_of_rows(&[1, 2]));
    }

    #[test]
    fn names_types_and_values_matter_and_the_sign_of_zero_does_not() {
        let digest = |name: &str, values: &[f64]| frame(vec![numbers(name, values)]).digest();
        assert_eq!(digest("a", &[0.0]), digest("a", &[-0.0]));
        assert_eq!(digest("a", &[f64::NAN]), digest("a", &[-f64::NAN]));
        assert_ne!(digest("a", &[0.0]), digest("b", &[0.0]));
        assert_ne!(digest("a", &[0.0]), digest("a", &[f64::NAN]));
    }

    #[test]
    fn rows_differ_where_a_column_is_swapped() {
        let table = frame(vec![numbers("a", &[1.0, 2.0, 1.0]), numbers("b", &[2.0, 1.0, 2.0])]);
        let digests = table.row_digests(&[0, 1]);
        assert_ne!(digests[0], digests[1]);
        assert_eq!(digests[0], digests[2]);
    }
}
