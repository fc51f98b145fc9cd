"""What the benchmark beside fastai counts and hands on."""

import json
import os
import re
import socketserver
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from api.serving.plain_forms import plain_parts
from benchmarks.error_vs_fastai import Ending, beside, interval
from benchmarks.load import length_of, load, request_of
from benchmarks.page_content import Content
from benchmarks.page_views import views_of
from benchmarks.predict_soak import HEAD, is_flat, table
from benchmarks.predict_vs_litserve import _summary, _turns
from benchmarks.train_vs_fastai import mcnemar, over_seeds
from tests.browser.visits import VIEWS_MODULE, view_names


def test_every_view_of_the_page_is_measured() -> None:
    places = re.findall(r'^  "?([\w/:]*)"?: "(\w+)",$', VIEWS_MODULE.with_name("address.js").read_text(), re.MULTILINE)
    views = views_of(Content("pets", long_run=3, other_runs=(1, 2, 4), version=5, search=6))
    paths = {view.address.partition("?")[0] for view in views}
    measured = {
        name for pattern, name in places for path in paths if re.fullmatch(re.sub(r":\w+", "[^/]+", pattern), path)
    }
    assert measured == view_names()


@pytest.mark.parametrize(("here", "there", "p"), [(0, 0, 1.0), (0, 6, 0.03125), (2, 8, 0.109375), (5, 5, 1.0)])
def test_mcnemar_s_p_is_that_of_an_even_coin(here: int, there: int, p: float) -> None:
    assert mcnemar(here, there) == pytest.approx(p)
    assert mcnemar(there, here) == pytest.approx(p)


def test_over_the_seeds_a_picture_counts_once_and_for_the_side_that_was_right_more_often() -> None:
    first = {"a": (True, False), "b": (True, True), "c": (False, True), "d": (False, True)}
    second = {"a": (True, False), "b": (False, True), "c": (True, False), "d": (False, True)}
    told = over_seeds([first, second])
    assert told["pedigree"] == pytest.approx(4 / 8)
    assert told["fastai"] == pytest.approx(3 / 8)
    assert (told["more_often_right_here"], told["more_often_right_there"]) == (1, 2)
    assert told["sign_test_p"] == mcnemar(1, 2)


def test_fastai_is_given_the_environment_as_it_was_before_ours_was_set() -> None:
    untouched = {name: value for name, value in os.environ.items() if name not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    code = "import json, os; from benchmarks.train_vs_fastai import STOCK_ENVIRONMENT as e; "
    code += "print(json.dumps([e.get('GOMP_SPINCOUNT'), os.environ.get('GOMP_SPINCOUNT')]))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, env=untouched)
    stock, ours = json.loads(done.stdout)
    assert stock is None
    assert ours is not None


@contextmanager
def answering(answer: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """A server that reads requests with their length said and gives each the same answer; what it was sent."""
    seen: list[bytes] = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while head := self.head():
                seen.append(self.rfile.read(length_of(head)))
                self.wfile.write(answer)

        def head(self) -> bytes:
            """Of the next request; empty where the client has gone."""
            lines = []
            while (line := self.rfile.readline()).strip():
                lines.append(line)
            return b"".join(lines)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """A client that ends in the middle of a request is what a load does at its end."""

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/predict", seen
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(("status", "failed"), [(b"200 OK", False), (b"429 Too Many Requests", True)])
def test_a_load_counts_answers_and_failures_and_says_what_it_cost(
    status: bytes, failed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.load.WARM_SECONDS", 0.05)
    with answering(b"HTTP/1.1 " + status + b"\r\nContent-Length: 2\r\n\r\n{}") as (url, seen):
        told = load(url, [request_of(url, "file", b"photo" * 1000)], clients=3, seconds=0.5).told()
    assert (told["failed"] > 0, told["requests"] > 0) == (failed, not failed)
    assert told["statuses"] == {status[:3].decode(): told["failed"] or told["requests"]}
    assert 0 < told["load_cpu_share"] < 1.5
    parts = plain_parts(seen[0], b"photo-by-photo")
    assert parts is not None
    assert [(one.name, one.filename, seen[0][one.start : one.end]) for one in parts] == [
        ("file", "a.jpg", b"photo" * 1000)
    ]


def test_an_answer_that_breaks_off_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.load.WARM_SECONDS", 0.0)
    with answering(b"HTTP/1.1 200 OK\r\nNo-Length: 2\r\n\r\n{}") as (url, _):
        told = load(url, [request_of(url, "file", b"photo")], clients=1, seconds=0.2).told()
    assert told["failed"] > 0
    assert told["requests"] == 0


def test_beside_litserve_ratios_are_of_the_same_turn_and_everyone_begins_once() -> None:
    order: list[str] = []
    rates = {"ours": [100.0, 50.0, 80.0], "litserve": [50.0, 25.0, 20.0], "litserve_bf16": [80.0, 40.0, 40.0]}
    rates |= {"engine": [200.0, 100.0, 100.0], "engine_and_decode": [110.0, 60.0, 90.0]}
    taken: Counter[str] = Counter()

    def asked(name: str) -> dict[str, object]:
        order.append(name)
        rate = rates[name][taken[name]]
        taken[name] += 1
        return {"requests_per_second": rate, "p50_ms": 1000 / rate, "p99_ms": 1500 / rate, "requests": 5, "failed": 0}

    turns = _turns({name: lambda _, name=name: asked(name) for name in rates}, 3, clients=8)  # type: ignore[misc]
    assert order[::5] == ["ours", "litserve", "litserve_bf16"]
    told = _summary(turns)
    assert told["rate_over_litserve"] == [2.0, 2.0, 4.0]
    assert told["p50_over_litserve"] == [0.5, 0.25, 0.5]
    assert told["ours"]["requests_per_second"] == [80.0, 50.0, 100.0]
    assert told["p99_over_p50"] == [1.5, 1.5, 1.5]
    assert (told["failed"], told["requests"]["ours"]) == (0, 15)


def test_a_soak_is_a_table_with_a_row_a_minute() -> None:
    rows = [[minute, 600, 10.0, 90.5, 150.0, 0, 900, 1200, 12 * minute, minute] for minute in (1, 2)]
    assert all(len(row) == len(HEAD) for row in rows)
    assert table(rows).splitlines()[2:] == [
        "| 1 | 600 | 10.0 | 90.5 | 150.0 | 0 | 900 | 1200 | 12 | 1 |",
        "| 2 | 600 | 10.0 | 90.5 | 150.0 | 0 | 900 | 1200 | 24 | 2 |",
    ]


@pytest.mark.parametrize(
    ("mib", "flat"),
    [
        ([900, 905, 910, 905, 915, 920, 910, 925, 915, 920], True),
        ([300, 310, 330, 340, 345, 350, 351, 352, 352, 353], True),
        ([300, 310, 330, 360, 390, 420, 450, 480, 510, 540], False),
        ([900, 1100], False),
    ],
)
def test_a_soak_s_memory_is_flat_where_its_last_third_holds_little_more_than_its_first(
    mib: list[float], flat: bool
) -> None:
    assert is_flat(mib) is flat


def test_a_mean_s_interval_is_student_s() -> None:
    found = interval([1.0, 2.0, 3.0, 4.0, 5.0])
    assert found["mean"] == 3
    assert found["plus_minus"] == pytest.approx(2.776 * 1.5811 / 5**0.5, rel=1e-4)
    assert interval([2.0]) == {"mean": 2.0, "plus_minus": None}


def test_recipes_are_held_against_fastai_seed_by_seed() -> None:
    ours = [Ending(0.10, 0.2, 0.30, 10.0), Ending(0.12, 0.2, 0.32, 20.0)]
    theirs = [Ending(0.12, 0.2, 0.40, 100.0), Ending(0.14, 0.2, 0.42, 300.0)]
    found = beside(ours, theirs)
    assert found["error"]["difference"]["mean"] == pytest.approx(-0.02)
    assert found["error"]["difference"]["plus_minus"] == pytest.approx(0, abs=1e-9)
    assert found["fastai_takes_times"]["mean"] == 12.5
    assert found["seconds"] == [15.0, 200.0]
