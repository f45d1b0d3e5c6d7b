"""AccessControlPolicy and OwnershipControls: the one policy that every bucket has here.

The owner has FULL_CONTROL and nobody else has anything, which S3 calls
BucketOwnerEnforced and makes the default of new buckets.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html
"""

from s3o.model.errors import AclNotSupported, MalformedXml
from s3o.wire.xml_read import Element
from s3o.wire.xml_write import document, element, leaf

ACL_ELEMENTS = 1000  # S3 takes 100 grants of at most seven elements
OWNERSHIP_ELEMENTS = 10
OWNER_ENFORCED = "BucketOwnerEnforced"

_OWNERSHIPS = frozenset({OWNER_ENFORCED, "BucketOwnerPreferred", "ObjectWriter"})
_INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"


def render_acl(owner_id: str, name: str) -> bytes:
    """Return the policy by which the owner, and nobody else, has full control."""
    who = leaf("ID", owner_id) + leaf("DisplayName", name)
    grantee = (
        f'<Grantee xmlns:xsi="{_INSTANCE}" xsi:type="CanonicalUser">{who}</Grantee>'
    )
    grant = element("Grant", [grantee, leaf("Permission", "FULL_CONTROL")])
    return document(
        "AccessControlPolicy",
        [element("Owner", [who]), element("AccessControlList", [grant])],
    )


def check_acl_document(root: Element, owner_id: str) -> None:
    """Raise unless a policy grants the owner full control, and nothing else.

    Raises MalformedXml, AclNotSupported.
    """
    grants = root.find("AccessControlList")
    if root.name != "AccessControlPolicy" or grants is None:
        raise MalformedXml("the document is no AccessControlPolicy with a list")
    owner = root.find("Owner")
    if owner is not None and owner.text_of("ID") not in (None, owner_id):
        raise AclNotSupported("another owner")
    if len(grants.children) != 1:
        raise AclNotSupported(f"{len(grants.children)} grants")
    grant = grants.children[0]
    grantee = grant.find("Grantee")
    if grant.name != "Grant" or grantee is None:
        raise MalformedXml("a grant without a grantee")
    if (grantee.text_of("ID"), grant.text_of("Permission")) != (
        owner_id,
        "FULL_CONTROL",
    ):
        raise AclNotSupported("a grant that is not the owner's full control")


def render_ownership() -> bytes:
    """Return the ownership controls of every bucket."""
    rule = element("Rule", [leaf("ObjectOwnership", OWNER_ENFORCED)])
    return document("OwnershipControls", [rule])


def check_ownership_document(root: Element) -> None:
    """Raise MalformedXml or AclNotSupported unless the bucket's owner is enforced."""
    rules = root.children
    if root.name != "OwnershipControls" or [rule.name for rule in rules] != ["Rule"]:
        raise MalformedXml("the document is no OwnershipControls with one Rule")
    ownership = rules[0].text_of("ObjectOwnership")
    if ownership not in _OWNERSHIPS:
        raise MalformedXml("no object ownership")
    if ownership != OWNER_ENFORCED:
        raise AclNotSupported(ownership)
