# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: INP001  an app's folder is a bundle, not a package
"""Underwrite one applicant from several hospitals' records (AS-3).

The insurer learns a conclusion and the class of its main reason, nothing else. All
hospitals' rows become one table before anyone is looked for, and every step is done
whether or not the applicant is found: neither the answer nor the way to it says which
hospital knows the applicant.

Everything but `underwrite` is pure, and `fit.py` scores with these same functions.
"""

import json
import math
from collections.abc import Mapping, Sequence
from typing import TypedDict

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from strongroom.application.sdk import bundle_file

__all__ = ["underwrite"]

IDENTITY = ("full_name", "national_id", "phone")
MEASUREMENTS = (
    "age_years",
    "height_cm",
    "weight_kg",
    "systolic_mmhg",
    "cholesterol_mg_dl",
    "cigarettes_per_day",
    "smoking_years",
)
FINDINGS = (
    "high_blood_pressure",
    "heart_failure",
    "weak_heart_medicine",
    "diabetes",
    "asthma",
    "chronic_bronchitis",
    "tuberculosis",
    "chronic_cough",
    "inactivity_grade",
    "no_exercise_grade",
)
NEEDED = ("age_years", "male", "height_cm", "weight_kg", "systolic_mmhg")
SCHEMA = pa.schema(
    [(name, pa.string()) for name in (*IDENTITY, "sex")]
    + [(name, pa.float64()) for name in (*MEASUREMENTS, *FINDINGS)]
)

Record = Mapping[str, float]
"""What is known of one person: columns to numbers, `male` 0 or 1, NaN unknown."""


class Feature(TypedDict):
    """One standardised covariate: a NaN counts as what is typical of the peers."""

    name: str
    reason_class: str
    mean: float
    scale: float
    coefficient: float


class PeerGroup(TypedDict):
    """A band of age and sex: its mortality in the study and its typical features."""

    male: int
    age_from: int
    persons: int
    mortality: float
    typical: dict[str, float]


class Thresholds(TypedDict):
    """From which mortality ratio, and from which mortality of the peers, on."""

    loading_from: float
    refer_from: float
    decline_from: float
    age_refer_from_mortality: float


class Model(TypedDict):
    """The whole of model.json."""

    source: str
    intercept: float
    features: list[Feature]
    peers: list[PeerGroup]
    thresholds: Thresholds


def underwrite(
    records: Sequence[pa.Table], applicant: Mapping[str, object]
) -> dict[str, str]:
    """Return the conclusion on `applicant` and the class of its main reason.

    Args:
        records: one table a hospital, with at least the columns of `SCHEMA`.
        applicant: the three identity elements of `IDENTITY`, as text.
    """
    model: Model = json.loads(bundle_file("model.json"))
    found, record = find(records, applicant)
    return conclude(model, record, found=found)


def find(
    records: Sequence[pa.Table], applicant: Mapping[str, object]
) -> tuple[bool, dict[str, float]]:
    """Return whether all three elements match some row, and what those rows say.

    Several rows of one person are merged: the mean of what was measured, the worst of
    what was found. If there is none, every value is NaN.
    """
    rows = _one_table(records)
    match = np.ones(rows.num_rows, dtype=bool)
    for element in IDENTITY:
        same = pc.equal(rows[element], pa.scalar(str(applicant[element])))
        match &= pc.fill_null(same, fill_value=False).to_numpy()
    male = np.where(_numbers(pc.equal(rows["sex"], "male")) > 0, 1.0, 0.0)
    male[pc.is_null(rows["sex"]).to_numpy()] = math.nan
    record = {"male": _worst(male, match)}
    for name in MEASUREMENTS:
        record[name] = _mean(_numbers(rows[name]), match)
    for name in FINDINGS:
        record[name] = _worst(_numbers(rows[name]), match)
    return bool(match.any()), record


def conclude(model: Model, record: Record, *, found: bool) -> dict[str, str]:
    """Return the conclusion; all of it is computed even for a person not found."""
    limits = model["thresholds"]
    contributions = _contributions(model, record)
    by_class: dict[str, float] = {}
    for feature in model["features"]:
        name = feature["reason_class"]
        by_class[name] = by_class.get(name, 0.0) + contributions[feature["name"]]
    main = max(by_class, key=lambda name: by_class[name])
    ratio = mortality_ratio(model, record)
    old = peers(model, record)["mortality"] >= limits["age_refer_from_mortality"]
    complete = not any(math.isnan(record[name]) for name in NEEDED)
    rules = (
        (not found, "refer", "no-record"),
        (not complete, "refer", "incomplete-record"),
        (ratio >= limits["decline_from"], "decline", main),
        (ratio >= limits["refer_from"], "refer", main),
        (old, "refer", "age"),
        (ratio >= limits["loading_from"], "accept-with-loading", main),
        (True, "accept", "none"),
    )
    conclusion, reason = [(c, r) for applies, c, r in rules if applies][0]  # noqa: RUF015 every rule is looked at
    return {"conclusion": conclusion, "reason_class": reason}


def features(record: Record) -> dict[str, float]:
    """Return the model's covariates of a record; NaN where it does not know."""
    body_mass_index = record["weight_kg"] / (record["height_cm"] / 100) ** 2
    plain = ("age_years", "male", "systolic_mmhg", "cholesterol_mg_dl", *FINDINGS)
    return {name: record[name] for name in plain} | {
        "overweight_kg_m2": _above(body_mass_index, 25),
        "underweight_kg_m2": _above(21, body_mass_index),
        "cigarettes_per_day": record["cigarettes_per_day"],
        "share_of_life_smoked": record["smoking_years"] / record["age_years"],
    }


def mortality(model: Model, record: Record) -> float:
    """Return the model's probability of death in the study's follow-up."""
    total = sum(_contributions(model, record).values())
    return _logistic(_peer_score(model, record) + total)


def peer_mortality(model: Model, record: Record) -> float:
    """Return the mortality of a typical person of the same age and sex."""
    return _logistic(_peer_score(model, record))


def mortality_ratio(model: Model, record: Record) -> float:
    """Return the hazard over that of a typical person of the same age and sex.

    The hazard of the follow-up, -ln(1 - mortality), keeps ratios meaningful where
    mortality is high. 1 is typical; insurers say "150 %" for 1.5.
    """
    usual = peer_mortality(model, record)
    return math.log1p(-mortality(model, record)) / math.log1p(-usual)


def peers(model: Model, record: Record) -> PeerGroup:
    """Return the applicant's band of age and sex; the youngest if they are unknown."""
    groups = model["peers"]
    same_sex = [g for g in groups if g["male"] == record["male"]] or groups
    return max(
        same_sex,
        key=lambda g: (g["age_from"] <= record["age_years"]) * g["age_from"],
    )


def _contributions(model: Model, record: Record) -> dict[str, float]:
    """Return each feature's share of the log odds over a typical peer's."""
    values, typical = features(record), peers(model, record)["typical"]
    shares: dict[str, float] = {}
    for feature in model["features"]:
        name = feature["name"]
        usual = values[name] if name in ("age_years", "male") else typical[name]
        excess = (values[name] - usual) / feature["scale"] * feature["coefficient"]
        shares[name] = 0.0 if math.isnan(excess) else excess
    return shares


def _peer_score(model: Model, record: Record) -> float:
    """Return the log odds of a typical person of the applicant's own age and sex."""
    typical = peers(model, record)["typical"]
    score = model["intercept"]
    for feature in model["features"]:
        name = feature["name"]
        own = record[name] if name in ("age_years", "male") else math.nan
        value = typical[name] if math.isnan(own) else own
        score += (value - feature["mean"]) / feature["scale"] * feature["coefficient"]
    return score


def _one_table(records: Sequence[pa.Table]) -> pa.Table:
    parts = [table.select(SCHEMA.names).cast(SCHEMA) for table in records]
    return pa.concat_tables([SCHEMA.empty_table(), *parts])


def _numbers(column: pa.ChunkedArray) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    filled = pc.fill_null(column.cast(pa.float64()), math.nan)
    return np.array(filled.to_numpy(), dtype=np.float64)


def _mean(
    values: np.ndarray[tuple[int], np.dtype[np.float64]],
    match: np.ndarray[tuple[int], np.dtype[np.bool]],
) -> float:
    known = match & ~np.isnan(values)
    count = int(known.sum())
    total = float(np.where(known, values, 0.0).sum())
    return total / count if count else math.nan


def _worst(
    values: np.ndarray[tuple[int], np.dtype[np.float64]],
    match: np.ndarray[tuple[int], np.dtype[np.bool]],
) -> float:
    known = match & ~np.isnan(values)
    highest = float(np.where(known, values, -math.inf).max(initial=-math.inf))
    return highest if math.isfinite(highest) else math.nan


def _above(value: float, limit: float) -> float:
    excess = value - limit
    return excess if math.isnan(excess) else max(excess, 0.0)


def _logistic(score: float) -> float:
    return 1 / (1 + math.exp(-score))
