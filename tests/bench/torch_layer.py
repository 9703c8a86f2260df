#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One MoE decoder layer of DeepSeek-V3's shapes in plain PyTorch, BF16: what packaging/gpu-check
compares with. Random weights. Prints one line: tokens per second of a decode step (absorbed latent
attention) at two depths, and of a prefill of 4096 tokens (keys and values expanded)."""

import math
import statistics

import torch
import torch.nn.functional as F

HIDDEN = 7168
HEADS = 128
NOPE, ROPE, VALUE = 128, 64, 128
QUERY_RANK, LATENT = 1536, 512
EXPERTS, TOP_K, GROUPS, KEPT_GROUPS, INNER = 256, 8, 8, 4, 2048
SCALE = 1 / math.sqrt(NOPE + ROPE)
PREFILL = 4096


def weight(*shape):
    return torch.randn(*shape, device="cuda", dtype=torch.bfloat16) * 0.02


class Layer:
    def __init__(self):
        self.norms = [torch.ones(n, device="cuda", dtype=torch.bfloat16)
                      for n in (HIDDEN, HIDDEN, QUERY_RANK, LATENT)]
        self.q_a = weight(QUERY_RANK, HIDDEN)
        self.q_b = weight(HEADS * (NOPE + ROPE), QUERY_RANK)
        self.kv_a = weight(LATENT + ROPE, HIDDEN)
        self.kv_b = weight(HEADS, NOPE + VALUE, LATENT)
        self.out = weight(HIDDEN, HEADS * VALUE)
        self.router = weight(EXPERTS, HIDDEN).float()
        self.bias = torch.zeros(EXPERTS, device="cuda")
        self.gate_up = weight(EXPERTS + 1, 2 * INNER, HIDDEN)  # the last one is the shared expert
        self.down = weight(EXPERTS + 1, HIDDEN, INNER)

    def projections(self, x, angles):
        """Queries [T, H, nope], [T, H, rope] and the token's latent rows [T, latent + rope]."""
        normed = F.rms_norm(x, (HIDDEN,), self.norms[0])
        latent_q = F.rms_norm(F.linear(normed, self.q_a), (QUERY_RANK,), self.norms[2])
        q = F.linear(latent_q, self.q_b).view(-1, HEADS, NOPE + ROPE)
        kv = F.linear(normed, self.kv_a)
        latent = F.rms_norm(kv[:, :LATENT], (LATENT,), self.norms[3])
        q_rope = rotate(q[..., NOPE:], angles.unsqueeze(1))
        return q[..., :NOPE], q_rope, torch.cat([latent, rotate(kv[:, LATENT:], angles)], 1)

    def absorbed(self, q_nope, q_rope, cache):
        """One query token over the latent rows [rows, latent + rope]."""
        q = torch.einsum("thd,hdc->thc", q_nope, self.kv_b[:, :NOPE])
        scores = torch.cat([q, q_rope], 2)[0] @ cache.T
        shares = torch.softmax(scores.float() * SCALE, -1).to(cache.dtype)
        return torch.einsum("hc,hdc->hd", shares @ cache[:, :LATENT], self.kv_b[:, NOPE:]).reshape(1, -1)

    def expanded(self, q_nope, q_rope, rows):
        """T query tokens over themselves, causally."""
        kv = torch.einsum("tc,hdc->htd", rows[:, :LATENT], self.kv_b)
        k_rope = rows[:, LATENT:].expand(HEADS, -1, -1)
        keys = torch.cat([kv[..., :NOPE], k_rope], 2)
        queries = torch.cat([q_nope, q_rope], 2).transpose(0, 1)
        values = F.pad(kv[..., NOPE:], (0, ROPE))  # one width for all, so that a fused kernel may run
        heads = F.scaled_dot_product_attention(queries[None], keys[None], values[None],
                                               is_causal=True, scale=SCALE)
        return heads[0, ..., :VALUE].transpose(0, 1).reshape(-1, HEADS * VALUE)

    def route(self, normed):
        scores = torch.sigmoid(normed.float() @ self.router.T)
        choice = (scores + self.bias).view(-1, GROUPS, EXPERTS // GROUPS)
        kept = choice.topk(2, -1).values.sum(-1).topk(KEPT_GROUPS, -1).indices
        mask = torch.full(choice.shape[:2], -math.inf, device="cuda").scatter(1, kept, 0.0)
        ids = (choice + mask[..., None]).flatten(1).topk(TOP_K, -1).indices
        weights = scores.gather(1, ids)
        return ids, (2.5 * weights / weights.sum(-1, keepdim=True)).to(normed.dtype)

    def expert(self, index, x):
        gate, up = F.linear(x, self.gate_up[index]).chunk(2, -1)
        return F.linear(F.silu(gate) * up, self.down[index])

    def mixture(self, x):
        normed = F.rms_norm(x, (HIDDEN,), self.norms[1])
        ids, weights = self.route(normed)
        result = self.expert(EXPERTS, normed)
        if len(x) == 1:
            for slot, index in enumerate(ids[0].tolist()):
                result = result + weights[0, slot] * self.expert(index, normed)
            return x + result
        for index in range(EXPERTS):
            token, slot = (ids == index).nonzero(as_tuple=True)
            if len(token) > 0:
                part = self.expert(index, normed[token]) * weights[token, slot, None]
                result.index_add_(0, token, part)
        return x + result

    def decode(self, x, cache, angles):
        q_nope, q_rope, row = self.projections(x, angles)
        cache[-1] = row[0]
        return self.mixture(x + F.linear(self.absorbed(q_nope, q_rope, cache), self.out))

    def prefill(self, x, angles):
        q_nope, q_rope, rows = self.projections(x, angles)
        return self.mixture(x + F.linear(self.expanded(q_nope, q_rope, rows), self.out))


def angles_of(count):
    steps = torch.arange(count, device="cuda")[:, None]
    return steps / 10000 ** (torch.arange(0, ROPE, 2, device="cuda") / ROPE)


def rotate(x, angles):
    """Adjacent pairs of the last dimension by the angles."""
    even, odd = x[..., ::2].float(), x[..., 1::2].float()
    cos, sin = angles.cos(), angles.sin()
    return torch.stack([even * cos - odd * sin, even * sin + odd * cos], -1).flatten(-2).to(x.dtype)


def seconds(action, runs):
    """Median on the GPU's clock, after two to warm up."""
    times = []
    for run in range(runs + 2):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        action()
        end.record()
        torch.cuda.synchronize()
        if run >= 2:
            times.append(begin.elapsed_time(end) / 1000)
    return statistics.median(times)


@torch.inference_mode()
def main():
    torch.manual_seed(1)
    layer = Layer()
    parts = []
    for depth in (1024, 16384):
        x = weight(1, HIDDEN) * 50
        cache = weight(depth + 1, LATENT + ROPE) * 50
        angles = angles_of(depth + 1)[-1:]
        parts.append(f"decode {1 / seconds(lambda: layer.decode(x, cache, angles), 20):.0f} tok/s"
                     f" at {depth}")
    x = weight(PREFILL, HIDDEN) * 50
    angles = angles_of(PREFILL)
    parts.append(f"prefill {PREFILL / seconds(lambda: layer.prefill(x, angles), 5):.0f} tok/s")
    print(f"one layer, bf16: {', '.join(parts)}")


if __name__ == "__main__":
    main()
