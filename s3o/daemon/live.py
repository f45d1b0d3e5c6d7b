"""The configuration in force: swapped whole, so that a request sees one of them."""

from s3o.config.settings import Settings


class LiveSettings:
    """Holds the current settings; readers take `current` once per decision."""

    def __init__(self, settings: Settings) -> None:
        self.current = settings
