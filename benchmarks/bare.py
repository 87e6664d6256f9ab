"""The least that a Flask server does: read the body, answer a constant. The floor for one row's latency."""

from flask import Flask, Response, request

app = Flask(__name__, static_folder=None)


@app.get("/ping")
def ping() -> Response:
    return Response(status=200)


@app.post("/invocations")
def invocations() -> Response:
    request.get_data(cache=False)
    return Response(b"0.5\n", content_type="text/csv")
