//! Tables and pictures to where the app looks for them: tables also as artifacts.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::ending::{Missing, sentence, until};
use crate::track::tracker::artifacts::run_table;
use crate::track::tracker::shown::Values;
use crate::wandb::media::{Medium, RunTable, Table};
use crate::wandb::{Client, ClientIds, Content, RunPath, Stream, WandbError, publish, send_files};

/// Tables that are published at the same time.
const PARALLEL: usize = 4;

/// Tables by their keys, and what is missing of them.
pub(super) struct Tables {
    pub media: BTreeMap<String, Medium>,
    pub warning: Option<String>,
}

/// Publishes each table as an artifact of the run; one that could not be is among the files of the run all the same,
/// where charts and the official client find it.
pub(super) async fn share_tables(
    client: &Client,
    run: &RunPath,
    tables: Vec<Table>,
    step: u64,
    moment: Instant,
) -> Tables {
    let permits = Arc::new(Semaphore::new(PARALLEL));
    let mut tasks = JoinSet::new();
    for table in tables {
        let (client, run, permits) = (client.clone(), run.clone(), Arc::clone(&permits));
        tasks.spawn(async move {
            let artifact = table.artifact(&run.run);
            let share = async {
                let _permit = permits.acquire().await;
                share(&client, &run, artifact).await
            };
            let shared = until(moment, Box::pin(share)).await;
            let file = table.file(step);
            match shared {
                Ok(ids) => (table.key, file.medium(Some(&ids)), None),
                Err(missing) => (table.key, file.medium(None), Some(missing)),
            }
        });
    }
    let mut media = BTreeMap::new();
    let mut first: Option<Missing<WandbError>> = None;
    while let Some(done) = tasks.join_next().await {
        // One that panicked has no table.
        let Ok((key, medium, missing)) = done else { continue };
        media.insert(key, medium);
        first = first.or(missing);
    }
    Tables {
        media,
        warning: first.map(|missing| sentence("some tables of the run may not be shown in W&B", &missing)),
    }
}

async fn share(client: &Client, run: &RunPath, table: RunTable) -> Result<ClientIds, WandbError> {
    Ok(publish(client, run_table(run, table)).await?.client_ids)
}

/// Sends the files; what the history says of them.
pub(super) async fn send_media(
    client: &Client,
    run: &RunPath,
    stream: &Stream,
    tables: BTreeMap<String, Medium>,
    images: BTreeMap<String, Medium>,
) -> Result<Values, WandbError> {
    let mut cells = Values::new();
    let mut files = BTreeMap::new();
    for (key, medium) in images.into_iter().chain(tables) {
        files.insert(medium.path, Content::Bytes(medium.bytes));
        cells.insert(key, medium.cell);
    }
    for name in send_files(client, run, files).await? {
        stream.uploaded(name);
    }
    Ok(cells)
}
