"""The handler that tutorials show: pandas reads the body, `predict_proba` scores the frame, the answer is CSV.

They unpickle the classifier; here it reads the same trees that `fraud` serves.
"""

import os
from io import StringIO
from pathlib import Path

import pandas as pd
import xgboost as xgb
from flask import Flask, Response, request


def load() -> Flask:
    app = Flask(__name__, static_folder=None)
    model = xgb.XGBClassifier()
    model.load_model(Path(os.environ["SAGEMAKER_BASE_DIR"], "model", "booster.ubj"))

    @app.get("/ping")
    def ping() -> Response:
        return Response(status=200)

    @app.post("/invocations")
    def invocations() -> Response:
        if request.content_type != "text/csv":
            return Response("send text/csv", status=415)
        frame = pd.read_csv(StringIO(request.get_data().decode()), header=None)
        out = StringIO()
        pd.DataFrame(model.predict_proba(frame)[:, 1]).to_csv(out, header=False, index=False)
        return Response(out.getvalue(), content_type="text/csv")

    return app
