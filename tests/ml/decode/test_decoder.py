"""The process that decodes, from the line to it: it answers, asks for much memory first, and ends with its parent."""

import threading
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest

from ml.decode.decoder_line import receive, send
from ml.decode.decoders import Decoder
from ml.decode.picture_limits import Limits
from ml.decode.views import WHOLE
from tests.ml.pictures import encoded, picture
from tests.patience import PATIENCE_SECONDS

LARGE = threading.Lock()


@pytest.fixture
def decoder() -> Iterator[Decoder]:
    one = Decoder()
    one.wait_until_ready()
    yield one
    one._line.close()
    one._process.wait(PATIENCE_SECONDS)


def head(**limits: Any) -> dict[str, Any]:  # noqa: ANN401 - any limit
    return {"limits": asdict(Limits(**limits)), "view": asdict(WHOLE), "lay_on_white": True}


@pytest.mark.parametrize("form", ["PNG", "WEBP", "AVIF", "TIFF"])
def test_it_answers_with_the_picture(decoder: Decoder, form: str) -> None:
    drawn = picture(60, 40)
    answer, body = decoder.ask(head(), encoded(drawn, form, **({"lossless": True} if form == "WEBP" else {})), 9, LARGE)
    assert (answer["facts"]["format"], answer["shape"], answer["last"]) == (form, [40, 60, 3], False)
    seen = np.frombuffer(body, np.uint8).reshape(40, 60, 3)
    if form != "AVIF":
        np.testing.assert_array_equal(seen, np.asarray(drawn))
    again, _ = decoder.ask(head(max_pixels=1000), encoded(drawn, form), 9, LARGE)
    assert again["refused"][0] == "too_many_pixels"


def test_much_memory_is_asked_for_before_it_is_taken(decoder: Decoder) -> None:
    large = encoded(picture(20, 20).resize((5000, 4000)), "WEBP")
    send(decoder._line, head(), large)
    needs, _ = receive(decoder._line)
    assert needs["needs"] > 5000 * 4000 * 3
    send(decoder._line, {}, b"")
    answer, _ = receive(decoder._line)
    assert answer["shape"] == [4000, 5000, 3]


def test_what_takes_too_much_memory_fails_by_itself_and_the_next_is_read(decoder: Decoder) -> None:
    large = encoded(picture(20, 20).resize((4000, 3000)), "PNG")
    answer, _ = decoder.ask(head(max_memory=1 << 20), large, 9, LARGE)
    assert answer["refused"][:2] == ["picture_too_costly", "decoding the picture takes too much memory"]
    answer, _ = decoder.ask(head(), encoded(picture(60, 40), "WEBP"), 9, LARGE)
    assert answer["shape"] == [40, 60, 3]


def test_it_ends_when_nobody_is_at_the_other_end(decoder: Decoder) -> None:
    """Where the kernel does not end it with its parent, this does."""
    decoder.ask(head(), encoded(picture(60, 40), "WEBP"), 9, LARGE)
    decoder._line.close()
    assert decoder._process.wait(PATIENCE_SECONDS) == 0
