"""Where the time goes."""

import time


class Stopwatch:
    """Counts seconds under names, lap after lap, from the moment that it is made."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._since = time.perf_counter()

    def lap(self, name: str) -> None:
        """Count the time since the lap before under a name."""
        at = time.perf_counter()
        self.laps[name] = self.laps.get(name, 0.0) + at - self._since
        self._since = at
