"""The log of one attempt: plain text, kept beside its picture, for the person who asks why."""

import time


class TaskLog:
    """Lines with the seconds since the attempt began."""

    def __init__(self, title: str) -> None:
        self._began_s = time.monotonic()
        self._lines = [title]

    def say(self, line: str) -> None:
        """Add a line; more lines in one are kept together by indentation."""
        text = line.rstrip().replace("\n", "\n          ")
        self._lines.append(f"{self.passed_s:8.3f}  {text}")

    @property
    def passed_s(self) -> float:
        return time.monotonic() - self._began_s

    def text(self) -> str:
        return "\n".join(self._lines) + "\n"
