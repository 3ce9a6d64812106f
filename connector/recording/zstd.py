"""Compress and decompress with zstandard, which the extra ``capture`` installs."""

from __future__ import annotations

from types import ModuleType

from connector.errors import ConfigError
from connector.recording.format import RecordingDamaged

_LEVEL = 3
"""About 5 ms for a full block."""


def _zstandard() -> ModuleType:
    try:
        import zstandard  # noqa: PLC0415  # an extra
    except ImportError as missing:
        raise ConfigError(
            "recordings need zstandard; install it with python -m pip install "
            "'trio-connector[capture]'"
        ) from missing
    return zstandard


def compress(data: bytes) -> bytes:
    """A zstd frame with a check sum.

    Raises:
        ConfigError: zstandard is not installed.
    """
    compressed: bytes = (
        _zstandard().ZstdCompressor(level=_LEVEL, write_checksum=True).compress(data)
    )
    return compressed


def decompress(data: bytes, size: int) -> bytes:
    """The content of a zstd frame, of at most `size` bytes.

    Raises:
        RecordingDamaged: it is none.
        ConfigError: zstandard is not installed.
    """
    zstandard = _zstandard()
    try:
        content: bytes = zstandard.ZstdDecompressor().decompress(data, max_output_size=size)
    except zstandard.ZstdError as error:
        raise RecordingDamaged(f"a block does not decompress: {error}") from error
    return content
