"""Pictures that cost much, sent to POST /predict: their own error, and nobody else waits."""

import asyncio
import io
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pillow_heif
import pytest
from fastapi import FastAPI, Request
from PIL import Image
from starlette.types import Message

import ml.decode.images
from api.app import create_app
from api.serving.decoding import WAITING, ClientLeft, Decoding, Step
from api.serving.sent_pictures import SentPicture
from ml.decode.decoders import DECODERS
from ml.decode.direct import direct
from ml.decode.images import Limits, view
from ml.decode.picture_cost import is_cheap
from ml.decode.views import View
from store.errors import TooBusy
from store.settings import Settings
from tests.api.fake_classifier import FakeClassifier
from tests.api.records import Records
from tests.api.serving.test_predict import GREEN, classifier_of, register, send
from tests.api.web import TestClient
from tests.ml.hostile_pictures import scan_bomb, slow_jpeg, tile_bomb
from tests.ml.pictures import encoded, open_rgb
from tests.patience import PATIENCE_SECONDS

COSTLY = encoded(Image.new("RGB", (80, 60), (0, 220, 0)), "WEBP")


@pytest.mark.parametrize("bomb", [lambda: scan_bomb(3000, 500), lambda: tile_bomb(100, 12_000)], ids=["scans", "tile"])
def test_a_bomb_is_its_own_error(client: TestClient, records: Records, bomb: Callable[[], bytes]) -> None:
    register(client, records)
    alone = send(client, bomb())
    assert (alone.status_code, alone.json()["code"]) == (422, "picture_too_costly"), alone.text
    assert alone.json()["hint"]
    entries = send(client, GREEN, bomb(), COSTLY).json()["predictions"]
    assert [entry.get("breed") for entry in entries] == ["Birman", None, "Birman"]
    assert entries[1]["error"]["code"] == "picture_too_costly"


def test_time_and_memory_are_settings(settings: Settings, records: Records) -> None:
    app = create_app(settings.model_copy(update={"decode_seconds": 0.05}), load=FakeClassifier.load)
    with TestClient(app, base_url="http://localhost") as client:
        register(client, records)
        assert send(client, slow_jpeg()).json()["code"] == "picture_too_costly"


def test_who_sends_cheap_pictures_does_not_wait_for_those_who_send_costly_ones(
    client: TestClient, records: Records, app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(client, records)
    served = classifier_of(app)
    prepare, may_go, waiting = served.prepare, threading.Event(), threading.Semaphore(0)

    def slow_where_costly(data: bytes, limits: Limits) -> Any:  # noqa: ANN401 - what the classifier makes of it
        if data == COSTLY:
            waiting.release()
            assert may_go.wait(PATIENCE_SECONDS)
        return prepare(data, limits)

    monkeypatch.setattr(served, "prepare", slow_where_costly)
    senders = [threading.Thread(target=send, args=(client, COSTLY, COSTLY)) for _ in range(WAITING)]
    for sender in senders:
        sender.start()
    for _ in senders:
        assert waiting.acquire(timeout=PATIENCE_SECONDS)
    assert send(client, GREEN).status_code == 200
    # One picture of each request at a time.
    assert not waiting.acquire(blocking=False)
    may_go.set()
    for sender in senders:
        sender.join()


def step(prepare: Callable[[bytes, Limits], list[Any]]) -> Step[object]:
    """A costly picture, decoded and nothing else."""
    return Step(SentPicture("", io.BytesIO(COSTLY)), Limits(), prepare, lambda inputs, pending: pending.give(inputs))


@pytest.mark.parametrize("sent", [GREEN, COSTLY])
def test_the_bytes_of_a_picture_are_judged_once(sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """The quick way and the exact one after it go by the verdict that chose the thread."""
    judged = list[bytes]()

    def noted(data: bytes) -> bool:
        judged.append(data)
        return is_cheap(data)

    def prepare(data: bytes, limits: Limits) -> list[object]:
        return [direct(data, limits, 32, 64), view(data, limits, View("squares", 64, (0.5,)))]

    async def never() -> Message:
        return await asyncio.Future[Message]()

    async def decode() -> None:
        decoding = Decoding()
        async with decoding.of(Request({"type": "http"}, never), seconds=60) as turn:
            await turn.begin(replace(step(prepare), file=SentPicture("", io.BytesIO(sent))))
        decoding.close()

    monkeypatch.setattr(ml.decode.images, "is_cheap", noted)
    asyncio.run(decode())
    assert judged == [sent]


def test_a_client_that_leaves_ends_its_decoding() -> None:
    """The first picture is being decoded as the client leaves; the second is not begun."""
    ended: list[object] = []

    async def leave() -> None:
        begun, gone = asyncio.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()

        async def receive() -> Message:
            await gone.wait()
            return {"type": "http.disconnect"}

        def prepare(data: bytes, limits: Limits) -> list[object]:
            loop.call_soon_threadsafe(begun.set)
            while True:
                open_rgb(data, limits)

        decoding = Decoding()
        async with decoding.of(Request({"type": "http"}, receive), seconds=60) as turn:
            both = [turn.begin(step(prepare)) for _ in range(2)]
            await begun.wait()
            gone.set()
            ended.extend(await asyncio.gather(*both, return_exceptions=True))
        decoding.close()

    asyncio.run(leave())
    assert [type(one) for one in ended] == [ClientLeft, ClientLeft]


def test_processes_start_only_when_they_are_needed(client: TestClient, records: Records) -> None:
    DECODERS.close()
    register(client, records)
    assert send(client, GREEN, encoded(Image.new("RGB", (80, 60)), "PNG")).status_code == 200
    assert not DECODERS._idle
    assert send(client, COSTLY).status_code == 200
    assert len(DECODERS._idle) == 1


@pytest.mark.parametrize("form", ["HEIF", "AVIF", "JPEG2000", "WEBP", "TIFF"])
def test_every_format_is_answered(client: TestClient, records: Records, form: str) -> None:
    pillow_heif.register_heif_opener()
    register(client, records)
    (found,) = send(client, encoded(Image.new("RGB", (80, 60), (0, 220, 0)), form)).json()["predictions"]
    assert found["breed"] == "Birman"


def test_what_is_no_picture_is_told_all_formats(client: TestClient, records: Records) -> None:
    register(client, records)
    assert "HEIC, AVIF or JPEG 2000" in send(client, b"no picture").json()["hint"]


def test_costly_pictures_have_a_number_of_their_own() -> None:
    """Else a few requests of them would hold every place of the queue for minutes."""

    async def send_three() -> list[object]:
        async def receive() -> Message:
            await asyncio.Event().wait()
            raise AssertionError

        decoding = Decoding(costly=2)
        async with decoding.of(Request({"type": "http"}, receive), seconds=60) as turn:
            asked = [turn.begin(step(lambda data, limits: [open_rgb(data, limits)])) for _ in range(3)]
            told: list[object] = list(await asyncio.gather(*asked, return_exceptions=True))
        decoding.close()
        return told

    told = asyncio.run(send_three())
    assert isinstance(told[2], TooBusy)
    # The answer is the first picture's error: none may say that the client left.
    assert not any(isinstance(one, ClientLeft) for one in told)
