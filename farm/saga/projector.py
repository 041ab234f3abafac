"""The projector: turns a saga's state into what readers see. The one place where a saga gets its domain's words."""

from collections.abc import Sequence
from typing import Protocol

from farm.saga.journal import Entry, Projection
from farm.saga.state import SagaState


class Projector(Protocol):
    """A pure function, called for every append; the creator of a saga calls it for `Journal.create` too."""

    def __call__(self, saga_id: str, state: SagaState, new: Sequence[Entry]) -> Projection:
        """What to show.

        Args:
            saga_id: whose.
            state: with the new entries folded in; ``live`` belongs into the projection as it stands.
            new: the entries of this append, for the events. Their ``at_s`` is the coordinator's idea of the
                store's time.
        """
        ...
