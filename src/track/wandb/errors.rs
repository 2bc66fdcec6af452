//! What W&B refuses, as the registry says it. Pure.

use std::io;

use super::{RegistryError, WandbError};

/// An error of a call that only reads.
pub fn failed(action: &str, error: WandbError) -> RegistryError {
    match error {
        WandbError::Unauthorized { .. } | WandbError::Forbidden { .. } => need(action, error),
        error => RegistryError::Unavailable {
            action: action.to_owned(),
            source: io::Error::other(error),
        },
    }
}

/// An error of a call that needs a right.
pub fn need(action: &str, error: WandbError) -> RegistryError {
    match error {
        WandbError::Unauthorized { .. } | WandbError::Forbidden { .. } | WandbError::NotFound { .. } => {
            RegistryError::PermissionDenied {
                action: action.to_owned(),
                needs: error.to_string(),
            }
        }
        WandbError::Invalid { .. } => RegistryError::Refused {
            what: action.to_owned(),
            why: error.to_string(),
        },
        error => RegistryError::Unavailable {
            action: action.to_owned(),
            source: io::Error::other(error),
        },
    }
}
