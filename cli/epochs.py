"""The table of epochs, in as many columns as there is room for."""

from dataclasses import dataclass

from cli.client import Json
from cli.tables import short_time

EPOCH_COLUMNS = ("epoch", "train_loss", "valid_loss", "error_rate", "images/s", "time")


@dataclass(frozen=True)
class Layout:
    """Some of the columns: which of ``EPOCH_COLUMNS``, under what names, and how wide."""

    taken: tuple[int, ...]
    names: tuple[str, ...]
    cells: tuple[int, ...]
    gap: str = "  "

    @property
    def width(self) -> int:
        """Cells of a line."""
        return sum(self.cells) + len(self.gap) * (len(self.cells) - 1)

    def header(self) -> str:
        return self._line(self.names)

    def row(self, epoch: Json) -> str:
        cells = epoch_cells(epoch)
        return self._line(tuple(cells[column] for column in self.taken))

    def _line(self, cells: tuple[str, ...]) -> str:
        return self.gap.join(cell.rjust(width) for cell, width in zip(cells, self.cells, strict=True))


WHOLE = Layout((0, 1, 2, 3, 4, 5), EPOCH_COLUMNS, (5, 10, 10, 10, 8, 11))
LAYOUTS = (
    WHOLE,
    Layout((0, 1, 2, 3, 5), ("epoch", "train", "valid", "error", "time"), (5, 6, 6, 6, 11), " "),
    Layout((0, 1, 2, 3), ("epoch", "train", "valid", "error"), (5, 6, 6, 6), " "),
    Layout((0, 3), ("epoch", "error"), (5, 6), " "),
)


def layout_for(width: int) -> Layout:
    """The widest that fits, or the narrowest there is."""
    return next((layout for layout in LAYOUTS if layout.width <= width), LAYOUTS[-1])


def epoch_cells(epoch: Json) -> list[str]:
    """A row of the table of epochs; phases and epochs count from 1 for people."""
    rates = [f"{epoch[name]:.4f}" for name in ("train_loss", "valid_loss", "error_rate")]
    number = f"{epoch['phase'] + 1}.{epoch['epoch'] + 1}"
    return [number, *rates, f"{epoch['images_per_second']:.0f}", short_time(epoch["seconds"])]
