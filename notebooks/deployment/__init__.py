"""The steps of 02_train_and_deploy.ipynb, on this computer's Docker or on AWS: a thin layer over scripts/."""
