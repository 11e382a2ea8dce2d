"""Scripted vendor failures: rules that tests add, and the counters of each rule.

`s3` and `rest` apply them. A server without a script never fails.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any


class Operation(StrEnum):
    """The three requests that S3 clients make here, and a request to the REST service (key: its path)."""

    LIST = "list"
    HEAD = "head"
    GET = "get"
    REST = "rest"


@dataclass(frozen=True, slots=True)
class Refuse:
    """Answer with an error: 403, 404, 429, 500, 503, ... `code` defaults to the error code of S3 for that status.

    `retry_after`: an HTTP date instead of seconds. `has_body` False: REST sends no text with it.
    """

    status: int
    code: str | None = None
    retry_after_seconds: int | None = None
    retry_after: datetime | None = None
    has_body: bool = True


@dataclass(frozen=True, slots=True)
class CutConnection:
    """Announce the whole body, send `after_bytes` of it, close the connection."""

    after_bytes: int = 0


@dataclass(frozen=True, slots=True)
class TruncateBody:
    """Answer as if the object (or the range) were only `to_bytes` long; the HTTP response itself is valid."""

    to_bytes: int


@dataclass(frozen=True, slots=True)
class SlowBody:
    """Send the body in chunks of `chunk_bytes`, with a pause of `pause_seconds` after each."""

    chunk_bytes: int = 65536
    pause_seconds: float = 0.05


@dataclass(frozen=True, slots=True)
class Republish:
    """Replace the object by `body` just before this request is answered, as the vendor does with corrections."""

    body: bytes


@dataclass(frozen=True, slots=True)
class WrongLength:
    """State a Content-Length that differs from the object's by `by_bytes`; the body itself is unchanged."""

    by_bytes: int


@dataclass(frozen=True, slots=True)
class Absent:
    """Answer 404 and leave the object out of listings until the clock reaches `until` (None: for ever)."""

    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Html:
    """Answer with a proxy's HTML page and `status`, under a JSON content type."""

    status: int = 200


@dataclass(frozen=True, slots=True)
class Rewrite:
    """Change a REST answer just before it is sent: `edit` gets the whole JSON object and changes it in place."""

    edit: Callable[[dict[str, Any]], None]


Action = Refuse | CutConnection | TruncateBody | SlowBody | Republish | WrongLength | Absent | Html | Rewrite


_ACTIONS_OF: dict[Operation, tuple[type, ...]] = {
    Operation.LIST: (Refuse, Absent),
    Operation.HEAD: (Refuse, Republish, WrongLength, Absent),
    Operation.GET: (Refuse, CutConnection, TruncateBody, SlowBody, Republish, WrongLength, Absent),
    Operation.REST: (Refuse, CutConnection, SlowBody, Html, Rewrite),
}


@dataclass(slots=True)
class FaultRule:
    """`action` for requests whose key matches `key` (shell pattern; for LIST: the requested prefix).

    `Absent` with LIST among its operations leaves matching keys out of listings instead of failing the request.
    The first faulty call is number `nth` (from 1) among the matching ones, and `times` calls are faulty (None: all from
    there on). `calls` counts matching requests, `fired` the faulty ones.
    """

    action: Action
    key: str = "*"
    operations: frozenset[Operation] = frozenset({Operation.GET})
    nth: int = 1
    times: int | None = 1
    calls: int = field(default=0, init=False)
    fired: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        for operation in self.operations:
            if type(self.action) not in _ACTIONS_OF[operation]:
                raise ValueError(f"{operation.upper()} requests cannot apply {type(self.action).__name__}")

    def matches(self, operation: Operation, key: str) -> bool:
        """Whether the rule applies to this kind of request and key."""
        return operation in self.operations and fnmatchcase(key, self.key)


OBJECT_OPERATIONS = frozenset({Operation.HEAD, Operation.GET})
S3_OPERATIONS = OBJECT_OPERATIONS | {Operation.LIST}


def refuse_listed_keys(key: str) -> FaultRule:
    """List matching keys but refuse to serve them with 403, like data outside of a plan."""
    return FaultRule(Refuse(403), key, OBJECT_OPERATIONS, times=None)


def make_rest_fault(action: Action, path: str = "*", *, nth: int = 1, times: int | None = 1) -> FaultRule:
    """Make a rule of `action` for REST requests whose path matches `path`."""
    return FaultRule(action, path, frozenset({Operation.REST}), nth, times)


def make_late(key: str, until: datetime | None = None) -> FaultRule:
    """Make matching keys neither listed nor found until `until`."""
    return FaultRule(Absent(until), key, S3_OPERATIONS, times=None)


def read_utc_clock() -> datetime:
    """Return the current time; the default clock."""
    return datetime.now(UTC)


class FaultScript:
    """Rules in order; the first that fires applies. Thread-safe; may be changed while a server runs."""

    def __init__(self, rules: Iterable[FaultRule] = (), clock: Callable[[], datetime] = read_utc_clock) -> None:
        self._rules = list(rules)
        self._lock = threading.Lock()
        self._clock = clock

    def add(self, rule: FaultRule) -> FaultRule:
        """Append a rule and return it, so that a test can read its counters."""
        with self._lock:
            self._rules.append(rule)
        return rule

    def clear(self) -> None:
        """Remove all rules."""
        with self._lock:
            self._rules.clear()

    def find_action(self, operation: Operation, key: str) -> Action | None:
        """Count this request and return the fault to apply to it, if any."""
        with self._lock:
            for rule in self._rules:
                if not rule.matches(operation, key) or self._is_over(rule.action):
                    continue
                if operation is Operation.LIST and isinstance(rule.action, Absent):
                    continue
                rule.calls += 1
                if rule.calls >= rule.nth and (rule.times is None or rule.fired < rule.times):
                    rule.fired += 1
                    return rule.action
        return None

    def is_hidden(self, key: str) -> bool:
        """Whether an `Absent` rule keeps `key` out of listings now."""
        with self._lock:
            return any(
                isinstance(rule.action, Absent) and rule.matches(Operation.LIST, key) and not self._is_over(rule.action)
                for rule in self._rules
            )

    def _is_over(self, action: Action) -> bool:
        return isinstance(action, Absent) and action.until is not None and self._clock() >= action.until
