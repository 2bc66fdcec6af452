//! What two sides hold in a column, drawn over each other; colors come from the page's style. Pure.
//!
//! The two sides differ in more than color: the reference is a filled shape, the current side a line.

use std::fmt::Write as _;

use super::super::document::{Inlines, Pair, PairedBar, Pairs, Shape, plain};
use super::super::format;
use super::super::text::{MAX_NAME, MAX_TEXT, line};
use super::html::{escaped, inlines, put};
use super::svg::Axis;

/// Categories of the first picture and of the others.
const MAX_BARS: [usize; 2] = [10, 4];

/// The size of a drawing, and the room around what is drawn.
struct Frame {
    width: f64,
    height: f64,
    left: f64,
    top: f64,
    bottom: f64,
}

const BIG: Frame = Frame {
    width: 480.0,
    height: 250.0,
    left: 42.0,
    top: 10.0,
    bottom: 24.0,
};
const SMALL: Frame = Frame {
    width: 240.0,
    height: 96.0,
    left: 2.0,
    top: 4.0,
    bottom: 18.0,
};

/// The legend once, then a figure a column.
pub fn write(out: &mut String, pairs: &Pairs) {
    if pairs.pairs.is_empty() {
        return;
    }
    out.push_str("<p class=\"legend\">");
    for (side, class) in pairs.sides.iter().zip(["pr", "pc"]) {
        put(
            out,
            format_args!(
                "<span><svg class=\"key\" viewBox=\"0 0 18 12\" aria-hidden=\"true\"><path class=\"{class}\" \
                 d=\"M1 11V5H6V1H12V5H17V11z\"/></svg> {}</span> ",
                inlines(side)
            ),
        );
    }
    let several = if pairs.pairs.len() > 1 { " several" } else { "" };
    put(out, format_args!("</p>\n<div class=\"pairs{several}\">\n"));
    for (index, pair) in pairs.pairs.iter().enumerate() {
        figure(out, pair, index == 0);
    }
    out.push_str("</div>\n");
}

fn figure(out: &mut String, pair: &Pair, is_first: bool) {
    put(
        out,
        format_args!(
            "<figure><figcaption><b>{}</b> <span class=\"d\">{}</span></figcaption>\n",
            inlines(&pair.title),
            inlines(&pair.description)
        ),
    );
    match &pair.shape {
        Shape::Histogram { edges, shares } => {
            let words = (&pair.title, &pair.description);
            histogram(out, words, edges, shares, if is_first { &BIG } else { &SMALL });
        }
        Shape::Bars(rows) => bars(out, rows, MAX_BARS[usize::from(!is_first)]),
    }
    out.push_str("</figure>\n");
}

fn histogram(out: &mut String, words: (&Inlines, &Inlines), edges: &[f64], shares: &[Vec<f64>; 2], frame: &Frame) {
    let is_big = frame.left > SMALL.left;
    let base = frame.height - frame.bottom;
    let right = frame.width - 2.0;
    // What is drawn is the area: bins of another width are higher or lower for it.
    let span = edges
        .last()
        .zip(edges.first())
        .map_or(1.0, |(last, first)| last - first);
    let widths: Vec<f64> = edges.windows(2).map(|pair| (pair[1] - pair[0]) / span).collect();
    let even = 1.0 / widths.len().max(1) as f64;
    let is_even = widths.iter().all(|width| (width - even).abs() < even * 1e-6);
    let height = |share: f64, width: f64| {
        if is_even {
            share
        } else {
            share * even / width.max(1e-12)
        }
    };
    let heights = shares.each_ref().map(|side| -> Vec<f64> {
        side.iter()
            .zip(&widths)
            .map(|(share, width)| height(*share, *width))
            .collect()
    });
    let greatest = heights.iter().flatten().copied().fold(0.0, f64::max).max(1e-12);
    let y = |height: f64| base - (base - frame.top) * (height / greatest).clamp(0.0, 1.0);
    let x = Axis {
        low: edges.first().copied().unwrap_or(0.0),
        high: edges.last().copied().unwrap_or(1.0),
        from: frame.left,
        to: right,
    };
    let title = escaped(&line(&format!("{}: {}", plain(words.0), plain(words.1)), MAX_TEXT));
    put(
        out,
        format_args!(
            "<svg viewBox=\"0 0 {} {}\" role=\"img\"><title>{title}</title>",
            frame.width, frame.height
        ),
    );
    if is_big {
        scales(out, &x, is_even.then_some(greatest), frame);
    } else {
        let ends = [(frame.left, "start", x.low), (right, "end", x.high)];
        for (at, anchor, value) in ends {
            put(
                out,
                format_args!(
                    "<text x=\"{at}\" y=\"{:.0}\" text-anchor=\"{anchor}\">{}</text>",
                    base + 14.0,
                    format::short(value)
                ),
            );
        }
        put(
            out,
            format_args!("<path class=\"ax\" d=\"M{} {base}H{right}\"/>", frame.left),
        );
    }
    for (side, class) in heights.iter().zip(["pr", "pc"]) {
        // Bins with nothing in them are not outlined.
        let mut path = String::new();
        let mut is_up = false;
        for (height, ends) in side.iter().zip(edges.windows(2)) {
            // Writing to a string can not fail.
            let _ = match (is_up, *height > 0.0) {
                (false, true) => write!(
                    path,
                    "M{:.0} {base}V{:.0}H{:.0}",
                    x.at(ends[0]),
                    y(*height),
                    x.at(ends[1])
                ),
                (true, true) => write!(path, "V{:.0}H{:.0}", y(*height), x.at(ends[1])),
                (true, false) => write!(path, "V{base}z"),
                (false, false) => Ok(()),
            };
            is_up = *height > 0.0;
        }
        if is_up {
            let _ = write!(path, "V{base}z");
        }
        put(out, format_args!("<path class=\"{class}\" d=\"{path}\"/>"));
    }
    out.push_str("</svg>\n");
}

/// Round numbers below, percentages of rows at the left where all bins are equally wide.
fn scales(out: &mut String, x: &Axis, greatest: Option<f64>, frame: &Frame) {
    let base = frame.height - frame.bottom;
    let (ticks, decimals) = x.ticks();
    for tick in ticks {
        let at = x.at(tick);
        // A number at the edge would be cut.
        let anchor = if at > x.to - 12.0 { "end" } else { "middle" };
        put(
            out,
            format_args!(
                "<text x=\"{at:.0}\" y=\"{:.0}\" text-anchor=\"{anchor}\">{}</text>",
                base + 16.0,
                format::fixed(tick, decimals)
            ),
        );
    }
    if let Some(greatest) = greatest {
        let y = Axis {
            low: 0.0,
            high: greatest * 100.0,
            from: base,
            to: frame.top,
        };
        let (ticks, decimals) = y.ticks();
        for tick in ticks {
            let at = y.at(tick);
            put(
                out,
                format_args!(
                    "<path class=\"ax\" d=\"M{} {at:.0}H{}\"/><text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"end\">{} %</text>",
                    x.from,
                    x.to,
                    x.from - 6.0,
                    at + 4.0,
                    format::fixed(tick, decimals)
                ),
            );
        }
    }
    put(
        out,
        format_args!("<path class=\"ax\" d=\"M{} {base}H{}\"/>", x.from, x.to),
    );
}

/// A row a category: name, the two bars, both shares; the words say all that the bars do.
fn bars(out: &mut String, rows: &[PairedBar], n_shown: usize) {
    let greatest = rows.iter().flat_map(|row| row.shares).fold(0.0, f64::max).max(1e-12);
    out.push_str("<div class=\"pb\">\n");
    for row in rows.iter().take(n_shown) {
        let [reference, current] = row.shares.map(|share| (share / greatest).clamp(0.0, 1.0) * 100.0);
        put(
            out,
            format_args!(
                "<span class=\"l\"><code>{}</code></span><svg viewBox=\"0 0 100 22\" preserveAspectRatio=\"none\" \
                 aria-hidden=\"true\"><path class=\"pr\" d=\"M0 1H{reference:.1}V10H0z\"/>\
                 <path class=\"pc\" d=\"M0 12H{current:.1}V21H0z\"/></svg><span class=\"g\">{} → {}</span>\n",
                escaped(&line(&row.label, MAX_NAME / 2)),
                format::percent(row.shares[0]),
                format::percent(row.shares[1])
            ),
        );
    }
    out.push_str("</div>\n");
    if rows.len() > n_shown {
        let more = format::n_of(rows.len() - n_shown, "more category", "more categories");
        put(out, format_args!("<p class=\"note\">and {more}</p>\n"));
    }
}
