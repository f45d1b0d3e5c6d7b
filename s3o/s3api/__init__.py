"""The S3 clients' door."""
