"""Ids: sortable by creation, unguessable, safe in keys, paths and URLs."""

import hashlib
import re
import secrets

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
JOB_ID = re.compile(r"job_[0-9a-hjkmnp-tv-z]{26}")
RUN_ID = re.compile(r"run_[0-9a-hjkmnp-tv-z]{26}")
UPLOAD_ID = re.compile(r"upl_[0-9a-hjkmnp-tv-z]{26}")
DESIGN_ID = re.compile(r"dsn_[0-9a-hjkmnp-tv-z]{26}")
PRODUCT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")
TENANT = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
DEFAULT_TENANT = "default"


def new_job_id(now_ms: int) -> str:
    """A new job id: 48 bits of wall time, then 80 random bits, in Crockford's base 32.

    The random part makes it unique when the clock jumps back; the time only sorts it.
    """
    return "job_" + _digits((now_ms & ((1 << 48) - 1)) << 80 | secrets.randbits(80))


def new_run_id(now_ms: int) -> str:
    """A new run id, made as a job's."""
    return "run_" + _digits((now_ms & ((1 << 48) - 1)) << 80 | secrets.randbits(80))


def new_upload_id(now_ms: int) -> str:
    """A new upload id, made as a job's."""
    return "upl_" + _digits((now_ms & ((1 << 48) - 1)) << 80 | secrets.randbits(80))


def row_job_id(run_id: str, row: int, variant: int) -> str:
    """The id of the job that a run makes for one of its rows: always the same, so that it is made once.

    Unguessable as the run's own id is.
    """
    name = hashlib.sha256(f"{run_id}/{row}/{variant}".encode()).digest()
    return "job_" + run_id[4:14] + _digits(int.from_bytes(name[:10]))[-16:]


def design_id(content: bytes) -> str:
    """The id of a design that is kept by its content: equal files have the same one."""
    return "dsn_" + _digits(int.from_bytes(hashlib.sha256(content).digest()[:16]))


def _digits(number: int) -> str:
    """128 bits in Crockford's base 32."""
    return "".join(_ALPHABET[number >> (5 * place) & 31] for place in reversed(range(26)))


def new_token() -> str:
    """An attempt's token: names its prefix in the object store, and says whose output may be accepted."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(16))
