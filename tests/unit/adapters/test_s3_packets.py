"""An S3 answer's body says what each packet brought: botocore still has what `farm.adapters.s3_packets` asks for."""

import io

from botocore.response import StreamingBody
from urllib3 import HTTPResponse

from farm.adapters.s3_packets import CHUNK_BYTES, packets


class Packets(io.BytesIO):
    """Brings 1000 bytes at a time, as a slow network does."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(min(1000, size) if size and size > 0 else 1000)

    read1 = read


def test_a_packet_is_handed_on_when_it_is_there_and_the_body_closed_at_the_end() -> None:
    raw = HTTPResponse(body=Packets(bytes(2500)), preload_content=False)
    body = StreamingBody(raw, 2500)  # type: ignore[arg-type]  # what botocore itself gives it
    assert [len(packet) for packet in packets(body)] == [1000, 1000, 500], f"not all of {CHUNK_BYTES} at once"
    assert raw.closed
