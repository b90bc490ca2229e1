//! Leases, which a task renews for as long as the program needs a key.

use crate::error::{Error, ErrorKind, Result};
use crate::lease::{self as pb, lease_service_client::LeaseServiceClient};
use crate::service::{Service, jittered};
use std::{collections::HashMap, fmt, sync::Arc, time::Duration};
use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tonic::{Code, Request};

/// The time for a call, for one that gets a lease, and for all attempts to get the first.
const CALL: Duration = Duration::from_secs(30);
const CREATE: Duration = Duration::from_secs(120);
const ACQUIRE: Duration = Duration::from_secs(300);
/// The shortest and the longest pause between attempts.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// The least time between two calls, and the least that a call gets.
const SHORTEST: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// A key with its lease. It prints without its secret.
#[derive(Clone)]
pub struct Key {
    secret: Arc<str>,
    lease: Arc<pb::Lease>,
}

impl Key {
    /// The key itself.
    #[must_use]
    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// The lease, as it was when it was created or last renewed.
    #[must_use]
    pub fn lease(&self) -> &pb::Lease {
        &self.lease
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "lease {}, key {}", self.lease.id, self.lease.api_key_id)
    }
}

type OnKey = Box<dyn Fn(&Key) + Send + Sync>;
type OnError = Box<dyn Fn(&Error, Duration) + Send + Sync>;

/// A lease that is about to be asked for. [`Gateway::lease`](crate::Gateway::lease) makes one.
#[must_use]
pub struct LeaseBuilder {
    service: Service,
    wanted: pb::CreateLeaseRequest,
    within: Duration,
    on_key: OnKey,
    on_error: OnError,
}

impl LeaseBuilder {
    pub(crate) fn new(service: Service, role: String) -> Self {
        let wanted = pb::CreateLeaseRequest { role, ..Default::default() };
        Self { service, wanted, within: ACQUIRE, on_key: Box::new(|_| {}), on_error: Box::new(|_, _| {}) }
    }

    /// How long the lease lives without a renewal: as long as the role says unless set.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.wanted.ttl = ttl.try_into().ok();
        self
    }

    /// Whom the lease is for, if not the caller itself. It takes a permission of its own.
    pub fn holder(mut self, holder: impl Into<String>) -> Self {
        self.wanted.holder = holder.into();
        self
    }

    /// What the lease is for. None is a secret.
    pub fn labels(mut self, labels: impl Into<HashMap<String, String>>) -> Self {
        self.wanted.labels = labels.into();
        self
    }

    /// How long to try to get the lease: 5 minutes unless set.
    pub fn within(mut self, within: Duration) -> Self {
        self.within = within;
        self
    }

    /// Gets each key that takes the place of the one before, which works on to its own end.
    pub fn on_key(mut self, f: impl Fn(&Key) + Send + Sync + 'static) -> Self {
        self.on_key = Box::new(f);
        self
    }

    /// Gets each error after which there is another attempt, and the time until then.
    pub fn on_error(mut self, f: impl Fn(&Error, Duration) + Send + Sync + 'static) -> Self {
        self.on_error = Box::new(f);
        self
    }

    /// Gets the lease with its key, and keeps it until it is released or dropped.
    ///
    /// # Errors
    ///
    /// The gateway's refusal, or the error of the last attempt when the time is over.
    pub async fn acquire(self) -> Result<Lease> {
        let until = Instant::now() + self.within;
        let mut creation = Creation::new();
        let mut pause = PAUSES.0;
        let held = loop {
            let at_most = CREATE.min(until.saturating_duration_since(Instant::now()));
            let error = match create(&self, &mut creation, at_most).await {
                Ok(held) => break held,
                Err(error) => error,
            };
            let wait = jittered(pause).max(error.retry_delay.unwrap_or_default());
            if judge(&error) == Verdict::Refused || Instant::now() + wait >= until {
                return Err(error);
            }
            (self.on_error)(&error, wait);
            sleep(wait).await;
            pause = (2 * pause).min(PAUSES.1);
        };
        let keeper = Arc::new(Keeper {
            state: watch::Sender::new(State { current: held.clone(), former: Vec::new(), lost: None }),
            next: Mutex::new(Creation::new()),
            asked: self,
        });
        keeper.acknowledge(&held).await;
        let task = tokio::spawn(Arc::clone(&keeper).keep());
        Ok(Lease { keeper, task })
    }
}

/// A lease that is kept: renewed, and replaced when it cannot be renewed any more. Dropping it ends
/// that, and the key ends with the lease; [`Lease::release`] ends both at once.
pub struct Lease {
    keeper: Arc<Keeper>,
    task: JoinHandle<()>,
}

impl Lease {
    /// The key to use now.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::LeaseLost`] when the lease is over and the gateway refuses another one.
    pub fn key(&self) -> Result<Key> {
        self.keeper.key()
    }

    /// A function that gives the value of an `Authorization` header, for the client of the vendor's
    /// API. It may outlive this; the key then ends with the lease.
    pub fn authorization(&self) -> impl Fn() -> Result<http::HeaderValue> + Clone + Send + Sync + 'static {
        let keeper = Arc::clone(&self.keeper);
        move || Ok(crate::credential::bearer(keeper.key()?.secret())?)
    }

    /// Returns when the lease is lost, with an [`ErrorKind::LeaseLost`].
    pub async fn lost(&self) -> Error {
        let mut state = self.keeper.state.subscribe();
        let lost = state.wait_for(|state| state.lost.is_some()).await;
        lost.ok().and_then(|state| state.lost_error()).unwrap_or_else(|| lost_error("", "the lease was dropped"))
    }

    /// Renews the lease now, or gets another one where it has its latest end.
    ///
    /// # Errors
    ///
    /// That of the call. The lease is still kept.
    pub async fn renew(&self) -> Result<()> {
        self.key()?;
        self.keeper.prolong(&mut *self.keeper.next.lock().await).await
    }

    /// Exchanges the key. The one before works on for `overlap`, or as long as the role says.
    ///
    /// # Errors
    ///
    /// That of the call. Where the answer is lost, the next renewal gets another lease.
    pub async fn rotate(&self, overlap: Option<Duration>) -> Result<Key> {
        self.key()?;
        self.keeper.rotate(overlap).await
    }

    /// Revokes the lease, and those before it that have not ended. It tries for 30 seconds.
    ///
    /// # Errors
    ///
    /// The last one, of a lease that could not be revoked: it ends by itself.
    pub async fn release(mut self) -> Result<()> {
        self.task.abort();
        let _ = (&mut self.task).await; // It was aborted.
        let leases = {
            let state = self.keeper.state.borrow();
            let current = (state.current.key.lease.id.clone(), state.current.ends);
            state.former.iter().cloned().chain([current]).collect::<Vec<_>>()
        };
        let until = Instant::now() + CALL;
        let mut outcome = Ok(());
        for (id, _) in leases.into_iter().filter(|(_, ends)| *ends > Instant::now()) {
            outcome = outcome.and(self.keeper.revoke(&id, until).await);
        }
        outcome
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.keeper.state.borrow().current.key.fmt(f)
    }
}

/// A lease, and what this process knows of its end.
#[derive(Clone)]
struct Held {
    key: Key,
    /// When the lease ends, by this process's clock, or a little earlier.
    ends: Instant,
    /// How long it was to live when it was created.
    life: Duration,
    /// No renewal moves the end.
    last: bool,
}

struct State {
    current: Held,
    /// Leases that were replaced and have not ended.
    former: Vec<(String, Instant)>,
    lost: Option<String>,
}

impl State {
    fn lost_error(&self) -> Option<Error> {
        self.lost.as_ref().map(|why| lost_error(&self.current.key.lease.id, why))
    }
}

fn lost_error(id: &str, why: &str) -> Error {
    let message = format!("lease {id} is over, and there is no other: {why}");
    Error::own(ErrorKind::LeaseLost, Code::FailedPrecondition, "", message)
}

/// A lease that is asked for, by the same request until that is hopeless.
struct Creation {
    id: String,
    /// When the request was first sent: the lease was not created before.
    asked: Option<Instant>,
}

impl Creation {
    fn new() -> Self {
        Self { id: uuid::Uuid::new_v4().to_string(), asked: None }
    }
}

struct Keeper {
    asked: LeaseBuilder,
    state: watch::Sender<State>,
    /// The lease that comes next. Who holds it makes calls about the lease.
    next: Mutex<Creation>,
}

/// Asks for a lease once.
async fn create(asked: &LeaseBuilder, creation: &mut Creation, at_most: Duration) -> Result<Held> {
    let first = *creation.asked.get_or_insert_with(Instant::now);
    let message = pb::CreateLeaseRequest { request_id: creation.id.clone(), ..asked.wanted.clone() };
    let answer = LeaseServiceClient::new(asked.service.clone()).create_lease(timed(message, at_most)).await;
    let got = answer.map_err(Error::from).and_then(|answer| Held::new(answer.into_inner(), first));
    if got.as_ref().is_err_and(|error| judge(error) == Verdict::Anew) {
        *creation = Creation::new();
    }
    got
}

fn timed<T>(message: T, at_most: Duration) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(at_most);
    request
}

impl Held {
    fn new(answer: pb::CreateLeaseResponse, first: Instant) -> Result<Self> {
        let lease = answer.lease.unwrap_or_default();
        let life = span(lease.created_at.as_ref(), lease.expires_at.as_ref());
        let life = life.filter(|_| !answer.secret.is_empty()).ok_or_else(useless)?;
        let last = at_latest(&lease);
        Ok(Self { key: Key { secret: answer.secret.into(), lease: lease.into() }, ends: first + life, life, last })
    }

    /// Takes a later state of the lease. Its end moves by as much as the gateway says.
    fn moved(&mut self, lease: pb::Lease) -> Result<bool> {
        let known = self.key.lease.expires_at.as_ref();
        let (later, earlier) = (span(known, lease.expires_at.as_ref()), span(lease.expires_at.as_ref(), known));
        let (Some(later), Some(earlier)) = (later, earlier) else { return Err(useless()) };
        self.ends = (self.ends + later).checked_sub(earlier).unwrap_or_else(Instant::now);
        self.last = at_latest(&lease);
        self.key.lease = lease.into();
        Ok(!later.is_zero())
    }
}

/// The time from one instant of the gateway's to another; 0 where that is earlier.
fn span(from: Option<&prost_types::Timestamp>, to: Option<&prost_types::Timestamp>) -> Option<Duration> {
    let nanos = |at: &prost_types::Timestamp| i128::from(at.seconds) * 1_000_000_000 + i128::from(at.nanos);
    Some(Duration::from_nanos(u64::try_from(nanos(to?) - nanos(from?)).unwrap_or(0)))
}

/// Whether a lease has its latest end.
fn at_latest(lease: &pb::Lease) -> bool {
    lease.max_expires_at.is_some()
        && span(lease.expires_at.as_ref(), lease.max_expires_at.as_ref()).is_some_and(|left| left.is_zero())
}

/// A time that a call may take: a part of what is left, and at most so much.
fn within(at_most: Duration, part: Duration) -> Duration {
    at_most.min(part.max(SHORTEST.1))
}

impl Keeper {
    fn key(&self) -> Result<Key> {
        let state = self.state.borrow();
        state.lost_error().map_or_else(|| Ok(state.current.key.clone()), Err)
    }

    fn current(&self) -> Held {
        self.state.borrow().current.clone()
    }

    fn set(&self, held: Held) {
        self.state.send_modify(|state| state.current = held);
    }

    fn client(&self) -> LeaseServiceClient<Service> {
        LeaseServiceClient::new(self.asked.service.clone())
    }

    /// Renews until the lease is lost. Another attempt follows each error until the lease's end.
    async fn keep(self: Arc<Self>) {
        let (mut pause, mut wait) = (PAUSES.0, self.until_renewal());
        loop {
            sleep(wait).await;
            let outcome = self.prolong(&mut *self.next.lock().await).await;
            let Err(error) = outcome else {
                (pause, wait) = (PAUSES.0, self.until_renewal());
                continue;
            };
            let current = self.current();
            let left = current.ends.saturating_duration_since(Instant::now());
            if !current.last && (left.is_zero() || is_over(&error)) {
                let ends = current.ends.min(Instant::now());
                self.set(Held { ends, last: true, ..current });
                wait = Duration::ZERO; // Another lease is asked for.
            } else if left.is_zero() && judge(&error) == Verdict::Refused {
                self.state.send_modify(|state| state.lost = Some(error.to_string()));
                return;
            } else {
                wait = until_attempt(&error, pause, left);
                pause = (2 * pause).min(PAUSES.1);
            }
            (self.asked.on_error)(&error, wait);
        }
    }

    /// The time to the next call when all is well. A third of the lease's life is left then for
    /// attempts that fail, and up to a fifteenth more, at random.
    fn until_renewal(&self) -> Duration {
        let current = self.current();
        let left = current.ends.saturating_duration_since(Instant::now());
        let reserve = left.max(current.life).mul_f64(1.0 / 3.0 + fastrand::f64() / 15.0);
        left.saturating_sub(reserve).max(SHORTEST.0)
    }

    /// Renews the lease, or puts another one in its place.
    async fn prolong(&self, next: &mut Creation) -> Result<()> {
        let mut current = self.current();
        let left = current.ends.saturating_duration_since(Instant::now());
        if !current.last {
            let lease_id = current.key.lease.id.clone();
            let message = pb::RenewLeaseRequest { lease_id, ttl: self.asked.wanted.ttl };
            let answer = self.client().renew_lease(timed(message, within(CALL, left / 3))).await?;
            let lease = answer.into_inner().lease.unwrap_or_default();
            if lease.api_key_id != current.key.lease.api_key_id {
                let message = "the lease has another key, whose secret somebody else has";
                return Err(Error::own(ErrorKind::FailedPrecondition, Code::FailedPrecondition, OVER, message));
            }
            let moved = current.moved(lease)?;
            current.last |= !moved;
            self.set(current);
            return Ok(());
        }
        let at_most = if left.is_zero() { CREATE } else { within(CREATE, left / 3) };
        let held = create(&self.asked, next, at_most).await?;
        *next = Creation::new();
        let now = Instant::now();
        self.state.send_modify(|state| {
            state.former.push((state.current.key.lease.id.clone(), state.current.ends));
            state.former.retain(|(_, ends)| *ends > now);
            state.current = held.clone();
        });
        (self.asked.on_key)(&held.key);
        self.acknowledge(&held).await;
        Ok(())
    }

    async fn rotate(&self, overlap: Option<Duration>) -> Result<Key> {
        let _turn = self.next.lock().await;
        let mut current = self.current();
        let message = pb::RotateLeaseRequest {
            lease_id: current.key.lease.id.clone(),
            request_id: uuid::Uuid::new_v4().to_string(),
            overlap: overlap.and_then(|overlap| overlap.try_into().ok()),
        };
        let answer = self.client().rotate_lease(timed(message, CREATE)).await?.into_inner();
        if answer.secret.is_empty() {
            return Err(useless());
        }
        current.moved(answer.lease.unwrap_or_default())?;
        current.key.secret = answer.secret.into();
        self.set(current.clone());
        (self.asked.on_key)(&current.key);
        self.acknowledge(&current).await;
        Ok(current.key)
    }

    /// Lets the gateway forget the secret. A failure does no harm: the first renewal says the same.
    async fn acknowledge(&self, held: &Held) {
        let left = held.ends.saturating_duration_since(Instant::now());
        let message = pb::AcknowledgeLeaseRequest { lease_id: held.key.lease.id.clone() };
        let _ = self.client().acknowledge_lease(timed(message, within(CALL, left / 10))).await;
    }

    async fn revoke(&self, id: &str, until: Instant) -> Result<()> {
        let mut pause = PAUSES.0;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let message = pb::RevokeLeaseRequest { lease_id: id.into(), ..Default::default() };
            let Err(status) = self.client().revoke_lease(timed(message, left)).await else { return Ok(()) };
            let error = Error::from(status);
            let wait = jittered(pause).max(error.retry_delay.unwrap_or_default());
            if is_over(&error) {
                return Ok(());
            }
            if judge(&error) == Verdict::Refused || Instant::now() + wait >= until {
                return Err(error);
            }
            sleep(wait).await;
            pause = (2 * pause).min(PAUSES.1);
        }
    }
}

/// The time to the next attempt after an error. One is made at the end of the lease whatever the
/// gateway asks for: then another lease is needed.
fn until_attempt(error: &Error, pause: Duration, left: Duration) -> Duration {
    let asked = error.retry_delay.unwrap_or_default();
    if left.is_zero() {
        return jittered(pause).max(asked);
    }
    jittered(pause).min(left / 4).max(asked).min(left).max(SHORTEST.0)
}

/// The reason of an error about a lease that has ended or is being revoked.
const OVER: &str = "LEASE_OVER";

/// What an error means for the request that it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// The same request may succeed later.
    Again,
    /// This request cannot succeed any more; another one may.
    Anew,
    /// No such request is going to succeed, as things are.
    Refused,
}

/// The verdict on the error of a create. An error that comes from what lies in between says nothing
/// about the request, which may have been done.
fn judge(error: &Error) -> Verdict {
    match error.code {
        _ if !error.is_remote() => Verdict::Again,
        Code::Unavailable | Code::ResourceExhausted | Code::DeadlineExceeded | Code::Cancelled => Verdict::Again,
        Code::Aborted | Code::Unknown => Verdict::Anew, // No key was made, or none that anybody has.
        Code::FailedPrecondition if error.reason == OVER => Verdict::Anew,
        _ => Verdict::Refused,
    }
}

/// Whether an error means that the lease cannot be renewed any more.
fn is_over(error: &Error) -> bool {
    error.is_remote() && (error.code == Code::NotFound || error.reason == OVER)
}

fn useless() -> Error {
    let message = "the answer has no secret, or does not say when the lease ends";
    Error::own(ErrorKind::Unknown, Code::Unknown, "UNUSABLE_ANSWER", message)
}
