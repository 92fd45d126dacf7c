//! One request, from its arrival to its answer.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hyper::body::{Body as _, Incoming};
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Response, StatusCode};
use serde_json::json;

use super::access::Visitor;
use super::api;
use super::body::ResponseBody;
use super::catalogue::{Catalogue, CatalogueMatch};
use super::cdn;
use super::content::Content;
use super::delivery::deliver;
use super::fault::{CannedAnswer, HubFault, RetryAfterForm};
use super::lock;
use super::log::{HubOrigin, HubRequest, OpenRequest};
use super::rate::Bucket;
use super::refusal::HubRefusal;
use super::reply::{Payload, Reply};
use super::resolve::Resolve;
use super::route::{Question, RepositoryRequest, Route, STORE};
use super::server::{AnswerTampering, ServerState, XetDoor};
use super::wire::ConnectionState;
use super::xet_store::Reconstruct;

/// The longest body of a question that is read.
const QUESTION: usize = 1 << 20;

/// Answers one request on one of the origins.
pub(super) async fn answer(
    hub: Arc<ServerState>,
    origin: HubOrigin,
    line: Arc<ConnectionState>,
    request: hyper::Request<Incoming>,
) -> Result<Response<ResponseBody>, Infallible> {
    let (head, body) = request.into_parts();
    let (path, query) = (head.uri.path().to_owned(), head.uri.query().unwrap_or_default().to_owned());
    let route = match (origin, hub.mirror()) {
        // The store is no part of it.
        (HubOrigin::Hub, Some(mirror)) if !path.starts_with(STORE) => mirror.route(&path),
        _ => Route::of(&path),
    };
    let file = match origin {
        HubOrigin::Hub => route.file().map(str::to_owned),
        HubOrigin::Cdn => lock(&hub.catalogue).object(&path).map(|file| file.path.clone()),
    };
    let method = head.method.as_str().to_owned();
    let entry = hub.log.open(HubRequest {
        origin,
        method,
        path,
        query,
        file,
        headers: head.headers,
        status: 0,
        bytes_sent: 0,
        came: Instant::now(),
        lasted: Duration::ZERO,
        connection: line.number,
        not_before: None,
    });
    let question = collect(body).await;

    let asked = entry.request();
    let (replaced, delay) = before(&hub, &route, &entry);
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    let reply = match (replaced, origin) {
        (Some(reply), _) => reply,
        (None, HubOrigin::Cdn) => {
            let (catalogue, signer) = (lock(&hub.catalogue), lock(&hub.signer));
            cdn::reply(&catalogue, &signer, &head.method, &asked.headers, (&asked.path, &asked.query))
        }
        (None, HubOrigin::Hub) => limited(&hub, &route, || {
            let catalogue = lock(&hub.catalogue);
            of_the_hub(&hub, &catalogue, &route, &head.method, asked, &question)
                .unwrap_or_else(|refusal| refusal.reply())
        }),
    };
    let mut response = deliver(reply, &hub.faults, line, Arc::clone(&entry));
    let number = hub.number();
    let id = format!("Root=1-{number:08x}-{number:024x};00000000-0000-4000-8000-{number:012x}");
    let id = HeaderValue::try_from(id).expect("digits and dashes");
    response.headers_mut().insert(HeaderName::from_static("x-request-id"), id);
    entry.answered(response.status().as_u16());
    Ok(response)
}

/// What faults make of a request before it is looked at: another answer, a delay, or both.
fn before(hub: &ServerState, route: &Route, entry: &OpenRequest) -> (Option<Reply>, Duration) {
    let request = entry.request();
    let (mut reply, mut delay) = (None, Duration::ZERO);
    hub.faults.before(request, |fault| match fault {
        HubFault::Delay(by) => delay += by,
        HubFault::Status(status) => reply = Some(bare(status)),
        HubFault::RateLimited { seconds } => {
            let (until, renewed_in) = in_seconds(seconds);
            entry.asks_for_patience(until);
            let standing = lock(&hub.limits).count(route.bucket().unwrap_or(Bucket::Resolvers));
            reply = Some(standing.exhausted(renewed_in).refusal());
        }
        HubFault::RetryAfter { status, seconds, form: RetryAfterForm::Seconds } => {
            entry.asks_for_patience(in_seconds(seconds).0);
            reply = Some(bare(status).with("retry-after", &seconds.to_string()));
        }
        HubFault::RetryAfter { status, seconds, form: RetryAfterForm::Date } => {
            let date = in_whole_seconds(seconds);
            let left = date.duration_since(SystemTime::now()).unwrap_or_default();
            entry.asks_for_patience(Instant::now() + left);
            reply = Some(bare(status).with("retry-after", &httpdate::fmt_http_date(date)));
        }
        HubFault::Expired => reply = Some(cdn::denied()),
        HubFault::Answer(CannedAnswer { status, headers, body }) => {
            let status = StatusCode::from_u16(status).expect("a test asks for a status that exists");
            let empty = Reply { payload: Payload::Words(Content::bytes(body)), ..Reply::empty(status) };
            reply = Some(headers.into_iter().fold(empty, |reply, (name, value)| reply.with(name, value)));
        }
        HubFault::RedirectLoop => {
            let query = if request.query.is_empty() { "" } else { "?" };
            let location = format!("{}{query}{}", request.path, request.query);
            reply = Some(Reply::redirect(StatusCode::FOUND, &location));
        }
        HubFault::RedirectTo(location) => reply = Some(Reply::redirect(StatusCode::FOUND, &location)),
        _ => {}
    });
    (reply, delay)
}

fn bare(status: u16) -> Reply {
    let status = StatusCode::from_u16(status).expect("a test asks for a status that exists");
    Reply::text(status, status.canonical_reason().unwrap_or_default().to_owned())
}

fn in_seconds(seconds: u64) -> (Instant, Duration) {
    let wait = Duration::from_secs(seconds);
    (Instant::now() + wait, wait)
}

/// The first whole second of the clock that is at least so far off.
fn in_whole_seconds(seconds: u64) -> SystemTime {
    let then = SystemTime::now() + Duration::from_secs(seconds);
    let since = then.duration_since(UNIX_EPOCH).expect("it is later than 1970");
    UNIX_EPOCH + Duration::from_secs(since.as_secs() + u64::from(since.subsec_nanos() > 0))
}

fn limited(hub: &ServerState, route: &Route, reply: impl FnOnce() -> Reply) -> Reply {
    let Some(bucket) = route.bucket() else { return reply() };
    let standing = lock(&hub.limits).count(bucket);
    if standing.refused { standing.refusal() } else { standing.told_in(reply()) }
}

fn of_the_hub(
    hub: &ServerState,
    catalogue: &Catalogue,
    route: &Route,
    method: &Method,
    request: &HubRequest,
    question: &[u8],
) -> Result<Reply, HubRefusal> {
    if let Route::Reconstruct(asked) = route {
        return Ok(reconstruct(hub, catalogue, asked, request));
    }
    let visitor = visitor(&request.headers, catalogue);
    let mirror = hub.mirror();
    let is_known = matches!(visitor, Ok(Visitor::Known { .. }));
    if let Some(refusal) = mirror.and_then(|mirror| mirror.refuses(route, method, is_known)) {
        return Ok(refusal);
    }
    // A mirror minds only what it guards.
    let visitor = if mirror.is_some() { visitor.unwrap_or(Visitor::Anonymous) } else { visitor? };
    let subject = match route {
        Route::WhoAmI => return api::who_am_i(&visitor),
        Route::Unknown { .. } | Route::Reconstruct(_) => return Err(HubRefusal::Route),
        Route::Repository(subject) => subject,
    };
    let is_paths_info = matches!(subject.question, Question::PathsInfo { .. });
    let fits =
        if is_paths_info { *method == Method::POST } else { matches!(*method, Method::GET | Method::HEAD) };
    if !fits {
        return Err(HubRefusal::Route);
    }
    let repository = match catalogue.find(subject.kind, &subject.id, &visitor)? {
        CatalogueMatch::Here(repository) => repository,
        CatalogueMatch::Elsewhere(id) => return Ok(moved(subject, &id, request)),
    };
    let resolve = |revision, path| Resolve {
        repository,
        visitor: &visitor,
        revision,
        path,
        method,
        headers: &request.headers,
        asked: &request.path,
        cdn: &hub.cdn_origin,
        endpoint: &hub.endpoint,
        bodies: mirror.map(|mirror| mirror.bodies),
    };
    match &subject.question {
        Question::Info { revision } => {
            let reply = api::info(repository, revision.as_deref(), &request.query)?;
            Ok(match mirror {
                Some(mirror) => mirror.told(reply),
                None => reply,
            })
        }
        Question::Tree { revision, folder } => {
            let address = format!("{}{}", hub.endpoint, request.path);
            api::tree(repository, revision, folder, &request.query, hub.page_size(), &address)
        }
        Question::PathsInfo { revision } => api::paths_info(repository, revision, &request.headers, question),
        Question::References => Ok(api::references(repository)),
        Question::XetReadToken => {
            repository.access.may_read(&visitor, &repository.id)?;
            let XetDoor { store, token, lifetime } = lock(&hub.xet_door).clone();
            let store = store.unwrap_or_else(|| format!("{}{}", hub.endpoint, STORE.trim_end_matches('/')));
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let ends = (now + lifetime).as_secs();
            // `hf` reads the headers.
            Ok(Reply::ok(&json!({"accessToken": token, "exp": ends, "casUrl": store}))
                .with("x-xet-cas-url", &store)
                .with("x-xet-access-token", &token)
                .with("x-xet-token-expiration", &ends.to_string()))
        }
        Question::Resolve { revision, path } => resolve(revision, path).reply(&lock(&hub.signer)),
        Question::ResolveCache { commit, path } => resolve(commit, path).cached(),
    }
}

/// What the Xet store answers to those who show its token.
fn reconstruct(hub: &ServerState, catalogue: &Catalogue, asked: &Reconstruct, request: &HubRequest) -> Reply {
    let door = lock(&hub.xet_door);
    let shown = request.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    if shown != Some(&format!("Bearer {}", door.token)) {
        return bare(401);
    }
    let signer = lock(&hub.signer);
    let sign = |path: &str| format!("{}{}", hub.cdn_origin, signer.sign(path, "xorb"));
    let range = request.range().and_then(|range| {
        let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
        Some(first.parse().ok()?..last.parse::<u64>().ok()? + 1)
    });
    match catalogue.xet.reconstruct(asked, range, sign) {
        Some(mut answer) => {
            if let Some(AnswerTampering(tamper)) = &*lock(&hub.tampering) {
                tamper(&mut answer);
            }
            Reply::ok(&answer)
        }
        None => bare(404),
    }
}

fn visitor(headers: &HeaderMap, catalogue: &Catalogue) -> Result<Visitor, HubRefusal> {
    let header = headers.get(AUTHORIZATION).map(|value| value.to_str().unwrap_or_default());
    Visitor::of(header, &catalogue.tokens)
}

/// Relative, and with none of the headers that describe a file.
fn moved(subject: &RepositoryRequest, id: &str, request: &HubRequest) -> Reply {
    let mut location = subject.moved_to(id);
    if !request.query.is_empty() {
        location = format!("{location}?{}", request.query);
    }
    Reply::redirect(StatusCode::TEMPORARY_REDIRECT, &location)
}

async fn collect(mut body: Incoming) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Some(Ok(frame)) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        if let Ok(data) = frame.into_data() {
            bytes.extend_from_slice(&data);
        }
        if bytes.len() > QUESTION {
            break;
        }
    }
    bytes
}
