//! What W&B refuses and why, in words that say what to do. Pure.

/// Why W&B did not do it. No variant can hold a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WandbError {
    #[error("W&B does not accept the key")]
    Unauthorized,
}
