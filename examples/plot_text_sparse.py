"""
==========================
Text, as a sparse matrix
==========================

Counting words in documents gives a matrix with thousands of columns that is nearly empty. A network
takes it as it is, in compressed sparse rows. It is never converted to a dense array, not even batch
by batch.
"""

# %%
# The documents need no download: they are the paragraphs of scikit-learn's own docstrings. Which
# module is a paragraph from? Words with dots and underscores would give it away, so only plain
# words are counted.

import importlib
import inspect
import re
import time

import matplotlib.pyplot as plt
import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import ConfusionMatrixDisplay
from sklearn.model_selection import GroupShuffleSplit

from skperceptron import MLPSoftmaxClassifier
from skperceptron.stopping import EarlyStopping

MODULES = (
    "cluster",
    "datasets",
    "decomposition",
    "ensemble",
    "linear_model",
    "metrics",
    "neighbors",
    "preprocessing",
)
MARKUP = r"``?[^`]*`?`|:\w+:|^ *>>>.*$|^ *\.\.\..*$|\S+[._(]\S+"


def paragraphs(module):
    """Yield each function's or class's name with each of its longer paragraphs."""
    for name, thing in vars(importlib.import_module(f"sklearn.{module}")).items():
        if not name.startswith("_") and callable(thing):
            for paragraph in inspect.cleandoc(thing.__doc__ or "").split("\n\n"):
                if len(paragraph.split()) >= 12:
                    yield name, paragraph


rows = {paragraph: (module, name) for module in MODULES for name, paragraph in paragraphs(module)}
documents = np.array(list(rows), dtype=object)
modules, names = np.array(list(rows.values())).T
print(f"{len(documents)} paragraphs")

# %%
# All paragraphs of one function or class go to the same side of the split.

splitter = GroupShuffleSplit(n_splits=1, test_size=0.25, random_state=0)
train, test = next(splitter.split(documents, groups=names))
vectorizer = TfidfVectorizer(
    preprocessor=lambda text: re.sub(MARKUP, " ", text, flags=re.MULTILINE).lower(),
    token_pattern=r"(?<!\S)[a-z]{2,}(?![\w.(])",
    sublinear_tf=True,
    min_df=2,
    dtype=np.float32,
)
X_train, X_test = vectorizer.fit_transform(documents[train]), vectorizer.transform(documents[test])
filled = X_train.nnz / np.prod(X_train.shape)
print(f"{X_train.format.upper()} matrix of shape {X_train.shape}, {100 * filled:.1f} % filled")
sizes = [array.nbytes for array in (X_train.data, X_train.indices, X_train.indptr)]
print(f"{sum(sizes):>12,} bytes as it is")
print(f"{4 * np.prod(X_train.shape):>12,} bytes if it were dense")

# %%
# The first layer multiplies the sparse matrix. There are many words and few rows, so dropout of
# words and early stopping are needed against overfitting.

network = MLPSoftmaxClassifier(
    (64,),
    input_dropout=0.2,
    dropout=0.3,
    learning_rate_init=0.003,
    max_iter=60,
    early_stopping=EarlyStopping("loss", patience=5),
    random_state=0,
)
start = time.perf_counter()
network.fit(X_train, modules[train])
print(f"{network.n_iter_} epochs in {time.perf_counter() - start:.1f} s")
largest = np.unique(modules[test], return_counts=True)[1].max() / len(test)
print(f"test accuracy {network.score(X_test, modules[test]):.2f}", end="; ")
print(f"{largest:.2f} of the paragraphs are from the most common module")

# %%
# Each row shows how the paragraphs of one module are classified, as shares.

fig, ax = plt.subplots(figsize=(7, 5.5), layout="constrained")
ConfusionMatrixDisplay.from_estimator(
    network,
    X_test,
    modules[test],
    normalize="true",
    values_format=".2f",
    xticks_rotation=40,
    cmap="cividis",
    ax=ax,
    colorbar=False,
)
ax.set(title="shares of predicted modules", xlabel="predicted module", ylabel="module")
plt.setp(ax.get_xticklabels(), ha="right", rotation_mode="anchor")
plt.show()
