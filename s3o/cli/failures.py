"""How a command that could not do its work says why."""

import sys


def tell_failure(error: Exception) -> None:
    """Print one line about an S3OError, or another error's own words."""
    from s3o.model.errors import S3OError
    from s3o.observe.operation import describe

    reason = describe(error) if isinstance(error, S3OError) else str(error)
    print(f"error: {reason}", file=sys.stderr)
