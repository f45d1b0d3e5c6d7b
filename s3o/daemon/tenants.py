"""From settings to tenants: whose buckets there are, and who gets in."""

from collections.abc import Iterable, Iterator

from s3o.config.buckets import CredentialSettings
from s3o.config.settings import Settings, own_names, parts_of
from s3o.model.names import BucketName
from s3o.model.tenants import Account, StaticBucket, Tenants, bucket_principal
from s3o.s3api.credentials import CredentialBook, Grant


def tenants_of(settings: Settings) -> Tenants:
    """Return what the settings say of buckets and accounts."""
    return Tenants(
        statics={
            bucket.name: StaticBucket(
                name=bucket.name,
                public_read=bucket.public_read,
                max_multipart_uploads=bucket.max_multipart_uploads,
            )
            for bucket in settings.buckets
        },
        accounts={
            account.name: Account(
                name=account.name,
                may_create=account.create_buckets,
                bucket_prefix=account.bucket_prefix or "",
                max_buckets=account.max_buckets,
                quota_bytes=account.quota_bytes,
                max_multipart_uploads=account.default_max_multipart_uploads,
            )
            for account in settings.accounts
        },
        reserved=own_names(parts_of(settings).sections),
    )


def credential_book(settings: Settings) -> CredentialBook:
    """Return everybody whom the settings let in."""
    return CredentialBook(_grants(settings), allows_sigv2=settings.auth.allow_sigv2)


def _grants(settings: Settings) -> Iterator[Grant]:
    for bucket in settings.buckets:
        yield from _grants_of(bucket_principal(bucket.name), bucket.credentials, ())
    for account in settings.accounts:
        yield from _grants_of(account.name, account.credentials, account.attach)


def _grants_of(
    principal: str,
    credentials: Iterable[CredentialSettings],
    attached: Iterable[BucketName],
) -> Iterator[Grant]:
    for credential in credentials:
        secret, token = credential.secret_access_key, credential.token
        yield Grant(
            principal=principal,
            access_key_id=credential.access_key_id,
            secret_access_key=None if secret is None else secret.reveal(),
            token=None if token is None else token.reveal(),
            permissions=credential.granted,
            key_prefixes=credential.prefixes,
            attached=frozenset(attached),
        )
