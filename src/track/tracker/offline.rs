//! tmp
use super::*;
pub struct Offline;
impl Offline {
    pub fn new(_: &std::path::Path) -> Self {
        Self
    }
}
#[async_trait]
impl Tracker for Offline {
    async fn start(&self, _: &RunStart) -> Result<Started, TrackError> {
        unimplemented!()
    }
    fn say(&self, _: &str) {}
    async fn finish(&self, _: RunEnd) -> Result<Ended, TrackError> {
        unimplemented!()
    }
    async fn interrupt(&self, _: u8) {}
}
