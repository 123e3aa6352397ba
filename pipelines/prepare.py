"""Downloads a data set and prepares it on disk, once: python -m pipelines.prepare celeb_a"""

import argparse
import hashlib
import pathlib
import sys
from urllib.parse import urlsplit

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
PATIENCE = 10  # seconds for a server to answer at all; TensorFlow Datasets tries for minutes


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
        if not builder.data_path.exists():
            downloads = pathlib.Path(builder.data_dir_root) / "downloads"
            check_reachable(check_fetched_by_hand(builder.url_infos or {}, downloads / "manual"), downloads)
        builder.download_and_prepare()
    except Exception as error:  # refused, changed or cut off: TensorFlow Datasets has an error of its own for each
        kind = "" if isinstance(error, (ValueError, OSError)) else f"{type(error).__name__}: "
        sys.exit(f"error: {kind}{' '.join(str(error).split())}; {how(chosen.name, str(builder.data_dir_root))}")


def check_fetched_by_hand(wanted: dict, folder: pathlib.Path) -> list[str]:
    """The URLs among `wanted` (with what TensorFlow Datasets knows of each file) whose file is not in `folder`.

    Raises ValueError for one that is there and is another than that of the URL.
    """
    missing = []
    for url, info in wanted.items():
        path = folder / (info.filename or "")
        if not path.is_file():
            missing.append(url)
            continue
        with path.open("rb") as file:
            checksum = hashlib.file_digest(file, "sha256").hexdigest()
        if checksum != info.checksum:
            raise ValueError(
                f"{path} has {path.stat().st_size:,} bytes and the SHA-256 {checksum}, but the file of that name has "
                f"{int(info.size):,} and {info.checksum}: fetch it again and leave it as it comes, as an archive that "
                "was unpacked and packed anew is another file"
            )
    return missing


def check_reachable(urls: list[str], downloads: pathlib.Path) -> None:
    """Raises OSError where a server of `urls` does not answer, but for what was downloaded before."""
    import requests

    notes = [path.read_text() for path in downloads.rglob("*.INFO")]  # beside each file, with its URL
    needed = [url for url in urls if not any(url in note for note in notes)]
    for server, url in {urlsplit(url).netloc: url for url in needed}.items():
        try:
            requests.head(url, timeout=PATIENCE)  # whatever it answers; the download itself tells what is wrong
        except requests.RequestException as error:
            raise OSError(f"{server} cannot be reached; is there a network?") from error


if __name__ == "__main__":
    main(sys.argv[1:])
