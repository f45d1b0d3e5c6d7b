"""The programs people use against the service: how they are started and told where."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import botocore.config

from tests.process.daemon import ACCESS_KEY, SECRET_KEY, Daemon

BIN = Path(sys.executable).parent


def body(size: int) -> bytes:
    """Bytes that differ at every offset a framing error could shift them to."""
    pattern = bytes(range(251)) * (size // 251 + 1)
    return pattern[:size]


def environment(daemon: Daemon) -> dict[str, str]:
    """What command-line clients read."""
    variables = dict(os.environ)
    variables |= {
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "RCLONE_CONFIG": os.devnull,
    }
    if daemon.is_tls:
        for name in (
            *("AWS_CA_BUNDLE", "SSL_CERT_FILE", "RCLONE_CA_CERT"),
            "NODE_EXTRA_CA_CERTS",
        ):
            variables[name] = str(daemon.ca_file)
    return variables


def run(daemon: Daemon, *arguments: str | Path) -> str:
    """Run a client; its output, or its complaint."""
    done = subprocess.run(
        [str(argument) for argument in arguments],
        env=environment(daemon),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, f"{arguments}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def boto(daemon: Daemon, **config: Any) -> Any:
    """Return a boto3 client for the service."""
    return boto3.client(
        "s3",
        endpoint_url=daemon.endpoint,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        region_name="us-east-1",
        verify=str(daemon.ca_file) if daemon.is_tls else None,
        config=botocore.config.Config(
            s3={"addressing_style": "path"}, retries={"max_attempts": 1}, **config
        ),
    )


def rclone(daemon: Daemon) -> tuple[str | Path, ...]:
    """Return rclone with the service as :s3: remote."""
    return (
        BIN / "rclone",
        "--s3-provider=Other",
        f"--s3-access-key-id={ACCESS_KEY}",
        f"--s3-secret-access-key={SECRET_KEY}",
        f"--s3-endpoint={daemon.endpoint}",
        "--s3-region=us-east-1",
        "--retries=1",
    )
