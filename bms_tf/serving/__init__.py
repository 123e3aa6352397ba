"""A thin server for development, with the protocols and the answers of TensorFlow Serving."""
