"""Downloads a data set and prepares it on disk, once: python -m pipelines.prepare celeb_a"""

import argparse
import sys

NEEDS = {
    "celeb_a": "1.5 GB to download, 5 GB of disk, half an hour",
    "cifar10": "170 MB to download, 500 MB of disk, minutes",
    "mnist": "12 MB to download, 50 MB of disk, a minute",
}
BY_HAND = {
    "celeb_a": "where the download is refused for quota, fetch img_align_celeba.zip, list_eval_partition.txt, "
    "list_attr_celeba.txt, list_landmarks_align_celeba.txt and identity_CelebA.txt by hand, from "
    "https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html, into {data_dir}/downloads/manual and run it again"
}


def how(name: str, data_dir: str) -> str:
    """How the data set is prepared in the folder, and what that takes."""
    by_hand = f"; {BY_HAND[name].format(data_dir=data_dir)}" if name in BY_HAND else ""
    return f"python -m pipelines.prepare {name} --data_dir={data_dir} ({NEEDS[name]}{by_hand})"


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("name", choices=sorted(NEEDS), help="the data set")
    parser.add_argument("--data_dir", help="where to; by default $TFDS_DATA_DIR or ~/tensorflow_datasets")
    chosen = parser.parse_args(arguments)

    import tensorflow_datasets as tfds  # late, for a fast --help

    builder = tfds.builder(chosen.name, data_dir=chosen.data_dir)
    try:
        builder.download_and_prepare()
    except Exception as error:  # refused, changed or cut off: TensorFlow Datasets has an error of its own for each
        reason = " ".join(str(error).split())[:200]
        sys.exit(f"error: {type(error).__name__}: {reason}; {how(chosen.name, str(builder.data_dir_root))}")


if __name__ == "__main__":
    main(sys.argv[1:])
