"""Every bound on what a peer controls, in one file, with its reason.

A loop, queue, header, document or wait that an outside party can grow has its maximum
here. Sizes in bytes, times in seconds, the rest are counts.
"""

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB

# Requests. AWS answers 400 above 8 KiB of headers; proxies add their own.
HEAD_BYTES = 64 * KIB
HEADER_FIELDS = 200
TARGET_BYTES = 16 * KIB
QUERY_PARAMETERS = 200
REQUEST_ID_BYTES = 64
OBJECT_KEY_BYTES = 1024  # AWS
USER_METADATA_BYTES = 2 * KIB  # AWS, names and values together
CONTENT_ENCODING_BYTES = 64  # it travels beside the record, whose room is reserved
TAGS_PER_OBJECT = 10
TAGS_PER_BUCKET = 50  # AWS
CORS_RULES = 100  # AWS
CORS_VALUES = 100  # origins, methods or headers of one rule
CORS_VALUE_BYTES = 256
LIFECYCLE_RULES = 1000  # AWS
LIFECYCLE_ID_CHARACTERS = 255  # AWS
# What a bucket is configured to do is kept in memory: AWS's bound of a CORS document,
# and room for a thousand ordinary lifecycle rules.
CORS_XML_BYTES = 64 * KIB
LIFECYCLE_XML_BYTES = 512 * KIB
TAG_KEY_CHARACTERS = 128
TAG_VALUE_CHARACTERS = 256

# XML documents a client sends.
XML_LARGE_BYTES = 8 * MIB  # DeleteObjects, CompleteMultipartUpload
XML_BYTES = MIB
XML_DEPTH = 8
XML_ELEMENTS = 100_000  # 10 000 parts of at most nine elements, with room
DELETE_KEYS = 1000
PARTS = 10_000

# Browser forms (multipart/form-data).
FORM_HEAD_BYTES = 20 * KIB  # AWS: all that precedes the file's data
FORM_FIELDS = 100
FORM_PART_HEAD_BYTES = 4 * KIB  # one field's header lines; a file's name is in them
FORM_BOUNDARY_BYTES = 70  # RFC 2046
FORM_LOOKAHEAD_BYTES = 256 * KIB  # a file so small is read before it is judged
POLICY_DEPTH = 3  # a document, its conditions, one condition

# Bodies.
PIECE_BYTES = 256 * KIB  # one read of a body; the sweet spot of relay benchmarks
AWS_CHUNK_BYTES = 16 * MIB  # an aws-chunked chunk is buffered until it is verified
AWS_CHUNK_MIN_BYTES = 8 * KIB  # AWS: all but the last signed chunk
CHUNK_LINE_BYTES = 4 * KIB  # one chunk header line, extensions included
TRAILER_BYTES = 16 * KIB
DRAIN_BYTES = MIB  # read and dropped after an early refusal, so the answer arrives
DRAIN_S = 1.0
REPLAY_BYTES = 8 * MIB  # kept per write so that another backend can take over
REPLAY_TOTAL_BYTES = 96 * MIB  # over all writes: 64 of them stay under 400 MiB
CHECKED_BYTES = MIB  # a body that is judged before the first byte goes out
CHECKED_TOTAL_BYTES = 64 * MIB  # over all reads; then they are judged at the last byte
COPY_REPLAY_BYTES = MIB  # kept per background copy, for a broken keep-alive connection
COPY_PART_BYTES = 256 * MIB  # of a blob that is too large for one PUT or copy
COPY_SCAN_ROWS = 10_000  # locations looked at in one go: some 30 ms of a reader
WANTED_COPIES = 10_000  # versions just written; what is over waits for a look
PUT_BYTES = 5 * GIB  # AWS: one PUT or part
PART_MIN_BYTES = 5 * MIB  # AWS: every part but the last
COPIES_AT_ONCE = 8  # provider calls of one copied object; they cost us no bytes
CREATE_BUCKET_XML_BYTES = 64 * KIB

# Connections.
HEAD_S = 10.0
BODY_IDLE_S = 30.0
BODY_BYTES_PER_S = 128  # averaged after a grace of BODY_IDLE_S; slower is an attack
CONNECTIONS = 10_000
CONNECTIONS_PER_ADDRESS = 1_000
PIPELINED_BYTES = 64 * KIB  # read ahead while a request is served
TLS_HANDSHAKE_S = 10.0

# Listings.
LIST_KEYS = 1000
LIST_PARTS = 1000
LIST_UPLOADS = 1000
LIST_PARTS = 1000  # AWS: ListParts, GetObjectAttributes
BUCKETS_PAGE = 10_000

# Names on backends.
STORAGE_KEY_BYTES = 900
STORAGE_KEY_SEGMENT_BYTES = 200
RECORD_HEADER_BYTES = 240  # Swift's limit is 256
RECORD_BYTES = 2 * KIB  # with what travels beside it

# Backends' answers.
BACKEND_HEAD_BYTES = 64 * KIB
BACKEND_HEADER_FIELDS = 200
BACKEND_XML_BYTES = 8 * MIB
BACKEND_ERROR_BYTES = 64 * KIB
BACKEND_INFORMATIONAL = 8  # 1xx answers before the final one
BACKEND_CONNECTIONS = 200
BACKEND_IDLE_S = 60.0
BACKEND_CONNECTION_AGE_S = 600.0  # then anew, so that a changed address is noticed
BACKEND_LIST_PAGES = 1_000_000
BACKEND_ETAG_BYTES = 256
BACKEND_UPLOAD_ID_BYTES = 1024  # the longest known has about 250
BACKEND_KEEPALIVE_S = 3600.0  # of white space before the answer to Complete or Copy
BACKEND_SKIP_BYTES = MIB  # read past when a provider ignores Range
BACKEND_VERSION_PAGES = 100  # of one name, each with a thousand of its versions
BACKEND_UPLOAD_PAGES = 100  # of uploads under way, in the whole bucket
BACKEND_EMPTY_PAGES = 1000  # of a listing in a row, each with another token
BACKEND_DELETES = 8  # at once, where a provider deletes one by one

# Ledger.
GROUP_COMMIT_MEMBERS = 256
LEDGER_QUEUE = 10_000
CLEANUP_ATTEMPTS = 10
CLEANUP_BATCH = 1000
REAPER_BATCH = 200
REPAIR_BATCH = 200  # blobs of one pass; the next one follows at once
TOMBSTONE_BATCH = 500
DEAD_LETTER_BATCH = 500
LIFECYCLE_PAGE = 1000  # keys looked at in one read
UPLOAD_BATCH = 500
STALE_UPLOADS = 5_000  # of those nobody goes on with, looked at in one pass

# Backups of the ledger on backends: one segment, written and read back whole.
SEGMENT_BYTES = 8 * MIB  # compressed, about
SEGMENT_ROWS = 50_000
SEGMENT_READ_BYTES = 64 * MIB  # a page of long rows may end it
SEGMENT_TEXT_BYTES = GIB
SEGMENT_LINE_BYTES = 16 * MIB  # an object of ten thousand blobs
BACKUP_NAMES = 100_000  # of one backend, read at start
RECOVERY_COMPLAINTS = 10_000  # told by name in a recovery's report

# Comparing listings with the ledger.
RECONCILE_PAGE = 1000  # names of either side held at a time
RECONCILE_BATCH = 250  # imports or findings in one transaction
RECONCILE_FINDINGS = 100_000  # written down per backend and listing; more are counted
RECONCILE_CHECKS = 1000  # HEADs per backend and listing: each costs the operator a call
IMPORT_BYTES = 50 * 1024 * GIB  # AWS: the largest object
IMPORTED_BYTES = 1 << 60  # on one backend: beyond it sums no longer fit a column

# The admin API.
ADMIN_BODY_BYTES = MIB
ADMIN_JOBS = 16  # at once
ADMIN_JOBS_REMEMBERED = 100
ADMIN_ROWS = 50  # of a queue shown at once
ADMIN_LETTERS = 100  # dead letters shown at once, unless asked for more
ADMIN_IDS = 1000  # in one call
ADMIN_FAILURES = 10  # with a wrong token, from one address
ADMIN_FAILURE_S = 30.0  # after which one of them is forgiven
ADMIN_ADDRESSES = 4096  # whose failures are remembered

# Configuration files.
CONFIG_BYTES = 4 * MIB
CONFIG_NODES = 100_000
CONFIG_DEPTH = 32  # the deepest documented key has 5
CONFIG_PROBLEMS = 200  # told at once; nobody reads more
