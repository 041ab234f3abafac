"""An S3 answer's body, packet by packet: the only use of a private name of botocore's (seen in 1.44).

``StreamingBody`` has ``read(n)`` alone, which waits for all n bytes; the urllib3 response behind it, which it keeps in
``_raw_stream``, says what one packet brought. `tests/unit/adapters/test_s3_packets.py` fails when that is gone.
"""

from collections.abc import Iterator
from typing import Any

CHUNK_BYTES = 1 << 16


def packets(body: Any) -> Iterator[bytes]:
    """Chunks of at most `CHUNK_BYTES` as they arrive: whoever reads decides after each whether it takes too long."""
    try:
        while chunk := body._raw_stream.read1(CHUNK_BYTES):
            yield chunk
    finally:
        body.close()
