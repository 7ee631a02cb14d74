"""What is a request and what is none, whatever bytes come in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtann.worker.protocol import (
    LONGEST_LINE,
    ProtocolError,
    Request,
    id_of,
    message_from,
    request_from,
    to_line,
)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (b"", "no JSON"),
        (b"garbage\n", "no JSON"),
        (b'{"id": 1, "command": "hello"', "no JSON"),
        (b"\xff\xfe{}\n", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b"[1, 2]\n", "holds a list"),
        (b"7\n", "holds a int"),
        (b"null\n", "holds a NoneType"),
        (b" " * (LONGEST_LINE + 1), "longer than"),
    ],
)
def test_a_line_that_is_no_message_is_refused_in_words(line, complaint):
    with pytest.raises(ProtocolError, match=complaint):
        message_from(line)


@pytest.mark.parametrize(
    ("message", "complaint"),
    [
        ({}, "'id'; found None"),
        ({"id": "7", "command": "hello"}, "'id'; found '7'"),
        ({"id": True, "command": "hello"}, "'id'; found True"),
        ({"id": 7}, "'command'; found None"),
        ({"id": 7, "command": ""}, "'command'; found ''"),
        ({"id": 7, "command": ["hello"]}, "'command'"),
        ({"id": 7, "command": "hello", "arguments": [1]}, "found a list"),
    ],
)
def test_a_message_that_is_no_request_is_refused_in_words(message, complaint):
    with pytest.raises(ProtocolError, match=complaint):
        request_from(message)


def test_a_request_is_read_back():
    line = to_line({"id": 7, "command": "détecter", "arguments": {"a": [1, None, 0.5]}})
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert request_from(message_from(line)) == Request(7, "détecter", {"a": [1, None, 0.5]})
    assert request_from({"id": 8, "command": "hello"}) == Request(8, "hello", {})


def test_the_id_of_a_bad_request_is_still_known():
    assert id_of({"id": 7, "command": 3}) == 7
    assert id_of({"id": True}) is None
    assert id_of({}) is None


@given(st.binary(max_size=200))
def test_no_bytes_whatever_break_the_reader(line):
    try:
        message = message_from(line)
        request_from(message)
    except ProtocolError as error:
        assert "\n" not in str(error).rstrip()


def test_numbers_that_json_does_not_have_are_not_written():
    with pytest.raises(ValueError, match="not JSON compliant"):
        to_line({"id": float("nan")})
