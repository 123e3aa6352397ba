"""The training core on a game of two numbers: the generator a z, with a = 2, of "artist", and the critic c x, c = 3."""

import dataclasses
import gc

import numpy as np
import pytest
import tensorflow as tf

from bms_tf.core import devices
from bms_tf.core.keras import keras
from bms_tf.core.random import Key
from bms_tf.core.system import Phase, System
from bms_tf.networks.layers import Dropout

SGD = keras.optimizers.SGD


def number(value: float, *layers) -> keras.Model:
    """x -> value * x, for x of shape [B, 1]."""
    network = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False), *layers])
    network.layers[0].kernel.assign([[value]])
    return network


class Game(System):
    """The phases are made by the test: `make(game)` gives a list of them."""

    def __init__(self, make, *layers, **options):
        networks = {"generator": number(2.0), "critic": number(3.0, *layers)}
        super().__init__(networks=networks, players={"artist": ["generator"], "critic": ["critic"]}, **options)
        self.make = make

    def phases(self):
        return self.make(self)

    @property
    def weights_now(self):
        """a and c."""
        return [network.layers[0].kernel.numpy().item() for network in (self.generator, self.critic)]


def compiled(make, rates=(0.1, 0.1), steps_per_execution=1, **options) -> Game:
    """A game whose players descend at the given rates."""
    game = Game(make, **options)
    game.compile({"artist": SGD(rates[0]), "critic": SGD(rates[1])}, steps_per_execution=steps_per_execution)
    return game


def fit(game, steps, **options):
    """Trains on `steps`, one list of numbers for each step; returns the last epoch's logs."""
    data = tf.data.Dataset.from_tensor_slices(np.array(steps, np.float32)[..., None])
    return {name: values[-1] for name, values in game.fit(data, verbose=0, **options).history.items()}


def one_term(player: str, loss):
    """A phase's losses: the player's term "loss", `loss(x)`."""
    return lambda x, key: ({player: {"loss": loss(x)}}, {})


def pull(player: str, **options):
    """A phase in which each update takes the rate times the mean of x from the player's number."""

    def make(game):
        network = {"artist": game.generator, "critic": game.critic}[player]
        return Phase(player, one_term(player, network), **options)

    return make


def phases_of(*makers):
    return lambda game: [make(game) for make in makers]


def product(player: str, sign: float):
    """A phase of the game of a c: its player minimizes `sign` times a c, whatever x is."""

    def make(game):
        def loss(x):
            return sign * game.generator(tf.ones_like(x)) * game.critic(tf.ones_like(x))

        return Phase(player, one_term(player, loss))

    return make


# Players and networks.


@pytest.mark.parametrize(
    "players",
    [
        {"artist": ["generator"]},
        {"artist": ["generator"], "critic": ["critic", "generator"]},
        {"artist": ["generator"], "critic": ["critic", "encoder"]},
        {"artist": ["generator", "critic", "critic"]},
    ],
)
def test_every_network_belongs_to_one_player(players):
    with pytest.raises(
        ValueError, match=r"every network must belong to one player: networks \['critic', 'generator'\]"
    ):
        System(networks={"generator": number(1.0), "critic": number(1.0)}, players=players)


@pytest.mark.parametrize("ema", [0.0, 1.0, -0.5])
def test_the_decay_of_the_average_lies_between_0_and_1(ema):
    with pytest.raises(ValueError, match=f"ema is {ema}"):
        Game(None, ema=ema)


class Shifted:
    """p(x|z) = N(10 y, 1), y being the generator's output."""

    data_shape = (1,)

    def mean(self, output):
        return 10 * output

    def sample(self, output, noise):
        return 10 * output + noise


def test_a_visible_distribution_is_generated_from_by_its_mean_or_drawn_from():
    game = Game(phases_of(), visible=Shifted())
    assert "draw" in game.offers and "draw" not in Game(phases_of()).offers
    z, seeds = tf.constant([[0.5], [0.5], [1.5]]), tf.constant([3, 4, 3], tf.int64)
    np.testing.assert_allclose(game.generate(z), [[10], [10], [30]])  # ten times a z
    noise = (game.draw(z, seeds) - game.generate(z)).numpy()
    assert noise[0] == pytest.approx(noise[2], abs=1e-5) and noise[0] != noise[1]
    # Codes that were drawn with the same seeds are other numbers.
    assert np.all(np.abs(noise - game.sample_prior(seeds)) > 0.01)


def test_a_visible_distribution_needs_a_likelihood():
    generator = number(2.0)
    generator.visible = Shifted()
    with pytest.raises(ValueError, match="System has no likelihood"):
        System(networks={"generator": generator}, players={"artist": ["generator"]})


def test_compile_wants_one_optimizer_per_player():
    game = Game(phases_of(pull("artist")))
    for optimizers in ({"artist": SGD()}, {"artist": SGD(), "critic": SGD(), "encoder": SGD()}):
        with pytest.raises(ValueError, match=r"optimizers for .* given; the players are \['artist', 'critic'\]"):
            game.compile(optimizers)
    with pytest.raises(ValueError, match="the optimizer of critic must come from"):
        game.compile({"artist": SGD(), "critic": "sgd"})
    with pytest.raises(TypeError, match="System must define phases"):
        System(networks={"generator": number(1.0)}, players={"artist": ["generator"]}).compile({"artist": SGD()})


def test_what_follows_from_networks_and_phases():
    game = compiled(phases_of(pull("critic", repeats=3), pull("artist", repeats=2)))
    assert (game.data_shape, game.code_size) == ((1,), 1)
    assert (game.batches_per_step, game.generator_updates_per_step) == (3, 2)
    assert not game.batch_coupled
    assert Game(None, keras.layers.BatchNormalization()).batch_coupled


# What an own system or modifier gives instead.


def test_one_network_is_the_generator():
    with pytest.raises(ValueError, match=r"System has the networks \['decoder'\]; one must be the 'generator'"):
        System(networks={"decoder": number(1.0)})


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        (lambda loss: None, "phase play of Game must return two dicts, .* it returned None"),
        (
            lambda loss: {"artist": {"loss": loss}},
            r"phase play of Game must return two dicts, .* it returned {'artist': ",
        ),
        (lambda loss: ({"artist": {"loss": loss}}, None), "phase play of Game must return two dicts"),
        (
            lambda loss: ({"artist": loss}, {}),
            r"phase play of Game must return two dicts, .* it returned \({'artist': <tf",
        ),
        (
            lambda loss: ({"artits": {"loss": loss}}, {}),
            r"phase play of Game gives losses of 'artits'; did you mean 'artist'\?; the players are \['artist', ",
        ),
        (
            lambda loss: ({"artist": {"loss": loss - tf.squeeze(loss, 1)}}, {}),
            r"phase play of Game gives artist/loss of shape \(2, 2\) for a batch of 2; it must be a number for each ",
        ),
    ],
)
def test_an_answer_of_a_phase_that_is_none(answer, line):
    def make(game):
        return [Phase("play", lambda x, key: answer(game.generator(x)))]

    with pytest.raises(ValueError, match=line):
        compiled(make)
    # A modifier that reads the losses comes after the check.
    with pytest.raises(ValueError, match=line):
        Game(make).compile({"artist": SGD(), "critic": SGD()}, modifiers=[doubled])


def doubled(system, phase):
    def losses(x, key):
        losses, aux = phase.losses(x, key)
        return {player: {name: 2 * loss for name, loss in losses[player].items()} for player in losses}, aux

    return dataclasses.replace(phase, losses=losses)


def test_a_loss_may_have_a_number_for_each_code():
    class OfCodes(Game):
        codes_per_example = 3

    game = OfCodes(lambda game: [Phase("play", one_term("artist", lambda x: tf.stack([game.generator(x)] * 3)))])
    game.compile({"artist": SGD(0.1), "critic": SGD(0.1)})
    # The mean of 2 x over x = 1, 3, three times each, is 4; its gradient, the mean of x, is 2.
    assert fit(game, [[1, 3]]) == pytest.approx({"artist/loss": 4})
    assert game.weights_now == pytest.approx([1.8, 3])


def forgets_to_return(system, phase):
    dataclasses.replace(phase, repeats=2)


def forgets_the_aux(system, phase):
    return dataclasses.replace(phase, losses=lambda x, key: phase.losses(x, key)[0])


@pytest.mark.parametrize(
    ("modifier", "line"),
    [
        (forgets_to_return, "forgets_to_return must return a Phase; it returned None"),
        (forgets_the_aux, "phase artist of forgets_the_aux must return two dicts"),
    ],
)
def test_a_modifier_that_gives_no_phase(modifier, line):
    with pytest.raises(ValueError, match=line):
        Game(phases_of(pull("artist"))).compile({"artist": SGD(), "critic": SGD()}, modifiers=[doubled, modifier])


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (lambda x: x.batch(2), "the data has batches of unknown size; it must be batched with drop_remainder=True"),
        (
            lambda x: x.batch(2, True).map(lambda x: (x, 0)),
            "the data has batches that are a tuple; they must be one tensor",
        ),
        (lambda x: x.batch(2, True).map(lambda x: tf.cast(x, tf.float64)), "the data is float64; it must be float32"),
        (lambda x: x.batch(2, True).map(lambda x: tf.cast(x, tf.uint8)), "the data is uint8; it must be float32"),
    ],
)
def test_data_that_a_system_cannot_be_fitted_to(data, line):
    game = compiled(lambda game: [Phase("play", lambda x, key: ({"artist": {"loss": game.prior_samples(x, key)}}, {}))])
    with pytest.raises(ValueError, match=line):
        game.fit(data(tf.data.Dataset.from_tensor_slices(np.ones([4, 1], np.float32))), verbose=0)


# One step.


def test_each_player_descends_on_its_own_loss_alone():
    # x = 1 and 3: mean 2, mean square 5. The artist's loss -c a x is -12 on average, and d/da = -c * 2 = -6. The
    # critic's terms (c a x)^2 / 2 and 4 c are 36 * 5 / 2 = 90 and 12, and d/dc = c a^2 * 5 + 4 = 64.
    # At rates of 0.1 and 0.01, both from the same pass: a = 2 + 0.6 and c = 3 - 0.64. A leak would add to each.
    def losses(game):
        def both(x, key):
            score = game.critic(game.generator(x))
            c = game.critic(tf.ones([1, 1]))
            return {"artist": {"fool": -score}, "critic": {"square": score**2 / 2, "price": 4 * c}}, {}

        return [Phase("both", both)]

    game = compiled(losses, rates=(0.1, 0.01))
    logs = fit(game, [[1, 3]])
    assert logs == pytest.approx({"artist/fool": -12, "critic/square": 90, "critic/price": 12})
    assert game.weights_now == pytest.approx([2.6, 2.36])


def test_a_loop_without_gradient_keeps_nothing_for_one():
    # What a gradient needs of a loop's body is kept by a second, rewritten body, for every turn of the loop.
    def loss(game, stop):
        return lambda x: stop(tf.map_fn(lambda row: game.generator(row[None])[0] ** 2, x)) * game.generator(x)

    def functions(stop):
        game = compiled(lambda game: [Phase("play", one_term("artist", loss(game, stop)))])
        arguments = tf.ones([5, 1]), Key(tf.zeros([2], tf.int64)).seed, tf.constant(0)
        graph = game._gradients["play"].get_concrete_function(*arguments).graph.as_graph_def()
        return [function.signature.name for function in graph.library.function]

    assert not any("rewritten" in name for name in functions(tf.stop_gradient))
    assert any("rewritten" in name for name in functions(tf.identity))


def test_phases_alternate_and_change_their_own_player():
    # First the critic: c = 3 - 0.1 * 2 = 2.8. Then the artist on a c x with the new c: a = 2 - 0.1 * 2.8 * 2 = 1.44.
    def make(game):
        return [pull("critic")(game), Phase("artist", one_term("artist", lambda x: game.critic(game.generator(x))))]

    game = compiled(make)
    assert fit(game, [[1, 3]]) == pytest.approx({"critic/loss": 6, "artist/loss": 11.2})
    assert game.weights_now == pytest.approx([1.44, 2.8])


def test_repeat_j_of_every_phase_sees_batch_j():
    # Of x = (1, 10, 3, 30) batch 0 is (1, 3), of mean 2, and batch 1 (10, 30), of mean 20. Critic: the loss c x^2 / 2,
    # mean squares 5 and 500: c = 3 - 0.001 * (2.5 + 250) = 2.7475; its loss shown is the mean of 3 * 2.5 = 7.5 and
    # (3 - 0.0025) * 250 = 749.375. The artist's only repeat sees batch 0: a = 2 - 0.1 * 2.
    def make(game):
        return [Phase("critic", one_term("critic", lambda x: game.critic(x**2 / 2)), repeats=2), pull("artist")(game)]

    game = compiled(make, rates=(0.1, 0.001))
    assert fit(game, [[1, 10, 3, 30]]) == pytest.approx({"critic/loss": (7.5 + 749.375) / 2, "artist/loss": 4})
    assert game.weights_now == pytest.approx([1.8, 2.7475])


def test_noise_is_keyed_by_seed_step_phase_and_repeat():
    # Each update takes the mean of its noise from c. Phase 1, two repeats, two steps, the seed 7.
    def make(game):
        def noisy(x, key):
            return {"critic": {"noise": game.critic(key.uniform("noise", (x.shape[0], 1)))}}, {}

        return [pull("artist")(game), Phase("noisy", noisy, repeats=2)]

    game = compiled(make, rates=(0.1, 1.0), seed=7)
    fit(game, [[0] * 6] * 2)
    keys = [Key(tf.constant([7, step], tf.int64)).fold(1, repeat) for step in range(2) for repeat in range(2)]
    noise = [np.mean(key.uniform("noise", (3, 1))) for key in keys]
    assert len(set(noise)) == 4
    assert game.weights_now[1] == pytest.approx(3 - sum(noise), rel=1e-5)


# The life of a run.


def test_phases_begin_and_end_between_epochs():
    # Epochs of two steps, x = 1: the critic loses 0.1 in steps 0 and 1, the artist in 2 and 3.
    game = compiled(phases_of(pull("critic", stop=2), pull("artist", start=2)))
    fit(game, [[1, 1]] * 4, epochs=2, steps_per_epoch=2)
    assert game.weights_now == pytest.approx([1.8, 2.8])


def test_phases_begin_and_end_between_calls_of_fit():
    game = compiled(phases_of(pull("critic", stop=2), pull("artist", start=2)))
    for _ in range(2):
        fit(game, [[1, 1]] * 2)
    assert game.weights_now == pytest.approx([1.8, 2.8])


def test_the_step_is_traced_once_while_its_phases_stay():
    traced = []
    game = compiled(phases_of(pull("critic", after=lambda aux: traced.append(1)), pull("artist", start=100)))
    for _ in range(2):
        fit(game, [[1, 1]] * 4, epochs=2, steps_per_epoch=2)
    assert len(traced) == 1


def test_a_phase_that_changes_inside_an_epoch_is_an_error():
    game = compiled(phases_of(pull("critic", stop=3), pull("artist")))
    with pytest.raises(ValueError, match=r"phase critic changes at step 3, inside the epoch 2\.\.4"):
        fit(game, [[1, 1]] * 4, epochs=2, steps_per_epoch=2)


@pytest.mark.parametrize("replicas", [1, 2])
def test_the_graphs_of_a_training_go_when_it_does(replicas):
    """An all-reduce registers its gradient for good, and so every graph that holds one; a sweep trains many systems."""
    strategy, batches = two_devices() if replicas == 2 else (tf.distribute.get_strategy(), tf.constant(X[0]))

    def graphs():
        gc.collect()
        return [graph for graph in gc.get_objects() if isinstance(graph, tf.Graph)]

    with strategy.scope():
        compiled(phases_of(pull("artist")))  # which makes Keras's own graph
        before = {id(graph) for graph in graphs()}
        game = compiled(phases_of(pull("artist"), pull("critic")))
    game.fit(batches, steps_per_epoch=2, verbose=0)
    assert len([graph for graph in graphs() if id(graph) not in before]) > 2
    del game
    assert [graph for graph in graphs() if id(graph) not in before] == []


def test_a_training_goes_on_inside_an_epoch():
    # Epochs of four steps. It stopped after x = 1, 2, 3, whose losses at a rate of 0 are 3, 6, 9; x = 6 gives 18. The
    # first epoch's mean is 9, the second's, of one epoch more with x = 1, is 3. The critic acts until step 4.
    game = compiled(phases_of(pull("critic", stop=4), pull("artist", start=4)), rates=(0.0, 0.0))
    first = game.fit(tf.constant([[[1.0]], [[2.0]], [[3.0]]]), batch_size=1, shuffle=False, verbose=0)
    assert first.history["critic/loss"] == [6.0]
    rest = tf.data.Dataset.from_tensor_slices(np.float32([6, 1, 1, 1, 1])[:, None, None])
    history = game.fit(rest, initial_step=3, steps_per_epoch=4, epochs=2, verbose=0).history
    assert (history["critic/loss"], history["artist/loss"]) == ([9.0], [2.0])
    assert int(game.step) == 8


def test_after_comes_behind_the_losses_and_gets_the_aux():
    # The loss is k c x; after adds the mean of x, 2: k = 1, then 3, then 5.
    k = tf.Variable(1.0)

    def make(game):
        def losses(x, key):
            return {"critic": {"loss": k * game.critic(x)}}, {"mean": tf.reduce_mean(x)}

        return [Phase("critic", losses, after=lambda aux: k.assign_add(aux["mean"]))]

    # c = 3 - 0.1 * 1 * 2 = 2.8 after a loss of 6, then 2.8 - 0.1 * 3 * 2 = 2.2 after one of 3 * 2.8 * 2 = 16.8.
    game = compiled(make)
    assert fit(game, [[1, 3]] * 2) == pytest.approx({"critic/loss": (6 + 16.8) / 2})
    assert (float(k), game.weights_now[1]) == pytest.approx((5, 2.2))


def test_the_first_loss_that_is_not_finite_is_remembered():
    def make(game):
        def two(x, key):
            return {"artist": {"fine": game.generator(x), "root": game.generator(tf.sqrt(x))}}, {}

        return [pull("critic")(game), Phase("two", two)]

    game = compiled(make)
    fit(game, [[1, 1]] * 2)
    assert game.bad_term is None
    # In step 3 the root of -1; in step 4 an infinite x, in all terms.
    fit(game, [[1, 1], [-1, 1], [np.inf, 1]])
    assert (int(game.first_bad_step), int(game.first_bad_term)) == (3, 2)
    assert game.bad_term == ("artist/root", 3)


@pytest.mark.parametrize(("generator_updates", "rest"), [(1, 3 - 2 - 2 - 1), (2, 3 - 2 - 1 - 1)])
def test_schedules_count_generator_updates(generator_updates, rest):
    # The rate is 1 up to the first generator update and 1/2 from then on; the critic moves twice a step, so by c = 3
    # less 2, 2 and 1 in three steps of one generator update each: 0 and 1 have been made before the first two. With
    # two a step, 0, 2 and 4 have been. By its own updates the critic's second would have had 1/2 already.
    rate = keras.optimizers.schedules.PiecewiseConstantDecay([1], [1.0, 0.5])
    game = compiled(phases_of(pull("critic", repeats=2), pull("artist", repeats=generator_updates)), rates=(0.1, rate))
    fit(game, [[1, 1]] * 3)
    assert game.weights_now[1] == pytest.approx(rest)


def test_the_generators_average():
    # a = 2, 1.8, 1.6 and the average of decay 0.9 2, 0.9 * 2 + 0.1 * 1.8 = 1.98, 0.9 * 1.98 + 0.1 * 1.6 = 1.942.
    game = compiled(phases_of(pull("artist")), ema=0.9)
    fit(game, [[2, 2]] * 2)
    assert game.weights_now[0] == pytest.approx(1.6)
    np.testing.assert_allclose(game.generate(tf.constant([[10.0]])), [[19.42]], rtol=1e-6)
    np.testing.assert_allclose(game.generator(tf.constant([[10.0]])), [[16]], rtol=1e-6)
    # A sample is the generator at the code of its seed.
    seeds = tf.constant([3, 4], tf.int64)
    np.testing.assert_allclose(game.sample(seeds), 1.942 * game.sample_prior(seeds), rtol=1e-6)


@pytest.mark.parametrize("steps_per_execution", [1, 2])
def test_losses_shown_are_means_over_the_epoch(steps_per_execution):
    # At a rate of 0, c x = 3 x with x = 1, 2, 3, 6: 4.5 in the first epoch of two, 13.5 in the second. Then a new mean.
    game = compiled(phases_of(pull("critic")), rates=(0.0, 0.0), steps_per_execution=steps_per_execution)
    data = tf.data.Dataset.from_tensor_slices(np.float32([1, 2, 3, 6])[:, None, None])
    history = game.fit(data, epochs=2, steps_per_epoch=2, verbose=0).history
    assert history["critic/loss"] == pytest.approx([4.5, 13.5])
    assert int(game.step) == 4


# Many devices.


def full(game):
    """Noise, dropout, repeats, hooks, two players in one phase, and an average."""
    k = tf.Variable(1.0, trainable=False, aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA)
    game.k = k

    def critic(x, key):
        fake = game.generator(key.normal("prior", x.shape))
        real, fake = game.critic(x, training=True), game.critic(fake, training=True)
        return {"critic": {"real": tf.nn.softplus(-real), "fake": tf.nn.softplus(fake)}}, {}

    def both(x, key):
        score = game.critic(game.generator(x + key.normal("prior", x.shape)), training=True)
        losses = {"artist": {"fool": k * tf.nn.softplus(-score)}, "critic": {"size": score**2}}
        return losses, {"score": tf.reduce_mean(score)}

    return [Phase("critic", critic, repeats=2), Phase("both", both, after=lambda aux: k.assign(tf.tanh(aux["score"])))]


def train_full(strategy, dataset, **options):
    """The last losses and the state after five steps."""
    with strategy.scope():
        rate = keras.optimizers.schedules.PolynomialDecay(0.1, 5)
        game = Game(full, Dropout(0.3), ema=0.5)
        # Plain descent beside Adam, which does not see a gradient that is a constant times too large.
        game.compile({"artist": keras.optimizers.Adam(rate), "critic": SGD(0.2)}, **options)
    logs = game.fit(dataset, steps_per_epoch=5, verbose=0).history
    state = [*game.weights_now, game.k.numpy(), game.averages[0].numpy().item(), game.step.numpy()]
    return [values[0] for values in logs.values()] + state


X = np.random.default_rng(0).normal(size=(5, 16, 1)).astype(np.float32)


@pytest.fixture(scope="module")
def on_one_device():
    return train_full(tf.distribute.get_strategy(), tf.data.Dataset.from_tensor_slices(X))


def test_xla_agrees(on_one_device):
    compiled_by_xla = train_full(tf.distribute.get_strategy(), tf.data.Dataset.from_tensor_slices(X), jit_compile=True)
    assert compiled_by_xla == pytest.approx(on_one_device, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("jit_compile", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_slices_of_a_batch_agree_with_all_of_it(on_one_device, jit_compile):
    batches = tf.data.Dataset.from_tensor_slices(X)
    sliced = train_full(tf.distribute.get_strategy(), batches, accumulate=4, jit_compile=jit_compile)
    assert sliced == pytest.approx(on_one_device, rel=1e-6, abs=1e-6)


def test_slices_on_two_devices_agree_with_all_on_one(on_one_device):
    assert train_full(*two_devices(), accumulate=2) == pytest.approx(on_one_device, rel=1e-5, abs=1e-5)


def test_a_batch_that_is_one_whole_is_not_cut():
    game = Game(phases_of(pull("artist")), keras.layers.BatchNormalization())
    with pytest.raises(ValueError, match="^accumulate is 2; it must be 1 for this Game, in which an example's loss"):
        game.compile({"artist": SGD(), "critic": SGD()}, accumulate=2)


def two_devices():
    """A strategy, and X as it deals it out: elements 2 s and 2 s + 1 are the two halves of step s."""
    strategy = devices._mirrored(tuple(device.name for device in tf.config.list_logical_devices("CPU")))
    assert strategy.num_replicas_in_sync == 2
    return strategy, strategy.distribute_datasets_from_function(
        lambda context: tf.data.Dataset.from_tensor_slices(X.reshape(10, 8, 1)), devices.fetching()
    )


@pytest.mark.parametrize("jit_compile", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_two_devices_agree_with_one(on_one_device, jit_compile):
    assert train_full(*two_devices(), jit_compile=jit_compile) == pytest.approx(on_one_device, rel=1e-5, abs=1e-5)


# Who moves first.


@pytest.mark.parametrize(
    ("simultaneous", "after"),
    [
        # d(ac)/da = c: a = 2 - .1 x 3 = 1.7, then d(-ac)/dc = -a: c = 3 + .1 x 1.7.
        (False, [1.7, 3.17]),
        # Both from a = 2 and c = 3: c = 3 + .1 x 2.
        (True, [1.7, 3.2]),
    ],
)
def test_players_move_in_turn_or_at_once(simultaneous, after):
    game = Game(phases_of(product("artist", 1.0), product("critic", -1.0)))
    game.compile({"artist": SGD(0.1), "critic": SGD(0.1)}, simultaneous=simultaneous)
    logs = fit(game, [[0.0]])
    assert game.weights_now == pytest.approx(after)
    assert logs["critic/loss"] == pytest.approx(-6.0 if simultaneous else -5.1)


@pytest.mark.parametrize("simultaneous", [False, True])
def test_players_that_move_at_once_see_the_same_noise(simultaneous):
    """Each takes the rate times its mean of one draw from its number: 2 - a and 3 - c are the draws."""

    def make(game):
        def noisy(player, network):
            return lambda x, key: ({player: {"loss": network(key.normal("z", (1, 1)))}}, {})

        players = {"artist": game.generator, "critic": game.critic}
        return [Phase(player, noisy(player, network)) for player, network in players.items()]

    game = Game(make)
    game.compile({"artist": SGD(1.0), "critic": SGD(1.0)}, simultaneous=simultaneous)
    fit(game, [[0.0]])
    a, c = game.weights_now
    assert (2.0 - a == pytest.approx(3.0 - c, abs=1e-6)) == simultaneous


def test_repeated_updates_cannot_be_at_once():
    game = Game(phases_of(pull("artist"), pull("critic", repeats=2)))
    with pytest.raises(
        ValueError, match="^simultaneous must be False here: phase critic of Game has 2 updates a step$"
    ):
        game.compile({"artist": SGD(), "critic": SGD()}, simultaneous=True)
