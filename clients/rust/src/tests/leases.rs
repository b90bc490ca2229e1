//! The life of a lease, on a clock that jumps from one timer to the next.

use super::*;
use crate::credential::Source;
use crate::lease::{self as pb, CreateLeaseRequest, CreateLeaseResponse, RenewLeaseResponse, RevokeLeaseRequest};
use crate::service::Settings;
use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper::{body::Incoming, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use prost_types::Timestamp;
use std::convert::Infallible;
use tokio::time::Instant;
use tonic::transport::Endpoint;

/// What a gateway answers to a method with a request.
type Answers = Arc<dyn Fn(&str, Bytes) -> Result<Vec<u8>, Status> + Send + Sync>;

/// A gateway in this process, which has no connection that a clock would wait for.
fn fake(answers: Answers) -> Gateway {
    let connector = tower::service_fn(move |_: http::Uri| {
        let (here, there) = tokio::io::duplex(1 << 16);
        let answers = Arc::clone(&answers);
        let serve = service_fn(move |request: http::Request<Incoming>| {
            let answers = Arc::clone(&answers);
            async move {
                let path = request.uri().path().to_string();
                let body = request.into_body().collect().await.unwrap().to_bytes();
                Ok::<_, Infallible>(answer(answers(&path, body.slice(5..))))
            }
        });
        tokio::spawn(http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(there), serve));
        future::ok::<_, Infallible>(TokioIo::new(here))
    });
    let channel = Endpoint::from_static("http://fake").connect_with_connector_lazy(connector);
    let settings = Settings { deadline: Duration::from_secs(30), attempts: 5, keys: true };
    Gateway::of(Service::new(channel, Credential::new(Source::None), settings))
}

type Frames = stream::Iter<std::vec::IntoIter<Result<Frame<Bytes>, Infallible>>>;

fn answer(outcome: Result<Vec<u8>, Status>) -> Response<StreamBody<Frames>> {
    let mut trailers = HeaderMap::new();
    let mut frames = Vec::new();
    match outcome {
        Ok(message) => {
            let mut data = vec![0];
            data.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
            data.extend(message);
            frames.push(Ok(Frame::data(data.into())));
            trailers.insert("grpc-status", HeaderValue::from_static("0"));
        }
        Err(status) => status.add_header(&mut trailers).unwrap(),
    }
    frames.push(Ok(Frame::trailers(trailers)));
    let mut response = Response::new(StreamBody::new(stream::iter(frames)));
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    response
}

/// A ledger with leases of a minute that live for at most two, on the test's clock.
struct Ledger {
    began: Instant,
    calls: Mutex<Vec<(String, u64)>>,
    refuses: Mutex<Option<Code>>,
}

impl Ledger {
    fn new() -> Arc<Self> {
        Arc::new(Self { began: Instant::now(), calls: Mutex::default(), refuses: Mutex::default() })
    }

    fn gateway(self: &Arc<Self>) -> Gateway {
        let ledger = Arc::clone(self);
        fake(Arc::new(move |path, body| ledger.answer(path.rsplit('/').next().unwrap(), body)))
    }

    fn answer(&self, method: &str, body: Bytes) -> Result<Vec<u8>, Status> {
        let mut calls = self.calls.lock().unwrap();
        calls.push((method.into(), self.began.elapsed().as_secs()));
        let created: Vec<_> = calls.iter().filter(|(method, _)| method == "CreateLease").collect();
        if let Some(code) = self.refuses.lock().unwrap().filter(|_| method != "RevokeLease") {
            return Err(refusal(code));
        }
        let at = |seconds| Some(Timestamp { seconds: i64::try_from(seconds).unwrap(), nanos: 0 });
        let (now, begin) = (self.began.elapsed().as_secs(), created.last().unwrap().1);
        let lease = pb::Lease {
            id: format!("lease-{}", created.len()),
            api_key_id: format!("key-{}", created.len()),
            created_at: at(begin),
            expires_at: at((now + 60).min(begin + 120)),
            max_expires_at: at(begin + 120),
            ..Default::default()
        };
        Ok(match method {
            "CreateLease" => {
                assert!(!CreateLeaseRequest::decode(body).unwrap().request_id.is_empty());
                let secret = format!("sk-{}", created.len());
                CreateLeaseResponse { lease: Some(lease), secret, repeated: false }.encode_to_vec()
            }
            "RenewLease" => RenewLeaseResponse { lease: Some(lease) }.encode_to_vec(),
            "RevokeLease" => {
                calls.push((RevokeLeaseRequest::decode(body).unwrap().lease_id, now));
                Vec::new()
            }
            _ => Vec::new(),
        })
    }

    fn count(&self, method: &str) -> usize {
        self.calls.lock().unwrap().iter().filter(|(called, _)| called == method).count()
    }
}

/// An error as the gateway gives it: with a reason.
fn refusal(code: Code) -> Status {
    let reason = format!("{code:?}").to_uppercase();
    let info = crate::rpc::ErrorInfo { reason, ..Default::default() };
    let any =
        prost_types::Any { type_url: "type.googleapis.com/google.rpc.ErrorInfo".into(), value: info.encode_to_vec() };
    let mut details = vec![0x1a, u8::try_from(any.encoded_len()).unwrap()]; // Field 3 of google.rpc.Status.
    details.extend(any.encode_to_vec());
    Status::with_details(code, "no", details.into())
}

#[tokio::test(start_paused = true)]
async fn a_lease_is_renewed_replaced_and_revoked() {
    let ledger = Ledger::new();
    let keys = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&keys);
    let lease = ledger.gateway().lease("role").on_key(move |key| seen.lock().unwrap().push(key.secret().to_string()));
    let lease = lease.acquire().await.unwrap();
    assert_eq!(lease.key().unwrap().secret(), "sk-1");
    tokio::time::sleep(Duration::from_secs(45)).await;
    assert_eq!((ledger.count("RenewLease"), ledger.count("CreateLease")), (1, 1));
    tokio::time::sleep(Duration::from_secs(65)).await;
    assert_eq!((lease.key().unwrap().secret(), ledger.count("CreateLease")), ("sk-2", 2));
    assert_eq!(lease.authorization()().unwrap().to_str().unwrap(), "Bearer sk-2");
    assert_eq!(*keys.lock().unwrap(), ["sk-2"]);
    lease.release().await.unwrap();
    assert_eq!((ledger.count("lease-1"), ledger.count("lease-2")), (1, 1)); // The first has not ended.
    let calls = ledger.calls.lock().unwrap().len();
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(ledger.calls.lock().unwrap().len(), calls, "its task has ended");
}

#[tokio::test(start_paused = true)]
async fn a_lease_is_lost_when_it_is_over_and_another_is_refused() {
    let ledger = Ledger::new();
    let lease = ledger.gateway().lease("role").acquire().await.unwrap();
    *ledger.refuses.lock().unwrap() = Some(Code::Unavailable);
    tokio::time::sleep(Duration::from_secs(55)).await;
    assert!(lease.key().is_ok() && ledger.count("RenewLease") > 1);
    *ledger.refuses.lock().unwrap() = Some(Code::PermissionDenied);
    let lost = lease.lost().await;
    assert_eq!((lost.kind, ledger.began.elapsed() >= Duration::from_secs(60)), (ErrorKind::LeaseLost, true));
    assert_eq!(lease.key().expect_err("a lost lease has no key").kind, ErrorKind::LeaseLost);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_lease_is_not_renewed() {
    let ledger = Ledger::new();
    drop(ledger.gateway().lease("role").acquire().await.unwrap());
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(ledger.count("RenewLease"), 0);
}
