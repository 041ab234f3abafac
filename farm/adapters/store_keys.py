"""Names of the keys that a farm keeps beside its sagas; those of the sagas stand in `farm.adapters.redis_scripts`.

Nobody else spells a farm's prefix. Stored names stay as they are: a store is read by the versions that follow.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Keys:
    """What begins with one namespace.

    Attributes:
        namespace: begins every key; that of jobs, too.
    """

    namespace: str = "farm"

    def of(self, *parts: str) -> str:
        """The key of these parts."""
        return ":".join((self.namespace, *parts))

    @property
    def runs(self) -> str:
        """The namespace of catalogue runs."""
        return self.of("run")

    @property
    def batches(self) -> str:
        """The namespace of runs' batches."""
        return self.of("batch")

    @property
    def epochs(self) -> tuple[str, ...]:
        """All counters of epochs of leases that never start again."""
        return self.of("epoch"), self.of("run", "epoch"), self.of("batch", "epoch"), self.of("beat", "epochs")


KEYS = Keys()
"""Of the farm whose store this is."""
