"""The inbox: how those who hold no lease speak to a saga; and the doorbell that makes a coordinator look at once."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, Protocol

CANCEL = "cancel"
"""The ``kind`` of the message that ends a saga: ``{"kind": "cancel", "reason": "…"}``."""
COMPENSATE = "compensate"
"""The ``kind`` of the message by which a saga that ended with its compensation pending takes it up again."""


class Inbox(Protocol):
    """Messages leave the inbox only with an append (``consume``), so that a crash in between loses none."""

    async def send(self, saga_id: str, message: Mapping[str, Any], *, to_pending: bool = False) -> bool:
        """Leave a message, on disk when this returns, and ring; ``False`` when the saga has ended.

        With ``to_pending`` only a saga that has ended with its compensation pending takes it, and can be claimed again.

        A message that waits there already is not left twice.

        The pivot is refused while a message waits, so ``True`` for a cancel means: the pivot has not come first.

        Raises:
            NotFound: when there is no such saga.
        """
        ...

    async def read(self, saga_id: str) -> Sequence[Mapping[str, Any]]:
        """The messages, oldest first; they stay."""
        ...


class Doorbell(Protocol):
    """Rings may be lost (the listener was not connected): whoever listens also polls, at leisure."""

    def listen(self) -> AsyncGenerator[str]:
        """The id of each saga that was created or got a message, as it happens; ends when the iterator is closed."""
        ...
