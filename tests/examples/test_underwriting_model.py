# SPDX-License-Identifier: Apache-2.0

"""The underwriting model and its data (AS-3), without an enclave around them."""

import collections
import json
import math
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv
import pytest

pytest.importorskip("causaldata")
pytest.importorskip("sklearn")
ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from examples.underwriting import data, fit  # noqa: E402
from examples.underwriting.app import underwrite as app  # noqa: E402
from strongroom.application import sdk  # noqa: E402

SEVERITY = ["accept", "accept-with-loading", "refer", "decline"]
CONCLUSIONS = set(SEVERITY)
REASONS = {
    "none",
    "cardiovascular",
    "metabolic",
    "respiratory",
    "lifestyle",
    "age",
    "no-record",
    "incomplete-record",
}


@pytest.fixture(scope="module")
def everyone() -> list[data.Person]:
    return data.persons()


@pytest.fixture(scope="module")
def public(everyone: list[data.Person]) -> list[data.Person]:
    return [person for person in everyone if person.is_public]


@pytest.fixture(scope="module")
def patients(everyone: list[data.Person]) -> list[data.Person]:
    return [person for person in everyone if not person.is_public]


@pytest.fixture(scope="module")
def model(public: list[data.Person]) -> app.Model:
    return fit.fit(public)


@pytest.fixture(scope="module")
def folder(
    everyone: list[data.Person], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    path = tmp_path_factory.mktemp("hospitals")
    data.write_hospitals(path, everyone)
    return path


@pytest.fixture(scope="module")
def hospitals(folder: Path) -> list[pa.Table]:
    return [pa_csv.read_csv(folder / f"{name}.csv") for name in data.HOSPITALS]


def ask(
    model: app.Model, tables: list[pa.Table], applicant: dict[str, str]
) -> dict[str, str]:
    found, record = app.find(tables, applicant)
    return app.conclude(model, record, found=found)


def healthy() -> dict[str, float]:
    zeros = dict.fromkeys(app.FINDINGS, 0.0)
    return zeros | {
        "male": 1.0,
        "age_years": 45.0,
        "height_cm": 175.0,
        "weight_kg": 70.0,
        "systolic_mmhg": 118.0,
        "cholesterol_mg_dl": 190.0,
        "cigarettes_per_day": 5.0,
        "smoking_years": 10.0,
    }


def test_conclusions_cover_all_outcomes(
    model: app.Model, patients: list[data.Person]
) -> None:
    answers = [
        app.conclude(model, fit.known(person), found=True) for person in patients
    ]
    counts = collections.Counter(answer["conclusion"] for answer in answers)
    assert set(counts) == CONCLUSIONS
    assert counts["accept"] > len(patients) / 2
    assert {answer["reason_class"] for answer in answers} == REASONS - {"no-record"}
    for answer in answers:
        accepted = answer["conclusion"] == "accept"
        assert accepted == (answer["reason_class"] == "none")


def test_model_is_better_than_age_alone(
    model: app.Model, public: list[data.Person], patients: list[data.Person]
) -> None:
    folds, ages = fit.cross_validate(public)
    assert sum(folds) / len(folds) > 0.78
    assert sum(folds) > sum(ages)
    assert fit.auc(model, patients) > fit.age_auc(patients)


@pytest.mark.parametrize("name", [*app.FINDINGS, *app.MEASUREMENTS[3:]])
def test_more_burden_never_lowers_the_risk(model: app.Model, name: str) -> None:
    record = healthy()
    before = app.mortality_ratio(model, record)
    assert app.mortality_ratio(model, record | {name: record[name] + 1}) >= before


@pytest.mark.parametrize("weights", [(75, 95, 140), (60, 50, 40)])
def test_weight_far_from_healthy_raises_the_risk(
    model: app.Model, weights: tuple[float, ...]
) -> None:
    ratios = [app.mortality_ratio(model, healthy() | {"weight_kg": w}) for w in weights]
    assert ratios == sorted(ratios)
    assert ratios[0] < ratios[-1]


def test_mortality_rises_with_age_and_a_typical_peer_has_ratio_one(
    model: app.Model,
) -> None:
    typical = healthy() | dict.fromkeys(
        (*app.FINDINGS, *app.MEASUREMENTS[1:]), math.nan
    )
    risks = [app.mortality(model, typical | {"age_years": a}) for a in (30, 50, 70)]
    assert risks == sorted(risks)
    assert app.mortality_ratio(model, typical) == pytest.approx(1)


def test_higher_pressure_never_gets_a_milder_conclusion(model: app.Model) -> None:
    typical = app.peers(model, healthy())["typical"]
    usual = healthy() | {
        "cigarettes_per_day": typical["cigarettes_per_day"],
        "smoking_years": 45 * typical["share_of_life_smoked"],
    }
    answers = [
        app.conclude(model, usual | {"systolic_mmhg": float(mmhg)}, found=True)
        for mmhg in range(100, 400, 10)
    ]
    severity = [SEVERITY.index(answer["conclusion"]) for answer in answers]
    assert severity == sorted(severity)
    assert set(severity) == {0, 1, 2, 3}
    assert {a["reason_class"] for a in answers} == {"none", "cardiovascular"}


@pytest.mark.parametrize("name", app.NEEDED)
def test_a_missing_basic_value_is_referred(model: app.Model, name: str) -> None:
    answer = app.conclude(model, healthy() | {name: math.nan}, found=True)
    assert answer == {"conclusion": "refer", "reason_class": "incomplete-record"}


def test_demo_applicants_get_their_conclusions(
    model: app.Model, everyone: list[data.Person], hospitals: list[pa.Table]
) -> None:
    by_number = {person.number: person for person in everyone}
    for conclusion, number in data.DEMO.items():
        person = by_number[number]
        applicant = data.identity(number, person.sex)
        assert not person.is_public
        assert ask(model, hospitals, applicant)["conclusion"] == conclusion
    assert set(data.DEMO) == CONCLUSIONS
    assert len({by_number[number].hospital for number in data.DEMO.values()}) == 3
    assert data.UNKNOWN_NUMBER not in {person.number for person in everyone}
    unknown = data.identity(data.UNKNOWN_NUMBER, "female")
    nothing = {"conclusion": "refer", "reason_class": "no-record"}
    assert ask(model, hospitals, unknown) == nothing


@pytest.mark.parametrize("element", app.IDENTITY)
def test_one_wrong_element_finds_nothing(
    model: app.Model, hospitals: list[pa.Table], element: str
) -> None:
    right = data.identity(data.DEMO["decline"], "male")
    wrong = right | {element: right[element] + "0"}
    assert app.find(hospitals, right)[0]
    nothing = {"conclusion": "refer", "reason_class": "no-record"}
    assert ask(model, hospitals, wrong) == nothing


def test_elements_of_two_persons_find_nothing(hospitals: list[pa.Table]) -> None:
    one = data.identity(data.DEMO["decline"], "male")
    other = data.identity(data.DEMO["accept"], "male")
    assert not app.find(hospitals, one | {"phone": other["phone"]})[0]


def test_the_answer_is_the_same_whichever_hospital_holds_the_record(
    model: app.Model, hospitals: list[pa.Table]
) -> None:
    applicant = data.identity(data.DEMO["refer"], "male")
    turned = [hospitals[i:] + hospitals[:i] for i in range(3)]
    answers = [ask(model, tables, applicant) for tables in turned]
    assert answers[0] == answers[1] == answers[2]
    nobody = ask(model, hospitals, data.identity(data.UNKNOWN_NUMBER, "female"))
    assert list(nobody) == list(answers[0]) == ["conclusion", "reason_class"]


def test_records_of_several_hospitals_are_merged() -> None:
    one = {"full_name": "A B", "national_id": "666-00-0000", "phone": "1", "sex": None}
    blank = dict.fromkeys((*app.MEASUREMENTS, *app.FINDINGS))
    first = one | blank | {"systolic_mmhg": 120, "asthma": 1, "sex": "male"}
    second = one | blank | {"systolic_mmhg": 140, "asthma": 0, "weight_kg": 70.5}
    tables = [pa.Table.from_pylist([row]) for row in (first, second)]
    for order in (tables, tables[::-1]):
        found, record = app.find(order, {name: one[name] for name in app.IDENTITY})
        assert found
        assert (record["systolic_mmhg"], record["weight_kg"]) == (130, 70.5)
        assert (record["asthma"], record["male"]) == (1, 1)
        assert math.isnan(record["diabetes"])


def test_hospitals_share_nobody_with_each_other_or_with_the_provider(
    everyone: list[data.Person], public: list[data.Person], hospitals: list[pa.Table]
) -> None:
    ids = [i for table in hospitals for i in table["national_id"].to_pylist()]
    trained = {data.identity(p.number, p.sex)["national_id"] for p in public}
    assert len(ids) == len(set(ids)) == len(everyone) - len(public)
    assert min(table.num_rows for table in hospitals) > 200
    assert not trained & set(ids)


def test_identities_are_unique_labelled_and_nobodys(
    everyone: list[data.Person], hospitals: list[pa.Table]
) -> None:
    made_up = [data.identity(person.number, person.sex) for person in everyone]
    assert len({i["national_id"] for i in made_up}) == len(everyone)
    assert all(i["national_id"].startswith("666-") for i in made_up)
    assert all("-555-01" in i["phone"] for i in made_up)
    for table in hospitals:
        assert set(table["identity_source"].to_pylist()) == {"made-up"}
        assert "died" not in table.column_names


def test_what_a_hospital_wrote_is_what_the_app_reads(
    patients: list[data.Person], hospitals: list[pa.Table]
) -> None:
    for person in patients[:40]:
        found, record = app.find(hospitals, data.identity(person.number, person.sex))
        known = fit.known(person)
        assert found
        assert record == pytest.approx({n: known[n] for n in record}, nan_ok=True)


def test_files_and_model_are_the_same_on_every_run(
    model: app.Model,
    everyone: list[data.Person],
    public: list[data.Person],
    folder: Path,
    tmp_path: Path,
) -> None:
    data.write_hospitals(tmp_path, data.persons())
    for name in data.HOSPITALS:
        again = (tmp_path / f"{name}.csv").read_bytes()
        assert again == (folder / f"{name}.csv").read_bytes()
    assert json.dumps(fit.fit(public)) == json.dumps(model)
    assert data.applicants(everyone) == data.applicants(data.persons())


def test_the_entry_point_reads_its_model_from_its_bundle(
    model: app.Model, hospitals: list[pa.Table], tmp_path: Path
) -> None:
    (tmp_path / "model.json").write_text(json.dumps(model), encoding="utf-8")
    sdk.open_bundle(tmp_path)
    applicant = data.identity(data.DEMO["accept"], "male")
    answer = app.underwrite(hospitals, applicant)
    assert answer == {"conclusion": "accept", "reason_class": "none"}
