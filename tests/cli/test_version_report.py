"""What the command says of one version's ways."""

import pytest

from cli.version_report import show_version

WAY = {"engine": "openvino", "precision": "bf16", "input": "direct", "streams": 2}


def tried(engine: str, photos: int, *, passed: bool, problem: str | None = None) -> dict[str, object]:
    measured = {"images_per_second": 41.0, "latency_ms": 24.1, "top1_equal": 1.0, "most_moved": 0.01}
    return {"way": {**WAY, "engine": engine}, **measured, "photos": photos, "passed": passed, "problem": problem}


def test_a_way_that_was_compared_with_no_photo_does_not_differ(capsys: pytest.CaptureFixture[str]) -> None:
    candidates = [tried("openvino", 200, passed=True), tried("torch", 0, passed=False), tried("onnx", 9, passed=False)]
    choice = {"machine": "a machine", "way": WAY, "candidates": candidates}
    version = {"version": 1, "run": 2, "arch": "resnet18", "dataset": "pets"}
    show_version({**version, "created_at": "2026-11-29T00:00:00Z", "aliases": [], "canary_of": [], "choices": [choice]})
    said = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line}
    assert said["openvino"].endswith("chosen")
    assert said["torch"].endswith("not compared")
    assert said["onnx"].endswith("differs too much")
