//! Charts made of characters, and the thinning that they share. Pure.

use unicode_width::UnicodeWidthStr as _;

use super::super::document::{Bar, Interval, PairedBar, Tone};
use super::super::format;
use super::super::text::line;

/// The range of all intervals and zero, with a little room, symmetric enough that zero is inside.
pub fn interval_range(rows: &[Interval]) -> (f64, f64) {
    let low = rows.iter().map(|row| row.low).fold(0.0, f64::min);
    let high = rows.iter().map(|row| row.high).fold(0.0, f64::max);
    // What may be lost is a landmark too, unless it would squeeze the intervals.
    let low = rows
        .iter()
        .filter_map(|row| row.allowed)
        .filter(|allowed| -allowed <= high - low)
        .fold(low, f64::min);
    let room = ((high - low) * 0.08).max(1e-6);
    (low - room, high + room)
}

/// One line an interval: `rmse        ├──●──┤   │   +3.4 %`; `│` is no difference, to the right is better.
pub fn intervals(rows: &[Interval], label_width: usize, plot_width: usize) -> Vec<String> {
    let (low, high) = interval_range(rows);
    let column = |value: f64| {
        let share = ((value - low) / (high - low)).clamp(0.0, 1.0);
        nearest(share, plot_width - 1)
    };
    let zero = column(0.0);
    let label_width = rows
        .iter()
        .map(|row| row.label.chars().count())
        .max()
        .unwrap_or(0)
        .clamp(5, label_width);
    let mut axis: Vec<char> = vec![' '; plot_width];
    // The words stand where there is room for them.
    let (worse, better) = ("← worse", "better →");
    if zero > worse.chars().count() {
        for (cell, c) in axis.iter_mut().zip(worse.chars()) {
            *cell = c;
        }
    }
    if plot_width - zero > better.chars().count() + 1 {
        for (cell, c) in axis.iter_mut().rev().zip(better.chars().rev()) {
            *cell = c;
        }
    }
    axis[zero] = '0';
    let mut out = vec![format!("{:label_width$}  {}", "gain", axis.iter().collect::<String>())];
    for row in rows {
        let mut plot: Vec<char> = vec![' '; plot_width];
        let (from, middle, to) = (column(row.low), column(row.middle), column(row.high));
        for cell in &mut plot[from..=to] {
            *cell = '─';
        }
        plot[from] = '├';
        plot[to] = '┤';
        plot[zero] = if (from..=to).contains(&zero) { '┼' } else { '│' };
        plot[middle] = '●';
        out.push(
            format!(
                "{:label_width$}  {}  {}",
                line(&row.label, label_width),
                plot.iter().collect::<String>(),
                line(&row.gain, 20)
            )
            .trim_end()
            .to_owned(),
        );
    }
    out
}

/// One line a bar: `bmi  ████████████ +24.1`.
pub fn bars(rows: &[Bar], label_width: usize, width: usize) -> Vec<String> {
    let labels: Vec<String> = rows.iter().map(|row| line(&row.label, label_width)).collect();
    let label_width = labels.iter().map(|label| label.width()).max().unwrap_or(0);
    rows.iter()
        .zip(&labels)
        .map(|(row, label)| {
            let fill = " ".repeat(label_width.saturating_sub(label.width()));
            format!("{label}{fill}  {} {}", bar(row.share, width), line(&row.shown, 20))
        })
        .collect()
}

/// A bar in eighths of a cell; what is there is never invisible.
pub fn bar(share: f64, width: usize) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = nearest(share.clamp(0.0, 1.0), width * 8).max(1);
    "█".repeat(eighths / 8) + EIGHTHS[eighths % 8]
}

/// A share of `last`, rounded; exact for the small numbers of columns and rows.
pub fn nearest(share: f64, last: usize) -> usize {
    (0..last)
        .find(|index| *index as f64 + 0.5 > share * last as f64)
        .unwrap_or(last)
}

/// A curve's y at `n` evenly spaced x, by the line between its points; where several points share an x, the last.
/// Returns the values, the least and the greatest x.
pub fn resampled(points: &[[f64; 2]], n: usize) -> Option<(Vec<f64>, f64, f64)> {
    let mut sorted = points.to_vec();
    sorted.sort_by(|a, b| a[0].total_cmp(&b[0]).then(a[1].total_cmp(&b[1])));
    let (low, high) = (sorted.first()?[0], sorted.last()?[0]);
    if n < 2 || high <= low {
        return None;
    }
    let values = (0..n)
        .map(|i| {
            let x = low + (high - low) * i as f64 / (n - 1) as f64;
            let after = sorted.partition_point(|point| point[0] <= x);
            let left = sorted[after.saturating_sub(1)];
            let right = sorted.get(after).copied().unwrap_or(left);
            if right[0] > left[0] {
                left[1] + (right[1] - left[1]) * (x - left[0]) / (right[0] - left[0])
            } else {
                left[1]
            }
        })
        .collect();
    Some((values, low, high))
}

/// Points on a grid of characters, denser ones heavier, with an optional line through equal values or corners.
pub fn grid(points: &[[f64; 2]], identity: bool, width: usize, height: usize) -> Vec<String> {
    let range = |side: usize| {
        let low = points.iter().map(|point| point[side]).fold(f64::INFINITY, f64::min);
        let high = points.iter().map(|point| point[side]).fold(f64::NEG_INFINITY, f64::max);
        (low, high)
    };
    let ((x_low, x_high), (y_low, y_high)) = (range(0), range(1));
    if points.is_empty() || width < 2 || height < 2 || !(x_low + x_high + y_low + y_high).is_finite() {
        return Vec::new();
    }
    // One scale for both when they are compared.
    let (x_low, x_high, y_low, y_high) = if identity {
        let (low, high) = (x_low.min(y_low), x_high.max(y_high));
        (low, high, low, high)
    } else {
        (x_low, x_high, y_low, y_high)
    };
    let share = |value: f64, low: f64, high: f64| {
        if high > low {
            ((value - low) / (high - low)).clamp(0.0, 1.0)
        } else {
            0.5
        }
    };
    let mut counts = vec![vec![0_usize; width]; height];
    for [x, y] in points {
        let column = nearest(share(*x, x_low, x_high), width - 1);
        let row = height - 1 - nearest(share(*y, y_low, y_high), height - 1);
        counts[row][column] += 1;
    }
    let decimals = format::decimals(y_high, Some(((y_high - y_low) / 10.0).abs()));
    let labels = [format::fixed(y_high, decimals), format::fixed(y_low, decimals)];
    let label_width = labels.iter().map(|label| label.chars().count()).max().unwrap_or(0);
    let mut out: Vec<String> = counts
        .iter()
        .enumerate()
        .map(|(row, cells)| {
            let label = match row {
                0 => labels[0].as_str(),
                row if row + 1 == height => labels[1].as_str(),
                _ => "",
            };
            let cells: String = cells
                .iter()
                .enumerate()
                .map(|(column, count)| {
                    let on_line = nearest(column as f64 / (width - 1) as f64, height - 1) == height - 1 - row;
                    match count {
                        0 if identity && on_line => '/',
                        0 => ' ',
                        1 => '·',
                        2 | 3 => '•',
                        _ => '●',
                    }
                })
                .collect();
            format!("{label:>label_width$} ┤{cells}").trim_end().to_owned()
        })
        .collect();
    let x_decimals = format::decimals(x_high, Some(((x_high - x_low) / 10.0).abs()));
    let (left, right) = (format::fixed(x_low, x_decimals), format::fixed(x_high, x_decimals));
    let gap = width
        .saturating_sub(left.chars().count() + right.chars().count())
        .max(1);
    out.push(format!("{:label_width$}  {left}{}{right}", "", " ".repeat(gap)));
    out
}

/// A bar a bin, with its lower edge and its count.
pub fn histogram(edges: &[f64], counts: &[u64], width: usize) -> Vec<String> {
    let step = counts.len().div_ceil(20).max(1);
    let merged: Vec<(f64, u64)> = counts
        .chunks(step)
        .zip(edges.iter().step_by(step))
        .map(|(chunk, edge)| (*edge, chunk.iter().fold(0, |sum: u64, n| sum.saturating_add(*n))))
        .collect();
    let most = merged.iter().map(|(_, count)| *count).max().unwrap_or(0).max(1);
    let spread = edges
        .last()
        .zip(edges.first())
        .map(|(last, first)| (last - first).abs() / 20.0);
    let decimals = edges.last().map_or(0, |last| format::decimals(*last, spread));
    let labels: Vec<String> = merged.iter().map(|(edge, _)| format::fixed(*edge, decimals)).collect();
    let label_width = labels.iter().map(|label| label.chars().count()).max().unwrap_or(0);
    merged
        .iter()
        .zip(&labels)
        .map(|((_, count), label)| {
            let bar = nearest(*count as f64 / most as f64, width);
            format!("{label:>label_width$} ┤{} {}", "█".repeat(bar), format::count(*count))
        })
        .collect()
}

/// The two sides above each other on one scale, over their range.
pub fn paired_histogram(edges: &[f64], shares: &[Vec<f64>; 2], room: usize) -> Vec<String> {
    let n_bins = shares[0].len().max(1);
    let cells = (room.saturating_sub(11).min(60) / n_bins).max(1);
    let wide = |bars: &str| -> String {
        let bars = bars.chars();
        bars.flat_map(|bar| std::iter::repeat_n(bar, cells)).collect()
    };
    let [reference, current] = format::sparklines([&shares[0], &shares[1]]);
    let mut out = vec![
        format!("reference  {}", wide(&reference)),
        format!("current    {}", wide(&current)),
    ];
    if let (Some(first), Some(last)) = (edges.first(), edges.last()) {
        let ends = [format::short(*first), format::short(*last)];
        let used = ends[0].chars().count() + ends[1].chars().count();
        let gap = (n_bins * cells).saturating_sub(used).max(1);
        out.push(format!("           {}{}{}", ends[0], " ".repeat(gap), ends[1]));
    }
    out
}

/// Two lines a category, the reference above the current side.
pub fn paired_bars(bars: &[PairedBar], room: usize) -> Vec<String> {
    let labels: Vec<String> = bars.iter().map(|bar| line(&bar.label, 20)).collect();
    let label_width = labels.iter().map(|label| label.width()).max().unwrap_or(0);
    let width = room.saturating_sub(label_width + 22).clamp(6, 40);
    let greatest = bars.iter().flat_map(|bar| bar.shares).fold(0.0, f64::max);
    let drawn = |share: f64| {
        if share > 0.0 {
            bar(share / greatest, width) + " "
        } else {
            String::new()
        }
    };
    bars.iter()
        .zip(&labels)
        .flat_map(|(one, label)| {
            let fill = " ".repeat(label_width.saturating_sub(label.width()));
            let [reference, current] = one.shares.map(|share| drawn(share) + &format::percent(share));
            [
                format!("{label}{fill}  reference  {reference}"),
                format!("{:label_width$}  current    {current}", ""),
            ]
        })
        .collect()
}

/// The color number of a tone in a terminal.
pub fn sgr(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "32",
        Tone::Plain => "36",
        Tone::Warn => "33",
        Tone::Bad => "31",
    }
}
