"""Trains a Haiku network to say which token comes most often in a sequence."""

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import optax

TOKENS = 6
LENGTH = 12


class Reader(hk.Module):
    """Looks tokens up and mixes what it finds along the sequence."""

    def __init__(self, width, name=None):
        super().__init__(name=name)
        self.width = width

    def __call__(self, tokens):
        x = hk.Embed(TOKENS, self.width)(tokens)
        x = hk.Linear(self.width, with_bias=False)(x)
        x = hk.LayerNorm(axis=-1, create_scale=True, create_offset=True)(x)
        return jax.nn.gelu(x).mean(axis=1)


def network(tokens, is_training):
    x = Reader(24)(tokens)
    for size in (32, 16):
        x = jax.nn.relu(hk.Linear(size)(x))
        if is_training:
            x = hk.dropout(hk.next_rng_key(), 0.1, x)
    return hk.Linear(TOKENS)(x)


def make_data(seed, count):
    """Sequences in which one token was put in more often than chance does, and that token."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, TOKENS, count)
    tokens = rng.integers(0, TOKENS, (count, LENGTH))
    tokens = np.where(rng.random((count, LENGTH)) < 0.4, labels[:, None], tokens)
    return jnp.asarray(tokens), jnp.asarray(labels)


model = hk.transform(network)
optimizer = optax.adamw(1e-2)


def loss_fn(params, key, tokens, labels):
    logits = model.apply(params, key, tokens, is_training=True)
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


@jax.jit
def update(params, opt_state, key, tokens, labels):
    loss, grads = jax.value_and_grad(loss_fn)(params, key, tokens, labels)
    updates, opt_state = optimizer.update(grads, opt_state, params)
    return optax.apply_updates(params, updates), opt_state, loss


def main():
    tokens, labels = make_data(0, 128)
    rng = hk.PRNGSequence(0)
    params = model.init(next(rng), tokens, is_training=True)
    opt_state = optimizer.init(params)
    for step in range(40):
        params, opt_state, loss = update(params, opt_state, next(rng), tokens, labels)
        if step % 10 == 0:
            print(f"step {step:2}  loss {loss:.4f}")
    tokens, labels = make_data(1, 128)
    logits = model.apply(params, None, tokens, is_training=False)
    print(f"test accuracy {(logits.argmax(axis=-1) == labels).mean():.4f}")


if __name__ == "__main__":
    main()
