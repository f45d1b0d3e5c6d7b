"""`s3-orchestrator demo`: the product in one command, on nothing but a folder.

Embedded SQLite and three directory backends with small quotas, on port 9000 of this
machine. Everything lies in one temporary folder that is named at the start and removed
at the end, so that trying the product leaves nothing behind.
"""

import json
import shutil
import tempfile
from pathlib import Path

from s3o.daemon.run import run_service

MIB = 1 << 20
BACKENDS = (("garage", 16 * MIB), ("attic", 32 * MIB), ("cellar", 64 * MIB))
BUCKETS = (
    ("photos", "photoskey", "photossecret"),
    ("documents", "docskey", "docssecret"),
    ("backups", "backupskey", "backupssecret"),
)

WELCOME = """\
s3-orchestrator demo: one S3 endpoint over three small stores

  endpoint   http://{address}
  buckets    photos     photoskey  / photossecret
             documents  docskey    / docssecret
             backups    backupskey / backupssecret
  stores     garage 16 MiB, attic 32 MiB, cellar 64 MiB: filled in this order
  data       {folder}  (removed when the demo ends)

Try it from another terminal:

  export AWS_ACCESS_KEY_ID=photoskey AWS_SECRET_ACCESS_KEY=photossecret
  export AWS_DEFAULT_REGION=us-east-1
  aws --endpoint-url http://{address} s3 cp /etc/hostname s3://photos/test.txt
  aws --endpoint-url http://{address} s3 ls s3://photos/
  aws --endpoint-url http://{address} s3 cp s3://photos/test.txt -
  curl http://{address}/health/ready
  curl -s http://{address}/metrics | grep s3o_quota
  s3-orchestrator admin -config {folder}/config.yaml status

No aws at hand? The set-up brought one: .venv/bin/aws. Ctrl-C stops the demo.
"""


def make_config(folder: Path, address: str) -> dict[str, object]:
    """Return the demo's configuration, with all its data below folder."""
    return {
        "server": {"listen_addr": address},
        "buckets": [
            {
                "name": name,
                "credentials": [{"access_key_id": key, "secret_access_key": secret}],
            }
            for name, key, secret in BUCKETS
        ],
        "database": {"driver": "sqlite", "path": str(folder / "ledger.db")},
        "routing_strategy": "pack",
        "backends": [
            {
                "name": name,
                "type": "directory",
                "path": str(folder / name),
                "quota_bytes": quota,
            }
            for name, quota in BACKENDS
        ],
        "telemetry": {"metrics": {"enabled": True}},
        "ui": {"admin_key": "admin", "admin_token": "demo-admin-token"},
    }


def run_demo(listen_addr: str, folder: str | None) -> int:
    """Serve the demo until Ctrl-C; return the exit code."""
    data = Path(folder or tempfile.mkdtemp(prefix="s3-orchestrator-demo-"))
    if folder is not None:
        # A folder that was there before is somebody's: it must not be removed.
        data.mkdir(mode=0o700)
    try:
        config = data / "config.yaml"
        # JSON is YAML, and needs no rules for quoting paths.
        config.write_text(json.dumps(make_config(data, listen_addr), indent=2))
        print(WELCOME.format(address=listen_addr, folder=data), flush=True)
        return run_service(str(config))
    finally:
        shutil.rmtree(data, ignore_errors=True)
        print(f"removed {data}", flush=True)
