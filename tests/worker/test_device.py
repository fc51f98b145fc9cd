import sys
from pathlib import Path

import pytest

from store.lanes import Lane
from worker.device import MIB, device_of, gpu_told


def test_the_first_gpu_is_told_with_its_memory() -> None:
    told = gpu_told("NVIDIA H100 80GB HBM3, 81559\nNVIDIA A100, 40960\n")
    assert told is not None
    assert (told.kind, told.name, told.memory_bytes) == ("gpu", "NVIDIA H100 80GB HBM3", 81559 * MIB)


def test_a_gpu_without_memory_of_its_own_has_none_and_no_line_is_no_gpu() -> None:
    shared = gpu_told("NVIDIA GB10, [N/A]\n")
    assert shared is not None
    assert (shared.name, shared.memory_bytes) == ("NVIDIA GB10", None)
    assert gpu_told("") is None


def test_what_is_light_or_asked_for_on_the_processor_is_told_of_the_processor() -> None:
    for device in (device_of({Lane.LIGHT}, "auto"), device_of(frozenset(Lane), "cpu")):
        assert device.kind == "cpu"
        assert device.name
        assert device.memory_bytes is not None
        assert device.memory_bytes > 1 << 28


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A driver's program that knows two GPUs, and one by an --id; it says what it was asked in its file."""
    program = tmp_path / "nvidia-smi"
    asked = tmp_path / "asked"
    program.write_text(
        f"#!{sys.executable}\nimport sys\n"
        f"open({str(asked)!r}, 'w').write(' '.join(sys.argv[1:]))\n"
        "print('NVIDIA A100, 40960' if '--id=1' in sys.argv else 'NVIDIA H100, 81559\\nNVIDIA A100, 40960')\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return asked


@pytest.mark.parametrize(("seen", "name"), [(None, "NVIDIA H100"), ("1,0", "NVIDIA A100")])
def test_the_gpu_that_torch_would_take_is_asked_for(
    driver: Path, monkeypatch: pytest.MonkeyPatch, seen: str | None, name: str
) -> None:
    if seen is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", seen)
    assert device_of(frozenset(Lane), "auto").name == name
    assert driver.read_text().startswith("--query-gpu=name,memory.total --format=csv,noheader,nounits")


@pytest.mark.parametrize("seen", ["", "-1"])
def test_where_torch_sees_none_nobody_is_asked(driver: Path, monkeypatch: pytest.MonkeyPatch, seen: str) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", seen)
    assert device_of(frozenset(Lane), "auto").kind == "cpu"
    assert not driver.exists()


def test_a_driver_that_fails_is_no_gpu(driver: Path) -> None:
    driver.with_name("nvidia-smi").write_text("#!/bin/false\n")
    assert device_of(frozenset(Lane), "auto").kind == "cpu"
