//! Artifacts on the twin: published, published again, disturbed at every call, downloaded.

mod bounds;
mod download;
mod faults;
mod publish;
