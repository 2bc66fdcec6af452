//! The only door to files, clocks and (later) the network. What others get is values.
