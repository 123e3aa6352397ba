"""Packaging: two dependency stacks, chosen by the Python version. `constraints.txt` holds the full tested set."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(r'__version__ = "(.+)"', (HERE / "bms_tf/__init__.py").read_text(encoding="utf-8")).group(1)
README = HERE / "README.md"

# tensorflow-addons has no wheel for Python 3.12, and tensorflow-gan does not import on TensorFlow 2.16 and newer (it
# needs tf.estimator), so the full set of packages lives on TensorFlow 2.15.
FIRST_STACK = [
    "tensorflow==2.15.1",
    "tf_keras==2.15.*",
    "tensorflow-addons==0.23.*",
    "tensorflow-gan==2.1.*",
    "tensorflow-probability==0.23.*",  # newer ones refuse TensorFlow 2.15
    "tensorflow-metadata<1.18",  # newer ones need protobuf 5
    "protobuf<5",
    "numpy<2",
    "typeguard<3",  # tensorflow-addons
    "wrapt<1.15",
]
# Python 3.12 and 3.13: the current TensorFlow, with Keras 2 under its own name.
SECOND_STACK = ["tensorflow==2.21.*", "tf_keras==2.21.*", "tensorflow-probability==0.25.*"]
BOTH = [
    "absl-py",
    "gin-config==0.5.*",
    "importlib_resources",  # tensorflow-datasets uses it without declaring it
    "Jinja2",
    "joblib",
    "keras-tuner==1.4.*",
    "matplotlib",
    "Pillow",
    "scikit-learn",
    "scipy",
    "setuptools>=70.1,<81",  # tensorflow-hub needs pkg_resources
    "tensorboard",
    "tensorflow-datasets==4.9.10",
    "threadpoolctl",
    "tqdm",
]


def per_stack(first: list[str], second: list[str]) -> list[str]:
    """The requirements of both stacks, each with its environment marker."""
    return [f'{r}; python_version < "3.12"' for r in first] + [f'{r}; python_version >= "3.12"' for r in second]


# The client and the local server; nicegui brings the web framework (FastAPI on Starlette, uvicorn) and the page.
SERVING = [
    "grpcio-health-checking",
    "nicegui>=3",
    "orjson",
    "requests",
    *per_stack(["tensorflow-serving-api==2.15.1"], ["tensorflow-serving-api>=2.18"]),
]
MLFLOW = ["mlflow-skinny>=3", "alembic", "SQLAlchemy"]  # its client, with what it keeps runs on this machine with
WANDB = ["wandb>=0.20"]
DOCS = ["latex2mathml", "mkdocs<2", "mkdocs-material", "mkdocstrings[python]"]
TEST = [
    "basedpyright",
    "hypothesis",
    "ipykernel",
    "nbclient",
    "packaging",
    "playwright",
    "prdc",
    "psutil",
    "pytest",
    "pytest-xdist",
    "PyYAML",
    "ruff",
]
COMMANDS = ("train", "tune", "export", "evaluate", "reproduce", "report", "serve", "client", "label")

setup(
    name="bms-tf",
    version=VERSION,
    description="Best-of-many-samples and other generative models in TensorFlow/Keras, configured with gin",
    long_description=README.read_text(encoding="utf-8") if README.exists() else "",
    long_description_content_type="text/markdown",
    author="The bms_tf authors",
    license="Apache-2.0",
    license_files=["LICENSE"],
    keywords="GAN VAE VAE-GAN best-of-many mode-collapse generative-models TensorFlow Keras gin",
    classifiers=[
        "Development Status :: 4 - Beta",
        "Environment :: GPU :: NVIDIA CUDA",
        "Intended Audience :: Developers",
        "Intended Audience :: Science/Research",
        "Operating System :: MacOS",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Typing :: Typed",
    ],
    python_requires=">=3.11,<3.14",
    # The recipes lie in gin/ and ship as bms_tf.recipes. No Python file may lie in gin/: it would shadow gin-config.
    packages=[*find_packages(include=["bms_tf", "bms_tf.*", "pipelines"]), "bms_tf.recipes"],
    package_dir={"bms_tf.recipes": "gin"},
    package_data={
        "bms_tf": ["py.typed"],
        "bms_tf.recipes": ["*.gin", "*/*.gin"],
        "bms_tf.reporting": ["templates/*"],
        "pipelines": ["py.typed"],
    },
    # The tested versions, for `pip install -c` where there is no clone.
    data_files=[("share/bms_tf", ["constraints.txt"])],
    install_requires=BOTH + per_stack(FIRST_STACK, SECOND_STACK),
    extras_require={
        "cuda": per_stack(["tensorflow[and-cuda]==2.15.1"], ["tensorflow[and-cuda]==2.21.*"]),
        "docs": DOCS,
        "mlflow": MLFLOW,
        "serving": SERVING,
        "test": [*TEST, *DOCS, *MLFLOW, *SERVING, *WANDB],
        "wandb": WANDB,
    },
    entry_points={"console_scripts": [f"bms-{command} = bms_tf.commands:main" for command in COMMANDS]},
)
