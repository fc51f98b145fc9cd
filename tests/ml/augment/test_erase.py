import pytest
import torch

from ml.augment.erase import erase, erased_of_step


def test_rectangles_lie_inside_and_have_the_paper_s_areas_and_shapes() -> None:
    found = erased_of_step(2000, 1.0, 42, 0)
    top, bottom, left, right = found.unbind(1)
    assert bool(((found >= 0) & (found <= 1 + 1e-6)).all())
    height, width = bottom - top, right - left
    area = height * width
    assert bool(((area > 0.0199) & (area < 0.331)).all())
    inside = (height < 1) & (width < 1)  # what does not reach over the whole side keeps its shape
    shape = (height / width)[inside]
    assert bool(((shape > 0.299) & (shape < 3.31)).all())


def test_so_many_photos_are_blanked_as_asked_and_each_step_chooses_anew() -> None:
    found = erased_of_step(2000, 0.25, 42, 3)
    assert (found.sum(1) > 0).float().mean().item() == pytest.approx(0.25, abs=0.03)
    assert torch.equal(found, erased_of_step(2000, 0.25, 42, 3))
    assert not torch.equal(found, erased_of_step(2000, 0.25, 42, 4))


def test_the_rectangle_alone_is_blanked() -> None:
    inputs = torch.ones(2, 3, 10, 20)
    erased = erase(inputs, torch.tensor([[0.2, 0.5, 0.25, 0.75], [0.0, 0.0, 0.0, 0.0]]))
    assert erased[0, :, 2:5, 5:15].sum() == 0
    assert erased[0].sum() == 3 * (200 - 30)
    assert erased[1].sum() == 3 * 200
