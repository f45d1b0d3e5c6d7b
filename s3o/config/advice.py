"""Advice: settings that are allowed but probably not what was meant."""

from collections.abc import Iterator

from s3o.config.backends import S3BackendSettings
from s3o.config.settings import Settings


def advise(settings: Settings) -> Iterator[str]:
    """Yield one sentence for everything an operator should know and may ignore."""
    if not settings.write_path.pending_pattern.enabled:
        yield (
            "write_path.pending_pattern.enabled: false changes nothing, every write "
            "is announced before its first byte"
        )
    if len(settings.backends) > 1 and settings.replication.factor == 1:
        yield "replication.factor: 1 keeps one copy of every object"
    if settings.ui.admin_key and not settings.ui.admin_token:
        yield (
            "ui.admin_token is not set: the admin API takes ui.admin_key, which is no "
            "secret once somebody logs in with it"
        )
    places: dict[tuple[str, str], str] = {}
    for backend in settings.backends:
        if not isinstance(backend, S3BackendSettings):
            continue
        if backend.strip_sdk_headers:
            yield (
                f"backends[{backend.name}].strip_sdk_headers changes nothing, no SDK "
                "headers are ever sent"
            )
        place = (backend.endpoint, backend.bucket)
        if place in places:
            yield (
                f"backends[{backend.name}] is the same bucket as "
                f"backends[{places[place]}]"
            )
        places.setdefault(place, backend.name)
