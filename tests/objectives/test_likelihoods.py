"""Log-likelihoods by hand."""

import numpy as np
import tensorflow as tf

from bms_tf.objectives.likelihoods import log_gaussian, log_laplace


def test_vectors_are_summed_over_their_dimensions():
    # |1 - 0| + |2 - 4| = 3 and |0 - 0| + |-1 - 1| = 2, times -0.5.
    x = tf.constant([[1.0, 2.0], [0.0, -1.0]])
    x_hat = tf.constant([[0.0, 4.0], [0.0, 1.0]])
    np.testing.assert_allclose(log_laplace(x, x_hat, 0.5), [-1.5, -1.0])


def test_images_are_averaged_over_pixels_and_channels():
    # Two examples of 2 x 3 x 2 numbers: all differ by 2; one of 12 differs by 6, which is 0.5 on average.
    x = np.zeros([2, 2, 3, 2], np.float32)
    x_hat = np.zeros_like(x)
    x_hat[0] = -2.0
    x_hat[1, 0, 1, 1] = 6.0
    np.testing.assert_allclose(log_laplace(tf.constant(x), tf.constant(x_hat), 3.0), [-6.0, -1.5])


def test_candidates_lie_along_leading_axes():
    # Candidate k of x = 0 is the constant k in every dimension: -k times 2 for a vector, -k for an image.
    k = np.arange(3, dtype=np.float32)
    vectors = tf.constant(np.broadcast_to(k[:, None, None], [3, 4, 2]))
    images = tf.constant(np.broadcast_to(k[:, None, None, None, None], [3, 4, 2, 2, 1]))
    expected = -np.repeat(k[:, None], 4, axis=1)
    np.testing.assert_allclose(log_laplace(tf.zeros([4, 2]), vectors, 1.0), 2 * expected)
    np.testing.assert_allclose(log_laplace(tf.zeros([4, 2, 2, 1]), images, 1.0), expected)


def test_the_gaussian_has_the_square_of_the_l2_norm():
    # 1^2 + 2^2 = 5 and 0^2 + 2^2 = 4, times -0.5; an image of 12 numbers of which one differs by 6: -3 * 36 / 12.
    x = tf.constant([[1.0, 2.0], [0.0, -1.0]])
    x_hat = tf.constant([[0.0, 4.0], [0.0, 1.0]])
    np.testing.assert_allclose(log_gaussian(x, x_hat, 0.5), [-2.5, -2.0])
    image = np.zeros([1, 2, 3, 2], np.float32)
    image[0, 1, 0, 1] = 6.0
    np.testing.assert_allclose(log_gaussian(tf.zeros_like(image), tf.constant(image), 3.0), [-9.0])
