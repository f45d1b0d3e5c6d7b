"""Commands a person types."""

from s3o.cli.main import main

__all__ = ["main"]
