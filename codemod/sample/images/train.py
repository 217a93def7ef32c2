"""Trains the classifier to tell in which corner of an image the light is."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax.training import train_state

from model import Classifier

CORNERS = 4


class TrainState(train_state.TrainState):
    batch_stats: Any


def make_data(seed, count):
    """Noisy 8x8 images, each with a bright corner, and the number of that corner."""
    rng = np.random.default_rng(seed)
    images = rng.normal(0.0, 0.3, (count, 8, 8, 1)).astype(np.float32)
    labels = rng.integers(0, CORNERS, count)
    for image, label in zip(images, labels):
        row, column = 4 * (label // 2), 4 * (label % 2)
        image[row : row + 4, column : column + 4] += np.linspace(0.2, 1.0, 4)[:, None, None] * (label + 1)
    return jnp.asarray(images), jnp.asarray(labels)


@jax.jit
def train_step(state, images, labels, key):
    def loss_fn(params):
        logits, updates = state.apply_fn(
            {"params": params, "batch_stats": state.batch_stats},
            images,
            train=True,
            rngs={"dropout": key},
            mutable=["batch_stats"],
        )
        loss = optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()
        return loss, updates

    (loss, updates), grads = jax.value_and_grad(loss_fn, has_aux=True)(state.params)
    state = state.apply_gradients(grads=grads, batch_stats=updates["batch_stats"])
    return state, loss


@jax.jit
def eval_step(state, images, labels):
    logits = state.apply_fn({"params": state.params, "batch_stats": state.batch_stats}, images, train=False)
    return (logits.argmax(axis=-1) == labels).mean()


def main():
    images, labels = make_data(0, 64)
    model = Classifier(classes=CORNERS)
    variables = model.init(jax.random.key(0), images[:1], train=False)
    state = TrainState.create(
        apply_fn=model.apply,
        params=variables["params"],
        batch_stats=variables["batch_stats"],
        tx=optax.adam(3e-3),
    )
    key = jax.random.key(1)
    for step in range(30):
        key, dropout_key = jax.random.split(key)
        state, loss = train_step(state, images, labels, dropout_key)
        if step % 10 == 0:
            print(f"step {step:2}  loss {loss:.4f}")
    accuracy = eval_step(state, *make_data(1, 64))
    print(f"test accuracy {accuracy:.4f}")


if __name__ == "__main__":
    main()
