"""Bodies in parts: what they hold comes out as it went in, and whatever comes, the answer is parts or a refusal."""

from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from farm.errors import InvalidRequest
from serve_app.multipart import MAX_PARTS, parts_of

KIND = "multipart/form-data; boundary=XX"
FRAGMENTS = [
    b"--XX", b"--XX--", b"\r\n", b"\n", b"\r", b"Content-Disposition: form-data; ", b"name=", b'"a"', b"; filename*=",
    b"utf-8''%c3%bc", b"filename*0=", b"=?utf-8?B?", b"?=", b"Content-Transfer-Encoding: base64", b"charset=utf-7",
    b"Content-Type: text/plain; ", b"\xff", b"\x00", b" \t", b";", b"\\", b"%", b"'",
]  # fmt: skip


@example(b"\r", b"\n", b"")
@given(st.binary(max_size=200), st.sampled_from([b"\r\n", b"\n"]), st.sampled_from([b"", b"before\r\n\r\n"]))
def test_bytes_come_out_as_they_went_in(data: bytes, line: bytes, before: bytes) -> None:
    if b"--XX" in data:
        return
    head = [b"--XX", b'Content-Disposition: form-data; name="a"; filename="b"', b""]
    sent = before + line.join([*head, data, *head, data[::-1], b"--XX--", b"behind"])
    parts = parts_of(KIND, sent)
    assert [(part.name, part.file_name, part.data) for part in parts] == [("a", "b", data), ("a", "b", data[::-1])]


@given(st.lists(st.sampled_from(FRAGMENTS) | st.binary(max_size=6), max_size=40).map(b"".join))
def test_whatever_comes_the_answer_is_parts_or_a_refusal(sent: bytes) -> None:
    for body in (sent, b"--XX\r\n" + sent + b"\r\n--XX--"):
        with suppress(InvalidRequest):
            for part in parts_of(KIND, body):
                assert part.name
                part.text()


@given(st.text(max_size=60))
def test_no_type_raises_anything_else(kind: str) -> None:
    with pytest.raises(InvalidRequest):
        parts_of(kind + "; boundary", b"--XX--")


def test_nothing_of_a_cut_body_is_used() -> None:
    one = b"--XX\r\nContent-Disposition: form-data; name=%s\r\n\r\n%s\r\n"
    whole = one % (b"a", b"1") + one % (b"b", b"2") + b"--XX--"
    assert [part.data for part in parts_of(KIND, whole)] == [b"1", b"2"]
    for length in range(len(whole)):
        with pytest.raises(InvalidRequest):
            parts_of(KIND, whole[:length])


def test_parts_are_counted_before_they_are_read() -> None:
    one = b"--XX\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n"
    assert len(parts_of(KIND, one * MAX_PARTS + b"--XX--")) == MAX_PARTS
    with pytest.raises(InvalidRequest, match="more than"):
        parts_of(KIND, one * (MAX_PARTS + 1) + b"--XX--")
