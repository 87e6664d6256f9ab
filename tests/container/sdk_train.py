"""Train by the local mode of SageMaker's SDK: sdk_train.py IMAGE CHANNEL ROOT, hyperparameters as JSON on stdin."""

import json
import sys

from sagemaker.train import ModelTrainer
from sagemaker.train.configs import Compute, InputData
from sagemaker.train.model_trainer import Mode

image, channel, root = sys.argv[1:]
trainer = ModelTrainer(
    training_mode=Mode.LOCAL_CONTAINER,
    training_image=image,
    role="arn:aws:iam::123456789012:role/nobody",
    compute=Compute(instance_type="local_cpu", instance_count=1),
    hyperparameters=json.load(sys.stdin),
    local_container_root=root,
)
trainer.train(input_data_config=[InputData(channel_name="train", data_source=channel, content_type="text/csv")])
