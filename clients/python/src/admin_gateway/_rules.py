"""What holds for every call, sync or not: its token, its deadline, its idempotency key, when it is made again."""

import functools
import os
import random
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

from google.protobuf import descriptor_pool
from google.protobuf.descriptor_pb2 import MethodOptions

from .errors import Canceled, GatewayError, InvalidConfig, ResourceExhausted, Unauthenticated, Unavailable, late

Token: TypeAlias = str | tuple[str, float | datetime | None]
Provider: TypeAlias = Callable[[], Token] | Callable[[], Awaitable[Token]]

# Metadata of a call that says: no idempotency key.
NO_IDEMPOTENCY_KEY = ("idempotency-key", "")

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0
# A gateway knows the deadline too, and may end a call a moment before this end notices: nobody cancelled it.
_SAME_MOMENT = 0.05
# An operator has to see to these: a repetition gets the same.
_LASTING = ("UPSTREAM_BAD_RESPONSE", "UPSTREAM_REDIRECTED")
# Nothing was made, and nothing is going to be with a key.
_NO_KEYS = ("IDEMPOTENCY_NOT_CONFIGURED", "IDEMPOTENCY_NEEDS_ENCRYPTION")


@functools.lru_cache(maxsize=1024)
def _is_read(method: str) -> bool:
    """Whether the schema says that a method, `/package.Service/Method`, has no side effects."""
    service, _, name = method.strip("/").rpartition("/")
    try:
        found = descriptor_pool.Default().FindServiceByName(service).methods_by_name[name]
    except KeyError:
        return False
    options: MethodOptions = found.GetOptions()
    return options.idempotency_level == MethodOptions.NO_SIDE_EFFECTS


class Tokens:
    """A token, and where the next one comes from. Callers hold a lock around `fresh` and what follows."""

    def __init__(self, token: str | None, path: str | None, provider: Provider | None):
        self.value = None if token is None else _checked(token, "token")
        self.provider = provider
        self.renewable = path is not None or provider is not None
        self._path, self._stamp, self._until = path, (0, 0, 0), 0.0
        if path is not None and not self.fresh():
            raise InvalidConfig("token_file", "cannot be read, or has no token")

    def __repr__(self) -> str:
        return "Tokens(…)"

    def fresh(self) -> bool:
        """Whether `value` serves; else `keep` wants what `provider` returns."""
        if self._path is not None:
            # A file that cannot be read or is half-written changes nothing: the last good token stays in use.
            try:
                stat = os.stat(self._path)
                stamp = (stat.st_mtime_ns, stat.st_ino, stat.st_size)
                if stamp != self._stamp:
                    with open(self._path, encoding="ascii") as file:
                        self.value, self._stamp = _checked(file.read().strip(), "token_file"), stamp
            except (OSError, ValueError):
                pass
            return self.value is not None
        return self.provider is None or time.monotonic() < self._until

    def keep(self, answer: Token) -> None:
        """Takes a token of the provider's, until shortly before its end."""
        token, end = (answer, None) if isinstance(answer, str) else answer
        end = end.timestamp() if isinstance(end, datetime) else end
        life = float("inf") if end is None else end - time.time()
        self.value, self._until = _checked(token, "token_provider"), time.monotonic() + life - min(30.0, life / 10)

    def refuse(self, token: str | None) -> None:
        """The gateway refused a token: it is not used again without having been asked for again."""
        if token == self.value:
            self._stamp, self._until = (0, 0, 0), 0.0


def _checked(token: str, argument: str) -> str:
    if not isinstance(token, str) or not token or not all("!" <= character <= "~" for character in token):
        raise InvalidConfig(argument, "is not a token: one has visible ASCII characters only")
    return token


@dataclass(frozen=True)
class Rules:
    """The settings of a connection that hold for its calls."""

    tokens: Tokens = field(repr=False)
    deadline: float
    attempts: int
    idempotency_keys: bool


class Call:
    """One call of a program's, with all its attempts. `details` are grpcio's, sync or not."""

    def __init__(self, rules: Rules, details: Any, request: Any, stream: bool = False):
        timeout = rules.deadline if details.timeout is None and not stream else details.timeout
        self._end = None if timeout is None else time.monotonic() + timeout
        self._rules, self._details, self._made, self._retries = rules, details, 0, 0
        self._refused: str | None = None
        self._token: str | None = None
        self._error: GatewayError | None = None
        method = details.method if isinstance(details.method, str) else details.method.decode()
        given = [(pair[0], pair[1]) for pair in details.metadata or ()]
        self._metadata, names = [pair for pair in given if pair != NO_IDEMPOTENCY_KEY], dict(given)
        self._own_token, read = "authorization" in names, _is_read(method)
        chooses = rules.idempotency_keys and method.startswith("/admingateway.admin.v1.")
        self._key = str(uuid.uuid4()) if chooses and not read and "idempotency-key" not in names else ""
        keyed = self._key or names.get("idempotency-key") or getattr(request, "request_id", "")
        self._repeatable = not stream and bool(read or keyed)

    def left(self) -> float | None:
        """The seconds until the deadline, None without one."""
        return None if self._end is None else max(self._end - time.monotonic(), 0.0)

    def attempt(self) -> Any:
        """The details of the next attempt, with the current token; raises the last error if that one was refused."""
        self._token = None if self._own_token else self._rules.tokens.value
        if isinstance(self._error, Unauthenticated) and self._token == self._refused:
            raise self._error
        if self.left() == 0.0:
            raise late("the deadline passed before the call")
        self._made += 1
        more = [("authorization", f"Bearer {self._token}")] if self._token else []
        more += [("idempotency-key", self._key)] if self._key else []
        return self._details._replace(timeout=self.left(), metadata=(*self._metadata, *more))

    def over(self, error: GatewayError) -> GatewayError:
        """Takes note of an error after which there is no other attempt, and returns what it means."""
        if isinstance(error, Unauthenticated):
            self._rules.tokens.refuse(self._token)
        left = self.left()
        if isinstance(error, Canceled) and "RST_STREAM" in error.message and left is not None and left < _SAME_MOMENT:
            return late("the gateway ended the call at its deadline")
        return error

    def failed(self, error: GatewayError) -> float:
        """The seconds to wait before the next attempt; raises the error where there is none."""
        self._error = error = self.over(error)
        if isinstance(error, Unauthenticated) and self._rules.tokens.renewable and self._token and not self._refused:
            self._refused = self._token
            return 0.0
        if self._key and error.reason in _NO_KEYS:
            self._key, self._repeatable = "", False
            return 0.0
        passes = isinstance(error, Unavailable) and error.reason not in _LASTING
        passes = passes or (isinstance(error, ResourceExhausted) and error.retry_delay is not None)
        pause = max(jittered(min(_FIRST_PAUSE * 2.0**self._retries, _LONGEST_PAUSE)), error.retry_delay or 0.0)
        if not (passes and self._repeatable and self._made < self._rules.attempts and pause < (self.left() or 0.0)):
            raise error
        self._retries += 1
        return pause


def jittered(pause: float) -> float:
    """At least half of a pause, so that what failed together is not tried again together."""
    return pause / 2 + random.random() * pause / 2
