#!/usr/bin/env python3
"""Makes golden.json: predictions with the score that a reference gives them.

Run with Debian's Python and its python3-sklearn, python3-scipy:

    /usr/bin/python3 make.py

Each case carries the spec, the holdout and the predictions as files, so that
the Go test goes the whole way from bytes to score. The references are
scikit-learn and SciPy; for map_iou, which neither has, a plain implementation
below, in exact fractions and written from the competition's rules.
"""
import json
import math
import pathlib
import warnings
from fractions import Fraction

import numpy as np
import scipy
import sklearn
from scipy import stats
from sklearn import metrics as sk

warnings.simplefilter("ignore")
cases = []
files = {}  # text -> its name; many cases share theirs


def num(v):
    return repr(v.item() if hasattr(v, "item") else v)


def table(header, *columns):
    rows = [",".join(header)] + [",".join(r) for r in zip(*columns)]
    return "\n".join(rows) + "\n"


def add(name, metric, want, targets, holdout, predictions, **spec):
    spec = {"id_column": "id", "targets": targets, "metric": metric, **spec}
    want = float(want)
    assert math.isfinite(want), name
    cases.append({"name": name, "spec": spec, "holdout": keep(holdout), "predictions": keep(predictions), "want": want})


def keep(text):
    return files.setdefault(text, "file%d" % len(files))


def ids(n):
    return ["r%d" % i for i in range(n)]


def shuffled(rng, *columns):
    order = rng.permutation(len(columns[0]))
    return [[c[i] for i in order] for c in columns]


# --- labels -----------------------------------------------------------------
LABELS = {
    "accuracy": sk.accuracy_score,
    "balanced_accuracy": sk.balanced_accuracy_score,
    "f1_macro": lambda t, p: sk.f1_score(t, p, average="macro", zero_division=0),
    "f1_micro": lambda t, p: sk.f1_score(t, p, average="micro", zero_division=0),
    "f1_weighted": lambda t, p: sk.f1_score(t, p, average="weighted", zero_division=0),
    "mcc": sk.matthews_corrcoef,
}


def labels(name, low, high, truth, pred, rng):
    column = [{"name": "label", "type": "int", "min": low, "max": high}]
    n = ids(len(truth))
    holdout = table(["id", "label"], n, map(str, truth))
    predictions = table(["id", "label"], *shuffled(rng, n, [str(p) for p in pred]))
    for metric, ref in LABELS.items():
        add(metric + " " + name, metric, ref(truth, pred), column, holdout, predictions)
    if len(set(truth)) > 1:
        ref = sk.cohen_kappa_score(truth, pred, weights="quadratic", labels=list(range(low, high + 1)))
        add("quadratic_weighted_kappa " + name, "quadratic_weighted_kappa", ref, column, holdout, predictions)


rng = np.random.RandomState(1)
for name, n, low, high in [("binary", 60, 0, 1), ("five", 200, 0, 4), ("negative", 90, -3, 3), ("hundred", 700, 0, 99)]:
    truth = rng.randint(low, high + 1, n)
    pred = np.where(rng.rand(n) < 0.6, truth, rng.randint(low, high + 1, n))
    labels(name, low, high, truth, pred, rng)
truth = rng.randint(0, 2, 40)
labels("constant predictions", 0, 1, truth, np.zeros(40, int), rng)
labels("always wrong", 0, 1, truth, 1 - truth, rng)
labels("all right", 0, 1, truth, truth, rng)
labels("one true class", 0, 1, np.ones(12, int), rng.randint(0, 2, 12), rng)
labels("a class only predicted", 0, 5, np.array([0, 0, 1, 1, 3, 3]), np.array([0, 5, 1, 1, 3, 0]), rng)
labels("a gap in the labels", 0, 4, np.array([0, 0, 1, 4, 4, 1]), np.array([0, 1, 4, 4, 1, 1]), rng)
names = ["cat", "dog", "eel, electric", 'fox "red"', "gnu"]
truth = [names[i] for i in rng.randint(0, 5, 80)]
pred = [t if rng.rand() < 0.5 else names[rng.randint(0, 5)] for t in truth]
quote = lambda s: '"' + s.replace('"', '""') + '"'
for metric, ref in LABELS.items():
    add(metric + " words", metric, ref(truth, pred), [{"name": "kind", "type": "category", "classes": names}],
        table(["id", "kind"], ids(80), map(quote, truth)), table(["id", "kind"], ids(80), map(quote, pred)))
order = [names.index(t) for t in truth], [names.index(p) for p in pred]
add("quadratic_weighted_kappa words", "quadratic_weighted_kappa",
    sk.cohen_kappa_score(*order, weights="quadratic", labels=range(5)),
    [{"name": "kind", "type": "category", "classes": names}],
    table(["id", "kind"], ids(80), map(quote, truth)), table(["id", "kind"], ids(80), map(quote, pred)))

# --- probabilities ----------------------------------------------------------
BINARY = {
    "roc_auc": sk.roc_auc_score,
    "average_precision": sk.average_precision_score,
    "log_loss": sk.log_loss,
    "brier": sk.brier_score_loss,
}


def binary(name, truth, score, rng, only=BINARY):
    n = ids(len(truth))
    holdout = table(["id", "p"], n, map(str, truth))
    predictions = table(["id", "p"], *shuffled(rng, n, [num(s) for s in score]))
    for metric in only:
        add(metric + " " + name, metric, BINARY[metric](truth, score), [{"name": "p", "type": "float"}], holdout, predictions)


rng = np.random.RandomState(2)
truth = rng.randint(0, 2, 150)
smooth = np.clip(truth * 0.3 + rng.rand(150) * 0.7, 0, 1)
binary("smooth", truth, smooth, rng)
binary("ties", truth, np.round(smooth, 1), rng)
binary("all tied", truth, np.full(150, 0.25), rng)
binary("certain", truth, truth.astype(float), rng)
binary("certain and wrong", truth, 1.0 - truth, rng)
binary("a few certain", truth, np.where(rng.rand(150) < 0.2, np.round(smooth), smooth), rng)
binary("rare", (np.arange(90) == 17).astype(int), rng.rand(90), rng)
ranks = {"roc_auc", "average_precision"}
binary("any scores", truth, rng.randn(150) * 10.0 ** rng.randint(-300, 300, 150), rng, ranks)
binary("signed zeros", truth, np.where(rng.rand(150) < 0.5, -0.0, np.where(rng.rand(150) < 0.5, 0.0, -1.5)), rng, ranks)
truth = rng.randint(0, 2, 5000)
binary("many, ties", truth, np.round(truth * 0.2 + rng.rand(5000) * 0.8, 3), rng)
binary("many, small and signed", truth, np.round(truth * 0.3 + rng.randn(5000), 4), rng, ranks)

words = ["sick", "well"]
truth = rng.randint(0, 2, 50)
score = np.round(np.clip(truth * 0.2 + rng.rand(50) * 0.8, 0, 1), 2)
for metric, ref in BINARY.items():
    for positive in (0, 1):
        y = (truth == positive).astype(int)
        add("%s of %s" % (metric, words[positive]), metric, ref(y, score), [{"name": "p", "type": "float"}],
            table(["id", "truth"], ids(50), [words[t] for t in truth]), table(["id", "p"], ids(50), map(num, score)),
            truth={"name": "truth", "type": "category", "classes": words}, options={"positive": words[positive]})

classes = ["a", "b", "c", "d"]
truth = rng.randint(0, 4, 120)
raw = rng.rand(120, 4) + np.eye(4)[truth]
prob = raw / raw.sum(axis=1, keepdims=True)
many = [{"name": c, "type": "float"} for c in classes]


def multi(name, metric, want, prob, **kw):
    add(name, metric, want, many, table(["id", "label"], ids(120), [classes[t] for t in truth]),
        table(["id"] + classes, ids(120), *[map(num, prob[:, k]) for k in range(4)]),
        truth={"name": "label", "type": "category"}, **kw)


ovr = lambda p: sk.roc_auc_score(truth, p, multi_class="ovr", average="macro")
multi("roc_auc four classes", "roc_auc", ovr(prob), prob)
multi("log_loss four classes", "log_loss", sk.log_loss(truth, prob), prob)
hard = np.eye(4)[np.argmax(prob, axis=1)]
multi("roc_auc four classes, certain", "roc_auc", ovr(hard), hard)
multi("log_loss four classes, certain", "log_loss", sk.log_loss(truth, hard), hard)
multi("log_loss four classes, epsilon", "log_loss", sk.log_loss(truth, hard, eps=1e-15), hard, options={"epsilon": 1e-15})
loose = np.round(prob * 0.7, 2)
multi("log_loss four classes, not adding up", "log_loss", sk.log_loss(truth, loose), loose)

# --- numbers ----------------------------------------------------------------
NUMBERS = {
    "rmse": lambda t, p: sk.mean_squared_error(t, p, squared=False),
    "mae": sk.mean_absolute_error,
    "r2": sk.r2_score,
    "spearman": lambda t, p: stats.spearmanr(t, p).correlation,
}
LOG = {"rmsle": lambda t, p: math.sqrt(sk.mean_squared_log_error(t, p))}


def numbers(name, truth, pred, refs, rng):
    n = ids(len(truth))
    for metric, ref in refs.items():
        add(metric + " " + name, metric, ref(truth, pred), [{"name": "y", "type": "float"}],
            table(["id", "y"], n, map(num, truth)), table(["id", "y"], *shuffled(rng, n, [num(p) for p in pred])))


rng = np.random.RandomState(3)
truth = rng.randn(130) * 40
numbers("normal", truth, truth + rng.randn(130) * 15, NUMBERS, rng)
numbers("ties", np.round(truth / 20), np.round((truth + rng.randn(130) * 15) / 20), NUMBERS, rng)
numbers("far from zero", truth + 1e7, truth + 1e7 + rng.randn(130), NUMBERS, rng)
numbers("unrelated", truth, rng.randn(130) * 400, NUMBERS, rng)
numbers("reversed", truth, -truth, NUMBERS, rng)
price = np.exp(rng.randn(130) * 3)
numbers("prices", price, price * np.exp(rng.randn(130) * 0.4), {**NUMBERS, **LOG}, rng)
numbers("zeros", np.where(rng.rand(130) < 0.3, 0, price), np.where(rng.rand(130) < 0.3, 0, price), LOG, rng)
truth, pred = rng.randn(70, 3), rng.randn(70, 3)
three = [{"name": c, "type": "float"} for c in "uvw"]
for metric, ref in NUMBERS.items():
    want = np.mean([ref(truth[:, k], pred[:, k]) for k in range(3)])
    cols = lambda m: [list(map(num, m[:, k])) for k in range(3)]
    add(metric + " three columns", metric, want, three,
        table(["id", "u", "v", "w"], ids(70), *cols(truth)), table(["w", "id", "v", "u"], cols(pred)[2], ids(70), cols(pred)[1], cols(pred)[0]))

# --- masks ------------------------------------------------------------------
def encode(mask):
    flat = np.concatenate([[0], mask.T.ravel(), [0]])  # down the columns
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    return " ".join("%d %d" % (a, b - a) for a, b in zip(edges[::2], edges[1::2]))


def masks(name, pairs, width, height):
    n = ids(len(pairs))
    column = [{"name": "mask", "type": "rle", "width": width, "height": height}]
    holdout = table(["id", "mask"], n, [encode(t) for t, _ in pairs])
    predictions = table(["id", "mask"], n, [encode(p) for _, p in pairs])
    for metric, ref in (("dice", sk.f1_score), ("iou", sk.jaccard_score)):
        values = [ref(t.ravel(), p.ravel()) if t.any() or p.any() else None for t, p in pairs]
        add(metric + " " + name, metric, np.mean([1.0 if v is None else v for v in values]), column, holdout, predictions)
        kept = [v for v in values if v is not None]
        add(metric + " " + name + ", empty skipped", metric, np.mean(kept), column, holdout, predictions,
            options={"empty_masks": "skip"})


rng = np.random.RandomState(4)
noise = lambda share: (rng.rand(9, 13) < share).astype(int)  # 9 rows high, 13 columns wide
empty, full = np.zeros((9, 13), int), np.ones((9, 13), int)
block = lambda t, l, b, r: np.pad(np.ones((b - t, r - l), int), ((t, 9 - b), (l, 13 - r)))
masks("noise", [(noise(0.4), noise(0.4)) for _ in range(12)], 13, 9)
masks("blocks and empty", [
    (block(1, 2, 6, 9), block(2, 3, 8, 9)), (block(0, 0, 3, 3), block(5, 5, 9, 13)), (full, full), (full, empty),
    (empty, full), (empty, empty), (empty, empty), (block(8, 12, 9, 13), block(8, 12, 9, 13)), (empty, noise(0.05)),
], 13, 9)

# --- boxes ------------------------------------------------------------------
THRESHOLDS = [Fraction(k, 100) for k in range(40, 80, 5)]


def overlap(a, b):
    ax, ay, aw, ah = (Fraction(v) for v in a)
    bx, by, bw, bh = (Fraction(v) for v in b)
    w = min(ax + aw, bx + bw) - max(ax, bx)
    h = min(ay + ah, by + bh) - max(ay, by)
    both = max(w, 0) * max(h, 0)
    return both / (aw * ah + bw * bh - both)


def image_score(truth, pred):
    """None for an image with neither; pred is (confidence, x, y, w, h)."""
    if not truth and not pred:
        return None
    total = Fraction(0)
    for t in THRESHOLDS:
        left, tp, fp = list(truth), 0, 0
        for b in sorted(pred, key=lambda p: -p[0]):  # sorted is stable
            best = max(left, key=lambda g: overlap(b[1:], g), default=None)  # the first of equals
            if best is not None and overlap(b[1:], best) > t:
                left.remove(best)
                tp += 1
            else:
                fp += 1
        total += Fraction(tp, tp + fp + len(left))
    return total / len(THRESHOLDS)


def boxes(name, images):
    n = ids(len(images))
    scores = [s for s in (image_score(t, p) for t, p in images) if s is not None]
    want = sum(scores) / len(scores) if scores else Fraction(0)
    truth = [(i, [num(v) for v in b]) for i, (t, _) in zip(n, images) for b in (t or [("",) * 4])]
    truth = [(i, [v.strip("'") for v in b]) for i, b in truth]
    holdout = "id,x,y,width,height\n" + "".join(",".join([i] + b) + "\n" for i, b in truth)
    lists = table(["id", "PredictionString"], n, [" ".join(num(v) for b in p for v in b) for _, p in images])
    rows = "id,confidence,x,y,width,height\n"
    for i, (_, p) in zip(n, images):
        rows += "".join(",".join([i] + [num(v) for v in b]) + "\n" for b in p) or i + ",,,,,\n"
    column = [{"name": "PredictionString", "type": "boxes"}]
    add("map_iou " + name + ", a list an image", "map_iou", want, column, holdout, lists)
    add("map_iou " + name + ", a row a box", "map_iou", want, column, holdout, rows)


rng = np.random.RandomState(5)
g = (0, 0, 10, 10)
boxes("one hit", [([g], [(0.9, 0, 0, 10, 10)])])
boxes("on the thresholds", [([g], [(0.9, 0, 0, 10, 4 + k / 2)]) for k in range(9)])
boxes("nothing predicted", [([g], []), ([], [])])
boxes("nothing at all", [([], []), ([], [])])
boxes("false alarm", [([], [(0.2, 1, 1, 2, 2)]), ([g], [(0.9, 0, 0, 10, 10)]), ([], [])])
boxes("two for one", [([g], [(0.3, 0, 0, 10, 10), (0.8, 0, 0, 10, 9)])])
boxes("equal confidence", [([g, (4, 0, 10, 10)], [(0.5, 2, 0, 10, 10), (0.5, 0, 0, 10, 10)])])
boxes("equal overlap", [([(0, 0, 10, 10), (4, 0, 10, 10)], [(0.9, 2, 0, 10, 10), (0.8, 4, 0, 10, 10)])])
boxes("best is taken", [([(0, 0, 10, 10), (0, 2, 10, 10)], [(0.9, 0, 0, 10, 10), (0.8, 0, 1, 10, 10)])])
pick = lambda: [int(v) for v in (rng.randint(0, 60), rng.randint(0, 60), rng.randint(5, 40), rng.randint(5, 40))]
images = []
for _ in range(120):
    truth = [tuple(pick()) for _ in range(rng.randint(0, 4))]
    pred = [(round(float(rng.rand()), 1), *(int(v + d) for v, d in zip(t, rng.randint(-2, 3, 4)))) for t in truth if rng.rand() < 0.8]
    pred += [(round(float(rng.rand()), 1), *pick()) for _ in range(rng.randint(0, 3))]
    order = rng.permutation(len(pred))
    images.append((truth, [pred[i] for i in order]))
boxes("random", images)

out = {
    "made_by": "make.py with scikit-learn %s, SciPy %s, NumPy %s" % (sklearn.__version__, scipy.__version__, np.__version__),
    "cases": cases,
    "files": {name: text for text, name in files.items()},
}
path = pathlib.Path(__file__).with_name("golden.json")
path.write_text(json.dumps(out, indent=1, ensure_ascii=False) + "\n")
print(path.name, len(cases), "cases,", path.stat().st_size, "bytes")
