//! Which run and job the runtime's token speaks for. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::base::Secret;

/// The names that the service has for this run and this job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BackendIds {
    run: String,
    job: String,
}

impl BackendIds {
    /// Read from the token, which is not verified: whoever gave it to us can say anything, and the service checks it.
    pub fn of(token: &Secret) -> Option<Self> {
        let payload = token.expose().split('.').nth(1)?;
        let payload = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
        let claims: Value = serde_json::from_slice(&payload).ok()?;
        claims.get("scp")?.as_str()?.split(' ').find_map(|scope| {
            let (run, job) = scope.strip_prefix("Actions.Results:")?.split_once(':')?;
            let is_id = |id: &str| !id.is_empty() && id.len() <= 128 && !id.contains(':');
            (is_id(run) && is_id(job)).then(|| Self {
                run: run.to_owned(),
                job: job.to_owned(),
            })
        })
    }

    pub fn are(&self, run: &str, job: &str) -> bool {
        self.run == run && self.job == job
    }

    /// What every request about artifacts begins with.
    pub fn body(&self) -> Value {
        json!({"workflow_run_backend_id": self.run, "workflow_job_run_backend_id": self.job})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(scp: &str) -> Secret {
        let payload = URL_SAFE_NO_PAD.encode(json!({"scp": scp, "exp": 1}).to_string());
        Secret::new(format!("eyJhbGciOiJSUzI1NiJ9.{payload}.c2ln"))
    }

    #[test]
    fn the_scope_of_the_token_names_run_and_job() {
        let ids = BackendIds::of(&token("Actions.GenericRead:0:0 Actions.Results:run-1:job-2 x")).unwrap();
        assert!(ids.are("run-1", "job-2") && !ids.are("run-1", "job-3"));
        for scp in [
            "",
            "Actions.Results",
            "Actions.Results:run",
            "Actions.Results::job",
            "Actions.Results:a:b:c",
        ] {
            assert_eq!(BackendIds::of(&token(scp)), None, "{scp}");
        }
        for text in ["", "a.b.c", "a.!!.c", "a.bnVsbA.c", "no"] {
            assert_eq!(BackendIds::of(&Secret::new(text)), None, "{text}");
        }
    }
}
