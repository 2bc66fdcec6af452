//! What is drawn, pixel by pixel where it matters.

use super::super::canvas::{Canvas, Ink, MAX_HEAT};
use super::super::pictures::pictures;
use crate::evaluate::{ConfusionMatrix, CurvePoint, Plots};
use crate::facts::Facts;
use crate::report::fixtures;

const WHITE: [u8; 3] = [255, 255, 255];
const REFERENCE: [u8; 3] = [0xd5, 0x5e, 0x00];
const CURVE: [u8; 3] = [0x00, 0x72, 0xb2];
const ONE_POINT: [u8; 3] = [0x6f, 0xb7, 0xe0];
const AXIS: [u8; 3] = [0x40, 0x40, 0x40];
const GRID: [u8; 3] = [0xe2, 0xe2, 0xe2];

/// A picture read back: red, green and blue of each pixel.
struct Seen {
    width: usize,
    pixels: Vec<u8>,
}

impl Seen {
    fn read(bytes: &[u8]) -> Self {
        let mut decoder = png::Decoder::new(std::io::Cursor::new(bytes));
        decoder.set_transformations(png::Transformations::EXPAND);
        let mut reader = decoder.read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        assert_eq!(info.color_type, png::ColorType::Rgb);
        Self {
            width: usize::try_from(info.width).unwrap(),
            pixels,
        }
    }

    fn at(&self, x: usize, y: usize) -> [u8; 3] {
        let at = 3 * (y * self.width + x);
        [self.pixels[at], self.pixels[at + 1], self.pixels[at + 2]]
    }
}

fn facts(plots: Plots) -> Facts {
    let mut facts = fixtures::better();
    facts.evaluation.as_mut().unwrap().plots = plots;
    facts
}

fn drawn(plots: Plots, key: &str) -> Option<Seen> {
    let images = pictures(&facts(plots));
    let image = images.iter().find(|image| image.key == key)?;
    let seen = Seen::read(&image.png);
    assert_eq!(u32::try_from(seen.width), Ok(image.width));
    Some(seen)
}

#[test]
fn points_lie_where_their_values_are() {
    // The axis goes from -5 to 105 over 420 pixels from 30 on: 0 is at 49, 20 at 125, 50 at 240, 100 at 430.
    let plots = Plots {
        predicted_actual: vec![[0.0, 100.0], [50.0, 20.0], [100.0, 0.0], [100.0, 0.0]],
        ..Plots::default()
    };
    let seen = drawn(plots.clone(), "predicted_actual_picture").unwrap();
    // Rows of pixels are counted from the top: 100 is at 49 there, 20 at 354, 0 at 430.
    for (x, y) in [(49, 49), (240, 354)] {
        assert_eq!([x - 4, x, x + 4].map(|x| seen.at(x, y)), [ONE_POINT; 3]);
        assert_ne!(seen.at(x + 6, y), ONE_POINT);
    }
    // Two points upon each other are darker.
    assert_eq!(seen.at(430, 430), [0x53, 0x96, 0xbe]);
    // The diagonal from the lower left, the frame around, the margin, a grid line at 20.
    assert_eq!(seen.at(30, 449), REFERENCE);
    assert_eq!(seen.at(29, 240), AXIS);
    assert_eq!(seen.at(240, 29), AXIS);
    assert_eq!(seen.at(5, 5), WHITE);
    assert_eq!(seen.at(125, 40), GRID);
    assert_eq!(seen.at(127, 40), WHITE);

    let image = &pictures(&facts(plots))[0];
    assert_eq!(
        image.caption,
        "Predicted (up) against actual (across), 4 rows of the test set; on the dashed line a prediction is exact. Grid \
         lines from 0 to 100 in steps of 10."
    );
}

#[test]
fn a_curve_goes_through_its_points() {
    let points = [[0.0, 0.0], [0.0, 0.5], [0.5, 1.0], [1.0, 1.0]];
    let plots = Plots {
        roc: points.map(|[x, y]| CurvePoint { x, y }).to_vec(),
        ..Plots::default()
    };
    let seen = drawn(plots, "roc_picture").unwrap();
    // Up at the left, along the slope, level at the top.
    for (x, y) in [(30, 300), (135, 135), (345, 30)] {
        assert_eq!(seen.at(x, y), CURVE, "{x} {y}");
    }
    assert_eq!(seen.at(300, 400), WHITE);
    assert_eq!(seen.at(345, 40), WHITE);
}

#[test]
fn cells_are_shaded_by_their_share_of_the_row() {
    let plots = Plots {
        confusion: Some(ConfusionMatrix {
            labels: vec!["no".to_owned(), "yes".to_owned()],
            counts: vec![vec![0, 8], vec![500, 500]],
        }),
        ..Plots::default()
    };
    let seen = drawn(plots.clone(), "confusion_picture").unwrap();
    let [nothing, all, half] = [[0xf4, 0xf8, 0xfc], [0x05, 0x28, 0x5b], [0x56, 0x9b, 0xcb]];
    // An actual class is a row: no `no` was found, every one of them was taken for `yes`.
    assert_eq!(seen.at(130, 130), nothing);
    assert_eq!(seen.at(350, 130), all);
    assert_eq!([seen.at(130, 350), seen.at(350, 350)], [half; 2]);
    // Right is framed, and the scale goes from all at the top to none.
    assert_eq!(seen.at(31, 130), REFERENCE);
    assert_eq!([seen.at(495, 35), seen.at(495, 445)], [all, nothing]);
    let caption = &pictures(&facts(plots))[0].caption;
    assert!(caption.contains("from the upper left: no, yes. A cell"), "{caption}");
}

#[test]
fn a_rare_cell_is_never_drawn_as_none() {
    let plots = Plots {
        confusion: Some(ConfusionMatrix {
            labels: vec!["no".to_owned(), "yes".to_owned()],
            counts: vec![vec![u64::MAX, 1], vec![0, u64::MAX]],
        }),
        ..Plots::default()
    };
    let seen = drawn(plots, "confusion_picture").unwrap();
    assert_eq!(seen.at(350, 130), [0xe4, 0xef, 0xf7]);
    assert_eq!(seen.at(130, 350), [0xf4, 0xf8, 0xfc]);
}

#[test]
fn what_can_not_be_drawn_is_no_picture() {
    for plots in [
        Plots::default(),
        Plots {
            predicted_actual: vec![[f64::NAN, 1.0], [1.0, f64::INFINITY], [1e300, 0.0]],
            roc: vec![CurvePoint { x: 0.0, y: 0.0 }, CurvePoint { x: 2.0, y: f64::NAN }],
            confusion: Some(ConfusionMatrix {
                labels: vec!["a".to_owned(), "b".to_owned()],
                counts: vec![vec![1, 2], vec![3]],
            }),
            ..Plots::default()
        },
    ] {
        assert_eq!(pictures(&facts(plots)), []);
    }
    let mut failed = fixtures::failed();
    failed.evaluation = None;
    assert_eq!(pictures(&failed), []);
}

#[test]
fn one_value_and_far_values_have_an_axis() {
    for (points, words) in [
        (vec![[5.0, 5.0]], "Grid lines from 2.5 to 7.5 in steps of 0.5."),
        (vec![[0.0, 0.0]], "Grid lines from -0.5 to 0.5 in steps of 0.1."),
        (vec![[-9e14, 9e14]], "in steps of 200000000000000."),
        (vec![[1e-9, 3e-9]], "Grid lines from 0.000000001"),
        (vec![[1e9, 1e9 + 1.0]], "Grid lines from"),
    ] {
        let plots = Plots {
            predicted_actual: points,
            ..Plots::default()
        };
        let caption = &pictures(&facts(plots))[0].caption;
        assert!(caption.contains(words), "{caption}");
    }
}

#[test]
fn strokes_beyond_the_edge_are_cut() {
    let mut canvas = Canvas::new(4_000, 8);
    assert_eq!(canvas.size(), (640, 8));
    canvas.line([-50, -50], [900, 60], 3, None, Ink::Curve);
    canvas.point([640, 8], 4);
    canvas.fill([-3, -3], [5, 5], Ink::Heat(MAX_HEAT));
    let seen = Seen::read(&canvas.png());
    assert_eq!(seen.at(1, 1), [0x05, 0x28, 0x5b]);
    assert_eq!(seen.at(639, 7), ONE_POINT);
}

#[test]
fn the_same_facts_give_the_same_bytes() {
    for (name, facts) in fixtures::all() {
        assert_eq!(pictures(&facts), pictures(&facts.clone()), "{name}");
    }
}
