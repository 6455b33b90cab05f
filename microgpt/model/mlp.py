"""The feed-forward network: what each token does with what it took in, on its own."""

from microgpt.autograd.tensor import gelu, linear, swiglu


def mlp(x, params, layer, config, record=None):  # (B, T, C) -> (B, T, C)
    """Widen to F numbers, bend, come back to C; SwiGLU lets one half gate the other."""

    def project(x, part):
        name = f"model.layers.{layer}.mlp.{part}"
        return linear(x, params[f"{name}.weight"], params.get(f"{name}.bias"))

    up = project(x, "up_proj")
    if record:
        up = record("mlp.up", up)
    if config.mlp == "swiglu":
        gate = project(x, "gate_proj")
        if record:
            gate = record("mlp.gate", gate)
        hidden = swiglu(gate, up)
    else:
        hidden = gelu(up)
    if record:
        hidden = record("mlp.hidden", hidden)
    output = project(hidden, "down_proj")
    if record:
        output = record("mlp.output", output)
    return output
