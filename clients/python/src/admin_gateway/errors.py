"""The errors of calls: a class for each code of gRPC, with what the gateway says about it."""

from typing import Any, NamedTuple, TypeVar

import grpc
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2

M = TypeVar("M", bound=Message)
Metadata = tuple[tuple[str, str | bytes], ...]


class FieldViolation(NamedTuple):
    """A field of the request that is not valid, and why."""

    field: str
    description: str


class GatewayError(grpc.RpcError):
    """A call failed. The class says how, `reason` why: branch on these, not on the message.

    `reason` and `metadata` are those of `google.rpc.ErrorInfo`, empty where the error is not the gateway's own, such
    as a deadline that passed here. `retry_delay` is in seconds, None where the gateway names no time.
    """

    def __init__(self, code: grpc.StatusCode, message: str = "", initial: Metadata = (), trailing: Metadata = ()):
        super().__init__(code, message, initial, trailing)
        self._code, self.message, self._initial, self._trailing = code, message, initial, trailing
        headers = dict(initial + trailing)
        packed = headers.get("grpc-status-details-bin", b"")
        try:
            self._status = status_pb2.Status.FromString(packed if isinstance(packed, bytes) else b"")
        except DecodeError:
            self._status = status_pb2.Status()
        info = self.detail(error_details_pb2.ErrorInfo) or error_details_pb2.ErrorInfo()
        bad = self.detail(error_details_pb2.BadRequest) or error_details_pb2.BadRequest()
        retry = self.detail(error_details_pb2.RetryInfo)
        self.reason: str = info.reason
        self.metadata: dict[str, str] = dict(info.metadata)
        self.fields = tuple(
            FieldViolation(violation.field, violation.description) for violation in bad.field_violations
        )
        self.retry_delay: float | None = retry and retry.retry_delay.seconds + retry.retry_delay.nanos / 1e9
        self.request_id = str(headers.get("x-request-id", ""))
        self.upstream_request_id = self.metadata.get("upstream_request_id", "")
        self.project = self.metadata.get("project", "")
        self.permission = self.metadata.get("permission", "")

    @property
    def kind(self) -> str:
        """The name of the class."""
        return type(self).__name__

    def detail(self, kind: type[M]) -> M | None:
        """The first detail of a type, such as `admin_gateway.control.v1.errors_pb2.WriteDone`."""
        for packed in self._status.details:
            if packed.Is(kind.DESCRIPTOR):
                found = kind()
                try:
                    return found if packed.Unpack(found) else None
                except DecodeError:
                    return None
        return None

    def code(self) -> grpc.StatusCode:
        """The code of gRPC. A method, as in all errors of grpcio."""
        return self._code

    def details(self) -> str:
        """The message, by the name that grpcio has for it."""
        return self.message

    def initial_metadata(self) -> Any:
        """The headers of the answer."""
        return self._initial

    def trailing_metadata(self) -> Any:
        """The trailers of the answer."""
        return self._trailing

    def __repr__(self) -> str:
        return f"{self.kind}({str(self)!r})"

    def __str__(self) -> str:
        reason = f" ({self.reason})" if self.reason not in ("", self._code.name) else ""
        request = f" [{self.request_id}]" if self.request_id else ""
        return f"{self._code.name}{reason}: {self.message}{request}"


class Canceled(GatewayError, grpc.FutureCancelledError): ...


class Unknown(GatewayError): ...


class OutcomeUnknown(Unknown):
    """Nobody knows whether the write was made. It is not repeated: read before you write again."""


class InvalidArgument(GatewayError): ...


class DeadlineExceeded(GatewayError): ...


class NotFound(GatewayError): ...


class AlreadyExists(GatewayError): ...


class PermissionDenied(GatewayError): ...


class ResourceExhausted(GatewayError): ...


class FailedPrecondition(GatewayError): ...


class Aborted(GatewayError): ...


class OutOfRange(GatewayError): ...


class Unimplemented(GatewayError): ...


class Internal(GatewayError): ...


class Unavailable(GatewayError): ...


class DataLoss(GatewayError): ...


class Unauthenticated(GatewayError): ...


_CLASSES: dict[str, type[GatewayError]] = {
    "CANCELLED": Canceled,
    **{kind.__name__.upper(): kind for kind in GatewayError.__subclasses__()},
}


def from_grpc(error: Any) -> GatewayError:
    """The error of a call of grpcio as one of these."""
    if isinstance(error, GatewayError):
        return error
    if isinstance(error, grpc.FutureCancelledError):
        return canceled()
    code: grpc.StatusCode = error.code()
    metadata = [
        tuple((pair[0], pair[1]) for pair in part or ())
        for part in (error.initial_metadata(), error.trailing_metadata())
    ]
    made = _CLASSES[code.name.replace("_", "")](code, error.details() or "", *metadata)
    return OutcomeUnknown(*made.args) if made.reason == "OUTCOME_UNKNOWN" and type(made) is Unknown else made


def canceled() -> Canceled:
    """The error of a call that its program cancelled."""
    return Canceled(grpc.StatusCode.CANCELLED, "the call was cancelled")


def late(message: str) -> DeadlineExceeded:
    """The error of a call whose deadline passed here."""
    return DeadlineExceeded(grpc.StatusCode.DEADLINE_EXCEEDED, message)


class InvalidConfig(ValueError):
    """An argument of this package is wrong: `argument` names it."""

    def __init__(self, argument: str, problem: str):
        super().__init__(argument, problem)
        self.argument, self.problem = argument, problem

    def __str__(self) -> str:
        return f"{self.argument}: {self.problem}"
