"""`just bench`: CPU per request of the service, as ratios to the floor in this run.

The floor is kit/floor_proxy.py: the cheapest path known for the same work. Server on
one CPU, load and toy backend on the other. Needs gcc for the C tools. Reported: CPU
microseconds per request (user and system, the whole tree), best of three windows.
"""

import argparse
import contextlib
import hashlib
import json
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.bench.kit import mkreq, perfkit
from tests.bench.listing import bench_listing
from tests.process.daemon import COMMAND, free_port

KIT = Path(perfkit.HERE)
OBJECTS = 64


@contextlib.contextmanager
def toy_backend(size: int) -> Iterator[int]:
    """Run the toy backend for PUTs of size bytes; yields its port."""
    port = free_port()
    # The service compares the ETag with the MD5 of what it sent.
    body = bytes((i * 131 + 7) & 255 for i in range(size))
    etag = hashlib.md5(body, usedforsecurity=False).hexdigest()
    command = [*perfkit.tool("backend"), str(port), "4096", etag]
    with perfkit.Proc(command, port, cpu=1):
        yield port


@contextlib.contextmanager
def floor(folder: Path, backend_port: int) -> Iterator[tuple[int, int]]:
    """Run the floor at the same durability; yields pid and port."""
    port = free_port()
    command = [
        sys.executable,
        str(KIT / "floor_proxy.py"),
        str(port),
        str(backend_port),
        str(folder / "floor.db"),
        "FULL",
        "thread",
        "hand",
    ]
    with perfkit.Proc(command, port, cpu=0, log=str(folder / "floor.log")) as process:
        yield process.pid, port


@contextlib.contextmanager
def product(folder: Path, backend_port: int) -> Iterator[tuple[int, int]]:
    """Run the service over the toy backend, logs to a file; yields pid and port."""
    port = free_port()
    config = {
        "server": {"listen_addr": f"127.0.0.1:{port}"},
        "buckets": [
            {
                "name": "photos",
                "credentials": [
                    {"access_key_id": mkreq.AK, "secret_access_key": mkreq.SK}
                ],
            }
        ],
        "database": {"driver": "sqlite", "path": str(folder / "ledger.db")},
        "backends": [
            {
                "name": "toy",
                "endpoint": f"http://127.0.0.1:{backend_port}",
                "region": "us-east-1",
                "bucket": "bucket",
                "access_key_id": "ak",
                "secret_access_key": "sk",
                "force_path_style": True,
                "unsigned_payload": True,
            }
        ],
        "telemetry": {"metrics": {"enabled": True}},
    }
    file = folder / "config.yaml"
    file.write_text(json.dumps(config))
    command = [str(COMMAND), "serve", "--config", str(file)]
    with perfkit.Proc(command, port, cpu=0, log=str(folder / "product.log")) as process:
        yield process.pid, port


def seed(port: int, size: int) -> None:
    """Put the objects that GET and HEAD ask for."""
    for request in mkreq.puts(OBJECTS, size, prefix="obj", host=f"127.0.0.1:{port}"):
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(request)
            answer = connection.recv(65536)
            assert answer.startswith(b"HTTP/1.1 200"), answer


def record_files(folder: Path, port: int, size: int) -> dict[str, str]:
    """Write the requests of every operation."""
    files = {}
    host = f"127.0.0.1:{port}"
    for operation in ("GET", "PUT", "HEAD"):
        path = str(folder / f"{operation}-{size}-{port}.req")
        if operation == "PUT":
            requests = mkreq.puts(2000 if size <= 65536 else 8, size, host=host)
        else:
            requests = mkreq.gets(OBJECTS, size, method=operation, host=host)
        mkreq.write_reqs(path, requests)
        files[operation] = path
    return files


def measure(
    folder: Path, pid: int, port: int, size: int, conns: list[int], name: str
) -> dict[tuple[str, int], float]:
    """Measure every operation and concurrency on one server."""
    results = {}
    for operation, path in record_files(folder, port, size).items():
        for count in conns:
            result = perfkit.measure(pid, port, count, path)
            perfkit.show(f"{name} {operation} {size} c={count}", result)
            assert not result["bad"], result
            results[operation, count] = result["cpu_us"]
    return results


def bench_size(folder: Path, size: int, conns: list[int]) -> None:
    """Measure floor and service at one size and print the ratios."""
    folder.mkdir()
    with toy_backend(size) as toy:
        with floor(folder, toy) as (pid, port):
            lowest = measure(folder, pid, port, size, conns, "floor")
        with product(folder, toy) as (pid, port):
            seed(port, size)
            ours = measure(folder, pid, port, size, conns, "s3o")
    for (operation, count), cpu_us in ours.items():
        ratio = cpu_us / lowest[operation, count]
        print(f"ratio {operation} {size} c={count}: {ratio:.2f}")


def main() -> int:
    """Run the whole benchmark and print the ratios."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--sizes", default="4096")
    parser.add_argument("--conns", default="1,16,64")
    parser.add_argument("--no-listing", action="store_true")
    arguments = parser.parse_args()
    conns = [int(count) for count in arguments.conns.split(",")]
    with tempfile.TemporaryDirectory(prefix="s3o-bench-") as name:
        for size in arguments.sizes.split(","):
            bench_size(Path(name) / size, int(size), conns)
    if not arguments.no_listing:
        bench_listing()
    return 0


if __name__ == "__main__":
    sys.exit(main())
