//! Facts → what a tracker is told. Pure.
