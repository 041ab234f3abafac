"""The farm's log: a line for each thing that happened, with the job it was about, and no secret in it.

Whoever works on a job says so once (`about`); every line that is written meanwhile, by whichever module, names that
job. Text for people, or with ``FARM_LOG_FORMAT=json`` an object in each line for a collector of logs.
"""

import json
import logging
import re
import sys
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import fields
from datetime import UTC, datetime
from typing import TextIO
from urllib.parse import urlsplit

from farm.settings import Settings

JOB: ContextVar[str] = ContextVar("job", default="")
"""The job that is being worked on here, in this task or thread; empty: none."""
LEAST_SECRET = 6
"""A shorter one would blacken half of the log."""
_HIDDEN = "***"
_PATTERNS = (
    (re.compile(r"\b(farm_[0-9a-f]{12}_)[A-Za-z0-9_-]{20,}"), r"\1" + _HIDDEN),
    (re.compile(r"\b(whsec_)[A-Za-z0-9+/=]{8,}"), r"\1" + _HIDDEN),
    (re.compile(r"(\w://[^\s/:@]*:)[^\s/@]+(@)"), r"\1" + _HIDDEN + r"\2"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}"), r"\1 " + _HIDDEN),
    (re.compile(r"(?i)\b(x-amz-(?:signature|credential|security-token)=)[^&\s\"']+"), r"\1" + _HIDDEN),
    (re.compile(r"(?i)\b(aws_secret_access_key|aws_session_token|password|secret)(\s*[=:]\s*['\"]?)[^\s'\",;&]{6,}"),
     r"\1\2" + _HIDDEN),
)  # fmt: skip


@contextmanager
def about(job_id: str) -> Iterator[None]:
    """Whatever is logged within, here and in tasks that are started here, is about that job."""
    token = JOB.set(job_id)
    try:
        yield
    finally:
        JOB.reset(token)


def secrets_of(settings: Settings) -> tuple[str, ...]:
    """The secrets in the settings, word for word: of an address its password."""
    found = []
    for setting in fields(settings):
        value = str(getattr(settings, setting.name))
        if setting.metadata["secret"] and value:
            found.append((urlsplit(value).password or "") if "://" in value else value)
    return tuple(text for text in found if len(text) >= LEAST_SECRET)


def without_secrets(text: str, secrets: Iterable[str] = ()) -> str:
    """A text with everything that opens something blackened: keys, passwords, signatures."""
    for secret in secrets:
        text = text.replace(secret, _HIDDEN)
    for pattern, hidden in _PATTERNS:
        text = pattern.sub(hidden, text)
    return text


class _Lines(logging.Formatter):
    """Text: time, level, who, the job, and what."""

    def __init__(self, who: str, secrets: Iterable[str]) -> None:
        super().__init__()
        self._who = who
        self._secrets = tuple(secrets)

    def format(self, record: logging.LogRecord) -> str:
        what = without_secrets("\n".join(filter(None, (record.getMessage(), _trouble(record)))), self._secrets)
        job = JOB.get()
        at = f"{datetime.fromtimestamp(record.created):%Y-%m-%d %H:%M:%S},{record.msecs:03.0f}"  # noqa: DTZ006
        return f"{at} {record.levelname} {self._who or record.name}: {f'[{job}] ' if job else ''}{what}"


class _Objects(_Lines):
    """JSON, one object in a line."""

    def format(self, record: logging.LogRecord) -> str:
        told = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "who": self._who,
            "job_id": JOB.get() or None,
            "message": without_secrets(record.getMessage(), self._secrets),
            "trouble": without_secrets(_trouble(record), self._secrets) or None,
        }
        return json.dumps({name: value for name, value in told.items() if value not in (None, "")}, ensure_ascii=False)


def _trouble(record: logging.LogRecord) -> str:
    """The traceback that came with a line, and the stack."""
    parts = []
    if record.exc_info and record.exc_info[1] is not None:
        parts.append("".join(traceback.format_exception(record.exc_info[1])).rstrip())
    if record.stack_info:
        parts.append(record.stack_info)
    return "\n".join(parts)


def start_logging(settings: Settings, who: str = "", *, stream: TextIO | None = None) -> None:
    """Log in this process, from now on and in place of what was set up before.

    Args:
        who: the process, where one log gathers several.
    """
    form = _Objects if settings.log_format == "json" else _Lines
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(form(who, secrets_of(settings)))
    logging.root.handlers[:] = [handler]
    logging.root.setLevel(logging.INFO)
    for chatty in ("httpx", "httpcore", "botocore", "boto3", "urllib3"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
