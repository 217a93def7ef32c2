"""What models built on transformers hand back: records whose first item is never left out."""

from typing import Any, NamedTuple


class FlaxBaseModelOutput(NamedTuple):
    last_hidden_state: Any = None
    hidden_states: Any = None
    attentions: Any = None


class FlaxBaseModelOutputWithPast(NamedTuple):
    last_hidden_state: Any = None
    past_key_values: Any = None
    hidden_states: Any = None
    attentions: Any = None


class FlaxBaseModelOutputWithPastAndCrossAttentions(NamedTuple):
    last_hidden_state: Any = None
    past_key_values: Any = None
    hidden_states: Any = None
    attentions: Any = None
    cross_attentions: Any = None


class FlaxBaseModelOutputWithPooling(NamedTuple):
    last_hidden_state: Any = None
    pooler_output: Any = None
    hidden_states: Any = None
    attentions: Any = None


class FlaxBaseModelOutputWithPoolingAndCrossAttentions(NamedTuple):
    last_hidden_state: Any = None
    pooler_output: Any = None
    hidden_states: Any = None
    past_key_values: Any = None
    attentions: Any = None
    cross_attentions: Any = None


class FlaxCausalLMOutput(NamedTuple):
    logits: Any = None
    hidden_states: Any = None
    attentions: Any = None


FlaxMaskedLMOutput = FlaxCausalLMOutput


class FlaxCausalLMOutputWithCrossAttentions(NamedTuple):
    logits: Any = None
    past_key_values: Any = None
    hidden_states: Any = None
    attentions: Any = None
    cross_attentions: Any = None


class FlaxSeq2SeqModelOutput(NamedTuple):
    last_hidden_state: Any = None
    past_key_values: Any = None
    decoder_hidden_states: Any = None
    decoder_attentions: Any = None
    cross_attentions: Any = None
    encoder_last_hidden_state: Any = None
    encoder_hidden_states: Any = None
    encoder_attentions: Any = None


class FlaxSeq2SeqLMOutput(NamedTuple):
    logits: Any = None
    past_key_values: Any = None
    decoder_hidden_states: Any = None
    decoder_attentions: Any = None
    cross_attentions: Any = None
    encoder_last_hidden_state: Any = None
    encoder_hidden_states: Any = None
    encoder_attentions: Any = None
