"""Workers that die, from processes made by hand."""

from types import SimpleNamespace

import pytest

from bms_tf.tuning import workers
from bms_tf.tuning.search import DEATHS
from bms_tf.tuning.workers import Workers


def test_a_worker_that_dies_before_each_trial_ends_the_search_and_others_do_not_count(tmp_path, monkeypatch):
    monkeypatch.setattr(Workers, "_start", lambda self, index: SimpleNamespace(poll=lambda: 1, returncode=1))
    those = Workers(DEATHS, [], str(tmp_path))
    (tmp_path / "worker0.log").write_text("error: no memory\n")
    setting = SimpleNamespace(search=SimpleNamespace(oracle=SimpleNamespace(ongoing_trials={})))
    for _ in range(DEATHS - 1):
        those.revive(setting)
    with pytest.raises(ValueError) as caught:
        those.revive(setting)
    assert str(caught.value) == "worker0 ended 3 times before it had a trial: no memory"


@pytest.mark.parametrize(
    ("given", "gpus", "names"),
    [(None, 2, ["0", "1", "0"]), ("2,3", 2, ["2", "3", "2"]), ("GPU-a, GPU-b", 2, ["GPU-a", "GPU-b", "GPU-a"])],
)
def test_of_the_gpus_that_it_may_use_each_process_gets_one(monkeypatch, given, gpus, names):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if given:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)
    monkeypatch.setattr(workers.tf.config, "list_physical_devices", lambda kind: ["gpu"] * gpus)
    assert [workers.gpu(index) for index in range(3)] == [{"CUDA_VISIBLE_DEVICES": name} for name in names]
    monkeypatch.setattr(workers.tf.config, "list_physical_devices", lambda kind: [])
    assert workers.gpu(0) == {}
