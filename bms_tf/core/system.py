"""The core of training: players, phases, and the `train_step` that all systems share."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import tensorflow as tf

from bms_tf.core import devices, errors, functional
from bms_tf.core.generative import NOT_TRAINED, GenerativeModel, Visible
from bms_tf.core.keras import Schedule, keras, replace_schedule, require_same_keras
from bms_tf.core.random import Key

# {player: {term: per-example [B] or scalar loss}}; a player minimizes the sum of the means of its terms.
Losses = Mapping[str, Mapping[str, tf.Tensor]]
Aux = Mapping[str, tf.Tensor]
MAX_REPEATS = 1000  # each is a part of the step's graph


@dataclass(frozen=True)
class Phase:
    """One update of one or more players.

    Args:
        name: what messages and schedules call it.
        losses: `losses(x, key) -> (losses, aux)`, a pure function. x is [B, ...] in the data's range. `key` gives all
            randomness. Each player in `losses` is updated from this one forward pass.
        repeats: how often it runs in a step. Each repeat sees a new batch.
        after: `after(aux)` runs after the pass, on values averaged over the replicas.
        start: the first step at which the phase is active.
        stop: the first step at which it is no longer active; None keeps it active.

    Raises:
        ValueError: if the number of repeats is not in 1..1000.
    """

    name: str
    losses: Callable[[tf.Tensor, Key], tuple[Losses, Aux]]
    repeats: int = 1
    after: Callable[[Aux], None] | None = None
    start: int = 0
    stop: int | None = None

    def __post_init__(self):
        if not 1 <= self.repeats <= MAX_REPEATS:
            raise ValueError(f"phase {self.name} has {self.repeats} updates a step; it must have 1 to {MAX_REPEATS}")

    def active(self, step: int) -> bool:
        return self.start <= step and (self.stop is None or step < self.stop)


def check_batch(x: Any):
    """Raises ValueError unless `x` is a batch of numbers, or the `TensorSpec` of one."""
    if not isinstance(x, (tf.Tensor, tf.TensorSpec)):
        raise ValueError(f"the data has batches that are a {type(x).__name__}; they must be one tensor, without labels")
    if x.dtype != tf.float32:
        raise ValueError(f"the data is {x.dtype.name}; it must be float32, pictures in [-1, 1]")


class System(GenerativeModel):
    """A generative model as a game of players. Each paper is one subclass.

    A subclass hands its networks and players to this constructor and defines `phases()`. It is a Keras model:
    `compile(optimizers={player: optimizer})`, then `fit` on batches of `examples_per_step(B)` examples.
    """

    def __init__(
        self,
        *,
        networks: Mapping[str, keras.Model],
        players: Mapping[str, Sequence[str]] | None = None,
        seed: int = 0,
        ema: float | None = None,
        visible: Visible | None = None,
    ):
        """Assigns the networks to the players.

        Args:
            networks: see `GenerativeModel`.
            players: for each player, the names of the networks that it trains. None makes each network a player of its
                own.
            seed: seeds all noise.
            ema: see `GenerativeModel`.
            visible: see `GenerativeModel`.

        Raises:
            ValueError: as `GenerativeModel`, and if a network does not belong to exactly one player.
        """
        players = {name: (name,) for name in networks} if players is None else players
        owned = sorted(name for names in players.values() for name in names)
        if owned != sorted(networks):
            raise ValueError(f"every network must belong to one player: networks {sorted(networks)}, players' {owned}")
        super().__init__(networks=networks, ema=ema, visible=visible)
        self.players = {player: tuple(names) for player, names in players.items()}
        self.seed = seed
        self.step = tf.Variable(0, dtype=tf.int64, name="step", **NOT_TRAINED)
        self.generator_updates = 1  # a step, until `compile` knows who acts
        self.first_bad_step = tf.Variable(-1, dtype=tf.int64, name="first_bad_step", **NOT_TRAINED)
        self.first_bad_term = tf.Variable(-1, dtype=tf.int64, name="first_bad_term", **NOT_TRAINED)
        self.built = True

    # What a subclass defines, and what follows from it.

    def phases(self) -> Sequence[Phase]:
        """The phases of one step, in order."""
        raise TypeError(f"{type(self).__name__} must define phases()")

    @property
    def generator_updates_done(self) -> tf.Tensor:
        """The generator updates so far, int64. A recipe's length and schedules count them. A step may have several."""
        return self.step * self.generator_updates

    @property
    def batch_coupled(self) -> bool:
        """Whether an example's loss depends on the others in its replica's batch."""
        networks = self.networks.values()
        return any(map(functional.couples_examples, networks)) or any(map(functional.has_batch_normalization, networks))

    @property
    def codes_per_example(self) -> int:
        """How many codes for each example a phase holds at once."""
        return 1

    @property
    def batches_per_step(self) -> int:
        """The most repeats of any phase: repeat j of every phase sees batch j."""
        return max(phase.repeats for phase in self._phases)

    @property
    def generator_updates_per_step(self) -> int:
        return sum(phase.repeats for phase in self._phases if self._owner("generator") in self._acting[phase.name])

    @property
    def phase_spans(self) -> dict[str, tuple[int, int | None]]:
        """By phase, its first step and the first step after it, which is None if the phase goes on to the end."""
        return {phase.name: (phase.start, phase.stop) for phase in self._phases}

    def _owner(self, network: str) -> str:
        return next(player for player, names in self.players.items() if network in names)

    def trainable(self, player: str) -> list[tf.Variable]:
        """The variables that `player` trains."""
        return [v for name in self.players[player] for v in self.networks[name].trainable_variables]

    # Training.

    def prior_codes(self, x: tf.Tensor, key: Key) -> tf.Tensor:
        """Codes [B, Z] from the prior.

        Args:
            x: data [B, ...]. There are as many codes as examples.
            key: determines the codes. The same key gives the same codes.
        """
        return key.normal("prior", (x.shape[0], self.code_size))

    def prior_samples(self, x: tf.Tensor, key: Key) -> tf.Tensor:
        """G(z), [B, ...], of `prior_codes`, by the generator as it is trained.

        Args:
            x: data [B, ...]: there are as many samples as examples.
            key: as of `prior_codes`.
        """
        return self.decode(self.prior_codes(x, key))

    def posterior_codes(self, x: tf.Tensor, key: Key) -> tf.Tensor:
        """Codes [B, Z] from q(z|x), one for each of x.

        Args:
            x: data [B, ...].
            key: determines the codes. The same key gives the same codes.
        """
        return self.encoder.posterior(x).sample(key.normal("posterior", (x.shape[0], self.code_size)))

    def decode(self, z: tf.Tensor) -> tf.Tensor:
        """G(z), [B, ...], by the generator as it is trained: the mean of p(x|z)."""
        return self._mean(self.generator(z, training=True))

    def alternating(self, discriminator_losses: Callable, generator_losses: Callable, repeats: int = 1) -> list[Phase]:
        """The phases of a game of two players: some updates of the discriminator, then one of the generator.

        Args:
            discriminator_losses: the losses of the discriminator's phase, see `Phase`.
            generator_losses: the losses of the generator's phase.
            repeats: the discriminator's updates in a step.
        """
        return [
            Phase("discriminator", discriminator_losses, repeats=repeats),
            Phase("generator", generator_losses),
        ]

    def told_apart(self, loss: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]) -> Callable:
        """The discriminator's losses: `loss` of the logits [B] of data and of samples."""

        def losses(x: tf.Tensor, key: Key) -> tuple[Losses, Aux]:
            real, sample = self.judge(x, self.prior_samples(x, key))
            return {"discriminator": {"sample": loss(real, sample)}}, {}

        return losses

    def judge(self, *batches: tf.Tensor) -> list[tf.Tensor]:
        """The logits [N] of each batch of data [N, ...], by the discriminator as it is trained."""
        return functional.each(partial(self.discriminate, training=True), self.discriminator, *batches)

    def judge_codes(self, *batches: tf.Tensor) -> list[tf.Tensor]:
        """The logits [N] of each batch of codes [N, Z], by the code discriminator as it is trained."""
        return functional.each(partial(self.code_discriminator, training=True), self.code_discriminator, *batches)

    def sample_logits(self, x: tf.Tensor, key: Key) -> tf.Tensor:
        """The logits [B] of `prior_samples`, by the discriminator as it is trained.

        Args:
            x: data [B, ...]: there are as many samples as examples.
            key: as of `prior_codes`.
        """
        return self.judge(self.prior_samples(x, key))[0]

    def compile(
        self,
        optimizers: Mapping[str, keras.optimizers.Optimizer],
        *,
        modifiers: Sequence[Callable[["System", Phase], Phase]] = (),
        jit_compile: bool | str = "auto",
        steps_per_execution: int = 1,
        accumulate: int = 1,
        simultaneous: bool = False,
    ):
        """Gives each player its optimizer, and traces the phases.

        Args:
            optimizers: one per player, by its name.
            modifiers: each takes this system and a phase, and returns the phase that replaces it.
            jit_compile: whether XLA compiles losses and gradients. "auto" does so on a GPU only.
            steps_per_execution: steps in one call of the compiled function, as in Keras.
            accumulate: the number of slices into which a phase's batch is cut. They go through the networks one after
                the other. Their one update is that of the whole batch, up to rounding.
            simultaneous: whether all players of a step move at once, from the same weights and noise (simultaneous
                gradient descent). Otherwise they move one after the other, each with its own noise.

        Raises:
            ValueError: if a player is missing or unknown, if the networks do not fit each other, if a phase or its
                losses are not as `Phase` says, if `accumulate` is set and an example's loss depends on the others in
                its batch, or if `simultaneous` is set and a phase is repeated.
        """
        if accumulate > 1 and self.batch_coupled:
            raise ValueError(
                f"accumulate is {accumulate}; it must be 1 for this {type(self).__name__}, in which an example's loss "
                "depends on its batch (batch normalization, or a distance of batches)"
            )
        if set(optimizers) != set(self.players):
            raise ValueError(f"optimizers for {sorted(optimizers)} given; the players are {sorted(self.players)}")
        if jit_compile == "auto":
            jit_compile = bool(tf.config.list_logical_devices("GPU"))
        for player, optimizer in optimizers.items():
            require_same_keras(optimizer, f"the optimizer of {player}")
        # Keras itself wants one optimizer, and would otherwise make an RMSprop.
        super().compile(optimizer=next(iter(optimizers.values())), steps_per_execution=steps_per_execution)
        self._slices, self._simultaneous = accumulate, simultaneous
        with self.distribute_strategy.scope():
            self._phases, self._active = tuple(self._checked(phase, self) for phase in self.phases()), ()
            for modifier in modifiers:
                self._phases = tuple(self._checked(modifier(self, phase), modifier) for phase in self._phases)
            for phase in self._phases:
                if simultaneous and phase.repeats > 1:
                    updates = f"phase {phase.name} of {type(self).__name__} has {phase.repeats} updates a step"
                    raise ValueError(f"simultaneous must be False here: {updates}")
            self._acting, self._terms = self._trace_terms()
            self.generator_updates = self.generator_updates_per_step
            self.optimizers = dict(optimizers)
            for player, optimizer in optimizers.items():
                replace_schedule(optimizer, partial(_OfGeneratorUpdates, system=self))
                optimizer.build(self.trainable(player))
            self._means = {term: keras.metrics.Mean(name=term) for terms in self._terms.values() for term in terms}
        self._gradients = {
            phase.name: tf.function(
                partial(self._losses_and_gradients, phase), autograph=False, jit_compile=jit_compile
            )
            for phase in self._phases
        }

    def _checked(self, phase: Phase, author: Any) -> Phase:
        """A phase of this system or of a modifier, its `author`. Its losses are checked whenever they are traced.

        Raises ValueError if it is no phase.
        """
        name = getattr(author, "__name__", type(author).__name__)
        if not isinstance(phase, Phase):
            raise ValueError(f"{name} must return a Phase; it returned {phase!r}")
        where = f"phase {phase.name} of {name}"

        def losses(x: tf.Tensor, key: Key) -> tuple[Losses, Aux]:
            answer = phase.losses(x, key)
            match answer:
                case (Mapping() as of_players, Mapping()) if all(isinstance(t, Mapping) for t in of_players.values()):
                    self._check_losses(of_players, x.shape[0], where)
                    return answer
            raise ValueError(
                f"{where} must return two dicts, {{player: {{term: loss}}}} and aux, which may be {{}}; it returned "
                f"{errors.short(repr(answer))}"
            )

        return replace(phase, losses=losses)

    def _check_losses(self, losses: Losses, batch: int | None, where: str):
        """Raises ValueError for a player that there is not, and where numbers of different examples were paired."""
        for player, terms in losses.items():
            if player not in self.players:
                hint = errors.nearest(player, self.players)
                raise ValueError(f"{where} gives losses of {player!r}{hint}; the players are {sorted(self.players)}")
            for term, loss in terms.items():
                shape = tf.TensorShape(getattr(loss, "shape", ()))
                if batch and (shape.rank or 0) > 1 and (shape.num_elements() or 0) > batch * self.codes_per_example:
                    raise ValueError(
                        f"{where} gives {player}/{term} of shape {shape} for a batch of {batch}; it must be a number "
                        f"for each example, ({batch},), or one for the batch"
                    )

    def _trace_terms(self) -> tuple[dict[str, tuple[str, ...]], dict[str, tuple[str, ...]]]:
        """The players and the "player/term" names of each phase, from a symbolic batch of two."""
        acting, terms = {}, {}
        x = tf.TensorSpec([2, *self.data_shape], tf.float32)
        for phase in self._phases:

            @partial(tf.function, autograph=False)  # which only takes longer: a loss has no branch on a tensor
            def trace(x, phase=phase):
                losses, _ = self._keyed_losses(phase, x, Key(tf.zeros([2], tf.int64)))
                acting[phase.name] = tuple(losses)
                terms[phase.name] = tuple(f"{player}/{term}" for player in losses for term in losses[player])

            trace.get_concrete_function(x)
        return acting, terms

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """The means of all terms of all players over a Keras epoch."""
        return list(getattr(self, "_means", {}).values())

    def train_step(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        """One pass through the phases. `x`: this replica's share of `batches_per_step` batches, interleaved."""
        check_batch(x)
        batches = tf.reshape(x, [-1, self.batches_per_step, *self.data_shape])
        active = [(index, phase) for index, phase in enumerate(self._phases) if phase in self._active]
        if self._simultaneous:
            moves = [self._moves(0, phase, 0, batches[:, 0]) for _, phase in active]  # all, before the first moves
            for (index, phase), move in zip(active, moves):
                self._move(index, phase, *move)
        else:
            for index, phase in active:
                for repeat in range(phase.repeats):
                    self._move(index, phase, *self._moves(index, phase, repeat, batches[:, repeat]))
        self.step.assign_add(1)
        if self.ema is not None:
            for average, weight in zip(self.averages, self.generator.trainable_variables):
                average.assign(self.ema * average + (1 - self.ema) * weight)
        shown = {term for phase in self._active for term in self._terms[phase.name]}
        return {name: mean.result() for name, mean in self._means.items() if name in shown}

    def _moves(self, stream: int, phase: Phase, repeat: int, x: tf.Tensor):
        """What `_losses_and_gradients` says with the noise of `stream`, a number below that of the phases."""
        for player in self._acting[phase.name]:  # once for each update (Miyato et al. 2018, algorithm 1)
            for network in self.players[player]:
                functional.power_iteration(self.networks[network])
        key = Key(tf.stack([tf.constant(self.seed, tf.int64), self.step])).fold(stream, repeat)
        replica = tf.convert_to_tensor(tf.distribute.get_replica_context().replica_id_in_sync_group)
        return self._gradients[phase.name](x, key.seed, replica)

    def _move(self, index: int, phase: Phase, terms: dict, gradients: dict, aux: Aux):
        """Updates the phase's players."""
        replicas = self.distribute_strategy.num_replicas_in_sync
        for player, gradient in gradients.items():
            if replicas > 1:
                gradient = [g / replicas for g in gradient]
            # apply_gradients sums over the replicas; on one it must not, as TensorFlow would keep the graph for good.
            self.optimizers[player].apply_gradients(
                zip(gradient, self.trainable(player)), skip_gradients_aggregation=replicas == 1
            )
        values = tf.stack([terms[name] for name in self._terms[phase.name]])
        if replicas > 1:
            values, aux = devices.mean_over_replicas((values, aux))
        self._watch(index, values)
        for name, value in zip(self._terms[phase.name], tf.unstack(values)):
            self._means[name].update_state(value)
        if phase.after is not None:
            phase.after(aux)

    def _losses_and_gradients(self, phase: Phase, x: tf.Tensor, seed: tf.Tensor, replica: tf.Tensor):
        """The mean over the slices of x of what `_of_slice` gives. A slice has its rows of the whole batch's noise."""
        n = self._slices
        slices = tf.reshape(x, [n, -1, *self.data_shape])

        def of_slice(i):
            key = Key(seed, replica=replica * n + i, replicas=self.distribute_strategy.num_replicas_in_sync * n)
            return self._of_slice(phase, slices[i], key)

        total = of_slice(0)
        if n > 1:
            _, total = tf.while_loop(
                lambda i, total: i < n,
                lambda i, total: (i + 1, tf.nest.map_structure(tf.add, total, of_slice(i))),
                (1, total),
                parallel_iterations=1,  # so that one slice at a time is in memory
            )
        return tf.nest.map_structure(lambda value: value / n, total)

    def _of_slice(self, phase: Phase, x: tf.Tensor, key: Key):
        """Each term's mean, and each player's gradients with respect to its own variables alone."""
        players = self._acting[phase.name]
        # Under a persistent tape a loop keeps what its gradient would need, also where none is taken.
        with tf.GradientTape(persistent=len(players) > 1, watch_accessed_variables=False) as tape:
            for player in players:
                tape.watch(self.trainable(player))
            losses, aux = self._keyed_losses(phase, x, key)
            means = {player: {t: tf.reduce_mean(loss) for t, loss in losses[player].items()} for player in losses}
            totals = {player: tf.add_n(list(means[player].values())) for player in means}
        gradients = {
            player: tape.gradient(total, self.trainable(player), unconnected_gradients="zero")
            for player, total in totals.items()
        }
        return {f"{p}/{t}": value for p in means for t, value in means[p].items()}, gradients, dict(aux)

    def _keyed_losses(self, phase: Phase, x: tf.Tensor, key: Key) -> tuple[Losses, Aux]:
        with functional.keyed(self.networks.values(), key):
            return phase.losses(x, key)

    def _watch(self, index: int, values: tf.Tensor):
        """Remember the first step and term whose loss is not finite; a callback reads them, no host round trip here."""
        bad = tf.logical_not(tf.math.is_finite(values))
        first = tf.logical_and(tf.reduce_any(bad), self.first_bad_step < 0)
        term = tf.argmax(bad) + sum(len(self._terms[phase.name]) for phase in self._phases[:index])
        self.first_bad_term.assign(tf.where(first, term, self.first_bad_term))
        self.first_bad_step.assign(tf.where(first, self.step, self.first_bad_step))

    @property
    def bad_term(self) -> tuple[str, int] | None:
        """("player/term", step) of the first loss that was not finite, or None."""
        step = int(self.first_bad_step.numpy())
        terms = [term for terms in self._terms.values() for term in terms]
        return None if step < 0 else (terms[int(self.first_bad_term.numpy())], step)

    # Phases that are active for some steps only.

    def make_train_function(self, force: bool = False):
        """Traces the step anew where other phases are active than at the last call."""
        before, self._active = self._active, tuple(p for p in self._phases if p.active(int(self.step.numpy())))
        return super().make_train_function(force or before != self._active)

    def fit(
        self,
        *args: Any,
        callbacks: Sequence[keras.callbacks.Callback] = (),
        initial_step: int = 0,
        **kwargs: Any,
    ):
        """Trains as Keras's `fit` does.

        Args:
            *args: as of Keras's.
            callbacks: as of Keras's.
            initial_step: how many steps of the first epoch were already taken. Their losses count in its means.
            **kwargs: as of Keras's.
        """
        self._initial_step = initial_step
        return super().fit(*args, callbacks=[_SwitchPhases(initial_step), *callbacks], **kwargs)

    def reset_metrics(self):
        """What Keras does at the beginning of an epoch; not of one that goes on."""
        if not self._initial_step:
            super().reset_metrics()
        self._initial_step = 0


class _SwitchPhases(keras.callbacks.Callback):
    """Lets other phases act from the beginning of an epoch, of which `done` steps were taken before."""

    def __init__(self, done: int):
        super().__init__()
        self.done = done

    def on_epoch_begin(self, epoch, logs=None):
        now = int(self.model.step.numpy())
        length = self.params["steps"] and self.params["steps"] - self.done
        self.done = 0
        for phase in self.model._phases:
            for edge in (phase.start, phase.stop):
                if edge is not None and length and now < edge < now + length:
                    raise ValueError(
                        f"phase {phase.name} changes at step {edge}, inside the epoch {now}..{now + length}"
                    )
        self.model.train_function = self.model.make_train_function()


class _OfGeneratorUpdates(Schedule):
    """A schedule that counts generator updates, as a recipe's length does, not the updates of one optimizer."""

    def __init__(self, schedule: Schedule, system: System):
        self.schedule, self.system = schedule, system

    def __call__(self, step):
        return self.schedule(self.system.generator_updates_done)

    def get_config(self):
        return {"schedule": self.schedule}
