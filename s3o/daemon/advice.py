"""Advice that takes more than the configuration to give."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from s3o.backends.profiles import GENERIC, choose_profile
from s3o.config.backends import S3BackendSettings
from s3o.config.settings import Settings


def advise_on_profiles(settings: Settings) -> Iterator[str]:
    """Yield one sentence for each S3 backend whose provider nobody has told us."""
    for backend in settings.backends:
        if not isinstance(backend, S3BackendSettings) or backend.profile is not None:
            continue
        host = urlsplit(backend.endpoint).hostname or ""
        if choose_profile(host).name == GENERIC:
            yield (
                f"backends[{backend.name}].profile is not set, and the endpoint does "
                "not tell: parts are stored as objects of their own, and copies pass "
                "through here; name the provider, or generic if it is none of them"
            )
