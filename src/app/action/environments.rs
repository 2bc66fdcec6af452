//! The cache of Actions as the shelf for environments: what one job made, the next one has in seconds.
//!
//! GitHub keeps what branches write apart: a job reads what its own branch and the default branch wrote. Keys say all that an
//! environment was made of, so that none is ever out of date, and a key that is there is never written again.

use std::sync::Arc;

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinHandle;

use crate::base::Digest;
use crate::github::results::{Results, ResultsError, Saved};
use crate::pipeline::{Built, Fetching, Shelf, chain};

use super::desk::Desk;
use super::plan::Place;

/// Of how environments lie in an entry; another one is not looked at.
const VERSION: &str = "mlops-environments-1";

/// What went wrong while something was kept, once that is over.
pub type Keeping = Option<JoinHandle<Option<String>>>;

/// Where this job has environments from, and leaves them: nowhere without a cache, and a fork's job leaves none.
pub fn shelf(desk: &Desk, place: Place) -> (Option<Shelf>, Keeping) {
    let Some(results) = &desk.results else {
        return (None, None);
    };
    let from = Arc::clone(results);
    let fetch = move |key: String| -> Fetching {
        let results = Arc::clone(&from);
        Box::pin(async move { fetch(&results, key).await })
    };
    let may_keep = match place {
        Place::Pull(_) | Place::DefaultBranch | Place::Schedule | Place::Commit => true,
        Place::ReadOnly => false,
    };
    let (built, coming) = unbounded_channel();
    let keeping = may_keep.then(|| tokio::spawn(keep(Arc::clone(results), coming)));
    let shelf = Shelf {
        fetch: Box::new(fetch),
        built: may_keep.then_some(built),
        problem: None,
    };
    (Some(shelf), keeping)
}

/// Waits until everything is kept, and tells what went wrong with it.
pub async fn kept(desk: &Desk, keeping: Keeping, problem: Option<String>) {
    let failed = match keeping {
        Some(keeping) => keeping.await.ok().flatten(),
        None => None,
    };
    if let Some(problem) = problem.or(failed) {
        desk.notice(problem);
    }
}

async fn fetch(results: &Results, key: String) -> Result<Option<Vec<u8>>, String> {
    match results.restore(std::slice::from_ref(&key), &version()).await {
        // An entry whose key only begins so is another environment.
        Ok(found) => Ok(found.filter(|found| found.key == key).map(|found| found.bytes)),
        Err(ResultsError::Denied { .. }) => Ok(None),
        Err(error) => Err(chain(&error)),
    }
}

/// Saves beside the run, which does not wait for it.
async fn keep(results: Arc<Results>, mut coming: UnboundedReceiver<Built>) -> Option<String> {
    let mut problem = None;
    while let Some(Built { key, packed }) = coming.recv().await {
        match results.save(&key, &version(), &packed).await {
            Ok(Saved::Done | Saved::ExistsAlready) => {}
            Ok(Saved::Denied(why)) => tracing::debug!(why, "the environment was not kept"),
            Err(error) => {
                let told = format!(
                    "the environment is not in the cache for the next job: {}",
                    chain(&error)
                );
                problem.get_or_insert(told);
            }
        }
    }
    problem
}

fn version() -> String {
    Digest::of(VERSION.as_bytes()).hex()
}
