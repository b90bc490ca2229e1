//! What lies between the generated clients and the channel: credentials, deadlines, idempotency
//! keys and attempts.

use crate::connect::chain;
use crate::credential::Credential;
use crate::{Error, ErrorKind, MESSAGE_LIMIT};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, future::BoxFuture, stream};
use http::{HeaderValue, Request, Response, StatusCode, header::AUTHORIZATION, request::Parts};
use http_body::Frame;
use http_body_util::{BodyExt, Full, Limited, StreamBody};
use std::{fmt, future::poll_fn, sync::Arc, task::Context, task::Poll, time::Duration};
use tokio::time::{Instant, sleep, timeout_at};
use tonic::{Code, Status, body::Body, metadata::MetadataMap, transport::Channel};

const KEY: &str = "idempotency-key";
const TIMEOUT: &str = "grpc-timeout";
const REQUEST_ID: &str = "x-request-id";
/// The size of the largest request.
const REQUEST_LIMIT: usize = 16 << 20;
/// The pause after the first attempt, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// As good as no deadline.
const EVER: Duration = Duration::from_secs(30 * 365 * 24 * 3600);

/// What the schema says of a method.
pub(crate) struct Method {
    /// It answers with a stream.
    pub(crate) stream: bool,
    /// It has no side effects.
    pub(crate) read: bool,
    /// It is a write that takes an idempotency key.
    pub(crate) keyed: bool,
    /// Whether a request has a `request_id`.
    pub(crate) named: Option<fn(&[u8]) -> bool>,
}

/// In the extensions of a [`tonic::Request`], it says that the write gets no idempotency key.
#[derive(Clone, Copy, Debug)]
pub struct NoIdempotencyKey;

/// The transport of the generated clients. Clones share one connection.
#[derive(Clone)]
pub struct Service {
    channel: Channel,
    credential: Arc<Credential>,
    settings: Settings,
}

#[derive(Clone, Copy)]
pub(crate) struct Settings {
    pub(crate) deadline: Duration,
    pub(crate) attempts: u32,
    pub(crate) keys: bool,
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").finish_non_exhaustive()
    }
}

impl tower_service::Service<Request<Body>> for Service {
    type Response = Response<Body>;
    type Error = Status;
    type Future = BoxFuture<'static, Result<Response<Body>, Status>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(())) // Each attempt waits for the channel.
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let too_large = |e| Status::resource_exhausted(format!("the request is larger than 16 MiB: {e}"));
            let body = Limited::new(body, REQUEST_LIMIT).collect().await.map_err(too_large)?.to_bytes();
            service.answer(parts, body).await
        })
    }
}

/// The outcome of an attempt: what the generated client gets, and the error in it.
struct Outcome(Result<Response<Body>, Status>, Option<Error>);

impl From<Status> for Outcome {
    fn from(status: Status) -> Self {
        let copy = Status::with_details(status.code(), status.message(), Bytes::copy_from_slice(status.details()));
        Self(Err(status), Some(copy.into()))
    }
}

impl Service {
    pub(crate) fn new(channel: Channel, credential: Credential, settings: Settings) -> Self {
        Self { channel, credential: Arc::new(credential), settings }
    }

    /// Makes a call, with all its attempts.
    async fn answer(mut self, mut parts: Parts, body: Bytes) -> Result<Response<Body>, Status> {
        let table = crate::table::METHODS;
        let found = table.binary_search_by_key(&parts.uri.path(), |(path, _)| path);
        let other = Method { stream: true, read: false, keyed: false, named: None };
        let method = found.map_or(&other, |at| &table[at].1); // One of another schema passes as it is.
        let own_time = (!method.stream).then_some(self.settings.deadline);
        let limit = parts.headers.get(TIMEOUT).and_then(parse_timeout).or(own_time);
        let deadline = Instant::now() + limit.unwrap_or(EVER).min(EVER);
        let skip = !self.settings.keys || parts.extensions.get::<NoIdempotencyKey>().is_some();
        let own_key = method.keyed && !skip && !parts.headers.contains_key(KEY);
        if own_key {
            let key = HeaderValue::try_from(uuid::Uuid::new_v4().to_string());
            parts.headers.insert(KEY, key.map_err(|e| Status::internal(e.to_string()))?);
        }
        let named = || method.named.is_some_and(|named| body.get(5..).is_some_and(named));
        let mut repeatable = !method.stream && (method.read || parts.headers.contains_key(KEY) || named());
        let (mut pause, mut made, mut renewed) = (PAUSES.0, 1, false);
        loop {
            let attempt = self.attempt(&mut parts, &body, method, limit.map(|_| deadline), &mut renewed);
            let outcome = timeout_at(deadline, attempt).await;
            let Outcome(answer, error) = outcome.unwrap_or_else(|_| expired().into());
            let Some(error) = error else { return answer };
            if own_key && parts.headers.contains_key(KEY) && refuses_keys(&error) {
                parts.headers.remove(KEY); // Nothing was made.
                repeatable = false;
                continue;
            }
            let wait = jittered(pause).max(error.retry_delay.unwrap_or_default());
            if !repeatable || made >= self.settings.attempts || !passes(&error) || Instant::now() + wait >= deadline {
                return answer;
            }
            sleep(wait).await;
            made += 1;
            pause = (2 * pause).min(PAUSES.1);
        }
    }

    /// Sends a request, and once more where its credential is refused and there is another.
    async fn attempt(
        &mut self,
        parts: &mut Parts,
        body: &Bytes,
        method: &Method,
        deadline: Option<Instant>,
        renewed: &mut bool,
    ) -> Outcome {
        let mut token = match self.credential.header(None).await {
            Ok(token) => token,
            Err(status) => return status.into(),
        };
        loop {
            if let Some(token) = &token {
                parts.headers.insert(AUTHORIZATION, token.clone());
            }
            if let Some(deadline) = deadline {
                parts.headers.insert(TIMEOUT, format_timeout(deadline.saturating_duration_since(Instant::now())));
            }
            let request = Request::from_parts(parts.clone(), Body::new(Full::new(body.clone())));
            let outcome = self.send(request, method.stream, deadline).await.unwrap_or_else(Outcome::from);
            let refused = outcome.1.as_ref().is_some_and(|error| error.kind == ErrorKind::Unauthenticated);
            if !refused || *renewed || token.is_none() {
                return outcome;
            }
            match self.credential.header(token.as_ref()).await {
                Ok(other) if other != token => (token, *renewed) = (other, true),
                _ => return outcome,
            }
        }
    }

    /// Sends a request once. An answer is read to its end, a stream to its first frame, so that the
    /// status of what has failed is known.
    async fn send(&mut self, request: Request<Body>, stream: bool, until: Option<Instant>) -> Result<Outcome, Status> {
        use tower_service::Service as _;
        poll_fn(|context| self.channel.poll_ready(context)).await.map_err(|e| broken(&e, until))?;
        let answer = self.channel.call(request).await.map_err(|e| broken(&e, until))?;
        if answer.status() != StatusCode::OK {
            return Err(Status::new(code(answer.status()), format!("HTTP status {}", answer.status())));
        }
        let (head, body) = answer.into_parts();
        let mut status = Status::from_header_map(&head.headers);
        let mut rest = Box::pin(frames(body, head.headers.get(REQUEST_ID).cloned(), until));
        let (mut read, mut size) = (Vec::new(), 0);
        while let Some(frame) = rest.next().await {
            let frame = frame?;
            size += frame.data_ref().map_or(0, Bytes::len);
            if !stream && size > MESSAGE_LIMIT + 5 {
                return Err(Status::out_of_range("the answer is larger than 64 MiB"));
            }
            status = frame.trailers_ref().and_then(Status::from_header_map).or(status);
            read.push(Ok(frame));
            if stream {
                break;
            }
        }
        if status.is_none() && !stream {
            return Err(Status::unavailable("the answer was cut off"));
        }
        let error = status.filter(|status| status.code() != Code::Ok).map(Error::from);
        let body = Body::new(StreamBody::new(stream::iter(read).chain(rest)));
        Ok(Outcome(Ok(Response::from_parts(head, body)), error))
    }
}

/// The frames of an answer up to its deadline. The trailers get the gateway's id of the call, which
/// is in the headers: tonic gives an error in a stream the trailers alone.
fn frames(
    body: Body,
    id: Option<HeaderValue>,
    until: Option<Instant>,
) -> impl Stream<Item = Result<Frame<Bytes>, Status>> + Send {
    stream::unfold(Some((body, id)), move |state| async move {
        let (mut body, id) = state?;
        let next = timeout_at(until.unwrap_or_else(|| Instant::now() + EVER), body.frame()).await;
        match next {
            Ok(Some(Ok(mut frame))) => {
                if let (Some(trailers), Some(id)) = (frame.trailers_mut(), &id) {
                    trailers.entry(REQUEST_ID).or_insert_with(|| id.clone());
                }
                Some((Ok(frame), Some((body, id))))
            }
            Ok(Some(Err(status))) => Some((Err(broken(&status, until)), None)),
            Ok(None) => None,
            Err(_) => Some((Err(expired()), None)),
        }
    })
}

/// The status of a connection that broke.
fn broken(error: &dyn std::error::Error, until: Option<Instant>) -> Status {
    if until.is_some_and(|until| Instant::now() >= until) { expired() } else { Status::unavailable(chain(error)) }
}

fn expired() -> Status {
    Status::deadline_exceeded("the deadline of the call has passed")
}

/// The code for an answer of something that does not speak gRPC, as its specification has it.
fn code(status: StatusCode) -> Code {
    match status.as_u16() {
        400 => Code::Internal,
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 => Code::Unimplemented,
        429 | 502..=504 => Code::Unavailable,
        _ => Code::Unknown,
    }
}

/// A part of a time at random, at least half of it, so that what failed together is not tried again
/// together.
pub(crate) fn jittered(time: Duration) -> Duration {
    time / 2 + time.mul_f64(fastrand::f64() / 2.0)
}

/// Whether another attempt may succeed.
fn passes(error: &Error) -> bool {
    let lasting = matches!(&*error.reason, "UPSTREAM_BAD_RESPONSE" | "UPSTREAM_REDIRECTED");
    let busy = error.kind == ErrorKind::ResourceExhausted && error.retry_delay.is_some();
    !lasting && (busy || error.kind == ErrorKind::Unavailable)
}

/// Whether the gateway keeps no outcome of the write, so that a key is refused.
fn refuses_keys(error: &Error) -> bool {
    matches!(&*error.reason, "IDEMPOTENCY_NOT_CONFIGURED" | "IDEMPOTENCY_NEEDS_ENCRYPTION")
}

pub(crate) fn parse_timeout(value: &HeaderValue) -> Option<Duration> {
    let (number, unit) = value.to_str().ok()?.split_at_checked(value.len().checked_sub(1)?)?;
    let number = number.parse::<u32>().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(u64::from(number) * 3600),
        "M" => Duration::from_secs(u64::from(number) * 60),
        "S" => Duration::from_secs(number.into()),
        "m" => Duration::from_millis(number.into()),
        "u" => Duration::from_micros(number.into()),
        "n" => Duration::from_nanos(number.into()),
        _ => return None,
    })
}

/// Milliseconds, rounded up: the channel's own timer must not be ahead of this one's.
pub(crate) fn format_timeout(left: Duration) -> HeaderValue {
    let value = match left.as_millis() + 1 {
        millis @ ..=99_999_999 => format!("{millis}m"),
        millis => format!("{}S", (millis / 1000 + 1).min(99_999_999)),
    };
    HeaderValue::try_from(value).unwrap_or(HeaderValue::from_static("1S"))
}

/// How new the answer to a read is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Freshness {
    /// The age of the answer; none where it is not stored.
    pub age: Option<Duration>,
    /// It was stored.
    pub hit: bool,
    /// Why the upstream was asked, such as `miss`.
    pub forwarded: Option<String>,
    /// For how many seconds it is fresh yet; below 0 it is stale.
    pub ttl: Option<i64>,
}

impl Freshness {
    /// Reads the headers `Age` and `Cache-Status` of [`tonic::Response::metadata`].
    #[must_use]
    pub fn of(metadata: &MetadataMap) -> Self {
        let text = |name| metadata.get(name).and_then(|value| value.to_str().ok());
        let mut of =
            Self { age: text("age").and_then(|age| age.parse().ok()).map(Duration::from_secs), ..Self::default() };
        for part in text("cache-status").unwrap_or_default().split(';').map(str::trim) {
            match part.split_once('=') {
                None => of.hit |= part == "hit",
                Some(("fwd", why)) => of.forwarded = Some(why.into()),
                Some(("ttl", seconds)) => of.ttl = seconds.parse().ok(),
                Some(_) => {}
            }
        }
        of
    }
}
