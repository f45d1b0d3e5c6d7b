"""The S3 clients' door: every request comes through handle(), and every answer leaves.

The order is the security of it: admission, target, authentication, authorization,
routing, headers; only then does a handler see the call, and only a call has a body.
Nothing reads the body before all of that, so a refusal costs its client no upload. The
exception is a browser's form, whose credentials lie in its body: s3api/forms.

Domain errors become answers here, in one place. What nobody foresaw is not caught
here: it goes on to the connection task, the one edge that catches everything, which
asks crashed() for the answer. Either way the request's facts are noted exactly once.
"""

import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace

from s3o.model.errors import (
    AccessDenied,
    ClientGone,
    MethodNotAllowed,
    NoSuchBucket,
    Overloaded,
    RequestError,
    S3OError,
)
from s3o.model.facts import Crashed, RequestFinished, RequestStarted
from s3o.model.names import ObjectKey, parse_object_key
from s3o.model.seams import Clock, Entropy, Observer
from s3o.model.tenants import Permission
from s3o.model.values import Bucket
from s3o.net.exchange import Exchange
from s3o.net.head import RequestHead
from s3o.objects.buckets import BucketDirectory
from s3o.objects.store import ObjectStore
from s3o.observe.correlation import choose_request_id, new_request_id, request_id
from s3o.observe.operation import describe
from s3o.s3api.anonymous import check_stranger
from s3o.s3api.answers import Answer, Identity, render_error
from s3o.s3api.authorize import check_expected_owner, demand, enter
from s3o.s3api.buckets import REGION_HEADER
from s3o.s3api.call import Call, Visit
from s3o.s3api.credentials import Caller
from s3o.s3api.cross_origin import METHOD as PREFLIGHT
from s3o.s3api.cross_origin import cors_headers, find_rules, serve_preflight
from s3o.s3api.errors import STATUS_CLIENT_GONE, row_of
from s3o.s3api.forms import is_bucket_form
from s3o.s3api.hoisted import merge_hoisted_headers
from s3o.s3api.operation import Level, Operation
from s3o.s3api.operations import (
    Router,
    is_plain_bucket,
    level_of,
    list_operations,
)
from s3o.s3api.owner import EXPECTED_OWNER_HEADER
from s3o.s3api.seams import Admitted, Gate, Posted
from s3o.wire.target import Target, parse_target


class S3Door:
    """Serves S3 requests. Owns: nothing but the count of those in hand."""

    def __init__(
        self,
        objects: ObjectStore,
        buckets: BucketDirectory,
        gate: Gate,
        observer: Observer,
        clock: Clock,
        entropy: Entropy,
        *,
        domains: Callable[[], Sequence[str]],
        region: Callable[[], str],
        max_concurrent_requests: Callable[[], int],
        host_id: str,
    ) -> None:
        self._buckets = buckets
        self._gate = gate
        self._observer = observer
        self._clock = clock
        self._entropy = entropy
        self._domains = domains
        self._region = region
        self._max_concurrent_requests = max_concurrent_requests
        self._host_id = host_id
        self._router = Router(list_operations(buckets, objects, region))
        self._in_hand = 0

    async def handle(self, exchange: Exchange) -> None:
        """Serve one request; see the module's docstring for what this raises."""
        started_s = self._clock.monotonic_s()
        head = exchange.head
        chosen = choose_request_id(head.fields.get("x-request-id"), self._entropy)
        request_id.set(chosen)
        visit = Visit(exchange, Identity(request_id=chosen, host_id=self._host_id))
        self._observer.note(RequestStarted(method=head.method))
        self._in_hand += 1
        try:
            await self._serve_or_refuse(visit)
        except BaseException as error:
            if not exchange.is_answered:
                is_crash = isinstance(error, Exception)
                visit.status = row_of(error).status if is_crash else STATUS_CLIENT_GONE
            visit.error = visit.error or describe(error)
            raise
        finally:
            self._in_hand -= 1
            self._note_finished(visit, started_s)

    def refuse(self, error: RequestError) -> Answer:
        """Return the answer to a request that another handler refused."""
        identity = Identity(
            request_id=new_request_id(self._entropy), host_id=self._host_id
        )
        return render_error(error, identity, "")

    def refuse_head(self, error: RequestError, remote: str) -> Answer:
        """Return the answer to bytes that never became a request, and note it.

        An attack on the framing must be visible. Nothing of those bytes is believed:
        the line has no method, no path, no key.
        """
        chosen = new_request_id(self._entropy)
        identity = Identity(request_id=chosen, host_id=self._host_id)
        status, headers, body = render_error(error, identity, "")
        self._observer.note(RequestStarted(method=""))
        self._observer.note(
            RequestFinished(
                event="s3.HeadRefused",
                operation="",
                method="",
                path="",
                status=status,
                duration_s=0.0,
                request_id=chosen,
                remote=remote,
                response_bytes=len(body),
                error=describe(error),
            )
        )
        return status, headers, body

    def crashed(self, error: Exception, exchange: Exchange | None) -> Answer:
        """Report what nobody foresaw; return the answer for its client."""
        trace = "".join(traceback.format_exception(error))
        self._observer.note(Crashed(where="s3", traceback=trace))
        identity = Identity(request_id=request_id.get(), host_id=self._host_id)
        head = exchange.head if exchange is not None else None
        return render_error(
            error,
            identity,
            _path_of(head) if head is not None else "",
            is_head=head is not None and head.method == "HEAD",
        )

    async def _serve_or_refuse(self, visit: Visit) -> None:
        exchange = visit.exchange
        try:
            await self._serve(visit)
        except ClientGone as error:
            visit.status = STATUS_CLIENT_GONE
            visit.error = describe(error)
            raise
        except S3OError as error:
            visit.error = describe(error)
            if exchange.is_finished:
                return
            if exchange.is_answered or exchange.is_cut:
                # The rest cannot be sent. A short answer must not look like a whole
                # one, so the connection is reset, and then there is nobody to answer.
                exchange.cut()
                raise ClientGone() from error
            await self._answer(visit, error)

    async def _serve(self, visit: Visit) -> None:
        """Serve, naming at each step what a failure there is called in the audit."""
        exchange = visit.exchange
        head = exchange.head
        visit.event = "s3.AdmissionRejected"
        limit = self._max_concurrent_requests()
        if 0 < limit < self._in_hand:
            raise Overloaded
        visit.event = "s3.InvalidPath"
        target = parse_target(head.target, head.fields.get("host"), self._domains())
        visit.bucket = target.bucket or ""
        key = parse_object_key(target.key) if target.key is not None else None
        visit.key = key or ""
        rules = find_rules(self._buckets.find, target)
        visit.identity = replace(visit.identity, cors=cors_headers(rules, head))
        if head.method == PREFLIGHT:
            visit.operation, visit.event = "Preflight", "s3.Preflight"
            await visit.respond(200, serve_preflight(rules, head, target))
            return
        visit.event = "s3.MethodNotAllowed"
        _refuse_service_posts(head, target)
        visit.event = "s3.AuthFailure"
        posted: Posted | None = None
        admitted: Admitted
        if is_bucket_form(head, target):
            admitted = posted = await self._gate.admit_form(exchange, target)
            key = posted.key
            visit.key = key
        else:
            admitted = self._gate.admit(exchange, target)
        if not admitted.caller.is_anonymous:
            visit.event = "s3.BucketMismatch"
        bucket = self._enter(head.method, target, admitted.caller)
        if admitted.caller.is_anonymous:
            check_stranger(head, target)
        visit.event = "s3.MethodNotAllowed"
        fields = (
            merge_hoisted_headers(head.fields, target.query)
            if posted is None
            else posted.fields
        )
        operation = self._router.route(head.method, target, fields)
        visit.operation = operation.name
        visit.event = "s3.PermissionDenied"
        _check_rights(admitted.caller, operation, target, key)
        if bucket is not None:
            check_expected_owner(bucket, fields.get(EXPECTED_OWNER_HEADER))
        visit.event = f"s3.{operation.name}"
        await operation.serve(
            Call(
                visit=visit,
                target=target,
                caller=admitted.caller,
                fields=fields,
                open_source=admitted.open_source,
                read_document=admitted.read_document,
                find_bucket=self._buckets.find,
                named_bucket=bucket,
                named_key=key,
            )
        )

    def _enter(self, method: str, target: Target, caller: Caller) -> Bucket | None:
        """Return the bucket if the caller may enter it; None where none is named.

        None also for CreateBucket of what is not the caller's: it tells them why not.
        """
        if target.bucket is None:
            return None
        try:
            return enter(self._buckets.find, caller, target.bucket)
        except (AccessDenied, NoSuchBucket):
            if caller.is_anonymous or method != "PUT" or not is_plain_bucket(target):
                raise
            return None

    async def _answer(self, visit: Visit, error: S3OError) -> None:
        head = visit.exchange.head
        status, headers, body = render_error(
            error, visit.identity, _path_of(head), is_head=head.method == "HEAD"
        )
        if head.method == "HEAD" and visit.bucket and not visit.key:
            # Clients look for a bucket's region even where they may not enter.
            headers = (*headers, (REGION_HEADER, self._region()))
        visit.status = status
        await visit.exchange.respond(status, headers, body)

    def _note_finished(self, visit: Visit, started_s: float) -> None:
        exchange = visit.exchange
        self._observer.note(
            RequestFinished(
                event=visit.event,
                operation=visit.operation,
                method=exchange.head.method,
                path=_path_of(exchange.head),
                status=visit.status,
                duration_s=self._clock.monotonic_s() - started_s,
                request_id=visit.identity.request_id,
                remote=exchange.peer,
                bucket=visit.bucket,
                key=visit.key,
                request_bytes=exchange.bytes_received,
                response_bytes=exchange.bytes_sent,
                error=visit.error,
            )
        )


def _path_of(head: RequestHead) -> str:
    """Return the path as sent; the query may hold a signature."""
    return head.target.partition("?")[0]


def _check_rights(
    caller: Caller, operation: Operation, target: Target, key: ObjectKey | None
) -> None:
    """Raise AccessDenied unless the operation is within the credential's rights."""
    if operation.needs is None:
        if caller.is_anonymous:
            raise AccessDenied
        return
    demand(caller, operation.needs)
    if key is not None:
        reach = str(key)
    elif operation.needs is Permission.LIST:
        reach = target.query.get("prefix") or ""
    else:
        return  # a document or form names the keys; its reader checks each
    if not caller.may_reach(reach):
        raise AccessDenied


def _refuse_service_posts(head: RequestHead, target: Target) -> None:
    """Refuse what other services of AWS are asked, before anybody signs for it."""
    if head.method == "POST" and level_of(target) is Level.SERVICE:
        raise MethodNotAllowed("POST", ("GET",))
