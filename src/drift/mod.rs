//! Whether data changed: tests of one column, of many together, and of what a model makes of them. Pure.

#![allow(dead_code, reason = "grows bottom up; the last step removes this")]

mod pair;
mod result;
mod sketch;
mod univariate;
