"""Writes scikit-learn's 1,797 digits as 32 x 32 gray PNG files, a sub-folder for each: a picture folder to try.

python benchmarks/digits_as_pictures.py FOLDER
python -m bms_tf.train --gin_file=gin/image_folder.gin --gin_file=gin/data/digits_as_pictures.gin \
    --gin_param='image_folder.folder = "FOLDER"'
"""

import pathlib
import sys

import numpy as np
from PIL import Image

from pipelines.digits import digits

folder = pathlib.Path(sys.argv[1])
for split in ("train_once", "test"):
    images, labels = next(digits(split, 0, 1797, 0, labels=True).as_numpy_iterator())
    pixels = np.round((images[..., 0] + 1) * 127.5).astype(np.uint8)
    for number, (picture, label) in enumerate(zip(pixels, labels)):
        path = folder / str(label) / f"{split}_{number:04d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(path)
print(f"{folder}: {len(list(folder.rglob('*.png')))} pictures")
