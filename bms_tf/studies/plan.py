"""Which runs a study needs, in the order in which they are run, as far as the finished ones tell."""

from collections.abc import Mapping, Sequence

from bms_tf.studies.method import Method
from bms_tf.studies.rules import Row
from bms_tf.studies.study import Job, Study
from bms_tf.tuning.space import Interval

Done = Mapping[Job, Row]
Pair = tuple[str, str]  # of a data set and a method


def declared(study: Study, data: str, method: Method) -> list[Job]:
    """The declared trials of a method on a data set; none where it has nothing to tune."""
    return [Job(data, method.name, setting, study.tuning_seed) for setting in study.settings(data, method)]


def headline(study: Study, trials: Sequence[Job], done: Done) -> Job | None:
    """What the rule picks among these trials for the first of its lines that has a trial."""
    rows = {id(done[job]): job for job in trials}
    picked = study.picked([done[job] for job in trials]).values()
    return next((rows[id(row)] for row in picked if row), None)


def edges(study: Study, data: str, done: Done) -> list[tuple[int, int]]:
    """The ends of the declared spaces, (axis, 0 or -1), at which the headline of some method lies.

    Only methods whose declared trials have all ended count. So an end that was found stays.
    """
    found = set()
    for method in study.methods_on(data):
        trials = declared(study, data, method)
        best = headline(study, trials, done) if trials and _ended(trials, done) else None
        for axis, (name, parameter) in enumerate(method.space(data).items()):
            if best and isinstance(parameter, Interval):
                values = [dict(job.setting)[name] for job in trials]
                ends = {0: min(values), -1: max(values)}
                found |= {(axis, end) for end, value in ends.items() if dict(best.setting)[name] == value}
    return sorted(found)


def trials(study: Study, data: str, done: Done) -> dict[str, list[Job]]:
    """The trials of each method: the declared ones and, once these have ended, one for each of the `edges` so far.

    Such a further trial is the method's headline one step beyond the end. A method without a headline takes the middle
    of its space.
    """
    jobs = {method.name: declared(study, data, method) for method in study.methods_on(data)}
    ends = edges(study, data, done)
    for method in study.methods_on(data):
        own = jobs[method.name]
        if own and _ended(own, done):
            best = headline(study, own, done) or own[len(own) // 2]
            jobs[method.name] = own + [best._replace(setting=s) for s in method.beyond(data, best.setting, ends)]
    return jobs


def chosen(study: Study, data: str, done: Done) -> dict[str, dict[str, Job]]:
    """What was chosen by method and line of the table, as a job of the seed of tuning.

    A method without a space has one line, without a name. Any other method is absent until the trials of all methods
    have ended. But methods that are not `later` do not wait for those that are. A `later` method may widen the space
    after all. Then every method is absent until its own further trial has ended.
    """
    jobs = trials(study, data, done)
    methods = study.methods_on(data)
    lines = {}
    for method in methods:
        if not method.space(data):
            lines[method.name] = {"": Job(data, method.name, (), study.tuning_seed)}
        elif all(_ended(jobs[other.name], done) for other in methods if other.later <= method.later):
            own = {id(done[job]): job for job in jobs[method.name]}
            picked = study.picked([done[job] for job in own.values()])
            lines[method.name] = {line: own[id(row)] for line, row in picked.items() if row}
    return lines


def plan(study: Study, done: Done) -> list[Job]:
    """Every run that is known to be needed, once, data set by data set. On each the `later` methods come last.

    Where all of these are done, the study is done.
    """
    jobs = [job for data in study.data for later in (False, True) for job in _on_data(study, data, later, done)]
    return list(dict.fromkeys(jobs))


def left(study: Study, done: Done) -> dict[Pair, int]:
    """How many runs are left. Where settings are yet to be chosen, it is the most that there can be, without trials
    beyond the edges.
    """
    counts = {(data, method.name): 0 for data, method in study.pairs()}
    for job in plan(study, done):
        counts[job.data, job.method] += job not in done
    for data in study.data:
        known = chosen(study, data, done)
        for method in study.methods_on(data):
            if method.name not in known:
                counts[data, method.name] += len(study.picked([])) * len(study.seeds_of(method))
    return counts


def _on_data(study: Study, data: str, later: bool, done: Done) -> list[Job]:
    """The runs on a data set of the methods that are `later`, or of the others.

    The order is: the declared trials, those beyond the edges, the headlines (each seed for all methods before the
    next), and the other lines.
    """
    methods = [method for method in study.methods_on(data) if method.later == later]
    wider, picked = trials(study, data, done), chosen(study, data, done)
    jobs = [job for method in methods for job in declared(study, data, method)]
    jobs += [job for method in methods for job in wider[method.name]]
    lines = [list(picked.get(method.name, {}).values()) for method in methods]
    headlines = [own[0] for own in lines if own]
    jobs += _on_seeds(study, headlines)
    return jobs + _on_seeds(study, [job for own in lines for job in own[1:]])


def _ended(jobs: Sequence[Job], done: Done) -> bool:
    return all(job in done for job in jobs)


def _on_seeds(study: Study, jobs: Sequence[Job]) -> list[Job]:
    """Each of `jobs` on its method's seeds, the first seed of all before the second of any."""
    seeds = {job: study.seeds_of(study.method(job.method)) for job in jobs}
    rounds = max(map(len, seeds.values()), default=0)
    return [job._replace(seed=own[i]) for i in range(rounds) for job, own in seeds.items() if i < len(own)]
