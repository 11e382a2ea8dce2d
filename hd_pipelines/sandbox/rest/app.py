"""The vendor's REST service as an ASGI app: chain snapshots with paging, minutes, index snapshots, Treasury yields.

Handles paths, keys, parameters, cursors and the envelope. Content comes from `rest.market`, its JSON form from `rest.wire`
and `rest.minutes`, failures from `faults`; `server` runs it.
"""

from __future__ import annotations

import asyncio
import base64
import json
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from email.utils import format_datetime
from itertools import count
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode

import polars as pl
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from hd_pipelines.market.sessions import NEW_YORK, get_regular_hours, is_session
from hd_pipelines.sandbox.faults import Action, CutConnection, FaultScript, Html, Operation, Refuse, Rewrite, SlowBody
from hd_pipelines.sandbox.rest.market import RestMarket
from hd_pipelines.sandbox.rest.minutes import MINUTES, build_minute_page
from hd_pipelines.sandbox.rest.parameters import RestError, read_page_limit
from hd_pipelines.sandbox.rest.wire import RestPlan, to_contract, to_index, to_refusal

PREFIXES = ("/v3/", "/v2/", "/v1/", "/fed/")
"""Paths that belong to the REST service; everything else on the port is the bucket."""
CHAIN, INDICES, YIELDS = "/v3/snapshot/options/", "/v3/snapshot/indices", "/fed/v1/treasury-yields"
_RANGES: Mapping[str, Callable[[pl.Expr, Any], pl.Expr]] = {
    "": lambda column, value: column == value,
    ".gt": lambda column, value: column > value,
    ".gte": lambda column, value: column >= value,
    ".lt": lambda column, value: column < value,
    ".lte": lambda column, value: column <= value,
}
_SORTS = {"ticker": "ticker", "expiration_date": "expiration", "strike_price": "strike"}


class RestApp:
    """ASGI application over one market. `keys` None: any key is accepted, but a request without a key is refused.

    `now` is the service's clock; None: the market's last moment for chains and indices, and the real time for minutes, so
    new ones appear while the exchange is open. `public_base`: what `next_url` begins with; None: the Host of the request.
    """

    def __init__(
        self,
        market: RestMarket,
        *,
        faults: FaultScript,
        plan: RestPlan | None = None,
        keys: frozenset[str] | None = None,
        public_base: str | None = None,
    ) -> None:
        self.market, self.faults, self.plan = market, faults, plan or RestPlan()
        self.keys, self.public_base = keys, public_base
        self.now: datetime | None = None
        self.requests_served = 0
        self._numbers = count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        self.requests_served += 1
        request_id = uuid.UUID(int=next(self._numbers)).hex
        path = unquote(scope["raw_path"].decode("ascii"))
        action = self.faults.find_action(Operation.REST, path)
        if isinstance(action, Html):
            page = b"<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"
            await Response(page, action.status, media_type="application/json")(scope, receive, send)
            return
        if isinstance(action, Refuse):
            await _build_refusal_response(action, request_id)(scope, receive, send)
            return
        try:
            answer = {"request_id": request_id, "status": "OK", **self._answer(scope, path)}
            status = 200
        except RestError as error:
            answer, status = to_refusal(error.status, request_id, error.text), error.status
        if isinstance(action, Rewrite):
            action.edit(answer)
        await _send(json.dumps(answer).encode(), status, action, send)

    def _answer(self, scope: Scope, path: str) -> dict[str, Any]:
        query = dict(parse_qsl(scope["query_string"].decode("ascii"), keep_blank_values=True))
        headers = {name.decode().lower(): value.decode("latin-1") for name, value in scope["headers"]}
        self._check_key(headers.get("authorization", ""), query.pop("apiKey", ""))
        if scope["method"] != "GET":
            raise RestError(404, "404 page not found")
        base = self.public_base or f"http://{headers.get('host', '127.0.0.1')}"
        if (asked := MINUTES.fullmatch(path)) is not None:
            return build_minute_page(self.market, self.plan, asked, query, now=self.now or datetime.now(UTC), base=base)
        moment = self.now or self.market.last_moment()
        if path.startswith(CHAIN):
            underlying, _, ticker = path.removeprefix(CHAIN).partition("/")
            return (
                self._return_contract(underlying, ticker, moment)
                if ticker
                else self._list_chain(underlying, query, moment, base)
            )
        if path == INDICES:
            return self._list_indices(query, moment)
        if path == YIELDS:
            return self._list_yields(query, base, moment)
        raise RestError(404, "404 page not found")

    def _check_key(self, header: str, parameter: str) -> None:
        key = header.removeprefix("Bearer ").strip() or parameter
        if not key:
            raise RestError(401, "API Key was not provided")
        if self.keys is not None and key not in self.keys:
            raise RestError(401)

    def _list_chain(self, underlying: str, query: dict[str, str], moment: datetime, base: str) -> dict[str, Any]:
        """Return a page of a chain; empty for an index under its plain symbol and for a name without options."""
        query, offset = _parse_position(query)
        limit = read_page_limit(query, default=10, most=250)
        rows = self.market.chain(underlying, moment)
        if rows is None:
            return {"results": []}
        rows = rows.filter(*_build_filters(query))
        column = _SORTS.get(query.get("sort", "ticker"))
        if column is None or query.get("order", "asc") not in {"asc", "desc"}:
            raise RestError(400, "sort or order is invalid.")
        if column != "ticker" or query.get("order") == "desc":
            rows = rows.sort(column, "ticker", descending=[query.get("order") == "desc", False])
        page = rows.slice(offset, limit)
        answer: dict[str, Any] = {"results": [to_contract(row, self.plan) for row in page.iter_rows(named=True)]}
        if self.plan.is_delayed:
            answer["status"] = "DELAYED"
        if offset + limit < rows.height:
            answer["next_url"] = (
                f"{base}{CHAIN}{underlying}?{urlencode({'cursor': _encode_cursor(query, offset + limit)})}"
            )
        return answer

    def _return_contract(self, underlying: str, ticker: str, moment: datetime) -> dict[str, Any]:
        rows = self.market.chain(underlying, moment)
        found = rows.filter(pl.col("ticker") == ticker) if rows is not None else None
        if found is None or found.is_empty():
            raise RestError(404, "Options contract not found.")
        return {"results": to_contract(found.row(0, named=True), self.plan)}

    def _list_indices(self, query: dict[str, str], moment: datetime) -> dict[str, Any]:
        if not self.plan.has_indices:
            raise RestError(403)
        limit = read_page_limit(query, default=10, most=250)
        day = moment.astimezone(NEW_YORK).date()
        is_open = is_session(day) and get_regular_hours(day).opens_at <= moment < get_regular_hours(day).closes_at
        known = {day.ticker: to_index(day, moment, self.plan, is_open=is_open) for day in self.market.indices(moment)}
        asked = query.get("ticker.any_of") or query.get("ticker")
        names = asked.split(",") if asked else sorted(known)[:limit]
        missing = {"error": "NOT_FOUND", "message": "Ticker not found."}
        return {"results": [known.get(name) or {"ticker": name, **missing} for name in names]}

    def _list_yields(self, query: dict[str, str], base: str, moment: datetime) -> dict[str, Any]:
        query, offset = _parse_position(query)
        limit = read_page_limit(query, default=100, most=50_000)
        try:
            exact = query.get("date")
            first = date.fromisoformat(exact or query.get("date.gte") or "1962-01-02")
            last = date.fromisoformat(exact or query.get("date.lte") or str(moment.astimezone(NEW_YORK).date()))
        except ValueError:
            raise RestError(400, "date is not of the form YYYY-MM-DD.") from None
        rows = self.market.yields(first, last)
        if query.get("sort", "date.asc") == "date.desc":
            rows = rows[::-1]
        answer: dict[str, Any] = {"results": rows[offset : offset + limit]}
        if offset + limit < len(rows):
            answer["next_url"] = f"{base}{YIELDS}?{urlencode({'cursor': _encode_cursor(query, offset + limit)})}"
        return answer


def _parse_position(query: dict[str, str]) -> tuple[dict[str, str], int]:
    """Parse the parameters of the first page's request, and the first row of this page."""
    if "cursor" not in query:
        return query, 0
    try:
        position = json.loads(base64.urlsafe_b64decode(query["cursor"].encode()))
        return dict(position["query"]), int(position["offset"])
    except (ValueError, KeyError, TypeError):
        raise RestError(400, "The cursor is invalid.") from None


def _encode_cursor(query: Mapping[str, str], offset: int) -> str:
    return base64.urlsafe_b64encode(json.dumps({"query": dict(query), "offset": offset}).encode()).decode()


def _build_filters(query: Mapping[str, str]) -> list[pl.Expr]:
    found = []
    for suffix, compare in _RANGES.items():
        try:
            if (strike := query.get(f"strike_price{suffix}")) is not None:
                found.append(compare(pl.col("strike"), float(strike)))
            if (expires := query.get(f"expiration_date{suffix}")) is not None:
                found.append(compare(pl.col("expiration"), date.fromisoformat(expires)))
        except ValueError:
            raise RestError(400, "strike_price or expiration_date cannot be read.") from None
    if (right := query.get("contract_type")) is not None:
        found.append(pl.col("option_type") == right)
    return found


def _build_refusal_response(action: Refuse, request_id: str) -> Response:
    headers = {}
    if action.retry_after_seconds is not None:
        headers["retry-after"] = str(action.retry_after_seconds)
    elif action.retry_after is not None:
        headers["retry-after"] = format_datetime(action.retry_after, usegmt=True)
    body = json.dumps(to_refusal(action.status, request_id)).encode() if action.has_body else b""
    return Response(body, action.status, headers, "application/json")


async def _send(body: bytes, status: int, action: Action | None, send: Send) -> None:
    """Send the body, slowed or cut off by `action`."""
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    sent = body[: action.after_bytes] if isinstance(action, CutConnection) else body
    step = action.chunk_bytes if isinstance(action, SlowBody) else len(sent) or 1
    for start in range(0, len(sent), step):
        await send({"type": "http.response.body", "body": sent[start : start + step], "more_body": True})
        if isinstance(action, SlowBody):
            await asyncio.sleep(action.pause_seconds)
    if len(sent) == len(body):
        await send({"type": "http.response.body", "body": b""})
