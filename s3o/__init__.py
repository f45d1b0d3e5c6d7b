"""One S3 endpoint in front of many S3 backends.

The floors, bottom to top: model; wire, policy, config, observe; ledger, net;
backends, encryption; objects; services, s3api; admin; daemon; cli. A module imports
only from lower floors or, without circles, from its own package (tests/house).
"""

__version__ = "0.1.0"
