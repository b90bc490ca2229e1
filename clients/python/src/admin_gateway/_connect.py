"""The arguments of `connect`, checked, as what grpcio wants."""

import functools
import ipaddress
import os
import ssl
from collections.abc import Callable
from typing import NamedTuple, ParamSpec, TypeAlias, TypeVar
from urllib.parse import urlsplit

import grpc

from ._rules import Provider, Rules, Tokens
from ._version import RELEASE
from .errors import InvalidConfig

P = ParamSpec("P")
C = TypeVar("C")
Path: TypeAlias = str | os.PathLike[str]
_MIB = 1024 * 1024


class Plan(NamedTuple):
    """How to open a channel of grpcio, and the rules of its calls."""

    target: str
    credentials: grpc.ChannelCredentials | None
    options: list[tuple[str, str | int]]
    rules: Rules


def opens(prepare: Callable[P, Plan], kind: Callable[[Plan], C]) -> Callable[P, C]:
    """A `connect` with the arguments of `prepare` that returns a `kind`."""

    @functools.wraps(prepare)
    def connect(*args: P.args, **kwargs: P.kwargs) -> C:
        return kind(prepare(*args, **kwargs))

    return connect


def prepare(
    address: str,
    *,
    token: str | None = None,
    token_file: Path | None = None,
    token_provider: Provider | None = None,
    cert: Path | None = None,
    key: Path | None = None,
    ca: Path | None = None,
    plaintext: bool = False,
    deadline: float = 30.0,
    attempts: int = 5,
    user_agent: str = "",
    idempotency_keys: bool = True,
) -> Plan:
    """Returns a channel to a gateway, for the generated stubs. It opens no connection until a call is made.

    address: `https://host[:port]`; `http://` for this machine, or for any with `plaintext`.
    token: a caller's token or JWT.
    token_file: a file with it, read again when it changes and when it is refused.
    token_provider: a function that returns it, or it and its end (a datetime, or seconds since 1970). It is called in
        place of a token that is about to end or was refused; other calls wait for it, so give it a timeout.
    cert, key: PEM files of a client certificate, with or without a token.
    ca: authorities of the gateway's certificate in place of the system's: a PEM file, or PEM.
    plaintext: allow `http://` to other machines, which sends the token in clear text.
    deadline: seconds for a call that has no timeout of its own, with all its attempts. Streams have none.
    attempts: how often a call is made at most where a repetition is safe.
    user_agent: the name of the application, such as `billing/1.2`.
    idempotency_keys: whether writes of the Admin API get a random key, so that they can be made again.
    """
    target, secure = _target(address, plaintext)
    credentials = {"token": token, "token_file": token_file, "token_provider": token_provider}
    given = [name for name, one in credentials.items() if one is not None]
    _require(len(given) < 2, "".join(given[1:2]), "is one credential too many")
    _require(token_provider is None or callable(token_provider), "token_provider", "is not a function")
    _require(isinstance(deadline, (int, float)) and 0 < deadline < float("inf"), "deadline", "is not a time in seconds")
    _require(isinstance(attempts, int) and attempts >= 1, "attempts", "is not a number from 1")
    _require(user_agent.isascii() and f"x{user_agent}".isprintable(), "user_agent", "is not printable ASCII")
    tokens = Tokens(token, None if token_file is None else os.fspath(token_file), token_provider)
    options: list[tuple[str, str | int]] = [
        ("grpc.primary_user_agent", f"{user_agent} admin-gateway-python/{RELEASE}".strip()),
        ("grpc.max_receive_message_length", 64 * _MIB),
        ("grpc.max_metadata_size", _MIB),
        ("grpc.absolute_max_metadata_size", _MIB),
        ("grpc.keepalive_time_ms", 60_000),
        ("grpc.keepalive_timeout_ms", 20_000),
        ("grpc.http2.max_pings_without_data", 0),
        # A pause ahead of a retry is shorter than grpcio's own ahead of a connection, a second, unless it is told so.
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 1_000),
        # No configuration from DNS: retries are decided here.
        ("grpc.service_config_disable_resolution", 1),
    ]
    rules = Rules(tokens, deadline, attempts, idempotency_keys)
    return Plan(target, _tls(secure, cert, key, ca), options, rules)


def _require(holds: bool, argument: str, problem: str) -> None:
    if not holds:
        raise InvalidConfig(argument, problem)


def _target(address: str, plaintext: bool) -> tuple[str, bool]:
    try:
        url = urlsplit(address)
        host, port = url.hostname or "", url.port
        bare = url.path in ("", "/") and not (url.query or url.fragment or "@" in url.netloc)
    except (ValueError, AttributeError):
        bare, host = False, ""
    _require(bare and url.scheme in ("https", "http") and host != "", "address", "is not https://host[:port]")
    secure = url.scheme == "https"
    local = secure or plaintext or _is_loopback(host)
    _require(local, "address", "is http:// to another machine: use https://, or say plaintext=True")
    return f"dns:///{f'[{host}]' if ':' in host else host}:{port or (443 if secure else 80)}", secure


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _tls(secure: bool, cert: Path | None, key: Path | None, ca: Path | None) -> grpc.ChannelCredentials | None:
    """The credentials of the channel. Files are checked here: grpcio says nothing about them until a call fails."""
    for name, given, other in (("cert", cert, "key"), ("key", key, "cert"), ("ca", ca, "")):
        _require(given is None or secure, name, "needs https://")
        _require(given is None or name == "ca" or None not in (cert, key), other, "is missing: a certificate has both")
    if not secure:
        return None
    if ca is None:
        system = ssl.create_default_context().get_ca_certs(binary_form=True)
        roots = "".join(map(ssl.DER_cert_to_PEM_cert, system)).encode() or None
    else:
        roots = os.fspath(ca).encode() if "-----BEGIN" in os.fspath(ca) else _read(ca, "ca")
        try:
            ssl.create_default_context(cadata=roots.decode("ascii"))
        except (ssl.SSLError, ValueError):
            raise InvalidConfig("ca", "has no certificates in PEM") from None
    if cert is None or key is None:
        return grpc.ssl_channel_credentials(roots)
    chain, private = _read(cert, "cert"), _read(key, "key")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(cert, key, password=lambda: "")
    except (ssl.SSLError, ValueError):
        raise InvalidConfig("cert", "and key are not a certificate and its key in PEM") from None
    return grpc.ssl_channel_credentials(roots, private, chain)


def _read(path: Path, argument: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise InvalidConfig(argument, f"cannot be read: {error.strerror}") from None
