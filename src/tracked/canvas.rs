//! A small raster of palette colors, and its PNG. Pure: the same strokes give the same bytes on every machine.

/// What a pixel can be; the colors are told apart by people who see few of them (Okabe and Ito), and in gray.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ink {
    Paper,
    Grid,
    Axis,
    /// What a point or a curve is held against.
    Reference,
    Curve,
    /// A share of one, from 0 to [`MAX_HEAT`].
    Heat(u8),
}

pub const MAX_HEAT: u8 = 20;
/// Points upon each other that are told apart, but for the first.
const MAX_DEPTH: u8 = 4;

const FIXED: [[u8; 3]; 5] = [
    [0xff, 0xff, 0xff],
    [0xe2, 0xe2, 0xe2],
    [0x40, 0x40, 0x40],
    [0xd5, 0x5e, 0x00],
    [0x00, 0x72, 0xb2],
];
/// The index of a pixel of one point; those of two and more follow.
const FIRST_POINT: u8 = 5;
const FIRST_HEAT: u8 = FIRST_POINT + MAX_DEPTH + 1;
/// From one point to as many as are told apart.
const POINTS: [[u8; 3]; 2] = [[0x6f, 0xb7, 0xe0], [0x00, 0x33, 0x59]];
/// Nothing, half, all.
const HEAT: [[u8; 3]; 3] = [[0xf4, 0xf8, 0xfc], [0x56, 0x9b, 0xcb], [0x05, 0x28, 0x5b]];

impl Ink {
    fn index(self) -> u8 {
        match self {
            Self::Paper => 0,
            Self::Grid => 1,
            Self::Axis => 2,
            Self::Reference => 3,
            Self::Curve => 4,
            Self::Heat(heat) => FIRST_HEAT + heat.min(MAX_HEAT),
        }
    }
}

/// The color of every index.
fn palette() -> Vec<u8> {
    let points = (0..=MAX_DEPTH).map(|depth| between(POINTS[0], POINTS[1], depth, MAX_DEPTH));
    let half = MAX_HEAT / 2;
    let heat = (0..=MAX_HEAT).map(|heat| match heat.checked_sub(half) {
        None => between(HEAT[0], HEAT[1], heat, half),
        Some(above) => between(HEAT[1], HEAT[2], above, half),
    });
    FIXED.into_iter().chain(points).chain(heat).flatten().collect()
}

/// The color at `step` of `n_steps` from `first` to `last`.
fn between(first: [u8; 3], last: [u8; 3], step: u8, n_steps: u8) -> [u8; 3] {
    let (step, all) = (u16::from(step), u16::from(n_steps));
    std::array::from_fn(|channel| {
        let (a, b) = (u16::from(first[channel]), u16::from(last[channel]));
        let mixed = (a * (all - step) + b * step + all / 2) / all;
        u8::try_from(mixed).unwrap_or(u8::MAX)
    })
}

/// Pixels, the first one at the upper left; what falls outside is not drawn.
#[derive(Debug)]
pub struct Canvas {
    width: i32,
    height: i32,
    pixels: Vec<u8>,
}

impl Canvas {
    /// White. Both sides are 1 to 640.
    pub fn new(width: u16, height: u16) -> Self {
        let (width, height) = (width.clamp(1, 640), height.clamp(1, 640));
        Self {
            width: width.into(),
            height: height.into(),
            pixels: vec![Ink::Paper.index(); usize::from(width) * usize::from(height)],
        }
    }

    fn at(&mut self, x: i32, y: i32) -> Option<&mut u8> {
        let is_inside = (0..self.width).contains(&x) && (0..self.height).contains(&y);
        let index = usize::try_from(y * self.width + x).ok().filter(|_| is_inside)?;
        self.pixels.get_mut(index)
    }

    pub fn dot(&mut self, x: i32, y: i32, ink: Ink) {
        if let Some(pixel) = self.at(x, y) {
            *pixel = ink.index();
        }
    }

    /// The pixels from (`left`, `top`) on, `width` by `height` of them.
    pub fn fill(&mut self, [left, top]: [i32; 2], [width, height]: [i32; 2], ink: Ink) {
        for y in top..top + height {
            for x in left..left + width {
                self.dot(x, y, ink);
            }
        }
    }

    /// A frame of `thickness` around the pixels that [`Self::fill`] would fill, outside of them.
    pub fn frame(&mut self, [left, top]: [i32; 2], [width, height]: [i32; 2], thickness: i32, ink: Ink) {
        let (wide, high) = (width + 2 * thickness, height + 2 * thickness);
        self.fill([left - thickness, top - thickness], [wide, thickness], ink);
        self.fill([left - thickness, top + height], [wide, thickness], ink);
        self.fill([left - thickness, top - thickness], [thickness, high], ink);
        self.fill([left + width, top - thickness], [thickness, high], ink);
    }

    /// A disc; where there are points already it becomes darker.
    pub fn point(&mut self, [x, y]: [i32; 2], radius: i32) {
        for (dx, dy) in disc(radius) {
            if let Some(pixel) = self.at(x + dx, y + dy) {
                let deepest = FIRST_POINT + MAX_DEPTH;
                *pixel = match *pixel {
                    depth if (FIRST_POINT..deepest).contains(&depth) => depth + 1,
                    depth if depth == deepest => depth,
                    _ => FIRST_POINT,
                };
            }
        }
    }

    /// A straight line with round ends; with `dash`, as many pixels of every other stretch.
    pub fn line(&mut self, [x0, y0]: [i32; 2], [x1, y1]: [i32; 2], radius: i32, dash: Option<i32>, ink: Ink) {
        let (dx, dy) = (x1 - x0, y1 - y0);
        let n_steps = dx.abs().max(dy.abs()).max(1);
        for step in 0..=n_steps {
            if dash.is_some_and(|dash| step / dash.max(1) % 2 == 1) {
                continue;
            }
            let (x, y) = (x0 + rounded(dx * step, n_steps), y0 + rounded(dy * step, n_steps));
            for (ox, oy) in disc(radius) {
                self.dot(x + ox, y + oy, ink);
            }
        }
    }

    pub fn size(&self) -> (u32, u32) {
        (self.width.unsigned_abs(), self.height.unsigned_abs())
    }

    /// A PNG of palette colors, without a date or a name in it.
    pub fn png(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let (width, height) = self.size();
        let mut encoder = png::Encoder::new(&mut bytes, width, height);
        encoder.set_color(png::ColorType::Indexed);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_palette(palette());
        // Its own encoder: what zlib makes depends on the processor. It is made for zeros, which most pixels are when
        // each is told by its difference from the one above.
        encoder.set_compression(png::Compression::Fast);
        encoder.set_filter(png::Filter::Up);
        encoder
            .write_header()
            .and_then(|mut writer| {
                writer.write_image_data(&self.pixels)?;
                writer.finish()
            })
            .expect("as many pixels as the size says, written to memory");
        bytes
    }
}

/// `numerator / denominator` to the nearest, halves away from zero.
fn rounded(numerator: i32, denominator: i32) -> i32 {
    (2 * numerator.abs() + denominator) / (2 * denominator) * numerator.signum()
}

/// Offsets of the pixels of a disc: one pixel for radius 0.
fn disc(radius: i32) -> impl Iterator<Item = (i32, i32)> {
    let is_inside = move |(dx, dy): &(i32, i32)| dx * dx + dy * dy <= radius * radius + radius / 2;
    (-radius..=radius)
        .flat_map(move |dy| (-radius..=radius).map(move |dx| (dx, dy)))
        .filter(is_inside)
}
