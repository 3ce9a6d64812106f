"""Client ids: unique, found again, and nobody else's."""

from __future__ import annotations

import re
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.errors import ConfigError
from connector.trading.client_ids import ClientIds, Spelling, check_name, identify, new_run, spell

NAMES = st.from_regex(r"[a-z0-9]{1,8}", fullmatch=True)
RUNS = st.builds(new_run, st.integers(0, 2**32 - 1), st.integers(0, 2**16 - 1))
SPELLINGS: list[Spelling] = ["hex", "0xhex", "uuid"]


@given(NAMES, RUNS, st.sampled_from(SPELLINGS))
def test_an_id_says_whose_it_is(name: str, run: int, spelling: Spelling) -> None:
    ids = ClientIds(name, run, spelling)

    made = [ids.make() for _ in range(3)]

    assert len(set(made)) == 3
    assert all(ids.is_ours(each) for each in made)
    identities = [identify(each) for each in made]
    assert [each and each.counter for each in identities] == [1, 2, 3]
    assert all(each and each.run == run and each.belongs_to(name) for each in identities)


@given(NAMES, RUNS, RUNS)
def test_another_run_of_the_name_is_found_and_is_not_ours(name: str, run: int, other: int) -> None:
    ids, former = ClientIds(name, run), ClientIds(name, other)
    client_id = former.make()

    assert ids.is_of_our_name(client_id)
    if run != other:
        assert not ids.is_ours(client_id)


def test_an_id_that_this_run_has_not_made_yet_is_not_ours() -> None:
    ids, twin = ClientIds("mm1", 5), ClientIds("mm1", 5)
    ids.make()
    twin.make()

    assert not ids.is_ours(twin.make())


@given(st.one_of(st.text(max_size=40), st.from_regex(r"[0-9a-f]{32}", fullmatch=True)))
def test_ids_of_others_are_nobody_s(client_id: str) -> None:
    assert identify(client_id) is None


@pytest.mark.parametrize("at", range(32))
def test_one_wrong_digit_is_noticed(at: int) -> None:
    digits = ClientIds("mm1", 77).make()
    changed = f"{digits[:at]}{(int(digits[at], 16) + 1) % 16:x}{digits[at + 1 :]}"

    assert identify(changed) is None


def test_spellings() -> None:
    digits = ClientIds("mm1", new_run(1_790_000_000, 7)).make()

    # What every venue takes: at most 32 of letters and digits (binance_trading §5.4).
    assert re.fullmatch(r"[0-9a-f]{32}", digits)
    assert spell(digits, "0xhex") == f"0x{digits}"
    assert uuid.UUID(spell(digits, "uuid")).hex == digits


def test_names() -> None:
    assert check_name("mm1") == "mm1"
    for wrong in ("", "MM1", "mm-1", "ninechars", None, 5):
        with pytest.raises(ConfigError, match="1 to 8"):
            check_name(wrong)
