"""Client ids: 128 bits that identify the owner of an order, and that never repeat.

.. code-block:: text

    name 32 bits │ run 48 bits: second of its start, and chance │ counter 28 bits │ check 20 bits

The hash of the name identifies the orders of a program after a crash. The run distinguishes them
from orders of an earlier start of the same program. The check rejects foreign ids of the same form:
for a given name, two of 2^52 foreign ids pass.
"""

from __future__ import annotations

import hashlib
import re
from typing import Literal, TypeAlias

import attrs

from connector.errors import ConfigError, InvariantViolated

Spelling: TypeAlias = Literal["hex", "0xhex", "uuid"]
"""32 hexadecimal digits, the same behind ``0x``, or as a UUID."""

_NAME = re.compile(r"[a-z0-9]{1,8}")
_COUNTER_BITS = 28
_CHECK_BITS = 20
_RUN_BITS = 48
_DIGITS = re.compile(r"[0-9a-f]{32}")


def check_name(name: object) -> str:
    """The name of an account.

    Raises:
        ConfigError: it is not 1 to 8 of ``a-z`` and ``0-9``.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ConfigError(f"name={name!r}: write 1 to 8 of a-z and 0-9, such as 'mm1'")
    return name


@attrs.frozen
class Identity:
    """The owner of an order."""

    name_hash: int
    run: int
    counter: int

    def belongs_to(self, name: str) -> bool:
        """Whether the id belongs to an account of that name, from any run."""
        return self.name_hash == _hash_of_name(name)


def _hash_of_name(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=4, person=b"name").digest())


_BLANK = hashlib.blake2b(digest_size=4, person=b"connector")
"""Only copied: to set it up costs more than to hash an id."""
_copy_blank = _BLANK.copy


def _check(bits: int) -> int:
    hashed = _copy_blank()
    hashed.update(bits.to_bytes(14))
    return int(hashed.hexdigest()[: _CHECK_BITS // 4], 16)


def new_run(start_seconds: int, chance: int) -> int:
    """The number of a run that begins at that second; `chance` distinguishes two such runs."""
    return (start_seconds & 0xFFFF_FFFF) << 16 | (chance & 0xFFFF)


class ClientIds:
    """The ids of one run of an account, each made once.

    Args:
        name: of the account.
        run: from `new_run`.
        spelling: how the exchange wants ids.
    """

    def __init__(self, name: str, run: int, spelling: Spelling = "hex") -> None:
        self.name = check_name(name)
        self.run = run & ((1 << _RUN_BITS) - 1)
        self._hash = _hash_of_name(name)
        self._spelling: Spelling = spelling
        self._first = (self._hash << _RUN_BITS | self.run) << _COUNTER_BITS
        self._counter = 0

    def make(self) -> str:
        """The next id.

        Raises:
            InvariantViolated: after 268 million.
        """
        self._counter += 1
        if self._counter >> _COUNTER_BITS:
            raise InvariantViolated("this run has used up its client ids")
        hashed, owned = _copy_blank(), (self._first | self._counter).to_bytes(14)
        hashed.update(owned)
        # 27 digits of 108 bits, and five of the check: as text, which costs less than as numbers.
        digits = owned.hex()[1:] + hashed.hexdigest()[:5]
        return digits if self._spelling == "hex" else spell(digits, self._spelling)

    @property
    def made(self) -> int:
        """The number of ids made."""
        return self._counter

    def is_ours(self, client_id: str) -> bool:
        """Whether this run has made it."""
        identity = identify(client_id)
        return (
            identity is not None
            and identity.name_hash == self._hash
            and identity.run == self.run
            and identity.counter <= self._counter
        )

    def is_of_our_name(self, client_id: str) -> bool:
        """Whether this run or another one of the same name has made it."""
        identity = identify(client_id)
        return identity is not None and identity.name_hash == self._hash


def spell(digits: str, spelling: Spelling) -> str:
    """32 hexadecimal digits in the exchange's form."""
    match spelling:
        case "hex":
            return digits
        case "0xhex":
            return f"0x{digits}"
        case "uuid":
            parts = digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]
            return "-".join(parts)


def identify(client_id: str) -> Identity | None:
    """The owner of this id; None if no account of this library made it."""
    digits = client_id.removeprefix("0x").replace("-", "").lower()
    if not _DIGITS.fullmatch(digits):
        return None
    number = int(digits, 16)
    bits = number >> _CHECK_BITS
    if _check(bits) != number & ((1 << _CHECK_BITS) - 1):
        return None
    counter = bits & ((1 << _COUNTER_BITS) - 1)
    run = bits >> _COUNTER_BITS & ((1 << _RUN_BITS) - 1)
    return Identity(bits >> (_COUNTER_BITS + _RUN_BITS), run, counter)
