# SPDX-License-Identifier: Apache-2.0
"""Write three hospitals' records and the applicants of the demonstration.

    python -m examples.underwriting.data --out DIR

The clinical values are those of real persons in a public study: NHEFS, the
epidemiologic follow-up of the first National Health and Nutrition Examination Survey
(US National Center for Health Statistics), in the version of Hernan and Robins,
"Causal Inference: What If", packaged as `causaldata.nhefs` (MIT licence).

The identity elements are made up, and each row says so. National ids begin with 666
and phone numbers are 555-01xx: no real person has either. Nothing here is drawn:
every choice is a hash of the study's sequence number, so two runs write the same bytes.
"""

import argparse
import csv
import hashlib
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from causaldata import nhefs

HOSPITALS = ("hospital-a", "hospital-b", "hospital-c")
CITATION = (
    "NHANES I Epidemiologic Follow-up Study (NCHS), as in Hernan and Robins, "
    "Causal Inference: What If; package causaldata, MIT"
)
UNKNOWN_NUMBER = 1  # no person of the study has this sequence number
DEMO = {
    "accept": 1480,
    "accept-with-loading": 8388,
    "refer": 825,
    "decline": 22025,
}

# Ours to the study's names; 2 stands for "not asked" in the last two.
_NUMBERS = {
    "age_years": "age",
    "height_cm": "ht",
    "weight_kg": "wt71",
    "systolic_mmhg": "sbp",
    "diastolic_mmhg": "dbp",
    "cholesterol_mg_dl": "cholesterol",
    "cigarettes_per_day": "smokeintensity",
    "smoking_years": "smokeyrs",
    "heart_failure": "hf",
    "weak_heart_medicine": "weakheart",
    "asthma": "asthma",
    "chronic_bronchitis": "bronch",
    "tuberculosis": "tb",
    "chronic_cough": "chroniccough",
    "inactivity_grade": "active",
    "no_exercise_grade": "exercise",
}
_NOT_ALWAYS_ASKED = {"high_blood_pressure": "hbp", "diabetes": "diabetes"}
_NOT_ASKED = 2

_FEMALE = (
    "Ada Alma Bess Clara Dora Edith Effie Elsie Flora Greta Hilda Ida Iris Lena Lotta "
    "Mabel Nell Olive Orla Pearl Rhoda Stella Thea Una Vera Willa Xenia Zelda"
)
_MALE = (
    "Abel Amos Basil Cyrus Dean Edgar Emil Felix Gus Hugo Ivan Jonas Karl Leo Linus "
    "Milo Ned Orson Otis Percy Quincy Rufus Silas Theo Ulric Vernon Wade Zeno"
)
_FAMILY = (
    "Ashdown Birchall Calder Dunmore Elmwood Fairlie Garside Hartwell Inglewood Jessop "
    "Kirkby Langdale Marlowe Northcote Oakden Penrose Quayle Ravensby Selwick Thornby "
    "Underhill Varley Westbrook Yardley Aldworth Brockway Cresswell Dalby Eastgate Foss"
)
_AREAS = (201, 212, 303, 312, 404, 415, 503, 512, 602, 617, 702, 713, 801, 816, 904)


@dataclass(frozen=True)
class Person:
    """One person of the study.

    `clinical` is what a hospital knows before the follow-up (None: unknown); `died`
    is the outcome of the follow-up, 1983 to 1992, which no hospital file holds.
    """

    number: int
    sex: str
    clinical: dict[str, float | None]
    died: bool

    @property
    def is_public(self) -> bool:
        """Whether the algorithm provider may use this person; no hospital has them."""
        return pick("half", self.number, 2) == 0

    @property
    def hospital(self) -> str:
        """The one hospital that holds this person's record."""
        return HOSPITALS[pick("hospital", self.number, len(HOSPITALS))]


def pick(purpose: str, number: int, choices: int) -> int:
    """Return a choice below `choices` that depends on purpose and person only."""
    digest = hashlib.sha256(f"underwriting/{purpose}/{number}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % choices


def persons() -> list[Person]:
    """Return all persons of the study by sequence number."""
    rows: list[dict[str, object]] = nhefs.load_pandas().data.to_dict("records")
    return sorted(map(_person, rows), key=lambda person: person.number)


def identity(number: int, sex: str) -> dict[str, str]:
    """Return made-up identity elements; no two numbers share a national id."""
    first = (_MALE if sex == "male" else _FEMALE).split()
    family = _FAMILY.split()
    name = (
        first[pick("first name", number, len(first))],
        family[pick("family name", number, len(family))],
    )
    # A multiplier without the factors 2 and 5 makes this a permutation of six digits.
    serial = f"{(number * 611_953 + 104_729) % 1_000_000:06}"
    area = _AREAS[pick("area", number, len(_AREAS))]
    return {
        "full_name": " ".join(name),
        "national_id": f"666-{serial[:2]}-{serial[2:]}",
        "phone": f"+1-{area}-555-01{pick('phone', number, 100):02}",
    }


def record(person: Person) -> dict[str, str | float | None]:
    """Return a person's row in the hospital's file."""
    made_up = identity(person.number, person.sex) | {"identity_source": "made-up"}
    return made_up | {"sex": person.sex} | person.clinical


def write_hospitals(folder: Path, everyone: Iterable[Person]) -> None:
    """Write one CSV file a hospital; the public half of the study is in none."""
    rows: dict[str, list[dict[str, str | float | None]]] = {h: [] for h in HOSPITALS}
    for person in everyone:
        if not person.is_public:
            rows[person.hospital].append(record(person))
    for hospital, its_rows in rows.items():
        path = folder / f"{hospital}.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(its_rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(its_rows)


def applicants(everyone: Iterable[Person]) -> list[dict[str, object]]:
    """Return one applicant for each conclusion and one whom no hospital knows."""
    sexes = {person.number: person.sex for person in everyone}
    known: list[dict[str, object]] = [
        {"expected": conclusion, "applicant": identity(number, sexes[number])}
        for conclusion, number in DEMO.items()
    ]
    nobody = identity(UNKNOWN_NUMBER, "female")
    return [*known, {"expected": "refer", "applicant": nobody}]


def main() -> None:
    """Write the three hospitals' files and applicants.json."""
    parser = argparse.ArgumentParser(description="Write the demonstration's data.")
    parser.add_argument("--out", type=Path, required=True, help="a folder")
    folder: Path = parser.parse_args().out
    folder.mkdir(parents=True, exist_ok=True)
    everyone = persons()
    write_hospitals(folder, everyone)
    text = json.dumps(applicants(everyone), indent=2) + "\n"
    (folder / "applicants.json").write_text(text, encoding="utf-8")


def _person(row: dict[str, object]) -> Person:
    clinical = {ours: _number(row[theirs]) for ours, theirs in _NUMBERS.items()}
    for ours, theirs in _NOT_ALWAYS_ASKED.items():
        answer = _number(row[theirs])
        clinical[ours] = None if answer == _NOT_ASKED else answer
    return Person(
        number=int(str(row["seqn"]).removesuffix(".0")),
        sex="male" if _number(row["sex"]) == 0 else "female",
        clinical=clinical,
        died=_number(row["death"]) == 1,
    )


def _number(value: object) -> float | None:
    number = round(float(str(value)), 2)
    if math.isnan(number):
        return None
    return int(number) if number.is_integer() else number


if __name__ == "__main__":
    main()
