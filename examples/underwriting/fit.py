# SPDX-License-Identifier: Apache-2.0
"""Fit the underwriting model: the algorithm provider's work, before any hospital's.

    python -m examples.underwriting.fit [--out examples/underwriting/app/model.json]

A logistic regression of death in the follow-up (1983 to 1992) on what was known
before it, fitted to the public half of the study. No burden on health may lower the
risk: coefficients are bounded below by zero, so an applicant who is worse off is never
better rated, and a covariate whose data say otherwise (or nothing) gets zero. A ridge
penalty keeps rare findings small. A missing value counts as what is typical of the
person's age and sex, here and in the enclave: both use the app's own functions.
"""

import argparse
import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.optimize import minimize
from sklearn.metrics import roc_auc_score

from examples.underwriting.app import underwrite as app
from examples.underwriting.data import CITATION, Person, persons, pick

Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]

CLASSES = {
    "age_years": "age",
    "male": "age",
    "systolic_mmhg": "cardiovascular",
    "high_blood_pressure": "cardiovascular",
    "heart_failure": "cardiovascular",
    "weak_heart_medicine": "cardiovascular",
    "overweight_kg_m2": "metabolic",
    "underweight_kg_m2": "metabolic",
    "cholesterol_mg_dl": "metabolic",
    "diabetes": "metabolic",
    "asthma": "respiratory",
    "chronic_bronchitis": "respiratory",
    "tuberculosis": "respiratory",
    "chronic_cough": "respiratory",
    "cigarettes_per_day": "lifestyle",
    "share_of_life_smoked": "lifestyle",
    "inactivity_grade": "lifestyle",
    "no_exercise_grade": "lifestyle",
}
AGE_BANDS = (25, 35, 45, 55, 65)
THRESHOLDS: app.Thresholds = {
    "loading_from": 1.5,
    "refer_from": 2.25,
    "decline_from": 3.0,
    "age_refer_from_mortality": 0.6,
}
RIDGE = 10.0
FOLDS = 5
DECIMALS = 6  # coarser than any difference between linear algebra libraries


def known(person: Person) -> dict[str, float]:
    """Return a person as the app sees one: NaN where unknown."""
    record = {k: math.nan if v is None else v for k, v in person.clinical.items()}
    return record | {"male": float(person.sex == "male")}


def fit(sample: Sequence[Person]) -> app.Model:
    """Return the model fitted to `sample`; the same sample gives the same model."""
    records = [known(person) for person in sample]
    died = np.array([person.died for person in sample], dtype=np.float64)
    values = np.array([_row(record) for record in records])
    groups = [
        _peer_group(records, values, died, male, age_from)
        for male in (0, 1)
        for age_from in AGE_BANDS
    ]
    blank: app.Model = {
        "source": CITATION,
        "intercept": 0.0,
        "features": [],
        "peers": groups,
        "thresholds": THRESHOLDS,
    }
    for row, record in zip(values, records, strict=True):
        typical = np.array([*app.peers(blank, record)["typical"].values()])
        row[np.isnan(row)] = typical[np.isnan(row)]
    mean, scale = values.mean(axis=0), values.std(axis=0)
    scale[scale == 0] = 1.0
    solution = _minimise((values - mean) / scale, died)
    blank["intercept"] = round(float(solution[0]), DECIMALS)
    blank["features"] = [
        {
            "name": name,
            "reason_class": reason_class,
            "mean": round(float(mean[i]), DECIMALS),
            "scale": round(float(scale[i]), DECIMALS),
            "coefficient": round(float(solution[i + 1]), DECIMALS),
        }
        for i, (name, reason_class) in enumerate(CLASSES.items())
    ]
    return blank


def auc(model: app.Model, sample: Sequence[Person]) -> float:
    """Return the area under the ROC curve of the app's own mortality."""
    died = [person.died for person in sample]
    scores = [app.mortality(model, known(person)) for person in sample]
    return float(roc_auc_score(died, scores))


def age_auc(sample: Sequence[Person]) -> float:
    """Return the same for age alone: what the model has to beat."""
    ages = [person.clinical["age_years"] for person in sample]
    return float(roc_auc_score([person.died for person in sample], ages))


def cross_validate(sample: Sequence[Person]) -> tuple[list[float], list[float]]:
    """Return the AUC of each fold fitted without it, and that of age alone."""
    models, ages = [], []
    for fold in range(FOLDS):
        rest = [p for p in sample if pick("fold", p.number, FOLDS) != fold]
        held = [p for p in sample if pick("fold", p.number, FOLDS) == fold]
        models.append(auc(fit(rest), held))
        ages.append(age_auc(held))
    return models, ages


def main() -> None:
    """Fit, say how good it is, write model.json."""
    default = Path(__file__).parent / "app" / "model.json"
    parser = argparse.ArgumentParser(description="Fit the underwriting model.")
    parser.add_argument("--out", type=Path, default=default, help="a file")
    out: Path = parser.parse_args().out
    everyone = persons()
    public = [person for person in everyone if person.is_public]
    patients = [person for person in everyone if not person.is_public]
    folds, ages = cross_validate(public)
    model = fit(public)
    out.write_text(json.dumps(model, indent=1) + "\n", encoding="utf-8")
    deaths = sum(person.died for person in public)
    sys.stdout.write(
        f"fitted on {len(public)} public persons, {deaths} deaths\n"
        f"AUC, {FOLDS}-fold cross-validated: {np.mean(folds):.3f}"
        f" (folds {min(folds):.3f} to {max(folds):.3f})"
        f"; age alone {np.mean(ages):.3f}\n"
        f"AUC, {len(patients)} hospital patients: {auc(model, patients):.3f}"
        f"; age alone {age_auc(patients):.3f}\n"
        f"{_observed_over_expected(model, patients)}\n"
    )


def _observed_over_expected(model: app.Model, sample: Sequence[Person]) -> str:
    limit = model["thresholds"]["loading_from"]
    rated = [
        person
        for person in sample
        if app.mortality_ratio(model, known(person)) >= limit
    ]
    observed = sum(person.died for person in rated)
    expected = sum(app.peer_mortality(model, known(person)) for person in rated)
    return (
        f"{len(rated)} hospital patients rated {limit} or more: {observed} deaths, "
        f"{expected:.1f} expected of their age and sex"
    )


def _row(record: dict[str, float]) -> list[float]:
    values = app.features(record)
    return [values[name] for name in CLASSES]


def _peer_group(
    records: Sequence[dict[str, float]],
    values: Array,
    died: Array,
    male: int,
    age_from: int,
) -> app.PeerGroup:
    bands = [max(b for b in AGE_BANDS if b <= r["age_years"]) for r in records]
    chosen = np.array(
        [
            r["male"] == male and band == age_from
            for r, band in zip(records, bands, strict=True)
        ]
    )
    own, overall = values[chosen], np.nanmean(values, axis=0)
    count = np.sum(~np.isnan(own), axis=0)
    # One person of the whole sample's mean steadies the mean of a thin band.
    typical = (np.nansum(own, axis=0) + overall) / (count + 1)
    return {
        "male": male,
        "age_from": age_from,
        "persons": int(chosen.sum()),
        "mortality": round(float(died[chosen].mean()), DECIMALS),
        "typical": {
            name: round(float(typical[i]), DECIMALS) for i, name in enumerate(CLASSES)
        },
    }


def _minimise(standard: Array, died: Array) -> Array:
    """Return intercept and coefficients of least penalised log loss, bounded by 0."""

    def loss(weights: Array) -> tuple[float, Array]:
        score = weights[0] + standard @ weights[1:]
        residual = 1 / (1 + np.exp(-score)) - died
        value = np.sum(np.logaddexp(0, score) - died * score)
        penalty = RIDGE / 2 * np.sum(weights[1:] ** 2)
        slope = standard.T @ residual + RIDGE * weights[1:]
        return float(value + penalty), np.array([residual.sum(), *slope])

    free, burdens = (None, None), [(0.0, None)] * standard.shape[1]
    result = minimize(
        loss,
        np.zeros(standard.shape[1] + 1),
        jac=True,
        method="L-BFGS-B",
        bounds=[free, *burdens],
        options={"ftol": 1e-15, "gtol": 1e-10, "maxiter": 10_000, "maxfun": 10_000},
    )
    return np.asarray(result.x, dtype=np.float64)


if __name__ == "__main__":
    main()
