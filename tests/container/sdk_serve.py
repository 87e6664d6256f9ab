"""Serve and invoke by the local mode of SageMaker's SDK: sdk_serve.py IMAGE MODEL ROOT PORT ANSWER < rows.csv."""

import json
import sys
from pathlib import Path

from sagemaker.core.local.local_session import LocalSession

image, model, root, port, answer_file = sys.argv[1:]
session = LocalSession()
session.config = {"local": {"serving_port": int(port), "container_root": root}}
session.sagemaker_runtime_client.config = session.config
client = session.sagemaker_client
variant = {"VariantName": "all", "ModelName": "fraud", "InstanceType": "local", "InitialInstanceCount": 1}
client.create_model("fraud", {"Image": image, "ModelDataUrl": f"file://{model}", "Environment": {}})
client.create_endpoint_config("fraud", [variant])
try:
    client.create_endpoint("fraud", "fraud")
    answer = session.sagemaker_runtime_client.invoke_endpoint(
        sys.stdin.buffer.read(), "fraud", ContentType="text/csv", Accept="text/csv"
    )
    said = {
        "endpoint": client.describe_endpoint("fraud")["EndpointStatus"],
        "status": answer["ResponseMetadata"]["HTTPStatusCode"],
        "body": answer["Body"].read().decode(),
    }
finally:
    client.delete_endpoint("fraud")
Path(answer_file).write_text(json.dumps(said))  # stdout is the container's log
