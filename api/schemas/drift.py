"""How far what a model is asked lies from what it was validated on."""

from collections.abc import Sequence
from datetime import date
from math import sqrt
from typing import Self

from pydantic import BaseModel, Field

from ml.decode.image_kind import KINDS
from ml.reading.drift import LEAST_REFERENCE, LEAST_SEEN, SCALES, Drift, Verdict, compare

_Z95 = 1.96
_OTHERS = {"breeds": "the breeds in the answers", "kind": "the kinds of files"}
_SAYS = {
    "alike": "no sign of drift",
    "some": "some drift",
    "clear": "clear drift",
}


class FigureDrift(BaseModel):
    """One figure of the photos or the answers, beside the run's validation side."""

    figure: str
    says: str = Field(description="what the figure is")
    seen: int = Field(description="photos that were counted")
    reference: int = Field(description="of the validation side")
    psi: float | None = Field(description="population stability index; 0 where both are alike, null of too few photos")
    by_chance: float | None = Field(description="what 99 % of samples of these sizes stay below without any drift")
    verdict: Verdict
    sentence: str
    seen_mean: float | None
    reference_mean: float | None
    steps: list[str] | None = Field(description="of breeds and kinds, their names; else null")
    seen_shares: list[float]
    reference_shares: list[float]

    @classmethod
    def of(cls, figure: str, seen: Sequence[int], reference: Sequence[int], vocab: list[str]) -> Self:
        drift, scale = compare(seen, reference), SCALES.get(figure)
        return cls(
            figure=figure,
            says=_OTHERS[figure] if scale is None else scale.says,
            seen=drift.seen,
            reference=drift.reference,
            psi=drift.psi,
            by_chance=drift.by_chance,
            verdict=drift.verdict,
            sentence=_sentence(drift),
            seen_mean=None if scale is None else scale.mean(seen),
            reference_mean=None if scale is None else scale.mean(reference),
            steps=_names(figure, vocab),
            seen_shares=_shares(seen),
            reference_shares=_shares(reference),
        )


class ShareOut(BaseModel):
    """A share of the answers, with the bounds that hold in 95 % of cases."""

    count: int
    of: int
    share: float
    low: float
    high: float

    @classmethod
    def of_counts(cls, counts: Sequence[int]) -> Self | None:
        """From how often it was no and yes; None of nothing. The share is of no."""
        n = sum(counts)
        if not n:
            return None
        share = counts[0] / n
        # Wilson's interval.
        middle = (share + _Z95**2 / (2 * n)) / (1 + _Z95**2 / n)
        half = _Z95 / (1 + _Z95**2 / n) * sqrt(share * (1 - share) / n + _Z95**2 / (4 * n * n))
        return cls(count=counts[0], of=n, share=share, low=max(0.0, middle - half), high=min(1.0, middle + half))


class DriftOut(BaseModel):
    """What a version was asked and answered in the last days, beside the validation side of its run."""

    version: int
    since: date = Field(description="the first day, UTC")
    days: int
    photos: int = Field(description="answers that were counted")
    least: int = Field(description="below so many photos no figure gets a verdict")
    verdict: Verdict = Field(description="the worst of the figures'")
    sentence: str
    figures: list[FigureDrift]
    unsure: ShareOut | None = Field(description="answers that the model was not sure of")
    unknown: ShareOut | None = Field(description="photos of no kind that the model knows; null where it cannot say")
    missing: str | None = Field(description="why figures are missing")

    @classmethod
    def of(
        cls,
        version: int,
        since: date,
        days: int,
        seen: dict[str, list[int]],
        reference: dict[str, list[int]] | None,
        vocab: list[str],
        missing: str | None,
    ) -> Self:
        """From the counts; ``reference`` is None while it has not been made."""
        known = reference or {}
        figures = [
            FigureDrift.of(name, seen[name], known[name], vocab)
            for name in (*_OTHERS, *SCALES)
            if name in seen and name in known
        ]
        if reference is None and missing is None:
            missing = "the validation side's figures are made within minutes after the version's first answer"
        photos = sum(seen.get("breeds", []))
        verdict, sentence = _overall(figures, photos)
        return cls(
            version=version,
            since=since,
            days=days,
            photos=photos,
            least=LEAST_SEEN,
            verdict=verdict,
            sentence=sentence,
            figures=figures,
            unsure=ShareOut.of_counts(seen.get("sure", [])),
            unknown=ShareOut.of_counts(seen.get("known", [])),
            missing=missing,
        )


def _names(figure: str, vocab: list[str]) -> list[str] | None:
    return {"breeds": vocab, "kind": list(KINDS)}.get(figure)


def _overall(figures: list[FigureDrift], photos: int) -> tuple[Verdict, str]:
    judged = [one for one in figures if one.verdict != "too_few"]
    if not judged:
        return "too_few", f"{photos} photos are too few to say: {LEAST_SEEN} of a figure are the least"
    for verdict in ("clear", "some"):
        found = [one.says for one in judged if one.verdict == verdict]
        if found:
            return ("clear" if verdict == "clear" else "some"), f"{_SAYS[verdict]} in {', '.join(found)}"
    return "alike", f"{_SAYS['alike']} in {len(judged)} figures"


def _sentence(drift: Drift) -> str:
    if drift.psi is None or drift.by_chance is None:
        least = f"the least are {LEAST_SEEN} and {LEAST_REFERENCE}"
        return f"too few to say: {drift.seen} photos beside {drift.reference} of the validation side; {least}"
    return f"{_SAYS[drift.verdict]}: {drift.psi:.3f}, by chance up to {drift.by_chance:.3f}, of {drift.seen} photos"


def _shares(counts: Sequence[int]) -> list[float]:
    total = max(1, sum(counts))
    return [count / total for count in counts]
