//! What the conformance script cannot see: the order of pages around a cut, the styles of lists that
//! lead nowhere, and what is kept of a credential.

#![allow(clippy::unnecessary_wraps)] // The messages of a script are results.

mod leases;

use crate::credential::{Credential, Source, Token};
use crate::inventories::{Event, Inventoried, Messages};
use crate::inventory::{Complete, End, Failure, Incomplete, Progress, end::Outcome, incomplete::Reason};
use crate::lists::{Page, Paged};
use crate::service::{format_timeout, parse_timeout};
use crate::{Error, ErrorKind, Gateway, Service};
use futures_util::{FutureExt, StreamExt, future, future::BoxFuture, stream};
use http::HeaderValue;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, atomic::AtomicUsize, atomic::Ordering::Relaxed};
use std::{fs, time::Duration};
use tonic::{Code, Request, Status};

fn gateway() -> Gateway {
    Gateway::builder("http://127.0.0.1:1").token("secret").connect().unwrap()
}

/// A list whose page N has the cursor that stands at N.
#[derive(Clone)]
struct Pages(Vec<(usize, bool, &'static str)>, String, Arc<AtomicUsize>);

impl Paged for Pages {
    type Item = usize;
    const RESPONSE: &'static str = "Pages";
    fn backwards(&self) -> bool {
        false
    }
    fn cursor(&self) -> String {
        self.1.clone()
    }
    fn set_cursor(&mut self, cursor: String) {
        self.1 = cursor;
    }
    fn page(_: Service, request: Request<Self>) -> BoxFuture<'static, Result<Page<usize>, Status>> {
        let Pages(pages, _, asked) = request.into_inner();
        let (items, more, next) = pages[asked.fetch_add(1, Relaxed)];
        future::ok(Page { items: vec![0; items], more, next: next.into(), only_more: true }).boxed()
    }
}

#[tokio::test]
async fn a_list_is_whole_or_says_how_it_is_endless() {
    for (pages, items, reason) in [
        (vec![(2, true, "a"), (1, false, "")], 3, None),
        (vec![(1, true, "a"), (1, true, "a")], 2, Some("SameCursor")),
        (vec![(1, true, "a"), (1, true, "b"), (1, true, "a")], 3, Some("Cycle")),
        (vec![(1, true, "a"), (0, true, "b")], 1, Some("EmptyPage")),
        (vec![(2, true, "")], 2, Some("NoCursor")),
        (vec![(2, false, "a")], 2, Some("Contradiction")),
        (vec![(1, true, "a"), (1, true, "b"), (1, true, "c")], 3, Some("PageCap")),
    ] {
        let list = || gateway().list(Pages(pages.clone(), String::new(), Arc::default())).max_pages(3);
        let came: Vec<_> = list().items().collect().await;
        assert_eq!(came.iter().filter(|item| item.is_ok()).count(), items, "{reason:?}");
        let error = list().collect().await.err();
        assert_eq!(error.as_ref().map(|error| &*error.reason), reason);
        assert!(error.is_none_or(|error| error.kind == ErrorKind::EndlessList), "{reason:?}");
    }
}

type Script = Vec<Result<Event<u32>, Status>>;

/// An inventory whose streams are scripted, and the tokens that it was asked with.
#[derive(Clone)]
struct Streams(Arc<Mutex<(VecDeque<Script>, Vec<String>)>>, String);

impl Inventoried for Streams {
    type Page = u32;
    fn token(&self) -> &str {
        &self.1
    }
    fn set_token(&mut self, token: String) {
        self.1 = token;
    }
    fn open(_: Service, request: Request<Self>) -> BoxFuture<'static, Result<Messages<u32>, Status>> {
        let Streams(script, token) = request.into_inner();
        let mut script = script.lock().unwrap();
        script.1.push(token);
        let messages = script.0.pop_front();
        let silent = stream::pending().boxed(); // Beyond the script nothing is said.
        future::ok(messages.map_or(silent, |messages| stream::iter(messages).boxed())).boxed()
    }
}

fn token(token: &str) -> Result<Event<u32>, Status> {
    Ok(Event::Progress(Progress { resume_token: token.into(), ..Default::default() }))
}

fn page(page: u32) -> Result<Event<u32>, Status> {
    Ok(Event::Page(page))
}

fn end(incomplete: Option<(Reason, &str)>) -> Result<Event<u32>, Status> {
    let outcome = match incomplete {
        Some((reason, token)) => {
            let reasons = vec![reason.into()];
            Outcome::Incomplete(Incomplete { reasons, resume_token: token.into(), repeats: false })
        }
        None => Outcome::Complete(Complete {}),
    };
    Ok(Event::End(End { outcome: Some(outcome), ..Default::default() }))
}

fn failure(code: Code) -> Result<Event<u32>, Status> {
    Ok(Event::Failure(Failure { code: code.into(), reason: "UPSTREAM".into(), ..Default::default() }))
}

/// Walks through streams, and returns the pages, the error and the tokens that were asked with.
async fn walk(streams: Vec<Script>) -> (Vec<u32>, Option<Error>, Vec<String>) {
    let script = Arc::new(Mutex::new((streams.into(), Vec::new())));
    let mut pages = gateway().inventory(Streams(Arc::clone(&script), String::new())).pages();
    let (mut came, mut error) = (Vec::new(), None);
    while let Some(next) = pages.next().await {
        match next {
            Ok(page) => came.push(page),
            Err(it) => error = Some(it),
        }
    }
    let tokens = script.lock().unwrap().1.clone();
    (came, error, tokens)
}

#[tokio::test(start_paused = true)]
async fn a_page_behind_the_last_token_comes_once() {
    let cut = vec![page(1), token("a"), page(2), Err(Status::unavailable("cut"))];
    let (pages, error, tokens) = walk(vec![cut, vec![page(2), page(3), end(None)]]).await;
    assert!(error.is_none(), "{error:?}");
    assert_eq!((pages, tokens), (vec![1, 2, 3], vec![String::new(), "a".into()]));
}

#[tokio::test(start_paused = true)]
async fn what_can_pass_is_read_again_and_what_is_denied_is_missing() {
    let first = vec![page(1), failure(Code::Unavailable), end(Some((Reason::Failed, "a")))];
    let last = vec![page(2), failure(Code::PermissionDenied), end(Some((Reason::Denied, "b")))];
    let (pages, error, tokens) = walk(vec![first, last]).await;
    let error = error.expect("an error");
    let left = error.incomplete.as_ref().expect("what is missing");
    assert_eq!((pages, tokens), (vec![1, 2], vec![String::new(), "a".into()]));
    assert_eq!((error.kind, &*error.reason), (ErrorKind::IncompleteInventory, "REASON_DENIED"));
    assert_eq!((left.failures.len(), &*left.resume_token), (1, "b"));
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_refused_or_silent_ends() {
    let (_, error, _) = walk(vec![vec![Err(Status::permission_denied("no"))]]).await;
    assert_eq!(error.expect("an error").kind, ErrorKind::PermissionDenied);
    let (pages, error, tokens) = walk(vec![vec![page(1), token("a")]]).await;
    assert_eq!((pages, tokens.len()), (vec![1], 7)); // Six in a row bring nothing.
    assert_eq!(error.expect("an error").kind, ErrorKind::IncompleteInventory);
}

#[tokio::test(start_paused = true)]
async fn a_provider_is_asked_when_it_has_to_be() {
    let asked = Arc::new(AtomicUsize::new(0));
    let calls = Arc::clone(&asked);
    let provider = Source::provider(move || {
        let call = calls.fetch_add(1, Relaxed);
        future::ok(Token::new(format!("t{call}")).expires_in(Duration::from_secs(100)))
    });
    let credential = Credential::new(provider);
    let first = credential.header(None).await.unwrap();
    assert_eq!(first, Some(HeaderValue::from_static("Bearer t0")));
    assert_eq!(credential.header(None).await.unwrap(), first);
    tokio::time::advance(Duration::from_secs(91)).await;
    let second = credential.header(None).await.unwrap();
    assert_eq!(second, Some(HeaderValue::from_static("Bearer t1")));
    assert_eq!(credential.header(first.as_ref()).await.unwrap(), second, "another call has done so");
    assert_ne!(credential.header(second.as_ref()).await.unwrap(), second);
    assert_eq!(asked.load(Relaxed), 3);
    assert!(!format!("{first:?} {:?}", Token::new("t0")).contains("t0"));
}

#[tokio::test]
async fn a_file_is_read_again_when_it_changes() {
    let path = std::env::temp_dir().join(format!("admin-gateway-{}", uuid::Uuid::new_v4()));
    fs::write(&path, "one\n").unwrap();
    let credential = Credential::new(Source::File(path.clone()));
    assert_eq!(credential.header(None).await.unwrap(), Some(HeaderValue::from_static("Bearer one")));
    fs::write(&path, "three\n").unwrap();
    assert_eq!(credential.header(None).await.unwrap(), Some(HeaderValue::from_static("Bearer three")));
    fs::remove_file(&path).unwrap();
    assert_eq!(credential.header(None).await.unwrap_err().code(), Code::Unauthenticated);
}

#[test]
fn a_timeout_is_not_ahead_of_the_deadline() {
    for left in [Duration::ZERO, Duration::from_micros(1500), Duration::from_secs(90_000), Duration::from_secs(1 << 31)]
    {
        let sent = format_timeout(left);
        assert!(sent.len() <= 9, "{sent:?}");
        assert!(parse_timeout(&sent).is_some_and(|read| read >= left.min(Duration::from_secs(99_999_999))), "{sent:?}");
    }
    for text in ["", "5", "m", "x1m", "1X", "\u{e9}"] {
        assert_eq!(HeaderValue::from_str(text).ok().and_then(|value| parse_timeout(&value)), None, "{text}");
    }
}

#[tokio::test]
async fn a_wrong_argument_is_named() {
    let at = |address: &str| Gateway::builder(address).token("t");
    for (argument, builder) in [
        ("address", at("gateway:443")),
        ("address", at("https://gateway/v1")),
        ("address", at("http://gateway:80")),
        ("token", Gateway::builder("https://gateway").token("a\nb")),
        ("ca", at("https://gateway").ca("/nowhere.pem")),
        ("ca", at("https://gateway").ca("-----BEGIN NOTHING-----")),
        ("cert", at("https://gateway").client_certificate("/nowhere.pem", "/nowhere.key")),
        ("attempts", at("https://gateway").attempts(0)),
        ("user_agent", at("https://gateway").user_agent("a\nb")),
    ] {
        let error = builder.connect().expect_err(argument);
        assert_eq!((error.kind, &*error.field_violations[0].field), (ErrorKind::InvalidConfig, argument));
    }
    assert!(at("http://gateway").plaintext().connect().is_ok());
    assert!(at("http://[::1]:80").connect().is_ok());
}

#[test]
fn no_debug_output_has_a_secret() {
    let answer = crate::lease::CreateLeaseResponse { secret: "sk-secret".into(), ..Default::default() };
    assert!(
        !format!("{answer:?} {:?}", Gateway::builder("https://u:secret@gateway").token("secret")).contains("secret")
    );
}
