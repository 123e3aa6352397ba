"""Makes a SavedModel of DINOv2 for `bms_tf.evaluate --features=dinov2`, in an environment of its own with keras-hub.

    pip install keras-hub tensorflow
    KERAS_BACKEND=tensorflow python tools/dinov2_to_saved_model.py dinov2_large models/dinov2_large/1
    python -m bms_tf.evaluate --features=dinov2 --weights=models/dinov2_large ...

The first argument is a preset, which keras-hub downloads (dinov2_large has 306 million weights, 1.2 GB), or its folder.
The SavedModel takes pictures [B, 224, 224, 3], resized and normalized by `bms_tf.evaluate`, and gives the class token
behind the last layer normalization as `features` [B, F]. It has not been run with keras-hub's weights here.
"""

import sys

import tensorflow as tf

SIDE = 224


def class_token(backbone):
    """The backbone, which gives [B, 1 + registers + patches, F], as a function of pictures."""
    spec = tf.TensorSpec([None, SIDE, SIDE, 3], tf.float32, name="pictures")
    return tf.function(
        lambda pictures: {"features": backbone({"images": pictures}, training=False)[:, 0]}, input_signature=[spec]
    )


def main(arguments):
    """Converts the preset in `arguments` into the folder in it."""
    if len(arguments) != 2:
        sys.exit(__doc__)
    import keras_hub

    preset, folder = arguments
    backbone = keras_hub.models.Backbone.from_preset(preset, image_shape=(SIDE, SIDE, 3))
    module = tf.Module()
    module.variables_ = [variable.value for variable in backbone.variables]  # so that they are saved
    tf.saved_model.save(module, folder, signatures=class_token(backbone))
    print(f"{folder}: features [B, {backbone.hidden_dim}]")


if __name__ == "__main__":
    main(sys.argv[1:])
