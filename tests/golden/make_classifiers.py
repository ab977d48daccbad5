"""Writes tests/golden/classifiers.h: what scikit-learn makes of the data of tests/classifiers.c.

    /usr/bin/python3 tests/golden/make_classifiers.py > new && mv new tests/golden/classifiers.h
"""
import numpy as np
import scipy
import sklearn
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

TRAIN, TEST, K, D = 400, 1000, 4, 8


def mix(v):
    v &= 0xffffffff
    v ^= v >> 16
    v = v * 0x7feb352d & 0xffffffff
    v ^= v >> 15
    v = v * 0x846ca68b & 0xffffffff
    return v ^ v >> 16


def rows(first, n):
    """Row i is of class i % K; every number is exact in float, columns have different sizes."""
    x = np.zeros((n, D))
    for i in range(n):
        y = (first + i) % K
        for d in range(D):
            centre = ((mix(1000 + 31 * y + d) & 255) - 128) / 128
            h = [(mix((first + i) * 64 + d * 4 + k) & 65535) / 65536 for k in range(3)]
            x[i, d] = (0.75 * centre + (h[0] + h[1] + h[2] - 1.5)) * (1 << (d % 4))
    return x, np.arange(first, first + n) % K


x, y = rows(0, TRAIN)
t, u = rows(TRAIN, TEST)
mean, std = x.mean(0), x.std(0)
xs, ts = (x - mean) / std, (t - mean) / std
print('/* Written by tests/golden/make_classifiers.py with scikit-learn %s, scipy %s, numpy %s. */'
      % (sklearn.__version__, scipy.__version__, np.__version__))


def array(name, values, kind='double'):
    values = np.asarray(values)
    form = '%d' if kind != 'double' else '%.9g'
    print('static const %s golden_%s[%d] = {' % (kind, name, values.size))
    flat = [form % v for v in values.ravel()]
    for i in range(0, len(flat), 8):
        print('    ' + ', '.join(flat[i:i + 8]) + (',' if i + 8 < len(flat) else ''))
    print('};')


def number(name, value):
    print('static const double golden_%s = %.9g;' % (name, value))


svm = LinearSVC(C=1, tol=1e-9, max_iter=1000000).fit(xs, y)
w = np.hstack([svm.coef_, svm.intercept_[:, None]])
s = np.where(np.arange(K)[None] == y[:, None], 1, -1)
margin = np.maximum(0, 1 - s * svm.decision_function(xs))
array('svm', w)
number('svm_objective', 0.5 * (w ** 2).sum() + (margin ** 2).sum())
number('svm_accuracy', svm.score(ts, u))
l2 = 1e-2
log = LogisticRegression(C=1 / (TRAIN * l2), tol=1e-8, max_iter=100000, solver='newton-cg').fit(xs, y)
w = np.hstack([log.coef_, log.intercept_[:, None]])
array('logistic', w)
p = log.predict_proba(xs)
number('logistic_objective', -np.log(p[np.arange(TRAIN), y]).mean() + l2 / 2 * (log.coef_ ** 2).sum())
number('logistic_accuracy', log.score(ts, u))
p = log.predict_proba(ts)
most, right = p.max(1), p.argmax(1) == u
bins = np.clip(np.ceil(most * 15).astype(int) - 1, 0, 14)
number('calibration', sum(abs(most[bins == b].sum() - right[bins == b].sum()) for b in range(15)) / TEST)
tree = DecisionTreeClassifier(random_state=0).fit(x, y)
number('tree_nodes', tree.tree_.node_count)
small = DecisionTreeClassifier(max_depth=3, min_samples_leaf=20, random_state=0).fit(x, y)
number('small_tree_nodes', small.tree_.node_count)
number('small_tree_accuracy', small.score(t, u))
array('small_tree_first', small.predict_proba(t[:4]))
forest = [RandomForestClassifier(100, oob_score=True, random_state=k).fit(x, y) for k in range(20)]
number('forest_accuracy', np.mean([f.score(t, u) for f in forest]))
number('forest_out_of_bag', np.mean([f.oob_score_ for f in forest]))
array('forest_importance', np.mean([f.feature_importances_ for f in forest], 0))
number('forest_nodes', np.mean([sum(e.tree_.node_count for e in f.estimators_) for f in forest]))
km = KMeans(K, n_init=50, random_state=0, tol=0).fit(x)
number('kmeans_inertia', km.inertia_)
km7 = KMeans(7, n_init=50, random_state=0, tol=0).fit(x)
number('kmeans7_inertia', km7.inertia_)
a = np.array([mix(i) % 5 if mix(i + 7000) & 1 else y[i] for i in range(TRAIN)])
table = np.zeros((5, 5))
for i in range(TRAIN):
    table[a[i], y[i]] += 1
r, c = linear_sum_assignment(-table)
number('cluster_accuracy', table[r, c].sum() / TRAIN)
number('cluster_nmi', normalized_mutual_info_score(y, a))
number('cluster_ari', adjusted_rand_score(y, a))
said = svm.predict(ts)
array('confusion', confusion_matrix(u, said), 'int')
P, R, F, _ = precision_recall_fscore_support(u, said)
array('precision', P)
array('recall', R)
array('f1', F)
