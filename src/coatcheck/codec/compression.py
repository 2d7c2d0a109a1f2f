"""Compression of payloads with zstd, for the network and for the memory of a store.

The metadata stays readable and records the compression (``Metadata.zstd``), in a version of the format that earlier
releases refuse. zstd is part of Python since 3.14; before, the package ``backports.zstd`` provides it.
"""

import sys
from typing import Any

from coatcheck.codec.envelope import Metadata
from coatcheck.errors import MissingExtra, ObjectUnreadable

LEVEL = 1
WORTH_IT = 0.7
"""The ratio above which a payload is stored uncompressed. Base64 reaches 0.75 and is slow to decompress."""


def compress(payload: bytes | memoryview) -> bytes | None:
    """Compress a payload; ``None`` if that saves too little or zstd is missing."""
    try:
        zstd = require_zstd()
    except MissingExtra:
        return None
    compressor = zstd.ZstdCompressor(level=LEVEL)
    compressed: bytes = compressor.compress(payload, zstd.ZstdCompressor.FLUSH_FRAME)
    return None if len(compressed) > WORTH_IT * len(payload) else compressed


def decompress(metadata: Metadata, payload: memoryview, most: int) -> memoryview:
    """Decompress a payload; the size in its metadata is checked first and bounds the memory.

    ``most`` is the maximum bytes of an object, 0 for no limit.

    Raises:
        ObjectUnreadable: It is larger, or does not match its metadata.
        MissingExtra: zstd is not installed.
    """
    zstd = require_zstd()
    if 0 < most < metadata.size:
        raise ObjectUnreadable(
            f"This object says that it has {metadata.size:,} bytes, more than the {most:,} allowed here."
        )
    try:
        declared = zstd.get_frame_info(payload).decompressed_size
        if declared == metadata.size and len(payload) == metadata.zstd:
            decompressor = zstd.ZstdDecompressor()
            plain: bytes = decompressor.decompress(payload, max_length=metadata.size + 1)
            if decompressor.eof and len(plain) == metadata.size:
                return memoryview(plain)
    except zstd.ZstdError:
        pass
    raise ObjectUnreadable("This object says that it is compressed, and its payload is not what its metadata says.")


def require_zstd() -> Any:
    """Return the module of zstd; raises ``MissingExtra`` if it is not installed."""
    try:
        if sys.version_info >= (3, 14):
            from compression import zstd
        else:
            from backports import zstd
    except ImportError:
        raise MissingExtra(
            "Compressed objects need zstd. Install it with: pip install 'coatcheck[redis]', or backports.zstd alone."
        ) from None
    return zstd
