//! `/jobs`: replays and purges of many deliveries.

use http::StatusCode;
use http::header::LOCATION;
use serde_json::{Value, json};

use super::fields::missing;
use super::problem::{Problem, not_one_of, nothing};
use super::{Api, Call, selection, show};
use crate::admin::answer::{self, Answer, with};
use crate::queue::{Action, JobId, JobState, Selection, StateKind};

pub(super) async fn list(api: &Api, _: &Call) -> Result<Answer, Problem> {
    let (table, jobs) = (api.gateway.table(), api.reading(api.store().jobs()).await?);
    let jobs: Vec<Value> = jobs.iter().map(|job| show::job(job, &table)).collect();
    Ok(answer::json(StatusCode::OK, &json!({ "jobs": jobs })))
}

pub(super) async fn show(api: &Api, call: &Call) -> Result<Answer, Problem> {
    let id = id(call)?;
    let jobs = api.reading(api.store().jobs()).await?;
    let job = jobs.iter().find(|job| job.id == id).ok_or_else(|| nothing("job", id.0))?;
    Ok(answer::json(StatusCode::OK, &show::job(job, &api.gateway.table())))
}

pub(super) async fn begin(api: &Api, call: &Call) -> Result<Answer, Problem> {
    let (action, wanted) = meant(api, call)?;
    let job = api.store().begin(action, wanted, api.gateway.now()).await?;
    api.gateway.run_job(job.id);
    let answer = answer::json(StatusCode::ACCEPTED, &show::job(&job, &api.gateway.table()));
    Ok(with(answer, LOCATION, &format!("/api/v1/jobs/{}", job.id.0)))
}

pub(super) async fn switch(api: &Api, call: &Call, run: bool) -> Result<Answer, Problem> {
    let id = id(call)?;
    let job = api.store().switch(id, run).await?.ok_or_else(|| nothing("job", id.0))?;
    if job.state == JobState::Done {
        return Err(Problem::conflict("the job is done"));
    }
    if run {
        api.gateway.run_job(id);
    }
    Ok(answer::json(StatusCode::OK, &show::job(&job, &api.gateway.table())))
}

/// What is to be done, to which deliveries. To all of them only where it says so in so many words.
fn meant(api: &Api, call: &Call) -> Result<(Action, Selection), Problem> {
    let fields = &call.fields;
    let action = match fields.text("action")? {
        Some("replay") => Action::Replay,
        Some("purge") => Action::Purge,
        Some(other) => return Err(not_one_of("action", other, &["replay", "purge"])),
        None => return Err(missing("action")),
    };
    let given = selection::read(fields, api.gateway.now())?;
    let state = given.state.unwrap_or(StateKind::Dead);
    match (action, state) {
        (_, StateKind::Pending) => {
            return Err(Problem::field("state", "what is pending need not be replayed, and cannot be purged"));
        }
        (Action::Purge, StateKind::Delivered) => {
            return Err(Problem::field("state", "only dead letters are purged: what was delivered goes by itself"));
        }
        (_, StateKind::Delivered) if given.reason.is_some() => {
            return Err(Problem::field("reason", "what was delivered has no reason"));
        }
        _ => {}
    }
    let filterless = Selection { state: None, ..given.clone() } == Selection::default();
    match (filterless, fields.flag("all")?.unwrap_or_default()) {
        (true, false) => Err(Problem::field("all", "this means everything: give a filter, or `\"all\": true`")),
        (false, true) => Err(Problem::field("all", "`all` and a filter contradict each other")),
        _ => Ok((action, Selection { state: Some(state), ..given })),
    }
}

fn id(call: &Call) -> Result<JobId, Problem> {
    call.id.parse().map(JobId).map_err(|_| Problem::field("id", "`id` is no job's: a job has a number"))
}
