import gzip
import io
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from fraud.channels import Channel, data_files, read
from fraud.codecs.csv_tables import SMALL_BYTES
from fraud.errors import (
    BodyError,
    ColumnError,
    FraudError,
    LabelError,
    MediaTypeError,
    NoRowsError,
    RowError,
    RowWidthError,
)
from fraud.layout import CARD_COLUMNS, Roles
from fraud.schema import Column

ROLES = Roles("Class")
# A header, and rows enough for the parser of large blocks.
LARGE = "a,b,Class\n" + "1.5,2,0\n2.5,3,1\n" * (SMALL_BYTES // 16 + 1)


def channel_of(directory: Path, roles: Roles = ROLES, like: Channel | None = None, **files: str | bytes) -> Channel:
    """Write files (`__` in a name is a dot, and `SUB` a slash) into a channel and read it."""
    write(directory, files)
    return read(directory, roles, like)


def write(directory: Path, files: Mapping[str, str | bytes]) -> None:
    for name, content in files.items():
        path = directory / name.replace("__", ".").replace("SUB", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)


@pytest.fixture
def train(tmp_path: Path) -> Path:
    directory = tmp_path / "train"
    directory.mkdir()
    return directory


def card_line(time: float, label: str) -> str:
    return ",".join([f"{time}", *(f"{number / 8}" for number in range(1, 29)), "9.99", label])


def test_rows_and_labels(train: Path) -> None:
    """Rows are the inputs in the file's order, labels are apart, ranges are learnt, and no time is none."""
    found = channel_of(train, rows__csv="a,Class,b\n1,0,10\n2,1,\n3,0,30\n")

    np.testing.assert_array_equal(found.rows.X, np.array([[1, 10], [2, np.nan], [3, 30]], dtype=np.float32))
    np.testing.assert_array_equal(found.rows.y, np.array([0, 1, 0], dtype=np.uint8))
    assert found.rows.times is None
    assert found.schema.columns == (Column("a", minimum=1.0, maximum=3.0), Column("b", minimum=10.0, maximum=30.0))
    assert found.schema.label == "Class"


def test_sorted_files(train: Path) -> None:
    """Files are read in sorted order, sub-directories too, each with its own order of columns (T23, T28)."""
    found = channel_of(
        train,
        b__csv="Class,b,a\n1,4,3\n",
        a__csv="a,b,Class\n1,2,0\n",
        cSUBpart="B,A,CLASS\n6,5,0\n",
        dSUBrows__CSV="7,8,1\n",
    )

    np.testing.assert_array_equal(found.rows.X, [[1, 2], [3, 4], [5, 6], [7, 8]])
    np.testing.assert_array_equal(found.rows.y, [0, 1, 0, 1])


def test_skipped_files(train: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Markers, manifests, hidden and empty files are no data (T27); another file is missed aloud."""
    found = channel_of(
        train,
        _SUCCESS="x",
        __part="junk",
        rows__manifest='[{"prefix": "s3://"}]',
        empty__csv="",
        __ipynb_checkpointsSUBrows__csv="9,9,9\n",
        _temporarySUB0SUBrows__csv="9,9,9\n",
        rows__parquet=b"PAR1",
        rows__csv="a,Class\n1,0\n",
    )

    assert found.rows.X.tolist() == [[1]]
    assert [record.getMessage() for record in caplog.records] == [
        'channel "train": skipped "rows.parquet", no CSV by its name'
    ]


def test_gzip(train: Path) -> None:
    """A gzipped file is told by its first bytes, whatever it is called, and may be of several members (T26)."""
    zipped = gzip.compress(b"a,Class\n1,0\n") + gzip.compress(b"2,1\n")
    found = channel_of(train, a__csv__gz=zipped, b=zipped, c__csv=zipped, d__gz="a,Class\n3,1\n")

    assert found.rows.X.ravel().tolist() == [1, 2, 1, 2, 1, 2, 3]


@pytest.mark.parametrize(
    "damaged",
    [
        pytest.param(gzip.compress(LARGE.encode())[:-9], id="truncated"),
        pytest.param(gzip.compress(LARGE.encode())[:-8] + b"\0" * 8, id="wrong checksum"),
        pytest.param(gzip.compress(LARGE.encode())[:12] + b"\xff" * 40, id="no deflate"),
        pytest.param(b"\x1f\x8b", id="magic only"),
        pytest.param(gzip.compress(b"a,Class\n1,0\n") + b"junk", id="text behind"),
    ],
)
def test_damaged_gzip(train: Path, damaged: bytes) -> None:
    """A damaged gzip file is refused by name."""
    with pytest.raises(BodyError, match=r"^train/rows.csv.gz is not a whole gzip file: "):
        channel_of(train, rows__csv__gz=damaged)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        pytest.param({}, r'^channel "train" holds no CSV files$', id="nothing"),
        pytest.param({"_SUCCESS": "", "x__parquet": "1"}, r'holds no CSV files; skipped "x.parquet"$', id="no data"),
        pytest.param({"rows__csv": "a,Class\n"}, r'^channel "train" holds a header and no rows$', id="header only"),
        pytest.param({"rows__csv": "\n\n"}, "holds a header and no rows", id="blank lines"),
        pytest.param({"rows__csv__gz": gzip.compress(b"")}, "holds a header and no rows", id="empty gzip"),
        pytest.param(
            {"rows__csv": "", "x__txt": ""}, '"train" is empty: 0 bytes are in "rows.csv", "x.txt"$', id="empty"
        ),
    ],
)
def test_no_rows(train: Path, files: Mapping[str, str | bytes], message: str) -> None:
    """A channel without rows is refused by name, with what was skipped."""
    write(train, files)
    with pytest.raises(NoRowsError, match=message):
        read(train, ROLES)


def test_no_channel(tmp_path: Path) -> None:
    """A channel that is not there is refused by name."""
    with pytest.raises(NoRowsError, match=r'^there is no channel "train"; start the job with one'):
        data_files(tmp_path / "train")


def test_no_rows_to_compare(train: Path, tmp_path: Path) -> None:
    """A second channel without rows is refused too."""
    like = channel_of(train, rows__csv="a,Class\n1,0\n")
    with pytest.raises(NoRowsError, match=r'^channel "validation" holds a header and no rows$'):
        channel_of(tmp_path / "validation", like=like, rows__csv="a,Class\n")


@pytest.mark.parametrize("stated", ["text/csv", "TEXT/CSV; header=present", "csv"])
def test_content_type(train: Path, stated: str) -> None:
    """A channel that states CSV is read."""
    (train / "rows.csv").write_text("a,Class\n1,0\n")

    assert len(read(train, ROLES, content_type=stated).rows.y) == 1


def test_other_content_type(train: Path) -> None:
    """A channel that states another type is refused by name."""
    with pytest.raises(
        MediaTypeError, match='channel "train" has ContentType "text/libsvm"; this image reads text/csv'
    ):
        read(train, ROLES, content_type="text/libsvm")


@pytest.mark.parametrize("quote", ["", '"'])
@pytest.mark.parametrize("has_header", [True, False])
@pytest.mark.parametrize("count", [4, 400])
def test_card_data(train: Path, has_header: bool, quote: str, count: int) -> None:
    """The public card data is read with its quoted header and labels, or without a header, small or large."""
    header = [",".join(f'"{name}"' for name in CARD_COLUMNS)] * has_header
    lines = [card_line(float(number), f"{quote}{number % 2}{quote}") for number in range(count)]
    found = channel_of(train, creditcard__csv="\n".join([*header, *lines]))

    assert found.layout.names == CARD_COLUMNS
    assert found.rows.X.shape == (count, 30)
    assert found.rows.y.tolist() == [0, 1] * (count // 2)
    assert found.rows.times is not None
    assert found.rows.times.tolist() == list(range(count))
    assert found.schema.columns[1] == Column("V1", minimum=0.125, maximum=0.125)


def test_label_first(train: Path) -> None:
    """Without a header the label comes first, as the built-in algorithm has it."""
    found = channel_of(train, rows__csv="0,1.5,2\n1,2.5,3\n")

    assert found.layout.names == ("Class", "f0", "f1")
    assert found.rows.y.tolist() == [0, 1]


def test_dates(train: Path) -> None:
    """A date orders rows by its moment, in UTC where it names no zone, and is no input."""
    dates = ["2026-01-31", "2026-01-31T12:00:00", "2026-01-31T12:00:00+02:00", " 2026-01-31 12:00:00Z "]
    found = channel_of(train, rows__csv="time,a,Class\n" + "".join(f"{date},1,0\n" for date in dates))
    noon = datetime(2026, 1, 31, 12, tzinfo=UTC).timestamp()

    assert found.layout.inputs == ("a",)
    assert found.schema.ignored == ("time",)
    assert found.rows.times is not None
    assert found.rows.times.tolist() == [noon - 12 * 3600, noon, noon - 2 * 3600, noon]


def test_no_date(train: Path) -> None:
    """A time that is neither number nor date is refused by line, and not shown."""
    with pytest.raises(
        ColumnError, match=r'^channel "train": train/rows.csv, line 3, time column "time": the cell is neit'
    ) as caught:
        channel_of(train, rows__csv="time,a,Class\n2026-01-31,1,0\n31.12.2026,1,0\n")

    assert "31.12" not in str(caught.value)


def test_kinds(train: Path) -> None:
    """Words become categories, truth becomes booleans, and empty cells stay missing."""
    text = "amount,card,web,Class\n1,visa,true,0\n2,,FALSE,1\n,amex,,0\n"
    found = channel_of(train, rows__csv=text)

    assert found.schema.columns == (
        Column("amount", minimum=1.0, maximum=2.0),
        Column("card", "category", ("amex", "visa")),
        Column("web", "boolean"),
    )
    np.testing.assert_array_equal(found.rows.X, [[1, 1, 1], [2, np.nan, 0], [np.nan, 0, np.nan]])


def test_forced_categories(train: Path) -> None:
    """Numbers become categories where they are told to be, and the others keep their kind."""
    found = channel_of(train, Roles("Class", categories=("MCC",)), rows__csv="mcc,a,Class\n5411,1,0\n742,2,1\n")

    assert found.schema.columns == (Column("mcc", "category", ("5411", "742")), Column("a", minimum=1.0, maximum=2.0))
    np.testing.assert_array_equal(found.rows.X, [[0, 1], [1, 2]])


def test_excluded_identifier(train: Path) -> None:
    """A column of different words is refused as an identifier, and read without it once it is excluded."""
    text = "id,a,Class\n" + "".join(f"x{number},1,{number % 2}\n" for number in range(1001))
    with pytest.raises(ColumnError, match=r'^channel "train": column "id" holds more than 1000 different words'):
        channel_of(train, rows__csv=text)
    found = channel_of(train, Roles("Class", exclude=("ID",)))

    assert (found.layout.inputs, found.schema.ignored) == (("a",), ("id",))


def test_like(train: Path, tmp_path: Path) -> None:
    """A second channel is read by the first one's schema: names, categories, and the order where it has no header."""
    like = channel_of(train, rows__csv="card,a,Class\nvisa,1,0\namex,2,1\n")
    named = channel_of(tmp_path / "validation", like=like, rows__csv="a,Class,card\n3,1,diners\n4,0,visa\n")
    bare = channel_of(tmp_path / "test", like=like, rows__csv="amex,5,1\n")

    np.testing.assert_array_equal(named.rows.X, [[np.nan, 3], [1, 4]])
    np.testing.assert_array_equal(bare.rows.X, [[0, 5]])
    assert named.schema.columns[1] == Column("a", minimum=3.0, maximum=4.0)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        pytest.param(
            "a,c,Class",
            'validation/rows.csv: there is no column "c"; the columns that were read first are "a", "b", "Class"$',
            id="unknown",
        ),
        pytest.param(
            "A,b,Clas,Class", 'validation/rows.csv: there is no column "Clas"; did you mean "Class"[?]$', id="near"
        ),
        pytest.param(
            "a,Class", 'validation/rows.csv: the header lacks "b"; the columns .* first are "a", "b"', id="lacks"
        ),
        pytest.param("a,b,c", 'validation/rows.csv: the header lacks the label "Class"$', id="no label"),
        pytest.param("a,b,B,Class", 'validation/rows.csv: column "b" is named more than once', id="twice"),
    ],
)
def test_unlike(train: Path, tmp_path: Path, header: str, message: str) -> None:
    """Columns that differ between channels are refused by channel, file and name."""
    like = channel_of(train, rows__csv="a,b,Class\n1,2,0\n")
    row = ",".join(["1"] * (header.count(",") + 1))
    with pytest.raises(ColumnError, match=f'^channel "validation": {message}'):
        channel_of(tmp_path / "validation", like=like, rows__csv=f"{header}\n{row}\n")


@pytest.mark.parametrize("padding", [pytest.param("", id="small"), pytest.param(LARGE.partition("\n")[2], id="large")])
@pytest.mark.parametrize(
    ("line", "error", "message"),
    [
        pytest.param(
            "41115,7,x",
            LabelError,
            r'the label in column "Class" should be 0, or 1 for fraud; 1 rows differ \(no and yes, false and true are',
            id="label",
        ),
        pytest.param("41115,7,2", LabelError, "should be 0, or 1", id="label of two"),
        pytest.param("41115,7,", LabelError, "should be 0, or 1", id="label missing"),
        pytest.param("41115,7", RowWidthError, "has 2 cells; 3 columns are named", id="too few"),
        pytest.param("41115,7,0,1", RowWidthError, "has 4 cells; 3 columns are named", id="too many"),
        pytest.param("41115,inf,0", RowError, 'column "b": "inf" is not a finite number', id="infinite"),
        pytest.param("41115,1e39,0", RowError, 'column "b": "1e39" is not a finite number', id="beyond float32"),
        pytest.param(
            "41115,1x,0", ColumnError, 'column "b" holds .* words, the first at train/b.csv, line 3', id="word"
        ),
        pytest.param('41115,"7,0', BodyError, "is not CSV: unexpected end of data", id="quote left open"),
    ],
)
def test_bad_line(train: Path, padding: str, line: str, error: type[FraudError], message: str) -> None:
    """A line that does not fit is named by file and line, and what a failure file shows holds no cell."""
    rows = f"1,2,0\n{line}\n{padding}" if error is not BodyError else f"1,2,0\n{line}"
    with pytest.raises(error, match=message) as caught:
        channel_of(train, a__csv="a,b,Class\n1,2,1\n3,4,0\n", b__csv=f"a,b,Class\n{rows}")

    assert "train/b.csv, line 3" in caught.value.public
    for cell in ("41115", "inf", "1e39", "1x"):
        assert f'"{cell}"' not in caught.value.public
    assert "41115" not in str(caught.value)


def test_infinite_in_any_place(train: Path) -> None:
    """An infinite number in a large file is refused by its line, its column and its value."""
    with pytest.raises(
        RowError, match=rf'^train/rows.csv, line {LARGE.count("\n") + 1}, column "b": "1e400" is not'
    ) as caught:
        channel_of(train, rows__csv=LARGE + "1,1e400,0\n")

    assert "1e400" not in caught.value.public


@pytest.mark.parametrize(
    "labels", [("0.0", "1.00"), ("0e0", "1e0"), ("FALSE", "true"), ('"0"', ' "1"'.strip()), ("no", "Yes")]
)
@pytest.mark.parametrize("repeats", [1, SMALL_BYTES])
def test_label_spellings(train: Path, labels: tuple[str, str], repeats: int) -> None:
    """A label is read the same in a small file and a large one, however it is spelt."""
    text = "a,Class\n" + "".join(f"1.5,{label}\n" for label in labels) * repeats
    found = channel_of(train, rows__csv=text)

    assert found.rows.y.tolist() == [0, 1] * repeats


def test_no_label(train: Path) -> None:
    """A channel without its label column is refused with the names that are there."""
    with pytest.raises(ColumnError, match=r'^channel "train": there is no column "Class" among "a", "b"'):
        channel_of(train, rows__csv="a,b\n1,2\n")


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        pytest.param(
            "1.5,2,0\n2.5,3,1\n",
            LabelError,
            r'^train/rows.csv, line 1: .*; the first file has no header, .* first column is read as the label "Class"$',
            id="label last",
        ),
        pytest.param(
            "0,1.5,2\n1,2.5,x\n",
            ColumnError,
            r'column "f1" holds 1 numbers and 1 words.* no header, .*"Class" and the others are called f0, f1, \.\.\.$',
            id="word among numbers",
        ),
    ],
)
def test_no_header_is_said(train: Path, text: str, error: type[FraudError], message: str) -> None:
    """Where columns were named by their places, an error of theirs says so."""
    with pytest.raises(error, match=message):
        channel_of(train, rows__csv=text)


def test_header_is_not_said_to_lack(train: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file with a header, or the public card data without one, is not explained by the lack of a header."""
    monkeypatch.setattr("fraud.codecs.csv_tables.BLOCK_BYTES", 4096)
    card = card_line(3, "0") + "\n" + card_line(4, "1") + "\n"
    for text in ("a,Class\n1,0\n1,2\n", card * 400 + card_line(5, "2")):
        with pytest.raises(LabelError, match=r"false and true are read too\)$"):
            channel_of(train, rows__csv=text)


def test_header_after_none(train: Path) -> None:
    """A file with a header of its own names, after one without, is refused by file."""
    with pytest.raises(ColumnError, match=r'^channel "train": train/b.csv: there is no column "amount"'):
        channel_of(train, a__csv="0,1\n1,2\n", b__csv="Class,amount\n0,1\n")


def test_fingerprint(train: Path, tmp_path: Path) -> None:
    """The fingerprint is of rows and labels, not of how they are written."""
    first = channel_of(train, rows__csv="a,b,Class\n1,2,0\n3,4,1\n")
    quoted = channel_of(
        tmp_path / "quoted", rows__csv__gz=gzip.compress(b'"a","b","Class"\r\n1.0,2,"0"\r\n3,4e0,1\r\n')
    )
    others = [
        channel_of(tmp_path / "labels", rows__csv="a,b,Class\n1,2,1\n3,4,1\n"),
        channel_of(tmp_path / "order", rows__csv="a,b,Class\n3,4,1\n1,2,0\n"),
        channel_of(tmp_path / "cell", rows__csv="a,b,Class\n1,2,0\n3,5,1\n"),
    ]

    assert first.fingerprint == quoted.fingerprint
    assert first.fingerprint not in {other.fingerprint for other in others}


def test_read_only(train: Path) -> None:
    """A channel is read without a change in its directory (T24)."""
    channel_of(train, rows__csv="a,card,Class\n1,visa,0\n2,amex,1\n")

    assert [path.name for path in train.iterdir()] == ["rows.csv"]


@pytest.mark.parametrize("block_bytes", range(12, 40, 3))
def test_small_blocks(train: Path, monkeypatch: pytest.MonkeyPatch, block_bytes: int) -> None:
    """Rows, times and labels do not depend on where blocks end, and a bad line keeps its number."""
    monkeypatch.setattr("fraud.codecs.csv_tables.BLOCK_BYTES", block_bytes)
    text = io.StringIO()
    text.write("time,a,Class\n")
    text.writelines(f'{number},"x\n{number % 3}",{number % 2}\n' for number in range(30))
    found = channel_of(train, rows__csv=text.getvalue())

    assert found.rows.times is not None
    assert found.rows.times.tolist() == list(range(30))
    assert found.rows.X[:, 1].tolist() == [0, 1, 2] * 10
    with pytest.raises(LabelError, match=r"^train/rows.csv, line 62: the label"):
        channel_of(train, rows__csv=text.getvalue() + "30,x,2\n")
