# SPDX-License-Identifier: Apache-2.0
"""SM2 key exchange: the example of the standard, agreement, and who is refused."""

import pytest
from hypothesis import given, settings, strategies as st

from strongroom.core.crypto import sm2key
from strongroom.core.crypto.sm2exchange import Confirmation, Party, exchange_into
from strongroom.errors import Malformed


def number(text: str) -> bytes:
    """Return the seed of 40 bytes whose private number is `text` in hex."""
    return (int(text.replace(" ", ""), 16) - 1).to_bytes(40, "big")


# GB/T 32918.5 annex B: the key exchange of GB/T 32918.3 over the recommended curve,
# both IDs 1234567812345678, 128 bits of key.
D_A = number("81EB26E941BB5AF16DF116495F90695272AE2CD63D6C4AE1678418BE48230029")
D_B = number("785129917D45A9EA5437A59356B82338EAADDA6CEB199088F14AE10DEFA229B5")
R_A = number("D4DE15474DB74D06491C440D305E012400990F3E390C7E87153C12DB2EA60BB3")
R_B = number("7E07124814B309489125EAED101113164EBF0F3458C5BD88335C1F9D596243D6")
POINT_P_A = (
    "160E12897DF4EDB61DD812FEB96748FBD3CCF4FFE26AA6F6DB9540AF49C94232"
    "4A7DAD08BB9A459531694BEB20AA489D6649975E1BFCF8C4741B78B4B223007F"
)
POINT_R_B = (
    "ACC27688A6F7B706098BC91FF3AD1BFF7DC2802CDB14CCCCDB0A90471F9BD707"
    "2FEDAC0494B2FFC4D6853876C79B8F301C6573AD0AA50F39FC87181E1A1B46FE"
)
KEY = "6C89347354DE2484C60B4AB1FDE4C6E5"
S_A = "18C7894B3816DF16CF07B05C5EC0BEF5D655D58F779CC1B400A4F3884644DB88"
S_B = "D3A0FE15DEE185CEAE907A6B595CC32A266ED7B3367E9983A896DC32FA20F8EB"


def party(
    seed: bytes, ephemeral: bytes, identity: bytes = b"1234567812345678"
) -> Party:
    """Return the public side of two seeds."""
    return Party(
        sm2key.public_from_seed(seed), sm2key.public_from_seed(ephemeral), identity
    )


def test_the_example_of_gb_t_32918_5_annex_b() -> None:
    assert party(D_A, R_A).public.hex().upper() == "04" + POINT_P_A
    assert party(D_B, R_B).ephemeral.hex().upper() == "04" + POINT_R_B
    keys = bytearray(16), bytearray(16)
    by_a = exchange_into(
        D_A, R_A, party(D_B, R_B), initiator=True, out=memoryview(keys[0])
    )
    by_b = exchange_into(
        D_B, R_B, party(D_A, R_A), initiator=False, out=memoryview(keys[1])
    )
    assert keys[0] == keys[1] == bytes.fromhex(KEY)
    assert by_a == Confirmation(bytes.fromhex(S_A), bytes.fromhex(S_B))
    assert by_b == Confirmation(by_a.expect, by_a.send)


seeds = st.binary(min_size=40, max_size=40)


@settings(max_examples=20)
@given(seeds, seeds, seeds, seeds, st.binary(max_size=40), st.integers(1, 99))
def test_both_sides_agree(
    d_a: bytes, r_a: bytes, d_b: bytes, r_b: bytes, name: bytes, length: int
) -> None:
    keys = bytearray(length), bytearray(length)
    a, b = party(d_a, r_a, name), party(d_b, r_b, b"B")
    first = exchange_into(
        d_a, r_a, b, identity=name, initiator=True, out=memoryview(keys[0])
    )
    second = exchange_into(
        d_b, r_b, a, identity=b"B", initiator=False, out=memoryview(keys[1])
    )
    assert keys[0] == keys[1]
    assert (first.send, first.expect) == (second.expect, second.send)


def test_another_id_key_or_role_gives_another_key() -> None:
    def agreed(
        seed: bytes = D_A,
        ephemeral: bytes = R_A,
        peer: Party = party(D_B, R_B),  # noqa: B008 - frozen
        *,
        identity: bytes = b"A",
        initiator: bool = True,
    ) -> bytes:
        out = bytearray(32)
        exchange_into(
            seed,
            ephemeral,
            peer,
            identity=identity,
            initiator=initiator,
            out=memoryview(out),
        )
        return bytes(out)

    made = [
        agreed(),
        agreed(seed=R_A),
        agreed(ephemeral=D_A),
        agreed(peer=party(D_B, D_A)),
        agreed(peer=party(D_A, R_B)),
        agreed(peer=party(D_B, R_B, b"C")),
        agreed(identity=b"B"),
        agreed(initiator=False),
    ]
    assert len(set(made)) == len(made)


def test_points_off_the_curve_and_long_ids_are_refused() -> None:
    good = party(D_B, R_B)
    off = good.public[:-1] + bytes([good.public[-1] ^ 1])
    for public, ephemeral, identity in (
        (off, good.ephemeral, b""),
        (good.public, off, b""),
        (good.public, b"", b""),
        (good.public, good.ephemeral, bytes(8192)),
    ):
        with pytest.raises(Malformed):
            Party(public, ephemeral, identity)


def test_a_peer_whose_two_keys_cancel_out_is_refused_as_such() -> None:
    """P = -[x*]R: nobody needs to know a private number for that, and V is zero."""
    order = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
    low = int.from_bytes(sm2key.public_from_seed(R_B)[17:33], "big") % 2**127
    cancelling = -(2**127 + low) * (int.from_bytes(R_B, "big") + 1) % order
    peer = party(number(f"{cancelling:x}"), R_B)
    key = bytearray(16)
    with pytest.raises(Malformed, match="cancel"):
        exchange_into(D_A, R_A, peer, initiator=True, out=memoryview(key))
    assert not any(key)
