"""What SageMaker refuses of a batch transform job, or would do without sense, known before anything is made."""

from collections.abc import Callable, Iterator

from aws import checks
from aws.batch_shape import Transform
from aws.sessions import Problem
from fraud.errors import AcceptError

MOST_MB_AT_ONCE = 100
ENVIRONMENT_ENTRIES = 16
LONGEST_FILTER = 63


def check(job: Transform) -> None:
    """Raise Problem that names everything which is wrong with the job that is wanted."""
    for uri in (job.source, job.output):
        checks.bucket_and_key(uri)
    if problems := [problem for rule in RULES for problem in rule(job)]:
        raise Problem("; ".join(problems))


def _names(job: Transform) -> Iterator[str]:
    yield from checks.job_name(job.name)
    yield from checks.instance_type(job.instance_type)


def _sizes(job: Transform) -> Iterator[str]:
    payload, concurrent = job.max_payload_mb or 6, job.max_concurrent or 1
    if payload * concurrent > MOST_MB_AT_ONCE:
        asked = f"--max-payload-mb {payload} times --max-concurrent {concurrent}"
        yield f"{asked} is {payload * concurrent} MB at once: at most {MOST_MB_AT_ONCE}"


def _types(job: Transform) -> Iterator[str]:
    from fraud.codecs import DECODERS, media_type_of, negotiate  # noqa: PLC0415 - it is slow, and `--help` needs none

    name, _ = media_type_of(job.content_type)
    if name not in DECODERS:
        yield f'--content-type "{job.content_type}": {checks.meant(name, list(DECODERS))}'
        return
    try:
        negotiate(job.accept, job.content_type)
    except AcceptError as error:
        yield f"--accept: {error}"


def _places(job: Transform) -> Iterator[str]:
    """A job reads whatever begins with its input: answers among it would be the next job's rows."""
    (bucket, key), (other, folder) = checks.bucket_and_key(job.source), checks.bucket_and_key(job.output)
    if bucket == other and f"{folder.rstrip('/')}/".startswith(key):
        yield f'--output "{job.output}" begins with --input "{job.source}", which takes all that does: another folder'


def _join(job: Transform) -> Iterator[str]:
    if not job.join:
        return
    if job.content_type.partition(";")[0] != job.accept.partition(";")[0]:
        yield f"--join takes one type for both: the input is {job.content_type}, the output {job.accept}"
    if job.split == "None":
        yield "--join takes --split Line: with None a whole file is one record"


def _filters(job: Transform) -> Iterator[str]:
    for option, path in (("--input-filter", job.input_filter), ("--output-filter", job.output_filter)):
        if path is None:
            continue
        if not (path.startswith("$") and len(path) <= LONGEST_FILTER):
            yield f'{option} "{path}": a JSONPath begins with $, such as $[1:], {LONGEST_FILTER} characters at most'
        if path.count("[") != path.count("]"):
            yield f'{option} "{path}": each [ takes a ], such as $[1:]'


def _environment(job: Transform) -> Iterator[str]:
    yield from checks.answer_words(job.environment)
    if len(job.environment) > ENVIRONMENT_ENTRIES:
        yield f"{len(job.environment)} environment variables: a batch job has at most {ENVIRONMENT_ENTRIES}"


RULES: tuple[Callable[[Transform], Iterator[str]], ...] = (
    *(_names, _sizes, _types, _places, _join, _filters, _environment),
)
