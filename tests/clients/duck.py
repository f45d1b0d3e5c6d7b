"""DuckDB and pyarrow over parquet files, in a process of its own.

Usage: duck.py ENDPOINT BUCKET [CA_FILE]
"""

import pathlib
import sys

import duckdb
import duckdb_extension_httpfs
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

ROWS = 2_000_000
endpoint, bucket, ca = sys.argv[1:]
scheme, _, host = endpoint.partition("://")
s3 = fs.S3FileSystem(
    access_key="photoskey",
    secret_key="photossecret",
    region="us-east-1",
    endpoint_override=host,
    scheme=scheme,
    allow_bucket_creation=False,
    **({"tls_ca_file_path": ca} if ca else {}),
)
folder = f"{bucket}/duck"
table = pa.table({"n": list(range(ROWS)), "t": [str(n) for n in range(ROWS)]})
pq.write_table(table, f"{folder}/in.parquet", filesystem=s3, row_group_size=100_000)
read = pq.read_table(f"{folder}/in.parquet", filesystem=s3, columns=["n"])
assert read.num_rows == ROWS

extensions = pathlib.Path(duckdb_extension_httpfs.__file__).parent / "extensions"
db = duckdb.connect()
db.execute(f"LOAD '{next(extensions.rglob('httpfs.duckdb_extension'))}'")
if ca:
    db.execute(f"SET ca_cert_file='{ca}'")
db.execute(
    "CREATE SECRET (TYPE s3, KEY_ID 'photoskey', SECRET 'photossecret', "
    f"ENDPOINT '{host}', URL_STYLE 'path', REGION 'us-east-1', "
    f"USE_SSL {str(scheme == 'https').lower()})"
)


def ask(query: str) -> tuple[int, ...]:
    """Return the one row of a query."""
    row = db.execute(query.replace("@", f"s3://{folder}")).fetchone()
    assert row is not None
    return row


assert ask("SELECT count(*), sum(n) FROM '@/in.parquet'") == (
    ROWS,
    ROWS * (ROWS - 1) // 2,
)
ask("COPY (SELECT n FROM '@/in.parquet' WHERE n % 2 = 0) TO '@/out.parquet'")
both = "read_parquet('@/*.parquet', union_by_name=true)"
assert ask(f"SELECT count(*) FROM {both}") == (ROWS * 3 // 2,)
s3.delete_dir_contents(folder, missing_dir_ok=True)
print("done")
