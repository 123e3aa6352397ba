"""The metrics by their names."""

from bms_tf.evaluation import registry


def test_every_metric_is_found_by_its_name_and_says_what_it_is():
    for name, listed in registry.listed().items():
        metric = registry.find(name)
        assert metric.__name__ == name and listed.summary.endswith(".") and len(listed.summary) < 120
        assert metric.needs in ("values", "rows", "features", "logits") if hasattr(metric, "needs") else True
