"""Workers that die, from processes made by hand."""

from types import SimpleNamespace

import pytest

from bms_tf.tuning.search import DEATHS
from bms_tf.tuning.workers import Workers


def test_a_worker_that_dies_before_each_trial_ends_the_search_and_others_do_not_count(tmp_path, monkeypatch):
    monkeypatch.setattr(Workers, "_start", lambda self, index: SimpleNamespace(poll=lambda: 1, returncode=1))
    workers = Workers(DEATHS, [], str(tmp_path))
    (tmp_path / "worker0.log").write_text("error: no memory\n")
    setting = SimpleNamespace(search=SimpleNamespace(oracle=SimpleNamespace(ongoing_trials={})))
    for _ in range(DEATHS - 1):
        workers.revive(setting)
    with pytest.raises(ValueError) as caught:
        workers.revive(setting)
    assert str(caught.value) == "worker0 ended 3 times before it had a trial: no memory"
