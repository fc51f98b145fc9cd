"""How much may wait to be kept."""

import threading


class Room:
    """Bytes and rows that are taken and given back; taking never waits."""

    def __init__(self, *, rows: int, size: int) -> None:
        self._rows, self._bytes = rows, size
        self._lock = threading.Lock()

    def take(self, size: int) -> bool:
        """Take room for one more row with so many bytes; False where there is none."""
        with self._lock:
            if self._rows < 1 or self._bytes < size:
                return False
            self._rows -= 1
            self._bytes -= size
            return True

    def give_back(self, *, rows: int = 0, size: int = 0) -> None:
        with self._lock:
            self._rows += rows
            self._bytes += size
