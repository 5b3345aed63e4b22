# SPDX-License-Identifier: Apache-2.0
"""Certificate paths and revocation lists: what holds, and each way not to."""

from collections.abc import Callable
from hashlib import sha256

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from strongroom.core.crypto.crl import RevocationList
from strongroom.core.crypto.x509 import Certificate
from strongroom.core.rats import Endorsements, Trust
from strongroom.core.rats.trust import FOREVER
from strongroom.errors import Malformed, Refused, Stale, Untrusted
from strongroom.hardware.chain import Path, verify_path
from strongroom.hardware.revocation import check_revocation, has_lists, read_lists
from tests.hardware.pki import DAY, NOW, Authority

ROOT = Authority("root")
MIDDLE = Authority("middle", ROOT)
LEAF = Authority("leaf", MIDDLE, ca=False)
OTHER = Authority("root")


def path(
    leaf: Authority = LEAF,
    pool: tuple[Authority, ...] = (MIDDLE,),
    roots: tuple[Authority, ...] = (ROOT,),
    now: int = NOW,
    revoked: tuple[bytes, ...] = (),
) -> Path:
    """Verify a path."""
    anchors = tuple(each.certificate.der for each in roots)
    return verify_path(
        "tdx",
        "pck",
        leaf.certificate,
        [each.certificate for each in pool],
        Trust(Endorsements(anchors, revoked)),
        now,
    )


def rule(call: Callable[[], object], error: type[Refused]) -> str:
    """Return the rule id of the one finding that `call` raises."""
    with pytest.raises(error) as refused:
        call()
    (finding,) = refused.value.findings
    return finding.rule


def test_a_path_holds_and_knows_its_window() -> None:
    late = Authority("late", MIDDLE, ca=False, not_before=NOW - 5)
    early = Authority("early", ROOT, not_after=NOW + 7)
    below = Authority("below", early, ca=False)
    assert [each.name for each in path().certificates] == [
        "CN=leaf",
        "CN=middle",
        "CN=root",
    ]
    assert path(late).not_before == NOW - 5
    assert path(below, (early,)).not_after == NOW + 7


def test_the_order_of_the_pool_and_certificates_beside_it_do_not_matter() -> None:
    extra = Authority("extra", ROOT)
    for pool in ((extra, MIDDLE), (MIDDLE, extra, LEAF, ROOT)):
        assert path(pool=pool).leaf == LEAF.certificate


def test_a_root_itself_is_a_path() -> None:
    assert path(ROOT, ()).certificates == (ROOT.certificate,)


CHAIN = "tdx.chain.pck"
ROOT_OF_A, OTHER_OF_A = Authority("CN=root,O=A Ltd"), Authority("CN=other,O=A Inc.")
ROOT_OF_B = Authority("CN=root,O=B Ltd")
MIDDLE_OF_A = Authority("CN=middle,O=A Ltd", ROOT_OF_A)
LEAF_OF_A = Authority("CN=leaf,O=A Ltd", MIDDLE_OF_A, ca=False)
ALTERED = Authority(
    "middle",
    Authority("root"),
    key=MIDDLE.key,
    extensions={"2.5.29.35": b"\x30\x16\x80\x14" + ROOT.certificate.key_ids[0]},
)
"""Not signed by `ROOT`, though it names `ROOT`'s key as its issuer's."""

REFUSED: dict[str, tuple[Callable[[], object], str]] = {
    "without its issuer": (lambda: path(pool=()), "tdx.chain.pck"),
    "under another root": (lambda: path(roots=(OTHER,)), "tdx.root.pck"),
    "with its own root": (
        lambda: path(roots=(OTHER,), pool=(MIDDLE, ROOT)),
        "tdx.root.pck",
    ),
    "without any root": (lambda: path(roots=()), "tdx.missing_endorsement.root"),
    "under another vendor's root": (
        lambda: path(LEAF_OF_A, (MIDDLE_OF_A,), (ROOT_OF_B,)),
        "tdx.root.pck",
    ),
    "with a link missing": (
        lambda: path(LEAF_OF_A, (MIDDLE_OF_A,), (OTHER_OF_A,)),
        "tdx.chain.pck",
    ),
    "altered since its root signed it": (lambda: path(pool=(ALTERED,)), CHAIN),
    "of itself": (lambda: path(Authority("alone"), ()), "tdx.root.pck"),
    "of a leaf": (
        lambda: path(Authority("leaf", LEAF), (LEAF, MIDDLE)),
        "tdx.chain.pck",
    ),
}


@pytest.mark.parametrize("how", REFUSED)
def test_a_path_that_leads_to_no_trusted_root_is_refused(how: str) -> None:
    call, expected = REFUSED[how]
    assert rule(call, Untrusted) == expected


def test_a_namesake_that_did_not_sign_is_refused() -> None:
    forged = Authority("middle", OTHER)
    assert rule(lambda: path(pool=(forged,)), Untrusted) == "tdx.chain.pck"


def test_an_issuer_may_be_certified_by_strangers_too() -> None:
    stranger = Authority("stranger")
    crossed = Authority("middle", stranger, key=MIDDLE.key)
    for pool in ((crossed, MIDDLE), (stranger, crossed, MIDDLE)):
        assert path(pool=pool) == path()
    assert rule(lambda: path(pool=(crossed, stranger)), Untrusted) == "tdx.root.pck"


def test_a_path_has_an_end() -> None:
    above, pool = ROOT, list[Authority]()
    for number in range(9):
        above = Authority(f"CA {number}", above)
        pool.append(above)
    leaf = Authority("leaf", above, ca=False)
    assert rule(lambda: path(leaf, tuple(pool)), Untrusted) == CHAIN
    short = Authority("leaf", pool[6], ca=False)
    assert path(short, tuple(pool)).leaf == short.certificate


def test_an_issuer_must_be_a_ca_for_as_many_below_it() -> None:
    short = Authority("root", path_length=0)
    middle = Authority("middle", short)
    leaf = Authority("leaf", middle, ca=False)
    assert rule(lambda: path(leaf, (middle,), (short,)), Untrusted) == "tdx.chain.pck"
    direct = Authority("leaf", short, ca=False)
    assert path(direct, (), (short,)).leaf == direct.certificate


@pytest.mark.parametrize("which", [LEAF, MIDDLE, ROOT])
def test_a_key_that_the_verifier_revoked_is_refused_wherever_it_stands(
    which: Authority,
) -> None:
    ids = (bytes(32), sha256(which.certificate.spki).digest())
    assert rule(lambda: path(revoked=ids), Untrusted) == "tdx.revoked.pck"
    assert path(revoked=(bytes(32),)).leaf == LEAF.certificate


def test_a_critical_extension_that_nobody_understands_is_refused() -> None:
    leaf = Authority("leaf", MIDDLE, ca=False, critical="1.2.3.4")
    assert rule(lambda: path(leaf), Untrusted) == "tdx.chain.pck"


@pytest.mark.parametrize(
    ("extension", "value"),
    [
        ("2.5.29.30", "3007a0053003820161"),
        ("2.5.29.36", "3003800100"),
        ("2.5.29.54", "020100"),
    ],
    ids=["names", "policies", "any policy"],
)
def test_an_issuer_that_limits_what_is_below_it_is_not_understood(
    extension: str, value: str
) -> None:
    middle = Authority(
        "middle",
        ROOT,
        critical=extension,
        critical_value=bytes.fromhex(value),
        key=MIDDLE.key,
    )
    assert rule(lambda: path(pool=(middle,)), Untrusted) == CHAIN


@pytest.mark.parametrize("now", [NOW - DAY - 1, NOW + DAY + 1])
def test_a_path_out_of_its_time_is_stale(now: int) -> None:
    assert rule(lambda: path(now=now), Stale) == "tdx.expired.pck"
    assert path(now=NOW - DAY).leaf == path(now=NOW + DAY).leaf


def revocation(*lists: RevocationList, required: bool = True) -> tuple[int, int]:
    """Check the usual path against revocation lists."""
    return check_revocation("tdx", "pck", path(), lists, NOW, required=required)


def test_lists_of_every_issuer_give_their_window() -> None:
    lists = (MIDDLE.revocations(next_update=NOW + 9), ROOT.revocations())
    assert revocation(*lists) == (NOW - DAY, NOW + 9)
    assert revocation(required=False) == (0, FOREVER)


@pytest.mark.parametrize("which", [LEAF, MIDDLE])
def test_a_revoked_certificate_is_refused(which: Authority) -> None:
    lists = (
        MIDDLE.revocations(which.certificate),
        ROOT.revocations(which.certificate),
    )
    assert rule(lambda: revocation(*lists), Untrusted) == "tdx.revoked.pck"


def test_a_required_list_that_is_missing_is_a_missing_endorsement() -> None:
    found = rule(lambda: revocation(MIDDLE.revocations()), Untrusted)
    assert found == "tdx.missing_endorsement.pck_crl"


def test_a_list_that_its_issuer_did_not_sign_is_refused() -> None:
    forged = ROOT.revocations(key=OTHER.key)
    lists = (MIDDLE.revocations(), forged)
    assert rule(lambda: revocation(*lists), Untrusted) == "tdx.signature.pck_crl"


@pytest.mark.parametrize("late", [True, False])
def test_a_list_out_of_its_time_is_stale(late: bool) -> None:  # noqa: FBT001 - a case
    this, end = (NOW - 2, NOW - 1) if late else (NOW + 1, NOW + 2)
    lists = (
        MIDDLE.revocations(),
        ROOT.revocations(this_update=this, next_update=end),
    )
    assert rule(lambda: revocation(*lists), Stale) == "tdx.expired.pck_crl"


def test_beside_a_current_list_those_out_of_their_time_do_not_matter() -> None:
    old = ROOT.revocations(MIDDLE.certificate, next_update=NOW - 1)
    later = ROOT.revocations(MIDDLE.certificate, this_update=NOW + 5)
    current = (MIDDLE.revocations(), ROOT.revocations())
    assert revocation(old, *current, later) == (NOW - DAY, NOW + 4)
    assert revocation(old, *current)[1] == NOW + DAY
    revoked = ROOT.revocations(MIDDLE.certificate)
    found = rule(lambda: revocation(*current, revoked), Untrusted)
    assert found == "tdx.revoked.pck"
    namesake = OTHER.revocations(MIDDLE.certificate)
    assert revocation(namesake, *current) == (NOW - DAY, NOW + DAY)
    found = rule(lambda: revocation(namesake, current[0]), Untrusted)
    assert found == "tdx.signature.pck_crl"


def test_of_one_key_the_certificate_that_is_valid_is_taken() -> None:
    ended = Authority("middle", ROOT, not_after=NOW - 1, key=MIDDLE.key)
    for pool in ((ended, MIDDLE), (MIDDLE, ended)):
        assert path(pool=pool).certificates[1] == MIDDLE.certificate
    assert rule(lambda: path(pool=(ended,)), Stale) == "tdx.expired.pck"
    old_root = Authority("root", not_after=NOW - 1, key=ROOT.key)
    assert path(roots=(old_root, ROOT)).certificates[-1] == ROOT.certificate


@pytest.mark.parametrize("role", ["crl", "crls"])
def test_lists_are_read_by_either_name_and_several_from_one_text(role: str) -> None:
    lists = [ROOT.revocations().der, MIDDLE.revocations().der]
    text = b"".join(
        x509.load_der_x509_crl(each).public_bytes(Encoding.PEM) for each in lists
    )
    for documents in ((text,), tuple(lists)):
        trust = Trust(Endorsements((), (), {role: documents}))
        assert [each.der for each in read_lists(trust, "crl")] == lists
        assert [each.der for each in read_lists(trust, "crls")] == lists
        assert not read_lists(trust, "pck_crl")
        assert has_lists(trust)
    assert not has_lists(Trust(Endorsements((), (), {"pck_crl": (text,)})))


def _point(**scope: object) -> x509.IssuingDistributionPoint:
    """Return the scope of a list for one distribution point."""
    url = [x509.UniformResourceIdentifier("http://crl.example/1")]
    usual: dict[str, object] = {
        "full_name": url,
        "relative_name": None,
        "only_contains_user_certs": False,
        "only_contains_ca_certs": False,
        "only_some_reasons": None,
        "indirect_crl": False,
        "only_contains_attribute_certs": False,
    }
    return x509.IssuingDistributionPoint(**{**usual, **scope})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "scope",
    [
        x509.DeltaCRLIndicator(1),
        x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"),
        _point(only_some_reasons=frozenset([x509.ReasonFlags.key_compromise])),
        _point(only_contains_attribute_certs=True),
        _point(indirect_crl=True),
    ],
    ids=["delta", "unknown", "some reasons", "attributes", "indirect"],
)
def test_a_list_that_is_not_whole_is_malformed(scope: x509.ExtensionType) -> None:
    with pytest.raises(Malformed, match="not whole"):
        ROOT.revocations(scope=scope)


def test_a_list_of_a_distribution_point_counts() -> None:
    lists = (
        MIDDLE.revocations(LEAF.certificate, scope=_point()),
        ROOT.revocations(scope=_point(only_contains_ca_certs=True)),
    )
    assert rule(lambda: revocation(*lists), Untrusted) == "tdx.revoked.pck"


@pytest.mark.parametrize("reader", [Certificate, RevocationList])
def test_cut_or_grown_documents_are_malformed(
    reader: Callable[[bytes], object],
) -> None:
    documents: dict[object, bytes] = {
        Certificate: LEAF.certificate.der,
        RevocationList: LEAF.certificate.der,
    }
    whole = documents[reader]
    for data in (b"", whole[:-1], whole + b"\0", b"\x30\x80", b"junk"):
        with pytest.raises(Malformed):
            reader(data)
