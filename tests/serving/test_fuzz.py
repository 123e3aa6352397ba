"""Mutated requests over both protocols: each gets a status, none a traceback, and the server goes on.

`python -m tests.faults --only=requests --rounds=2000` is a long round of the same.
"""

from random import Random

import psutil
import pytest

pytest.importorskip("tensorflow_serving")

from tests.faults import requests  # noqa: E402

pytestmark = pytest.mark.slow
REQUESTS = 1000  # of each kind
# A seed with which something was found stays here: 0, 1 and 2 were the first.
SEEDS = [0, 1, 2]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", requests.KINDS, ids=lambda kind: kind.__name__)
def test_no_request_harms_the_server(server, kind, seed):
    scenario, draw = kind(server), Random(f"{seed} {kind.__name__}")
    answers = [scenario.fault(draw) for _ in range(REQUESTS // len(SEEDS))]
    assert scenario.losses() == []
    assert server.process is None or server.process.status() != psutil.STATUS_ZOMBIE
    # Most are refused, some are answered.
    ends = {answer.rpartition(" -> ")[2] for answer in answers}
    assert len(ends) > 2, ends
    if kind is requests.Http:  # a server that hears nothing more may answer nothing, and no status is looked at then
        assert sum(answer.endswith("-> b''") for answer in answers) < len(answers) / 10
        assert "b'HTTP/1.1 200 OK'" in ends


def test_a_status_that_blames_the_server_is_seen():
    assert not requests.ANSWER.match(b"HTTP/1.1 500 Internal Server Error\r\n")
    assert requests.ANSWER.match(b"HTTP/1.1 400 Bad Request\r\n")
