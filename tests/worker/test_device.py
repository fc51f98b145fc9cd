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
