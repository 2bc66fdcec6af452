//! Rows handed over a chunk at a time, so that a file of any size takes the memory of one chunk. Pure.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use crate::data::Frame;

use super::builder::Builder;
use super::table::Stop;

/// What a scan hands over.
#[derive(Debug, Clone, Copy)]
pub enum Portion<'a> {
    /// Forget every row so far: they come once more, since a column turned out to be of another type.
    Anew,
    /// The next rows. They have no places, and texts have levels of their own in every portion.
    Rows(&'a Frame),
}

pub type Each<'s> = &'s mut dyn FnMut(Portion<'_>) -> ControlFlow<()>;

/// How handing over is going.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Going,
    /// A column must be read anew: the types of the other columns are still found out, but no more rows are handed over.
    Silent,
    /// That was known after the first chunk, so that nothing is lost by beginning again at once.
    Early,
    /// Whoever takes the rows wants no more of them.
    Ended,
}

pub struct Chunks<'s> {
    /// Rows of one chunk, at least one.
    pub n_rows: usize,
    /// Rows that were handed over, or dropped in silence.
    pub n_taken: usize,
    /// Cells of each column that do not read as its declared type.
    pub bad_cells: BTreeMap<String, usize>,
    pub state: State,
    has_delivered: bool,
    each: Each<'s>,
}

impl<'s> Chunks<'s> {
    pub fn new(n_rows: usize, each: Each<'s>) -> Self {
        Self {
            n_rows: n_rows.max(1),
            n_taken: 0,
            bad_cells: BTreeMap::new(),
            state: State::Going,
            has_delivered: false,
            each,
        }
    }

    /// Whether no more rows need to be read.
    pub fn is_over(&self) -> bool {
        match self.state {
            State::Going | State::Silent => false,
            State::Early | State::Ended => true,
        }
    }

    /// Hands over the rows since the last time; `n_rows` is the number of all rows so far.
    pub fn deliver(&mut self, builders: &mut [Builder], n_rows: usize) -> Result<(), Stop> {
        let n = n_rows - std::mem::replace(&mut self.n_taken, n_rows);
        let is_lost = builders.iter().any(Builder::is_lost);
        let columns: Vec<_> = builders.iter_mut().map(Builder::take).collect();
        if is_lost && self.state == State::Going {
            self.state = if self.has_delivered {
                State::Silent
            } else {
                State::Early
            };
        }
        match self.state {
            State::Going => {}
            State::Silent => return Ok(()),
            State::Early | State::Ended => return Err(Stop),
        }
        self.has_delivered = true;
        let frame = Frame::new(columns, n, Vec::new())
            .expect("every builder has its own name and a value for each row, and each code comes with its level");
        if (self.each)(Portion::Rows(&frame)).is_break() {
            self.state = State::Ended;
            return Err(Stop);
        }
        Ok(())
    }

    /// Hands over the last rows, and a table without rows where there were none, so that the columns are known.
    pub fn finish(&mut self, builders: &mut [Builder], n_rows: usize) {
        // A column can be text for what the whole of it says: whole numbers that are too long, and no decimal among them.
        let is_lost = builders.iter().any(Builder::is_lost_at_the_end);
        if self.state == State::Going && !is_lost && (n_rows > self.n_taken || !self.has_delivered) {
            let _ = self.deliver(builders, n_rows); // Whether more is wanted does not matter at the end.
        }
    }
}
