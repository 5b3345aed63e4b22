# SPDX-License-Identifier: Apache-2.0
"""Products of AMD's, and how each lays out its TCB_VERSION (AMD 56860 section 2.2)."""

from dataclasses import dataclass
from typing import Literal, Self

from strongroom.errors import Malformed

Product = Literal["milan", "genoa", "turin"]
"""As AMD's key distribution names its roots; Bergamo and Siena are under Genoa's."""

PRODUCTS: tuple[Product, ...] = ("milan", "genoa", "turin")

_ZEN3, _ZEN5 = 0x19, 0x1A
_MODELS: dict[tuple[int, int], Product] = {
    (_ZEN3, 0x0): "milan",
    (_ZEN3, 0x1): "genoa",
    (_ZEN3, 0xA): "genoa",
    (_ZEN5, 0x0): "turin",
    (_ZEN5, 0x1): "turin",
}
"""By the CPUID family and the upper half of the model (processor programming refs)."""


@dataclass(frozen=True, slots=True)
class TcbVersion:
    """A TCB_VERSION: the security version of each component; `fmc` since Turin."""

    bl: int
    tee: int
    snp: int
    ucode: int
    fmc: int | None = None

    @classmethod
    def parse(cls, raw: bytes, product: Product) -> Self:
        """Read the 8 bytes as `product` lays them out.

        Raises:
            Malformed: reserved bytes are not zero.
        """
        if product == "turin":
            reserved, found = raw[4:7], cls(raw[1], raw[2], raw[3], raw[7], raw[0])
        else:
            reserved, found = raw[2:6], cls(raw[0], raw[1], raw[6], raw[7])
        if any(reserved):
            message = f"SNP report: {raw.hex()} is not a TCB_VERSION of {product}"
            raise Malformed(message)
        return found

    def components(self) -> dict[str, int]:
        """Return the versions by the names of their components."""
        first = {} if self.fmc is None else {"fmc": self.fmc}
        rest = {"bl": self.bl, "tee": self.tee, "snp": self.snp, "ucode": self.ucode}
        return first | rest


def product_of_cpuid(family: int, model: int) -> Product:
    """Return the product that a processor is of.

    Raises:
        Malformed: none that is known here.
    """
    found = _MODELS.get((family, model >> 4))
    if found is None:
        message = f"SNP report: no known product has CPUID {family:#x}, {model:#x}"
        raise Malformed(message)
    return found


def product_of_name(name: str) -> Product:
    """Return the product that a certificate names, with or without its stepping.

    Raises:
        Malformed: none that is known here.
    """
    known: dict[str, Product] = {each: each for each in PRODUCTS}
    found = known.get(name.partition("-")[0].lower())
    if found is None:
        message = f"SNP certificate: {name!r} is not a known product"
        raise Malformed(message)
    return found
