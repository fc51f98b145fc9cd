from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ml.config import ResolvedConfig, resolve, train_config
from ml.data.bundle import Folder
from ml.data.cache import PresizedCache, open_cache
from ml.data.manifest import LabelRule
from ml.data.scan import scan_folder
from ml.decode.images import Limits
from ml.learn.batches import ValidationBatches
from ml.learn.evaluation import predict_logits
from ml.learn.losses import scores_of
from ml.learn.precision import Precision
from ml.learn.tta import combine, tta_scores
from tests.ml.facts import cases
from tests.ml.pictures import dataset, fill

CPU = torch.device("cpu")
FP32 = Precision("fp32", "for a test")


def tensors(case: dict[str, Any]) -> tuple[Tensor, Tensor]:
    return torch.tensor(case["plain_preds"]), torch.tensor(case["aug_preds"])


@pytest.mark.parametrize("case", [case for case in cases("tta") if case["beta"] is not None])
def test_passes_are_combined_as_fastai_combines_them(case: dict[str, Any]) -> None:
    plain, augmented = tensors(case)
    assert len(augmented) == case["n"]
    found = combine(plain, augmented, case["beta"], use_max=case["use_max"])
    torch.testing.assert_close(found, torch.tensor(case["result"]), rtol=1e-5, atol=0)


@pytest.mark.parametrize("case", [case for case in cases("tta") if case["beta"] is None])
def test_the_ends_of_beta_are_the_copies_alone_and_the_plain_pass_alone(case: dict[str, Any]) -> None:
    plain, augmented = tensors(case)
    mean, unchanged = map(torch.tensor, case["result"])
    torch.testing.assert_close(combine(plain, augmented, 0), mean, rtol=1e-5, atol=0)
    torch.testing.assert_close(combine(plain, augmented, 1), unchanged, rtol=1e-5, atol=0)


class Noting(nn.Module):
    """Scores a picture by its mean colour, and keeps every input and the mode that it was called in."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Tensor] = []
        self.modes: set[bool] = set()

    def forward(self, batch: Tensor) -> Tensor:
        self.seen.append(batch.clone())
        self.modes.add(self.training)
        return batch.mean((2, 3))


@pytest.fixture
def cache(tmp_path: Path) -> PresizedCache:
    manifest, source = dataset(tmp_path / "pictures", breeds=2, each=5)
    return open_cache(manifest, source, presize=40, root=tmp_path / "cache", limits=Limits(), on_progress=None)


def config(**changes: object) -> ResolvedConfig:
    return resolve(train_config.validate_python({"presize": 40, "size": 32, "batch_size": 4, **changes}))


@pytest.mark.parametrize("loss", ["cross_entropy", "binary_cross_entropy"])
def test_scores_are_the_combination_of_four_changed_passes_and_the_plain_one(cache: PresizedCache, loss: str) -> None:
    chosen, items, calls = config(loss=loss), [7, 2, 9, 0, 4], [0]
    model = Noting().train()

    def count() -> None:
        calls[0] += 1

    found = tta_scores(model, cache, items, chosen, precision=FP32, device=CPU, on_batch=count)
    batches = 2  # five pictures, four a batch
    assert (calls[0], model.modes) == (5 * batches, {False})
    passes = [torch.cat(model.seen[n : n + batches]) for n in range(0, len(model.seen), batches)]
    scores = [scores_of(chosen.loss, one.mean((2, 3))) for one in passes]
    by_hand = 0.75 * torch.stack(scores[1:]).mean(0) + 0.25 * scores[0]
    torch.testing.assert_close(found, by_hand, rtol=1e-6, atol=0)
    logits = predict_logits(Noting(), ValidationBatches(cache, (), items, chosen).load(CPU), precision=FP32, device=CPU)
    torch.testing.assert_close(scores[0], scores_of(chosen.loss, logits), rtol=0, atol=0)
    # Every copy of a picture is another one.
    assert all(not torch.equal(a[0], b[0]) for i, a in enumerate(passes) for b in passes[i + 1 :])
    assert not torch.equal(passes[1][0], passes[1][4])
    sums = found.sum(1)
    assert torch.allclose(sums, torch.ones_like(sums)) == (loss == "cross_entropy")


def test_the_copies_follow_the_runs_seed_alone(cache: PresizedCache) -> None:
    def scores(seed: int) -> Tensor:
        torch.rand(3)  # what happens outside does not shift the draws
        return tta_scores(Noting(), cache, range(10), config(seed=seed), precision=FP32, device=CPU)

    assert torch.equal(scores(1), scores(1))
    assert not torch.equal(scores(1), scores(2))


def test_where_the_training_changes_nothing_the_copies_are_the_picture_itself(tmp_path: Path) -> None:
    folder = fill(tmp_path / "square", ["a_1.jpg", "b_1.jpg"], sizes=((40, 40),))
    manifest = scan_folder(folder, LabelRule(), name="square")
    source = Folder(folder, manifest)
    cache = open_cache(manifest, source, presize=40, root=tmp_path / "cache", limits=Limits(), on_progress=None)
    still = {"flip": False, "max_rotate": 0, "max_zoom": 1, "max_lighting": 0, "max_warp": 0}
    model = Noting()
    tta_scores(model, cache, [0, 1], config(augment=still, min_scale=1), precision=FP32, device=CPU)
    plain, *copies = model.seen
    assert len(copies) == 4
    for copy in copies:
        torch.testing.assert_close(copy, plain, rtol=0, atol=1e-4)
