"""Times what BenchmarkBesidePython times in Go, with pandas and scikit-learn.

    bench.py accuracy|roc_auc HOLDOUT PREDICTIONS REPEATS

The holdout is read and indexed beforehand, as the scorer's is. Each repeat goes
from the file to the score: read, check that the ids fit, bring the rows into
the holdout's order, score. Prints the seconds of each.
"""
import sys
import time

import pandas as pd
from sklearn.metrics import accuracy_score, roc_auc_score

metric, holdout, predictions, repeats = sys.argv[1:]
truth = pd.read_csv(holdout).set_index("id").iloc[:, 0]
score = {"accuracy": accuracy_score, "roc_auc": roc_auc_score}[metric]
for _ in range(int(repeats)):
    start = time.perf_counter()
    pred = pd.read_csv(predictions).set_index("id").iloc[:, 0]
    if not pred.index.equals(truth.index):
        if not pred.index.is_unique or len(pred) != len(truth):
            sys.exit("ids")
        pred = pred.reindex(truth.index)
    if pred.isna().any():
        sys.exit("missing")
    value = score(truth.to_numpy(), pred.to_numpy())
    print(time.perf_counter() - start, value)
