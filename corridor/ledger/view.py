"""The ledger as a bank's agent sees it on its bank's own node: what is final there, and nothing that is only said."""

from __future__ import annotations

from collections.abc import Callable

from corridor.ledger import contracts
from corridor.ledger.adapter import Ledger
from corridor.ledger.deployment import Deployment
from corridor.model import ObligationRecord, ObligationState

_DISCHARGED = frozenset({ObligationState.SETTLED, ObligationState.CLAIMED})


class FinalView:
    """See :class:`corridor.agent.LedgerView`. ``now_s`` is the clock that the ledger's blocks follow."""

    def __init__(self, ledger: Ledger, deployment: Deployment, now_s: Callable[[], int]) -> None:
        self.chain_id = deployment.chain_id
        self.settlement = deployment.settlement
        self._registry = deployment.registry
        self._ledger = ledger
        self._now_s = now_s

    def time_s(self) -> int:
        """The newest block's time, or the clock's where the ledger made no block for a while."""
        return max(self._ledger.head().timestamp_s, self._now_s())

    def final_time_s(self) -> int:
        """Time of the newest final block."""
        return self._ledger.final_head().timestamp_s

    def epoch(self, participant: str) -> int:
        """The participant's consent epoch."""
        return contracts.participant(self._ledger, self._registry, participant).epoch

    def batch_of(self, proposer: str, round_: int) -> bytes | None:
        """The batch that took the round, at the newest final block."""
        block = self._ledger.final_head().number
        return contracts.batch_of(self._ledger, self.settlement, proposer, round_, block=block)

    def record(self, obligation_id: bytes) -> ObligationRecord:
        """What the ledger knew of the obligation at the newest final block."""
        block = self._ledger.final_head().number
        [record] = contracts.obligation_records(self._ledger, self.settlement, [obligation_id], block=block)
        return record

    def is_discharged(self, obligation_id: bytes) -> bool:
        """Whether the obligation was settled gross or claimed, at the newest final block."""
        return self.record(obligation_id).state in _DISCHARGED
