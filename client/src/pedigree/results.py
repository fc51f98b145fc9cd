"""What a run came to, as notebooks show it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, overload

from pedigree import html, schemas

MOST_SHOWN = 10
TICKS_SHOWN = 60
SUGGESTIONS = ("minimum", "steep", "valley", "slide")


class Png(bytes):
    """A picture, as a file's content; a notebook shows it."""

    __slots__ = ()

    def _repr_png_(self) -> bytes:
        return bytes(self)


@dataclass(frozen=True)
class Confusion:
    """Which breeds are taken for which; ``record`` is the service's whole answer."""

    record: schemas.Confusion

    @property
    def vocab(self) -> list[str]:
        """The breeds, in the order of rows and columns."""
        return self.record.vocab

    @property
    def matrix(self) -> list[list[int]]:
        """Counts; rows are what is true, columns what was said."""
        return self.record.matrix

    @property
    def most_confused(self) -> list[tuple[str, str, int]]:
        """What is true, what was said, and how often; the most frequent first."""
        return [(pair.actual, pair.predicted, pair.count) for pair in self.record.most_confused]

    def plot(self, ax: Any = None) -> Any:  # noqa: ANN401  # matplotlib may be absent
        """Draw the matrix; returns the axes.

        Raises:
            ImportError: matplotlib is not installed.
        """
        axes = _axes(ax, size=min(4 + len(self.vocab) / 4, 12))
        axes.imshow(self.matrix, cmap="Blues")
        if len(self.vocab) <= TICKS_SHOWN:
            places = range(len(self.vocab))
            axes.set_xticks(places, self.vocab, rotation=90)
            axes.set_yticks(places, self.vocab)
        axes.set_xlabel("predicted")
        axes.set_ylabel("actual")
        axes.set_title(self._sentence())
        return axes

    def _sentence(self) -> str:
        return f"{self.record.n} photos of {self.record.dataset.name}, error rate {self.record.error_rate:.4f}"

    def __repr__(self) -> str:
        return f"<Confusion: {self._sentence()}>"

    def _repr_html_(self) -> str:
        rows = self.most_confused[:MOST_SHOWN]
        return html.line(self._sentence()) + html.table(("actual", "predicted", "times"), rows)


@dataclass(frozen=True)
class TopLosses(Sequence[schemas.TopLoss]):
    """What a run was most wrong about, worst first; ``photos`` are the pictures by item, where they were fetched."""

    rows: list[schemas.TopLoss]
    photos: Mapping[int, bytes] = field(default_factory=dict)

    @overload
    def __getitem__(self, index: int) -> schemas.TopLoss: ...

    @overload
    def __getitem__(self, index: slice) -> list[schemas.TopLoss]: ...

    def __getitem__(self, index: int | slice) -> schemas.TopLoss | list[schemas.TopLoss]:
        return self.rows[index]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[schemas.TopLoss]:
        return iter(self.rows)

    def _repr_html_(self) -> str:
        return f'<div style="display:flex;flex-wrap:wrap;gap:12px">{"".join(map(self._card, self.rows))}</div>'

    def _card(self, row: schemas.TopLoss) -> str:
        photo = self.photos.get(row.item)
        shown = "" if photo is None else html.image(photo, "image/jpeg", row.path)
        loss = "infinite" if row.loss is None else f"{row.loss:.2f}"
        words = f"{row.actual}, taken for {row.predicted} ({row.probability_predicted:.0%}); loss {loss}"
        return f'<div style="max-width:170px">{shown}{html.line(words)}{html.line(row.path)}</div>'


@dataclass(frozen=True)
class RateSearch:
    """A search for a learning rate; ``record`` is the service's whole answer."""

    record: schemas.LrFindOut

    @property
    def rate(self) -> float | None:
        """The rate that "auto" takes; None where the sweeps do not agree on one."""
        return self.record.rate

    @property
    def suggestions(self) -> dict[str, float | None]:
        """A rate for each way to read the curve; ``minimum`` is a tenth of the rate at the lowest loss."""
        return {name: getattr(self.record.suggestions, name) for name in SUGGESTIONS}

    @property
    def run(self) -> int:
        """The run that keeps it."""
        return self.record.run

    def plot(self, ax: Any = None) -> Any:  # noqa: ANN401  # matplotlib may be absent
        """Draw loss over rate; returns the axes.

        Raises:
            ImportError: matplotlib is not installed.
        """
        axes = _axes(ax, size=5)
        losses = [float("nan") if loss is None else loss for loss in self.record.smoothed]
        axes.plot(self.record.lrs[: len(losses)], losses)
        for name, rate in self.suggestions.items():
            if rate is not None:
                axes.axvline(rate, linestyle=":", label=f"{name} {rate:.2e}")
        axes.set(xscale="log", xlabel="learning rate", ylabel="loss")
        if any(self.suggestions.values()):
            axes.legend()
        return axes

    def _sentence(self) -> str:
        rate = "no rate" if self.rate is None else f"rate {self.rate:.2e}"
        return f"run {self.run}: {rate} ({self.record.agreement})"

    def __repr__(self) -> str:
        return f"<RateSearch of {self._sentence()}>"

    def _repr_html_(self) -> str:
        rows = [(name, None if rate is None else f"{rate:.2e}") for name, rate in self.suggestions.items()]
        advice = "" if not self.record.advice else html.line(self.record.advice)
        return html.line(self._sentence()) + html.table(("suggestion", "rate"), rows) + advice


@dataclass(frozen=True)
class Comparison:
    """Runs beside each other: their results, and what their configurations differ in."""

    runs: list[schemas.RunOut]

    @property
    def different(self) -> dict[str, list[Any]]:
        """Each setting that is not the same in all, with a value a run."""
        flat = [_flat(run.config) for run in self.runs]
        names = sorted({name for one in flat for name in one})
        values = {name: [one.get(name) for one in flat] for name in names}
        return {name: found for name, found in values.items() if any(one != found[0] for one in found)}

    @property
    def records(self) -> list[dict[str, Any]]:
        """A row a run."""
        settings = self.different
        return [
            {"run": run.id, "name": run.name, "state": run.state, "arch": run.arch, "dataset": run.dataset.name}
            | {"error_rate": run.error_rate, "valid_loss": run.valid_loss, "seconds": run.seconds}
            | {name: values[number] for name, values in settings.items() if name != "arch"}
            for number, run in enumerate(self.runs)
        ]

    def _repr_html_(self) -> str:
        rows = self.records
        names = list(rows[0]) if rows else []
        return html.table(
            ["", *(str(row["run"]) for row in rows)], [[name, *(row[name] for row in rows)] for name in names[1:]]
        )


def _flat(config: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """A configuration's fields by dotted names."""
    found: dict[str, Any] = {}
    for name, value in config.items():
        found |= _flat(value, f"{before}{name}.") if isinstance(value, Mapping) else {f"{before}{name}": value}
    return found


def _axes(ax: Any, size: float) -> Any:  # noqa: ANN401  # matplotlib may be absent
    if ax is not None:
        return ax
    from matplotlib import pyplot as plt  # noqa: PLC0415  # slow, and not everybody's

    return plt.subplots(figsize=(size, size), layout="constrained")[1]
