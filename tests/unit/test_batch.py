import csv
import io
import json
import time
from collections.abc import Sequence

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from werkzeug.test import TestResponse

from fraud import codecs
from fraud.bundle import ModelBundle
from fraud.serving import app
from fraud.settings import ServingSettings
from tests.processes import ROOT

TABLE = (ROOT / "test_dir/input/data/train/transactions.csv").read_text().splitlines()
ROWS = [line.rsplit(",", 1)[0].encode() for line in TABLE[1:]]
HEADER = TABLE[0].rsplit(",", 1)[0].encode()
ROW = ROWS[0]
ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"
LINES = codecs.JSON_LINES


@pytest.fixture(scope="module")
def client(bundle: ModelBundle) -> FlaskClient:
    return app.create_app(bundle, ServingSettings(SAGEMAKER_BATCH=True)).test_client()


@pytest.fixture(scope="module")
def strict(bundle: ModelBundle) -> FlaskClient:
    return app.create_app(bundle, ServingSettings(SAGEMAKER_BATCH=True, FRAUD_BATCH_STRICT=True)).test_client()


def lines_of(answer: TestResponse) -> list[str]:
    """Return the lines of an answer, each of which ends."""
    assert answer.status_code == 200, answer.text
    assert answer.text.endswith("\n")
    return answer.text.split("\n")[:-1]


def errors_told(answer: TestResponse) -> int:
    return int(dict(pair.split("=") for pair in answer.headers[ATTRIBUTES].split(";")).get("errors", 0))


def as_json(row: bytes) -> bytes:
    return b"[" + row + b"]"


BAD_CSV = [
    pytest.param(b"1,2", "has 2 cells; this model reads 30", id="too few cells"),
    pytest.param(ROW + b",5", "has 31 cells", id="too many cells"),
    pytest.param(ROW[:-1] + b"x", 'column "Amount": "111.3x" is not a number', id="a word"),
    pytest.param(ROW + b"e99", 'column "Amount": "1.1132e+101" is not a finite number', id="endless"),
    pytest.param(b"", "the line is empty", id="blank"),
    pytest.param(b"  \t", "the line is empty", id="spaces"),
    pytest.param(b"\xff" + ROW, "is not UTF-8 text", id="not UTF-8"),
    pytest.param(ROW + b"\x00", 'column "Amount": ', id="NUL"),
    pytest.param(b'"' + ROW, "is not CSV", id="a quote left open"),
    pytest.param(ROW + b'"', 'column "Amount": ', id="a quote at the end"),
    pytest.param(b'"1"2' + ROW, "is not CSV", id="a quote too many"),
    pytest.param(HEADER, 'column "Time": "Time" is not a number', id="a header in the middle"),
    pytest.param(ROW + b"\r" + ROW, "holds 2 rows where one belongs", id="two rows on a line"),
    pytest.param(b"x" * 200_000, "field larger than", id="an endless cell"),
    pytest.param(b'{"error": "Time"}', "the body reads as JSON", id="JSON"),
]
BAD_LINES = [
    pytest.param(b"[1,2]", "has 2 cells; this model reads 30", id="too few cells"),
    pytest.param(as_json(ROW[:-1] + b"1e99"), 'column "Amount": ', id="endless"),
    pytest.param(as_json(ROW)[:-1], "is not JSON", id="cut off"),
    pytest.param(as_json(ROW + b',"x"'), "has 31 cells", id="too many cells"),
    pytest.param(b"", "the line is empty", id="blank"),
    pytest.param(b" ", "the line is empty", id="a space"),
    pytest.param(b"\xff", "is not JSON", id="not UTF-8"),
    pytest.param(b"\x00", "is not JSON", id="NUL"),
    pytest.param(b"null", "is no row", id="null"),
    pytest.param(b'{"Amonut": 5}', 'did you mean "Amount"?', id="an unknown name"),
    pytest.param(ROW, "is not JSON", id="CSV"),
    pytest.param(b"[" * 100_000, "is not JSON", id="endless brackets"),
    pytest.param(as_json(ROW) * 2, "is not JSON", id="two rows on a line"),
]


@pytest.mark.parametrize(("bad", "words"), BAD_CSV)
@pytest.mark.parametrize("end", [pytest.param(b"\n", id="LF"), pytest.param(b"\r\n", id="CRLF")])
def test_a_bad_line_of_csv_is_told_in_its_place(client: FlaskClient, bad: bytes, words: str, end: bytes) -> None:
    """Each line has one of output, in its order; a bad one says why, in as many cells, and is counted (S44, S46)."""
    body = end.join([ROWS[1], bad, ROWS[2], bad, ROWS[3]]) + end
    headers = {ATTRIBUTES: "output=probability,decision,reasons"}
    alone = [lines_of(client.post("/invocations", data=row, headers=headers))[0] for row in ROWS[1:4]]

    answer = client.post("/invocations", data=body, headers=headers)

    found = lines_of(answer)
    parsed = list(csv.reader(io.StringIO(answer.text)))
    assert [found[0], found[2], found[4]] == alone
    assert found[1] == found[3]
    assert parsed[1][0].startswith("ERROR: ")
    assert words in parsed[1][0]
    assert [len(cells) for cells in parsed] == [3] * 5
    assert parsed[1][1:] == ["", ""]
    assert errors_told(answer) == 2


@pytest.mark.parametrize(("bad", "words"), BAD_LINES)
def test_a_bad_line_of_json_is_told_in_its_place(client: FlaskClient, bad: bytes, words: str) -> None:
    """The same for JSON Lines, where it is an object with an error."""
    body = b"\n".join([as_json(ROWS[1]), bad, as_json(ROWS[2]), bad, b""])

    answer = client.post("/invocations", data=body, content_type=LINES)

    found = [json.loads(line) for line in lines_of(answer)]
    assert [set(line) for line in found] == [{"probability", "predicted_label"}, {"error"}] * 2
    assert words in found[1]["error"]
    assert errors_told(answer) == 2


@pytest.mark.parametrize("content_type", [codecs.CSV, LINES])
@pytest.mark.parametrize("count", [1, 2, 17, 300])
@pytest.mark.parametrize("end", [b"", b"\n"])
def test_every_line_has_one(client: FlaskClient, content_type: str, count: int, end: bytes) -> None:
    """A body of one line or of many, its last ended or not, gives as many, each of them ended (S44)."""
    written = ROWS[:count] if content_type == codecs.CSV else list(map(as_json, ROWS[:count]))

    answer = client.post("/invocations", data=b"\n".join(written) + end, content_type=content_type)

    assert len(lines_of(answer)) == count
    assert "errors=" not in answer.headers[ATTRIBUTES]


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("header", [HEADER, HEADER.upper(), b'"' + HEADER.replace(b",", b'","') + b'"'])
def test_a_header_gives_a_header(client: FlaskClient, header: bytes, mark: bytes, end: bytes) -> None:
    """A first line that names the columns is answered with names, and the rows stay beside theirs (S45)."""
    body = mark + end.join([header, ROWS[0], b"bad", ROWS[1]])
    asked = {ATTRIBUTES: "output=probability,decision"}

    found = lines_of(client.post("/invocations", data=body, headers=asked))

    assert found[0] == "probability,decision"
    assert [line.startswith('"ERROR') for line in found[1:]] == [False, True, False]
    assert found[1] == lines_of(client.post("/invocations", data=ROWS[0], headers=asked))[0]


def test_a_header_alone_gives_a_header(client: FlaskClient) -> None:
    """A mini-batch of nothing but the header is answered with a header and nothing else."""
    assert lines_of(client.post("/invocations", data=HEADER + b"\n")) == ["probability"]
    assert lines_of(client.post("/invocations", data=HEADER)) == ["probability"]
    assert lines_of(client.post("/invocations", data=HEADER, content_type="text/csv; header=present")) == [
        "probability"
    ]


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(b",".join(reversed(HEADER.split(b","))), id="another order"),
        pytest.param(HEADER.rpartition(b",")[0], id="one column less"),
        pytest.param(HEADER + b",Class", id="the label too"),
        pytest.param(HEADER.replace(b"V7", b"V77"), id="a wrong name"),
    ],
)
def test_a_header_that_cannot_hold_for_all_is_refused(client: FlaskClient, header: bytes) -> None:
    """The other mini-batches have no header, and would be read by position: the job is told at once (S45)."""
    answer = client.post("/invocations", data=header + b"\n" + ROW)

    assert answer.status_code == 400
    assert answer.json is not None
    assert answer.json["error"]["code"] == "DATA_COLUMN_INVALID"
    assert "header=present" in answer.json["error"]["message"]


@pytest.mark.parametrize("stated", ["present", "Present"])
def test_a_header_in_each_body_is_heeded(client: FlaskClient, stated: str) -> None:
    """Where the content type states a header the columns are found by name, bad lines in their places."""
    names, cells = HEADER.split(b","), [row.split(b",") for row in ROWS[:2]]
    turned = [b",".join(reversed(line)) for line in (names, *cells)]
    body = b"\n".join([turned[0], turned[1], b"1,2", turned[2]])
    plain = lines_of(client.post("/invocations", data=b"\n".join(ROWS[:2])))

    found = lines_of(client.post("/invocations", data=body, content_type=f"text/csv; header={stated}"))

    assert [found[0], found[1], found[3]] == ["probability", *plain]
    assert found[2] == "ERROR: has 2 cells; 30 columns are named"


def test_a_header_that_is_denied_is_a_row(client: FlaskClient) -> None:
    """With `header=absent` the first line is a record like any other; with `header=present` it has to be a header."""
    denied = lines_of(client.post("/invocations", data=HEADER + b"\n" + ROW, content_type="text/csv; header=absent"))
    stated = client.post("/invocations", data=ROW + b"\n" + ROW, content_type="text/csv; header=present")

    assert [line.startswith('"ERROR') for line in denied] == [True, False]
    assert stated.status_code == 400
    assert b"there is no column" in stated.data


@pytest.mark.parametrize("body", [b"", b"\n", b" \r\n\t\n"])
@pytest.mark.parametrize("content_type", codecs.DECODERS)
def test_a_blank_body_holds_nothing(client: FlaskClient, body: bytes, content_type: str) -> None:
    """An empty body is refused (S30); one of blank lines has a line of output for each."""
    answer = client.post("/invocations", data=body, content_type=content_type)

    if body and content_type != codecs.JSON:
        assert lines_of(answer) == [line for line in lines_of(answer) if "the line is empty" in line]
        assert answer.data.count(b"\n") == body.count(b"\n")
    elif not body:
        assert answer.status_code == 400


def test_a_document_is_salvaged(client: FlaskClient) -> None:
    """In a JSON document each bad instance becomes an error in its place; the document ends in a newline."""
    good = json.loads(as_json(ROW))
    document = {"instances": [good, [1, 2], {"Amount": "x"}, None, "x", [[good]], {"features": good}]}

    answer = client.post("/invocations", json=document)

    found = json.loads(answer.data)["predictions"]
    assert answer.data.endswith(b"}\n")
    assert ["error" in record for record in found] == [False, True, True, True, True, True, False]
    assert found[0] == found[-1]
    assert errors_told(answer) == 5


@pytest.mark.parametrize("body", [b'{"instances": [', b"[1,\n", b"5", b'{"instances": []}', b"\xff", b"[" * 100_000])
def test_a_document_that_is_none_is_one_error(client: FlaskClient, body: bytes) -> None:
    """A body that is no document of rows is one bad record, and fails no file (S46)."""
    answer = client.post("/invocations", data=body, content_type="application/json")

    assert answer.status_code == 200
    assert [set(record) for record in json.loads(answer.data)["predictions"]] == [{"error"}]


@pytest.mark.parametrize("where", [b"[[1,%b]]", b'{"instances":[%b,[1]]}'])
def test_a_deep_instance_is_an_error(client: FlaskClient, where: bytes) -> None:
    """An instance nested deeper than JSON can be written again is a bad record."""
    answer = client.post("/invocations", data=where % (b"[" * 300 + b"]" * 300), content_type="application/json")

    assert answer.status_code == 200
    assert all("error" in record for record in json.loads(answer.data)["predictions"])


STRICT = [
    pytest.param(b"\n".join([ROW, b"1,2", ROW]), codecs.CSV, "row 2 has 2 cells", id="CSV"),
    pytest.param(b"\n".join([HEADER, ROW, b"1,2"]), codecs.CSV, "row 2 has 2 cells", id="CSV with a header"),
    pytest.param(ROW + b"\n\n", codecs.CSV, "2 lines hold 1 rows; a line is empty", id="CSV with a blank line"),
    pytest.param(as_json(ROW) + b"\n[1]", LINES, "row 2 has 1 cells", id="JSON Lines"),
    pytest.param(as_json(ROW) + b"\n\n", LINES, "2 lines hold 1 rows; a line is empty", id="JSON Lines, a blank one"),
    pytest.param(b'{"instances": [[1]]}', codecs.JSON, "row 1 has 1 cells", id="JSON"),
    pytest.param(b" \n", codecs.CSV, "empty", id="nothing"),
]


@pytest.mark.parametrize(("body", "content_type", "words"), STRICT)
def test_strict_fails_the_file(strict: FlaskClient, body: bytes, content_type: str, words: str) -> None:
    """With FRAUD_BATCH_STRICT a bad record fails the request and so the job, and names the row (S46)."""
    answer = strict.post("/invocations", data=body, content_type=content_type)

    assert answer.status_code == 400
    assert answer.json is not None
    assert words in answer.json["error"]["message"]


@pytest.mark.parametrize("content_type", [codecs.CSV, LINES])
@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_strict_scores_what_is_right(strict: FlaskClient, content_type: str, end: bytes) -> None:
    """Strict or not, good lines have one each, and a header has its own."""
    written = ROWS[:3] if content_type == codecs.CSV else list(map(as_json, ROWS[:3]))
    headed = strict.post("/invocations", data=b"\n".join([HEADER, *ROWS[:3]]))

    answer = strict.post("/invocations", data=(end or b"\n").join(written) + end, content_type=content_type)

    assert len(lines_of(answer)) == 3
    assert lines_of(headed)[0] == "probability"
    assert len(lines_of(headed)) == 4


def test_an_unknown_charset_fails_the_file(client: FlaskClient) -> None:
    """Text that is stated to be no UTF-8 is not read as if it were: 415, and not a file of errors."""
    answer = client.post("/invocations", data=ROW, content_type="text/csv; charset=latin-1")

    assert answer.status_code == 415
    assert b"latin-1" in answer.data


@pytest.mark.parametrize("content_type", ["image/png", "application/x-parquet"])
def test_a_type_that_is_not_read_fails_the_file(client: FlaskClient, content_type: str) -> None:
    """What nothing here reads is 415 in batch too."""
    assert client.post("/invocations", data=ROW, content_type=content_type).status_code == 415


def test_lines_that_make_up_for_each_other_are_told_apart(client: FlaskClient) -> None:
    """One line that is two rows and an empty one after it are two errors, and not two scores."""
    found = lines_of(client.post("/invocations", data=ROW + b"\r" + ROW + b"\n\n"))

    assert found == ["ERROR: holds 2 rows where one belongs", "ERROR: the line is empty"]


def test_a_cell_over_two_lines_is_two_errors(client: FlaskClient) -> None:
    """SageMaker cuts at line ends alone: a quoted cell with one in it is no row, though CSV knows it (S44)."""
    rest = ROW.split(b",", 1)[1]

    found = lines_of(client.post("/invocations", data=b'"\n5",' + rest + b"\n5," + rest))

    assert ["ERROR: " in line for line in found] == [True, True, False]


def test_errors_are_counted(client: FlaskClient) -> None:
    """Each bad record is counted in /metrics by its reason, each good one as a row (S68)."""

    def counts() -> dict[str, float]:
        families = text_string_to_metric_families(client.get("/metrics").text)
        samples = [sample for family in families for sample in family.samples if sample.name.endswith("_total")]
        return {sample.labels.get("reason", sample.name): sample.value for sample in samples}

    before = counts()

    client.post("/invocations", data=b"\n".join([*ROWS[:5], b"1,2", b"", b"3", ROW[:-1] + b"x"]))

    grown = {name: value - before[name] for name, value in counts().items() if value != before[name]}
    assert (grown["ROW_WIDTH_INVALID"], grown["ROW_INVALID"], grown["BODY_INVALID"]) == (2, 1, 1)
    assert grown["fraud_rows_total"] == 5


def test_a_few_bad_lines_cost_little(client: FlaskClient) -> None:
    """Of 10,000 lines the ten bad ones are found without scoring each line alone, which would take many times this."""
    lines = [ROWS[number % len(ROWS)] for number in range(10_000)]
    for number in range(10):
        lines[number * 997] = b"bad"
    started = time.monotonic()

    answer = client.post("/invocations", data=b"\n".join(lines))

    found = lines_of(answer)
    assert time.monotonic() - started < 5
    assert [number for number, line in enumerate(found) if "ERROR" in line] == [number * 997 for number in range(10)]
    assert errors_told(answer) == 10


FRAGMENTS = [
    *(ROW, ROW, b"\n", b"\n", b"\n", b"\r\n", b"\r", b"1,2", b",", b'"', b'""', b"\xff", b"\x00", b"\xef\xbb\xbf"),
    *(
        HEADER,
        b"Time",
        b"nan",
        b"[",
        b"]",
        b"{",
        b"}",
        as_json(ROW),
        b'{"Amount":1}',
        b"null",
        b"\x0b",
        b"\xe2\x80\xa8",
    ),
]
BODIES = st.one_of(
    st.lists(st.sampled_from(FRAGMENTS), max_size=14).map(b"".join),
    st.lists(st.sampled_from([ROW, as_json(ROW), b"1", b"", ROW + b"\r", b'"' + ROW + b'"']), max_size=40).map(
        b"\n".join
    ),
    st.binary(max_size=40),
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=BODIES,
    content_type=st.sampled_from([codecs.CSV, "text/csv; header=absent", "text/csv; header=present", LINES]),
)
def test_any_bytes_have_as_many_lines(client: FlaskClient, body: bytes, content_type: str) -> None:
    """Whatever a file holds, as many lines come back as went in, each a score or an error (S44, S46)."""
    answer = client.post("/invocations", data=body, content_type=content_type)

    if answer.status_code == 400:
        assert not body or b"header=present" in answer.data or "header=present" in content_type
        return
    found = lines_of(answer)
    assert len(found) == len(body.removesuffix(b"\n").split(b"\n"))
    assert all(is_record(line, content_type) for line in found)
    assert errors_told(answer) == sum("ERROR: " in line or '"error"' in line for line in found)


def is_record(line: str, content_type: str) -> bool:
    if content_type == LINES:
        return set(json.loads(line)) in ({"error"}, {"probability", "predicted_label"})
    [cells] = csv.reader([line], strict=True)
    return len(cells) == 1 and (
        cells[0].startswith("ERROR: ") or cells[0] == "probability" or 0 <= float(cells[0]) <= 1
    )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kinds=st.lists(st.sampled_from(["good", "bad", "blank"]), min_size=1, max_size=60))
def test_each_line_is_scored_as_if_alone(client: FlaskClient, kinds: Sequence[str]) -> None:
    """Whatever stands before and after it, a good line has its own score."""
    good = {ROWS[number]: number for number in range(0, 6000, 100)}
    chosen = dict(zip(range(len(kinds)), good, strict=False))
    lines = [
        chosen[number] if kind == "good" else b"1,x" if kind == "bad" else b"" for number, kind in enumerate(kinds)
    ]
    if not any(lines):
        return
    alone = lines_of(client.post("/invocations", data=b"\n".join(good)))

    found = lines_of(client.post("/invocations", data=b"\n".join(lines) + b"\n"))

    expected = [alone[number] if kind == "good" else "ERROR" for number, kind in enumerate(kinds)]
    assert [line if "ERROR" not in line else "ERROR" for line in found] == expected


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_lines_of_json_that_are_sent_as_one_document_fail_the_file(client: FlaskClient, end: bytes) -> None:
    """Rows on lines of their own under the type of a document are no bad record: the type is wrong, and is told."""
    answer = client.post("/invocations", data=b'{"Time": 1}\n{"Time": 2}' + end, content_type="application/json")

    assert answer.status_code == 400
    assert b'send \\"application/jsonlines\\"' in answer.data


@pytest.mark.parametrize(
    ("header", "words"),
    [
        pytest.param(HEADER.replace(b"V1,", b"V01,"), 'has "V01" where the model has "V1";', id="another name"),
        pytest.param(HEADER + b",Class", 'has "Class" where the model has no column;', id="one too many"),
        pytest.param(HEADER + b",nothing", 'has "nothing" where the model has no column;', id="nothing by name"),
        pytest.param(HEADER + b",", 'has "" where the model has no column;', id="one without a name"),
        pytest.param(HEADER.removesuffix(b",Amount"), 'has no column where the model has "Amount";', id="one too few"),
    ],
)
def test_a_wrong_header_is_told_by_its_first_wrong_name(client: FlaskClient, header: bytes, words: str) -> None:
    """The header of a file that is read by position is compared name by name."""
    answer = client.post("/invocations", data=header + b"\n" + ROW)

    assert answer.status_code == 400
    assert answer.json is not None
    assert words in answer.json["error"]["message"]
