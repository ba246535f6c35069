from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
import rlp as other

from chains.core.errors import BadAnswer
from chains.ethereum.verify.header import check_header, header_hash
from tests.unit.ethereum.verify.blocks import FORKS, NUMBERS, hash_header, make_header
from tests.unit.ethereum.verify.recorded import json_header, read_chain
from tests.unit.ethereum.verify.tries import other_hash


@pytest.mark.parametrize("forks", range(len(FORKS) + 1))
def test_the_hash_of_a_header_of_every_fork_is_the_one_of_its_rlp(forks: int) -> None:
    header = make_header(**dict(list(FORKS.items())[:forks]))
    assert header_hash(header) == hash_header(header)
    check_header(header | {"hash": hash_header(header), "totalDifficulty": "0x1", "size": "0x5"})


def test_every_field_is_part_of_the_hash() -> None:
    header = make_header(**FORKS)
    hashes = {header_hash(header)}
    for name, value in header.items():
        other_value = hex(int(value, 16) + 1) if name in NUMBERS else value[:-1] + "f"
        assert other_value != value
        hashes.add(header_hash(header | {name: other_value}))
    assert len(hashes) == len(header) + 1


def test_a_hash_that_is_not_the_headers_is_refused_and_both_are_named() -> None:
    header = make_header(**FORKS)
    right, wrong = header_hash(header), "0x" + "ee" * 32
    with pytest.raises(BadAnswer) as error:
        check_header(header | {"hash": wrong})
    assert right in str(error.value)
    assert wrong in str(error.value)


def test_a_field_of_a_fork_to_come_is_named_where_the_hash_differs() -> None:
    header = make_header(**FORKS)
    with pytest.raises(BadAnswer, match="does not know: 'inclusionListRoot'"):
        check_header(header | {"hash": "0x" + "ee" * 32, "inclusionListRoot": "0x00"})


def test_a_field_without_the_field_of_the_fork_before_is_refused() -> None:
    with pytest.raises(BadAnswer, match=r"requestsHash is there without block\.parentBeaconBlockRoot"):
        header_hash({name: value for name, value in (make_header() | FORKS).items() if name != "parentBeaconBlockRoot"})


@pytest.mark.parametrize("name", list(make_header()))
def test_a_field_that_is_missing_or_malformed_is_named(name: str) -> None:
    header = make_header()
    for value in (None, 7, "0x", "0xzz", " 0x00", {"a": 1}, [1]):
        if name == "extraData" and value == "0x":
            continue
        with pytest.raises(BadAnswer, match=f"block.{name}"):
            header_hash(header | {name: value})


def test_spaces_in_data_are_refused() -> None:
    # Some ways to read hex skip them, and the text then says something else than the hash.
    with pytest.raises(BadAnswer, match=r"block\.extraData"):
        header_hash(make_header(extraData="0x70 6f"))


def test_what_is_no_object_is_refused() -> None:
    with pytest.raises(BadAnswer, match="must be an object"):
        header_hash(None)  # type: ignore[arg-type]


def test_the_header_of_a_mainnet_block_hashes_to_its_hash(shared_data: Path) -> None:
    block = json.loads((shared_data / "ethereum" / "helios_block.json").read_text())
    check_header(block)
    for name in ("stateRoot", "receiptsRoot", "withdrawalsRoot"):
        with pytest.raises(BadAnswer):
            check_header(block | {name: "0x" + "00" * 32})


def test_headers_of_five_ages_of_mainnet_hash_to_their_hashes(shared_data: Path) -> None:
    vectors = json.loads((shared_data / "ethereum" / "mainnet_getproof_vectors.json").read_text())["vectors"]
    assert len(vectors) == 5
    for vector in vectors:
        fields = other.decode(bytes.fromhex(vector["header_rlp"][2:]))
        check_header(json_header(fields) | {"hash": vector["block_hash"]})


def test_all_headers_of_a_chain_with_every_fork_up_to_prague_hash_to_what_their_children_name(
    shared_data: Path,
) -> None:
    blocks = read_chain(shared_data)
    headers = [block[0] for block in blocks]
    assert len(headers) == 54
    for below, above in pairwise(headers):
        assert header_hash(json_header(below)) == "0x" + above[0].hex() == "0x" + other_hash(other.encode(below)).hex()
