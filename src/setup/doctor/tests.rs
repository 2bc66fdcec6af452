//! Small repositories and what is said about them.
