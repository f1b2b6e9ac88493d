//! Which path is answered by what.

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;

use super::answer::{Answer, DUMP_PATIENCE};
use super::listen::Context;
use super::query::Query;
use super::{guard, pprof};
use crate::tasks;

const INDEX: &str = "\
/debug/pprof/            profiles, as Go's net/http/pprof serves them
/debug/kit/status        state, requests and tasks in numbers
/debug/kit/tasks         every task: age, polls, and where it waits
/debug/kit/generations   generations of the configuration
/livez                   200 while the process runs
/readyz                  200 while it takes requests
";

pub(super) async fn answer<B>(request: &Request<B>, context: &Context) -> Response<Full<Bytes>> {
    let answer = match guard::check(&context.access, request.headers()) {
        Ok(()) => route(request, context).await,
        Err(refusal) => refusal,
    };
    let mut response = answer.into_response();
    if request.method() == Method::HEAD {
        *response.body_mut() = Full::default();
    }
    response
}

async fn route<B>(request: &Request<B>, context: &Context) -> Answer {
    let path = request.uri().path();
    let is_symbol = path == "/debug/pprof/symbol";
    let method = request.method();
    if !(method == Method::GET || method == Method::HEAD || (is_symbol && method == Method::POST)) {
        return Answer::Refused(StatusCode::METHOD_NOT_ALLOWED, "GET is wanted".to_owned());
    }
    let query = Query(request.uri().query().unwrap_or_default());
    if let Some(name) = path.strip_prefix("/debug/pprof/") {
        return pprof::answer(name, query).await;
    }
    match path {
        "/" | "/debug" | "/debug/" => Answer::Text(INDEX.to_owned()),
        "/debug/pprof" => pprof::answer("", query).await,
        "/debug/kit/status" => Answer::Json(context.status.json(&context.service)),
        "/debug/kit/generations" => Answer::Json(crate::lifecycle::generations::json()),
        "/debug/kit/tasks" => {
            let dump = tasks::dump(DUMP_PATIENCE).await;
            let unregistered = tasks::unregistered(&context.service);
            Answer::Text(tasks::page(&dump, Some(unregistered)))
        }
        "/livez" => Answer::Text("ok\n".to_owned()),
        "/readyz" if context.status.is_ready() => Answer::Text("ok\n".to_owned()),
        "/readyz" => Answer::Refused(
            StatusCode::SERVICE_UNAVAILABLE,
            context.status.phase().name().to_owned(),
        ),
        _ => Answer::Refused(
            StatusCode::NOT_FOUND,
            format!("nothing here; there is:\n{INDEX}"),
        ),
    }
}
