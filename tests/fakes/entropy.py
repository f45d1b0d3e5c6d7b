"""Chance from a seed, one stream per component, so that a run can be repeated."""

from random import Random


class SeededEntropy:
    """A model.seams.Entropy; equal seeds and names give equal streams."""

    def __init__(self, seed: int | str = 0, name: str = "") -> None:
        self._random = Random(f"{seed}/{name}")

    def token(self, size_bytes: int) -> bytes:
        """The next bytes of the stream."""
        return self._random.randbytes(size_bytes)

    def uniform(self, low: float, high: float) -> float:
        """The next number of the stream."""
        return self._random.uniform(low, high)
