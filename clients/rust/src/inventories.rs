//! Inventories, which go on by themselves after a cut.

use crate::error::{Error, ErrorKind, Incomplete, Result};
use crate::inventory::{End, Failure, Progress, end::Outcome, incomplete::Reason};
use crate::service::{Service, jittered};
use futures_util::{StreamExt, future::BoxFuture, stream, stream::BoxStream};
use std::{collections::VecDeque, time::Duration};
use tokio::time::{Instant, sleep, timeout_at};
use tonic::{Code, Request, Status, metadata::MetadataMap};

/// The pages that are held back until a token comes. What is more is passed on.
const MAX_HELD: usize = 4096;
/// The failures that an error holds.
const MAX_FAILURES: usize = 1000;
/// The streams of a walk, whatever they bring.
const MAX_STREAMS: u32 = 1000;
/// The time before the deadline in which a gateway ends a stream, and some more.
const OWN_TIME: Duration = Duration::from_secs(10);
/// The shortest and the longest pause.
const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(30));

/// A request for an inventory. Every such request of the schema is one.
pub trait Inventoried: Clone + Send + Sync + Unpin + 'static {
    /// What a message with items has: they, and the names of what they belong to.
    type Page: Send + 'static;
    #[doc(hidden)]
    fn token(&self) -> &str;
    #[doc(hidden)]
    fn set_token(&mut self, token: String);
    #[doc(hidden)]
    fn open(service: Service, request: Request<Self>) -> BoxFuture<'static, Result<Messages<Self::Page>, Status>>;
}

#[doc(hidden)]
pub type Messages<P> = BoxStream<'static, Result<Event<P>, Status>>;

/// A message of a stream.
#[derive(Debug)]
#[doc(hidden)]
#[allow(clippy::large_enum_variant)]
pub enum Event<P> {
    Page(P),
    Progress(Progress),
    Failure(Failure),
    End(End),
    /// One of a later schema.
    Unknown,
}

type Callback<T> = Box<dyn FnMut(&T) + Send>;

/// An inventory that is about to be streamed.
#[must_use]
pub struct Inventory<R> {
    service: Service,
    request: R,
    metadata: MetadataMap,
    deadline: Option<Duration>,
    attempts: u32,
    silence: Duration,
    on_progress: Callback<Progress>,
    on_failure: Callback<Failure>,
}

impl<R: Inventoried> Inventory<R> {
    pub(crate) fn new(service: Service, request: R) -> Self {
        Self {
            service,
            request,
            metadata: MetadataMap::new(),
            deadline: None,
            attempts: 6,
            silence: Duration::from_secs(30),
            on_progress: Box::new(|_| {}),
            on_failure: Box::new(|_| {}),
        }
    }

    /// Gets every message of progress, about one a second. Its counts begin anew with each stream.
    pub fn on_progress(mut self, f: impl FnMut(&Progress) + Send + 'static) -> Self {
        self.on_progress = Box::new(f);
        self
    }

    /// Gets every read that failed, also one that is made again.
    pub fn on_failure(mut self, f: impl FnMut(&Failure) + Send + 'static) -> Self {
        self.on_failure = Box::new(f);
        self
    }

    /// What each call sends besides, such as `cache-control`.
    pub fn metadata(mut self, metadata: MetadataMap) -> Self {
        self.metadata = metadata;
        self
    }

    /// The time for all of it. There is no limit unless set.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// How many streams in a row may bring nothing: 6 unless set.
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }

    /// How long a stream may say nothing before it counts as cut off: 30 s unless set. A gateway
    /// says every second how far it is.
    pub fn silence(mut self, silence: Duration) -> Self {
        self.silence = silence;
        self
    }

    /// The pages, each once: a page comes when a token to go on has come behind it. An error ends
    /// them.
    ///
    /// It is that of the call, where the first stream was refused for good, and
    /// [`ErrorKind::IncompleteInventory`] in all other cases.
    #[must_use]
    pub fn pages(self) -> BoxStream<'static, Result<R::Page>> {
        let left = Incomplete { resume_token: self.request.token().into(), ..Incomplete::default() };
        let walk = Walk {
            until: self.deadline.and_then(|deadline| Instant::now().checked_add(deadline)),
            inventory: self,
            left,
            stream: None,
            fresh: true,
            streams: 0,
            fruitless: 0,
            came: false,
            ever: false,
            passing: false,
            asked: Duration::ZERO,
            held: VecDeque::new(),
            ready: VecDeque::new(),
            passed: false,
            over: false,
            error: None,
        };
        stream::unfold(walk, |mut walk| async move { walk.next().await.map(|item| (item, walk)) }).boxed()
    }
}

/// The state of a walk.
struct Walk<R: Inventoried> {
    inventory: Inventory<R>,
    until: Option<Instant>,
    left: Incomplete,
    stream: Option<Messages<R::Page>>,
    /// No message of the stream has come.
    fresh: bool,
    streams: u32,
    /// The streams in a row that brought nothing.
    fruitless: u32,
    /// This stream has brought a page, or any has.
    came: bool,
    ever: bool,
    /// A read that failed can succeed at the next attempt, and how long the gateway asks to wait.
    passing: bool,
    asked: Duration,
    /// The pages behind the last token, and those ahead of it.
    held: VecDeque<R::Page>,
    ready: VecDeque<R::Page>,
    /// Pages behind the token were passed on.
    passed: bool,
    /// Nothing comes behind the pages but an error, if there is one.
    over: bool,
    error: Option<Error>,
}

/// What comes after a stream.
enum Then {
    /// Asking again brings nothing.
    Never,
    Later,
    AtOnce,
}

impl<R: Inventoried> Walk<R> {
    async fn next(&mut self) -> Option<Result<R::Page>> {
        loop {
            if let Some(page) = self.ready.pop_front() {
                return Some(Ok(page));
            }
            if self.over {
                return self.error.take().map(Err);
            }
            match self.message().await {
                Ok(Some(event)) => {
                    if let Some((then, cause)) = self.take(event) {
                        self.ended(then, cause).await;
                    }
                }
                Ok(None) => self.ended(Then::Later, Some(cut("the stream was cut off"))).await,
                Err(error) => {
                    let then = if passes(&error) && !self.is_late() { Then::Later } else { Then::Never };
                    self.ended(then, Some(error)).await;
                }
            }
        }
    }

    /// The next message of the stream, which is opened where there is none.
    async fn message(&mut self) -> Result<Option<Event<R::Page>>> {
        let silent = Instant::now() + self.inventory.silence;
        let until = self.until.map_or(silent, |until| until.min(silent));
        let next = async {
            if self.stream.is_none() {
                self.streams += 1;
                (self.fresh, self.came) = (true, false);
                let mut message = self.inventory.request.clone();
                message.set_token(self.left.resume_token.clone());
                let mut request = Request::new(message);
                *request.metadata_mut() = self.inventory.metadata.clone();
                if let Some(until) = self.until {
                    request.set_timeout(until.saturating_duration_since(Instant::now()));
                }
                self.stream = Some(R::open(self.inventory.service.clone(), request).await?);
            }
            let Some(stream) = &mut self.stream else { return Ok(None) };
            Ok(stream.next().await.transpose()?)
        };
        timeout_at(until, next).await.unwrap_or_else(|_| {
            if self.is_late() {
                return Err(Status::deadline_exceeded("the deadline of the inventory has passed").into());
            }
            Err(cut(&format!("the stream was cut off: it said nothing for {:?}", self.inventory.silence)))
        })
    }

    fn is_late(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() >= until)
    }

    /// Takes a message. The last one says what comes after the stream.
    fn take(&mut self, event: Event<R::Page>) -> Option<(Then, Option<Error>)> {
        if std::mem::take(&mut self.fresh) {
            (self.left.reasons, self.left.failures, self.left.more_failures) = (Vec::new(), Vec::new(), 0);
            (self.passing, self.asked) = (false, Duration::ZERO); // It reads again what had failed.
        }
        match event {
            Event::Progress(progress) => {
                (self.inventory.on_progress)(&progress);
                if !progress.resume_token.is_empty() {
                    self.release(progress.resume_token, progress.repeats);
                }
            }
            Event::Failure(failure) => {
                (self.inventory.on_failure)(&failure);
                if read_passes(&failure) {
                    let asked = failure.retry_delay.and_then(|delay| delay.try_into().ok());
                    (self.passing, self.asked) = (true, self.asked.max(asked.unwrap_or_default()));
                }
                if self.left.failures.len() < MAX_FAILURES {
                    self.left.failures.push(failure);
                } else {
                    self.left.more_failures += 1;
                }
            }
            Event::End(End { outcome: Some(Outcome::Incomplete(incomplete)), .. }) => {
                self.left.reasons = incomplete.reasons().collect();
                self.release(incomplete.resume_token, incomplete.repeats);
                return Some((self.verdict(), None));
            }
            Event::End(_) => {
                self.release(String::new(), false);
                (self.over, self.stream) = (true, None);
            }
            Event::Page(page) => {
                self.held.push_back(page);
                if self.held.len() > MAX_HELD {
                    self.passed = true;
                    self.pass();
                }
            }
            Event::Unknown => {}
        }
        None
    }

    /// Passes on the pages ahead of a token.
    fn release(&mut self, token: String, repeats: bool) {
        self.left.resume_token = token;
        (self.left.repeats, self.passed) = (self.left.repeats || repeats, false);
        self.pass();
    }

    fn pass(&mut self) {
        self.came |= !self.held.is_empty();
        self.ever |= self.came;
        self.ready.append(&mut self.held);
    }

    /// What comes after a stream that the gateway ended early.
    fn verdict(&self) -> Then {
        let has = |reason| self.left.reasons.contains(&reason);
        let own = self.until.is_some_and(|until| until.saturating_duration_since(Instant::now()) < OWN_TIME);
        if self.left.resume_token.is_empty() || has(Reason::OutOfTime) && own {
            Then::Never
        } else if has(Reason::Draining) || self.passing {
            Then::Later
        } else if has(Reason::TooMany) || has(Reason::OutOfTime) {
            Then::AtOnce
        } else {
            Then::Never
        }
    }

    /// Goes on to another stream, or gives up.
    async fn ended(&mut self, then: Then, cause: Option<Error>) {
        self.stream = None;
        self.held.clear(); // They come again.
        self.left.repeats |= std::mem::take(&mut self.passed);
        self.fruitless = if self.came { 0 } else { self.fruitless + 1 };
        let spent = self.fruitless >= self.inventory.attempts.max(1) || self.streams >= MAX_STREAMS;
        let wait = match then {
            Then::AtOnce if !spent && !self.is_late() => Some(Duration::ZERO),
            Then::Later if !spent => Some(self.pause(cause.as_ref())),
            _ => None,
        };
        let wait = wait.filter(|wait| self.until.is_none_or(|until| Instant::now() + *wait < until));
        if let Some(wait) = wait {
            return sleep(wait).await;
        }
        let refused = matches!(then, Then::Never) && self.streams == 1 && !self.ever && !self.is_late();
        let left = std::mem::take(&mut self.left);
        self.over = true;
        self.error = Some(match cause {
            Some(error) if refused => error,
            cause => Error::missing(left, cause),
        });
    }

    fn pause(&self, cause: Option<&Error>) -> Duration {
        let doubled = PAUSES.0 * 2u32.pow(self.fruitless.saturating_sub(1).min(7));
        let asked = cause.and_then(|error| error.retry_delay).unwrap_or_default();
        jittered(doubled.min(PAUSES.1)).max(asked).max(self.asked)
    }
}

fn cut(message: &str) -> Error {
    Error::own(ErrorKind::Unavailable, Code::Unavailable, "", message)
}

/// Whether an error can be gone at the next attempt: the gateway says so, or it comes from what
/// lies in between.
fn passes(error: &Error) -> bool {
    use ErrorKind::{Canceled, DataLoss, DeadlineExceeded, Internal, ResourceExhausted, Unavailable, Unknown};
    match error.kind {
        Unavailable | ResourceExhausted => true,
        Internal | Unknown | Canceled | DeadlineExceeded | DataLoss => !error.is_remote(),
        _ => false,
    }
}

/// Whether a read that failed can succeed at the next attempt.
fn read_passes(failure: &Failure) -> bool {
    let lasting = matches!(&*failure.reason, "ENDLESS_LIST" | "UPSTREAM_BAD_RESPONSE" | "UPSTREAM_REDIRECTED");
    let code = Code::from(failure.code);
    !lasting && matches!(code, Code::Unavailable | Code::ResourceExhausted | Code::Aborted | Code::DeadlineExceeded)
}
