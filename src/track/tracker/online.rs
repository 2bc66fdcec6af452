//! tmp
use super::*;
use crate::track::Wandb;
use crate::wandb::{Client, UpsertRun, upsert_run};
pub struct OnlinePlace {
    pub entity: String,
    pub project: String,
    pub registry: Option<Wandb>,
}
pub struct Online {
    client: Client,
    place: OnlinePlace,
    id: std::sync::Mutex<String>,
}
impl Online {
    pub fn new(client: Client, place: OnlinePlace) -> Self {
        Self {
            client,
            place,
            id: Default::default(),
        }
    }
}
#[async_trait]
impl Tracker for Online {
    async fn start(&self, run: &RunStart) -> Result<Started, TrackError> {
        *self.id.lock().unwrap() = run.id.clone();
        let up = UpsertRun {
            name: run.id.clone(),
            entity: Some(self.place.entity.clone()),
            project: self.place.project.clone(),
            display_name: Some(run.display_name.clone()),
            ..UpsertRun::default()
        };
        let made = upsert_run(&self.client, &up).await?;
        Ok(Started {
            place: format!("W&B {}/{}", made.path.entity, made.path.project),
            url: Some(self.client.hosts().run(&made.path.entity, &made.path.project, &run.id)),
        })
    }
    fn say(&self, _: &str) {}
    async fn finish(&self, end: RunEnd) -> Result<Ended, TrackError> {
        let id = self.id.lock().unwrap().clone();
        self.client
            .post_stream(
                &self.place.entity,
                &self.place.project,
                &id,
                format!("{{\"complete\":true,\"exitcode\":{}}}", end.exit_code),
            )
            .await?;
        Ok(Ended::default())
    }
    async fn interrupt(&self, _: u8) {}
}
