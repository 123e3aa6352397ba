"""The diversity of a batch as the spectrum of its determinantal point process (GDPP, Elfeki et al. 2019)."""

import tensorflow as tf

GAP = 1e-4  # eigenvalues of a kernel, which sum to B, that are closer than this have eigenvectors of no meaning


def diversity(real: tf.Tensor, sample: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """GDPP's magnitude and structure loss, two scalars.

    The kernels phi phi' of features of length 1 have eigenvalues l_i and eigenvectors v_i, [B]. The magnitude loss is
    the mean over i of (l_i of data - l_i of samples)^2. The structure loss is minus the sum over i of w_i times the
    cosine of the two v_i. w_i are the eigenvalues of the data, scaled to [0, 1]. An eigenvector has no sign, so the
    cosine has none here (ours).

    Args:
        real: features [B, F] of data.
        sample: features [B, F] of samples.
    """
    batch, size = real.shape
    (l_real, v_real), (l_sample, v_sample) = map(_spectrum, (real, sample))
    lowest, highest = tf.reduce_min(l_real) if batch <= size else 0.0, tf.reduce_max(l_real)
    weights = tf.math.divide_no_nan(l_real - lowest, highest - lowest)
    cosines = tf.abs(tf.reduce_sum(v_real * v_sample, axis=0))
    return tf.reduce_sum((l_real - l_sample) ** 2) / batch, -tf.reduce_sum(weights * cosines)


def _spectrum(features: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Eigenvalues [N], rising, and eigenvectors, the columns of [B, N], of the kernel of features [B, F].

    N is the smaller of B and F. All other eigenvalues are 0, and so are their weights in both losses. If F is smaller,
    phi' phi has the same N, and takes F^3 operations instead of B^3.
    """
    phi = tf.math.l2_normalize(features, axis=1)
    batch, size = phi.shape
    if batch <= size:
        return _eigh(tf.matmul(phi, phi, transpose_b=True))
    values, vectors = _eigh(tf.matmul(phi, phi, transpose_a=True))
    return values, tf.matmul(phi, vectors) / tf.sqrt(tf.maximum(values, GAP))  # one of length 0 has a weight of 0


@tf.custom_gradient
def _eigh(kernel: tf.Tensor):
    """`tf.linalg.eigh` with a gradient that stays finite where eigenvalues coincide.

    TensorFlow's own has the factor 1 / (l_j - l_i), which is rounding noise divided by rounding noise for samples that
    are all alike. Here it is (l_j - l_i) / ((l_j - l_i)^2 + GAP^2).
    """
    values, vectors = tf.linalg.eigh(kernel)

    def gradient(d_values, d_vectors):
        gaps = values[None, :] - values[:, None]
        inner = tf.matmul(vectors, d_vectors, transpose_a=True) * gaps / (gaps**2 + GAP**2)
        slope = tf.matmul(vectors, tf.matmul(tf.linalg.diag(d_values) + inner, vectors, transpose_b=True))
        return (slope + tf.transpose(slope)) / 2

    return (values, vectors), gradient
