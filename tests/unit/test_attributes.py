import pytest

from fraud.errors import AttributesError
from fraud.serving.attributes import Wanted, wanted
from fraud.settings import OUTPUTS, ServingSettings

TOLD = ServingSettings()


@pytest.mark.parametrize(
    ("attributes", "asked"),
    [
        pytest.param("", Wanted(("probability",)), id="nothing asked"),
        pytest.param("output=decision", Wanted(("decision",)), id="one output"),
        pytest.param(
            "output=reasons, probability,", Wanted(("reasons", "probability")), id="in the order of the request"
        ),
        pytest.param("reasons=7", Wanted(("probability", "reasons"), 7), id="how many, beside the rest"),
        pytest.param("reasons_above=0.5", Wanted(("probability", "reasons"), 3, 0.5), id="where, beside the rest"),
        pytest.param("output=reasons;reasons=1", Wanted(("reasons",), 1), id="no second column"),
        pytest.param(" Output = decision ; REASONS= 2 ", Wanted(("decision", "reasons"), 2), id="case and spaces"),
        pytest.param("reasons_above=1e-3", Wanted(("probability", "reasons"), 3, 0.001), id="an exponent"),
        pytest.param("output=decision;output=labels", Wanted(("labels",)), id="the last counts"),
        pytest.param("trace=1;x;=;;y=a=b;{}", Wanted(("probability",)), id="the client's own (S27)"),
        pytest.param("output=" + ",".join(OUTPUTS), Wanted(OUTPUTS), id="everything"),
    ],
)
def test_a_request_is_read(attributes: str, asked: Wanted) -> None:
    """What a client asks for changes what the endpoint answers with, and names of its own change nothing (S27)."""
    assert wanted(TOLD, attributes, "text/csv") == asked


@pytest.mark.parametrize(
    "attributes",
    [
        *("output=", "output", "output=,", "output=probability,probability", "output=probability;output=score"),
        *("reasons=", "reasons=0", "reasons=-1", "reasons=1.5", "reasons=1e1", "reasons=10000", "reasons=²"),
        *("reasons_above=", "reasons_above=-0.1", "reasons_above=1.1", "reasons_above=nan", "reasons_above=half"),
    ],
)
def test_a_value_that_means_nothing_is_refused(attributes: str) -> None:
    """The message names the attribute, its value and what would be right, in few words."""
    name, _, value = attributes.rsplit(";", 1)[-1].partition("=")
    with pytest.raises(AttributesError, match=f'{name}="{value}" should be ') as caught:
        wanted(TOLD, attributes, "text/csv")

    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("media_type", "outputs"),
    [("text/csv", ("probability",)), ("application/json", ("probability", "predicted_label"))],
)
def test_a_format_has_its_own_default(media_type: str, outputs: tuple[str, ...]) -> None:
    """CSV holds one column, as Clarify reads it, and JSON the label too (S38, S40)."""
    assert wanted(TOLD, "", media_type).outputs == outputs


def test_a_long_value_is_cut_in_the_message() -> None:
    """A value as long as a header may be is not repeated."""
    with pytest.raises(AttributesError, match=r'output="x{60}" should be'):
        wanted(TOLD, "output=" + "x" * 8000, "text/csv")


@pytest.mark.parametrize(
    "attributes",
    ["", "output=decision", "output=reasons", "output=labels;reasons=12", "output=reasons;reasons_above=0.125"],
)
def test_what_is_said_can_be_asked(attributes: str) -> None:
    """The echo is in the words of a request: asked again, it means the same (S28)."""
    asked = wanted(TOLD, attributes, "text/csv")

    assert wanted(TOLD, asked.echo, "text/csv") == asked
