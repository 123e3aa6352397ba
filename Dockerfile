# Training on a GPU. The machine needs NVIDIA's driver and container toolkit; CUDA comes with the Python packages.
#   docker build -t bms-tf .
#   docker run --rm --gpus all --user "$(id -u):$(id -g)" --volume "$PWD/runs:/bms/runs" bms-tf \
#       --gin_file=gin/ring.gin --run_dir=runs/ring
# A recipe of your own is seen with --volume "$PWD/mine.gin:/bms/mine.gin", data with a volume of their folder.
FROM python:3.11-slim
COPY setup.py pyproject.toml constraints.txt README.md LICENSE /source/
COPY bms_tf /source/bms_tf
COPY pipelines /source/pipelines
COPY gin /source/gin
RUN pip install --no-cache-dir --constraint /source/constraints.txt "/source[cuda,mlflow,wandb]"
# For what libraries keep in a home folder, which a user of the container has none of.
ENV HOME=/tmp
WORKDIR /bms
ENTRYPOINT ["bms-train"]
