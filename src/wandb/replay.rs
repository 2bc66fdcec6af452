//! tmp
use super::{Client, WandbError};
pub struct Replayed {
    pub url: String,
    pub warnings: Vec<String>,
}
pub async fn replay(_: &Client, _: &str, _: &str, _: &std::path::Path) -> Result<Replayed, WandbError> {
    unimplemented!()
}
