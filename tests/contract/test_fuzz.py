import numpy as np
import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from fraud import codecs
from fraud.bundle import ModelBundle
from fraud.serving.app import create_app
from fraud.settings import ServingSettings
from tests.hostile import NAMES, Sent, requests, with_kinds
from tests.spellings import CSV_ONLY, Spelled, midpoint, spelled
from tests.verdicts import NUMBERS, judge, mismatch, numbers

BAD_LINE = b"[1, 2]"


def examples(count: int, *, shrink: bool = True) -> settings:
    """Return the same examples in every run: a failure is of the change at hand."""
    return settings(
        max_examples=count,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate, *([Phase.shrink] if shrink else [])],
        suppress_health_check=[*HealthCheck],
    )


@pytest.fixture(scope="module")
def mixed(bundle: ModelBundle) -> ModelBundle:
    return with_kinds(bundle)


def client_of(bundle: ModelBundle, **told: str) -> FlaskClient:
    return create_app(bundle, ServingSettings.model_validate(told)).test_client()


def assert_well(client: FlaskClient, bundle: ModelBundle, sent: Sent, *, is_batch: bool) -> None:
    fault, _ = judge(client, bundle.schema, sent, is_batch=is_batch)

    assert not fault, fault


@pytest.fixture(scope="module")
def live(bundle: ModelBundle) -> FlaskClient:
    return client_of(bundle)


@pytest.fixture(scope="module")
def batch(bundle: ModelBundle) -> FlaskClient:
    return client_of(bundle, SAGEMAKER_BATCH="true")


@pytest.fixture(scope="module")
def live_mixed(mixed: ModelBundle) -> FlaskClient:
    return client_of(mixed)


@pytest.fixture(scope="module")
def batch_mixed(mixed: ModelBundle) -> FlaskClient:
    return client_of(mixed, SAGEMAKER_BATCH="true")


NESTED = b"[" * 300 + b"]" * 300


@examples(2600)
@given(sent=requests())
@example(sent=Sent(b"[" * 100_000 + b"]" * 100_000, codecs.JSON))
@example(sent=Sent(b"[[" + b"9" * 1_000_000 + b"]]", codecs.JSON))
@example(sent=Sent(b"," * 11 + b"1\r" + b"," * 18))  # two rows, that a reader of JSON takes for one
@example(sent=Sent(b"," * 1_000_000))
@example(sent=Sent(b'"' * 1_000_001))
@example(sent=Sent(b"\n" * 1_000_000))
@example(sent=Sent(b"1\n" * 100_000))
def test_any_request_is_answered(live: FlaskClient, bundle: ModelBundle, sent: Sent) -> None:
    """Whatever is sent is scored row by row or refused in few words, within a second."""
    assert_well(live, bundle, sent, is_batch=False)


@examples(1400)
@given(sent=requests())
@example(sent=Sent(b"a\rb\n"))
@example(sent=Sent(b'"' + b"x" * 200_000 + b'"\n1,2\n'))
@example(sent=Sent(",".join(NAMES).encode() + b"\n", accept=codecs.JSON_LINES))
@example(sent=Sent(b"[[" + NESTED + b"],[1]]", codecs.JSON))
@example(sent=Sent(b"x\n" * 1000))
def test_any_batch_is_answered_line_by_line(batch: FlaskClient, bundle: ModelBundle, sent: Sent) -> None:
    """Whatever a file holds, a batch job gets as many records as it sent lines (S44-S46)."""
    assert_well(batch, bundle, sent, is_batch=True)


@examples(700)
@given(sent=requests())
def test_any_request_to_a_model_of_several_kinds(live_mixed: FlaskClient, mixed: ModelBundle, sent: Sent) -> None:
    """The same where columns are categories and booleans, whose cells take other ways."""
    assert_well(live_mixed, mixed, sent, is_batch=False)


@examples(500)
@given(sent=requests())
def test_any_batch_to_a_model_of_several_kinds(batch_mixed: FlaskClient, mixed: ModelBundle, sent: Sent) -> None:
    """The same in batch."""
    assert_well(batch_mixed, mixed, sent, is_batch=True)


def assert_same(client: FlaskClient, bundle: ModelBundle, found: Spelled) -> None:
    fault = mismatch(client, bundle, found)

    assert not fault, fault


@examples(300)
@given(found=spelled(st.just(1)))
def test_one_row_in_any_spelling(live: FlaskClient, bundle: ModelBundle, found: Spelled) -> None:
    """One row is answered as its float32 values are scored, to the last bit, however its numbers are spelled."""
    assert_same(live, bundle, found)


@examples(200)
@given(found=spelled(st.integers(2, 12)))
def test_rows_in_any_spelling(live: FlaskClient, bundle: ModelBundle, found: Spelled) -> None:
    """The same for some rows."""
    assert_same(live, bundle, found)


@examples(100)
@given(found=spelled(st.integers(30, 120)))
def test_a_longer_body_in_any_spelling(live: FlaskClient, bundle: ModelBundle, found: Spelled) -> None:
    """The same for a body of more than 4 KB, that other parsers read."""
    assert_same(live, bundle, found)


@examples(12, shrink=False)
@given(found=spelled(st.just(6000)))
def test_a_large_body_in_any_spelling(live: FlaskClient, bundle: ModelBundle, found: Spelled) -> None:
    """The same for a body of more than 1 MB, that is read in blocks."""
    assert_same(live, bundle, found)


@pytest.mark.parametrize("rows", [1, 400])
@pytest.mark.parametrize("way", CSV_ONLY)
def test_a_number_between_two_others(bundle: ModelBundle, way: str, rows: int) -> None:
    """What lies between two float32 values is rounded as its float64 is, which a parser must not miss by one bit."""
    values = [[midpoint(value) for value in row] for row in np.random.default_rng(0).normal(size=(rows, len(NAMES)))]
    body = "\n".join(",".join(map(CSV_ONLY[way], row)) for row in values).encode()

    X = np.concatenate([bundle.schema.rows(table).X for table in codecs.decode(codecs.CSV, body, bundle.schema)])

    np.testing.assert_array_equal(X, np.array(values).astype(np.float32))


@examples(60)
@given(found=spelled(st.integers(1, 40)), places=st.lists(st.integers(0, 40), max_size=5))
def test_bad_lines_leave_the_others_as_they_are(
    batch: FlaskClient, bundle: ModelBundle, found: Spelled, places: list[int]
) -> None:
    """In batch a line among bad ones is answered as it is scored alone, to the last bit, and in its place."""
    lines = found.bodies[codecs.JSON_LINES].rstrip(b"\r\n").split(b"\n")
    for place in places:
        lines.insert(place, BAD_LINE)
    is_row = np.array([line != BAD_LINE for line in lines])

    answer = batch.post("/invocations", data=b"\n".join(lines), content_type=codecs.JSON_LINES, headers=NUMBERS)

    answered = answer.data.splitlines(keepends=True)
    scores = bundle.score(found.X)
    np.testing.assert_array_equal([b"error" not in line for line in answered], is_row)
    kept = b"".join(line for line in answered if b"error" not in line)
    right = np.column_stack([scores.probability, scores.raw_score])
    np.testing.assert_array_equal(numbers(codecs.JSON_LINES, kept), right)
