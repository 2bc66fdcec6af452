//! Distributions, tests, bootstrap and a seeded generator. Pure.
