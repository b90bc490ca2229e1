//! One type for all errors, read from the details of `google.rpc`.

use crate::inventory::{Failure, incomplete::Reason};
use crate::proto::google::rpc::{BadRequest, ErrorInfo, RetryInfo, bad_request::FieldViolation};
use prost::Message;
use std::{collections::HashMap, error, fmt, ops::Deref, time::Duration};
use tonic::{Code, Status};

/// The kind of an [`Error`]: the code of a call that failed, or what the client itself found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[allow(missing_docs)] // The codes of gRPC.
pub enum ErrorKind {
    Aborted,
    AlreadyExists,
    Canceled,
    DataLoss,
    DeadlineExceeded,
    FailedPrecondition,
    Internal,
    InvalidArgument,
    NotFound,
    OutOfRange,
    PermissionDenied,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
    Unimplemented,
    Unknown,
    /// A write that may have been made, or not: read before it is made again.
    OutcomeUnknown,
    /// An argument of the client's own is wrong; the field violation names it.
    InvalidConfig,
    /// The pages of a list lead nowhere; [`Details::reason`] says how.
    EndlessList,
    /// An inventory is not whole; [`Details::incomplete`] says what is missing.
    IncompleteInventory,
    /// A lease is over, and the gateway refuses another one.
    LeaseLost,
}

/// What is missing of an inventory. What came is real.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Incomplete {
    /// Those that the gateway gave at the end of its stream; none where that was cut off.
    pub reasons: Vec<Reason>,
    /// The reads that failed in the last stream, at most 1,000.
    pub failures: Vec<Failure>,
    /// How many more failed.
    pub more_failures: usize,
    /// The same request with it brings what is missing, and nothing that came. Empty: from the start.
    pub resume_token: String,
    /// Some of what came may come again, or has come twice.
    pub repeats: bool,
}

/// Why something failed. A [`Status`] of a generated client becomes one with `?`.
///
/// It derefs to its [`Details`]: `error.kind`, `error.permission`.
pub struct Error(Box<Details>);

/// What an [`Error`] says.
#[derive(Debug)]
#[non_exhaustive]
pub struct Details {
    /// The kind.
    pub kind: ErrorKind,
    /// The code of gRPC.
    pub code: Code,
    /// The reason, for programs. Empty where the gateway did not give the error.
    pub reason: String,
    /// The message, for people.
    pub message: String,
    /// The fields of the request that are wrong.
    pub field_violations: Vec<FieldViolation>,
    /// How long the gateway asks to wait.
    pub retry_delay: Option<Duration>,
    /// The gateway's id of the call: its log has it.
    pub request_id: Option<String>,
    /// The upstream's id of the call.
    pub upstream_request_id: Option<String>,
    /// The project for which a permission is missing.
    pub project: Option<String>,
    /// The permission that is missing.
    pub permission: Option<String>,
    /// All that the gateway says for programs beside the reason.
    pub metadata: HashMap<String, String>,
    /// What is missing, of an [`ErrorKind::IncompleteInventory`].
    pub incomplete: Option<Incomplete>,
    source: Option<Error>,
}

/// The crate's result type.
pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Whether the gateway gave the error, and not what lies in between.
    pub(crate) fn is_remote(&self) -> bool {
        !self.reason.is_empty()
    }

    /// An error of the client's own.
    pub(crate) fn own(kind: ErrorKind, code: Code, reason: &str, message: impl Into<String>) -> Self {
        Self(Box::new(Details {
            kind,
            code,
            reason: reason.into(),
            message: message.into(),
            field_violations: Vec::new(),
            retry_delay: None,
            request_id: None,
            upstream_request_id: None,
            project: None,
            permission: None,
            metadata: HashMap::new(),
            incomplete: None,
            source: None,
        }))
    }

    /// An argument that is wrong.
    pub(crate) fn config(argument: &str, fault: impl fmt::Display) -> Self {
        let mut error = Self::own(ErrorKind::InvalidConfig, Code::InvalidArgument, "", format!("{argument}: {fault}"));
        let (field, description) = (argument.into(), fault.to_string());
        error.0.field_violations.push(FieldViolation { field, description, ..FieldViolation::default() });
        error
    }

    /// An inventory that is not whole.
    pub(crate) fn missing(left: Incomplete, cause: Option<Error>) -> Self {
        let reason = left.reasons.first().map_or("", Reason::as_str_name);
        let mut parts: Vec<_> = left.reasons.iter().map(|reason| reason.as_str_name().to_string()).collect();
        if let Some(first) = left.failures.first() {
            let failed = left.failures.len() + left.more_failures;
            parts.push(format!("{failed} reads failed, the first {}: {}", first.method, first.reason));
        }
        parts.extend(cause.as_ref().map(Error::to_string));
        let message = format!("the inventory is incomplete: {}", parts.join("; "));
        let mut error = Self::own(ErrorKind::IncompleteInventory, Code::Unavailable, reason, message);
        (error.0.incomplete, error.0.source) = (Some(left), cause);
        error
    }
}

impl Deref for Error {
    type Target = Details;

    fn deref(&self) -> &Details {
        &self.0
    }
}

impl From<Status> for Error {
    fn from(status: Status) -> Self {
        let mut error = Self::own(ErrorKind::Unknown, status.code(), "", status.message());
        let of = &mut *error.0;
        for detail in RpcStatus::decode(status.details()).unwrap_or_default().details {
            let bytes = &*detail.value;
            match detail.type_url.rsplit('/').next() {
                Some("google.rpc.ErrorInfo") => {
                    let info = ErrorInfo::decode(bytes).unwrap_or_default();
                    (of.reason, of.metadata) = (info.reason, info.metadata);
                }
                Some("google.rpc.RetryInfo") => {
                    let delay = RetryInfo::decode(bytes).unwrap_or_default().retry_delay;
                    of.retry_delay = delay.map(|delay| delay.try_into().unwrap_or_default());
                }
                Some("google.rpc.BadRequest") => {
                    of.field_violations = BadRequest::decode(bytes).unwrap_or_default().field_violations;
                }
                _ => {}
            }
        }
        of.kind = kind(of.code, &of.reason);
        of.request_id = status.metadata().get("x-request-id").and_then(|id| id.to_str().ok()).map(Into::into);
        of.upstream_request_id = of.metadata.get("upstream_request_id").cloned();
        of.project = of.metadata.get("project").cloned();
        of.permission = of.metadata.get("permission").cloned();
        error
    }
}

fn kind(code: Code, reason: &str) -> ErrorKind {
    match code {
        Code::Aborted => ErrorKind::Aborted,
        Code::AlreadyExists => ErrorKind::AlreadyExists,
        Code::Cancelled => ErrorKind::Canceled,
        Code::DataLoss => ErrorKind::DataLoss,
        Code::DeadlineExceeded => ErrorKind::DeadlineExceeded,
        Code::FailedPrecondition => ErrorKind::FailedPrecondition,
        Code::Internal => ErrorKind::Internal,
        Code::InvalidArgument => ErrorKind::InvalidArgument,
        Code::NotFound => ErrorKind::NotFound,
        Code::OutOfRange => ErrorKind::OutOfRange,
        Code::PermissionDenied => ErrorKind::PermissionDenied,
        Code::ResourceExhausted => ErrorKind::ResourceExhausted,
        Code::Unauthenticated => ErrorKind::Unauthenticated,
        Code::Unavailable => ErrorKind::Unavailable,
        Code::Unimplemented => ErrorKind::Unimplemented,
        Code::Unknown if reason == "OUTCOME_UNKNOWN" => ErrorKind::OutcomeUnknown,
        Code::Unknown | Code::Ok => ErrorKind::Unknown,
    }
}

/// `google.rpc.Status`, which the schema does not import.
#[derive(Message)]
struct RpcStatus {
    #[prost(message, repeated, tag = "3")]
    details: Vec<prost_types::Any>,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.kind, self.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        self.0.source.as_ref().map(|source| source as _)
    }
}
