"""Questions and answers: JSON-RPC with timeouts, bounded retries and bounded batches.

Nothing here knows what a block or a contract is. web3.py carries the questions; its formatters and defaults are left
out, because nodes differ exactly where those assume that they agree.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import requests
from web3 import HTTPProvider, Web3
from web3.middleware import ExtraDataToPOAMiddleware
from web3.providers.base import JSONBaseProvider
from web3.types import RPCEndpoint

from corridor.ledger.errors import LedgerRefused, LedgerUnreachable, shortened

# Besu takes 1,024 calls and geth 1,000; half of that keeps an answer with large receipts at some megabytes.
MAX_BATCH = 500
# A read is repeated after these pauses: a node that restarts behind a balancer is back by then, a dead one is named
# within seconds.
RETRY_PAUSES_S = (0.2, 0.5, 1.0)
CONNECT_TIMEOUT_S = 5
# A settlement batch of thousands of positions takes a node some seconds to execute in eth_call.
ANSWER_TIMEOUT_S = 30

_HTTP_TRY_LATER = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class RpcError:
    """A node's refusal of one question. ``data`` is revert data where the node gave some."""

    code: int
    message: str
    data: bytes | None = None

    def as_exception(self, method: str) -> LedgerRefused:
        """Return the error to raise where the refusal means nothing more special."""
        return LedgerRefused(
            f"the node refused {method}: {self.message} ({self.code})",
            rpc_code=self.code,
            rpc_message=self.message,
            next_step="Check that the node is a synchronised Ethereum node with the eth API enabled",
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: a result (which may be None) or an error."""

    result: Any = None
    error: RpcError | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """One call: method and positional parameters, as they go over the wire."""

    method: str
    params: tuple[Any, ...] = ()


class Node:
    """A node, or the embedded ledger that answers like one.

    Args:
        provider: any web3.py provider that can batch.
        name: how error messages call it; never contains credentials.
        sleep: called with the pause in seconds between attempts.
    """

    def __init__(self, provider: JSONBaseProvider, name: str, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self.name = name
        self._provider = provider
        self._sleep = sleep
        web3 = Web3(cast(Any, provider), middleware=[])
        # Proof-of-authority chains put signatures into the extra data of a header; without this web3.py refuses
        # to read any of their blocks.
        web3.middleware_onion.inject(ExtraDataToPOAMiddleware, layer=0)
        self._single = provider.request_func(web3, web3.middleware_onion)

    def ask(self, method: str, *params: Any) -> Any:
        """Return the result of one read.

        Raises:
            LedgerUnreachable: no answer after all attempts.
            LedgerRefused: the node answered with an error.
        """
        answer = self.answer(Question(method, params))
        if answer.error:
            raise answer.error.as_exception(method)
        return answer.result

    def answer(self, question: Question, *, pauses_s: Sequence[float] = RETRY_PAUSES_S) -> Answer:
        """Return the answer to one question, error or not; repeat it where none came."""

        def once() -> Answer:
            return _answer(self._single(RPCEndpoint(question.method), list(question.params)))

        return cast(Answer, self._repeat(once, question.method, pauses_s))

    def answers(self, questions: Sequence[Question]) -> list[Answer]:
        """Return the answers to many questions, in their order, asked in batches of :data:`MAX_BATCH`.

        Every question must be safe to repeat (a read, or a signed transaction).
        """
        if len(questions) == 1:
            return [self.answer(questions[0])]
        answers: list[Answer] = []
        for start in range(0, len(questions), MAX_BATCH):
            part = questions[start : start + MAX_BATCH]
            answers += self._repeat(partial(self._batch, part), "a batch", RETRY_PAUSES_S)
        return answers

    def _batch(self, questions: Sequence[Question]) -> list[Answer]:
        # Not through the middleware: it expects a list, and a node that refuses a batch answers with one object.
        raw = self._provider.make_batch_request(
            [(RPCEndpoint(question.method), list(question.params)) for question in questions]
        )
        if not isinstance(raw, list):
            error = _answer(raw).error or RpcError(0, "one object instead of a list")
            raise error.as_exception(f"a batch of {len(questions)}")
        if len(raw) != len(questions):
            raise LedgerUnreachable(
                f"{self.name} answered {len(raw)} of {len(questions)} calls in a batch",
                next_step="Try again; if it stays so, something between here and the node cuts answers",
            )
        return [_answer(one) for one in raw]

    def _repeat(self, attempt: Callable[[], Any], what: str, pauses_s: Sequence[float]) -> Any:
        for pause_s in (*pauses_s, None):
            try:
                return attempt()
            except requests.HTTPError as error:
                status = error.response.status_code if error.response is not None else 0
                if status not in _HTTP_TRY_LATER:
                    raise self._http_refusal(status, what) from None
                problem: Exception = error
            except (requests.RequestException, OSError, ValueError) as error:
                # ValueError: what came was no JSON, say an error page of something in between.
                problem = error
            if pause_s is None:
                break
            self._sleep(pause_s)
        # Not "from problem": its text holds the whole URL, and with it a password or key.
        raise LedgerUnreachable(
            f"{self.name} did not answer {what} ({type(problem).__name__})",
            next_step="Check that the node runs and that its address is right, then try again: nothing is lost",
            ledger=self.name,
        ) from None

    def _http_refusal(self, status: int, what: str) -> LedgerRefused:
        hints = {
            401: "Give the node's credentials in its URL or open its API to this machine",
            403: "Allow this host name on the node (Besu: --host-allowlist)",
            404: "Check the path of the node's URL",
        }
        return LedgerRefused(
            f"{self.name} refused {what} with HTTP status {status}",
            rpc_code=status,
            rpc_message=f"HTTP {status}",
            next_step=hints.get(status, "Check the node's URL and its log"),
        )


def http_node(url: str, *, sleep: Callable[[float], None] = time.sleep) -> Node:
    """Return the node at ``url`` (http or https). Opens no connection yet."""
    provider = HTTPProvider(
        url,
        request_kwargs={"timeout": (CONNECT_TIMEOUT_S, ANSWER_TIMEOUT_S)},
        exception_retry_configuration=None,
    )
    return Node(provider, _without_credentials(url), sleep=sleep)


def _without_credentials(url: str) -> str:
    """Keep scheme, host and port: user names, passwords and keys in paths stay out of messages and logs."""
    scheme, _, rest = url.partition("://")
    host = rest.partition("/")[0].rpartition("@")[2]
    return f"{scheme}://{host}"


def _answer(raw: Any) -> Answer:
    if not isinstance(raw, dict):
        raise ValueError("an answer that is no JSON-RPC object")
    error = raw.get("error")
    if error is None:
        if "result" not in raw:
            raise ValueError("an answer without result and error")
        return Answer(raw["result"])
    if not isinstance(error, dict):
        return Answer(error=RpcError(0, shortened(str(error))))
    code = error.get("code")
    return Answer(
        error=RpcError(
            code if isinstance(code, int) else 0,
            shortened(str(error.get("message", ""))),
            _revert_data(error.get("data")),
        )
    )


def _revert_data(data: Any) -> bytes | None:
    """Revert data where it is some; other things that nodes put there (stack traces, objects) are not."""
    if not isinstance(data, str) or not data.startswith("0x"):
        return None
    try:
        return bytes.fromhex(data[2:])
    except ValueError:
        return None
