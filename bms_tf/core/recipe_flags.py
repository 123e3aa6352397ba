"""The flags of every command that reads gin files, which are defined once in a process."""

import os

from absl import flags

GIN_FILE = flags.DEFINE_multi_string("gin_file", [], "A recipe; later ones override earlier ones.")
GIN_PARAM = flags.DEFINE_multi_string("gin_param", [], "One more setting, such as 'BMSVAEGAN.T = 30'.")
ALLOW_IMPORT = flags.DEFINE_multi_string("allow_import", [], "A module of your own that gin files may import.")


def default_folder() -> str:
    """runs/RECIPE_SYSTEM_...: all gin files have a part in the name, so that two methods on one recipe have two."""
    return os.path.join("runs", "_".join(os.path.splitext(os.path.basename(file))[0] for file in GIN_FILE.value))
