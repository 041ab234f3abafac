"""Ids of a caller's own: the same one always means the same job.

The journal creates a job once or not at all, so the id alone makes a repeated request harmless, for as long as the job
is kept and whatever dies in between; nothing else has to be remembered.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from farm.domain.ids import JOB_ID
from farm.errors import InvalidRequest
from farm.render.prepare import Prepared

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_CLIENT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def job_id_of_client(tenant: str, client_id: str) -> str:
    """The job that this tenant calls ``client_id``; one of the farm's own ids stands for itself.

    Raises:
        InvalidRequest: when it is no id.
    """
    if JOB_ID.fullmatch(client_id):
        return client_id
    if not _CLIENT_ID.fullmatch(client_id):
        raise InvalidRequest(reason="an id has 1 to 64 letters, digits, dots, dashes or underscores")
    return _derived(tenant, "client", client_id)


def is_same(record: Mapping[str, Any], prepared: Prepared) -> bool:
    """Whether a job was made of the very request that came again; multipart boundaries do not matter."""
    if record["request"] != prepared.request or list(record.get("design_urls", ())) != list(prepared.urls):
        return False
    return bool(prepared.urls) or list(record["designs"]) == [design.sha256 for design in prepared.designs]


def _derived(*parts: str) -> str:
    number = int.from_bytes(hashlib.sha256("\0".join(parts).encode()).digest()[:16])
    return "job_" + "".join(_ALPHABET[number >> (5 * place) & 31] for place in reversed(range(26)))
