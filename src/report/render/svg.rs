//! Charts as inline SVG; colors come from the page's style, so that they follow light and dark. Pure.

use super::super::document::{Bar, Interval};
use super::super::format;
use super::super::text::{MAX_NAME, line};
use super::html::{class, escaped, put};
use super::lines::interval_range;

const WIDTH: f64 = 400.0;
const HEIGHT: f64 = 290.0;
const LEFT: f64 = 48.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 40.0;

/// Values → positions on the drawing, with round ticks.
pub struct Axis {
    pub low: f64,
    pub high: f64,
    pub from: f64,
    pub to: f64,
}

impl Axis {
    pub fn of(values: impl Iterator<Item = f64>, from: f64, to: f64) -> Self {
        let (low, high) = values
            .filter(|value| value.is_finite())
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
                (low.min(value), high.max(value))
            });
        let (low, high) = if low > high { (0.0, 1.0) } else { (low, high) };
        let room = if high > low {
            (high - low) * 0.03
        } else {
            high.abs().max(1.0) * 0.05
        };
        Self {
            low: low - room,
            high: high + room,
            from,
            to,
        }
    }

    pub fn at(&self, value: f64) -> f64 {
        let share = ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        self.from + (self.to - self.from) * share
    }

    /// About five round values inside the range, and the decimals they need.
    pub fn ticks(&self) -> (Vec<f64>, usize) {
        let raw = (self.high - self.low) / 5.0;
        let power = 10_f64.powf(raw.log10().floor());
        let step = [1.0, 2.0, 2.5, 5.0, 10.0]
            .into_iter()
            .map(|factor| factor * power)
            .find(|step| *step >= raw)
            .unwrap_or(raw);
        let first = (self.low / step).ceil();
        let ticks = (0..8)
            .map(|i| (first + f64::from(i)) * step)
            .take_while(|tick| *tick <= self.high)
            .collect();
        // One digit of the step is enough, unless it is a quarter of something.
        let digits = format::decimals(step, Some(step));
        let one_less = digits.saturating_sub(1);
        let scale = step * 10_f64.powf(one_less as f64);
        let is_round = (scale - scale.round()).abs() < 1e-6;
        (ticks, if is_round { one_less } else { digits })
    }
}

fn open(out: &mut String, words: (&str, &str)) {
    let (title, description) = words;
    put(
        out,
        format_args!(
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\"><title>{title}</title><desc>{description}</desc>\n"
        ),
    );
}

fn frame(out: &mut String, x: &Axis, y: &Axis, x_name: &str, y_name: &str, x_ticks: bool) {
    let (bottom, right) = (HEIGHT - BOTTOM, WIDTH - RIGHT);
    let (ticks, decimals) = y.ticks();
    for tick in ticks {
        let at = y.at(tick);
        put(
            out,
            format_args!(
                "<path class=\"ax\" d=\"M{LEFT} {at:.1}H{right}\"/><text x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\n",
                LEFT - 6.0,
                at + 4.0,
                format::fixed(tick, decimals)
            ),
        );
    }
    if x_ticks {
        let (ticks, decimals) = x.ticks();
        for tick in ticks {
            put(
                out,
                format_args!(
                    "<text x=\"{:.1}\" y=\"{:.0}\" text-anchor=\"middle\">{}</text>\n",
                    x.at(tick),
                    bottom + 16.0,
                    format::fixed(tick, decimals)
                ),
            );
        }
    }
    put(
        out,
        format_args!(
            "<path class=\"ax\" d=\"M{LEFT} {TOP}V{bottom}H{right}\"/>\
         <text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"middle\">{}</text>\
         <text transform=\"translate(11 {:.0}) rotate(-90)\" text-anchor=\"middle\">{}</text>\n",
            f64::midpoint(LEFT, right),
            HEIGHT - 6.0,
            escaped(x_name),
            f64::midpoint(TOP, bottom),
            escaped(&line(y_name, 30))
        ),
    );
}

fn axes(x: impl Iterator<Item = f64>, y: impl Iterator<Item = f64>) -> (Axis, Axis) {
    (Axis::of(x, LEFT, WIDTH - RIGHT), Axis::of(y, HEIGHT - BOTTOM, TOP))
}

pub fn scatter(out: &mut String, words: (&str, &str), points: &[[f64; 2]]) {
    let both = || points.iter().flatten().copied();
    let (x, y) = axes(both(), both());
    open(out, words);
    frame(out, &x, &y, "actual", "predicted", true);
    put(
        out,
        format_args!(
            "<path class=\"ref\" d=\"M{:.1} {:.1}L{:.1} {:.1}\"/>\n<path class=\"dots\" d=\"",
            x.from, y.from, x.to, y.to
        ),
    );
    for [actual, predicted] in points {
        put(out, format_args!("M{:.1} {:.1}h0", x.at(*actual), y.at(*predicted)));
    }
    out.push_str("\"/></svg>\n");
}

pub fn histogram(out: &mut String, words: (&str, &str), edges: &[f64], counts: &[u64]) {
    let most = counts.iter().copied().max().unwrap_or(0).max(1);
    let mut y = Axis::of([0.0, most as f64].into_iter(), HEIGHT - BOTTOM, TOP);
    y.low = 0.0;
    let x = Axis::of(edges.iter().copied(), LEFT, WIDTH - RIGHT);
    open(out, words);
    frame(out, &x, &y, "actual minus predicted", "rows", true);
    for (pair, count) in edges.windows(2).zip(counts) {
        let (left, right) = (x.at(pair[0]), x.at(pair[1]));
        let top = y.at(*count as f64);
        put(
            out,
            format_args!(
                "<rect class=\"bar\" x=\"{:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{:.1}\"/>",
                left + 0.5,
                (right - left - 1.0).max(0.5),
                (y.from - top).max(0.0)
            ),
        );
    }
    put(
        out,
        format_args!(
            "<path class=\"ref\" d=\"M{0:.1} {TOP}V{1:.1}\"/></svg>\n",
            x.at(0.0),
            HEIGHT - BOTTOM
        ),
    );
}

pub fn line_chart(
    out: &mut String,
    words: (&str, &str),
    names: (&str, &str),
    points: &[[f64; 2]],
    ticks: &[String],
    diagonal: bool,
) {
    let is_curve = ticks.is_empty();
    let (x, y) = if is_curve {
        axes([0.0, 1.0].into_iter(), [0.0, 1.0].into_iter())
    } else {
        axes(points.iter().map(|point| point[0]), points.iter().map(|point| point[1]))
    };
    open(out, words);
    frame(out, &x, &y, names.0, names.1, is_curve);
    // As many names as there is room for.
    let step = ticks.len().div_ceil(7).max(1);
    for (tick, point) in ticks.iter().zip(points).rev().step_by(step) {
        put(
            out,
            format_args!(
                "<text x=\"{:.1}\" y=\"{:.0}\" text-anchor=\"middle\">{}</text>\n",
                x.at(point[0]),
                HEIGHT - BOTTOM + 16.0,
                escaped(&line(tick, 9))
            ),
        );
    }
    if diagonal {
        put(
            out,
            format_args!(
                "<path class=\"ref\" d=\"M{:.1} {:.1}L{:.1} {:.1}\"/>\n",
                x.at(0.0),
                y.at(0.0),
                x.at(1.0),
                y.at(1.0)
            ),
        );
    }
    out.push_str("<path class=\"curve\" d=\"");
    for (index, point) in points.iter().enumerate() {
        let command = if index == 0 { 'M' } else { 'L' };
        put(
            out,
            format_args!("{command}{:.1} {:.1}", x.at(point[0]), y.at(point[1])),
        );
    }
    out.push_str("\"/>");
    if !is_curve {
        out.push_str("<path class=\"dots\" d=\"");
        for point in points {
            put(out, format_args!("M{:.1} {:.1}h0", x.at(point[0]), y.at(point[1])));
        }
        out.push_str("\"/>");
    }
    out.push_str("</svg>\n");
}

/// A row an interval: name, drawing, gain. The drawings stretch with the page, their strokes do not.
pub fn intervals(out: &mut String, rows: &[Interval]) {
    let (low, high) = interval_range(rows);
    let at = |value: f64| ((value - low) / (high - low)).clamp(0.0, 1.0) * 1000.0;
    out.push_str(
        "<div class=\"iv\"><span></span><span class=\"axis\"><span>← worse</span><span>better →</span></span><span></span>\n",
    );
    for row in rows {
        let zone = row.allowed.map_or_else(String::new, |allowed| {
            let (from, to) = (at(allowed), at(0.0));
            format!(
                "<rect class=\"zone\" x=\"{from:.0}\" y=\"0\" width=\"{:.0}\" height=\"24\"/>",
                to - from
            )
        });
        let name = escaped(&line(&row.label, MAX_NAME));
        let gain = escaped(&line(&row.gain, MAX_NAME));
        let said = format!("{name}: {gain}, interval {}", escaped(&line(&row.range, MAX_NAME)));
        put(
            out,
            format_args!(
                "<span class=\"l\"><code>{name}</code></span>\
             <svg class=\"{}\" viewBox=\"0 0 1000 24\" preserveAspectRatio=\"none\" role=\"img\"><title>{said}</title>{zone}\
             <path class=\"ref\" d=\"M{zero:.0} 0V24\"/><path class=\"w\" d=\"M{from:.0} 12H{to:.0}M{from:.0} 7V17M{to:.0} 7V17\"/>\
             <path class=\"w m\" d=\"M{middle:.0} 12h0.1\"/></svg><span class=\"g\">{gain}</span>\n",
                class(row.tone),
                zero = at(0.0),
                from = at(row.low),
                to = at(row.high),
                middle = at(row.middle),
            ),
        );
    }
    out.push_str("</div>\n");
    if rows.iter().any(|row| row.allowed.is_some()) {
        out.push_str("<p class=\"note\">The shaded band is a loss that still counts as the same.</p>\n");
    }
}

/// A row a bar: name, drawing, number.
pub fn bars(out: &mut String, rows: &[Bar]) {
    out.push_str("<div class=\"iv bars\">\n");
    for row in rows {
        let width = row.share.clamp(0.0, 1.0) * 1000.0;
        put(
            out,
            format_args!(
                "<span class=\"l\"><code>{}</code></span><svg viewBox=\"0 0 1000 24\" preserveAspectRatio=\"none\" \
                 aria-hidden=\"true\"><rect class=\"bar\" x=\"0\" y=\"6\" width=\"{width:.0}\" height=\"12\"/></svg>\
                 <span class=\"g\">{}</span>\n",
                escaped(&line(&row.label, MAX_NAME)),
                escaped(&line(&row.shown, MAX_NAME))
            ),
        );
    }
    out.push_str("</div>\n");
}
