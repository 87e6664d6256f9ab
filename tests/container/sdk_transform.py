"""Transform a batch by the local mode of SageMaker's SDK.

sdk_transform.py IMAGE MODEL ROOT PORT INPUT OUTPUT STRATEGY
"""

import sys

from sagemaker.core.local.local_session import LocalSession
from sagemaker.core.transformer import Transformer

image, model, root, port, rows, output, strategy = sys.argv[1:]
session = LocalSession()
session.config = {"local": {"serving_port": int(port), "container_root": root}}
session.sagemaker_runtime_client.config = session.config
session.sagemaker_client.create_model("fraud", {"Image": image, "ModelDataUrl": f"file://{model}", "Environment": {}})
transformer = Transformer(
    model_name="fraud",
    instance_count=1,
    instance_type="local",
    strategy=strategy,  # as a client spells it: local mode refuses the service's spelling (S43)
    assemble_with="Line",
    output_path=f"file://{output}",
    accept="text/csv",
    max_payload=1,
    base_transform_job_name="fraud",
    sagemaker_session=session,
)
transformer.transform(f"file://{rows}", content_type="text/csv", split_type="Line", logs=False)
