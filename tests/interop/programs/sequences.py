"""Recurrent networks, encoder and decoder with attention, Transformers, language models, word embeddings."""

import collections
import math
import re

import torch
from torch import nn
from torch.nn import functional as F

text = "the time traveller for so it will be convenient to speak of him was expounding a recondite matter to us " * 20
tokens = list(re.sub("[^A-Za-z]+", " ", text).strip().lower())
counter = collections.Counter(tokens)
vocab = {c: i for i, (c, _) in enumerate(counter.most_common())}
corpus = torch.tensor([vocab[c] for c in tokens])
torch.manual_seed(0)
steps, batch = 16, 8


def batches():
    n = (len(corpus) - 1) // batch
    Xs, Ys = corpus[: n * batch].reshape(batch, -1), corpus[1 : n * batch + 1].reshape(batch, -1)
    for i in range(0, n - steps, steps):
        yield Xs[:, i : i + steps], Ys[:, i : i + steps]


class RNNModel(nn.Module):
    def __init__(self, rnn_layer, vocab_size):
        super().__init__()
        self.rnn, self.vocab_size = rnn_layer, vocab_size
        self.linear = nn.Linear(rnn_layer.hidden_size * (2 if rnn_layer.bidirectional else 1), vocab_size)

    def forward(self, inputs, state):
        X = F.one_hot(inputs.T.long(), self.vocab_size).to(torch.float32)
        Y, state = self.rnn(X, state)
        return self.linear(Y.reshape((-1, Y.shape[-1]))), state

    def begin_state(self, device, batch_size=1):
        size = (self.rnn.num_layers, batch_size, self.rnn.hidden_size)
        if isinstance(self.rnn, nn.LSTM):
            return torch.zeros(size, device=device), torch.zeros(size, device=device)
        return torch.zeros(size, device=device)


for layer in (nn.RNN(len(vocab), 64), nn.GRU(len(vocab), 64), nn.LSTM(len(vocab), 64, 2)):
    net = RNNModel(layer, len(vocab))
    updater = torch.optim.Adam(net.parameters(), lr=0.01)
    first = last = None
    for epoch in range(6):
        state = None
        for X, Y in batches():
            if state is None:
                state = net.begin_state(torch.device("cpu"), X.shape[0])
            elif isinstance(state, tuple):
                for s in state:
                    s.detach_()
            else:
                state.detach_()
            y_hat, state = net(X, state)
            loss = nn.CrossEntropyLoss()(y_hat, Y.T.reshape(-1).long())
            updater.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 1)
            updater.step()
            last = loss.item()
            first = first or last
    assert math.exp(last) < 0.6 * math.exp(first), (type(layer), first, last)


def sequence_mask(X, valid_len, value=0):
    mask = torch.arange(X.size(1), dtype=torch.float32, device=X.device)[None, :] < valid_len[:, None]
    X[~mask] = value
    return X


def masked_softmax(X, valid_lens):
    shape = X.shape
    valid_lens = torch.repeat_interleave(valid_lens, shape[1]) if valid_lens.dim() == 1 else valid_lens.reshape(-1)
    return F.softmax(sequence_mask(X.reshape(-1, shape[-1]), valid_lens, value=-1e6).reshape(shape), dim=-1)


weights = masked_softmax(torch.rand(2, 2, 4), torch.tensor([2, 3]))
assert weights[0, 0, 2:].sum() == 0 and torch.allclose(weights.sum(-1), torch.ones(2, 2))


class AdditiveAttention(nn.Module):
    def __init__(self, hidden, dropout=0.0):
        super().__init__()
        self.W_k, self.W_q = nn.LazyLinear(hidden, bias=False), nn.LazyLinear(hidden, bias=False)
        self.w_v, self.dropout = nn.LazyLinear(1, bias=False), nn.Dropout(dropout)

    def forward(self, queries, keys, values, valid_lens):
        features = torch.tanh(self.W_q(queries).unsqueeze(2) + self.W_k(keys).unsqueeze(1))
        self.attention_weights = masked_softmax(self.w_v(features).squeeze(-1), valid_lens)
        return torch.bmm(self.dropout(self.attention_weights), values)


attention = AdditiveAttention(8)
out = attention(torch.rand(2, 1, 20), torch.ones(2, 10, 2), torch.rand(2, 10, 4), torch.tensor([2, 6]))
assert out.shape == (2, 1, 4)
attended, weights = nn.MultiheadAttention(100, 5, dropout=0.5, batch_first=True).eval()(*[torch.ones(2, 4, 100)] * 3)
assert attended.shape == (2, 4, 100) and weights.shape == (2, 4, 4)


class PositionalEncoding(nn.Module):
    def __init__(self, num_hiddens, max_len=1000):
        super().__init__()
        self.P = torch.zeros((1, max_len, num_hiddens))
        X = torch.arange(max_len, dtype=torch.float32).reshape(-1, 1)
        X = X / torch.pow(10000, torch.arange(0, num_hiddens, 2, dtype=torch.float32) / num_hiddens)
        self.P[:, :, 0::2] = torch.sin(X)
        self.P[:, :, 1::2] = torch.cos(X)

    def forward(self, X):
        return X + self.P[:, : X.shape[1], :].to(X.device)


class Masked(nn.Module):
    """A small encoder that fills in masked tokens."""

    def __init__(self, vocab_size, hidden=32):
        super().__init__()
        self.token, self.segment = nn.Embedding(vocab_size, hidden), nn.Embedding(2, hidden)
        self.place = PositionalEncoding(hidden)
        layer = nn.TransformerEncoderLayer(hidden, 4, 64, 0.0, activation=F.gelu, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, num_layers=2)
        self.head = nn.Sequential(
            nn.Linear(hidden, hidden), nn.ReLU(), nn.LayerNorm(hidden), nn.Linear(hidden, vocab_size)
        )

    def forward(self, tokens, segments, places):
        X = self.encoder(self.place(self.token(tokens) + self.segment(segments)))
        rows = torch.repeat_interleave(torch.arange(len(tokens)), places.shape[1])
        return self.head(X[rows, places.reshape(-1)].reshape(len(tokens), places.shape[1], -1))


net = Masked(10)
optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3)
for step in range(150):
    start = torch.randint(0, 10, (16, 1))
    full = (start + torch.arange(8)) % 9 + 1
    places = torch.stack([torch.randperm(8)[:2] for _ in range(16)])
    masked = full.scatter(1, places, 0)
    logits = net(masked, torch.zeros_like(masked), places)
    loss = F.cross_entropy(logits.reshape(-1, 10), full.gather(1, places).reshape(-1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
assert loss < 1.5, loss

# Skip-gram with negative sampling
center, context = nn.Embedding(20, 4, padding_idx=0), nn.Embedding(20, 4)
pred = torch.bmm(
    center(torch.ones((2, 1), dtype=torch.long)), context(torch.ones((2, 5), dtype=torch.long)).permute(0, 2, 1)
)
mask = torch.tensor([[1.0, 1, 1, 1, 0], [1, 1, 0, 0, 0]])
label = torch.tensor([[1.0, 0, 0, 0, 0]] * 2)
loss = F.binary_cross_entropy_with_logits(pred.reshape(label.shape), label, weight=mask, reduction="none").mean(dim=1)
(loss * mask.shape[1] / mask.sum(axis=1)).sum().backward()
assert center.weight.grad.abs().sum() > 0
similar = torch.topk(torch.mv(center.weight, center.weight[3]) / torch.sqrt((center.weight**2).sum(1) + 1e-9), k=3)[1]
assert similar.cpu().numpy().astype("int32").shape == (3,)
